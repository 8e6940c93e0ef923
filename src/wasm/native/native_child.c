/* wisp-native: one request from standard input, its answer to standard output. A process of its own, so that a program
 * may end while its module is still being compiled, that compiling can be stopped at any time, and whatever happens in
 * LLVM does not happen to it. */
#include <errno.h>
#include <llvm-c/ErrorHandling.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/child.h"
#include "wasm/native/native_compile.h"
#include "wasm/native_request.h"

enum { REQUEST_MAX = 1 << 30 };

static atomic_flag answering = ATOMIC_FLAG_INIT;

/* Messages of several threads do not mix: that which fails writes while another one may be telling the progress. */
static bool write_all(const void *data, size_t size)
{
    for (const char *p = data; size;) {
        ssize_t n = write(1, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static void take_turn(void)
{
    while (atomic_flag_test_and_set_explicit(&answering, memory_order_acquire))
        os_yield();
}

static bool read_all(base_buffer *out)
{
    static char buffer[65536];
    for (;;) {
        ssize_t n = read(0, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) return !out->failed;
        if (n < 0 || out->size > REQUEST_MAX) return false;
        base_put(out, buffer, (size_t)n);
    }
}

static bool tell(void *context, uint64_t done, uint64_t total)
{
    base_buffer message = {0};
    (void)context;
    wasm_native_put_progress(&message, done, total);
    take_turn();
    bool ok = !message.failed && write_all(message.data, message.size);
    atomic_flag_clear_explicit(&answering, memory_order_release);
    base_buffer_fini(&message);
    return ok;
}

/* LLVM cannot go on, and would say why on standard error. */
static void give_up(const char *why)
{
    char text[300];
    base_buffer message = {0};
    snprintf(text, sizeof text, "the native compiler cannot compile this module: LLVM: %.200s", why);
    wasm_native_put_failure(&message, WISP_E_INTERNAL, text);
    take_turn();
    _exit(!message.failed && write_all(message.data, message.size) ? 0 : 1);
}

static wisp_status compile(base_buffer *image, base_span bytes, wisp_report *report)
{
    wasm_native_request request;
    uint32_t *replaceable;
    wasm_module *module;
    BASE_TRY(wasm_native_request_read(&request, &replaceable, bytes, report));
    os_child_limit_cpu(wasm_native_cpu_limit(request.module.size));
    BASE_TRY(wasm_module_new(&module, request.module, NULL, report));
    const wasm_compile_job job = {
        .module = module, .options = request.options, .threads = request.threads, .progress = tell};
    return wasm_compile(image, &job, report); /* what was allocated goes with the process */
}

int main(void)
{
    base_buffer in = {0}, image = {0}, head = {0};
    wisp_report report = {0};
    os_child_confine();
    os_child_limit_memory(wasm_native_memory_limit());
    LLVMInstallFatalErrorHandler(give_up);
    if (!read_all(&in)) return 1;
    wisp_status status = compile(&image, (base_span){in.data, in.size}, &report);
    if (status == WISP_OK)
        wasm_native_put_image_head(&head, image.size);
    else
        wasm_native_put_failure(&head, status, report.text);
    take_turn();
    bool ok =
        !head.failed && write_all(head.data, head.size) && (status != WISP_OK || write_all(image.data, image.size));
    _exit(ok ? 0 : 1); /* LLVM has nothing to say at the end */
}
