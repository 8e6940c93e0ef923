/* Descriptors: the table of open files, and every fd_* function but poll. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wasi/context.h"

/* ---- errors ---- */

static const struct {
    int host;
    uint32_t guest;
} errors[] = {
    {E2BIG, WASI_E2BIG},       {EACCES, WASI_EACCES},
    {EAGAIN, WASI_EAGAIN},     {EBADF, WASI_EBADF},
    {EBUSY, WASI_EBUSY},       {ECANCELED, WASI_ECANCELED},
    {EDQUOT, WASI_EDQUOT},     {EEXIST, WASI_EEXIST},
    {EFAULT, WASI_EFAULT},     {EFBIG, WASI_EFBIG},
    {EILSEQ, WASI_EILSEQ},     {EINTR, WASI_EINTR},
    {EINVAL, WASI_EINVAL},     {EIO, WASI_EIO},
    {EISDIR, WASI_EISDIR},     {ELOOP, WASI_ELOOP},
    {EMFILE, WASI_EMFILE},     {EMLINK, WASI_EMLINK},
    {ENFILE, WASI_ENFILE},     {ENODEV, WASI_ENODEV},
    {ENOENT, WASI_ENOENT},     {ENOMEM, WASI_ENOMEM},
    {ENOSPC, WASI_ENOSPC},     {ENOSYS, WASI_ENOSYS},
    {ENOTDIR, WASI_ENOTDIR},   {ENOTEMPTY, WASI_ENOTEMPTY},
    {ENOTSUP, WASI_ENOTSUP},   {ENOTTY, WASI_ENOTTY},
    {ENXIO, WASI_ENXIO},       {EOVERFLOW, WASI_EOVERFLOW},
    {EPERM, WASI_EPERM},       {EPIPE, WASI_EPIPE},
    {EROFS, WASI_EROFS},       {ESPIPE, WASI_ESPIPE},
    {ETXTBSY, WASI_ETXTBSY},   {ENAMETOOLONG, WASI_ENAMETOOLONG},
    {EXDEV, WASI_ENOTCAPABLE}, /* what openat2 says of a path that leaves its directory */
};

uint32_t wasi_errno_of(int host_errno)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].host == host_errno) return errors[i].guest;
    return WASI_EIO;
}

static uint32_t check(int result)
{
    return result < 0 ? wasi_errno_of(errno) : WASI_ESUCCESS;
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
    if (file->listing) closedir(file->listing);
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

/* ---- reading and writing ---- */

enum { MAX_PARTS = 1024 };

/* The guest's list of (address, size) pairs as the host's, every one checked. */
static uint32_t gather(wasm_instance *instance, uint32_t list, uint32_t count, struct iovec *parts)
{
    if (count > MAX_PARTS) return WASI_EINVAL;
    const uint8_t *p = wasm_memory_at(instance, list, (uint64_t)count * 8);
    if (!p) return WASI_EFAULT;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pair[2];
        memcpy(pair, p + (size_t)i * 8, 8);
        parts[i].iov_base = wasm_memory_at(instance, pair[0], pair[1]);
        parts[i].iov_len = pair[1];
        if (!parts[i].iov_base) return WASI_EFAULT;
        total += pair[1];
    }
    return total > INT32_MAX ? WASI_EINVAL : WASI_ESUCCESS; /* the count that comes back is a u32 */
}

static int64_t stream_transfer(const wasi_file *file, const struct iovec *parts, uint32_t count, bool reading)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = reading ? 0 : (int64_t)parts[i].iov_len;
        if (!parts[i].iov_len) continue;
        if (file->stream.kind == WASI_STREAM_CALLBACK)
            n = file->stream.transfer(file->stream.context, parts[i].iov_base, parts[i].iov_len);
        if (n < 0 || (uint64_t)n > parts[i].iov_len) return total ? total : -1;
        total += n;
        if ((uint64_t)n < parts[i].iov_len) break;
    }
    return total;
}

static uint32_t transfer(wasi_context *w, wasm_instance *instance, const wasm_value *v, bool reading, const int64_t *at)
{
    wasi_file *file;
    struct iovec parts[MAX_PARTS];
    const uint32_t count = v[2].u32, result = at ? v[4].u32 : v[3].u32;
    WASI_TRY(wasi_file_of(
        w, v[0].u32, (reading ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE) | (at ? (uint64_t)WASI_RIGHT_FD_SEEK : 0),
        &file));
    if (file->type == WASI_TYPE_DIRECTORY) return WASI_EISDIR;
    WASI_TRY(gather(instance, v[1].u32, count, parts));
    if (at && *at < 0) return WASI_EINVAL;
    int64_t n;
    if (file->fd < 0) {
        if (at) return WASI_ESPIPE;
        n = stream_transfer(file, parts, count, reading);
        if (n < 0) return WASI_EIO;
    } else {
        do {
            if (reading)
                n = at ? preadv(file->fd, parts, (int)count, *at) : readv(file->fd, parts, (int)count);
            else
                n = at ? pwritev(file->fd, parts, (int)count, *at) : writev(file->fd, parts, (int)count);
        } while (n < 0 && errno == EINTR && !wasm_store_interrupted(wasm_instance_store(instance)));
        if (n < 0) return wasi_errno_of(errno);
    }
    return wasi_put_u32(instance, result, (uint32_t)n);
}

uint32_t wasi_fd_read(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return transfer(w, instance, v, true, NULL);
}

uint32_t wasi_fd_write(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return transfer(w, instance, v, false, NULL);
}

uint32_t wasi_fd_pread(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return transfer(w, instance, v, true, &v[3].i64);
}

uint32_t wasi_fd_pwrite(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return transfer(w, instance, v, false, &v[3].i64);
}

uint32_t wasi_fd_seek(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    wasi_file *file;
    if (v[2].u32 > 2) return WASI_EINVAL;
    bool telling = v[2].u32 == 1 && v[1].i64 == 0;
    WASI_TRY(wasi_file_of(w, v[0].u32, 0, &file));
    if (file->type == WASI_TYPE_DIRECTORY) return WASI_EBADF;
    if (file->fd < 0 || !(file->rights & (WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL))) return WASI_ESPIPE;
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
    return check(fsync(file->fd));
}

uint32_t wasi_fd_datasync(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_DATASYNC, &file));
    return check(fdatasync(file->fd));
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
    int error = posix_fallocate(file->fd, v[1].i64, v[2].i64);
    return error ? wasi_errno_of(error) : WASI_ESUCCESS;
}

uint32_t wasi_fd_filestat_set_size(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    if (v[1].i64 < 0) return WASI_EINVAL;
    WASI_TRY(host_file(w, v[0].u32, WASI_RIGHT_FD_FILESTAT_SET_SIZE, &file));
    return check(ftruncate(file->fd, v[1].i64));
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
    return check(futimens(file->fd, times));
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

uint32_t wasi_fd_fdstat_set_flags(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)instance;
    wasi_file *file;
    const uint32_t flags = v[1].u32, settable = WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK;
    if (flags > 31) return WASI_EINVAL;
    WASI_TRY(wasi_file_of(w, v[0].u32, WASI_RIGHT_FD_FDSTAT_SET_FLAGS, &file));
    if ((flags ^ file->flags) & ~settable) return WASI_ENOTSUP; /* sync flags are fixed by open */
    if (file->owned) {
        int host = fcntl(file->fd, F_GETFL);
        if (host < 0) return wasi_errno_of(errno);
        host &= ~(O_APPEND | O_NONBLOCK);
        if (flags & WASI_FDFLAG_APPEND) host |= O_APPEND;
        if (flags & WASI_FDFLAG_NONBLOCK) host |= O_NONBLOCK;
        if (fcntl(file->fd, F_SETFL, host)) return wasi_errno_of(errno);
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

static uint8_t type_of_entry(const struct dirent *e)
{
    switch (e->d_type) {
    case DT_REG:
        return WASI_TYPE_REGULAR_FILE;
    case DT_DIR:
        return WASI_TYPE_DIRECTORY;
    case DT_LNK:
        return WASI_TYPE_SYMBOLIC_LINK;
    case DT_CHR:
        return WASI_TYPE_CHARACTER_DEVICE;
    case DT_BLK:
        return WASI_TYPE_BLOCK_DEVICE;
    case DT_SOCK:
        return WASI_TYPE_SOCKET_STREAM;
    default:
        return WASI_TYPE_UNKNOWN;
    }
}

static uint32_t open_listing(wasi_file *file, uint64_t cookie)
{
    if (!file->listing) {
        int fd = openat(file->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return wasi_errno_of(errno);
        file->listing = fdopendir(fd);
        if (!file->listing) {
            close(fd);
            return WASI_ENOMEM;
        }
    }
    if (cookie == 0)
        rewinddir(file->listing);
    else
        seekdir(file->listing, (long)cookie);
    return WASI_ESUCCESS;
}

/* Entries of 24 bytes and a name, packed; the last one may be cut off, which tells the guest that there are more. */
uint32_t wasi_fd_readdir(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    wasi_file *file;
    const uint32_t size = v[2].u32;
    WASI_TRY(wasi_file_of(w, v[0].u32, WASI_RIGHT_FD_READDIR, &file));
    if (file->type != WASI_TYPE_DIRECTORY) return WASI_ENOTDIR;
    uint8_t *out = wasm_memory_at(instance, v[1].u32, size);
    if (!out) return WASI_EFAULT;
    WASI_TRY(open_listing(file, v[3].u64));
    uint32_t used = 0;
    while (used < size) {
        errno = 0;
        const struct dirent *e = readdir(file->listing);
        if (!e && errno) return wasi_errno_of(errno);
        if (!e) break;
        uint8_t entry[24 + sizeof e->d_name];
        const uint64_t next = (uint64_t)telldir(file->listing), inode = e->d_ino;
        const uint32_t name = (uint32_t)strlen(e->d_name), type = type_of_entry(e);
        memcpy(entry, &next, 8);
        memcpy(entry + 8, &inode, 8);
        memcpy(entry + 16, &name, 4);
        memcpy(entry + 20, &type, 4);
        memcpy(entry + 24, e->d_name, name);
        uint32_t n = 24 + name < size - used ? 24 + name : size - used;
        memcpy(out + used, entry, n);
        used += n;
    }
    return wasi_put_u32(instance, v[4].u32, used);
}
