/* GGUF blocks <-> row groups of 16. The byte layouts: tensor/layout.h; the GGUF side: ggml-common.h of llama.cpp. */
#include "tensor/layout.h"

#include <string.h>

#include "base/err.h"
#include "tensor/blocks.h"

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

/* ---- a unit of fifth bits: byte 4r+j, bit n: K = 4n + j ---- */
static void put_fifth(uint8_t *unit, uint32_t r, const uint8_t *q)
{
    for (uint32_t i = 0; i < 32; i++)
        unit[4 * r + i % 4] |= (uint8_t)((q[i] >> 4 & 1) << i / 4);
}

static void get_fifth(const uint8_t *unit, uint32_t r, uint8_t *q)
{
    for (uint32_t i = 0; i < 32; i++)
        q[i] |= (uint8_t)((unit[4 * r + i % 4] >> i / 4 & 1) << 4);
}

/* ---- blocks of 32 nibbles: scales, perhaps 32 fifth bits, 16 bytes; byte j: K = j low, j + 16 high ---- */
typedef struct nibble_shape {
    uint32_t type;
    uint8_t per;         /* blocks of a set: 64 bytes of scales, then their units */
    uint8_t scale_bytes; /* of a scale; with one block a set there are two */
    uint8_t fifth;       /* where the fifth bits are, 0: nowhere */
    uint8_t nibbles;
} nibble_shape;

static const nibble_shape nibble_shapes[] = {
    {WISP_Q4_0_R16, 2, 2, 0, 2}, {WISP_Q4_1_R16, 1, 2, 0, 4},   {WISP_Q5_0_R16, 2, 2, 2, 6},
    {WISP_Q5_1_R16, 1, 2, 4, 8}, {WISP_IQ4_NL_R16, 2, 2, 0, 2}, {WISP_MXFP4_R16, 4, 1, 0, 1},
};

static const nibble_shape *nibble_shape_of(uint32_t type)
{
    for (size_t i = 0; i < sizeof nibble_shapes / sizeof *nibble_shapes; i++)
        if (nibble_shapes[i].type == type) return &nibble_shapes[i];
    return NULL;
}

/* Where block b of a group has its scales and its units. */
static void place_of(const nibble_shape *s, uint64_t b, size_t *scales, size_t *units)
{
    const size_t size = s->fifth ? 320 : 256, set = (size_t)(b / s->per) * (64 + s->per * size), i = b % s->per;
    *scales = set + i * (64u / s->per);
    *units = set + 64 + i * size;
}

static void nibbles_to_group(const nibble_shape *s, const uint8_t *in, uint64_t b, uint32_t r, uint8_t *out)
{
    size_t scales, units;
    uint8_t q[32];
    place_of(s, b, &scales, &units);
    memcpy(out + scales + s->scale_bytes * r, in, s->scale_bytes);
    if (s->per == 1) memcpy(out + scales + 32 + 2 * r, in + 2, 2);
    for (uint32_t j = 0; j < 16; j++) {
        q[j] = in[s->nibbles + j] & 15;
        q[16 + j] = in[s->nibbles + j] >> 4;
    }
    put_nibbles(out + units, r, q, 32);
    if (!s->fifth) return;
    for (uint32_t i = 0; i < 32; i++)
        q[i] = (uint8_t)((in[s->fifth + i / 8] >> i % 8 & 1) << 4);
    put_fifth(out + units + 256, r, q);
}

static void nibbles_from_group(const nibble_shape *s, uint8_t *out, const uint8_t *in, uint64_t b, uint32_t r)
{
    size_t scales, units;
    uint8_t q[32];
    place_of(s, b, &scales, &units);
    memset(out, 0, s->nibbles);
    memcpy(out, in + scales + s->scale_bytes * r, s->scale_bytes);
    if (s->per == 1) memcpy(out + 2, in + scales + 32 + 2 * r, 2);
    get_nibbles(in + units, r, q, 32);
    for (uint32_t j = 0; j < 16; j++)
        out[s->nibbles + j] = (uint8_t)(q[j] | q[16 + j] << 4);
    if (!s->fifth) return;
    get_fifth(in + units + 256, r, q);
    for (uint32_t i = 0; i < 32; i++)
        out[s->fifth + i / 8] |= (uint8_t)((q[i] >> 4 & 1) << i % 8);
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

/* ---- Q4_K, Q5_K: F16 d, F16 dmin, 12 bytes of 6-bit scales and mins, Q5_K: 32 bytes of fifth bits (bit n of byte l: K
 * = 32n + l), 128 bytes; of each 32 bytes the low nibbles are one sub-block of 32, the high nibbles the next ---- */
static void k_to_group(const uint8_t *in, bool fifth, uint8_t *out, uint32_t r)
{
    const uint8_t *s = in + 4, *qs = in + (fifth ? 48 : 16);
    const uint32_t step = fifth ? 320 : 256;
    memcpy(out + 2 * r, in, 2);
    memcpy(out + 32 + 2 * r, in + 2, 2);
    for (uint32_t j = 0; j < 8; j++) {
        uint8_t *scale = out + 64 + j * 32 + r, *min = scale + 16, *units = out + 320 + j * step, q[32];
        *scale = (uint8_t)(j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4);
        *min = (uint8_t)(j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4);
        for (uint32_t i = 0; i < 32; i++)
            q[i] = (uint8_t)((qs[j / 2 * 32 + i] >> (j % 2 * 4) & 15) | (fifth ? (in[16 + i] >> j & 1) << 4 : 0));
        put_nibbles(units, r, q, 32);
        if (fifth) put_fifth(units + 256, r, q);
    }
}

static void k_from_group(uint8_t *out, bool fifth, const uint8_t *in, uint32_t r)
{
    uint8_t *s = out + 4, *qs = out + (fifth ? 48 : 16), sc[8], m[8];
    const uint32_t step = fifth ? 320 : 256;
    memset(out, 0, fifth ? 176 : 144);
    memcpy(out, in + 2 * r, 2);
    memcpy(out + 2, in + 32 + 2 * r, 2);
    for (uint32_t j = 0; j < 8; j++) {
        uint8_t q[32];
        sc[j] = in[64 + j * 32 + r];
        m[j] = in[64 + j * 32 + 16 + r];
        get_nibbles(in + 320 + j * step, r, q, 32);
        if (fifth) get_fifth(in + 320 + j * step + 256, r, q);
        for (uint32_t i = 0; i < 32; i++) {
            qs[j / 2 * 32 + i] |= (uint8_t)((q[i] & 15) << (j % 2 * 4));
            if (fifth) out[16 + i] |= (uint8_t)(q[i] >> 4 << j);
        }
    }
    for (uint32_t j = 0; j < 4; j++) {
        s[j] = (uint8_t)((sc[j] & 63) | sc[j + 4] >> 4 << 6);
        s[j + 4] = (uint8_t)((m[j] & 63) | m[j + 4] >> 4 << 6);
        s[j + 8] = (uint8_t)((sc[j + 4] & 15) | m[j + 4] << 4);
    }
}

/* ---- IQ4_XS: F16 d, 16 bits of high pairs of scales, 4 bytes of their low nibbles (less 32), 8 times 16 bytes as in
 * IQ4_NL ---- */
static void iq4_xs_to_group(const uint8_t *in, uint8_t *out, uint32_t r)
{
    memcpy(out + 2 * r, in, 2);
    for (uint32_t j = 0; j < 8; j++) {
        const uint32_t high = in[2 + j / 4] >> (j % 4 * 2) & 3, low = in[4 + j / 2] >> (j % 2 * 4) & 15;
        uint8_t q[32];
        out[64 + 16 * j + r] = (uint8_t)((low | high << 4) - 32);
        for (uint32_t i = 0; i < 32; i++)
            q[i] = in[8 + 16 * j + i % 16] >> (i / 16 * 4) & 15;
        put_nibbles(out + 192 + 256 * j, r, q, 32);
    }
}

static void iq4_xs_from_group(uint8_t *out, const uint8_t *in, uint32_t r)
{
    memset(out, 0, 136);
    memcpy(out, in + 2 * r, 2);
    for (uint32_t j = 0; j < 8; j++) {
        const uint32_t scale = (uint32_t)in[64 + 16 * j + r] + 32;
        uint8_t q[32];
        out[2 + j / 4] |= (uint8_t)((scale >> 4 & 3) << (j % 4 * 2));
        out[4 + j / 2] |= (uint8_t)((scale & 15) << (j % 2 * 4));
        get_nibbles(in + 192 + 256 * j, r, q, 32);
        for (uint32_t i = 0; i < 16; i++)
            out[8 + 16 * j + i] = (uint8_t)(q[i] | q[16 + i] << 4);
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

/* Where block b of a Q8_0_R16 group has its scales and units. */
static void locate(uint64_t b, size_t *scales, size_t *units)
{
    const size_t pair = (size_t)(b / 2 * 1088);
    *scales = pair + (b % 2) * 32;
    *units = pair + 64 + (size_t)((b % 2) * 512);
}

static void pack_block(uint32_t type, const uint8_t *in, uint64_t b, uint32_t r, uint8_t *out)
{
    size_t s, u;
    switch (type) {
    case WISP_Q8_0_R16:
        locate(b, &s, &u), q8_0_to_group(in, out + s, out + u, r);
        break;
    case WISP_Q4_K_R16:
        k_to_group(in, false, out + b * TENSOR_Q4_K_GROUP, r);
        break;
    case WISP_Q5_K_R16:
        k_to_group(in, true, out + b * TENSOR_Q5_K_GROUP, r);
        break;
    case WISP_Q6_K_R16:
        q6_k_to_group(in, out + b * TENSOR_Q6_K_GROUP, r);
        break;
    case WISP_IQ4_XS_R16:
        iq4_xs_to_group(in, out + b * TENSOR_IQ4_XS_GROUP, r);
        break;
    default:
        nibbles_to_group(nibble_shape_of(type), in, b, r, out);
    }
}

void tensor_unpack_block(uint32_t type, const void *group, uint64_t b, uint32_t r, void *block)
{
    const uint8_t *in = group;
    size_t s, u;
    switch (type) {
    case WISP_Q8_0_R16:
        locate(b, &s, &u), q8_0_from_group(block, in + s, in + u, r);
        break;
    case WISP_Q4_K_R16:
        k_from_group(block, false, in + b * TENSOR_Q4_K_GROUP, r);
        break;
    case WISP_Q5_K_R16:
        k_from_group(block, true, in + b * TENSOR_Q5_K_GROUP, r);
        break;
    case WISP_Q6_K_R16:
        q6_k_from_group(block, in + b * TENSOR_Q6_K_GROUP, r);
        break;
    case WISP_IQ4_XS_R16:
        iq4_xs_from_group(block, in + b * TENSOR_IQ4_XS_GROUP, r);
        break;
    default:
        nibbles_from_group(nibble_shape_of(type), block, in, b, r);
    }
}

void tensor_read_lane(uint32_t type, const void *group, uint64_t b, uint32_t r, tensor_block *block)
{
    const tensor_type_info *info = tensor_type_find(type);
    uint8_t bytes[256];
    tensor_unpack_block(type, group, b, r, bytes);
    const bool known = tensor_read_block(info->source, bytes, block);
    BASE_ASSERT(known);
    const uint8_t *scales = (const uint8_t *)group + b * (tensor_group_bytes(type, 256)) + 64 + r;
    for (uint32_t j = 0; j < 16; j++)
        if (type == WISP_IQ4_XS_R16) {
            block->scale[j] = (int8_t)scales[j / 2 * 16];
        } else if (type == WISP_Q4_K_R16 || type == WISP_Q5_K_R16) {
            block->scale[j] = scales[j / 2 * 32];
            block->min[j] = scales[j / 2 * 32 + 16];
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
