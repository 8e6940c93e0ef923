/* Attention over one tile, AVX2. But for F32 caches products are exact, and fused. */
#define VEC_BYTES 32
#include <immintrin.h>
#include <string.h>

#include "tensor/kernels/portable/softmax.h"
#include "tensor/kernels/x86/kernels_x86.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void kv_bytes(v16f v[2], const uint8_t *p)
{
    __m256 part[4];
    for (int i = 0; i < 4; i++)
        part[i] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(p + 8 * i))));
    memcpy(v, part, sizeof part);
}

INLINE void kv_nibbles(v16f v[2], const uint8_t *p)
{
    const __m128i all = _mm_loadu_si128((const void *)p), mask = _mm_set1_epi8(15), eight = _mm_set1_epi8(8);
    const __m128i low = _mm_sub_epi8(_mm_and_si128(all, mask), eight);
    const __m128i high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(all, 4), mask), eight);
    const __m256 part[4] = {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(low)),
                            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(low, 8))),
                            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(high)),
                            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(high, 8)))};
    memcpy(v, part, sizeof part);
}

INLINE void kv_add(v16f *sum, const v16f *a, const v16f *b)
{
    __m256 s[2], x[2], y[2];
    memcpy(s, sum, sizeof s);
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    s[0] = _mm256_fmadd_ps(x[0], y[0], s[0]);
    s[1] = _mm256_fmadd_ps(x[1], y[1], s[1]);
    memcpy(sum, s, sizeof s);
}

#include "tensor/kernels/portable/kv_blocks.h"

INLINE __m256 load(const uint8_t *p, const bool f16)
{
    return f16 ? _mm256_cvtph_ps(_mm_loadu_si128((const void *)p)) : _mm256_loadu_ps((const float *)(const void *)p);
}

INLINE __m256 multiply_add(__m256 acc, __m256 a, __m256 b, const bool f16)
{
    return f16 ? _mm256_fmadd_ps(a, b, acc) : _mm256_add_ps(acc, _mm256_mul_ps(a, b));
}

/* 16 -> 8 -> 4 -> 2 -> 1, upper half onto lower */
INLINE float fold(__m256 low, __m256 high)
{
    const __m256 a = _mm256_add_ps(low, high);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

INLINE float score(const float *q, const uint8_t *row, uint32_t d, const bool f16)
{
    const size_t bytes = f16 ? 2 : 4;
    __m256 low = _mm256_setzero_ps(), high = low;
    uint32_t c = 0;
    for (; c + 16 <= d; c += 16) {
        low = multiply_add(low, _mm256_loadu_ps(q + c), load(row + c * bytes, f16), f16);
        high = multiply_add(high, _mm256_loadu_ps(q + c + 8), load(row + (c + 8) * bytes, f16), f16);
    }
    if (c < d) {
        uint8_t tail[64] = {0};
        memcpy(tail, row + c * bytes, (d - c) * bytes);
        low = multiply_add(low, _mm256_loadu_ps(q + c), load(tail, f16), f16);
        high = multiply_add(high, _mm256_loadu_ps(q + c + 8), load(tail + 8 * bytes, f16), f16);
    }
    return fold(low, high);
}

static void scores_f32(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    for (uint32_t j = 0; j < count; j++)
        s[j] = scale * score(q, (const uint8_t *)k + j * stride, d, false);
}

static void scores_f16(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    for (uint32_t j = 0; j < count; j++)
        s[j] = scale * score(q, (const uint8_t *)k + j * stride, d, true);
}

/* 8 N columns of the sum stay in registers over all keys. */
INLINE void accumulate_part(const float *e, const uint8_t *v, size_t stride, uint32_t count, float correction,
                            float *acc, const int N, const bool f16)
{
    const size_t bytes = f16 ? 2 : 4;
    __m256 sum[8];
    for (int i = 0; i < N; i++)
        sum[i] = _mm256_mul_ps(_mm256_loadu_ps(acc + 8 * i), _mm256_set1_ps(correction));
    for (uint32_t j = 0; j < count; j++, v += stride) {
        const __m256 w = _mm256_set1_ps(e[j]);
        for (int i = 0; i < N; i++)
            sum[i] = multiply_add(sum[i], load(v + 8 * bytes * (size_t)i, f16), w, f16);
    }
    for (int i = 0; i < N; i++)
        _mm256_storeu_ps(acc + 8 * i, sum[i]);
}

/* The last d % 8 columns: each key's rest is copied to where 8 can be read. */
INLINE void accumulate_tail(const float *e, const uint8_t *v, size_t stride, uint32_t count, float correction,
                            float *acc, uint32_t rest, const bool f16)
{
    float sum[8] = {0};
    uint8_t row[32] = {0};
    memcpy(sum, acc, rest * sizeof *acc);
    __m256 total = _mm256_mul_ps(_mm256_loadu_ps(sum), _mm256_set1_ps(correction));
    for (uint32_t j = 0; j < count; j++, v += stride) {
        memcpy(row, v, rest * (f16 ? 2 : 4));
        total = multiply_add(total, load(row, f16), _mm256_set1_ps(e[j]), f16);
    }
    _mm256_storeu_ps(sum, total);
    memcpy(acc, sum, rest * sizeof *acc);
}

INLINE void accumulate(const float *e, const uint8_t *v, size_t stride, uint32_t d, uint32_t count, float correction,
                       float *acc, const bool f16)
{
    const size_t bytes = f16 ? 2 : 4;
    uint32_t c = 0;
    for (; c + 64 <= d; c += 64)
        accumulate_part(e, v + c * bytes, stride, count, correction, acc + c, 8, f16);
    for (; c + 8 <= d; c += 8)
        accumulate_part(e, v + c * bytes, stride, count, correction, acc + c, 1, f16);
    if (c < d) accumulate_tail(e, v + c * bytes, stride, count, correction, acc + c, d - c, f16);
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

void tensor_avx2_attention(tensor_kernels *k)
{
    k->scores[TENSOR_KV_F32] = scores_f32;
    k->scores[TENSOR_KV_F16] = scores_f16;
    k->accumulate[TENSOR_KV_F32] = accumulate_f32;
    k->accumulate[TENSOR_KV_F16] = accumulate_f16;
    kv_blocks_fill(k);
    k->softmax = softmax;
    k->adjust = adjust;
    k->attention_variant = "avx2";
}
