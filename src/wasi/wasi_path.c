/* The path_* functions. Each names a file by a directory that was granted and a path in it. What acts on a name (and
 * not on what it leads to) opens the parent directory inside the sandbox and passes the last component to the *at call.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/context.h"

/* A path out of guest memory as a C string. */
static uint32_t get_path(wasm_instance *instance, uint32_t address, uint32_t size, char out[PATH_MAX])
{
    const char *p = wasm_memory_at(instance, address, size);
    if (!p) return WASI_EFAULT;
    if (size >= PATH_MAX) return WASI_ENAMETOOLONG;
    if (memchr(p, 0, size)) return WASI_EINVAL;
    if (!base_utf8_valid(p, size)) return WASI_EILSEQ;
    memcpy(out, p, size);
    out[size] = 0;
    return size ? WASI_ESUCCESS : WASI_ENOENT;
}

static uint32_t get_directory(wasi_context *w, uint32_t fd, uint64_t rights, wasi_file **out)
{
    WASI_TRY(wasi_file_of(w, fd, 0, out));
    if ((*out)->type != WASI_TYPE_DIRECTORY) return WASI_ENOTDIR;
    return wasi_file_of(w, fd, rights, out);
}

typedef struct place {
    char path[PATH_MAX];
    char *name; /* last component, without the slashes after it: with them the kernel would follow a link */
    bool slash; /* there were some: it must be a directory */
    int parent;
} place;

/* The parent directory of a path, opened, and the last component's name. */
static uint32_t find_place(wasi_context *w, wasm_instance *instance, uint32_t fd, uint64_t rights, uint32_t address,
                           uint32_t size, place *out)
{
    wasi_file *directory;
    WASI_TRY(get_directory(w, fd, rights, &directory));
    WASI_TRY(get_path(instance, address, size, out->path));
    if (out->path[0] == '/') return WASI_ENOTCAPABLE;
    size_t end = strlen(out->path);
    out->slash = out->path[end - 1] == '/';
    while (out->path[end - 1] == '/')
        out->path[--end] = 0;
    size_t start = end;
    while (start > 0 && out->path[start - 1] != '/')
        start--;
    out->name = out->path + start;
    if (strcmp(out->name, "..") == 0) { /* a directory's name seen from inside */
        out->parent = wasi_open_beneath(directory->fd, out->path, O_PATH | O_DIRECTORY, 0);
        out->name[1] = 0;
        return wasi_check_open(out->parent);
    }
    char saved = out->path[start];
    out->path[start] = 0;
    out->parent = wasi_open_beneath(directory->fd, start ? out->path : ".", O_PATH | O_DIRECTORY, 0);
    out->path[start] = saved;
    return wasi_check_open(out->parent);
}

static uint32_t leave_place(place *p, uint32_t error)
{
    close(p->parent);
    return error;
}

/* For what may be a file: "name/" is one only if it is a directory. */
static uint32_t check_slash(const place *p)
{
    struct stat info;
    if (!p->slash) return WASI_ESUCCESS;
    if (fstatat(p->parent, p->name, &info, AT_SYMLINK_NOFOLLOW)) return wasi_errno_of(errno);
    return S_ISDIR(info.st_mode) ? WASI_ESUCCESS : WASI_ENOTDIR;
}

uint32_t wasi_path_create_directory(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    place p;
    WASI_TRY(find_place(w, instance, v[0].u32, WASI_RIGHT_PATH_CREATE_DIRECTORY, v[1].u32, v[2].u32, &p));
    return leave_place(&p, wasi_check(mkdirat(p.parent, p.name, 0777)));
}

uint32_t wasi_path_remove_directory(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    place p;
    WASI_TRY(find_place(w, instance, v[0].u32, WASI_RIGHT_PATH_REMOVE_DIRECTORY, v[1].u32, v[2].u32, &p));
    return leave_place(&p, wasi_check(unlinkat(p.parent, p.name, AT_REMOVEDIR)));
}

uint32_t wasi_path_unlink_file(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    place p;
    WASI_TRY(find_place(w, instance, v[0].u32, WASI_RIGHT_PATH_UNLINK_FILE, v[1].u32, v[2].u32, &p));
    uint32_t error = check_slash(&p);
    return leave_place(&p, error ? error : wasi_check(unlinkat(p.parent, p.name, 0)));
}

uint32_t wasi_path_rename(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    place from, to;
    WASI_TRY(find_place(w, instance, v[0].u32, WASI_RIGHT_PATH_RENAME_SOURCE, v[1].u32, v[2].u32, &from));
    uint32_t error = find_place(w, instance, v[3].u32, WASI_RIGHT_PATH_RENAME_TARGET, v[4].u32, v[5].u32, &to);
    if (error) return leave_place(&from, error);
    from.slash |= to.slash;
    error = check_slash(&from);
    if (!error) error = wasi_check(renameat(from.parent, from.name, to.parent, to.name));
    return leave_place(&from, leave_place(&to, error));
}

uint32_t wasi_path_symlink(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    char target[PATH_MAX];
    place p;
    WASI_TRY(get_path(instance, v[0].u32, v[1].u32, target));
    WASI_TRY(find_place(w, instance, v[2].u32, WASI_RIGHT_PATH_SYMLINK, v[3].u32, v[4].u32, &p));
    /* such a link could not be followed in here, but a program outside might do so */
    if (target[0] == '/') return leave_place(&p, WASI_ENOTCAPABLE);
    if (p.slash) { /* no link has such a name, and what may be there is in the way */
        uint32_t error = check_slash(&p);
        return leave_place(&p, error ? error : WASI_EEXIST);
    }
    return leave_place(&p, wasi_check(symlinkat(target, p.parent, p.name)));
}

uint32_t wasi_path_readlink(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    char text[PATH_MAX];
    place p;
    WASI_TRY(find_place(w, instance, v[0].u32, WASI_RIGHT_PATH_READLINK, v[1].u32, v[2].u32, &p));
    ssize_t n = readlinkat(p.parent, p.name, text, sizeof text);
    uint32_t error = check_slash(&p);
    WASI_TRY(leave_place(&p, error ? error : wasi_check((int)n)));
    uint32_t size = (uint32_t)n < v[4].u32 ? (uint32_t)n : v[4].u32;
    WASI_TRY(wasi_put(instance, v[3].u32, text, size));
    return wasi_put_u32(instance, v[5].u32, size);
}

enum { FOLLOW = 1 };

uint32_t wasi_path_link(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    place from, to;
    if (v[1].u32 & FOLLOW) return WASI_EINVAL; /* as the reference implementation has it */
    WASI_TRY(find_place(w, instance, v[0].u32, WASI_RIGHT_PATH_LINK_SOURCE, v[2].u32, v[3].u32, &from));
    uint32_t error = find_place(w, instance, v[4].u32, WASI_RIGHT_PATH_LINK_TARGET, v[5].u32, v[6].u32, &to);
    if (error) return leave_place(&from, error);
    error = to.slash ? WASI_ENOENT : check_slash(&from);
    if (!error) error = wasi_check(linkat(from.parent, from.name, to.parent, to.name, 0));
    return leave_place(&from, leave_place(&to, error));
}

/* What the path leads to (or with no FOLLOW the link itself), as an O_PATH descriptor. */
static uint32_t open_node(wasi_context *w, wasm_instance *instance, const wasm_value *v, uint64_t rights, int *out)
{
    wasi_file *directory;
    char path[PATH_MAX];
    WASI_TRY(get_directory(w, v[0].u32, rights, &directory));
    WASI_TRY(get_path(instance, v[2].u32, v[3].u32, path));
    if (path[0] == '/') return WASI_ENOTCAPABLE;
    *out = wasi_open_beneath(directory->fd, path, O_PATH | (v[1].u32 & FOLLOW ? 0 : O_NOFOLLOW), 0);
    return wasi_check_open(*out);
}

uint32_t wasi_path_filestat_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    int fd;
    struct stat info;
    WASI_TRY(open_node(w, instance, v, WASI_RIGHT_PATH_FILESTAT_GET, &fd));
    uint32_t error = wasi_check(fstat(fd, &info));
    close(fd);
    WASI_TRY(error);
    return wasi_put_stat(instance, v[4].u32, &info);
}

uint32_t wasi_path_filestat_set_times(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    int fd;
    struct timespec times[2];
    WASI_TRY(wasi_times(v[4].u64, v[5].u64, v[6].u32, times));
    WASI_TRY(open_node(w, instance, v, WASI_RIGHT_PATH_FILESTAT_SET_TIMES, &fd));
    int result = utimensat(fd, "", times, AT_EMPTY_PATH);
    if (result < 0 && errno == EINVAL) { /* a kernel before 5.8 */
        char name[40];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        result = utimensat(AT_FDCWD, name, times, 0);
    }
    uint32_t error = wasi_check(result);
    close(fd);
    return error;
}

/* ---- path_open ---- */

enum { CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 };

static int host_flags(uint32_t lookup, uint32_t how, uint32_t flags, uint64_t rights)
{
    bool writing = rights & WASI_WRITING, reading = rights & (WASI_RIGHT_FD_READ | WASI_RIGHT_FD_READDIR);
    int host = writing ? (reading ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (!(lookup & FOLLOW)) host |= O_NOFOLLOW;
    if (how & CREATE) host |= O_CREAT;
    if (how & DIRECTORY) host |= O_DIRECTORY;
    if (how & EXCLUSIVE) host |= O_EXCL;
    if (how & TRUNCATE) host |= O_TRUNC;
    if (flags & WASI_FDFLAG_APPEND) host |= O_APPEND;
    if (flags & WASI_FDFLAG_DSYNC) host |= O_DSYNC;
    if (flags & (WASI_FDFLAG_SYNC | WASI_FDFLAG_RSYNC)) host |= O_SYNC;
    return host | O_NOCTTY | O_NONBLOCK; /* a pipe's other end is not waited for here: wasi_wait does, when read */
}

/* What the new descriptor may do: what was asked for, as far as it applies to such a file. */
static void describe(wasi_file *file, const wasi_file *directory, int fd, uint32_t flags, uint64_t rights,
                     uint64_t inheriting)
{
    file->fd = fd;
    file->owned = true;
    file->read_only = directory->read_only;
    file->flags = flags;
    file->type = wasi_type_of(fd);
    file->rights = rights & (file->type == WASI_TYPE_DIRECTORY ? (uint64_t)WASI_DIRECTORY_RIGHTS : WASI_FILE_RIGHTS);
    file->inheriting = file->type == WASI_TYPE_DIRECTORY ? inheriting : 0;
    if (file->type == WASI_TYPE_CHARACTER_DEVICE) file->rights &= ~(uint64_t)(WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL);
}

static uint32_t open_checked(wasi_context *w, wasm_instance *instance, const wasm_value *v, uint64_t rights,
                             uint64_t inheriting)
{
    const uint32_t lookup = v[1].u32, how = v[4].u32, flags = v[7].u32;
    char path[PATH_MAX];
    uint32_t number;
    wasi_file *file;
    WASI_TRY(get_path(instance, v[2].u32, v[3].u32, path));
    if (path[0] == '/') return WASI_ENOTCAPABLE;
    if (!wasm_memory_at(instance, v[8].u32, 4)) return WASI_EFAULT;
    WASI_TRY(wasi_file_new(w, &number, &file)); /* first: nothing is created that then cannot be opened */
    const wasi_file *directory = &w->files[v[0].u32];
    int fd = wasi_open_beneath(directory->fd, path, host_flags(lookup, how, flags, rights), 0666);
    uint32_t error = wasi_check_open(fd);
    if (error) {
        wasi_file_close(file);
        return error;
    }
    describe(file, directory, fd, flags, rights, inheriting);
    return wasi_put_u32(instance, v[8].u32, number);
}

uint32_t wasi_path_open(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    const uint32_t how = v[4].u32, flags = v[7].u32;
    uint64_t rights = v[5].u64, inheriting = v[6].u64, needed = WASI_RIGHT_PATH_OPEN;
    wasi_file *directory;
    if (v[1].u32 > FOLLOW || how > 15 || flags > 31 || (how & CREATE && how & DIRECTORY)) return WASI_EINVAL;
    if (how & CREATE) needed |= WASI_RIGHT_PATH_CREATE_FILE;
    if (how & TRUNCATE) needed |= WASI_RIGHT_PATH_FILESTAT_SET_SIZE;
    WASI_TRY(get_directory(w, v[0].u32, needed, &directory));
    /* Programs that only read ask for everything but writing (Rust's standard library does): in a read-only directory
     * what else changes something is dropped, not refused. */
    if (directory->read_only) rights &= ~(WASI_CHANGING & ~(uint64_t)WASI_WRITING);
    if (directory->read_only) inheriting &= ~(uint64_t)WASI_CHANGING;
    if (((rights | inheriting) & ~directory->inheriting) != 0) return WASI_ENOTCAPABLE;
    return open_checked(w, instance, v, rights, inheriting);
}
