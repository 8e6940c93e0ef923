/* Sixteen lanes as GNU vectors: the arithmetic of docs/numerics.md, written once for every target. Vectors go by
 * pointer, since a 64-byte one has no ABI of its own on most targets; after inlining nothing is left of that. */
#ifndef TENSOR_VEC_H
#define TENSOR_VEC_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_INLINE static inline __attribute__((always_inline))

/* Bytes of a register of the target: a file for larger ones defines it first. Compilers split arithmetic on 64-byte
 * vectors well, but gcc makes comparisons scalar, so those are written in pieces. */
#ifndef VEC_BYTES
#define VEC_BYTES 16
#endif

typedef float v16f __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));
typedef uint32_t v16u __attribute__((vector_size(64)));
typedef uint16_t v16h __attribute__((vector_size(32)));
typedef int8_t v16b __attribute__((vector_size(16)));
typedef float v8f __attribute__((vector_size(32)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef float v4f __attribute__((vector_size(16)));

VEC_INLINE void v16_load(v16f *v, const float *p)
{
    memcpy(v, p, sizeof *v);
}
VEC_INLINE void v16_store(float *p, const v16f *v)
{
    memcpy(p, v, sizeof *v);
}
VEC_INLINE void v16_load_n(v16f *v, const float *p, size_t n) /* the first n < 16, the rest zero */
{
    *v = (v16f){0};
    memcpy(v, p, n * sizeof *p);
}
VEC_INLINE void v16_store_n(float *p, const v16f *v, size_t n)
{
    memcpy(p, v, n * sizeof *p);
}

/* The first n <= 16: all of them is the case to be fast in. */
VEC_INLINE void v16_load_part(v16f *v, const float *p, size_t n)
{
    if (n == 16)
        v16_load(v, p);
    else
        v16_load_n(v, p, n);
}
VEC_INLINE void v16_store_part(float *p, const v16f *v, size_t n)
{
    if (n == 16)
        v16_store(p, v);
    else
        v16_store_n(p, v, n);
}

/* 16 -> 8 -> 4 -> 2 -> 1: the upper half onto the lower. */
VEC_INLINE float v16_fold(const v16f *v)
{
    v8f a, b;
    memcpy(&a, v, sizeof a);
    memcpy(&b, (const char *)v + sizeof a, sizeof b);
    a = a + b;
    v4f c, d;
    memcpy(&c, &a, sizeof c);
    memcpy(&d, (const char *)&a + sizeof c, sizeof d);
    c = c + d;
    return (c[0] + c[2]) + (c[1] + c[3]);
}

VEC_INLINE int32_t v16_sum(const v16i *v)
{
    v4i a[4];
    memcpy(a, v, sizeof a);
    a[0] = (a[0] + a[1]) + (a[2] + a[3]);
    return (a[0][0] + a[0][1]) + (a[0][2] + a[0][3]);
}

typedef float vec_f __attribute__((vector_size(VEC_BYTES)));
typedef int32_t vec_i __attribute__((vector_size(VEC_BYTES)));

/* a > b: lanes 0 or -1, 0 where one is a NaN */
VEC_INLINE void v16_greater(v16i *out, const v16f *a, const v16f *b)
{
    enum { PIECES = 64 / VEC_BYTES };
    vec_f x[PIECES], y[PIECES];
    vec_i m[PIECES];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    m[0] = x[0] > y[0];
    if (PIECES > 1) m[1 % PIECES] = x[1 % PIECES] > y[1 % PIECES];
    if (PIECES > 2) {
        m[2 % PIECES] = x[2 % PIECES] > y[2 % PIECES];
        m[3 % PIECES] = x[3 % PIECES] > y[3 % PIECES];
    }
    memcpy(out, m, sizeof *out);
}

/* All ones where the lane is a NaN: its magnitude is above infinity's. */
VEC_INLINE void v16_is_nan(v16i *out, const v16f *v)
{
    *out = (0x7f800000 - (v16i)((v16u)*v & 0x7fffffff)) >> 31;
}

/* mask lanes are 0 or -1 */
VEC_INLINE void v16_select(v16f *out, const v16i *mask, const v16f *yes, const v16f *no)
{
    *out = (v16f)((*mask & (v16i)*yes) | (~*mask & (v16i)*no));
}

/* The largest lane, of lanes without NaN. */
VEC_INLINE float v16_largest(const v16f *v)
{
    v4f a[4];
    memcpy(a, v, sizeof a);
    for (int step = 2; step; step /= 2)
        for (int i = 0; i < step; i++) {
            const v4i above = a[i + step] > a[i];
            a[i] = (v4f)((above & (v4i)a[i + step]) | (~above & (v4i)a[i]));
        }
    const float x = a[0][0] > a[0][1] ? a[0][0] : a[0][1], y = a[0][2] > a[0][3] ? a[0][2] : a[0][3];
    return x > y ? x : y;
}

VEC_INLINE void v16_from_f16(v16f *out, const void *p)
{
    v16h h;
    memcpy(&h, p, sizeof h);
    v16u w = __builtin_convertvector(h, v16u), em = (w & 0x7fff) << 13;
    v16u finite = (v16u)((v16f)em * 0x1p112f); /* exact, subnormals too */
    v16u is_nan = (v16u)((v16i)(0x0f800000 - em) >> 31), is_special = (v16u)((v16i)(0x0f7fffff - em) >> 31);
    v16u special = em | 0x7f800000 | (is_nan & 0x400000); /* NaNs become quiet */
    *out = (v16f)((special & is_special) | (finite & ~is_special) | (w & 0x8000) << 16);
}

VEC_INLINE void v16_from_bf16(v16f *out, const void *p)
{
    v16h h;
    memcpy(&h, p, sizeof h);
    *out = (v16f)(__builtin_convertvector(h, v16u) << 16);
}

/* Keeps 24 - bits significant bits, half to even; NaN becomes the quiet NaN 0x7fc00000. */
VEC_INLINE void v16_round_bits(v16f *v, unsigned bits)
{
    v16u u = (v16u)*v, half = (v16u){0} + ((1u << (bits - 1)) - 1);
    v16i nan;
    v16_is_nan(&nan, v);
    u = (u + half + (u >> bits & 1)) & ~((1u << bits) - 1);
    *v = (v16f)(((v16u)nan & 0x7fc00000) | (~(v16u)nan & u));
}

/* Ready for a product with F16 values: tiny to +0, at most 2^100, 13 significant bits. */
VEC_INLINE void v16_condition13(v16f *v)
{
    const v16f least = (v16f){0} + 0x1p-100f, most = (v16f){0} + 0x1p100f, zero = {0};
    v16f magnitude = (v16f)((v16u)*v & 0x7fffffff), bound = (v16f)((v16u)most | ((v16u)*v & 0x80000000));
    v16i tiny, big;
    v16_greater(&tiny, &least, &magnitude);
    v16_greater(&big, &magnitude, &most);
    v16_select(v, &big, &bound, v);
    v16_select(v, &tiny, &zero, v);
    v16_round_bits(v, 11);
}

/* exp: n = x / ln 2 to nearest, r = x - n ln 2 in two parts, a polynomial of degree 7, exponent inserted in two halves.
 * exp(0) is 1; above 88.72283 inf; below -87.33654 zero (no subnormal results). */
VEC_INLINE void v16_exp(v16f *v)
{
    const v16f x = *v, magic = (v16f){0} + 0x1.8p23f, zero = {0};
    v16f shifted = x * 1.44269504f + magic;
    v16f n = shifted - magic;
    v16i e = (v16i)((v16u)shifted - 0x4b400000u); /* n as an integer; anything for x out of range */
    v16f r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    v16f p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * (r * r) + r) + 1.0f;
    v16i half = e >> 1;
    p = p * (v16f)((v16u)(half + 127) << 23);
    p = p * (v16f)((v16u)(e - half + 127) << 23);
    const v16f infinity = zero + __builtin_inff(), most = zero + 88.72283f, least = zero - 87.33654f;
    v16i over, under, nan;
    v16_greater(&over, &x, &most);
    v16_greater(&under, &least, &x);
    v16_is_nan(&nan, &x);
    v16_select(&p, &over, &infinity, &p);
    v16_select(&p, &under, &zero, &p);
    v16_select(v, &nan, &x, &p);
}

#endif
