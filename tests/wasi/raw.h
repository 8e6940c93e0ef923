/* The guest's side of the tests: the ABI itself, without the C library in between, so that any number can be passed. */
#ifndef TESTS_WASI_RAW_H
#define TESTS_WASI_RAW_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define RAW(name, ...)                                                                                                 \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) u32 raw_##name(__VA_ARGS__);
RAW(args_get, u32, u32)
RAW(args_sizes_get, u32, u32)
RAW(environ_get, u32, u32)
RAW(environ_sizes_get, u32, u32)
RAW(clock_res_get, u32, u32)
RAW(clock_time_get, u32, u64, u32)
RAW(fd_advise, u32, u64, u64, u32)
RAW(fd_allocate, u32, u64, u64)
RAW(fd_close, u32)
RAW(fd_datasync, u32)
RAW(fd_fdstat_get, u32, u32)
RAW(fd_fdstat_set_flags, u32, u32)
RAW(fd_fdstat_set_rights, u32, u64, u64)
RAW(fd_filestat_get, u32, u32)
RAW(fd_filestat_set_size, u32, u64)
RAW(fd_filestat_set_times, u32, u64, u64, u32)
RAW(fd_pread, u32, u32, u32, u64, u32)
RAW(fd_prestat_get, u32, u32)
RAW(fd_prestat_dir_name, u32, u32, u32)
RAW(fd_pwrite, u32, u32, u32, u64, u32)
RAW(fd_read, u32, u32, u32, u32)
RAW(fd_readdir, u32, u32, u32, u64, u32)
RAW(fd_renumber, u32, u32)
RAW(fd_seek, u32, u64, u32, u32)
RAW(fd_sync, u32)
RAW(fd_tell, u32, u32)
RAW(fd_write, u32, u32, u32, u32)
RAW(path_create_directory, u32, u32, u32)
RAW(path_filestat_get, u32, u32, u32, u32, u32)
RAW(path_filestat_set_times, u32, u32, u32, u32, u64, u64, u32)
RAW(path_link, u32, u32, u32, u32, u32, u32, u32)
RAW(path_open, u32, u32, u32, u32, u32, u64, u64, u32, u32)
RAW(path_readlink, u32, u32, u32, u32, u32, u32)
RAW(path_remove_directory, u32, u32, u32)
RAW(path_rename, u32, u32, u32, u32, u32, u32)
RAW(path_symlink, u32, u32, u32, u32, u32)
RAW(path_unlink_file, u32, u32, u32)
RAW(poll_oneoff, u32, u32, u32, u32)
RAW(proc_raise, u32)
RAW(random_get, u32, u32)
RAW(sched_yield, void)
RAW(sock_accept, u32, u32, u32)
RAW(sock_recv, u32, u32, u32, u32, u32, u32)
RAW(sock_send, u32, u32, u32, u32, u32)
RAW(sock_shutdown, u32, u32)
#undef RAW

/* errno of the ABI, those that the tests name */
enum {
    OK = 0,
    ACCES = 2,
    AGAIN = 6,
    BADF = 8,
    EXIST = 20,
    FAULT = 21,
    ILSEQ = 25,
    INTR = 27,
    INVAL = 28,
    ISDIR = 31,
    LOOP = 32,
    MFILE = 33,
    NAMETOOLONG = 37,
    NOENT = 44,
    NOTCONN = 53,
    NOTDIR = 54,
    NOTEMPTY = 55,
    NOTSOCK = 57,
    NOTSUP = 58,
    NXIO = 60,
    PERM = 63,
    PIPE_CLOSED = 64,
    SPIPE = 70,
    XDEV = 75,
    NOTCAPABLE = 76
};
enum { ROOT = 3, FOLLOW = 1 }; /* the first granted directory */
enum { CREATE = 1, ONLY_DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 };
enum { APPEND = 1, NONBLOCK = 4 };
enum { TYPE_CHARACTER_DEVICE = 2, TYPE_DIRECTORY = 3, TYPE_FILE = 4, TYPE_STREAM = 6, TYPE_LINK = 7 };
#define RIGHT(bit) ((u64)1 << (bit))
#define CAN_READ RIGHT(1)
#define CAN_SEEK RIGHT(2)
#define CAN_WRITE RIGHT(6)
#define CAN_EVERYTHING_WITH_FILES                                                                                      \
    (RIGHT(0) | CAN_READ | CAN_SEEK | RIGHT(3) | RIGHT(4) | RIGHT(5) | CAN_WRITE | RIGHT(7) | RIGHT(8) | RIGHT(21) |   \
     RIGHT(22) | RIGHT(23) | RIGHT(27))

/* An address, and a text as the ABI's (address, size). */
#define AT(p) ((u32)(uintptr_t)(p))
#define TEXT(s) AT(s), (u32)strlen(s)

/* Says where and what, and ends with 1. */
#define CHECK(got, want) check((got), (want), __FILE__, __LINE__, #got)
static inline void check(u64 got, u64 want, const char *file, int line, const char *what)
{
    if (got == want) return;
    fprintf(stderr, "%s:%d: %s is %llu, not %llu\n", file, line, what, (unsigned long long)got,
            (unsigned long long)want);
    exit(1);
}
#define CHECK_THAT(condition) CHECK(!!(condition), 1)

typedef struct part {
    u32 address, size;
} part;

typedef struct filestat {
    u64 device, inode;
    uint8_t type;
    u64 links, size, access, modification, change;
} filestat;

typedef struct fdstat {
    uint8_t type;
    uint16_t flags;
    u64 rights, inheriting;
} fdstat;

static inline u32 open_at(u32 directory, const char *path, u32 how, u64 rights, u32 *fd)
{
    return raw_path_open(directory, FOLLOW, TEXT(path), how, rights, 0, 0, AT(fd));
}

static inline u32 write_text(u32 fd, const char *text)
{
    u32 n;
    part one = {TEXT(text)};
    u32 error = raw_fd_write(fd, AT(&one), 1, AT(&n));
    if (!error) CHECK(n, strlen(text));
    return error;
}

/* Reads up to `size` bytes as a C string. */
static inline u32 read_text(u32 fd, char *out, u32 size)
{
    u32 n = 0;
    part one = {AT(out), size};
    u32 error = raw_fd_read(fd, AT(&one), 1, AT(&n));
    out[error ? 0 : n] = 0;
    return error;
}

static inline u32 make_file(const char *path, const char *text)
{
    u32 fd, error = open_at(ROOT, path, CREATE | TRUNCATE, CAN_EVERYTHING_WITH_FILES, &fd);
    if (!error) error = write_text(fd, text);
    return error ? error : raw_fd_close(fd);
}

static inline u64 now(u32 clock)
{
    u64 t = 0;
    CHECK(raw_clock_time_get(clock, 0, AT(&t)), OK);
    return t;
}

typedef struct subscription {
    u64 user_data;
    uint8_t type;       /* 0 clock, 1 read, 2 write */
    _Alignas(8) u32 id; /* of the clock, or the descriptor */
    u64 timeout, precision;
    uint16_t flags;
} subscription;

typedef struct event {
    u64 user_data;
    uint16_t error;
    uint8_t type;
    u64 bytes;
    uint16_t flags;
} event;

_Static_assert(sizeof(subscription) == 48 && sizeof(event) == 32, "the ABI's layout");
_Static_assert(sizeof(filestat) == 64 && sizeof(fdstat) == 24, "the ABI's layout");

#endif
