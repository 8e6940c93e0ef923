/* Attention over one tile, AVX-512. But for F32 caches products are exact, and fused. */
#define VEC_BYTES 64
#include <immintrin.h>

#include "tensor/kernels/portable/softmax.h"
#include "tensor/kernels/x86/kernels_x86.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void kv_bytes(v16f v[2], const uint8_t *p)
{
    const __m512 low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
    const __m512 high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(p + 16))));
    memcpy(&v[0], &low, sizeof low);
    memcpy(&v[1], &high, sizeof high);
}

INLINE void kv_nibbles(v16f v[2], const uint8_t *p)
{
    const __m128i all = _mm_loadu_si128((const void *)p), mask = _mm_set1_epi8(15), eight = _mm_set1_epi8(8);
    const __m128i even = _mm_sub_epi8(_mm_and_si128(all, mask), eight);
    const __m128i odd = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(all, 4), mask), eight);
    const __m512 low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(even));
    const __m512 high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(odd));
    memcpy(&v[0], &low, sizeof low);
    memcpy(&v[1], &high, sizeof high);
}

INLINE void kv_add(v16f *sum, const v16f *a, const v16f *b)
{
    __m512 s, x, y;
    memcpy(&s, sum, sizeof s);
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    s = _mm512_fmadd_ps(x, y, s);
    memcpy(sum, &s, sizeof s);
}

#include "tensor/kernels/portable/kv_blocks.h"

INLINE __m512 load(const uint8_t *row, uint32_t i, __mmask16 mask, const bool f16)
{
    if (f16) return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, row + 2 * i));
    return _mm512_maskz_loadu_ps(mask, row + 4 * i);
}

INLINE __m512 multiply_add(__m512 acc, __m512 a, __m512 b, const bool f16)
{
    return f16 ? _mm512_fmadd_ps(a, b, acc) : _mm512_add_ps(acc, _mm512_mul_ps(a, b));
}

INLINE __mmask16 mask_of(uint32_t left)
{
    return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
}

/* Four sums folded at once, 16 -> 8 -> 4 -> 2 -> 1 each, into four lanes. */
INLINE __m128 fold4(const __m512 v[4])
{
    __m256 a[4];
    __m128 b[4];
    for (int i = 0; i < 4; i++) {
        a[i] = _mm256_add_ps(_mm512_castps512_ps256(v[i]), _mm512_extractf32x8_ps(v[i], 1));
        b[i] = _mm_add_ps(_mm256_castps256_ps128(a[i]), _mm256_extractf128_ps(a[i], 1));
    }
    const __m128 c0 = _mm_add_ps(_mm_movelh_ps(b[0], b[1]), _mm_movehl_ps(b[1], b[0])); /* 00+02 01+03 10+12 11+13 */
    const __m128 c1 = _mm_add_ps(_mm_movelh_ps(b[2], b[3]), _mm_movehl_ps(b[3], b[2]));
    return _mm_add_ps(_mm_shuffle_ps(c0, c1, 0x88), _mm_shuffle_ps(c0, c1, 0xdd));
}

INLINE void scores(const float *q, const uint8_t *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s,
                   const bool f16)
{
    for (uint32_t j = 0; j < count; j += 4) {
        __m512 sum[4];
        const uint8_t *row[4];
        for (uint32_t i = 0; i < 4; i++) { /* past the last key: that key again */
            row[i] = k + (j + i < count ? j + i : count - 1) * stride;
            sum[i] = _mm512_setzero_ps();
        }
        for (uint32_t c = 0; c < d; c += 16) {
            const __mmask16 mask = mask_of(d - c);
            const __m512 v = _mm512_loadu_ps(q + c);
            for (int i = 0; i < 4; i++)
                sum[i] = multiply_add(sum[i], v, load(row[i], c, mask, f16), f16);
        }
        const __m128 r = _mm_mul_ps(_mm_set1_ps(scale), fold4(sum));
        _mm_mask_storeu_ps(s + j, (__mmask8)(count - j >= 4 ? 15 : (1 << (count - j)) - 1), r);
    }
}

static void scores_f32(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    scores(q, k, stride, d, count, scale, s, false);
}

static void scores_f16(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    scores(q, k, stride, d, count, scale, s, true);
}

/* 16 N columns of the sum stay in registers over all keys. */
INLINE void accumulate_part(const float *e, const uint8_t *v, size_t stride, uint32_t count, float correction,
                            float *acc, const int N, __mmask16 mask, const bool f16)
{
    __m512 sum[4];
    for (int i = 0; i < N; i++)
        sum[i] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, acc + 16 * i), _mm512_set1_ps(correction));
    for (uint32_t j = 0; j < count; j++, v += stride) {
        const __m512 w = _mm512_set1_ps(e[j]);
        for (int i = 0; i < N; i++)
            sum[i] = multiply_add(sum[i], load(v, 16 * (uint32_t)i, mask, f16), w, f16);
    }
    for (int i = 0; i < N; i++)
        _mm512_mask_storeu_ps(acc + 16 * i, mask, sum[i]);
}

INLINE void accumulate(const float *e, const uint8_t *v, size_t stride, uint32_t d, uint32_t count, float correction,
                       float *acc, const bool f16)
{
    const size_t bytes = f16 ? 2 : 4;
    uint32_t c = 0;
    for (; c + 64 <= d; c += 64)
        accumulate_part(e, v + c * bytes, stride, count, correction, acc + c, 4, 0xffff, f16);
    for (; c < d; c += 16)
        accumulate_part(e, v + c * bytes, stride, count, correction, acc + c, 1, mask_of(d - c), f16);
}

static void accumulate_f32(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count, float correction,
                           float *acc)
{
    accumulate(e, v, stride, d, count, correction, acc, false);
}

static void accumulate_f16(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count, float correction,
                           float *acc)
{
    accumulate(e, v, stride, d, count, correction, acc, true);
}

void tensor_avx512_attention(tensor_kernels *k)
{
    k->scores[TENSOR_KV_F32] = scores_f32;
    k->scores[TENSOR_KV_F16] = scores_f16;
    k->accumulate[TENSOR_KV_F32] = accumulate_f32;
    k->accumulate[TENSOR_KV_F16] = accumulate_f16;
    kv_blocks_fill(k);
    k->softmax = softmax;
    k->adjust = adjust;
    k->attention_variant = "avx512";
}
