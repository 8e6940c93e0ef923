/* Opening paths that a guest names, without ever leaving the directory that it was granted. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wasi/context.h"

/* ---- by walking: one component at a time, links read and resolved here ---- */

enum { MAX_DEPTH = 64, MAX_LINKS = 40 };

typedef struct walk {
    int stack[MAX_DEPTH]; /* directories on the way; [0] is the caller's */
    int depth, links;
    char path[PATH_MAX]; /* what is left to do */
} walk;

static void leave(walk *k)
{
    if (k->depth > 0) close(k->stack[k->depth--]);
}

/* Puts a link's text before what is left of the path. */
static int splice_link(walk *k, const char *name, const char *rest)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(k->stack[k->depth], name, text, sizeof text - 1);
    if (n < 0) return -1;
    text[n] = 0;
    size_t left = strlen(rest);
    if (++k->links > MAX_LINKS) return errno = ELOOP, -1;
    if (text[0] == '/') return errno = EXDEV, -1;
    if ((size_t)n + 1 + left + 1 > sizeof k->path) return errno = ENAMETOOLONG, -1;
    memmove(k->path + n + (left ? 1 : 0), rest, left + 1);
    if (left) k->path[n] = '/';
    memcpy(k->path, text, (size_t)n);
    return 0;
}

/* One component: 0 when there is more to do, 1 when *result is the descriptor, -1 on failure. */
static int step(walk *k, int flags, unsigned mode, int *result)
{
    char name[NAME_MAX + 1];
    char *at = k->path;
    while (*at == '/')
        at++;
    size_t size = strcspn(at, "/");
    if (size > NAME_MAX) return errno = ENAMETOOLONG, -1;
    memcpy(name, at, size);
    name[size] = 0;
    const char *rest = at + size;
    bool slash = *rest == '/';
    while (*rest == '/')
        rest++;
    bool last = !*rest, up = strcmp(name, "..") == 0, here = !*name || strcmp(name, ".") == 0;
    if (up && k->depth == 0) return errno = EXDEV, -1;
    if (up) leave(k);
    struct stat info;
    int there = up || here ? -1 : fstatat(k->stack[k->depth], name, &info, AT_SYMLINK_NOFOLLOW);
    if (there == 0 && S_ISLNK(info.st_mode) && (!last || slash || !(flags & O_NOFOLLOW)) &&
        !(last && flags & O_EXCL && flags & O_CREAT))
        return splice_link(k, name, rest);
    if (last) {
        int how = flags | O_NOFOLLOW | (slash ? O_DIRECTORY : 0);
        *result = openat(k->stack[k->depth], up || here ? "." : name, up || here ? how & ~O_NOFOLLOW : how, mode);
        return *result < 0 ? -1 : 1;
    }
    if (!up && !here) {
        if (k->depth + 1 == MAX_DEPTH) return errno = ELOOP, -1;
        int fd = openat(k->stack[k->depth], name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) return -1;
        k->stack[++k->depth] = fd;
    }
    memmove(k->path, rest, strlen(rest) + 1);
    return 0;
}

int wasi_open_walking(int directory, const char *path, int flags, unsigned mode)
{
    walk k = {.stack = {directory}};
    int result = -1, state = 0;
    if (!*path) return errno = ENOENT, -1;
    if (*path == '/') return errno = EXDEV, -1;
    if (strlen(path) >= sizeof k.path) return errno = ENAMETOOLONG, -1;
    memcpy(k.path, path, strlen(path) + 1);
    while (state == 0)
        state = step(&k, flags | O_CLOEXEC, mode, &result);
    int error = errno;
    while (k.depth)
        leave(&k);
    errno = error;
    return state == 1 ? result : -1;
}

/* ---- by the kernel ---- */

#ifdef SYS_openat2
struct how { /* struct open_how of linux/openat2.h */
    uint64_t flags, mode, resolve;
};
enum { RESOLVE_MAGICLINKS_NOT = 0x02, RESOLVE_BENEATH_IT = 0x08 };

static int open_by_kernel(int directory, const char *path, int flags, unsigned mode)
{
    struct how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                      .mode = flags & O_CREAT ? mode : 0,
                      .resolve = RESOLVE_BENEATH_IT | RESOLVE_MAGICLINKS_NOT};
    int fd;
    do
        fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* a rename raced with ".." */
    return fd;
}
#else
static int open_by_kernel(int directory, const char *path, int flags, unsigned mode)
{
    (void)directory, (void)path, (void)flags, (void)mode;
    return errno = ENOSYS, -1;
}
#endif

int wasi_open_beneath(int directory, const char *path, int flags, unsigned mode)
{
    int fd = open_by_kernel(directory, path, flags, mode);
    /* an old kernel, or a filter that does not know the call */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return wasi_open_walking(directory, path, flags, mode);
    return fd;
}
