/* What the AVX-512 VNNI kernels for packed weights share. */
#ifndef TENSOR_PACKED_AVX512_H
#define TENSOR_PACKED_AVX512_H
#include <immintrin.h>

#include "tensor/kernels/x86/each.h"
#include "tensor/kernels/x86/kernels_x86.h"
#include "tensor/layout.h"

INLINE __m512 ps_at(const uint8_t *p)
{
    return _mm512_set1_ps(*(const float *)(const void *)p);
}
INLINE __m512i i32_at(const uint8_t *p)
{
    return _mm512_set1_epi32(*(const int32_t *)(const void *)p);
}
INLINE __m512 f16_at(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}

/* 4 units of nibbles -> 8 registers, one for 4 K each. */
INLINE void nibbles(const uint8_t *units, __m512i q[8])
{
    const __m512i low = _mm512_set1_epi8(15);
    for (int c = 0; c < 4; c++) {
        __m512i v = _mm512_loadu_si512(units + 64 * c);
        LOADED(v);
        q[2 * c] = _mm512_and_si512(v, low);
        q[2 * c + 1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
    }
}

/* start + q . a over 4 * n K of one token; two chains. */
INLINE __m512i dot(__m512i start, const __m512i *q, const uint8_t *a, const int n)
{
    __m512i even = start, odd = _mm512_setzero_si512();
    for (int c = 0; c < n; c += 2) {
        even = _mm512_dpbusd_epi32(even, q[c], i32_at(a + 4 * c));
        odd = _mm512_dpbusd_epi32(odd, q[c + 1], i32_at(a + 4 * c + 4));
    }
    return _mm512_add_epi32(even, odd);
}

/* acc + (dw * da) * isum */
INLINE __m512 add_scaled(__m512 acc, __m512 dw, __m512 da, __m512i isum)
{
    return _mm512_add_ps(acc, _mm512_mul_ps(_mm512_mul_ps(dw, da), _mm512_cvtepi32_ps(isum)));
}

INLINE void store(const tensor_matmul_args *a, const __m512 *acc, const int T)
{
    EACH(T, _mm512_storeu_ps(a->y + (size_t)t * a->ldy, acc[t]));
}

/* 16 u8 or s8 of sub-block j and of the next as pairs of 16 bits. */
INLINE __m512i pairs_u8(const uint8_t *p, const uint8_t *next)
{
    return _mm512_or_si512(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)),
                           _mm512_slli_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)next)), 16));
}

INLINE __m512i pairs_s8(const uint8_t *p, const uint8_t *next)
{
    const __m512i low =
        _mm512_and_si512(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)), _mm512_set1_epi32(0xffff));
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)next)), 16));
}

/* Q4_K, Q5_K: msum = sum of min_j * asum_j, two j at a time; then acc - (dmin * da) * msum */
INLINE void take_k_minima(const uint8_t *w, const uint8_t *panel, __m512 *acc, const int T)
{
    const __m512 dmin = f16_at(w + 32);
    __m512i min[4];
    for (int j = 0; j < 4; j++)
        min[j] = pairs_u8(w + 80 + j * 64, w + 112 + j * 64);
    EACH(T, __m512i sum = _mm512_setzero_si512();
         for (int j = 0; j < 4; j++) sum = _mm512_dpwssd_epi32(sum, min[j], i32_at(panel + 260 * T + 16 * t + 4 * j));
         const __m512 scale = _mm512_mul_ps(dmin, ps_at(panel + 256 * T + 4 * t));
         acc[t] = _mm512_sub_ps(acc[t], _mm512_mul_ps(scale, _mm512_cvtepi32_ps(sum))));
}

/* One copy of a tile for each number of tokens. */
#define KERNEL(name)                                                                                                   \
    static void matmul_##name(const tensor_matmul_args *a)                                                             \
    {                                                                                                                  \
        switch (a->tokens) {                                                                                           \
        case 1:                                                                                                        \
            name##_tile(a, 1);                                                                                         \
            break;                                                                                                     \
        case 2:                                                                                                        \
            name##_tile(a, 2);                                                                                         \
            break;                                                                                                     \
        case 3:                                                                                                        \
            name##_tile(a, 3);                                                                                         \
            break;                                                                                                     \
        case 4:                                                                                                        \
            name##_tile(a, 4);                                                                                         \
            break;                                                                                                     \
        case 5:                                                                                                        \
            name##_tile(a, 5);                                                                                         \
            break;                                                                                                     \
        case 6:                                                                                                        \
            name##_tile(a, 6);                                                                                         \
            break;                                                                                                     \
        case 7:                                                                                                        \
            name##_tile(a, 7);                                                                                         \
            break;                                                                                                     \
        default:                                                                                                       \
            name##_tile(a, 8);                                                                                         \
            break;                                                                                                     \
        }                                                                                                              \
    }

#endif
