/* Recurrent ops: one row (or 16 columns) of the state walks through the tokens of a step in ascending order. The
 * definition for every target (docs/numerics.md), compiled once an ISA. */
#ifndef TENSOR_SCAN_H
#define TENSOR_SCAN_H
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/portable/vec.h"

/* The state before token t: zeros at position 0. */
VEC_INLINE float *state_of(const tensor_scan_args *a, uint32_t t, uint32_t rows)
{
    float *s = a->state + (size_t)(uint32_t)a->seqs[t] * a->state_stride;
    if (a->positions[t] == 0)
        for (uint32_t r = 0; r < rows; r++)
            memset(s + (size_t)r * a->row_stride, 0, a->d * sizeof *s);
    return s;
}

VEC_INLINE const float *input(const tensor_scan_args *a, int i, uint32_t t)
{
    return a->in[i] + (size_t)t * a->ld[i];
}

/* sum += product, of the first n lanes: what is past a row's end may have become anything. */
VEC_INLINE void add_part(v16f *sum, const v16f *product, size_t n)
{
    v16f kept = *product;
    if (n < 16) {
        kept = (v16f){0};
        memcpy(&kept, product, n * sizeof(float));
    }
    *sum = *sum + kept;
}

/* in: x, dt (numbers), A (d, or a number: in[2] steps by 0 and `flag`), B, C.
 * s = exp(dt * A) * s + (dt * x) * B; y = sum of s * C */
static void ssm_scan(const tensor_scan_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        float *s = state_of(a, t, 1);
        const float *x = input(a, 0, t), *dt = input(a, 1, t), *decay = a->in[2], *b = input(a, 3, t);
        const float *c = input(a, 4, t), much = dt[0] * x[0];
        v16f sum = {0};
        for (uint32_t i = 0; i < a->d; i += 16) {
            const uint32_t n = a->d - i < 16 ? a->d - i : 16;
            v16f e = (v16f){0} + decay[0], v, w;
            if (!a->flag) v16_load_part(&e, decay + i, n);
            e = dt[0] * e;
            v16_exp(&e);
            v16_load_part(&v, s + i, n);
            v16_load_part(&w, b + i, n);
            v = e * v + much * w;
            v16_store_part(s + i, &v, n);
            v16_load_part(&w, c + i, n);
            w = v * w;
            add_part(&sum, &w, n);
        }
        a->y[(size_t)t * a->ldy] = v16_fold(&sum);
    }
}

/* in: v (a number), g (a number, or d of them if `flag`), b (a number), k, q.
 * s = s * exp(g); u = (v - sum of s * k) * b; s = s + k * u; y = sum of s * (q * scale) */
static void delta_rule(const tensor_scan_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        float *s = state_of(a, t, 1);
        const float *g = input(a, 1, t), *k = input(a, 3, t), *q = input(a, 4, t);
        v16f sum = {0};
        for (uint32_t i = 0; i < a->d; i += 16) {
            const uint32_t n = a->d - i < 16 ? a->d - i : 16;
            v16f e = (v16f){0} + g[0], v, w;
            if (a->flag) v16_load_part(&e, g + i, n);
            v16_exp(&e);
            v16_load_part(&v, s + i, n);
            v16_load_part(&w, k + i, n);
            v = v * e;
            v16_store_part(s + i, &v, n);
            w = v * w;
            add_part(&sum, &w, n);
        }
        const float u = (input(a, 0, t)[0] - v16_fold(&sum)) * input(a, 2, t)[0];
        sum = (v16f){0};
        for (uint32_t i = 0; i < a->d; i += 16) {
            const uint32_t n = a->d - i < 16 ? a->d - i : 16;
            v16f v, w, x;
            v16_load_part(&v, s + i, n);
            v16_load_part(&w, k + i, n);
            v16_load_part(&x, q + i, n);
            v = v + w * u;
            v16_store_part(s + i, &v, n);
            v = v * (x * a->scale);
            add_part(&sum, &v, n);
        }
        a->y[(size_t)t * a->ldy] = v16_fold(&sum);
    }
}

/* in: v (a number), w, k, a, b, r. p = sum of s * a; s = (s * w + k * v) + b * p; y = sum of s * r */
static void wkv7(const tensor_scan_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        float *s = state_of(a, t, 1);
        const float *w = input(a, 1, t), *k = input(a, 2, t), *from = input(a, 3, t), *b = input(a, 4, t);
        const float *r = input(a, 5, t), value = input(a, 0, t)[0];
        v16f sum = {0}, v, x, y;
        for (uint32_t i = 0; i < a->d; i += 16) {
            const uint32_t n = a->d - i < 16 ? a->d - i : 16;
            v16_load_part(&v, s + i, n);
            v16_load_part(&x, from + i, n);
            sum = sum + v * x;
        }
        const float p = v16_fold(&sum);
        sum = (v16f){0};
        for (uint32_t i = 0; i < a->d; i += 16) {
            const uint32_t n = a->d - i < 16 ? a->d - i : 16;
            v16_load_part(&v, s + i, n);
            v16_load_part(&x, w + i, n);
            v16_load_part(&y, k + i, n);
            v = v * x + y * value;
            v16_load_part(&x, b + i, n);
            v = v + x * p;
            v16_store_part(s + i, &v, n);
            v16_load_part(&x, r + i, n);
            v = v * x;
            add_part(&sum, &v, n);
        }
        a->y[(size_t)t * a->ldy] = v16_fold(&sum);
    }
}

/* 16 or fewer columns j (d of them) of `rows` rows i. in: v (d), w, k, r, u (rows of them; u steps by 0).
 * y_j = sum over ascending i of r_i * (u_i * (k_i * v_j) + s_ij); s_ij = s_ij * w_i + k_i * v_j */
static void wkv6(const tensor_scan_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        float *s = state_of(a, t, a->rows);
        const float *w = input(a, 1, t), *k = input(a, 2, t), *r = input(a, 3, t), *u = a->in[4];
        v16f value, sum = {0};
        v16_load_part(&value, input(a, 0, t), a->d);
        for (uint32_t i = 0; i < a->rows; i++, s += a->row_stride) {
            v16f v, kv = k[i] * value;
            v16_load_part(&v, s, a->d);
            sum = sum + r[i] * (u[i] * kv + v);
            v = v * w[i] + kv;
            v16_store_part(s, &v, a->d);
        }
        v16_store_part(a->y + (size_t)t * a->ldy, &sum, a->d);
    }
}

/* 16 or fewer columns of `rows` inputs before this one, the oldest first. in: x (d), w (rows + 1 rows of d, in[1] steps
 * from tap to tap), b (d, or NULL). y = sum over ascending taps of w * x, + b; then the state moves on by one. */
static void convolve(const tensor_scan_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        float *s = state_of(a, t, a->rows);
        v16f sum = {0}, x, w;
        for (uint32_t i = 0; i <= a->rows; i++) {
            if (i < a->rows)
                v16_load_part(&x, s + (size_t)i * a->row_stride, a->d);
            else
                v16_load_part(&x, input(a, 0, t), a->d);
            v16_load_part(&w, a->in[1] + (size_t)i * a->ld[1], a->d);
            sum = sum + w * x;
            if (i > 0) v16_store_part(s + (size_t)(i - 1) * a->row_stride, &x, a->d);
        }
        if (a->in[2]) {
            v16_load_part(&w, a->in[2], a->d);
            sum = sum + w;
        }
        v16_store_part(a->y + (size_t)t * a->ldy, &sum, a->d);
    }
}

static void scan_fill(tensor_kernels *k)
{
    k->scan[TENSOR_SCAN_SSM] = ssm_scan;
    k->scan[TENSOR_SCAN_DELTA] = delta_rule;
    k->scan[TENSOR_SCAN_WKV6] = wkv6;
    k->scan[TENSOR_SCAN_WKV7] = wkv7;
    k->scan[TENSOR_SCAN_CONV] = convolve;
}

#endif
