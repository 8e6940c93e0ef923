/* GGUF's types with codebooks. Eight elements are a point of a codebook of three levels, or two points of four elements
 * and eight levels; IQ2 and IQ3 add eight signs. All have an f16 d first but IQ1_M, and 8 runs of 32 elements. */
#include <string.h>

#include "tensor/blocks.h"
#include "tensor/codebooks.h"

static uint32_t u16_at(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static uint32_t u32_at(const uint8_t *p)
{
    return u16_at(p) | u16_at(p + 2) << 16;
}

/* Seven signs and the eighth, which makes their number even. */
static uint32_t even_signs(uint32_t seven)
{
    seven &= 127;
    return seven | (uint32_t)(__builtin_popcount(seven) & 1) << 7;
}

/* Eight elements of three levels. */
static void put8(int8_t *q, uint32_t point, uint32_t signs)
{
    static const int8_t levels[4] = {8, 25, 43, 0};
    for (int i = 0; i < 8; i++) {
        const int level = levels[point >> 2 * i & 3];
        q[i] = (int8_t)(signs >> i & 1 ? -level : level);
    }
}

/* Four elements of eight levels. */
static void put4(int8_t *q, const int8_t levels[8], uint32_t point, uint32_t signs)
{
    for (int i = 0; i < 4; i++) {
        const int level = levels[point >> 3 * i & 7];
        q[i] = (int8_t)(signs >> i & 1 ? -level : level);
    }
}

/* A run of 32 has two scales of 2n + 1 eighths. */
static void set_scales(tensor_block *b, int run, uint32_t first, uint32_t second)
{
    b->scale[2 * run] = (int16_t)(2 * first + 1);
    b->scale[2 * run + 1] = (int16_t)(2 * second + 1);
}

/* A run: 4 indices of 8 bits, then 4 times 7 signs and a scale of 4 bits. */
void tensor_read_iq2_xxs(const uint8_t *in, tensor_block *b)
{
    b->d = tensor_half_to_float((uint16_t)u16_at(in)) * 0.125f;
    for (int run = 0; run < 8; run++) {
        const uint8_t *p = in + 2 + 8 * run;
        const uint32_t signs = u32_at(p + 4);
        set_scales(b, run, signs >> 28, signs >> 28);
        for (int l = 0; l < 4; l++)
            put8(b->q + 32 * run + 8 * l, tensor_codebook_iq2_xxs[p[l]], even_signs(signs >> 7 * l));
    }
}

/* A run: 4 times an index of 9 bits and 7 signs; then 8 bytes of two scales. */
void tensor_read_iq2_xs(const uint8_t *in, tensor_block *b)
{
    b->d = tensor_half_to_float((uint16_t)u16_at(in)) * 0.125f;
    for (int run = 0; run < 8; run++) {
        set_scales(b, run, in[66 + run] & 15, in[66 + run] >> 4);
        for (int l = 0; l < 4; l++) {
            const uint32_t code = u16_at(in + 2 + 8 * run + 2 * l);
            put8(b->q + 32 * run + 8 * l, tensor_codebook_iq2_xs[code & 511], even_signs(code >> 9));
        }
    }
}

/* 32 low bytes of indices, 32 bytes of signs, 8 bytes of four high pairs of indices, 8 bytes of two scales. */
void tensor_read_iq2_s(const uint8_t *in, tensor_block *b)
{
    b->d = tensor_half_to_float((uint16_t)u16_at(in)) * 0.125f;
    for (int run = 0; run < 8; run++) {
        set_scales(b, run, in[74 + run] & 15, in[74 + run] >> 4);
        for (int l = 0; l < 4; l++) {
            const uint32_t index = in[2 + 4 * run + l] | (uint32_t)(in[66 + run] >> 2 * l & 3) << 8;
            put8(b->q + 32 * run + 8 * l, tensor_codebook_iq2_s[index], in[34 + 4 * run + l]);
        }
    }
}

/* 64 indices, then a run's 4 times 7 signs and a scale of 4 bits: 2n + 1 quarters. */
void tensor_read_iq3_xxs(const uint8_t *in, tensor_block *b)
{
    static const int8_t levels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
    b->d = tensor_half_to_float((uint16_t)u16_at(in)) * 0.25f;
    for (int run = 0; run < 8; run++) {
        const uint32_t signs = u32_at(in + 66 + 4 * run);
        set_scales(b, run, signs >> 28, signs >> 28);
        for (int l = 0; l < 8; l++)
            put4(b->q + 32 * run + 4 * l, levels, tensor_codebook_iq3_xxs[in[2 + 8 * run + l]],
                 even_signs(signs >> 7 * (l / 2)) >> l % 2 * 4);
    }
}

/* 64 low bytes of indices, 8 bytes of their ninth bits, 32 bytes of signs, 4 bytes of a scale for each of two runs. */
void tensor_read_iq3_s(const uint8_t *in, tensor_block *b)
{
    static const int8_t levels[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    b->d = tensor_half_to_float((uint16_t)u16_at(in));
    for (int run = 0; run < 8; run++) {
        const uint32_t scale = in[106 + run / 2] >> (run % 2 * 4) & 15;
        set_scales(b, run, scale, scale);
        for (int l = 0; l < 8; l++) {
            const uint32_t index = in[2 + 8 * run + l] | (uint32_t)(in[66 + run] >> l & 1) << 8;
            put4(b->q + 32 * run + 4 * l, levels, tensor_codebook_iq3_s[index],
                 (uint32_t)in[74 + 4 * run + l / 2] >> l % 2 * 4);
        }
    }
}

/* Eight elements of -1, 0, 1, each an eighth more or less: in eighths. */
static void put8_shifted(int8_t *q, uint32_t index, int shift)
{
    const uint32_t point = tensor_codebook_iq1[index & 2047];
    for (int i = 0; i < 8; i++)
        q[i] = (int8_t)(8 * ((int)(point >> 2 * i & 3) - 1) + shift);
}

/* 32 low bytes of indices; a run's 16 bits: 4 times 3 high bits of an index, 3 of the scale, the sign of the shift. */
void tensor_read_iq1_s(const uint8_t *in, tensor_block *b)
{
    b->d = tensor_half_to_float((uint16_t)u16_at(in)) * 0.125f;
    for (int run = 0; run < 8; run++) {
        const uint32_t high = u16_at(in + 34 + 2 * run), scale = high >> 12 & 7;
        set_scales(b, run, scale, scale);
        for (int l = 0; l < 4; l++)
            put8_shifted(b->q + 32 * run + 8 * l, in[2 + 4 * run + l] | (high >> 3 * l & 7) << 8, high >> 15 ? -1 : 1);
    }
}

/* 32 low bytes of indices, 16 bytes of two times 3 high bits and the sign of the shift, 4 times 16 bits: four scales of
 * 3 bits, and a quarter of an f16 d, the lowest first. */
void tensor_read_iq1_m(const uint8_t *in, tensor_block *b)
{
    uint32_t half = 0;
    for (int j = 0; j < 4; j++)
        half |= u16_at(in + 48 + 2 * j) >> 12 << 4 * j;
    b->d = tensor_half_to_float((uint16_t)half) * 0.125f;
    for (int run = 0; run < 8; run++) {
        const uint32_t scales = u16_at(in + 48 + run / 2 * 2) >> (run % 2 * 6);
        set_scales(b, run, scales & 7, scales >> 3 & 7);
        for (int l = 0; l < 4; l++) {
            const uint32_t high = (uint32_t)in[32 + 2 * run + l / 2] >> (l % 2 * 4) & 15;
            put8_shifted(b->q + 32 * run + 8 * l, in[4 * run + l] | (high & 7) << 8, high & 8 ? -1 : 1);
        }
    }
}
