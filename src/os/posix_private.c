/* Files that others must not be able to change, or to read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

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
