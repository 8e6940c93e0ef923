/* Types of one scale a block: 32 elements, or 256 for the ternary ones. Their layouts are in GGUF's specification and
 * in src/tensor/read_block.c, which reads them. */
#include <string.h>

#include "compile/quantize_fit.h"
#include "compile/quantize_row.h"
#include "tensor/blocks.h"

static void put_half(uint8_t *p, float v)
{
    const uint16_t h = fit_to_half(v);
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

static float half_at(const uint8_t *p)
{
    return tensor_half_to_float((uint16_t)(p[0] | p[1] << 8));
}

/* Elements i and i + 16 share byte i; q is 0 to 15, further bits are not looked at. */
static void put_nibbles(uint8_t *out, const uint8_t *q)
{
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
}

/* The fifth bits, one of each element. */
static void put_fifth(uint8_t *out, const uint8_t *q)
{
    uint32_t bits = 0;
    for (int i = 0; i < 32; i++)
        bits |= (uint32_t)(q[i] >> 4 & 1) << i;
    memcpy(out, &bits, sizeof bits);
}

/* ---- d q ---- */

static void fit_signed(const float *x, const float *w, int lowest, uint8_t *half, uint8_t q[32])
{
    const fit_levels levels = {lowest, -lowest - 1, NULL, 0};
    int8_t rounded[32];
    put_half(half, fit_scale(x, w, 32, &levels));
    fit_round(x, 32, &levels, half_at(half), 0, rounded);
    for (int i = 0; i < 32; i++)
        q[i] = (uint8_t)(rounded[i] - lowest);
}

void quantize_q4_0(const float *x, const float *w, uint8_t *out)
{
    uint8_t q[32];
    fit_signed(x, w, -8, out, q);
    put_nibbles(out + 2, q);
}

void quantize_q5_0(const float *x, const float *w, uint8_t *out)
{
    uint8_t q[32];
    fit_signed(x, w, -16, out, q);
    put_fifth(out + 2, q);
    put_nibbles(out + 6, q);
}

/* So fine that the search gains nothing: the largest element becomes 127. */
void quantize_q8_0(const float *x, const float *w, uint8_t *out)
{
    const fit_levels levels = {-127, 127, NULL, 0};
    float largest = 0;
    (void)w;
    for (int i = 0; i < 32; i++)
        largest = __builtin_fabsf(x[i]) > largest ? __builtin_fabsf(x[i]) : largest;
    put_half(out, largest / 127);
    fit_round(x, 32, &levels, largest / 127, 0, (int8_t *)out + 2);
}

/* ---- d q + m ---- */

static void fit_offset(const float *x, const float *w, int highest, uint8_t *halves, uint8_t q[32])
{
    const fit_levels levels = {0, highest, NULL, 0};
    float d, b;
    fit_affine(x, w, 32, highest, true, &d, &b);
    put_half(halves, d);
    put_half(halves + 2, b);
    fit_round(x, 32, &levels, half_at(halves), half_at(halves + 2), (int8_t *)q);
}

void quantize_q4_1(const float *x, const float *w, uint8_t *out)
{
    uint8_t q[32];
    fit_offset(x, w, 15, out, q);
    put_nibbles(out + 4, q);
}

void quantize_q5_1(const float *x, const float *w, uint8_t *out)
{
    uint8_t q[32];
    fit_offset(x, w, 31, out, q);
    put_fifth(out + 4, q);
    put_nibbles(out + 8, q);
}

/* ---- tables of values ---- */

enum { IQ4_VALUES = 16, FP4_VALUES = 15 };
/* Doubled E2M1; its negative zero is left out. */
static const int8_t fp4_values[FP4_VALUES] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};

const fit_levels quantize_iq4_levels = {-127, 113, tensor_values_iq4, IQ4_VALUES};
static const fit_levels fp4_levels = {-12, 12, fp4_values, FP4_VALUES};

void quantize_iq4_codes(const float *x, float d, uint8_t *out)
{
    int8_t values[32];
    uint8_t codes[32];
    fit_round(x, 32, &quantize_iq4_levels, d, 0, values);
    for (int i = 0; i < 32; i++)
        for (codes[i] = 0; tensor_values_iq4[codes[i]] != values[i];)
            codes[i]++;
    put_nibbles(out, codes);
}

void quantize_iq4_nl(const float *x, const float *w, uint8_t *out)
{
    put_half(out, fit_scale(x, w, 32, &quantize_iq4_levels));
    quantize_iq4_codes(x, half_at(out), out + 2);
}

/* Magnitudes have codes in ascending order; bit 3 is the sign. */
static void put_fp4_codes(const float *x, float d, uint8_t *out)
{
    int8_t values[32];
    uint8_t codes[32];
    fit_round(x, 32, &fp4_levels, d, 0, values);
    for (int i = 0; i < 32; i++) {
        const int magnitude = values[i] < 0 ? -values[i] : values[i];
        for (codes[i] = 0; fp4_values[7 + codes[i]] != magnitude;)
            codes[i]++;
        if (values[i] < 0) codes[i] |= 8;
    }
    put_nibbles(out, codes);
}

/* 2^(e - 128): the doubling of the values taken off the power. */
static float power_of(int e)
{
    const uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Scales are powers of two: the one that makes the largest element at most 12, and its neighbours. */
void quantize_mxfp4(const float *x, const float *w, uint8_t *out)
{
    float largest = 0, least = 0;
    int e = 0, best = 0;
    for (int i = 0; i < 32; i++)
        largest = __builtin_fabsf(x[i]) > largest ? __builtin_fabsf(x[i]) : largest;
    while (e < 254 && 12 * power_of(e) < largest)
        e++;
    for (int k = e >= 2 ? e - 2 : 0; k <= e; k++) {
        const float error = fit_error(x, w, 32, &fp4_levels, power_of(k), 0);
        if (k == (e >= 2 ? e - 2 : 0) || error < least) {
            least = error;
            best = k;
        }
    }
    out[0] = (uint8_t)best;
    put_fp4_codes(x, power_of(best), out + 1);
}

/* ---- -d, 0, d ---- */

static float fit_ternary(const float *x, const float *w, int8_t q[256])
{
    static const fit_levels levels = {-1, 1, NULL, 0};
    const float d = tensor_half_to_float(fit_to_half(__builtin_fabsf(fit_scale(x, w, 256, &levels))));
    fit_round(x, 256, &levels, d, 0, q);
    return d;
}

void quantize_tq2_0(const float *x, const float *w, uint8_t *out)
{
    int8_t q[256];
    put_half(out + 64, fit_ternary(x, w, q));
    memset(out, 0, 64);
    for (int i = 0; i < 256; i++)
        out[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] + 1) << i / 32 % 4 * 2);
}

/* Five ternary digits a byte, most significant first, as a fraction of 3^5 scaled to 256 and rounded up, so that a
 * digit is the upper byte of a product with 3. */
static uint8_t pack_digits(const int8_t *q, int step, int count)
{
    int v = 0;
    for (int k = 0; k < 5; k++)
        v = v * 3 + (k < count ? q[k * step] + 1 : 0);
    return (uint8_t)((v * 256 + 242) / 243);
}

/* 160 elements in 32 bytes, 80 in 16, and 16 (four a byte) in 4. */
void quantize_tq1_0(const float *x, const float *w, uint8_t *out)
{
    int8_t q[256];
    put_half(out + 52, fit_ternary(x, w, q));
    for (int i = 0; i < 32; i++)
        out[i] = pack_digits(q + i, 32, 5);
    for (int i = 0; i < 16; i++)
        out[32 + i] = pack_digits(q + 160 + i, 16, 5);
    for (int i = 0; i < 4; i++)
        out[48 + i] = pack_digits(q + 240 + i, 4, 4);
}
