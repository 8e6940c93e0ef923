/* wisp-native: one request from standard input, its answer to standard output. A process of its own, so that a program
 * may end while its module is still being compiled, and whatever happens in LLVM does not happen to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/own_folder.h"
#include "wasm/native_plugin.h"

enum { REQUEST_MAX = 1 << 30 };

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

int main(void)
{
    base_buffer in = {0}, head = {0};
    wisp_native_request request;
    uint32_t *replaceable = NULL;
    wisp_report report = {0};
    os_child_end_with_parent();
    if (!read_all(&in)) return 1;
    wisp_status status = wasm_native_request_read(&request, &replaceable, (base_span){in.data, in.size}, &report);
    if (status == WISP_OK)
        status = (wisp_status)wisp_native_compile(&request);
    else
        memcpy(request.text, report.text, sizeof request.text);
    wasm_native_answer_write(&head, status, &request);
    bool ok = !head.failed && write_all(head.data, head.size) &&
              (status != WISP_OK || write_all(request.image, request.image_size));
    _exit(ok ? 0 : 1); /* LLVM has nothing to say at the end */
}
