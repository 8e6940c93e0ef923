/* Private folders. Every name is looked up relative to the open folder, so that what was checked is what is used. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/own_folder.h"

#define TEMPORARY ".part-" /* and process id, random digits */
enum { TEMPORARY_SECONDS = 3600 };

wisp_status os_private_open(os_private *dir, const char *path, wisp_report *report)
{
    struct stat st;
    BASE_TRY(os_make_directories(path, report));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        wisp_status status = base_fail(report, WISP_E_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return status;
    }
    const char *why = st.st_uid != geteuid() ? "it belongs to someone else"
                      : st.st_mode & 022     ? "others may write to it"
                                             : NULL;
    if (why) {
        close(fd);
        return base_fail(report, WISP_E_IO, "%s: not used: %s", path, why);
    }
    dir->fd = fd;
    return WISP_OK;
}

void os_private_close(os_private *dir)
{
    if (dir->fd >= 0) close(dir->fd);
    dir->fd = -1;
}

static wisp_status read_all(int fd, const char *name, uint64_t size, base_buffer *out, wisp_report *report)
{
    if (size > SIZE_MAX - out->size || !BASE_GROW(out->data, out->capacity, out->size + (size_t)size))
        return base_fail(report, WISP_E_MEMORY, "%s: out of memory", name);
    os_populate(out->data + out->size, (size_t)size);
    while (size) {
        ssize_t n = read(fd, out->data + out->size, (size_t)size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        out->size += (size_t)n;
        size -= (uint64_t)n;
    }
    return size ? base_fail(report, WISP_E_IO, "%s: cannot read", name) : WISP_OK;
}

wisp_status os_private_read(const os_private *dir, const char *name, bool secret, uint64_t limit, base_buffer *out,
                            wisp_report *report)
{
    struct stat st;
    int fd = openat(dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return base_fail(report, errno == ENOENT ? WISP_E_NOT_FOUND : WISP_E_IO, "%s: %s", name, strerror(errno));
    wisp_status status;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (secret ? 077 : 022))
        status = base_fail(report, WISP_E_IO, "%s: not used: not a file of this user alone", name);
    else if ((uint64_t)st.st_size > limit)
        status = base_fail(report, WISP_E_IO, "%s: not used: too large", name);
    else
        status = read_all(fd, name, (uint64_t)st.st_size, out, report);
    close(fd);
    return status;
}

static bool write_all(int fd, base_span s)
{
    while (s.size) {
        ssize_t n = write(fd, s.data, s.size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        s.data += n;
        s.size -= (size_t)n;
    }
    return true;
}

/* A complete file under a temporary name. */
static wisp_status write_temporary(const os_private *dir, char out[64], base_span head, base_span body,
                                   wisp_report *report)
{
    uint32_t random[2] = {0};
    os_random(random, sizeof random);
    snprintf(out, 64, TEMPORARY "%ld-%08x%08x", (long)getpid(), (unsigned)random[0], (unsigned)random[1]);
    int fd = openat(dir->fd, out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, head) && write_all(fd, body) && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0) ok = false;
    if (ok) return WISP_OK;
    if (fd >= 0) unlinkat(dir->fd, out, 0);
    return base_fail(report, WISP_E_IO, "cannot write: %s", strerror(error));
}

wisp_status os_private_write(const os_private *dir, const char *name, base_span head, base_span body,
                             wisp_report *report)
{
    char temporary[64];
    BASE_TRY(write_temporary(dir, temporary, head, body, report));
    if (renameat(dir->fd, temporary, dir->fd, name) == 0) return WISP_OK;
    wisp_status status = base_fail(report, WISP_E_IO, "%s: cannot rename: %s", name, strerror(errno));
    unlinkat(dir->fd, temporary, 0);
    return status;
}

wisp_status os_private_create(const os_private *dir, const char *name, base_span bytes, wisp_report *report)
{
    char temporary[64];
    if (faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return WISP_OK;
    BASE_TRY(write_temporary(dir, temporary, bytes, (base_span){NULL, 0}, report));
    wisp_status status = WISP_OK;
    if (linkat(dir->fd, temporary, dir->fd, name, 0) != 0 && errno != EEXIST)
        status = base_fail(report, WISP_E_IO, "%s: cannot create: %s", name, strerror(errno));
    unlinkat(dir->fd, temporary, 0);
    return status;
}

void os_private_touch(const os_private *dir, const char *name)
{
    if (utimensat(dir->fd, name, NULL, AT_SYMLINK_NOFOLLOW) != 0) return; /* only its place in the queue suffers */
}

void os_private_remove(const os_private *dir, const char *name)
{
    unlinkat(dir->fd, name, 0);
}

/* ---- sweeping ---- */

typedef struct found_file {
    char name[256];
    uint64_t size;
    int64_t used; /* seconds */
} found_file;

static int older_first(const void *a, const void *b)
{
    const found_file *x = a, *y = b;
    return x->used < y->used ? -1 : x->used > y->used;
}

static void remember(const os_private *dir, const char *name, found_file **files, size_t *count, size_t *capacity)
{
    struct stat st;
    if (strlen(name) >= sizeof(*files)->name) return;
    if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return;
    if (strncmp(name, TEMPORARY, sizeof TEMPORARY - 1) == 0) {
        if (time(NULL) - st.st_mtim.tv_sec > TEMPORARY_SECONDS) unlinkat(dir->fd, name, 0);
        return;
    }
    if (name[0] == '.' || !BASE_GROW(*files, *capacity, *count + 1)) return;
    found_file *f = &(*files)[(*count)++];
    memcpy(f->name, name, strlen(name) + 1);
    f->size = (uint64_t)st.st_size;
    f->used = st.st_mtim.tv_sec;
}

os_private_usage os_private_sweep(const os_private *dir, uint64_t limit)
{
    os_private_usage usage = {0};
    found_file *files = NULL;
    size_t count = 0, capacity = 0;
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir would close ours */
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (!list) {
        if (fd >= 0) close(fd);
        return usage;
    }
    for (struct dirent *e; (e = readdir(list));)
        remember(dir, e->d_name, &files, &count, &capacity);
    closedir(list);
    for (size_t i = 0; i < count; i++)
        usage.bytes += files[i].size;
    usage.files = count;
    if (usage.bytes > limit) qsort(files, count, sizeof *files, older_first);
    for (size_t i = 0; i < count && usage.bytes > limit; i++) {
        unlinkat(dir->fd, files[i].name, 0);
        usage.bytes -= files[i].size;
        usage.files--;
    }
    base_free(files);
    return usage;
}
