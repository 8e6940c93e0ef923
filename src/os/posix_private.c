/* Files that others must not be able to change, or to read; and caches of such files. */
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
#include "os/os.h"

enum { TEMPORARY_SECONDS = 3600 };

static wisp_status io_error(const char *path, wisp_report *report)
{
    return base_fail(report, errno == ENOENT ? WISP_E_NOT_FOUND : WISP_E_IO, "%s: %s", path, strerror(errno));
}

/* Only this user and root may change it? In a sticky folder (as /tmp) others cannot rename what is not theirs. */
static wisp_status check_stat(const char *path, const struct stat *st, wisp_report *report)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return base_fail(report, WISP_E_UNTRUSTED, "%s: belongs to another user", path);
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky)
        return base_fail(report, WISP_E_UNTRUSTED, "%s: others may write there (chmod go-w)", path);
    return WISP_OK;
}

char *os_real_path(const char *path, wisp_report *report)
{
    char *resolved = realpath(path, NULL); /* the C library's own memory */
    if (!resolved) {
        (void)!io_error(path, report);
        return NULL;
    }
    size_t n = strlen(resolved) + 1;
    char *copy = base_alloc(n);
    if (copy)
        memcpy(copy, resolved, n);
    else
        (void)!base_fail(report, WISP_E_MEMORY, "%s: out of memory", path);
    free(resolved);
    return copy;
}

wisp_status os_check_private(const char *path, wisp_report *report)
{
    char *at = os_real_path(path, report);
    if (!at) return report ? report->status : WISP_E_IO;
    wisp_status status = WISP_OK;
    for (size_t n = strlen(at); status == WISP_OK; n = strlen(at)) {
        struct stat st;
        status = stat(at, &st) != 0 ? io_error(at, report) : check_stat(at, &st, report);
        if (n == 1) break;
        char *slash = strrchr(at, '/');
        slash[slash == at] = 0; /* "/" stays */
    }
    base_free(at);
    return status;
}

static wisp_status read_open(int fd, const char *path, bool secret, void *out, size_t capacity, size_t *size,
                             wisp_report *report)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return io_error(path, report);
    if (!S_ISREG(st.st_mode)) return base_fail(report, WISP_E_IO, "%s: not a regular file", path);
    if (secret && (st.st_mode & 077))
        return base_fail(report, WISP_E_UNTRUSTED, "%s: a secret that others may read (chmod 600)", path);
    if (!secret) BASE_TRY(check_stat(path, &st, report));
    *size = 0;
    while (*size < capacity) {
        ssize_t n = read(fd, (char *)out + *size, capacity - *size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(path, report);
        if (n == 0) return WISP_OK;
        *size += (size_t)n;
    }
    char more;
    if (read(fd, &more, 1) > 0) return base_fail(report, WISP_E_LIMIT, "%s: more than %zu bytes", path, capacity);
    return WISP_OK;
}

wisp_status os_read_private(const char *path, bool secret, void *out, size_t capacity, size_t *size,
                            wisp_report *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return io_error(path, report);
    wisp_status status = read_open(fd, path, secret, out, capacity, size, report);
    close(fd);
    return status;
}

wisp_status os_create_file(const char *path, unsigned mode, const void *data, size_t size, wisp_report *report)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return base_fail(report, WISP_E_IO, "%s: cannot create: %s", path,
                         errno == EEXIST ? "it exists, and is left as it is" : strerror(errno));
    wisp_status status = WISP_OK;
    for (const char *p = data; size && status == WISP_OK;) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            status = base_fail(report, WISP_E_IO, "%s: cannot write: %s", path, strerror(errno));
        else
            p += n, size -= (size_t)n;
    }
    if (status == WISP_OK && fsync(fd) != 0)
        status = base_fail(report, WISP_E_IO, "%s: cannot write: %s", path, strerror(errno));
    close(fd);
    if (status) unlink(path);
    return status;
}

wisp_status os_list_folder(const char *path, bool (*each)(void *context, const char *name), void *context,
                           wisp_report *report)
{
    DIR *folder = opendir(path);
    if (!folder) return io_error(path, report);
    wisp_status status = WISP_OK;
    for (bool more = true; more;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry && errno) status = io_error(path, report);
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        more = each(context, entry->d_name);
    }
    closedir(folder);
    return status;
}

wisp_status os_remove_file(const char *path, wisp_report *report)
{
    return unlink(path) == 0 ? WISP_OK : io_error(path, report);
}

bool os_file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- caches ---- */

void os_touch(const char *path)
{
    if (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) != 0) return; /* only its place in the queue suffers */
}

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

static void remember(int folder, const char *name, found_file **files, size_t *count, size_t *capacity)
{
    struct stat st;
    if (strlen(name) >= sizeof(*files)->name) return;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return;
    if (strstr(name, OS_TEMPORARY)) {
        if (time(NULL) - st.st_mtim.tv_sec > TEMPORARY_SECONDS) unlinkat(folder, name, 0);
        return;
    }
    if (name[0] == '.' || !BASE_GROW(*files, *capacity, *count + 1)) return;
    found_file *f = &(*files)[(*count)++];
    memcpy(f->name, name, strlen(name) + 1);
    f->size = (uint64_t)st.st_size;
    f->used = st.st_mtim.tv_sec;
}

os_usage os_sweep_folder(const char *path, uint64_t limit)
{
    os_usage usage = {0};
    found_file *files = NULL;
    size_t count = 0, capacity = 0;
    DIR *list = opendir(path);
    if (!list) return usage;
    for (struct dirent *e; (e = readdir(list));)
        remember(dirfd(list), e->d_name, &files, &count, &capacity);
    for (size_t i = 0; i < count; i++)
        usage.bytes += files[i].size;
    usage.files = count;
    if (usage.bytes > limit) qsort(files, count, sizeof *files, older_first);
    for (size_t i = 0; i < count && usage.bytes > limit; i++) {
        unlinkat(dirfd(list), files[i].name, 0);
        usage.bytes -= files[i].size;
        usage.files--;
    }
    closedir(list);
    base_free(files);
    return usage;
}
