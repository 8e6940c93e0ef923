/* Requests to the native compiler as bytes. */
#include <string.h>

#include "base/mem.h"
#include "native_build.h"
#include "wasm/native_plugin.h"

enum { BUILD_BYTES = 64 };

const char *wasm_native_build(void)
{
    return WASM_NATIVE_BUILD;
}

void wasm_native_request_write(base_buffer *head, const wisp_native_request *request)
{
    base_put_u32(head, request->version);
    base_put(head, request->build, BUILD_BYTES);
    base_put_u32(head, request->target);
    base_put_u32(head, request->flags);
    base_put_u32(head, request->threads);
    base_put_u32(head, request->replaceable_count);
    for (uint32_t i = 0; i < request->replaceable_count; i++)
        base_put_u32(head, request->replaceable[i]);
}

wisp_status wasm_native_request_read(wisp_native_request *request, uint32_t **replaceable, base_span bytes,
                                     wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    *request = (wisp_native_request){.version = base_read_u32(&r)};
    base_span build = base_read_span(&r, BUILD_BYTES);
    if (build.data) memcpy(request->build, build.data, BUILD_BYTES);
    request->target = base_read_u32(&r);
    request->flags = base_read_u32(&r);
    request->threads = base_read_u32(&r);
    request->replaceable_count = base_read_u32(&r);
    if (r.failed || !base_can_hold(&r, request->replaceable_count, 4))
        return base_fail(report, WISP_E_INPUT, "native code: a malformed request");
    *replaceable = base_realloc_array(NULL, request->replaceable_count, sizeof **replaceable);
    if (!*replaceable) return base_fail(report, WISP_E_MEMORY, "native code: out of memory");
    for (uint32_t i = 0; i < request->replaceable_count; i++)
        (*replaceable)[i] = base_read_u32(&r);
    request->replaceable = *replaceable;
    request->module = r.at;
    request->module_size = base_left(&r);
    return WISP_OK;
}

void wasm_native_answer_write(base_buffer *head, wisp_status status, const wisp_native_request *request)
{
    base_put_u32(head, (uint32_t)status);
    base_put_u64(head, status == WISP_OK ? request->image_size : strlen(request->text));
    if (status != WISP_OK) base_put_text(head, request->text);
}

wisp_status wasm_native_answer_read(base_span *image, base_span bytes, wisp_report *report)
{
    base_reader r = base_reader_of(bytes.data, bytes.size);
    uint32_t status = base_read_u32(&r);
    uint64_t size = base_read_u64(&r);
    if (r.failed || size != base_left(&r))
        return base_fail(report, WISP_E_INTERNAL, "native code: the compiler ended without an answer");
    base_span rest = {r.at, base_left(&r)};
    *image = rest;
    if (status == WISP_OK) return WISP_OK;
    return base_fail(report, (wisp_status)status, "%.*s", (int)(rest.size < 400 ? rest.size : 400),
                     (const char *)rest.data);
}
