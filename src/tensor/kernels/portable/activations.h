/* UNARY and GLU: the activations of wisp_act, 16 lanes at a time; the definition for every target (docs/numerics.md),
 * compiled once an ISA. */
#ifndef TENSOR_ACTIVATIONS_H
#define TENSOR_ACTIVATIONS_H
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/portable/functions.h"

VEC_INLINE void v16_relu(v16f *v)
{
    const v16f zero = {0};
    v16i above, nan;
    v16_greater(&above, v, &zero);
    v16_is_nan(&nan, v);
    above = above | nan;
    v16_select(v, &above, v, &zero);
}

/* Lanes at least `least` and at most `most`; a NaN stays. */
VEC_INLINE void v16_clamp(v16f *v, float least, float most)
{
    const v16f low = (v16f){0} + least, high = (v16f){0} + most;
    v16i below, above;
    v16_greater(&below, &low, v);
    v16_select(v, &below, &low, v);
    v16_greater(&above, v, &high);
    v16_select(v, &above, &high, v);
}

VEC_INLINE void v16_gelu_tanh(v16f *v)
{
    const v16f x = *v;
    v16f t = 0.79788456f * x * (1.0f + 0.044715f * x * x);
    v16_tanh(&t);
    *v = 0.5f * x * (1.0f + t);
}

VEC_INLINE void v16_gelu_erf(v16f *v)
{
    const v16f x = *v;
    v16f t = x * 0.70710678f;
    v16_erf(&t);
    *v = 0.5f * x * (1.0f + t);
}

/* x / (1 + exp(-(a * x))) */
VEC_INLINE void v16_swish(v16f *v, float a)
{
    v16f e = -(*v * a);
    v16_exp(&e);
    *v = *v / (1.0f + e);
}

/* x > 0: alpha_p * x * x + beta * x; else (exp(min(x, eps)) - 1 - x) * alpha_n + beta * x */
VEC_INLINE void v16_xielu(v16f *v, const wisp_param *p)
{
    const v16f x = *v, zero = {0}, eps = (v16f){0} + p[3].f;
    v16f e = x, up = p[1].f * x * x + p[2].f * x;
    v16i above, past;
    v16_greater(&past, &x, &eps);
    v16_select(&e, &past, &eps, &e);
    v16_exp(&e);
    e = (e - 1.0f - x) * p[0].f + p[2].f * x;
    v16_greater(&above, &x, &zero);
    v16_select(v, &above, &up, &e);
}

/* p: a, b, c, d */
VEC_INLINE void v16_act(v16f *v, uint32_t kind, const wisp_param *p)
{
    switch (kind) {
    case WISP_ACT_RELU:
        v16_relu(v);
        break;
    case WISP_ACT_RELU_SQUARED:
        v16_relu(v);
        *v = *v * *v;
        break;
    case WISP_ACT_GELU_TANH:
        v16_gelu_tanh(v);
        break;
    case WISP_ACT_GELU_ERF:
        v16_gelu_erf(v);
        break;
    case WISP_ACT_GELU_QUICK:
        v16_swish(v, 1.702f);
        break;
    case WISP_ACT_SILU:
        v16_swish(v, 1);
        break;
    case WISP_ACT_SIGMOID:
        v16_sigmoid(v);
        break;
    case WISP_ACT_TANH:
        v16_tanh(v);
        break;
    case WISP_ACT_EXP:
        v16_exp(v);
        break;
    case WISP_ACT_SOFTPLUS:
        v16_softplus(v);
        break;
    case WISP_ACT_SOFTCAP:
        *v = *v / p[0].f;
        v16_tanh(v);
        *v = p[0].f * *v;
        break;
    default:
        v16_xielu(v, p);
        break;
    }
}

/* gpt-oss: min(g, b) / (1 + exp(-(a * that))) * (1 + u between -b and b) */
VEC_INLINE void v16_swiglu_oai(v16f *g, v16f *u, const wisp_param *p)
{
    v16_clamp(g, -__builtin_inff(), p[1].f);
    v16_clamp(u, -p[1].f, p[1].f);
    v16_swish(g, p[0].f);
    *g = *g * (*u + 1.0f);
}

/* The loop over a row, with the kind known to the compiler. */
VEC_INLINE void act_row(float *y, const float *g, const float *u, size_t d, const wisp_param *p, uint32_t kind)
{
    for (size_t i = 0; i < d; i += 16) {
        const size_t n = d - i < 16 ? d - i : 16;
        v16f a, b = {0};
        v16_load_part(&a, g + i, n);
        if (u) v16_load_part(&b, u + i, n);
        if (kind == WISP_ACT_SWIGLU_OAI) {
            v16_swiglu_oai(&a, &b, p + 1);
        } else {
            v16_act(&a, kind, p + 1);
            if (u) a = a * b;
        }
        v16_store_part(y + i, &a, n);
    }
}

static void unary(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    act_row(y, x[0], NULL, d, p, p[0].u);
}

static void glu(float *y, const float *const x[3], size_t d, const wisp_param *p)
{
    if (p[0].u == WISP_ACT_SILU)
        act_row(y, x[0], x[1], d, p, WISP_ACT_SILU);
    else if (p[0].u == WISP_ACT_GELU_TANH)
        act_row(y, x[0], x[1], d, p, WISP_ACT_GELU_TANH);
    else
        act_row(y, x[0], x[1], d, p, p[0].u);
}

#endif
