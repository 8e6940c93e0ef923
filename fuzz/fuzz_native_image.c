/* Must reach: wasm_native_read (parts_fit, check_tables), wasm_native_fits, wasm_native_request_read,
 * wasm_native_answer_add, wasm_native_answer_take. */
#include <stdlib.h>

#include "base/mem.h"
#include "wasm/native_load.h"
#include "wasm/native_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) abort();
}

/* What the machine relies on in an image that was accepted. */
static void check(const wasm_native_code *code, size_t size)
{
    const wasm_native_header *h = &code->header;
    const uint32_t *tables = code->func_offsets;
    must(h->text_offset <= size && h->text_size <= size - h->text_offset);
    must(h->rodata_offset <= size && h->rodata_size <= size - h->rodata_offset);
    must(h->text_offset + h->text_size <= h->rodata_offset);
    must((const uint8_t *)(code->entry_offsets + h->type_count) <= code->base + h->text_offset);
    for (uint32_t i = 0; i < h->func_count; i++)
        must(tables[i] >= h->text_offset && tables[i] <= tables[i + 1] && tables[i] < h->text_offset + h->text_size);
    for (uint32_t i = 0; i < h->type_count; i++)
        must(code->entry_offsets[i] == WASM_NATIVE_NO_ENTRY ||
             (code->entry_offsets[i] >= h->text_offset && code->entry_offsets[i] < h->text_offset + h->text_size));
}

/* As a request of this build: no input could know its digits. */
static void ask(base_span bytes)
{
    base_buffer whole = {0};
    wasm_native_request request;
    uint32_t *replaceable = NULL;
    base_put_text(&whole, wasm_native_build());
    base_put(&whole, bytes.data, bytes.size);
    if (wasm_native_request_read(&request, &replaceable, (base_span){whole.data, whole.size}, NULL) == WISP_OK) {
        must(request.options.replaceable == replaceable);
        must(request.module.size + 4 * (size_t)request.options.replaceable_count + 16 == bytes.size);
        must(!request.module.size || request.module.data + request.module.size == whole.data + whole.size);
    }
    base_free(replaceable);
    base_buffer_fini(&whole);
}

/* In two pieces: any of the first few bytes may end one. */
static void hear(base_span bytes)
{
    base_buffer image = {0};
    wasm_native_answer answer = {0};
    const size_t first = bytes.size ? bytes.data[bytes.size - 1] % (bytes.size < 64 ? bytes.size : 64) : 0;
    if (wasm_native_answer_add(&answer, (base_span){bytes.data, first}, NULL) == WISP_OK &&
        wasm_native_answer_add(&answer, (base_span){bytes.data + first, bytes.size - first}, NULL) == WISP_OK &&
        wasm_native_answer_take(&answer, &image, NULL) == WISP_OK)
        must(image.size <= bytes.size);
    base_buffer_fini(&image);
    base_buffer_fini(&answer.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const wasm_native_wanted wanted;
    wisp_report report = {0};
    wasm_native_request request;
    uint32_t *replaceable = NULL;
    wasm_native_code code;
    uint8_t *copy = base_alloc_aligned(16, size + 1); /* as mapped: aligned */
    if (!copy) return 0;
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    if (wasm_native_read(&code, (base_span){copy, size}, &report) == WISP_OK) check(&code, size);
    (void)!wasm_native_check((base_span){copy, size}, &wanted, NULL);
    if (wasm_native_request_read(&request, &replaceable, (base_span){copy, size}, NULL) == WISP_OK)
        must(request.module.size <= size);
    base_free(replaceable);
    ask((base_span){copy, size});
    hear((base_span){copy, size});
    base_free(copy);
    return 0;
}
