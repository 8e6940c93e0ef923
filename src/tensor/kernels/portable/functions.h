/* tanh, erf and ln of 16 lanes by fixed sequences of +, -, * and /: the definition for every target (docs/numerics.md),
 * compiled once an ISA. The polynomials are those of Cephes (tanhf, erff, erfcf, logf). */
#ifndef TENSOR_FUNCTIONS_H
#define TENSOR_FUNCTIONS_H
#include "tensor/kernels/portable/vec.h"

/* p = ((c[0] * x + c[1]) * x + …) + c[n - 1] */
VEC_INLINE void v16_horner(v16f *p, const v16f *x, const float *c, int n)
{
    v16f sum = (v16f){0} + c[0];
    for (int i = 1; i < n; i++)
        sum = sum * *x + c[i];
    *p = sum;
}

VEC_INLINE void v16_magnitude(v16f *v)
{
    *v = (v16f)((v16u)*v & 0x7fffffff);
}

/* v with the sign of `of`. */
VEC_INLINE void v16_copy_sign(v16f *v, const v16f *of)
{
    *v = (v16f)(((v16u)*v & 0x7fffffff) | ((v16u)*of & 0x80000000));
}

/* 1 / (1 + exp(-x)) */
VEC_INLINE void v16_sigmoid(v16f *v)
{
    v16f e = -*v;
    v16_exp(&e);
    *v = 1.0f / (1.0f + e);
}

/* |x| < 0.625: x + x * z * P(z), z = x * x; else 1 - 2 / (exp(2|x|) + 1) with the sign of x. */
VEC_INLINE void v16_tanh(v16f *v)
{
    static const float c[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                              -3.33332819422e-1f};
    const v16f x = *v, bound = (v16f){0} + 0.625f;
    v16f a = x, z = x * x, p, e;
    v16_magnitude(&a);
    v16_horner(&p, &z, c, 5);
    p = x + x * (z * p);
    e = a + a;
    v16_exp(&e);
    e = 1.0f - 2.0f / (e + 1.0f);
    v16_copy_sign(&e, &x);
    v16i small, nan;
    v16_greater(&small, &bound, &a);
    v16_is_nan(&nan, &x);
    v16_select(v, &small, &p, &e);
    v16_select(v, &nan, &x, v);
}

/* |x| < 1: x * P(x * x); else 1 - exp(-x * x) / |x| * Q(1 / (x * x)) with the sign of x, Q another one from 2 on. */
VEC_INLINE void v16_erf(v16f *v)
{
    static const float c[] = {7.853861353153693e-5f,  -8.010193625184903e-4f, 5.188327685732524e-3f,
                              -2.685381193529856e-2f, 1.128358514861418e-1f,  -3.761262582423300e-1f,
                              1.128379165726710e+0f};
    static const float near[] = {2.326819970068386e-2f,  -1.387039388740657e-1f, 3.687424674597105e-1f,
                                 -5.824733027278666e-1f, 6.210004621745983e-1f,  -4.944515323274145e-1f,
                                 3.404879937665872e-1f,  -2.741127028184656e-1f, 5.638259427472472e-1f};
    static const float far[] = {-1.047766399936249e+1f, 1.297719955372516e+1f,  -7.495518717768503e+0f,
                                2.921019019210786e+0f,  -1.015265279202700e+0f, 4.218463358204948e-1f,
                                -2.820767439740514e-1f, 5.641895067754075e-1f};
    const v16f x = *v, one = (v16f){0} + 1.0f, two = one + one;
    v16f a = x, z = x * x, p, q, r, e = -z;
    v16_magnitude(&a);
    v16_horner(&p, &z, c, 7);
    p = x * p;
    v16_exp(&e);
    z = 1.0f / z;
    v16_horner(&q, &z, near, 9);
    v16_horner(&r, &z, far, 8);
    v16i below1, below2, nan;
    v16_greater(&below1, &one, &a);
    v16_greater(&below2, &two, &a);
    v16_is_nan(&nan, &x);
    v16_select(&q, &below2, &q, &r);
    q = 1.0f - e * (1.0f / a) * q;
    v16_copy_sign(&q, &x);
    v16_select(v, &below1, &p, &q);
    v16_select(v, &nan, &x, v);
}

/* ln x of normal positive numbers: x = m * 2^e, m in [sqrt(1/2), sqrt(2)); anything for the rest. */
VEC_INLINE void v16_log(v16f *v)
{
    static const float c[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                              -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                              2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    const v16u bits = (v16u)*v - 0x3f3504f3u; /* sqrt(1/2) */
    const v16i e = (v16i)bits >> 23;
    v16f m = (v16f)((bits & 0x007fffff) + 0x3f3504f3u) - 1.0f, z = m * m, p, n = __builtin_convertvector(e, v16f);
    v16_horner(&p, &m, c, 9);
    p = m * z * p;
    p = p + n * -2.12194440e-4f;
    p = p - 0.5f * z;
    *v = (m + p) + n * 0.693359375f;
}

/* ln(1 + x) of x in [0, inf): ln(u) * (x / (u - 1)) with u = 1 + x, which makes up for what u lost of x; x where u is
 * 1, and ln(u) where x is large. */
VEC_INLINE void v16_log1p(v16f *v)
{
    const v16f x = *v, one = (v16f){0} + 1.0f, large = (v16f){0} + 0x1p24f;
    v16f u = 1.0f + x, l = u, d = u - 1.0f;
    v16_log(&l);
    v16i more, above;
    v16_greater(&more, &u, &one);
    v16_greater(&above, &x, &large);
    v16_select(&d, &more, &d, &one);
    v16f corrected = l * (x / d);
    v16_select(&corrected, &above, &l, &corrected);
    v16_select(v, &more, &corrected, &x);
}

/* max(x, 0) + ln(1 + exp(-|x|)) */
VEC_INLINE void v16_softplus(v16f *v)
{
    const v16f x = *v, zero = {0};
    v16f e = x, most;
    v16_magnitude(&e);
    e = -e;
    v16_exp(&e);
    v16_log1p(&e);
    v16i above, nan;
    v16_greater(&above, &x, &zero);
    v16_is_nan(&nan, &x);
    v16_select(&most, &above, &x, &zero);
    most = most + e;
    v16_select(v, &nan, &x, &most);
}

#endif
