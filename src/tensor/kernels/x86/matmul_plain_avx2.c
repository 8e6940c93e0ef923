/* MATMUL with row-major weights, AVX2: the 16 lanes of docs/numerics.md are two registers; tiles of 2 rows x 2 tokens,
 * or 4 rows of one token. F16 products are exact (activations have 13 bits), so they are fused; F32 and BF16 are not.
 */
#include <immintrin.h>
#include <string.h>

#include "tensor/kernels/x86/each.h"
#include "tensor/kernels/x86/kernels_x86.h"

typedef enum format { F32, F16, BF16 } format;

/* 8 weights */
INLINE __m256 weights(const uint8_t *p, const format f)
{
    if (f == F32) return _mm256_loadu_ps((const float *)(const void *)p);
    const __m128i half = _mm_loadu_si128((const void *)p);
    if (f == F16) return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

INLINE __m256 multiply_add(__m256 acc, __m256 w, __m256 x, const format f)
{
    return f == F16 ? _mm256_fmadd_ps(w, x, acc) : _mm256_add_ps(acc, _mm256_mul_ps(w, x));
}

/* 16 -> 8 -> 4 -> 2 -> 1, upper half onto lower */
INLINE float fold(__m256 low, __m256 high)
{
    const __m256 a = _mm256_add_ps(low, high);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

/* 16 elements of R rows and T tokens; acc: [row][token][half] */
INLINE void step(__m256 *acc, const uint8_t *w, size_t stride, const float *x, const int R, const int T, const format f)
{
    const size_t half = f == F32 ? 32 : 16;
    EACH(R, enum {r = t}; const __m256 low = weights(w + r * stride, f), high = weights(w + r * stride + half, f);
         __m256 *sum = acc + 2 * T * r;
         EACH(T, sum[2 * t] = multiply_add(sum[2 * t], low, _mm256_loadu_ps(x + 16 * t), f);
              sum[2 * t + 1] = multiply_add(sum[2 * t + 1], high, _mm256_loadu_ps(x + 16 * t + 8), f)));
}

/* x: [k / 16][tokens][16], zero-padded */
INLINE void tile(const tensor_matmul_args *a, uint32_t row, uint32_t token, const int R, const int T, const format f)
{
    const size_t bytes = f == F32 ? 64 : 32, rest = a->k % 16;
    const uint8_t *w = (const uint8_t *)a->w + row * a->stride;
    const float *x = (const float *)a->panel + 16 * token;
    __m256 acc[8];
    EACH(2 * R * T, acc[t] = _mm256_setzero_ps());
    for (uint32_t i = a->k / 16; i; i--, w += bytes, x += 16 * a->tokens)
        step(acc, w, a->stride, x, R, T, f);
    if (rest) {
        uint8_t tail[4 * 64] = {0};
        for (int r = 0; r < R; r++)
            memcpy(tail + r * 64, w + (size_t)r * a->stride, rest * bytes / 16);
        step(acc, tail, 64, x, R, T, f);
    }
    float *y = a->y + token * a->ldy + row;
    EACH(R, enum {r = t}; EACH(T, y[t * a->ldy + r] = fold(acc[2 * (r * T + t)], acc[2 * (r * T + t) + 1])));
}

INLINE void tokens(const tensor_matmul_args *a, uint32_t token, const int R, const int T, const format f)
{
    uint32_t row = 0;
    for (; row + (uint32_t)R <= a->rows; row += (uint32_t)R)
        tile(a, row, token, R, T, f);
    for (; row < a->rows; row++)
        tile(a, row, token, 1, T, f);
}

INLINE void all(const tensor_matmul_args *a, const format f)
{
    uint32_t token = 0;
    for (; token + 2 <= a->tokens; token += 2)
        tokens(a, token, 2, 2, f);
    if (token < a->tokens) tokens(a, token, 4, 1, f);
}

static void matmul_f32(const tensor_matmul_args *a)
{
    all(a, F32);
}

static void matmul_f16(const tensor_matmul_args *a)
{
    all(a, F16);
}

static void matmul_bf16(const tensor_matmul_args *a)
{
    all(a, BF16);
}

void tensor_avx2_matmul_plain(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_F32] = matmul_f32;
    k->matmul[TENSOR_MATMUL_F16] = matmul_f16;
    k->matmul[TENSOR_MATMUL_BF16] = matmul_bf16;
    for (int i = TENSOR_MATMUL_F32; i <= TENSOR_MATMUL_BF16; i++)
        k->matmul_variant[i] = "avx2";
}
