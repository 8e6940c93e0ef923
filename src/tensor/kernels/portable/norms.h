/* Ops that reduce a row: norms, softmax. Sums are 16 lanes (docs/numerics.md); the definition for every target,
 * compiled once an ISA. */
#ifndef TENSOR_NORMS_H
#define TENSOR_NORMS_H
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/portable/vec.h"

static float dot_self(const float *x, size_t d)
{
    v16f sum = {0}, v;
    size_t i = 0;
    for (; i + 16 <= d; i += 16) {
        v16_load(&v, x + i);
        sum = sum + v * v;
    }
    if (i < d) {
        v16_load_n(&v, x + i, d - i);
        sum = sum + v * v;
    }
    return v16_fold(&sum);
}

static float sum_row(const float *x, size_t d)
{
    v16f sum = {0}, v;
    size_t i = 0;
    for (; i + 16 <= d; i += 16) {
        v16_load(&v, x + i);
        sum = sum + v;
    }
    if (i < d) {
        v16_load_n(&v, x + i, d - i);
        sum = sum + v;
    }
    return v16_fold(&sum);
}

/* y = (x * s) * w, s = 1 / sqrt(sum(x * x) / d + eps) */
static void rms_norm(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float s = 1.0f / __builtin_sqrtf(dot_self(x[0], d) / (float)d + p[0].f);
    const float *from = x[0], *w = x[1];
    for (size_t i = 0; i < d && w; i++)
        y[i] = (from[i] * s) * w[i];
    for (size_t i = 0; i < d && !w; i++)
        y[i] = from[i] * s;
}

/* y = x - mean first, then ((y * s) * w) + b, s = 1 / sqrt(sum(y * y) / d + eps) */
static void layer_norm(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float mean = sum_row(x[0], d) / (float)d;
    const float *from = x[0], *w = x[1], *b = x[2];
    for (size_t i = 0; i < d; i++)
        y[i] = from[i] - mean;
    const float s = 1.0f / __builtin_sqrtf(dot_self(y, d) / (float)d + p[0].f);
    for (size_t i = 0; i < d; i++)
        y[i] = y[i] * s;
    for (size_t i = 0; i < d && w; i++)
        y[i] = y[i] * w[i];
    for (size_t i = 0; i < d && b; i++)
        y[i] = y[i] + b[i];
}

/* y = x * (1 / max(sqrt(sum(x * x)), eps)) */
static void l2_norm(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float length = __builtin_sqrtf(dot_self(x[0], d)), s = 1.0f / (length > p[0].f ? length : p[0].f);
    const float *from = x[0];
    for (size_t i = 0; i < d; i++)
        y[i] = from[i] * s;
}

/* The largest element, NaN passed over: -inf if there is none. */
static float most_of(const float *x, size_t d)
{
    float most = -__builtin_inff();
    for (size_t i = 0; i < d; i++)
        if (x[i] > most) most = x[i];
    return most;
}

/* y = exp(x - most) / sum of that */
static void softmax_row(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float most = most_of(x[0], d);
    v16f v, e, sum = {0};
    (void)p;
    for (size_t i = 0; i < d; i += 16) {
        const size_t n = d - i < 16 ? d - i : 16;
        v16_load_part(&v, x[0] + i, n);
        v = v - most;
        v16_exp(&v);
        v16_store_part(y + i, &v, n);
        e = (v16f){0};
        memcpy(&e, &v, n * sizeof *y); /* lanes past d add nothing */
        sum = sum + e;
    }
    const float total = v16_fold(&sum);
    for (size_t i = 0; i < d; i++)
        y[i] = y[i] / total;
}

/* y = x / (sum > eps ? sum : eps) * scale */
static void norm_sum(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    const float sum = sum_row(x[0], d), total = sum > p[0].f ? sum : p[0].f;
    const float *from = x[0];
    for (size_t i = 0; i < d; i++)
        y[i] = from[i] / total * p[1].f;
}

#endif
