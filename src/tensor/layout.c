/* GGUF blocks <-> row groups of 16. The byte layouts: tensor/layout.h; the GGUF side: ggml-common.h of llama.cpp. */
#include "tensor/layout.h"

#include <string.h>

#include "base/err.h"

enum { ROWS = TENSOR_ROW_GROUP };

/* ---- nibble units: byte 4r+j of unit c: K = 8c+j low, 8c+4+j high ---- */
static void put_nibbles(uint8_t *units, uint32_t r, const uint8_t *q, uint32_t k)
{
    for (uint32_t c = 0; c < k / 8; c++) { /* four bytes at a time: packing keeps up with the disk */
        uint32_t low, high;
        memcpy(&low, q + 8 * c, 4);
        memcpy(&high, q + 8 * c + 4, 4);
        low = (low & 0x0f0f0f0f) | (high & 0x0f0f0f0f) << 4;
        memcpy(units + c * 64 + 4 * r, &low, 4);
    }
}

static void get_nibbles(const uint8_t *units, uint32_t r, uint8_t *q, uint32_t k)
{
    for (uint32_t c = 0; c < k / 8; c++) {
        uint32_t both, low, high;
        memcpy(&both, units + c * 64 + 4 * r, 4);
        low = both & 0x0f0f0f0f;
        high = both >> 4 & 0x0f0f0f0f;
        memcpy(q + 8 * c, &low, 4);
        memcpy(q + 8 * c + 4, &high, 4);
    }
}

/* ---- Q4_0: F16 d, 16 bytes; byte j: K = j low, j + 16 high ---- */
static void q4_0_to_group(const uint8_t *in, uint8_t *scales, uint8_t *units, uint32_t r)
{
    uint8_t q[32];
    for (uint32_t j = 0; j < 16; j++) {
        q[j] = in[2 + j] & 15;
        q[16 + j] = in[2 + j] >> 4;
    }
    memcpy(scales + 2 * r, in, 2);
    put_nibbles(units, r, q, 32);
}

static void q4_0_from_group(uint8_t *out, const uint8_t *scales, const uint8_t *units, uint32_t r)
{
    uint8_t q[32];
    get_nibbles(units, r, q, 32);
    memcpy(out, scales + 2 * r, 2);
    for (uint32_t j = 0; j < 16; j++)
        out[2 + j] = (uint8_t)(q[j] | q[16 + j] << 4);
}

/* ---- Q8_0: F16 d, 32 signed bytes ---- */
static void q8_0_to_group(const uint8_t *in, uint8_t *scales, uint8_t *units, uint32_t r)
{
    memcpy(scales + 2 * r, in, 2);
    for (uint32_t c = 0; c < 8; c++)
        memcpy(units + c * 64 + 4 * r, in + 2 + 4 * c, 4);
}

static void q8_0_from_group(uint8_t *out, const uint8_t *scales, const uint8_t *units, uint32_t r)
{
    memcpy(out, scales + 2 * r, 2);
    for (uint32_t c = 0; c < 8; c++)
        memcpy(out + 2 + 4 * c, units + c * 64 + 4 * r, 4);
}

/* ---- Q4_K: F16 d, F16 dmin, 12 bytes of 6-bit scales and mins, 128 bytes; of each 32 bytes the low nibbles are one
 * sub-block of 32, the high nibbles the next ---- */
static void q4_k_to_group(const uint8_t *in, uint8_t *out, uint32_t r)
{
    const uint8_t *s = in + 4, *qs = in + 16;
    memcpy(out + 2 * r, in, 2);
    memcpy(out + 32 + 2 * r, in + 2, 2);
    for (uint32_t j = 0; j < 8; j++) {
        uint8_t *scale = out + 64 + j * 32 + r, *min = scale + 16, q[32];
        *scale = (uint8_t)(j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4);
        *min = (uint8_t)(j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4);
        for (uint32_t i = 0; i < 32; i++)
            q[i] = qs[j / 2 * 32 + i] >> (j % 2 * 4) & 15;
        put_nibbles(out + 320 + j * 256, r, q, 32);
    }
}

static void q4_k_from_group(uint8_t *out, const uint8_t *in, uint32_t r)
{
    uint8_t *s = out + 4, *qs = out + 16, sc[8], m[8];
    memset(out, 0, 144);
    memcpy(out, in + 2 * r, 2);
    memcpy(out + 2, in + 32 + 2 * r, 2);
    for (uint32_t j = 0; j < 8; j++) {
        uint8_t q[32];
        sc[j] = in[64 + j * 32 + r];
        m[j] = in[64 + j * 32 + 16 + r];
        get_nibbles(in + 320 + j * 256, r, q, 32);
        for (uint32_t i = 0; i < 32; i++)
            qs[j / 2 * 32 + i] |= (uint8_t)(q[i] << (j % 2 * 4));
    }
    for (uint32_t j = 0; j < 4; j++) {
        s[j] = (uint8_t)((sc[j] & 63) | sc[j + 4] >> 4 << 6);
        s[j + 4] = (uint8_t)((m[j] & 63) | m[j + 4] >> 4 << 6);
        s[j + 8] = (uint8_t)((sc[j + 4] & 15) | m[j + 4] << 4);
    }
}

/* ---- Q6_K: ql[128], qh[64], s8 scales[16], F16 d. Of each half of 128: byte l of qh has the high bits of K = l,
 * l + 32, l + 64, l + 96; their low nibbles are ql[l] low, ql[l + 32] low, ql[l] high, ql[l + 32] high ---- */
/* The high unit of K = 16c … 16c + 15. */
static uint8_t *high_unit(uint8_t *group, uint32_t c)
{
    return group + TENSOR_Q6_K_HIGH + c / 2 * TENSOR_Q6_K_STEP + c % 2 * 64;
}

static void q6_k_to_group(const uint8_t *in, uint8_t *out, uint32_t r)
{
    uint8_t q[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t half = i / 128, part = i % 128 / 32, l = i % 32;
        uint32_t low = in[half * 64 + part % 2 * 32 + l] >> (part / 2 * 4) & 15;
        q[i] = (uint8_t)(low | (in[128 + half * 32 + l] >> (2 * part) & 3) << 4);
    }
    memcpy(out + 2 * r, in + 208, 2);
    for (uint32_t j = 0; j < 16; j++)
        out[64 + j * 16 + r] = in[192 + j];
    for (uint32_t i = 0; i < 8; i++) /* 32 K at a time; put_nibbles takes the low 4 bits of each */
        put_nibbles(out + TENSOR_Q6_K_LOW + i * TENSOR_Q6_K_STEP, r, q + 32 * i, 32);
    for (uint32_t c = 0; c < 16; c++)
        for (uint32_t j = 0; j < 4; j++) {
            const uint8_t *p = q + 16 * c + j;
            high_unit(out, c)[4 * r + j] = (uint8_t)(p[0] >> 4 | p[4] >> 4 << 2 | p[8] >> 4 << 4 | p[12] >> 4 << 6);
        }
}

static void q6_k_from_group(uint8_t *out, const uint8_t *in, uint32_t r)
{
    uint8_t q[256];
    for (uint32_t i = 0; i < 8; i++)
        get_nibbles(in + TENSOR_Q6_K_LOW + i * TENSOR_Q6_K_STEP, r, q + 32 * i, 32);
    memset(out, 0, 210);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t bits = high_unit((uint8_t *)(uintptr_t)in, i / 16)[4 * r + i % 4] >> (i % 16 / 4 * 2) & 3;
        uint32_t half = i / 128, part = i % 128 / 32, l = i % 32;
        out[half * 64 + part % 2 * 32 + l] |= (uint8_t)(q[i] << (part / 2 * 4));
        out[128 + half * 32 + l] |= (uint8_t)(bits << (2 * part));
    }
    for (uint32_t j = 0; j < 16; j++)
        out[192 + j] = in[64 + j * 16 + r];
    memcpy(out + 208, in + 2 * r, 2);
}

/* Where block b of a Q4_0_R16 or Q8_0_R16 group has its scales and units. `blocks` in the group. */
static void locate(uint64_t b, uint64_t unit_bytes, size_t *scales, size_t *units)
{
    size_t pair = (size_t)(b / 2 * (64 + 2 * unit_bytes));
    *scales = pair + (b % 2) * 32;
    *units = pair + 64 + (size_t)((b % 2) * unit_bytes);
}

static void pack_block(uint32_t type, const uint8_t *in, uint64_t b, uint32_t r, uint8_t *out)
{
    size_t s, u;
    switch (type) {
    case WISP_Q4_0_R16:
        locate(b, 256, &s, &u), q4_0_to_group(in, out + s, out + u, r);
        break;
    case WISP_Q8_0_R16:
        locate(b, 512, &s, &u), q8_0_to_group(in, out + s, out + u, r);
        break;
    case WISP_Q4_K_R16:
        q4_k_to_group(in, out + b * TENSOR_Q4_K_GROUP, r);
        break;
    case WISP_Q6_K_R16:
        q6_k_to_group(in, out + b * TENSOR_Q6_K_GROUP, r);
        break;
    default:
        BASE_ASSERT(!"a packed type");
    }
}

void tensor_unpack_block(uint32_t type, const void *group, uint64_t b, uint32_t r, void *block)
{
    const uint8_t *in = group;
    size_t s, u;
    switch (type) {
    case WISP_Q4_0_R16:
        locate(b, 256, &s, &u), q4_0_from_group(block, in + s, in + u, r);
        break;
    case WISP_Q8_0_R16:
        locate(b, 512, &s, &u), q8_0_from_group(block, in + s, in + u, r);
        break;
    case WISP_Q4_K_R16:
        q4_k_from_group(block, in + b * TENSOR_Q4_K_GROUP, r);
        break;
    case WISP_Q6_K_R16:
        q6_k_from_group(block, in + b * TENSOR_Q6_K_GROUP, r);
        break;
    default:
        BASE_ASSERT(!"a packed type");
    }
}

void tensor_pack_rows(uint32_t packed_type, const void *rows, uint64_t stride, uint32_t count, uint64_t cols, void *out)
{
    const tensor_type_info *packed = tensor_type_find(packed_type);
    BASE_ASSERT(packed && packed->source != packed_type && count <= ROWS);
    const tensor_type_info *source = tensor_type_find(packed->source);
    memset(out, 0, (size_t)tensor_group_bytes(packed_type, cols));
    for (uint64_t b = 0; b < cols / source->block; b++)
        for (uint32_t r = 0; r < count; r++)
            pack_block(packed_type, (const uint8_t *)rows + r * stride + b * source->block_bytes, b, r, out);
}

void tensor_pack_group(uint32_t packed_type, const void *rows, uint32_t count, uint64_t cols, void *out)
{
    uint64_t stride;
    bool known = tensor_row_bytes(tensor_type_find(packed_type)->source, cols, &stride);
    BASE_ASSERT(known);
    tensor_pack_rows(packed_type, rows, stride, count, cols, out);
}

void tensor_unpack_group(uint32_t packed_type, const void *group, uint32_t count, uint64_t cols, void *rows)
{
    const tensor_type_info *packed = tensor_type_find(packed_type);
    BASE_ASSERT(packed && packed->source != packed_type && count <= ROWS);
    const tensor_type_info *source = tensor_type_find(packed->source);
    uint64_t blocks = cols / source->block;
    for (uint64_t b = 0; b < blocks; b++)
        for (uint32_t r = 0; r < count; r++)
            tensor_unpack_block(packed_type, group, b, r, (uint8_t *)rows + (r * blocks + b) * source->block_bytes);
}
