/* Elementwise ops on rows of d floats, conversions, ARGMAX. The definition for every target; each ISA's file includes
 * it and is compiled with that ISA's flags, which GNU vectors make the best of. */
#ifndef TENSOR_ELEMENTWISE_H
#define TENSOR_ELEMENTWISE_H
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/portable/activations.h"
#include "tensor/kernels/portable/norms.h"
#include "tensor/kernels/portable/scan.h"
#include "tensor/kernels/portable/vec.h"

static void add(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float *a = x[0], *b = x[1];
    (void)p;
    for (size_t i = 0; i < d; i++)
        y[i] = a[i] + b[i];
}

static void mul(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float *a = x[0], *b = x[1];
    (void)p;
    for (size_t i = 0; i < d; i++)
        y[i] = a[i] * b[i];
}

static void lerp(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float *a = x[0], *b = x[1], *w = x[2];
    (void)p;
    for (size_t i = 0; i < d; i++)
        y[i] = a[i] + (b[i] - a[i]) * w[i];
}

static void affine(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float *a = x[0], scale = p[0].f, shift = p[1].f;
    for (size_t i = 0; i < d; i++)
        y[i] = a[i] * scale + shift;
}

static void clamp(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    for (size_t i = 0; i < d; i += 16) {
        const size_t n = d - i < 16 ? d - i : 16;
        v16f v;
        v16_load_part(&v, x[0] + i, n);
        v16_clamp(&v, p[0].f, p[1].f);
        v16_store_part(y + i, &v, n);
    }
}

static void row_scale(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float *a = x[0], s = x[1][0];
    (void)p;
    for (size_t i = 0; i < d; i++)
        y[i] = a[i] * s;
}

/* One token: x, y [heads * d], table [h][cos, sin]. y may be x. */
static void rope(float *y, const float *x, const float *table, uint32_t heads, uint32_t d, uint32_t h, uint32_t halves)
{
    const uint32_t step = halves ? 1 : 2, apart = halves ? h : 1;
    for (uint32_t head = 0; head < heads; head++, x += d, y += d) {
        for (uint32_t i = 0; i < h; i++) {
            const float c = table[2 * i], s = table[2 * i + 1];
            const float x0 = x[i * step], x1 = x[i * step + apart];
            y[i * step] = x0 * c - x1 * s;
            y[i * step + apart] = x0 * s + x1 * c;
        }
        if (x != y) memcpy(y + 2 * h, x + 2 * h, (d - 2 * h) * sizeof *y);
    }
}

static void f16_to_f32(float *y, const uint16_t *x, size_t count)
{
    v16f v;
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        v16_from_f16(&v, x + i);
        v16_store(y + i, &v);
    }
    uint16_t tail[16] = {0};
    if (i == count) return;
    memcpy(tail, x + i, (count - i) * sizeof *x);
    v16_from_f16(&v, tail);
    v16_store_n(y + i, &v, count - i);
}

/* Round to nearest even, as F16C does; NaN keeps its upper bits and becomes quiet. */
static uint16_t round_f16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    const uint32_t sign = u >> 16 & 0x8000, m = u & 0x7fffffff;
    if (m > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (m >> 13 & 0x3ff));
    if (m >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (m < 0x38800000) { /* subnormal result: adding 0.5 lets the addition round at 2^-24 */
        float shifted = (f < 0 ? -f : f) + 0.5f;
        memcpy(&u, &shifted, sizeof u);
        return (uint16_t)(sign | (u - 0x3f000000));
    }
    return (uint16_t)(sign | ((m + 0xfff + (m >> 13 & 1)) - (112u << 23)) >> 13);
}

static void f32_to_f16(uint16_t *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = round_f16(x[i]);
}

/* The lowest index whose element no other exceeds; NaN never wins, and all NaN gives 0. Lane i has the first largest of
 * the elements i, i + 16, …; the last elements count one by one. */
static uint32_t argmax(const float *x, size_t count)
{
    const v16i first = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    v16f most = (v16f){0} - __builtin_inff(), v;
    v16i index = {0}, above;
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        v16_load(&v, x + i);
        v16_greater(&above, &v, &most);
        v16_select(&most, &above, &v, &most);
        index = (above & (first + (int32_t)i)) | (~above & index);
    }
    float best = -__builtin_inff();
    uint32_t at = 0;
    for (int lane = 0; lane < 16; lane++)
        if (most[lane] > best || (most[lane] == best && (uint32_t)index[lane] < at)) {
            best = most[lane];
            at = (uint32_t)index[lane];
        }
    for (; i < count; i++)
        if (x[i] > best) best = x[at = (uint32_t)i];
    if (best > -__builtin_inff()) return at;
    for (i = 0; i < count; i++) /* only -inf and NaN: the first -inf */
        if (x[i] == best) return (uint32_t)i;
    return 0;
}

static void elementwise_fill(tensor_kernels *k, const char *variant)
{
    k->row[WISP_OP_ADD] = add;
    k->row[WISP_OP_MUL] = mul;
    k->row[WISP_OP_LERP] = lerp;
    k->row[WISP_OP_AFFINE] = affine;
    k->row[WISP_OP_CLAMP] = clamp;
    k->row[WISP_OP_ROW_SCALE] = row_scale;
    k->row[WISP_OP_UNARY] = unary;
    k->row[WISP_OP_GLU] = glu;
    k->row[WISP_OP_RMS_NORM] = rms_norm;
    k->row[WISP_OP_LAYER_NORM] = layer_norm;
    k->row[WISP_OP_L2_NORM] = l2_norm;
    k->row[WISP_OP_SOFTMAX] = softmax_row;
    k->row[WISP_OP_NORM_SUM] = norm_sum;
    scan_fill(k);
    k->rope = rope;
    k->f16_to_f32 = f16_to_f32;
    k->f32_to_f16 = f32_to_f16;
    k->argmax = argmax;
    k->elementwise_variant = variant;
}

#endif
