/* The native compiler of this installation, wisp-native: found by absolute path, started when something is compiled.
 * A process of its own, since LLVM can neither be stopped nor be trusted not to crash. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host/native.h"
#include "os/child.h"
#include "wasm/native_request.h"

#define PROGRAM "wisp-native"

/* From the program or library that this code is in: beside it, and as things are installed. */
static const char *const folders[] = {"/", "/../" WISP_LIBEXEC "/", "/../../" WISP_LIBEXEC "/"};

static bool try_folder(char *out, size_t size, const char *base, const char *below)
{
    int n = snprintf(out, size, "%s%s" PROGRAM, base, below);
    return n > 0 && (size_t)n < size && os_is_our_file(out);
}

wisp_status host_native_find(char *out, size_t size, wisp_report *report)
{
    char bases[2][4096];
    bool known[2] = {os_executable_folder(bases[0], sizeof bases[0]), os_code_folder(bases[1], sizeof bases[1])};
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; known[b] && i < sizeof folders / sizeof *folders; i++)
            if (try_folder(out, size, bases[b], folders[i])) return WISP_OK;
    if (try_folder(out, size, WISP_PREFIX_LIBEXEC, "/")) return WISP_OK;
    return base_fail(report, WISP_E_UNSUPPORTED,
                     "the native compiler (" PROGRAM ") is not installed: build WISP where LLVM 19 is (Debian: "
                     "llvm-19-dev) and install it; meanwhile the interpreter serves");
}

typedef struct conversation {
    const host_compile_job *job;
    wasm_native_answer answer;
    wisp_status status; /* why it was stopped before there was an answer */
    wisp_report *report;
} conversation;

static bool hear(void *context, base_span bytes)
{
    conversation *c = context;
    const host_compile_job *job = c->job;
    if (bytes.size) c->status = wasm_native_answer_add(&c->answer, bytes, c->report);
    if (c->status != WISP_OK || c->answer.complete) return false;
    if (!job->progress || job->progress(job->context, c->answer.done, c->answer.total)) return true;
    c->status = base_fail(c->report, WISP_E_CANCELLED, "compiling was cancelled");
    return false;
}

/* It closed its stream without an answer. */
static wisp_status explain_end(const os_child_exit *how, const host_compile_job *job, wisp_report *report)
{
    const char *target = wasm_native_target_name(job->options.target);
    enum { UNLINKED = 127 };
    if (how->out_of_time)
        return base_fail(report, WISP_E_INTERNAL,
                         "the native compiler used up its %llu s of processor time for %s; without "
                         "native code it runs in the interpreter",
                         (unsigned long long)wasm_native_cpu_limit(job->module.size), target);
    if (how->code == UNLINKED)
        return base_fail(report, WISP_E_UNSUPPORTED,
                         "the native compiler cannot be started: is LLVM 19 installed (Debian: libllvm19)?");
    if (how->signal)
        return base_fail(report, WISP_E_INTERNAL,
                         "the native compiler crashed (signal %d, %s) while compiling for %s, or met its limit of %.1f "
                         "GB of memory: please report the module; without native code it runs in the interpreter",
                         how->signal, how->signal_name, target, (double)wasm_native_memory_limit() / 1e9);
    return base_fail(report, WISP_E_INTERNAL,
                     "the native compiler ended (status %d) before it was done with %s: is it of this build? Without "
                     "native code the module runs in the interpreter",
                     how->code, target);
}

static wisp_status converse(conversation *c, const char *path, base_span head, wisp_report *report)
{
    os_child child;
    os_child_exit how;
    BASE_TRY(os_child_start(&child, path, report));
    const os_child_talk talk = {.send = {head, c->job->module}, .hear = hear, .context = c, .bell = c->job->bell};
    if (os_child_converse(&child, &talk)) {
        os_child_end(&child, &how);
        return explain_end(&how, c->job, report);
    }
    os_child_leave(&child);
    return c->status;
}

wisp_status host_compile(base_buffer *image, const host_compile_job *job, wisp_report *report)
{
    char path[4096];
    base_buffer head = {0};
    conversation c = {.job = job, .report = report};
    BASE_TRY(host_native_find(path, sizeof path, report));
    wasm_native_request_write(
        &head, &(wasm_native_request){.module = job->module, .options = job->options, .threads = job->threads});
    wisp_status status = head.failed ? base_fail(report, WISP_E_MEMORY, "out of memory for native code")
                                     : converse(&c, path, (base_span){head.data, head.size}, report);
    if (status == WISP_OK) status = wasm_native_answer_take(&c.answer, image, report);
    base_buffer_fini(&c.answer.bytes);
    base_buffer_fini(&head);
    return status;
}
