/* Inside WASI: descriptors, rights, the numbers of the ABI. Nothing outside src/wasi includes it. */
#ifndef WASI_CONTEXT_H
#define WASI_CONTEXT_H
#include <dirent.h>

#include "wasi/wasi.h"

/* The ABI's errno values, all that host errors map to. */
enum wasi_errno {
    WASI_ESUCCESS = 0,
    WASI_E2BIG = 1,
    WASI_EACCES = 2,
    WASI_EAGAIN = 6,
    WASI_EBADF = 8,
    WASI_EBUSY = 10,
    WASI_ECANCELED = 11,
    WASI_EDQUOT = 19,
    WASI_EEXIST = 20,
    WASI_EFAULT = 21,
    WASI_EFBIG = 22,
    WASI_EILSEQ = 25,
    WASI_EINTR = 27,
    WASI_EINVAL = 28,
    WASI_EIO = 29,
    WASI_EISDIR = 31,
    WASI_ELOOP = 32,
    WASI_EMFILE = 33,
    WASI_EMLINK = 34,
    WASI_ENAMETOOLONG = 37,
    WASI_ENFILE = 41,
    WASI_ENODEV = 43,
    WASI_ENOENT = 44,
    WASI_ENOMEM = 48,
    WASI_ENOSPC = 51,
    WASI_ENOSYS = 52,
    WASI_ENOTDIR = 54,
    WASI_ENOTEMPTY = 55,
    WASI_ENOTSOCK = 57,
    WASI_ENOTSUP = 58,
    WASI_ENOTTY = 59,
    WASI_ENXIO = 60,
    WASI_EOVERFLOW = 61,
    WASI_EPERM = 63,
    WASI_EPIPE = 64,
    WASI_EROFS = 69,
    WASI_ESPIPE = 70,
    WASI_ETXTBSY = 74,
    WASI_EXDEV = 75,
    WASI_ENOTCAPABLE = 76,
};

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
    bool open, owned; /* owned: `fd` is ours to close */
    int fd;           /* -1: `stream` says what reading and writing do */
    wasi_stream stream;
    uint8_t type;
    uint32_t flags;
    uint64_t rights, inheriting;
    char *preopen; /* the guest's name of a granted directory */
    DIR *listing;  /* fd_readdir's own view, so that it does not share the descriptor's offset */
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
uint8_t wasi_type_of_mode(unsigned mode);
struct stat;
uint32_t wasi_put_stat(wasm_instance *instance, uint32_t address, const struct stat *info);
struct timespec;
uint32_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec out[2]);

/* wasi_sandbox.c: openat that cannot leave the directory, whatever `path` and the links in it say. -1 and errno. */
int wasi_open_beneath(int directory, const char *path, int flags, unsigned mode);
/* The same without openat2, by walking; for tests, and old kernels. */
int wasi_open_walking(int directory, const char *path, int flags, unsigned mode);

#define WASI_API(name, signature) uint32_t wasi_##name(wasi_context *w, wasm_instance *instance, const wasm_value *v);
#include "wasi/api.def"

#endif
