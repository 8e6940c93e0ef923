/* GGUF's block types -> integers with scales, but for those with codebooks (read_block_iq.c). Each reader's comment is
 * the block's bytes; numbers are little-endian. */
#include <string.h>

#include "tensor/abi.h"
#include "tensor/blocks.h"
#include "tensor/layout.h"

const int8_t tensor_values_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int8_t tensor_values_fp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* Exact; a signalling NaN becomes quiet. */
float tensor_half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, bits = (uint32_t)(h & 0x7fff) << 13;
    uint32_t u;
    float f;
    memcpy(&f, &bits, 4);
    f *= 0x1p112f; /* exact, subnormals too */
    memcpy(&u, &f, 4);
    if (bits >= 0x0f800000) u = bits | 0x7f800000 | (bits > 0x0f800000 ? 0x400000 : 0);
    u |= sign;
    memcpy(&f, &u, 4);
    return f;
}

float tensor_power_to_float(uint8_t e)
{
    const uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static float half_at(const uint8_t *p)
{
    return tensor_half_to_float((uint16_t)(p[0] | p[1] << 8));
}

/* One scale for all. */
static void set_scale(tensor_block *b, float d)
{
    b->d = d;
    for (int j = 0; j < 16; j++)
        b->scale[j] = 1;
}

/* A minimum that is added, for all. */
static void set_offset(tensor_block *b, float m)
{
    b->dmin = -m;
    memset(b->min, 1, sizeof b->min);
}

/* 32 elements in 16 bytes: element j in the low nibble of byte j, element j + 16 in its high nibble. */
static void nibbles(const uint8_t *in, int8_t *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = (int8_t)(in[j] & 15);
        q[16 + j] = (int8_t)(in[j] >> 4);
    }
}

/* f16 d, 16 bytes of nibbles (less 8) */
static void q4_0(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in));
    nibbles(in + 2, b->q);
    for (int i = 0; i < 32; i++)
        b->q[i] = (int8_t)(b->q[i] - 8);
}

/* f16 d, f16 m, 16 bytes of nibbles */
static void q4_1(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in));
    set_offset(b, half_at(in + 2));
    nibbles(in + 4, b->q);
}

/* 32 fifth bits */
static void fifth_bits(const uint8_t *in, int8_t *q)
{
    for (int i = 0; i < 32; i++)
        q[i] = (int8_t)(q[i] | (in[i / 8] >> i % 8 & 1) << 4);
}

/* f16 d, 32 fifth bits, 16 bytes of nibbles (less 16) */
static void q5_0(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in));
    nibbles(in + 6, b->q);
    fifth_bits(in + 2, b->q);
    for (int i = 0; i < 32; i++)
        b->q[i] = (int8_t)(b->q[i] - 16);
}

/* f16 d, f16 m, 32 fifth bits, 16 bytes of nibbles */
static void q5_1(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in));
    set_offset(b, half_at(in + 2));
    nibbles(in + 8, b->q);
    fifth_bits(in + 4, b->q);
}

/* f16 d, 32 signed bytes */
static void q8_0(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in));
    memcpy(b->q, in + 2, 32);
}

/* u8 e, 16 bytes of nibbles, e2m1 doubled: d = 2^(e - 128). The OCP format's NaN (e = 255) is 2^127 in GGUF. */
static void mxfp4(const uint8_t *in, tensor_block *b)
{
    set_scale(b, tensor_power_to_float(in[0]));
    nibbles(in + 1, b->q);
    for (int i = 0; i < 32; i++)
        b->q[i] = tensor_values_fp4[b->q[i]];
}

/* f16 d, 16 bytes of nibbles, each the number of a value */
static void iq4_nl(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in));
    nibbles(in + 2, b->q);
    for (int i = 0; i < 32; i++)
        b->q[i] = tensor_values_iq4[b->q[i]];
}

/* Of each 32 bytes, bits 2n and 2n + 1 are 32 elements in a row: 4 times 32 for n = 0 … 3. */
static void bit_pairs(const uint8_t *in, int8_t *q)
{
    for (int i = 0; i < 256; i++)
        q[i] = (int8_t)(in[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3);
}

/* 16 bytes (low nibble: scale, high: minimum), 64 bytes of bit pairs, f16 d, f16 dmin */
static void q2_k(const uint8_t *in, tensor_block *b)
{
    b->d = half_at(in + 80);
    b->dmin = half_at(in + 82);
    for (int j = 0; j < 16; j++) {
        b->scale[j] = (int16_t)(in[j] & 15);
        b->min[j] = in[j] >> 4;
    }
    bit_pairs(in + 16, b->q);
}

/* 32 bytes of third bits (bit n of byte l: element 32 n + l; 0 takes 4 off), 64 bytes of bit pairs, 12 bytes of 6-bit
 * scales (less 32; low nibbles of 0 … 7, then of 8 … 15 in the high halves of bytes 0 … 7, high pairs in bytes 8 … 11),
 * f16 d */
static void q3_k(const uint8_t *in, tensor_block *b)
{
    const uint8_t *s = in + 96;
    b->d = half_at(in + 108);
    for (int j = 0; j < 16; j++) {
        const int low = s[j % 8] >> (j / 8 * 4) & 15, high = s[8 + j % 4] >> (j / 4 * 2) & 3;
        b->scale[j] = (int16_t)((low | high << 4) - 32);
    }
    bit_pairs(in + 32, b->q);
    for (int i = 0; i < 256; i++)
        b->q[i] = (int8_t)(b->q[i] - (in[i % 32] >> (i / 32) & 1 ? 0 : 4));
}

/* f16 d, f16 dmin, 12 bytes of eight 6-bit scales and minima, one of each for 32 elements */
static void scales_and_mins(const uint8_t *in, tensor_block *b)
{
    const uint8_t *s = in + 4;
    b->d = half_at(in);
    b->dmin = half_at(in + 2);
    for (int j = 0; j < 8; j++) {
        const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        const int min = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        b->scale[2 * j] = b->scale[2 * j + 1] = (int16_t)scale;
        b->min[2 * j] = b->min[2 * j + 1] = (uint8_t)min;
    }
}

/* Of each 32 bytes the low nibbles are 32 elements, the high nibbles the next 32. */
static void long_nibbles(const uint8_t *in, int8_t *q)
{
    for (int i = 0; i < 256; i++)
        q[i] = (int8_t)(in[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15);
}

/* scales (16 bytes), 128 bytes of nibbles */
static void q4_k(const uint8_t *in, tensor_block *b)
{
    scales_and_mins(in, b);
    long_nibbles(in + 16, b->q);
}

/* scales (16 bytes), 32 bytes of fifth bits (bit n of byte l: element 32 n + l), 128 bytes of nibbles */
static void q5_k(const uint8_t *in, tensor_block *b)
{
    scales_and_mins(in, b);
    long_nibbles(in + 48, b->q);
    for (int i = 0; i < 256; i++)
        b->q[i] = (int8_t)(b->q[i] | (in[16 + i % 32] >> (i / 32) & 1) << 4);
}

/* 128 bytes of low nibbles, 64 bytes of bit pairs, 16 signed scales, f16 d. Of each half of 128 elements: 64 bytes,
 * their low nibbles first. */
static void q6_k(const uint8_t *in, tensor_block *b)
{
    b->d = half_at(in + 208);
    for (int j = 0; j < 16; j++)
        b->scale[j] = (int8_t)in[192 + j];
    bit_pairs(in + 128, b->q);
    for (int i = 0; i < 256; i++) {
        const int low = in[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
        b->q[i] = (int8_t)((low | b->q[i] << 4) - 32);
    }
}

/* f16 d, 16 bits of high pairs of 8 scales, 4 bytes of their low nibbles (less 32), 128 bytes of nibbles in runs of 16
 */
static void iq4_xs(const uint8_t *in, tensor_block *b)
{
    const int high = in[2] | in[3] << 8;
    b->d = half_at(in);
    for (int j = 0; j < 8; j++) {
        const int scale = (in[4 + j / 2] >> (j % 2 * 4) & 15) | (high >> 2 * j & 3) << 4;
        b->scale[2 * j] = b->scale[2 * j + 1] = (int16_t)(scale - 32);
        nibbles(in + 8 + 16 * j, b->q + 32 * j);
    }
    for (int i = 0; i < 256; i++)
        b->q[i] = tensor_values_iq4[b->q[i]];
}

/* Base 3, five digits a byte, as a fraction of 256: digit n, the highest first, is the part above 256 of 3 times the
 * byte's 3^n-fold. */
static int8_t ternary(uint8_t byte, int n)
{
    static const uint8_t power[] = {1, 3, 9, 27, 81};
    return (int8_t)(((uint8_t)(byte * power[n]) * 3 >> 8) - 1);
}

/* 48 bytes of five digits, 4 of four, f16 d: 32 bytes are 5 runs of 32 elements, 16 are 5 of 16, 4 are 4 of 4. */
static void tq1_0(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in + 52));
    for (int i = 0; i < 160; i++)
        b->q[i] = ternary(in[i % 32], i / 32);
    for (int i = 0; i < 80; i++)
        b->q[160 + i] = ternary(in[32 + i % 16], i / 16);
    for (int i = 0; i < 16; i++)
        b->q[240 + i] = ternary(in[48 + i % 4], i / 4);
}

/* 64 bytes of bit pairs (less 1), f16 d */
static void tq2_0(const uint8_t *in, tensor_block *b)
{
    set_scale(b, half_at(in + 64));
    bit_pairs(in, b->q);
    for (int i = 0; i < 256; i++)
        b->q[i] = (int8_t)(b->q[i] - 1);
}

static tensor_read_block_fn *const readers[] = {
    [WISP_Q4_0] = q4_0,
    [WISP_Q4_1] = q4_1,
    [WISP_Q5_0] = q5_0,
    [WISP_Q5_1] = q5_1,
    [WISP_Q8_0] = q8_0,
    [WISP_Q2_K] = q2_k,
    [WISP_Q3_K] = q3_k,
    [WISP_Q4_K] = q4_k,
    [WISP_Q5_K] = q5_k,
    [WISP_Q6_K] = q6_k,
    [WISP_IQ2_XXS] = tensor_read_iq2_xxs,
    [WISP_IQ2_XS] = tensor_read_iq2_xs,
    [WISP_IQ3_XXS] = tensor_read_iq3_xxs,
    [WISP_IQ1_S] = tensor_read_iq1_s,
    [WISP_IQ4_NL] = iq4_nl,
    [WISP_IQ3_S] = tensor_read_iq3_s,
    [WISP_IQ2_S] = tensor_read_iq2_s,
    [WISP_IQ4_XS] = iq4_xs,
    [WISP_IQ1_M] = tensor_read_iq1_m,
    [WISP_TQ1_0] = tq1_0,
    [WISP_TQ2_0] = tq2_0,
    [WISP_MXFP4] = mxfp4,
};

static tensor_read_block_fn *reader_of(uint32_t type)
{
    return type < sizeof readers / sizeof *readers ? readers[type] : NULL;
}

bool tensor_read_block(uint32_t type, const void *bytes, tensor_block *block)
{
    tensor_read_block_fn *read = reader_of(type);
    if (!read) return false;
    block->dmin = 0;
    memset(block->min, 0, sizeof block->min);
    read(bytes, block);
    return true;
}

/* A minimum of 0 takes +0 off: nothing changes, a zero's sign included. */
void tensor_block_floats(const tensor_block *b, uint32_t count, float *y)
{
    for (uint32_t i = 0; i < count; i++)
        y[i] = b->d * (float)b->scale[i / 16] * (float)b->q[i] - b->dmin * (float)b->min[i / 16];
}

bool tensor_dequantize(uint32_t type, const void *bytes, uint64_t count, float *y)
{
    const tensor_type_info *info = tensor_type_find(type);
    const uint8_t *in = bytes;
    tensor_block b;
    if (!reader_of(type)) return false;
    for (uint64_t at = 0; at + info->block <= count; at += info->block, in += info->block_bytes, y += info->block) {
        tensor_read_block(type, in, &b);
        tensor_block_floats(&b, info->block, y);
    }
    return true;
}
