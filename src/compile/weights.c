/* The bytes of tensors: looked at, re-laid, handed on. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "compile/convert.h"
#include "tensor/layout.h"

enum { PIECE_BYTES = 1 << 20, NO_SCALE = 0xff };

/* Where the F16 scales of a block lie; types whose blocks have none of that form are copied unseen. */
static const struct {
    uint8_t type, first, second;
} scales[] = {
    {2, 0, NO_SCALE},    /* Q4_0: d, 16 bytes */
    {3, 0, 2},           /* Q4_1: d, m */
    {6, 0, NO_SCALE},    /* Q5_0 */
    {7, 0, 2},           /* Q5_1 */
    {8, 0, NO_SCALE},    /* Q8_0 */
    {10, 80, 82},        /* Q2_K: scales, quants, d, dmin */
    {11, 108, NO_SCALE}, /* Q3_K */
    {12, 0, 2},          /* Q4_K: d, dmin */
    {13, 0, 2},          /* Q5_K */
    {14, 208, NO_SCALE}, /* Q6_K: d is last */
    {16, 0, NO_SCALE},   /* IQ2_XXS */
    {17, 0, NO_SCALE},   /* IQ2_XS */
    {18, 0, NO_SCALE},   /* IQ3_XXS */
    {19, 0, NO_SCALE},   /* IQ1_S */
    {20, 0, NO_SCALE},   /* IQ4_NL */
    {21, 0, NO_SCALE},   /* IQ3_S */
    {22, 0, NO_SCALE},   /* IQ2_S */
    {23, 0, NO_SCALE},   /* IQ4_XS */
    {34, 52, NO_SCALE},  /* TQ1_0: d is last */
    {35, 64, NO_SCALE},  /* TQ2_0 */
};

static uint16_t load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static bool bad_half(const uint8_t *p)
{
    return (load16(p) & 0x7c00) == 0x7c00;
}

/* Index of the first element of 2 bytes above `largest` (its sign cleared), count if there is none. The loop over a
 * piece has no branch, so that it runs at memory speed. */
static uint64_t first_above16(const uint8_t *p, uint64_t count, uint16_t largest)
{
    for (uint64_t at = 0; at < count; at += 4096) {
        uint64_t n = count - at < 4096 ? count - at : 4096;
        unsigned bad = 0;
        for (uint64_t i = 0; i < n; i++)
            bad |= (load16(p + 2 * (at + i)) & 0x7fff) > largest;
        for (uint64_t i = 0; bad && i < n; i++)
            if ((load16(p + 2 * (at + i)) & 0x7fff) > largest) return at + i;
    }
    return count;
}

static uint64_t first_nan32(const uint8_t *p, uint64_t count)
{
    for (uint64_t at = 0; at < count; at += 4096) {
        uint64_t n = count - at < 4096 ? count - at : 4096;
        uint32_t largest = 0;
        for (uint64_t i = 0; i < n; i++) {
            uint32_t v;
            memcpy(&v, p + 4 * (at + i), sizeof v);
            v &= 0x7fffffff;
            largest = v > largest ? v : largest;
        }
        for (uint64_t i = 0; largest > 0x7f800000 && i < n; i++) {
            uint32_t v;
            memcpy(&v, p + 4 * (at + i), sizeof v);
            if ((v & 0x7fffffff) > 0x7f800000) return at + i;
        }
    }
    return count;
}

static wisp_status check_plain(const char *tensor, uint32_t type, base_span bytes, uint64_t element,
                               wisp_report *report)
{
    uint64_t count = bytes.size / (type == WISP_F32 ? 4 : 2), found;
    if (type == WISP_F32)
        found = first_nan32(bytes.data, count);
    else
        found = first_above16(bytes.data, count, type == WISP_F16 ? 0x7c00 : 0x7f80);
    if (found == count) return WISP_OK;
    return base_fail(report, WISP_E_INPUT, "tensor '%s': element %" PRIu64 " is not a number", tensor, element + found);
}

wisp_status compile_check_values(const char *tensor, uint32_t type, base_span bytes, uint64_t block,
                                 wisp_report *report)
{
    if (type == WISP_F32 || type == WISP_F16 || type == WISP_BF16)
        return check_plain(tensor, type, bytes, block, report);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        if (scales[i].type != type) continue;
        const size_t size = compile_gguf_type_find(type)->block_bytes, first = scales[i].first;
        const size_t second = scales[i].second == NO_SCALE ? first : scales[i].second;
        for (size_t n = 0; n < bytes.size / size; n++)
            if (bad_half(bytes.data + n * size + first) || bad_half(bytes.data + n * size + second))
                return base_fail(report, WISP_E_INPUT,
                                 "tensor '%s': the scale of block %" PRIu64 " is not a finite number", tensor,
                                 block + n);
    }
    return WISP_OK;
}

static wisp_status stream_plain(const compile_weight *w, base_span bytes, const compile_put *to, wisp_report *report)
{
    const compile_gguf_type *type = compile_gguf_type_find(w->source_type);
    const size_t piece = PIECE_BYTES / type->block_bytes * type->block_bytes;
    for (size_t at = 0, n; at < bytes.size; at += n) {
        n = bytes.size - at < piece ? bytes.size - at : piece;
        base_span part = {bytes.data + at, n};
        BASE_TRY(compile_check_values(w->name, w->source_type, part, at / type->block_bytes, report));
        BASE_TRY(to->put(to->self, part.data, n, n, report));
    }
    return WISP_OK;
}

/* Group by group of rows, as many at a time as fill a small buffer. */
static wisp_status stream_packed(const compile_weight *w, base_span bytes, const compile_put *to, wisp_report *report)
{
    const uint64_t cols = w->shape[0], rows = w->source->elements / cols,
                   group_bytes = tensor_group_bytes(w->layout, cols);
    const compile_gguf_type *type = compile_gguf_type_find(w->source_type);
    const size_t row_bytes = (size_t)(cols / type->block * type->block_bytes);
    const uint64_t at_once = group_bytes < PIECE_BYTES / 4 ? PIECE_BYTES / 4 / group_bytes : 1;
    uint8_t *out = base_alloc_aligned(64, at_once * group_bytes);
    if (!out) return base_fail(report, WISP_E_MEMORY, "tensor '%s': out of memory", w->name);
    wisp_status status = WISP_OK;
    for (uint64_t row = 0; row < rows && !status;) {
        const uint64_t first = row;
        size_t filled = 0;
        for (uint64_t g = 0; g < at_once && row < rows && !status; g++) {
            uint32_t count = rows - row < TENSOR_ROW_GROUP ? (uint32_t)(rows - row) : TENSOR_ROW_GROUP;
            base_span part = {bytes.data + row * row_bytes, count * row_bytes};
            status = compile_check_values(w->name, w->source_type, part, row * (cols / type->block), report);
            if (!status) tensor_pack_group(w->layout, part.data, count, cols, out + filled);
            filled += group_bytes;
            row += count;
        }
        if (!status) status = to->put(to->self, out, filled, (row - first) * row_bytes, report);
    }
    base_free(out);
    return status;
}

wisp_status compile_stream_weight(const compile_source *source, const compile_weight *w, const compile_put *to,
                                  wisp_report *report)
{
    if (w->made) return to->put(to->self, w->made, w->size, 0, report);
    base_span bytes;
    BASE_TRY(source->tensor(source->self, w->source, &bytes, report));
    return w->layout == w->source_type ? stream_plain(w, bytes, to, report) : stream_packed(w, bytes, to, report);
}
