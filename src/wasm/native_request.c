/* Requests to the native compiler, and its answers, as bytes. */
#include "wasm/native_request.h"

#include <string.h>

#include "base/mem.h"
#include "native_build.h"
#include "os/os.h"

enum { BUILD_BYTES = 64, HEAD_BYTES = 12, TEXT_MAX = 400 };
static const uint64_t image_max = 1ull << 30;

const char *wasm_native_build(void)
{
    return WASM_NATIVE_BUILD;
}

/* ---- limits ---- */

uint64_t wasm_native_memory_limit(void)
{
    const uint64_t half = os_physical_memory_bytes() / 2, least = 1ull << 30, most = 8ull << 30;
    return half < least ? least : half < most ? half : most;
}

uint64_t wasm_native_cpu_limit(uint64_t module_size)
{
    return 300 + module_size / 1000;
}

/* ---- requests ---- */

void wasm_native_request_write(base_buffer *head, const wasm_native_request *request)
{
    base_put(head, wasm_native_build(), BUILD_BYTES);
    base_put_u32(head, request->options.target);
    base_put_u32(head, request->options.flags);
    base_put_u32(head, request->threads);
    base_put_u32(head, request->options.replaceable_count);
    for (uint32_t i = 0; i < request->options.replaceable_count; i++)
        base_put_u32(head, request->options.replaceable[i]);
}

wisp_status wasm_native_request_read(wasm_native_request *request, uint32_t **replaceable, base_span bytes,
                                     wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    base_span build = base_read_span(&r, BUILD_BYTES);
    if (build.data && memcmp(build.data, wasm_native_build(), BUILD_BYTES) != 0)
        return base_fail(report, WISP_E_UNSUPPORTED, "the native compiler is of another build of WISP");
    *request = (wasm_native_request){.options.target = base_read_u32(&r)};
    request->options.flags = base_read_u32(&r);
    request->threads = base_read_u32(&r);
    const uint32_t count = base_read_u32(&r);
    if (r.failed || !base_can_hold(&r, count, 4))
        return base_fail(report, WISP_E_INPUT, "native code: a malformed request");
    *replaceable = base_realloc_array(NULL, count, sizeof **replaceable);
    if (!*replaceable) return base_fail(report, WISP_E_MEMORY, "native code: out of memory");
    for (uint32_t i = 0; i < count; i++)
        (*replaceable)[i] = base_read_u32(&r);
    request->options.replaceable = *replaceable;
    request->options.replaceable_count = count;
    request->module = (base_span){r.at, base_left(&r)};
    return WISP_OK;
}

/* ---- answers ---- */

static void put_head(base_buffer *out, uint32_t kind, uint64_t size)
{
    base_put_u32(out, kind);
    base_put_u64(out, size);
}

void wasm_native_put_progress(base_buffer *out, uint64_t done, uint64_t total)
{
    put_head(out, WASM_NATIVE_PROGRESS, 16);
    base_put_u64(out, done);
    base_put_u64(out, total);
}

void wasm_native_put_image_head(base_buffer *out, uint64_t size)
{
    put_head(out, WASM_NATIVE_IMAGE, size);
}

void wasm_native_put_failure(base_buffer *out, wisp_status status, const char *text)
{
    put_head(out, WASM_NATIVE_FAILURE, 4 + strlen(text));
    base_put_u32(out, (uint32_t)status);
    base_put_text(out, text);
}

static wisp_status malformed(wisp_report *report)
{
    return base_fail(report, WISP_E_INTERNAL, "the native compiler gave no answer of its kind: is it of this build?");
}

wisp_status wasm_native_answer_add(wasm_native_answer *answer, base_span bytes, wisp_report *report)
{
    base_put(&answer->bytes, bytes.data, bytes.size);
    if (answer->bytes.failed) return base_fail(report, WISP_E_MEMORY, "out of memory for native code");
    while (!answer->complete && answer->bytes.size - answer->at >= HEAD_BYTES) {
        base_reader r = base_reader_of(answer->bytes.data + answer->at, answer->bytes.size - answer->at);
        const uint32_t kind = base_read_u32(&r);
        const uint64_t size = base_read_u64(&r);
        const bool progress = kind == WASM_NATIVE_PROGRESS && size == 16;
        const bool failure = kind == WASM_NATIVE_FAILURE && size >= 4 && size <= sizeof report->text + 4;
        if (!progress && !failure && !(kind == WASM_NATIVE_IMAGE && size <= image_max)) return malformed(report);
        if (base_left(&r) < size) break;
        if (!progress && base_left(&r) > size) return malformed(report);
        answer->complete = !progress;
        if (!progress) break;
        answer->done = base_read_u64(&r);
        answer->total = base_read_u64(&r);
        answer->at += HEAD_BYTES + 16;
    }
    return WISP_OK;
}

wisp_status wasm_native_answer_take(wasm_native_answer *answer, base_buffer *image, wisp_report *report)
{
    if (!answer->complete) return malformed(report); /* perhaps without a byte */
    base_reader r = base_reader_of(answer->bytes.data + answer->at, answer->bytes.size - answer->at);
    const uint32_t kind = base_read_u32(&r);
    const uint64_t size = base_read_u64(&r);
    if (kind == WASM_NATIVE_FAILURE) {
        const uint32_t status = base_read_u32(&r);
        base_span text = base_read_span(&r, size - 4);
        return base_fail(report, status ? (wisp_status)status : WISP_E_INTERNAL, "%.*s",
                         (int)(text.size < TEXT_MAX ? text.size : TEXT_MAX), (const char *)text.data);
    }
    *image = answer->bytes;
    answer->bytes = (base_buffer){0};
    image->size = (size_t)size;
    memmove(image->data, image->data + answer->at + HEAD_BYTES, image->size);
    return WISP_OK;
}
