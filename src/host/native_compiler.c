/* The native compiler of this installation: found by absolute path, opened or started only when something is compiled.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/native.h"
#include "os/own_folder.h"
#include "wasm/native_plugin.h"

/* Beside the program or library that this code is in, as installed, and as they lie in the build's folder. */
static const char *const folders[] = {"/",
                                      "/wisp/",
                                      "/../lib/wisp/",
                                      "/../" WISP_LIBDIR "/wisp/",
                                      "/src/wasm/native/",
                                      "/wasm/native/",
                                      "/../src/wasm/native/"};

static bool try_folder(char *out, size_t size, const char *base, const char *below, const char *name)
{
    int n = snprintf(out, size, "%s%s%s", base, below, name);
    return n > 0 && (size_t)n < size && os_is_our_file(out);
}

wisp_status host_native_find(char *out, size_t size, const char *name, wisp_report *report)
{
    char bases[2][4096];
    bool known[2] = {os_executable_folder(bases[0], sizeof bases[0]), os_code_folder(bases[1], sizeof bases[1])};
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; known[b] && i < sizeof folders / sizeof *folders; i++)
            if (try_folder(out, size, bases[b], folders[i], name)) return WISP_OK;
    if (try_folder(out, size, WISP_PREFIX_LIBDIR, "/wisp/", name)) return WISP_OK;
    return base_fail(report, WISP_E_UNSUPPORTED,
                     "the native compiler (%s) is not installed: build WISP where LLVM 19 is (Debian: llvm-19-dev) and "
                     "install it; meanwhile the interpreter serves",
                     name);
}

static void fill(wisp_native_request *request, const host_compile_job *job)
{
    *request = (wisp_native_request){.version = WISP_NATIVE_REQUEST,
                                     .module = job->module.data,
                                     .module_size = job->module.size,
                                     .target = job->options.target,
                                     .flags = job->options.flags,
                                     .replaceable = job->options.replaceable,
                                     .replaceable_count = job->options.replaceable_count,
                                     .threads = job->threads,
                                     .progress = job->progress,
                                     .context = job->context};
    snprintf(request->build, sizeof request->build, "%s", wasm_native_build());
}

wisp_status host_compile(base_buffer *image, const host_compile_job *job, wisp_report *report)
{
    char path[4096];
    void (*found)(void);
    wisp_native_request request;
    BASE_TRY(host_native_find(path, sizeof path, "libwisp-native.so", report));
    wisp_status status = os_library_function(&found, path, WISP_NATIVE_SYMBOL, report);
    if (status != WISP_OK)
        return base_fail_prefix(report, status, "the native compiler cannot be opened (Debian: install libllvm19)");
    wisp_native_compile_fn *compile = (wisp_native_compile_fn *)found;
    fill(&request, job);
    status = (wisp_status)compile(&request);
    if (status != WISP_OK) return base_fail(report, status, "%s", request.text);
    base_put(image, request.image, request.image_size);
    request.release(request.image);
    return image->failed ? base_fail(report, WISP_E_MEMORY, "out of memory for native code") : WISP_OK;
}

/* ---- in the background ---- */

/* LLVM in a thread would have to be waited for when the program ends; a process need not be, and is killed at once.
 * What is left of this one then is nothing: it writes to a stream of ours, and ends with the thread that started it. */
struct host_background {
    os_thread *thread;
    char path[4096];
    base_buffer head, module;
    host_background_done *done;
    void *context;
    os_child child;
    atomic_int lock; /* around `child` being there: guards its being killed */
    bool started, cancelled;
};

static void lock(host_background *b)
{
    while (atomic_exchange_explicit(&b->lock, 1, memory_order_acquire))
        os_yield();
}

static void unlock(host_background *b)
{
    atomic_store_explicit(&b->lock, 0, memory_order_release);
}

static wisp_status start_child(host_background *b, wisp_report *report)
{
    lock(b);
    wisp_status status = b->cancelled ? base_fail(report, WISP_E_CANCELLED, "cancelled")
                                      : os_child_start(&b->child, b->path, NULL, report);
    b->started = status == WISP_OK;
    unlock(b);
    return status;
}

static wisp_status talk(host_background *b, base_buffer *answer, wisp_report *report)
{
    BASE_TRY(start_child(b, report));
    bool ok = os_child_send(&b->child, (base_span){b->head.data, b->head.size},
                            (base_span){b->module.data, b->module.size}) &&
              os_child_receive(&b->child, answer, 1u << 30);
    lock(b);
    b->started = false;
    const bool killed = b->cancelled;
    unlock(b);
    if (killed)
        os_child_leave(&b->child);
    else
        ok = os_child_end(&b->child) && ok;
    return ok ? WISP_OK : base_fail(report, WISP_E_INTERNAL, "the native compiler ended before it was done");
}

static void background(void *context)
{
    host_background *b = context;
    base_buffer answer = {0};
    base_span image = {0};
    wisp_report report = {0};
    wisp_status status = talk(b, &answer, &report);
    if (status == WISP_OK) status = wasm_native_answer_read(&image, (base_span){answer.data, answer.size}, &report);
    b->done(b->context, status, image, report.text);
    base_buffer_fini(&answer);
}

wisp_status host_background_start(host_background **out, const host_compile_job *job, base_buffer *module,
                                  host_background_done *done, void *context, wisp_report *report)
{
    host_background *b = base_calloc(1, sizeof *b);
    if (!b) return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    wisp_native_request request;
    fill(&request, job);
    wasm_native_request_write(&b->head, &request);
    b->module = *module;
    *module = (base_buffer){0};
    b->done = done;
    b->context = context;
    wisp_status status = b->head.failed || b->module.failed
                             ? base_fail(report, WISP_E_MEMORY, "out of memory for native code")
                             : host_native_find(b->path, sizeof b->path, "wisp-native", report);
    if (status == WISP_OK) status = os_thread_start(&b->thread, background, b, report);
    if (status != WISP_OK) {
        host_background_free(b);
        return status;
    }
    *out = b;
    return WISP_OK;
}

void host_background_free(host_background *b)
{
    if (!b) return;
    lock(b);
    b->cancelled = true;
    if (b->started) os_child_kill(&b->child);
    unlock(b);
    os_thread_join(b->thread);
    base_buffer_fini(&b->head);
    base_buffer_fini(&b->module);
    base_free(b);
}
