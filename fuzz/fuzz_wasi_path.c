/* Must reach: wasi_path_open, wasi_open_beneath, wasi_open_walking (splice_link, open_last), find_place, check_slash
 * and every other wasi_path_* function, wasi_fd_readdir, wasi_fd_write, wasi_fd_renumber.
 *
 * The input is lines: a letter (what to do), a byte of flags, a path, and where two are needed a tab and another. They
 * are done in a fresh tree with links that lead outside. Nothing outside is ever opened, made, read or changed; where
 * nothing is changed, walking finds what openat2 finds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOT = 3, PATH1 = 0x1000, PATH2 = 0x4000, BUFFER = 0x8000, RESULT = 0x100, MOST_STEPS = 40, OUTSIDE = 4 };

static char base[200], root[220];
static int root_fd = -1, base_fd = -1;
static struct stat before[OUTSIDE];
static wasm_instance *instance; /* one for all: only its memory is used, and nothing in it from the run before */

static void require(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "broken: %s (errno %d)\n", what, errno);
    abort();
}

/* ---- the tree ---- */

static void empty(int directory) /* takes the descriptor */
{
    DIR *listing = fdopendir(directory);
    require(listing, "fdopendir");
    for (const struct dirent *e; (e = readdir(listing));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(directory, e->d_name, 0) == 0) continue;
        empty(openat(directory, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        require(unlinkat(directory, e->d_name, AT_REMOVEDIR) == 0, "rmdir");
    }
    closedir(listing);
}

static void put_file(int directory, const char *name, const char *text)
{
    int fd = openat(directory, name, O_CREAT | O_WRONLY, 0600);
    require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), name);
    close(fd);
}

enum { ENTRIES = 13 };
/* What the tree is made of: a directory (no text), a file (its content) or a link (its target; "/": an absolute one to
 * the outside). By inode it is known whether an entry is still the one that was made. */
static struct entry {
    const char *path, *text;
    char type;
    ino_t inode;
} entries[ENTRIES] = {
    {"d", NULL, DT_DIR, 0},           {"d/e", NULL, DT_DIR, 0},         {"d/f", "inside", DT_REG, 0},
    {"rel", "../outside", DT_LNK, 0}, {"relf", "../secret", DT_LNK, 0}, {"chain", "d/up/rel", DT_LNK, 0},
    {"d/up", "..", DT_LNK, 0},        {"self", ".", DT_LNK, 0},         {"loop", "loop", DT_LNK, 0},
    {"dang", "new", DT_LNK, 0},       {"back", "../root/d", DT_LNK, 0}, {"deep", "d/e/../f", DT_LNK, 0},
    {"abs", "/", DT_LNK, 0},
};
static bool changed = true; /* since the tree was made */

/* Whether the entry of the directory (a prefix of paths, "" or ending in '/') is one of ours. */
static struct entry *kept(const char *directory, const struct dirent *e)
{
    const size_t size = strlen(directory);
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].inode == e->d_ino && entries[i].type == e->d_type && entries[i].type != DT_REG &&
            strncmp(entries[i].path, directory, size) == 0 && strcmp(entries[i].path + size, e->d_name) == 0)
            return &entries[i];
    return NULL;
}

/* Removes from a directory of ours what is not: all files, too, since their content may be another. */
static void weed(const char *directory, bool found[ENTRIES])
{
    char path[20];
    int fd = openat(root_fd, *directory ? directory : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *listing = fdopendir(fd);
    require(listing, "fdopendir");
    for (const struct dirent *e; (e = readdir(listing));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        const struct entry *ours = kept(directory, e);
        if (ours) {
            found[ours - entries] = true;
            if (ours->type != DT_DIR) continue;
            snprintf(path, sizeof path, "%s/", ours->path);
            weed(path, found);
        } else if (e->d_type != DT_DIR) {
            require(unlinkat(fd, e->d_name, 0) == 0, "unlink");
        } else {
            empty(openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            require(unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0, "rmdir");
        }
    }
    closedir(listing);
}

static void make_tree(void)
{
    char target[PATH_MAX];
    bool found[ENTRIES] = {0};
    struct stat s;
    if (!changed) return;
    changed = false;
    weed("", found);
    snprintf(target, sizeof target, "%s/outside", base);
    for (int i = 0; i < ENTRIES; i++) {
        struct entry *e = &entries[i];
        if (found[i]) continue;
        if (e->type == DT_DIR) require(mkdirat(root_fd, e->path, 0700) == 0, "mkdir");
        if (e->type == DT_REG) put_file(root_fd, e->path, e->text);
        if (e->type == DT_LNK) require(symlinkat(*e->text == '/' ? target : e->text, root_fd, e->path) == 0, "symlink");
        if (e->type == DT_REG) continue;
        require(fstatat(root_fd, e->path, &s, AT_SYMLINK_NOFOLLOW) == 0, "stat");
        e->inode = s.st_ino;
    }
}

static void outside(struct stat out[OUTSIDE])
{
    static const char *const names[OUTSIDE] = {".", "secret", "outside", "outside/secret"};
    for (int i = 0; i < OUTSIDE; i++)
        require(fstatat(base_fd, names[i], &out[i], AT_SYMLINK_NOFOLLOW) == 0, "something outside is gone");
}

static void check_outside(void)
{
    struct stat now[OUTSIDE];
    outside(now);
    for (int i = 0; i < OUTSIDE; i++)
        require(now[i].st_ino == before[i].st_ino && now[i].st_nlink == before[i].st_nlink &&
                    now[i].st_size == before[i].st_size && now[i].st_mode == before[i].st_mode &&
                    memcmp(&now[i].st_mtim, &before[i].st_mtim, sizeof now[i].st_mtim) == 0 &&
                    memcmp(&now[i].st_ctim, &before[i].st_ctim, sizeof now[i].st_ctim) == 0,
                "something outside has changed");
}

static void clean_up(void)
{
    empty(base_fd);
    rmdir(base);
}

static void set_up(void)
{
    static const uint8_t bytes[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 3, 1, 0, 1}; /* a memory of one page */
    const char *folder = getenv("TMPDIR");
    if (!folder) folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(base, sizeof base, "%s/fuzz-wasi-XXXXXX", folder);
    require(mkdtemp(base), "mkdtemp");
    snprintf(root, sizeof root, "%s/root", base);
    base_fd = open(base, O_RDONLY | O_DIRECTORY);
    require(mkdirat(base_fd, "root", 0700) == 0 && mkdirat(base_fd, "outside", 0700) == 0, "mkdir");
    put_file(base_fd, "secret", "a secret");
    put_file(base_fd, "outside/secret", "another");
    root_fd = open(root, O_RDONLY | O_DIRECTORY);
    usleep(20000); /* so that the file system's clock shows any change from now on */
    outside(before);
    atexit(clean_up);
    wasm_module *module;
    wasm_store *store;
    const wasm_imports imports = {0};
    require(wasm_module_new(&module, (base_span){bytes, sizeof bytes}, NULL, NULL) == WISP_OK, "module");
    require(wasm_store_new(&store, NULL, NULL) == WISP_OK, "store");
    require(wasm_instance_new(&instance, store, module, &imports, NULL, NULL) == WISP_OK, "instance");
}

/* ---- the steps ---- */

typedef struct guest {
    wasi_context *wasi;
    wasm_instance *instance;
    uint32_t directory, last; /* the descriptor that paths start from, and the last one opened */
} guest;

typedef struct step {
    char what;
    uint8_t flags;
    uint32_t size1, size2; /* of the paths, which are in guest memory */
} step;

static wasm_value number(uint64_t v)
{
    return (wasm_value){.u64 = v};
}

#define CALL(g, name, ...) wasi_##name((g)->wasi, (g)->instance, (const wasm_value[]){__VA_ARGS__})
#define N(v) number(v)

static uint32_t result(const guest *g)
{
    uint32_t value;
    memcpy(&value, wasm_memory_at(g->instance, RESULT, 4), 4);
    return value;
}

static void open_step(guest *g, const step *s)
{
    const uint64_t rights = s->flags & 32 ? WASI_FILE_RIGHTS : WASI_RIGHT_FD_READ | WASI_RIGHT_FD_READDIR;
    if (CALL(g, path_open, N(g->directory), N(s->flags >> 4 & 1), N(PATH1), N(s->size1), N(s->flags & 15), N(rights),
             N(0), N(0), N(RESULT)) == 0)
        g->last = result(g);
}

/* Paths start from there from now on. */
static void enter_step(guest *g, const step *s)
{
    const uint64_t all = WASI_DIRECTORY_RIGHTS | WASI_FILE_RIGHTS;
    if (CALL(g, path_open, N(g->directory), N(1), N(PATH1), N(s->size1), N(2), N(WASI_DIRECTORY_RIGHTS), N(all), N(0),
             N(RESULT)) == 0)
        g->directory = result(g);
}

static void descriptor_step(guest *g, const step *s)
{
    const uint32_t part[2] = {PATH1, s->size1};
    memcpy(wasm_memory_at(g->instance, RESULT + 16, 8), part, 8);
    if (s->what == 'w') CALL(g, fd_write, N(g->last), N(RESULT + 16), N(1), N(RESULT));
    if (s->what == 'y') CALL(g, fd_readdir, N(g->last), N(BUFFER), N(20000), N(s->flags), N(RESULT));
    if (s->what == 'x') CALL(g, fd_renumber, N(g->last), N(s->flags));
    if (s->what == 'c') CALL(g, fd_close, N(g->last));
    if (s->what == '^') g->directory = ROOT;
}

static uint32_t path_step(guest *g, const step *s)
{
    const wasm_value from = N(g->directory), p1 = N(PATH1), n1 = N(s->size1), p2 = N(PATH2), n2 = N(s->size2),
                     follow = N(s->flags & 1);
    switch (s->what) {
    case 'm':
        return CALL(g, path_create_directory, from, p1, n1);
    case 'r':
        return CALL(g, path_remove_directory, from, p1, n1);
    case 'u':
        return CALL(g, path_unlink_file, from, p1, n1);
    case 'n':
        return CALL(g, path_rename, from, p1, n1, N(s->flags & 1 ? ROOT : g->directory), p2, n2);
    case 'l':
        return CALL(g, path_link, from, follow, p1, n1, N(ROOT), p2, n2);
    case 's':
        return CALL(g, path_symlink, p1, n1, from, p2, n2);
    case 'k':
        return CALL(g, path_readlink, from, p1, n1, N(BUFFER), N(s->flags), N(RESULT));
    case 'g':
        return CALL(g, path_filestat_get, from, follow, p1, n1, N(BUFFER));
    default:
        return CALL(g, path_filestat_set_times, from, follow, p1, n1, N(1), N(2), N(s->flags >> 1 & 15));
    }
}

static void do_step(guest *g, const step *s)
{
    if (s->what == 'o') {
        changed |= s->flags & 0x29;
        open_step(g, s);
    } else if (s->what == 'e') {
        enter_step(g, s);
    } else if (s->what && strchr("murnlskgt", s->what)) {
        if (path_step(g, s) == 0) changed |= s->what != 'k' && s->what != 'g' && s->what != 't';
    } else {
        changed |= s->what == 'w';
        descriptor_step(g, s);
    }
}

/* ---- what must hold after each ---- */

static void check_open_files(const guest *g)
{
    const size_t size = strlen(root);
    char name[40], target[PATH_MAX];
    for (size_t i = ROOT; i < g->wasi->file_capacity; i++) {
        if (!g->wasi->files[i].open) continue;
        snprintf(name, sizeof name, "/proc/self/fd/%d", g->wasi->files[i].fd);
        ssize_t n = readlink(name, target, sizeof target - 1);
        require(n > 0, "no such descriptor");
        target[n] = 0;
        require(strncmp(target, root, size) == 0 && (!target[size] || target[size] == '/' || target[size] == ' '),
                target);
    }
}

static void check_walk(const guest *g, const step *s)
{
    char path[PATH_MAX];
    struct stat a, b;
    if (s->size1 >= sizeof path) return;
    memcpy(path, wasm_memory_at(g->instance, PATH1, s->size1), s->size1);
    path[s->size1] = 0;
    const int flags = O_PATH | (s->flags & 1 ? O_NOFOLLOW : 0), from = g->wasi->files[g->directory].fd;
    wasi_sandbox_walk_only(false);
    int kernel = wasi_open_beneath(from, path, flags, 0), walked = wasi_open_walking(from, path, flags, 0);
    if (walked >= 0 || errno != ENAMETOOLONG) { /* of links in links the walk needs the whole text at once */
        require((kernel < 0) == (walked < 0), "the walk and the kernel do not agree");
        require(kernel < 0 || (fstat(kernel, &a) == 0 && fstat(walked, &b) == 0 && a.st_ino == b.st_ino),
                "the walk and the kernel lead elsewhere");
    }
    if (kernel >= 0) close(kernel);
    if (walked >= 0) close(walked);
}

static void put_path(const guest *g, uint32_t address, const char *text, size_t size)
{
    if (size) memcpy(wasm_memory_at(g->instance, address, size), text, size);
}

static void run(guest *g, const char *p, size_t left, bool walk)
{
    for (unsigned steps = 0; left >= 2 && steps < MOST_STEPS; steps++) {
        const char *end = memchr(p + 2, '\n', left - 2), *stop = end ? end : p + left;
        const char *tab = memchr(p + 2, '\t', (size_t)(stop - p - 2)), *middle = tab ? tab : stop;
        step s = {p[0], (uint8_t)p[1], (uint32_t)(middle - p - 2), tab ? (uint32_t)(stop - tab - 1) : 0};
        if (s.size1 > 5000 || s.size2 > 5000) return;
        put_path(g, PATH1, p + 2, s.size1);
        put_path(g, PATH2, tab ? tab + 1 : p, s.size2);
        if (s.what && strchr("oemurnlskgt", s.what) && g->directory < g->wasi->file_capacity &&
            g->wasi->files[g->directory].open)
            check_walk(g, &s);
        wasi_sandbox_walk_only(walk);
        do_step(g, &s);
        if (!end) return;
        left -= (size_t)(end + 1 - p);
        p = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!instance) set_up();
    if (size < 1 || size > 20000) return 0;
    make_tree();
    guest g = {.instance = instance, .directory = ROOT, .last = ROOT};
    wasi_directory granted = {root, "/", (data[0] & 2) != 0};
    wasi_config config = {.directories = &granted, .directory_count = 1, .open_files = 24};
    require(wasi_context_new(&g.wasi, &config, NULL) == WISP_OK, "context");
    run(&g, (const char *)data + 1, size - 1, data[0] & 1);
    check_open_files(&g);
    check_outside();
    wasi_context_free(g.wasi);
    return 0;
}
