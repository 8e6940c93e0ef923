/* wasi: every function is imported by a module made from the table itself and exported again, and called through it.
 * Files live in a fresh directory below TMPDIR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "wasi/context.h"

/* ---- a module that exports what it imports ---- */

static const struct {
    const char *name, *signature;
} api[] = {
    {"proc_exit", "(i)"},
#define WASI_API(name, signature) {#name, signature},
#include "wasi/api.def"
};
enum { API_COUNT = sizeof api / sizeof *api };

static void put_section(base_buffer *b, uint8_t id, const base_buffer *content)
{
    base_put_u8(b, id);
    base_put_leb_u32(b, (uint32_t)content->size);
    base_put(b, content->data, content->size);
}

static void put_name(base_buffer *b, const char *name)
{
    base_put_leb_u32(b, (uint32_t)strlen(name));
    base_put_text(b, name);
}

static void put_type(base_buffer *b, const char *signature)
{
    const char *end = strchr(signature, ')');
    base_put_u8(b, 0x60);
    base_put_leb_u32(b, (uint32_t)(end - signature - 1));
    for (const char *p = signature + 1; p < end; p++)
        base_put_u8(b, *p == 'i' ? 0x7f : 0x7e);
    base_put_leb_u32(b, end[1] ? 1 : 0);
    if (end[1]) base_put_u8(b, 0x7f);
}

static base_buffer module_of_everything(void)
{
    base_buffer b = {0}, types = {0}, imports = {0}, exports = {0}, memory = {0};
    base_put_leb_u32(&types, API_COUNT);
    base_put_leb_u32(&imports, API_COUNT);
    base_put_leb_u32(&exports, API_COUNT);
    for (uint32_t i = 0; i < API_COUNT; i++) {
        put_type(&types, api[i].signature);
        put_name(&imports, "wasi_snapshot_preview1");
        put_name(&imports, api[i].name);
        base_put_u8(&imports, 0);
        base_put_leb_u32(&imports, i);
        put_name(&exports, i ? api[i].name : "_start0");
        base_put_u8(&exports, 0);
        base_put_leb_u32(&exports, i);
    }
    base_put(&memory, "\1\0\1", 3);
    base_put(&b, "\0asm\1\0\0\0", 8);
    put_section(&b, 1, &types);
    put_section(&b, 2, &imports);
    put_section(&b, 5, &memory);
    put_section(&b, 7, &exports);
    base_buffer_fini(&types);
    base_buffer_fini(&imports);
    base_buffer_fini(&exports);
    base_buffer_fini(&memory);
    return b;
}

typedef struct fixture {
    base_buffer bytes;
    wasm_module *module;
    wasm_store *store;
    wasm_instance *instance;
    wasi_context *wasi;
    char path[200];
    char output[1000];
    size_t output_size;
    const char *input;
} fixture;

static int64_t take_output(void *context, void *data, size_t size)
{
    fixture *f = context;
    if (size > sizeof f->output - f->output_size) return -1;
    memcpy(f->output + f->output_size, data, size);
    f->output_size += size;
    return (int64_t)size;
}

static int64_t give_input(void *context, void *data, size_t size)
{
    fixture *f = context;
    size_t n = strlen(f->input) < size ? strlen(f->input) : size;
    memcpy(data, f->input, n);
    f->input += n;
    return (int64_t)n;
}

static void setup(fixture *f, bool read_only)
{
    static const char *const args[] = {"prog", "an argument"}, *const env[] = {"A=1", "LONG=value"};
    const char *base = getenv("TMPDIR");
    *f = (fixture){.bytes = module_of_everything(), .input = "typed"};
    snprintf(f->path, sizeof f->path, "%s/wasi-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(f->path));
    wasi_directory directory = {f->path, "/data", read_only};
    wasi_config config = {.args = args,
                          .arg_count = 2,
                          .env = env,
                          .env_count = 2,
                          .std_in = {.kind = WASI_STREAM_CALLBACK, .transfer = give_input, .context = f},
                          .std_out = {.kind = WASI_STREAM_CALLBACK, .transfer = take_output, .context = f},
                          .directories = &directory,
                          .directory_count = 1,
                          .open_files = 20};
    assert_int_equal(wasi_context_new(&f->wasi, &config, NULL), WISP_OK);
    wasm_host_module host = wasi_host_module(f->wasi);
    wasm_imports imports = {.modules = &host, .module_count = 1};
    assert_int_equal(wasm_module_new(&f->module, (base_span){f->bytes.data, f->bytes.size}, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_store_new(&f->store, NULL, NULL), WISP_OK);
    assert_int_equal(wasm_instance_new(&f->instance, f->store, f->module, &imports, NULL, NULL), WISP_OK);
}

static void teardown(fixture *f)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    wasm_store_free(f->store);
    wasi_context_free(f->wasi);
    wasm_module_free(f->module);
    base_buffer_fini(&f->bytes);
    assert_int_equal(system(command), 0);
}

/* Calls a function by name: all arguments as uint64_t. Returns its errno. */
#define CALL(f, name, ...)                                                                                             \
    call(f, #name, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static uint32_t call(fixture *f, const char *name, const uint64_t *args, size_t count)
{
    wasm_value v[10] = {{.u64 = 0}};
    for (size_t i = 0; i < count; i++)
        v[i].u64 = args[i];
    wasm_func *func = wasm_instance_find_func(f->instance, name);
    assert_non_null(func);
    assert_int_equal(wasm_call(func, v, count, v, 1, NULL, NULL), WISP_OK);
    return v[0].u32;
}

static uint8_t *at(fixture *f, uint32_t address)
{
    return wasm_memory_at(f->instance, address, 1);
}

static uint32_t get32(fixture *f, uint32_t address)
{
    uint32_t v;
    memcpy(&v, at(f, address), 4);
    return v;
}

static uint64_t get64(fixture *f, uint32_t address)
{
    uint64_t v;
    memcpy(&v, at(f, address), 8);
    return v;
}

/* Text at 1000, paths at 2000 and 3000, one iovec at 500, results at 400. */
static uint32_t put(fixture *f, uint32_t address, const char *text)
{
    memcpy(at(f, address), text, strlen(text));
    return (uint32_t)strlen(text);
}

static void one_part(fixture *f, uint32_t address, uint32_t size)
{
    memcpy(at(f, 500), &address, 4);
    memcpy(at(f, 504), &size, 4);
}

enum { DIRECTORY_FD = 3, ALL_FILE = WASI_FILE_RIGHTS, CREATE = 1, ONLY_DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 };

static uint32_t open_path(fixture *f, const char *path, uint32_t how, uint64_t rights, uint32_t *fd)
{
    uint32_t size = put(f, 2000, path);
    uint32_t error = CALL(f, path_open, DIRECTORY_FD, 1, 2000, size, how, rights, 0, 0, 400);
    *fd = get32(f, 400);
    return error;
}

static uint32_t write_text(fixture *f, uint32_t fd, const char *text)
{
    one_part(f, 1000, put(f, 1000, text));
    return CALL(f, fd_write, fd, 500, 1, 400);
}

static uint32_t on_path(fixture *f, const char *name, const char *path)
{
    return call(f, name, (const uint64_t[]){DIRECTORY_FD, 2000, put(f, 2000, path)}, 3);
}

/* ---- tests ---- */

static void arguments_and_environment(void **state)
{
    (void)state;
    fixture f;
    setup(&f, false);
    assert_int_equal(CALL(&f, args_sizes_get, 400, 404), 0);
    assert_int_equal(get32(&f, 400), 2);
    assert_int_equal(get32(&f, 404), 5 + 12);
    assert_int_equal(CALL(&f, args_get, 600, 700), 0);
    assert_string_equal((char *)at(&f, get32(&f, 604)), "an argument");
    assert_int_equal(CALL(&f, environ_sizes_get, 400, 404), 0);
    assert_int_equal(get32(&f, 404), 4 + 11);
    assert_int_equal(CALL(&f, environ_get, 600, 700), 0);
    assert_string_equal((char *)at(&f, get32(&f, 604)), "LONG=value");
    assert_int_equal(CALL(&f, args_get, 600, 65530), WASI_EFAULT);
    assert_int_equal(CALL(&f, args_sizes_get, 65533, 0), WASI_EFAULT);
    teardown(&f);
}

static void standard_streams(void **state)
{
    (void)state;
    fixture f;
    setup(&f, false);
    assert_int_equal(write_text(&f, 1, "hello"), 0);
    assert_int_equal(get32(&f, 400), 5);
    assert_memory_equal(f.output, "hello", 5);
    assert_int_equal(write_text(&f, 2, "nowhere"), 0); /* not granted: vanishes */
    assert_int_equal(get32(&f, 400), 7);
    assert_int_equal(write_text(&f, 0, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(write_text(&f, 9, "x"), WASI_EBADF);
    one_part(&f, 1000, 3);
    assert_int_equal(CALL(&f, fd_read, 0, 500, 1, 400), 0);
    assert_memory_equal(at(&f, 1000), "typ", 3);
    one_part(&f, 1000, 30);
    assert_int_equal(CALL(&f, fd_read, 0, 500, 1, 400), 0);
    assert_int_equal(get32(&f, 400), 2);
    assert_int_equal(CALL(&f, fd_read, 0, 500, 1, 400), 0);
    assert_int_equal(get32(&f, 400), 0);
    assert_int_equal(CALL(&f, fd_seek, 1, 0, 0, 400), WASI_ESPIPE);
    assert_int_equal(CALL(&f, fd_fdstat_get, 1, 400), 0);
    assert_int_equal(*at(&f, 400), WASI_TYPE_CHARACTER_DEVICE);
    one_part(&f, 65000, 1000);
    assert_int_equal(CALL(&f, fd_write, 1, 500, 1, 400), WASI_EFAULT);
    assert_int_equal(CALL(&f, fd_write, 1, 500, 100000, 400), WASI_EINVAL);
    assert_int_equal(CALL(&f, fd_write, 1, 65530, 1, 400), WASI_EFAULT);
    teardown(&f);
}

static void files(void **state)
{
    (void)state;
    fixture f;
    uint32_t fd, other;
    setup(&f, false);
    assert_int_equal(open_path(&f, "a.txt", 0, ALL_FILE, &fd), WASI_ENOENT);
    assert_int_equal(open_path(&f, "a.txt", CREATE, ALL_FILE, &fd), 0);
    assert_int_equal(fd, 4);
    assert_int_equal(write_text(&f, fd, "0123456789"), 0);
    assert_int_equal(CALL(&f, fd_tell, fd, 400), 0);
    assert_int_equal(get64(&f, 400), 10);
    assert_int_equal(CALL(&f, fd_seek, fd, (uint64_t)-4, 2, 400), 0);
    assert_int_equal(get64(&f, 400), 6);
    assert_int_equal(CALL(&f, fd_seek, fd, (uint64_t)-40, 1, 400), WASI_EINVAL);
    assert_int_equal(CALL(&f, fd_seek, fd, 0, 3, 400), WASI_EINVAL);
    one_part(&f, 1000, 100);
    assert_int_equal(CALL(&f, fd_read, fd, 500, 1, 400), 0);
    assert_int_equal(get32(&f, 400), 4);
    assert_memory_equal(at(&f, 1000), "6789", 4);
    one_part(&f, 1000, 2);
    assert_int_equal(CALL(&f, fd_pread, fd, 500, 1, 1, 400), 0);
    assert_memory_equal(at(&f, 1000), "12", 2);
    assert_int_equal(CALL(&f, fd_pwrite, fd, 500, 1, 20, 400), 0);
    assert_int_equal(CALL(&f, fd_filestat_get, fd, 800), 0);
    assert_int_equal(get64(&f, 800 + 32), 22);
    assert_int_equal(*at(&f, 816), WASI_TYPE_REGULAR_FILE);
    assert_int_equal(CALL(&f, fd_filestat_set_size, fd, 5), 0);
    assert_int_equal(CALL(&f, fd_allocate, fd, 0, 50), 0);
    assert_int_equal(CALL(&f, fd_filestat_set_times, fd, 1000000001, 2000000002, 1 | 4), 0);
    assert_int_equal(CALL(&f, fd_filestat_get, fd, 800), 0);
    assert_int_equal(get64(&f, 800 + 32), 50);
    assert_int_equal(get64(&f, 800 + 48), 2000000002);
    assert_int_equal(CALL(&f, fd_filestat_set_times, fd, 0, 0, 3), WASI_EINVAL);
    assert_int_equal(CALL(&f, fd_sync, fd), 0);
    assert_int_equal(CALL(&f, fd_datasync, fd), 0);
    assert_int_equal(CALL(&f, fd_advise, fd, 0, 10, 1), 0);
    assert_int_equal(CALL(&f, fd_advise, fd, 0, 10, 9), WASI_EINVAL);
    assert_int_equal(open_path(&f, "a.txt", CREATE | EXCLUSIVE, ALL_FILE, &other), WASI_EEXIST);
    assert_int_equal(open_path(&f, "a.txt", ONLY_DIRECTORY, ALL_FILE, &other), WASI_ENOTDIR);
    assert_int_equal(open_path(&f, "a.txt", 0, WASI_RIGHT_FD_READ, &other), 0);
    assert_int_equal(write_text(&f, other, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(&f, fd_renumber, other, fd), 0);
    assert_int_equal(CALL(&f, fd_close, other), WASI_EBADF);
    assert_int_equal(CALL(&f, fd_close, fd), 0);
    assert_int_equal(CALL(&f, fd_close, fd), WASI_EBADF);
    teardown(&f);
}

static void directories(void **state)
{
    (void)state;
    fixture f;
    uint32_t fd;
    setup(&f, false);
    assert_int_equal(CALL(&f, fd_prestat_get, DIRECTORY_FD, 400), 0);
    assert_int_equal(get32(&f, 404), 5);
    assert_int_equal(CALL(&f, fd_prestat_dir_name, DIRECTORY_FD, 600, 4), WASI_ENAMETOOLONG);
    assert_int_equal(CALL(&f, fd_prestat_dir_name, DIRECTORY_FD, 600, 5), 0);
    assert_memory_equal(at(&f, 600), "/data", 5);
    assert_int_equal(CALL(&f, fd_prestat_get, 4, 400), WASI_EBADF);
    assert_int_equal(on_path(&f, "path_create_directory", "d"), 0);
    assert_int_equal(on_path(&f, "path_create_directory", "d"), WASI_EEXIST);
    assert_int_equal(on_path(&f, "path_create_directory", "d/e/"), 0);
    assert_int_equal(on_path(&f, "path_remove_directory", "d"), WASI_ENOTEMPTY);
    assert_int_equal(open_path(&f, "d/e/x", CREATE, ALL_FILE, &fd), 0);
    assert_int_equal(CALL(&f, fd_close, fd), 0);
    uint32_t from = put(&f, 2000, "d/e/x"), to = put(&f, 3000, "d/y");
    assert_int_equal(CALL(&f, path_rename, DIRECTORY_FD, 2000, from, DIRECTORY_FD, 3000, to), 0);
    assert_int_equal(CALL(&f, path_link, DIRECTORY_FD, 0, 3000, to, DIRECTORY_FD, 2000, from), 0);
    assert_int_equal(CALL(&f, path_filestat_get, DIRECTORY_FD, 1, 2000, from, 800), 0);
    assert_int_equal(get64(&f, 824), 2); /* links */
    assert_int_equal(on_path(&f, "path_unlink_file", "d/e"), WASI_EISDIR);
    assert_int_equal(on_path(&f, "path_unlink_file", "d/e/x"), 0);
    assert_int_equal(on_path(&f, "path_remove_directory", "d/e"), 0);
    assert_int_equal(on_path(&f, "path_remove_directory", "d/y"), WASI_ENOTDIR);
    uint32_t link = put(&f, 2000, "link"), target = put(&f, 3000, "d/y");
    assert_int_equal(CALL(&f, path_symlink, 3000, target, DIRECTORY_FD, 2000, link), 0);
    assert_int_equal(CALL(&f, path_readlink, DIRECTORY_FD, 2000, link, 600, 100, 400), 0);
    assert_int_equal(get32(&f, 400), 3);
    assert_memory_equal(at(&f, 600), "d/y", 3);
    assert_int_equal(CALL(&f, path_filestat_get, DIRECTORY_FD, 0, 2000, link, 800), 0);
    assert_int_equal(*at(&f, 816), WASI_TYPE_SYMBOLIC_LINK);
    assert_int_equal(CALL(&f, path_filestat_get, DIRECTORY_FD, 1, 2000, link, 800), 0);
    assert_int_equal(*at(&f, 816), WASI_TYPE_REGULAR_FILE);
    assert_int_equal(CALL(&f, path_filestat_set_times, DIRECTORY_FD, 1, 2000, link, 5, 6000000000, 4), 0);
    assert_int_equal(CALL(&f, path_filestat_get, DIRECTORY_FD, 1, 2000, link, 800), 0);
    assert_int_equal(get64(&f, 848), 6000000000);
    teardown(&f);
}

/* Reads the whole listing with a buffer of that size; counts names that start with "file". */
static unsigned list(fixture *f, uint32_t size)
{
    unsigned count = 0;
    uint64_t cookie = 0;
    for (;;) {
        assert_int_equal(CALL(f, fd_readdir, DIRECTORY_FD, 10000, size, cookie, 400), 0);
        uint32_t used = get32(f, 400), p = 0;
        while (used - p >= 24 && get32(f, 10000 + p + 16) <= used - p - 24) {
            count += memcmp(at(f, 10000 + p + 24), "file", 4) == 0;
            cookie = get64(f, 10000 + p);
            p += 24 + get32(f, 10000 + p + 16);
        }
        if (used < size) return count;
    }
}

static void listings(void **state)
{
    (void)state;
    fixture f;
    uint32_t fd;
    setup(&f, false);
    for (unsigned i = 0; i < 50; i++) {
        char name[20];
        snprintf(name, sizeof name, "file%u", i);
        assert_int_equal(open_path(&f, name, CREATE, ALL_FILE, &fd), 0);
        assert_int_equal(CALL(&f, fd_close, fd), 0);
    }
    assert_int_equal(list(&f, 20000), 50);
    assert_int_equal(list(&f, 100), 50);
    assert_int_equal(list(&f, 61), 50);
    assert_int_equal(CALL(&f, fd_readdir, 1, 10000, 100, 0, 400), WASI_ENOTDIR);
    for (unsigned i = 4; i < 20; i++)
        assert_int_equal(open_path(&f, "file1", 0, ALL_FILE, &fd), 0);
    assert_int_equal(open_path(&f, "file1", 0, ALL_FILE, &fd), WASI_EMFILE);
    teardown(&f);
}

static const char *const escapes[] = {"..",      "../x",       "/etc/passwd", "d/../../x",    "out",      "out/passwd",
                                      "d/up/..", "abs/passwd", "./../x",      "d/up/../../x", "d//../..", "chain/x"};

static void nothing_leads_outside(void **state)
{
    (void)state;
    fixture f;
    uint32_t fd;
    setup(&f, false);
    int root = open(f.path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdirat(root, "d", 0700), 0);
    assert_int_equal(symlinkat("../../../../../etc", root, "out"), 0);
    assert_int_equal(symlinkat("/etc", root, "abs"), 0);
    assert_int_equal(symlinkat("..", root, "d/up"), 0);
    assert_int_equal(symlinkat("d/up/d/../..", root, "chain"), 0);
    assert_int_equal(symlinkat("loop", root, "loop"), 0);
    for (unsigned i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        assert_int_equal(open_path(&f, escapes[i], 0, WASI_RIGHT_FD_READ, &fd), WASI_ENOTCAPABLE);
        assert_int_equal(wasi_open_walking(root, escapes[i], O_RDONLY, 0), -1);
        assert_int_equal(errno, EXDEV);
    }
    assert_int_equal(on_path(&f, "path_unlink_file", "../x"), WASI_ENOTCAPABLE);
    assert_int_equal(on_path(&f, "path_create_directory", "out/x"), WASI_ENOTCAPABLE);
    assert_int_equal(on_path(&f, "path_remove_directory", "d/up/.."), WASI_ENOTCAPABLE);
    /* a slash after a link's name must not lead through it, not even to tell what is there */
    uint32_t size = put(&f, 2000, "out/");
    assert_int_equal(CALL(&f, path_readlink, DIRECTORY_FD, 2000, size, 600, 100, 400), WASI_ENOTDIR);
    assert_int_equal(on_path(&f, "path_unlink_file", "out/"), WASI_ENOTDIR);
    assert_int_equal(on_path(&f, "path_remove_directory", "out/"), WASI_ENOTDIR);
    assert_int_equal(on_path(&f, "path_create_directory", "out/"), WASI_EEXIST);
    uint32_t to = put(&f, 3000, "new");
    assert_int_equal(CALL(&f, path_rename, DIRECTORY_FD, 2000, size, DIRECTORY_FD, 3000, to), WASI_ENOTDIR);
    assert_int_equal(CALL(&f, path_link, DIRECTORY_FD, 0, 2000, size, DIRECTORY_FD, 3000, to), WASI_ENOTDIR);
    assert_int_equal(open_path(&f, "loop", 0, WASI_RIGHT_FD_READ, &fd), WASI_ELOOP);
    assert_int_equal(wasi_open_walking(root, "loop", O_RDONLY, 0), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(open_path(&f, "a\xff", 0, WASI_RIGHT_FD_READ, &fd), WASI_EILSEQ);
    close(root);
    teardown(&f);
}

/* Both ways of opening agree where nothing is wrong. */
static void walking_is_opening(void **state)
{
    (void)state;
    static const char *const paths[] = {"d/e/x", "d/./e//x", "d/e/../e/x", "link", "d/up/d/e/x", "d/e/", ".", "d/up"};
    fixture f;
    setup(&f, false);
    int root = open(f.path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdirat(root, "d", 0700), 0);
    assert_int_equal(mkdirat(root, "d/e", 0700), 0);
    assert_int_equal(symlinkat("..", root, "d/up"), 0);
    assert_int_equal(symlinkat("d/up/d/e/x", root, "link"), 0);
    int made = wasi_open_walking(root, "d/e/x", O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(made >= 0);
    close(made);
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct stat a, b;
        int walked = wasi_open_walking(root, paths[i], O_RDONLY, 0), opened = openat(root, paths[i], O_RDONLY);
        assert_true(walked >= 0 && opened >= 0);
        assert_int_equal(fstat(walked, &a), 0);
        assert_int_equal(fstat(opened, &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        close(walked);
        close(opened);
    }
    assert_int_equal(wasi_open_walking(root, "link", O_RDONLY | O_NOFOLLOW, 0), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(wasi_open_walking(root, "d/e/x/", O_RDONLY, 0), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(wasi_open_walking(root, "link", O_CREAT | O_EXCL | O_WRONLY, 0600), -1);
    assert_int_equal(errno, EEXIST);
    close(root);
    teardown(&f);
}

/* ---- a directory exchanged for a link while it is opened ---- */

typedef struct exchange {
    int root;
    bool stop;
    unsigned count;
} exchange;

static void exchange_all_the_time(void *context)
{
    exchange *e = context;
    while (!__atomic_load_n(&e->stop, __ATOMIC_RELAXED))
        e->count += renameat2(e->root, "swap", e->root, "other", RENAME_EXCHANGE) == 0;
}

static void exchanged_while_opened(void **state)
{
    (void)state;
    fixture f;
    struct stat inside, found;
    os_thread *thread;
    setup(&f, false);
    exchange e = {.root = open(f.path, O_RDONLY | O_DIRECTORY)};
    assert_int_equal(mkdirat(e.root, "swap", 0700), 0);
    assert_int_equal(symlinkat("..", e.root, "other"), 0);
    char name[300]; /* there is an entry of this name above: the directory itself */
    snprintf(name, sizeof name, "swap/%s", strrchr(f.path, '/') + 1);
    assert_int_equal(mkdirat(e.root, name, 0700), 0);
    assert_int_equal(fstatat(e.root, name, &inside, 0), 0);
    assert_int_equal(os_thread_start(&thread, exchange_all_the_time, &e, NULL), WISP_OK);
    unsigned opened = 0;
    for (uint64_t end = os_monotonic_ns() + 1000000000; os_monotonic_ns() < end;)
        for (int way = 0; way < 2; way++) {
            int fd = way ? wasi_open_walking(e.root, name, O_RDONLY, 0) : wasi_open_beneath(e.root, name, O_RDONLY, 0);
            if (fd < 0) continue;
            assert_int_equal(fstat(fd, &found), 0);
            assert_int_equal(found.st_ino, inside.st_ino);
            close(fd);
            opened++;
        }
    __atomic_store_n(&e.stop, true, __ATOMIC_RELAXED);
    os_thread_join(thread);
    assert_true(opened > 0 && e.count > 0);
    close(e.root);
    teardown(&f);
}

static void read_only_directories(void **state)
{
    (void)state;
    fixture f;
    uint32_t fd;
    setup(&f, true);
    int root = open(f.path, O_RDONLY | O_DIRECTORY);
    close(openat(root, "there", O_CREAT | O_WRONLY, 0600));
    close(root);
    assert_int_equal(open_path(&f, "there", 0, WASI_RIGHT_FD_READ, &fd), 0);
    assert_int_equal(write_text(&f, fd, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(open_path(&f, "there", 0, WASI_RIGHT_FD_WRITE, &fd), WASI_ENOTCAPABLE);
    assert_int_equal(open_path(&f, "there", TRUNCATE, WASI_RIGHT_FD_READ, &fd), WASI_ENOTCAPABLE);
    assert_int_equal(open_path(&f, "new", CREATE, WASI_RIGHT_FD_READ, &fd), WASI_ENOTCAPABLE);
    assert_int_equal(on_path(&f, "path_unlink_file", "there"), WASI_ENOTCAPABLE);
    assert_int_equal(on_path(&f, "path_create_directory", "d"), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(&f, fd_fdstat_set_rights, DIRECTORY_FD, UINT64_MAX, 0), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(&f, fd_fdstat_set_rights, DIRECTORY_FD, 0, 0), 0);
    assert_int_equal(open_path(&f, "there", 0, WASI_RIGHT_FD_READ, &fd), WASI_ENOTCAPABLE);
    teardown(&f);
}

static void clocks_and_polling(void **state)
{
    (void)state;
    fixture f;
    setup(&f, false);
    assert_int_equal(CALL(&f, clock_res_get, 1, 400), 0);
    assert_true(get64(&f, 400) > 0);
    assert_int_equal(CALL(&f, clock_time_get, 4, 0, 400), WASI_EINVAL);
    assert_int_equal(CALL(&f, clock_time_get, 0, 0, 400), 0);
    assert_true(get64(&f, 400) > 1600000000000000000);
    /* subscription 0: 5 ms from now; 1: stdout is writable, at once; 2: no such descriptor */
    memset(at(&f, 5000), 0, 200);
    const uint64_t timeout = 5000000;
    *at(&f, 5000) = 11;
    *at(&f, 5016) = 1;
    memcpy(at(&f, 5024), &timeout, 8);
    assert_int_equal(CALL(&f, poll_oneoff, 5000, 6000, 1, 400), 0);
    assert_int_equal(get32(&f, 400), 1);
    assert_int_equal(get64(&f, 6000), 11);
    *at(&f, 5048) = 22, *at(&f, 5056) = 2, *at(&f, 5064) = 1;
    *at(&f, 5096) = 33, *at(&f, 5104) = 1, *at(&f, 5112) = 99;
    assert_int_equal(CALL(&f, poll_oneoff, 5000, 6000, 3, 400), 0);
    assert_int_equal(get32(&f, 400), 2);
    assert_int_equal(get64(&f, 6000), 22);
    assert_int_equal(get64(&f, 6032), 33);
    assert_int_equal(get32(&f, 6040) & 0xffff, WASI_EBADF);
    assert_int_equal(CALL(&f, poll_oneoff, 5000, 6000, 0, 400), WASI_EINVAL);
    assert_int_equal(CALL(&f, poll_oneoff, 65500, 6000, 1, 400), WASI_EFAULT);
    assert_int_equal(CALL(&f, random_get, 600, 32), 0);
    assert_int_equal(CALL(&f, random_get, 65530, 32), WASI_EFAULT);
    teardown(&f);
}

static void exit_code_of_a_command(void **state)
{
    (void)state;
    fixture f;
    wasm_value code = {.u32 = 42};
    wasm_trap trap;
    setup(&f, false);
    wasm_func *proc_exit = wasm_instance_find_func(f.instance, "_start0");
    assert_int_equal(wasm_call(proc_exit, &code, 1, NULL, 0, &trap, NULL), WISP_E_EXIT);
    assert_int_equal(trap.exit_code, 42);
    uint32_t exit_code;
    assert_int_equal(wasi_run_command(f.instance, &exit_code, NULL, NULL), WISP_E_NOT_FOUND);
    teardown(&f);
}

/* Whatever the arguments, a call returns an errno; nothing outside the guest's memory or the directory is touched. */
static void random_arguments_are_harmless(void **state)
{
    (void)state;
    static const uint32_t picks[] = {0,   1,    2,     3,     4,     5,          16,         400,
                                     500, 2000, 65528, 65535, 65536, 0x7fffffff, 0xfffffff8, UINT32_MAX};
    fixture f;
    uint32_t seed = 1, fd;
    setup(&f, false);
    assert_int_equal(open_path(&f, "a", CREATE, ALL_FILE, &fd), 0);
    for (unsigned round = 0; round < 200; round++)
        for (unsigned i = 1; i < API_COUNT; i++) {
            uint64_t args[10];
            size_t count = (size_t)(strchr(api[i].signature, ')') - api[i].signature) - 1;
            for (size_t k = 0; k < count; k++) {
                seed = seed * 1664525 + 1013904223;
                args[k] = picks[seed >> 28];
            }
            if (strcmp(api[i].name, "poll_oneoff") == 0) memset(at(&f, 0), 0, 4096); /* only clocks that are due */
            if (strcmp(api[i].name, "fd_allocate") == 0 || strcmp(api[i].name, "fd_filestat_set_size") == 0) continue;
            assert_true(call(&f, api[i].name, args, count) <= WASI_ENOTCAPABLE);
        }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_and_environment),
        cmocka_unit_test(standard_streams),
        cmocka_unit_test(files),
        cmocka_unit_test(directories),
        cmocka_unit_test(listings),
        cmocka_unit_test(nothing_leads_outside),
        cmocka_unit_test(walking_is_opening),
        cmocka_unit_test(exchanged_while_opened),
        cmocka_unit_test(read_only_directories),
        cmocka_unit_test(clocks_and_polling),
        cmocka_unit_test(exit_code_of_a_command),
        cmocka_unit_test(random_arguments_are_harmless),
    };
    return cmocka_run_group_tests_name("wasi", tests, NULL, NULL);
}
