/* Opening paths that a guest names, without ever leaving the directory that it was granted. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wasi/context.h"

/* ---- by walking: one component at a time, links read and resolved here ----
 *
 * A component is opened first, never through a link, and only if that fails it is read as a link: there is no moment
 * between a look and the use of what was seen, in which it could be exchanged. */

enum { MAX_DEPTH = 256, MAX_LINKS = 40 };

typedef struct walk {
    int stack[MAX_DEPTH]; /* directories on the way, so that ".." is where we came from; [0] is the caller's */
    int depth, links;
    char path[PATH_MAX]; /* what is left to do */
} walk;

typedef struct component {
    char name[NAME_MAX + 1];
    const char *rest; /* in walk.path, past the slashes */
    bool slash, last; /* slash: one follows, so it must be a directory */
} component;

static int next_component(walk *k, component *c)
{
    const char *at = k->path;
    while (*at == '/')
        at++;
    size_t size = strcspn(at, "/");
    if (size > NAME_MAX) return errno = ENAMETOOLONG, -1;
    memcpy(c->name, at, size);
    c->name[size] = 0;
    c->rest = at + size;
    c->slash = *c->rest == '/';
    while (*c->rest == '/')
        c->rest++;
    c->last = !*c->rest;
    return 0;
}

static void drop_component(walk *k, const component *c)
{
    memmove(k->path, c->rest, strlen(c->rest) + 1);
}

/* After an open failed: if the component is a link, its text takes its place in the path; else errno stays. */
static int splice_link(walk *k, const component *c)
{
    char text[PATH_MAX];
    int error = errno;
    ssize_t n = readlinkat(k->stack[k->depth], c->name, text, sizeof text - 1);
    if (n < 0) return errno = error, -1;
    size_t left = strlen(c->rest), slash = c->slash ? 1 : 0;
    if (++k->links > MAX_LINKS) return errno = ELOOP, -1;
    if (n == 0) return errno = ENOENT, -1;
    if (text[0] == '/') return errno = EXDEV, -1;
    if ((size_t)n + slash + left + 1 > sizeof k->path) return errno = ENAMETOOLONG, -1;
    memmove(k->path + (size_t)n + slash, c->rest, left + 1);
    if (slash) k->path[n] = '/';
    memcpy(k->path, text, (size_t)n);
    return 0;
}

/* Opens the last component: 1, or 0 when it was a link and there is more to do. `name` is "." after "..". */
static int open_last(walk *k, const component *c, const char *name, int flags, unsigned mode, int *result)
{
    const bool through = c->slash || !(flags & O_NOFOLLOW);
    struct stat info;
    if (c->slash && flags & O_CREAT) return errno = EISDIR, -1; /* as the kernel says */
    int fd = openat(k->stack[k->depth], name, flags | O_NOFOLLOW | (c->slash ? O_DIRECTORY : 0), mode);
    if (fd >= 0 && flags & O_PATH && through && fstat(fd, &info) == 0 && S_ISLNK(info.st_mode)) {
        close(fd);
        fd = -1, errno = ELOOP;
    }
    *result = fd;
    if (fd >= 0) return 1;
    return through && (errno == ELOOP || errno == ENOTDIR) ? splice_link(k, c) : -1;
}

/* One component: 0 when there is more to do, 1 when *result is the descriptor, -1 on failure. */
static int step(walk *k, int flags, unsigned mode, int *result)
{
    component c;
    if (next_component(k, &c)) return -1;
    const bool up = strcmp(c.name, "..") == 0, here = !*c.name || strcmp(c.name, ".") == 0;
    if (up && k->depth == 0) return errno = EXDEV, -1;
    if (up) close(k->stack[k->depth--]);
    if (c.last) return open_last(k, &c, up || here ? "." : c.name, flags, mode, result);
    if (!up && !here) {
        if (k->depth + 1 == MAX_DEPTH) return errno = ENAMETOOLONG, -1;
        int fd = openat(k->stack[k->depth], c.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) return errno == ELOOP || errno == ENOTDIR ? splice_link(k, &c) : -1;
        k->stack[++k->depth] = fd;
    }
    drop_component(k, &c);
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
        close(k.stack[k.depth--]);
    errno = error;
    return state == 1 ? result : -1;
}

/* ---- by the kernel ---- */

#ifndef SYS_openat2
#define SYS_openat2 437 /* the same on every CPU; a C library older than the kernel does not have it */
#endif
struct how { /* struct open_how of linux/openat2.h */
    uint64_t flags, mode, resolve;
};
enum { RESOLVE_MAGICLINKS_NOT = 0x02, RESOLVE_BENEATH_IT = 0x08, TRIES = 50 };

static int open_by_kernel(int directory, const char *path, int flags, unsigned mode)
{
    struct how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                      .mode = flags & O_CREAT ? mode : 0,
                      .resolve = RESOLVE_BENEATH_IT | RESOLVE_MAGICLINKS_NOT};
    for (int i = 0; i < TRIES; i++) {
        int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) return fd;
    }
    return -1; /* somebody renames all the time, and each time raced with a ".." */
}

static bool walk_only;

void wasi_sandbox_walk_only(bool walk)
{
    walk_only = walk;
}

int wasi_open_beneath(int directory, const char *path, int flags, unsigned mode)
{
    int fd = walk_only ? -1 : open_by_kernel(directory, path, flags, mode);
    /* an old kernel, a filter that does not know the call, or a race that it gave up on */
    if (walk_only || (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN)))
        return wasi_open_walking(directory, path, flags, mode);
    return fd;
}
