/* Quantizing activations, AVX2: the bodies of panel.h by hand, since gcc makes a poor job of narrowing to bytes.
 * VMAXPS(a, b) is a > b ? a : b, VMINPS a < b ? a : b: what docs/numerics.md asks for, NaN included. */
#include <immintrin.h>
#include <string.h>

#include "tensor/kernels/x86/each.h"
#include "tensor/kernels/x86/kernels_x86.h"

/* The largest magnitude of n (a multiple of 16) floats. */
INLINE float largest(const float *x, uint32_t n)
{
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 a = _mm256_setzero_ps(), b = a;
    for (uint32_t i = 0; i < n; i += 16) {
        a = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(x + i), magnitude), a);
        b = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(x + i + 8), magnitude), b);
    }
    a = _mm256_max_ps(a, b);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

/* 8 floats -> integers in [-127, 127], half to even (the rounding mode that every process starts with and we keep). */
INLINE __m256i round8(const float *x, __m256 id)
{
    const __m256 t = _mm256_max_ps(_mm256_mul_ps(_mm256_loadu_ps(x), id), _mm256_set1_ps(-127.0f));
    return _mm256_cvtps_epi32(_mm256_min_ps(t, _mm256_set1_ps(127.0f)));
}

/* 32 floats -> bytes; 8 sums of 4 */
INLINE __m256i quantize32(const float *x, __m256 id, uint8_t *q)
{
    const __m256i low = _mm256_packs_epi32(round8(x, id), round8(x + 8, id));
    const __m256i high = _mm256_packs_epi32(round8(x + 16, id), round8(x + 24, id));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256((void *)q, bytes);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
}

/* Sums of the lower and the upper 4 lanes. */
INLINE void sum_halves(__m256i v, int32_t out[2])
{
    v = _mm256_add_epi32(v, _mm256_shuffle_epi32(v, 0x4e));
    v = _mm256_add_epi32(v, _mm256_shuffle_epi32(v, 0xb1));
    out[0] = _mm_cvtsi128_si32(_mm256_castsi256_si128(v));
    out[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(v, 1));
}

static void panel_q32(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    uint8_t *out = panel;
    for (uint32_t i = 0; i < k; i += 32, out += 40 * tokens)
        for (uint32_t t = 0; t < tokens; t++) {
            const float *p = x + t * ldx + i;
            const float amax = largest(p, 32), d = amax / 127.0f, id = amax != 0 ? 127.0f / amax : 0;
            int32_t sums[2];
            sum_halves(quantize32(p, _mm256_set1_ps(id), out + 32 * t), sums);
            sums[0] = -8 * (sums[0] + sums[1]);
            memcpy(out + 32 * tokens + 4 * t, &d, 4);
            memcpy(out + 36 * tokens + 4 * t, sums, 4);
        }
}

static void panel_q256(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    uint8_t *out = panel;
    for (uint32_t i = 0; i < k; i += 256, out += 308 * tokens)
        for (uint32_t t = 0; t < tokens; t++) {
            const float *p = x + t * ldx + i;
            const float amax = largest(p, 256), d = amax / 127.0f, id = amax != 0 ? 127.0f / amax : 0;
            int16_t sums[16], pairs[8];
            for (uint32_t j = 0; j < 8; j++) {
                int32_t two[2];
                sum_halves(quantize32(p + 32 * j, _mm256_set1_ps(id), out + 256 * t + 32 * j), two);
                sums[2 * j] = (int16_t)two[0];
                sums[2 * j + 1] = (int16_t)two[1];
                pairs[j] = (int16_t)(two[0] + two[1]);
            }
            memcpy(out + 256 * tokens + 4 * t, &d, 4);
            memcpy(out + 260 * tokens + 16 * t, pairs, 16);
            memcpy(out + 276 * tokens + 32 * t, sums, 32);
        }
}

void tensor_avx2_panels(tensor_kernels *k)
{
    k->panel[TENSOR_PANEL_Q32] = panel_q32;
    k->panel[TENSOR_PANEL_Q256] = panel_q256;
}
