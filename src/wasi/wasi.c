/* The context, the table of functions, and what needs no descriptor: arguments, environment, clocks, entropy, exit. */
#include "wasi/wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "wasi/context.h"

/* ---- context ---- */

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = base_alloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

static char **copy_list(const char *const *list, size_t count)
{
    char **copy = base_calloc(count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (!(copy[i] = copy_text(list[i]))) {
            while (i--)
                base_free(copy[i]);
            base_free(copy);
            return NULL;
        }
    return copy;
}

static void free_list(char **list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        base_free(list[i]);
    base_free(list);
}

static void describe_stream(wasi_file *file)
{
    file->type = wasi_type_of(file->fd);
    int flags = fcntl(file->fd, F_GETFL);
    if (flags < 0) return;
    if (flags & O_NONBLOCK) file->flags |= WASI_FDFLAG_NONBLOCK;
    if (flags & O_APPEND) file->flags |= WASI_FDFLAG_APPEND;
}

static bool add_stream(wasi_context *w, const wasi_stream *stream, bool input)
{
    uint32_t fd;
    wasi_file *file;
    if (wasi_file_new(w, &fd, &file)) return false;
    file->stream = *stream;
    file->fd = stream->kind == WASI_STREAM_FD ? stream->fd : -1;
    /* a callback looks like a terminal, so that the guest's C library writes line by line */
    file->type = stream->kind == WASI_STREAM_CALLBACK ? WASI_TYPE_CHARACTER_DEVICE : WASI_TYPE_UNKNOWN;
    file->rights = WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_POLL_FD_READWRITE | WASI_RIGHT_FD_FDSTAT_SET_FLAGS |
                   (input ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE);
    if (file->fd >= 0) describe_stream(file);
    if (file->type == WASI_TYPE_REGULAR_FILE)
        file->rights |= WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC;
    return true;
}

static wisp_status add_listener(wasi_context *w, int listener, wisp_report *report)
{
    uint32_t number;
    wasi_file *file;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens)
        return base_fail(report, WISP_E_USAGE, "descriptor %d is no listening socket", listener);
    if (wasi_file_new(w, &number, &file))
        return base_fail(report, WISP_E_LIMIT, "more listening sockets than open files are allowed");
    file->fd = fcntl(listener, F_DUPFD_CLOEXEC, 0);
    file->owned = file->fd >= 0;
    /* poll() may find a connection that is gone when accept() comes */
    if (file->fd < 0 || fcntl(file->fd, F_SETFL, fcntl(file->fd, F_GETFL) | O_NONBLOCK))
        return base_fail(report, WISP_E_IO, "cannot take over listening socket %d: %s", listener, strerror(errno));
    file->type = wasi_type_of(file->fd);
    file->rights = WASI_LISTENER_RIGHTS;
    file->inheriting = WASI_CONNECTION_RIGHTS;
    return WISP_OK;
}

static wisp_status add_directory(wasi_context *w, const wasi_directory *directory, wisp_report *report)
{
    uint32_t number;
    wasi_file *file;
    int fd = open(directory->host_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return base_fail(report, WISP_E_IO, "cannot open directory %s: %s", directory->host_path, strerror(errno));
    if (wasi_file_new(w, &number, &file)) {
        close(fd);
        return base_fail(report, WISP_E_LIMIT, "more directories than open files are allowed");
    }
    const uint64_t without = directory->read_only ? WASI_CHANGING : 0;
    file->fd = fd;
    file->owned = true;
    file->type = WASI_TYPE_DIRECTORY;
    file->read_only = directory->read_only;
    file->rights = WASI_DIRECTORY_RIGHTS & ~without;
    file->inheriting = (WASI_DIRECTORY_RIGHTS | WASI_FILE_RIGHTS) & ~without;
    file->preopen = copy_text(directory->guest_path);
    return file->preopen ? WISP_OK : base_fail(report, WISP_E_MEMORY, "out of memory");
}

static wisp_status fill(wasi_context *w, const wasi_config *config, wisp_report *report)
{
    w->file_limit = config->open_files ? config->open_files : 256;
    w->args = copy_list(config->args, config->arg_count);
    if (w->args) w->arg_count = config->arg_count;
    w->env = copy_list(config->env, config->env_count);
    if (w->env) w->env_count = config->env_count;
    if (!w->args || !w->env || !add_stream(w, &config->std_in, true) || !add_stream(w, &config->std_out, false) ||
        !add_stream(w, &config->std_err, false))
        return base_fail(report, WISP_E_MEMORY, "wasi: out of memory for a context");
    for (size_t i = 0; i < config->directory_count; i++)
        BASE_TRY(add_directory(w, &config->directories[i], report));
    for (size_t i = 0; i < config->listener_count; i++)
        BASE_TRY(add_listener(w, config->listeners[i], report));
    return WISP_OK;
}

wisp_status wasi_context_new(wasi_context **out, const wasi_config *config, wisp_report *report)
{
    wasi_context *w = base_calloc(1, sizeof *w);
    if (!w) return base_fail(report, WISP_E_MEMORY, "wasi: out of memory for a context");
    wisp_status status = fill(w, config, report);
    if (status == WISP_OK)
        *out = w;
    else
        wasi_context_free(w);
    return status;
}

void wasi_context_free(wasi_context *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->file_capacity; i++)
        wasi_file_close(&w->files[i]);
    base_free(w->files);
    free_list(w->args, w->arg_count);
    free_list(w->env, w->env_count);
    base_free(w);
}

/* ---- guest memory ---- */

uint32_t wasi_put(wasm_instance *instance, uint32_t address, const void *data, size_t size)
{
    void *p = wasm_memory_at(instance, address, size);
    if (!p) return WASI_EFAULT;
    if (size) memcpy(p, data, size);
    return WASI_ESUCCESS;
}

uint32_t wasi_put_u32(wasm_instance *instance, uint32_t address, uint32_t value)
{
    return wasi_put(instance, address, &value, sizeof value);
}

uint32_t wasi_put_u64(wasm_instance *instance, uint32_t address, uint64_t value)
{
    return wasi_put(instance, address, &value, sizeof value);
}

/* ---- arguments and environment ---- */

static uint64_t list_bytes(char **list, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(list[i]) + 1;
    return bytes;
}

static uint32_t put_sizes(wasm_instance *instance, const wasm_value *v, char **list, size_t count)
{
    uint64_t bytes = list_bytes(list, count);
    if (count > UINT32_MAX || bytes > UINT32_MAX) return WASI_EOVERFLOW;
    WASI_TRY(wasi_put_u32(instance, v[0].u32, (uint32_t)count));
    return wasi_put_u32(instance, v[1].u32, (uint32_t)bytes);
}

static uint32_t put_list(wasm_instance *instance, const wasm_value *v, char **list, size_t count)
{
    uint32_t pointer = v[0].u32, text = v[1].u32;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(list[i]) + 1;
        WASI_TRY(wasi_put_u32(instance, pointer, text));
        WASI_TRY(wasi_put(instance, text, list[i], size));
        pointer += 4;
        text += (uint32_t)size;
    }
    return WASI_ESUCCESS;
}

uint32_t wasi_args_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return put_list(instance, v, w->args, w->arg_count);
}

uint32_t wasi_args_sizes_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return put_sizes(instance, v, w->args, w->arg_count);
}

uint32_t wasi_environ_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return put_list(instance, v, w->env, w->env_count);
}

uint32_t wasi_environ_sizes_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    return put_sizes(instance, v, w->env, w->env_count);
}

/* ---- clocks, entropy, process ---- */

static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};

uint32_t wasi_clock_res_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)w;
    struct timespec t;
    if (v[0].u32 >= sizeof clocks / sizeof *clocks) return WASI_EINVAL;
    if (clock_getres(clocks[v[0].u32], &t)) return wasi_errno_of(errno);
    return wasi_put_u64(instance, v[1].u32, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

uint32_t wasi_clock_time_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)w;
    struct timespec t;
    if (v[0].u32 >= sizeof clocks / sizeof *clocks) return WASI_EINVAL;
    if (clock_gettime(clocks[v[0].u32], &t)) return wasi_errno_of(errno);
    return wasi_put_u64(instance, v[2].u32, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

uint32_t wasi_random_get(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)w;
    enum { PIECE = 1 << 20 }; /* between two looks at the interruption */
    const size_t size = v[1].u32;
    uint8_t *p = wasm_memory_at(instance, v[0].u32, size);
    if (!p) return WASI_EFAULT;
    for (size_t done = 0; done < size; done += PIECE) {
        if (!os_random(p + done, size - done < PIECE ? size - done : PIECE)) return WASI_EIO;
        if (wasm_store_interrupted(wasm_instance_store(instance))) return WASI_EINTR;
    }
    return WASI_ESUCCESS;
}

uint32_t wasi_sched_yield(wasi_context *w, wasm_instance *instance, const wasm_value *v)
{
    (void)w, (void)instance, (void)v;
    sched_yield();
    return WASI_ESUCCESS;
}

static wisp_status call_proc_exit(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context;
    return wasm_host_exit(caller, v[0].u32);
}

/* raise() with the default action of every signal: it is ignored, or it ends the program as a shell would tell. */
static wisp_status call_proc_raise(void *context, wasm_instance *caller, wasm_value *v)
{
    enum { NONE = 0, CHLD = 16, CONT = 17, STOP = 18, TTOU = 21, URG = 22, WINCH = 27, SYS = 30 };
    (void)context;
    const uint32_t signal = v[0].u32;
    v[0].u64 = WASI_ESUCCESS;
    if (signal == NONE || signal == CHLD || signal == CONT || signal == URG || signal == WINCH) return WISP_OK;
    if (signal <= SYS && !(signal >= STOP && signal <= TTOU)) return wasm_host_exit(caller, 128 + signal);
    v[0].u64 = signal > SYS ? WASI_EINVAL : WASI_ENOTSUP; /* nobody could continue a stopped guest */
    return WISP_OK;
}

/* ---- the table ---- */

#define WASI_API(name, signature)                                                                                      \
    static wisp_status call_##name(void *context, wasm_instance *caller, wasm_value *v)                                \
    {                                                                                                                  \
        v[0].u64 = wasi_##name(context, caller, v);                                                                    \
        return WISP_OK;                                                                                                \
    }
#include "wasi/api.def"

static const wasm_host_function functions[] = {
    {"proc_exit", "(i)", call_proc_exit},
    {"proc_raise", "(i)i", call_proc_raise},
#define WASI_API(name, signature) {#name, signature, call_##name},
#include "wasi/api.def"
};

wasm_host_module wasi_host_module(wasi_context *context)
{
    return (wasm_host_module){"wasi_snapshot_preview1", functions, sizeof functions / sizeof *functions, context};
}

wisp_status wasi_run_command(wasm_instance *instance, uint32_t *exit_code, wasm_trap *trap, wisp_report *report)
{
    wasm_trap own;
    if (!trap) trap = &own;
    wasm_func *start = wasm_instance_find_func(instance, "_start");
    if (!start) return base_fail(report, WISP_E_NOT_FOUND, "wasi: the module exports no function _start");
    wisp_report inner = {.status = WISP_OK};
    wisp_status status = wasm_call(start, NULL, 0, NULL, 0, trap, &inner);
    *exit_code = status == WISP_E_EXIT ? trap->exit_code : 0;
    if (status == WISP_OK || status == WISP_E_EXIT) return WISP_OK;
    return base_fail(report, status, "%s", inner.text);
}
