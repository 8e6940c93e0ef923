#include "compile/quantize_row.h"

#include <string.h>

#include "compile/quantize_fit.h"
#include "tensor/abi.h"

enum { BLOCK_MAX = 256, F32 = 0, F16 = 1, BF16 = 30 };

static const struct {
    uint32_t type;
    uint16_t block, bytes;
    quantize_block_fn *make;
} makers[] = {
    {2, 32, 18, quantize_q4_0},    {3, 32, 20, quantize_q4_1},    {6, 32, 22, quantize_q5_0},
    {7, 32, 24, quantize_q5_1},    {8, 32, 34, quantize_q8_0},    {10, 256, 84, quantize_q2_k},
    {11, 256, 110, quantize_q3_k}, {12, 256, 144, quantize_q4_k}, {13, 256, 176, quantize_q5_k},
    {14, 256, 210, quantize_q6_k}, {20, 32, 18, quantize_iq4_nl}, {23, 256, 136, quantize_iq4_xs},
    {34, 256, 54, quantize_tq1_0}, {35, 256, 66, quantize_tq2_0}, {39, 32, 17, quantize_mxfp4},
};
enum { MAKERS = sizeof makers / sizeof *makers };

static int maker_of(uint32_t type)
{
    for (int i = 0; i < MAKERS; i++)
        if (makers[i].type == type) return i;
    return -1;
}

bool quantize_makes(uint32_t type)
{
    return type == F32 || type == F16 || type == BF16 || maker_of(type) >= 0;
}

bool quantize_needs_importance(uint32_t type)
{
    (void)type;
    return false;
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put_plain(uint32_t type, const float *x, uint64_t count, uint8_t *out)
{
    if (type == F32) {
        memcpy(out, x, count * sizeof *x);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1); /* to BF16, nearest even; */
        const bool over = (rounded & 0x7f800000) == 0x7f800000;    /* never to infinity */
        put16(out + 2 * i, type == F16 ? fit_to_half(x[i]) : (uint16_t)((over ? bits : rounded) >> 16));
    }
}

/* Far above what an F16 scale reaches, and far below where sums of cubes overflow. */
#define LARGEST 1e9f

static void clip(const float *x, uint32_t n, float *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = x[i] > LARGEST ? LARGEST : x[i] < -LARGEST ? -LARGEST : x[i];
}

/* The weight of an element's error: what it is multiplied with, and, since the largest elements of a row stand out in
 * every sum that they are part of, more for larger ones: sqrt(mean square of the row + its own). */
static void weigh(const float *x, const float *importance, uint32_t n, float mean_square, float *w)
{
    for (uint32_t i = 0; i < n; i++) {
        w[i] = __builtin_sqrtf(mean_square + x[i] * x[i]);
        if (importance) w[i] *= importance[i];
    }
}

void quantize_row(uint32_t type, const float *x, const float *importance, uint64_t count, void *out)
{
    const int maker = maker_of(type);
    uint8_t *to = out;
    float v[BLOCK_MAX], w[BLOCK_MAX], sum = 0;
    if (maker < 0) {
        put_plain(type, x, count, to);
        return;
    }
    const uint32_t block = makers[maker].block;
    for (uint64_t i = 0; i < count; i += block) {
        clip(x + i, block, v);
        for (uint32_t k = 0; k < block; k++)
            sum += v[k] * v[k];
    }
    for (uint64_t i = 0; i < count; i += block) {
        clip(x + i, block, v);
        weigh(v, importance ? importance + i : NULL, block, sum / (float)count, w);
        makers[maker].make(v, w, to);
        to += makers[maker].bytes;
    }
}
