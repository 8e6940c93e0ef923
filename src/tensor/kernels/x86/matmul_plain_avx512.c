/* MATMUL with row-major weights, AVX-512: tiles of 2 rows x 8 tokens, or 4 rows of one token. F16 products are exact
 * (activations have 13 bits), so they are fused; F32 and BF16 are not. */
#include <immintrin.h>

#include "tensor/kernels/x86/kernels_x86.h"

#define INLINE static inline __attribute__((always_inline))

typedef enum format { F32, F16, BF16 } format;

/* 16 weights, or those that the mask names and zeros. */
INLINE __m512 weights(const uint8_t *p, const __mmask16 mask, const format f)
{
    if (f == F32) return _mm512_maskz_loadu_ps(mask, p);
    const __m256i half = _mm256_maskz_loadu_epi16(mask, p);
    if (f == F16) return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

INLINE __m512 multiply_add(__m512 acc, __m512 w, __m512 x, const format f)
{
    return f == F16 ? _mm512_fmadd_ps(w, x, acc) : _mm512_add_ps(acc, _mm512_mul_ps(w, x));
}

/* 16 -> 8 -> 4 -> 2 -> 1, upper half onto lower */
INLINE float fold(__m512 v)
{
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

INLINE void step(__m512 *acc, const uint8_t *w, size_t stride, const float *x, __mmask16 mask, const int R, const int T,
                 const format f)
{
    __m512 v[4];
    for (int r = 0; r < R; r++)
        v[r] = weights(w + r * stride, mask, f);
    for (int t = 0; t < T; t++)
        for (int r = 0; r < R; r++)
            acc[r * T + t] = multiply_add(acc[r * T + t], v[r], _mm512_loadu_ps(x + 16 * t), f);
}

/* x: [k / 16][T][16], zero-padded */
INLINE void tile(const tensor_matmul_args *a, uint32_t row, const int R, const int T, const format f)
{
    const size_t bytes = f == F32 ? 64 : 32;
    const uint8_t *w = (const uint8_t *)a->w + row * a->stride;
    const float *x = a->panel;
    __m512 acc[16];
    for (int i = 0; i < R * T; i++)
        acc[i] = _mm512_setzero_ps();
    for (uint32_t i = a->k / 16; i; i--, w += bytes, x += 16 * T)
        step(acc, w, a->stride, x, 0xffff, R, T, f);
    if (a->k % 16) step(acc, w, a->stride, x, (__mmask16)((1u << a->k % 16) - 1), R, T, f);
    for (int t = 0; t < T; t++)
        for (int r = 0; r < R; r++)
            a->y[(size_t)t * a->ldy + row + (uint32_t)r] = fold(acc[r * T + t]);
}

INLINE void rows(const tensor_matmul_args *a, const int R, const int T, const format f)
{
    uint32_t row = 0;
    for (; row + (uint32_t)R <= a->rows; row += (uint32_t)R)
        tile(a, row, R, T, f);
    for (; row < a->rows; row++)
        tile(a, row, 1, T, f);
}

#define KERNEL(name, f)                                                                                                \
    static void matmul_##name(const tensor_matmul_args *a)                                                             \
    {                                                                                                                  \
        switch (a->tokens) {                                                                                           \
        case 1:                                                                                                        \
            rows(a, 4, 1, f);                                                                                          \
            break;                                                                                                     \
        case 2:                                                                                                        \
            rows(a, 4, 2, f);                                                                                          \
            break;                                                                                                     \
        case 3:                                                                                                        \
            rows(a, 4, 3, f);                                                                                          \
            break;                                                                                                     \
        case 4:                                                                                                        \
            rows(a, 4, 4, f);                                                                                          \
            break;                                                                                                     \
        case 5:                                                                                                        \
            rows(a, 2, 5, f);                                                                                          \
            break;                                                                                                     \
        case 6:                                                                                                        \
            rows(a, 2, 6, f);                                                                                          \
            break;                                                                                                     \
        case 7:                                                                                                        \
            rows(a, 2, 7, f);                                                                                          \
            break;                                                                                                     \
        default:                                                                                                       \
            rows(a, 2, 8, f);                                                                                          \
            break;                                                                                                     \
        }                                                                                                              \
    }
KERNEL(f32, F32)
KERNEL(f16, F16)
KERNEL(bf16, BF16)

void tensor_avx512_matmul_plain(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_F32] = matmul_f32;
    k->matmul[TENSOR_MATMUL_F16] = matmul_f16;
    k->matmul[TENSOR_MATMUL_BF16] = matmul_bf16;
    for (int i = TENSOR_MATMUL_F32; i <= TENSOR_MATMUL_BF16; i++)
        k->matmul_variant[i] = "avx512";
}
