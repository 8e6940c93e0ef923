/* Inside WASI: descriptors, rights, the numbers of the ABI. Nothing outside src/wasi includes it. */
#ifndef WASI_CONTEXT_H
#define WASI_CONTEXT_H
#include <sys/uio.h>

#include "wasi/wasi.h"

/* The ABI's errno values in their order, from 1: all have the host's name, so that one list gives the numbers and the
 * translation. 76, which has no such name, is "not capable". */
#define WASI_ERRNOS(X)                                                                                                 \
    X(2BIG)                                                                                                            \
    X(ACCES)                                                                                                           \
    X(ADDRINUSE)                                                                                                       \
    X(ADDRNOTAVAIL)                                                                                                    \
    X(AFNOSUPPORT) X(AGAIN) X(ALREADY) X(BADF) X(BADMSG) X(BUSY) X(CANCELED) X(CHILD) X(CONNABORTED) X(CONNREFUSED)    \
        X(CONNRESET) X(DEADLK) X(DESTADDRREQ) X(DOM) X(DQUOT) X(EXIST) X(FAULT) X(FBIG) X(HOSTUNREACH) X(IDRM)         \
            X(ILSEQ) X(INPROGRESS) X(INTR) X(INVAL) X(IO) X(ISCONN) X(ISDIR) X(LOOP) X(MFILE) X(MLINK) X(MSGSIZE)      \
                X(MULTIHOP) X(NAMETOOLONG) X(NETDOWN) X(NETRESET) X(NETUNREACH) X(NFILE) X(NOBUFS) X(NODEV) X(NOENT)   \
                    X(NOEXEC) X(NOLCK) X(NOLINK) X(NOMEM) X(NOMSG) X(NOPROTOOPT) X(NOSPC) X(NOSYS) X(NOTCONN)          \
                        X(NOTDIR) X(NOTEMPTY) X(NOTRECOVERABLE) X(NOTSOCK) X(NOTSUP) X(NOTTY) X(NXIO) X(OVERFLOW)      \
                            X(OWNERDEAD) X(PERM) X(PIPE) X(PROTO) X(PROTONOSUPPORT) X(PROTOTYPE) X(RANGE) X(ROFS)      \
                                X(SPIPE) X(SRCH) X(STALE) X(TIMEDOUT) X(TXTBSY) X(XDEV)
enum wasi_errno {
    WASI_ESUCCESS,
#define X(name) WASI_E##name,
    WASI_ERRNOS(X)
#undef X
        WASI_ENOTCAPABLE,
};
_Static_assert(WASI_ENOTCAPABLE == 76, "a name is missing");

#define WASI_RIGHTS(X)                                                                                                 \
    X(FD_DATASYNC)                                                                                                     \
    X(FD_READ)                                                                                                         \
    X(FD_SEEK)                                                                                                         \
    X(FD_FDSTAT_SET_FLAGS)                                                                                             \
    X(FD_SYNC)                                                                                                         \
    X(FD_TELL)                                                                                                         \
    X(FD_WRITE)                                                                                                        \
    X(FD_ADVISE)                                                                                                       \
    X(FD_ALLOCATE)                                                                                                     \
    X(PATH_CREATE_DIRECTORY)                                                                                           \
    X(PATH_CREATE_FILE)                                                                                                \
    X(PATH_LINK_SOURCE)                                                                                                \
    X(PATH_LINK_TARGET)                                                                                                \
    X(PATH_OPEN)                                                                                                       \
    X(FD_READDIR)                                                                                                      \
    X(PATH_READLINK)                                                                                                   \
    X(PATH_RENAME_SOURCE)                                                                                              \
    X(PATH_RENAME_TARGET)                                                                                              \
    X(PATH_FILESTAT_GET)                                                                                               \
    X(PATH_FILESTAT_SET_SIZE)                                                                                          \
    X(PATH_FILESTAT_SET_TIMES)                                                                                         \
    X(FD_FILESTAT_GET)                                                                                                 \
    X(FD_FILESTAT_SET_SIZE)                                                                                            \
    X(FD_FILESTAT_SET_TIMES)                                                                                           \
    X(PATH_SYMLINK)                                                                                                    \
    X(PATH_REMOVE_DIRECTORY)                                                                                           \
    X(PATH_UNLINK_FILE)                                                                                                \
    X(POLL_FD_READWRITE)                                                                                               \
    X(SOCK_SHUTDOWN)                                                                                                   \
    X(SOCK_ACCEPT)

enum wasi_right_bit {
#define X(name) WASI_BIT_##name,
    WASI_RIGHTS(X)
#undef X
};
enum wasi_right {
#define X(name) WASI_RIGHT_##name = 1 << WASI_BIT_##name,
    WASI_RIGHTS(X)
#undef X
};

enum {
    WASI_WRITING = WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_SET_SIZE,
    WASI_FILE_RIGHTS = WASI_RIGHT_FD_DATASYNC | WASI_RIGHT_FD_READ | WASI_RIGHT_FD_SEEK |
                       WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_TELL | WASI_RIGHT_FD_WRITE |
                       WASI_RIGHT_FD_ADVISE | WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_GET |
                       WASI_RIGHT_FD_FILESTAT_SET_SIZE | WASI_RIGHT_FD_FILESTAT_SET_TIMES |
                       WASI_RIGHT_POLL_FD_READWRITE,
    WASI_DIRECTORY_RIGHTS =
        WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC | WASI_RIGHT_FD_ADVISE |
        WASI_RIGHT_PATH_CREATE_DIRECTORY | WASI_RIGHT_PATH_CREATE_FILE | WASI_RIGHT_PATH_LINK_SOURCE |
        WASI_RIGHT_PATH_LINK_TARGET | WASI_RIGHT_PATH_OPEN | WASI_RIGHT_FD_READDIR | WASI_RIGHT_PATH_READLINK |
        WASI_RIGHT_PATH_RENAME_SOURCE | WASI_RIGHT_PATH_RENAME_TARGET | WASI_RIGHT_PATH_FILESTAT_GET |
        WASI_RIGHT_PATH_FILESTAT_SET_SIZE | WASI_RIGHT_PATH_FILESTAT_SET_TIMES | WASI_RIGHT_FD_FILESTAT_GET |
        WASI_RIGHT_FD_FILESTAT_SET_TIMES | WASI_RIGHT_PATH_SYMLINK | WASI_RIGHT_PATH_REMOVE_DIRECTORY |
        WASI_RIGHT_PATH_UNLINK_FILE | WASI_RIGHT_POLL_FD_READWRITE,
    /* what a read-only directory lacks, for itself and all in it */
    WASI_CHANGING = WASI_WRITING | WASI_RIGHT_PATH_CREATE_DIRECTORY | WASI_RIGHT_PATH_CREATE_FILE |
                    WASI_RIGHT_PATH_LINK_SOURCE | WASI_RIGHT_PATH_LINK_TARGET | WASI_RIGHT_PATH_RENAME_SOURCE |
                    WASI_RIGHT_PATH_RENAME_TARGET | WASI_RIGHT_PATH_FILESTAT_SET_SIZE |
                    WASI_RIGHT_PATH_FILESTAT_SET_TIMES | WASI_RIGHT_FD_FILESTAT_SET_TIMES | WASI_RIGHT_PATH_SYMLINK |
                    WASI_RIGHT_PATH_REMOVE_DIRECTORY | WASI_RIGHT_PATH_UNLINK_FILE,
    WASI_CONNECTION_RIGHTS = WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_FDSTAT_SET_FLAGS |
                             WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_POLL_FD_READWRITE | WASI_RIGHT_SOCK_SHUTDOWN,
    WASI_LISTENER_RIGHTS = WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_POLL_FD_READWRITE |
                           WASI_RIGHT_SOCK_ACCEPT,
};

enum wasi_filetype {
    WASI_TYPE_UNKNOWN,
    WASI_TYPE_BLOCK_DEVICE,
    WASI_TYPE_CHARACTER_DEVICE,
    WASI_TYPE_DIRECTORY,
    WASI_TYPE_REGULAR_FILE,
    WASI_TYPE_SOCKET_DGRAM,
    WASI_TYPE_SOCKET_STREAM,
    WASI_TYPE_SYMBOLIC_LINK,
};

enum {
    WASI_FDFLAG_APPEND = 1,
    WASI_FDFLAG_DSYNC = 2,
    WASI_FDFLAG_NONBLOCK = 4,
    WASI_FDFLAG_RSYNC = 8,
    WASI_FDFLAG_SYNC = 16
};

typedef struct wasi_file {
    bool open, owned; /* owned: `fd` is ours to close, and to make non-blocking */
    bool read_only;   /* a directory granted so, or what was opened in one */
    int fd;           /* -1: `stream` says what reading and writing do */
    wasi_stream stream;
    uint8_t type;
    uint32_t flags; /* as the guest sees them: waiting is done here, whatever the host's descriptor would do */
    uint64_t rights, inheriting;
    char *preopen; /* the guest's name of a granted directory */
} wasi_file;

struct wasi_context {
    char **args, **env;
    size_t arg_count, env_count;
    wasi_file *files;
    size_t file_capacity;
    uint32_t file_limit;
};

/* ---- guest memory; all return WASI_EFAULT when it is not there ---- */
uint32_t wasi_put_u32(wasm_instance *instance, uint32_t address, uint32_t value);
uint32_t wasi_put_u64(wasm_instance *instance, uint32_t address, uint64_t value);
uint32_t wasi_put(wasm_instance *instance, uint32_t address, const void *data, size_t size);

/* ---- errors ---- */
uint32_t wasi_errno_of(int host_errno);
/* Of a call that answers -1 with errno. */
uint32_t wasi_check(int64_t result);
/* Of wasi_open_beneath: EXDEV says there that the path leads outside. */
uint32_t wasi_check_open(int fd);
#define WASI_TRY(call)                                                                                                 \
    do {                                                                                                               \
        uint32_t wasi_try_error_ = (call);                                                                             \
        if (wasi_try_error_) return wasi_try_error_;                                                                   \
    } while (0)

/* ---- descriptors ---- */
/* The open file of that number that has all these rights, or WASI_EBADF, WASI_ENOTCAPABLE. */
uint32_t wasi_file_of(wasi_context *w, uint32_t fd, uint64_t rights, wasi_file **out);
/* The lowest free number. */
uint32_t wasi_file_new(wasi_context *w, uint32_t *fd, wasi_file **out);
void wasi_file_close(wasi_file *file);
uint8_t wasi_type_of(int fd); /* an open descriptor's wasi_filetype */
uint8_t wasi_type_of_mode(unsigned mode);
bool wasi_is_socket(const wasi_file *file);
struct stat;
uint32_t wasi_put_stat(wasm_instance *instance, uint32_t address, const struct stat *info);
struct timespec;
uint32_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec out[2]);

/* ---- moving bytes ---- */
enum {
    WASI_MAX_PARTS = 1024,
    WASI_SLICE_NS = 4000000, /* an interruption of the store is seen this soon by a guest that waits */
};
/* The guest's list of (address, size) pairs as the host's, every one checked. */
uint32_t wasi_gather(wasm_instance *instance, uint32_t list, uint32_t count, struct iovec *parts, uint64_t *total);
/* Waits until poll() has these events; WASI_EAGAIN at once if the guest asked for no waiting, WASI_EINTR when the store
 * is interrupted. */
uint32_t wasi_wait(const wasi_file *file, short events, const wasm_instance *instance);

/* ---- wasi_sandbox.c ---- */
/* openat that cannot leave the directory, whatever `path` and the links in it say: -1 with EXDEV if it would. */
int wasi_open_beneath(int directory, const char *path, int flags, unsigned mode);
/* The same without openat2, by walking; for tests, and old kernels. */
int wasi_open_walking(int directory, const char *path, int flags, unsigned mode);
void wasi_sandbox_walk_only(bool walk); /* tests: pretend that there is no openat2 */

#define WASI_API(name, signature) uint32_t wasi_##name(wasi_context *w, wasm_instance *instance, const wasm_value *v);
#include "wasi/api.def"

#endif
