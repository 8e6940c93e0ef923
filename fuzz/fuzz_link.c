/* Reaches: wasm_link, link_object_read (sections, symbols, names), link_relocate (both targets), wasm_native_read on
 * what was linked. Input: a byte (1: aarch64; how many functions and types), the first object's size (u16), and one or
 * two ELF objects. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wasm/native/link.h"
#include "wasm/native_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static base_span copy_of(const uint8_t *data, size_t size)
{
    uint8_t *copy = base_alloc_aligned(16, size ? size : 1); /* of the exact size, and aligned as LLVM's buffers are */
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    return (base_span){copy, size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) return 0;
    const size_t rest = size - 3, wanted = data[1] | (size_t)data[2] << 8, first = wanted < rest ? wanted : rest;
    const base_span objects[2] = {copy_of(data + 3, first), copy_of(data + 3 + first, rest - first)};
    const wasm_link_input input = {.objects = objects,
                                   .object_count = first < rest ? 2 : 1,
                                   .target = data[0] & 1 ? WASM_TARGET_AARCH64 : WASM_TARGET_X86_64_V2,
                                   .first_func = 3,
                                   .func_count = data[0] >> 1 & 7,
                                   .type_count = data[0] >> 4 & 7};
    base_buffer image = {0};
    wisp_report report = {0};
    if (wasm_link(&image, &input, &report) == WISP_OK) {
        wasm_native_code code;
        const base_span mapped = copy_of(image.data, image.size);
        if (wasm_native_read(&code, mapped, &report) != WISP_OK) abort();
        base_free((void *)mapped.data);
    } else if (report.status == WISP_OK || !report.text[0]) {
        abort();
    }
    base_buffer_fini(&image);
    for (int i = 0; i < 2; i++)
        base_free((void *)objects[i].data);
    return 0;
}
