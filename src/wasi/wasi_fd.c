/* Descriptors: the table of open files, and every fd_* function but poll. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/context.h"

/* ---- errors ---- */

uint32_t wasi_errno_of(int host_errno)
{
    static const struct {
        int host;
        uint32_t guest;
    } errors[] = {
#define X(name) {E##name, WASI_E##name},
        WASI_ERRNOS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].host == host_errno) return errors[i].guest;
    return WASI_EIO;
}

uint32_t wasi_check(int64_t result)
{
    return result < 0 ? wasi_errno_of(errno) : WASI_ESUCCESS;
}

uint32_t wasi_check_open(int fd)
{
    return fd < 0 && errno == EXDEV ? WASI_ENOTCAPABLE : wasi_check(fd);
}

/* ---- the table ---- */

uint32_t wasi_file_of(wasi_context *w, uint32_t fd, uint64_t rights, wasi_file **out)
{
    if (fd >= w->file_capacity || !w->files[fd].open) return WASI_EBADF;
    *out = &w->files[fd];
    return (w->files[fd].rights & rights) == rights ? WASI_ESUCCESS : WASI_ENOTCAPABLE;
}

uint32_t wasi_file_new(wasi_context *w, uint32_t *fd, wasi_file **out)
{
    size_t i = 0, old = w->file_capacity;
    while (i < old && w->files[i].open)
        i++;
    if (i >= w->file_limit) return WASI_EMFILE;
    if (i == old) {
        if (!BASE_GROW(w->files, w->file_capacity, i + 1)) return WASI_ENOMEM;
        memset(w->files + old, 0, (w->file_capacity - old) * sizeof *w->files);
    }
    w->files[i] = (wasi_file){.open = true, .fd = -1};
    *fd = (uint32_t)i;
    *out = &w->files[i];
    return WASI_ESUCCESS;
}

void wasi_file_close(wasi_file *file)
{
    if (!file->open) return;
    if (file->owned) close(file->fd);
    base_free(file->preopen);
    memset(file, 0, sizeof *file);
}

uint32_t wasi_fd_close(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    wasi_file_close(file);
    return WASI_ESUCCESS;
}

uint32_t wasi_fd_renumber(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *from, *to;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &from));
    WASI_TRY(wasi_file_of(w, v[1].u32, 0, &to));
    if (from == to) return WASI_ESUCCESS;
    wasi_file_close(to);
    *to = *from;
    memset(from, 0, sizeof *from);
    return WASI_ESUCCESS;
}

/* ---- offsets ---- */

uint32_t wasi_fd_seek(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    wasi_file *file;
    if (v[2].u32 > 2) return WASI_EINVAL;
    bool telling = v[2].u32 == 1 && v[1].i64 == 0;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    if (file->type == WASI_TYPE_DIRECTORY) return WASI_EBADF;
    if (file->fd < 0 || file->type != WASI_TYPE_REGULAR_FILE) return WASI_ESPIPE;
    WASI_TRY(wasi_file_of(w, v[0].u32, telling ? WASI_RIGHT_FD_TELL : WASI_RIGHT_FD_SEEK, &file));
    off_t at = lseek(file->fd, v[1].i64, whences[v[2].u32]);
    return at < 0 ? wasi_errno_of(errno) : wasi_put_u64(instance, v[3].u32, (uint64_t)at);
}

uint32_t wasi_fd_tell(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    const wasm_value seek[4] = {v[0], {.i64 = 0}, {.u32 = 1}, v[1]};
    return wasi_fd_seek(w, instance, seek);
}

/* ---- the whole file ---- */

static uint32_t host_file(wasi_context *w, uint32_t fd, uint64_t rights, wasi_file **out)
{
    WASI_TRY(wasi_file_of(w, fd, rights, out));
    return (*out)->fd < 0 ? WASI_EINVAL : WASI_ESUCCESS;
}

uint32_t wasi_fd_sync(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_SYNC, &file));
    return wasi_check(fsync(file->fd));
}

uint32_t wasi_fd_datasync(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_DATASYNC, &file));
    return wasi_check(fdatasync(file->fd));
}

uint32_t wasi_fd_advise(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    wasi_file *file;
    if (v[3].u32 > 5 || v[1].i64 < 0 || v[2].i64 < 0) return WASI_EINVAL;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_ADVISE, &file));
    if (file->type == WASI_TYPE_DIRECTORY) return WASI_EBADF;
    int error = posix_fadvise(file->fd, v[1].i64, v[2].i64, advices[v[3].u32]);
    return error ? wasi_errno_of(error) : WASI_ESUCCESS;
}

uint32_t wasi_fd_allocate(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    if (v[1].i64 < 0 || v[2].i64 <= 0) return WASI_EINVAL;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_ALLOCATE, &file));
    if (file->type != WASI_TYPE_REGULAR_FILE) return WASI_EBADF;
    /* not posix_fallocate, which where the file system cannot do it writes the whole range */
    return wasi_check(fallocate(file->fd, 0, v[1].i64, v[2].i64));
}

uint32_t wasi_fd_filestat_set_size(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    if (v[1].i64 < 0) return WASI_EINVAL;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_FILESTAT_SET_SIZE, &file));
    return wasi_check(ftruncate(file->fd, v[1].i64));
}

uint32_t wasi_times(uint64_t access, uint64_t modification, uint32_t flags, struct timespec out[2])
{
    const uint64_t given[2] = {access, modification};
    if (flags > 15) return WASI_EINVAL;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t two = flags >> 2 * i & 3; /* bit 0: the value given, bit 1: now */
        if (two == 3) return WASI_EINVAL;
        out[i].tv_sec = (time_t)(given[i] / 1000000000u);
        out[i].tv_nsec = two == 0 ? UTIME_OMIT : two == 2 ? UTIME_NOW : (long)(given[i] % 1000000000u);
    }
    return WASI_ESUCCESS;
}

uint32_t wasi_fd_filestat_set_times(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    struct timespec times[2];
    WASI_TRY(wasi_times(v[1].u64, v[2].u64, v[3].u32, times));
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_FILESTAT_SET_TIMES, &file));
    return wasi_check(futimens(file->fd, times));
}

uint8_t wasi_type_of(int fd)
{
    struct stat info;
    int kind = 0;
    socklen_t size = sizeof kind;
    if (fstat(fd, &info)) return WASI_TYPE_UNKNOWN;
    if (S_ISSOCK(info.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_DGRAM)
        return WASI_TYPE_SOCKET_DGRAM;
    return wasi_type_of_mode(info.st_mode);
}

bool wasi_is_socket(const wasi_file *file)
{
    return file->type == WASI_TYPE_SOCKET_STREAM || file->type == WASI_TYPE_SOCKET_DGRAM;
}

uint8_t wasi_type_of_mode(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return WASI_TYPE_REGULAR_FILE;
    case S_IFDIR:
        return WASI_TYPE_DIRECTORY;
    case S_IFCHR:
        return WASI_TYPE_CHARACTER_DEVICE;
    case S_IFBLK:
        return WASI_TYPE_BLOCK_DEVICE;
    case S_IFLNK:
        return WASI_TYPE_SYMBOLIC_LINK;
    case S_IFSOCK:
        return WASI_TYPE_SOCKET_STREAM;
    default:
        return WASI_TYPE_UNKNOWN;
    }
}

static uint64_t nanoseconds(const struct timespec *t)
{
    return t->tv_sec < 0 ? 0 : (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

uint32_t wasi_put_stat(wasm_instance *instance, uint32_t address, const struct stat *info)
{
    const uint64_t words[8] = {info->st_dev,
                               info->st_ino,
                               wasi_type_of_mode(info->st_mode),
                               info->st_nlink,
                               (uint64_t)info->st_size,
                               nanoseconds(&info->st_atim),
                               nanoseconds(&info->st_mtim),
                               nanoseconds(&info->st_ctim)};
    return wasi_put(instance, address, words, sizeof words);
}

uint32_t wasi_fd_filestat_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    struct stat info;
    WASI_TRY(wasi_file_of(w, v[0].u32, WASI_RIGHT_FD_FILESTAT_GET, &file));
    if (file->fd >= 0) {
        if (fstat(file->fd, &info)) return wasi_errno_of(errno);
        return wasi_put_stat(instance, v[1].u32, &info);
    }
    const uint64_t words[8] = {0, v[0].u32, file->type, 1, 0, 0, 0, 0};
    return wasi_put(instance, v[1].u32, words, sizeof words);
}

/* ---- fdstat, prestat ---- */

uint32_t wasi_fd_fdstat_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    const uint64_t words[3] = {file->type | (uint64_t)file->flags << 16, file->rights, file->inheriting};
    return wasi_put(instance, v[1].u32, words, sizeof words);
}

/* Waiting or not is a matter of wasi_wait; of the host's descriptor only appending changes, and only if it is ours. */
uint32_t wasi_fd_fdstat_set_flags(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    const uint32_t flags = v[1].u32;
    if (flags > 31) return WASI_EINVAL;
    WASI_TRY(wasi_file_of(w, v[0].u32, WASI_RIGHT_FD_FDSTAT_SET_FLAGS, &file));
    const uint32_t change = flags ^ file->flags;
    if (change & ~(uint32_t)(WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK)) return WASI_ENOTSUP; /* fixed by open */
    if (change & WASI_FDFLAG_APPEND) {
        if (!file->owned) return WASI_ENOTSUP;
        int host = fcntl(file->fd, F_GETFL);
        if (host < 0) return wasi_errno_of(errno);
        WASI_TRY(wasi_check(fcntl(file->fd, F_SETFL, host ^ O_APPEND)));
    }
    file->flags = flags;
    return WASI_ESUCCESS;
}

uint32_t wasi_fd_fdstat_set_rights(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    WASI_TRY(wasi_file_of(w, v[0].u32, v[1].u64, &file)); /* rights only shrink */
    if ((file->inheriting & v[2].u64) != v[2].u64) return WASI_ENOTCAPABLE;
    file->rights = v[1].u64;
    file->inheriting = v[2].u64;
    return WASI_ESUCCESS;
}

uint32_t wasi_fd_prestat_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    if (!file->preopen) return WASI_EBADF;
    const uint32_t words[2] = {0, (uint32_t)strlen(file->preopen)}; /* tag 0: a directory */
    return wasi_put(instance, v[1].u32, words, sizeof words);
}

uint32_t wasi_fd_prestat_dir_name(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    if (!file->preopen) return WASI_EBADF;
    size_t size = strlen(file->preopen);
    if (v[2].u32 < size) return WASI_ENAMETOOLONG;
    return wasi_put(instance, v[1].u32, file->preopen, size);
}

/* ---- readdir ---- */

static uint8_t type_of_entry(int directory, const struct dirent64 *e)
{
    struct stat info;
    if (e->d_type != DT_UNKNOWN) return wasi_type_of_mode(DTTOIF(e->d_type));
    return fstatat(directory, e->d_name, &info, AT_SYMLINK_NOFOLLOW) ? WASI_TYPE_UNKNOWN
                                                                     : wasi_type_of_mode(info.st_mode);
}

/* Appends an entry of 24 bytes and a name, or as much of it as there is room for. */
static uint32_t put_entry(int directory, const struct dirent64 *e, uint64_t own_inode, uint8_t *out, uint32_t room)
{
    uint8_t entry[24 + sizeof e->d_name];
    /* the parent of a granted directory is not the guest's business */
    const uint64_t next = (uint64_t)e->d_off, inode = strcmp(e->d_name, "..") == 0 ? own_inode : e->d_ino;
    const uint32_t name = (uint32_t)strlen(e->d_name), type = type_of_entry(directory, e);
    memcpy(entry, &next, 8);
    memcpy(entry + 8, &inode, 8);
    memcpy(entry + 16, &name, 4);
    memcpy(entry + 20, &type, 4);
    memcpy(entry + 24, e->d_name, name);
    uint32_t n = 24 + name < room ? 24 + name : room;
    memcpy(out, entry, n);
    return n;
}

/* Entries packed; the last one may be cut off, which tells the guest that there are more. A cookie is the position that
 * the file system itself gives the entry after, so it stays good while others come and go. */
uint32_t wasi_fd_readdir(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    struct stat info;
    _Alignas(struct dirent64) char entries[4096];
    const uint32_t size = v[2].u32;
    uint32_t used = 0;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    if (file->type != WASI_TYPE_DIRECTORY) return WASI_ENOTDIR;
    WASI_TRY(wasi_file_of(w, v[0].u32, WASI_RIGHT_FD_READDIR, &file));
    uint8_t *out = wasm_memory_at(instance, v[1].u32, size);
    if (!out || !wasm_memory_at(instance, v[4].u32, 4)) return WASI_EFAULT;
    if (v[3].i64 < 0) return WASI_EINVAL;
    WASI_TRY(wasi_check(lseek(file->fd, v[3].i64, SEEK_SET)));
    WASI_TRY(wasi_check(fstat(file->fd, &info)));
    while (used < size) {
        ssize_t n = getdents64(file->fd, entries, sizeof entries);
        if (n < 0) return wasi_errno_of(errno);
        if (n == 0) break;
        if (wasm_store_interrupted(wasm_instance_store(instance))) return WASI_EINTR;
        for (ssize_t at = 0; at < n && used < size;) {
            const struct dirent64 *e = (const void *)(entries + at);
            used += put_entry(file->fd, e, info.st_ino, out + used, size - used);
            at += e->d_reclen;
        }
    }
    return wasi_put_u32(instance, v[4].u32, used);
}
