/* What the AVX2 kernels for packed weights share. */
#ifndef TENSOR_PACKED_AVX2_H
#define TENSOR_PACKED_AVX2_H
#include <immintrin.h>

#include "tensor/kernels/x86/each.h"
#include "tensor/kernels/x86/kernels_x86.h"
#include "tensor/layout.h"

INLINE __m256 ps_at(const uint8_t *p)
{
    return _mm256_set1_ps(*(const float *)(const void *)p);
}
INLINE __m256i i32_at(const uint8_t *p)
{
    return _mm256_set1_epi32(*(const int32_t *)(const void *)p);
}
INLINE __m256 f16_at(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
}
INLINE __m256i load(const uint8_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

/* acc + (dw * da) * isum */
INLINE __m256 add_scaled(__m256 acc, __m256 dw, __m256 da, __m256i isum)
{
    return _mm256_add_ps(acc, _mm256_mul_ps(_mm256_mul_ps(dw, da), _mm256_cvtepi32_ps(isum)));
}

INLINE __m256i add16(__m256i sum, __m256i unsigned_weights, __m256i a)
{
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(unsigned_weights, a));
}

/* What a tile works on: 8 rows (half 0 or 1 of the group) times T of the panel's P tokens, from `first` on. */
typedef struct part {
    const uint8_t *w, *panel;
    uint32_t P, first, half;
} part;

INLINE part part_of(const tensor_matmul_args *a, uint32_t first, uint32_t half)
{
    return (part){a->w, a->panel, a->tokens, first, half};
}

INLINE void store(const tensor_matmul_args *a, const part *p, const __m256 *acc, const int T)
{
    EACH(T, _mm256_storeu_ps(a->y + (p->first + t) * a->ldy + 8 * p->half, acc[t]));
}

/* 8 bytes -> 8 pairs of 16 bits: of one sub-block twice, or of two. */
INLINE __m256i u8_at(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
}
INLINE __m256i s8_at(const uint8_t *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p));
}
INLINE __m256i pairs(__m256i low, __m256i high)
{
    return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}

/* Q4_K, Q5_K: acc - (dmin * da) * (sum of min_j * asum_j), two j at a time */
INLINE void take_k_minima(const part *p, const uint8_t *w, const uint8_t *panel, __m256 *acc, const int T)
{
    const uint8_t *da = panel + 256 * p->P + 4 * p->first, *sums = panel + 260 * p->P + 16 * p->first;
    const __m256 dmin = f16_at(w + 32 + 16 * p->half);
    __m256i msum[8];
    EACH(T, msum[t] = _mm256_setzero_si256());
    for (int j = 0; j < 4; j++) {
        const uint8_t *mins = w + 80 + 64 * j + 8 * p->half;
        const __m256i min = pairs(u8_at(mins), u8_at(mins + 32));
        EACH(T, msum[t] = _mm256_add_epi32(msum[t], _mm256_madd_epi16(min, i32_at(sums + 16 * t + 4 * j))));
    }
    EACH(T, const __m256 scale = _mm256_mul_ps(dmin, ps_at(da + 4 * t));
         acc[t] = _mm256_sub_ps(acc[t], _mm256_mul_ps(scale, _mm256_cvtepi32_ps(msum[t]))));
}

/* Tiles of up to 4 tokens and 8 rows; one copy of a tile for each number of tokens. */
#define KERNEL(name)                                                                                                   \
    static void matmul_##name(const tensor_matmul_args *a)                                                             \
    {                                                                                                                  \
        for (uint32_t first = 0; first < a->tokens; first += 4)                                                        \
            for (uint32_t half = 0; half < 2; half++)                                                                  \
                switch (a->tokens - first) {                                                                           \
                case 1:                                                                                                \
                    name##_tile(a, first, half, 1);                                                                    \
                    break;                                                                                             \
                case 2:                                                                                                \
                    name##_tile(a, first, half, 2);                                                                    \
                    break;                                                                                             \
                case 3:                                                                                                \
                    name##_tile(a, first, half, 3);                                                                    \
                    break;                                                                                             \
                default:                                                                                               \
                    name##_tile(a, first, half, 4);                                                                    \
                    break;                                                                                             \
                }                                                                                                      \
    }

#endif
