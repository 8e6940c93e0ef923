/* MATMUL with groups of signed bytes, AVX-512 VNNI: bytes + 128 are unsigned, and 128 times the sum is taken off. */
#include "tensor/kernels/x86/packed_avx512.h"

INLINE void unsigned_bytes(const uint8_t *units, __m512i *q, const int n)
{
    const __m512i flip = _mm512_set1_epi8(-128);
    for (int c = 0; c < n; c++)
        q[c] = _mm512_xor_si512(_mm512_loadu_si512(units + 64 * c), flip);
}

/* acc - (dmin * da) * msum */
INLINE __m512 take_minima(__m512 acc, const uint8_t *dmin, __m512 da, __m512i msum)
{
    return _mm512_sub_ps(acc, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(dmin), da), _mm512_cvtepi32_ps(msum)));
}

/* out = sum of s_j * asum_j, two j of 16 K at a time; s: signed scales or unsigned minima */
INLINE void times_sums(const uint8_t *s, const int is_signed, const uint8_t *panel, __m512i *out, const int T)
{
    EACH(T, out[t] = _mm512_setzero_si512());
    for (int j = 0; j < 8; j++) {
        const uint8_t *p = s + 32 * j;
        const __m512i pair = is_signed ? pairs_s8(p, p + 16) : pairs_u8(p, p + 16);
        EACH(T, out[t] = _mm512_dpwssd_epi32(out[t], pair, i32_at(panel + 276 * T + 32 * t + 4 * j)));
    }
}

/* isum = sum of scale_j * (dot_j - 128 asum_j) */
INLINE void sums_of(const uint8_t *w, const uint8_t *panel, __m512i *isum, const int T)
{
    times_sums(w + 128, 1, panel, isum, T);
    EACH(T, isum[t] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(isum[t], 7)));
    for (int j = 0; j < 16; j++) {
        __m512i q[4];
        unsigned_bytes(w + 640 + 256 * j, q, 4);
        const __m512i scale = _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(w + 128 + 16 * j)));
        EACH(T, const __m512i sum = dot(_mm512_setzero_si512(), q, panel + 256 * t + 16 * j, 4);
             isum[t] = _mm512_add_epi32(isum[t], _mm512_mullo_epi32(scale, sum)));
    }
}

INLINE void tile(const tensor_matmul_args *a, const int T, const int minima)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, w += TENSOR_BYTES_GROUP, panel += 308 * T) {
        __m512i isum[8], msum[8];
        sums_of(w, panel, isum, T);
        if (minima) times_sums(w + 384, 0, panel, msum, T);
        const __m512 d = _mm512_loadu_ps(w);
        EACH(T, const __m512 da = ps_at(panel + 256 * T + 4 * t); acc[t] = add_scaled(acc[t], d, da, isum[t]);
             if (minima) acc[t] = take_minima(acc[t], w + 64, da, msum[t]));
    }
    store(a, acc, T);
}

INLINE void bytes_tile(const tensor_matmul_args *a, const int T)
{
    tile(a, T, 0);
}
INLINE void bytes_min_tile(const tensor_matmul_args *a, const int T)
{
    tile(a, T, 1);
}
KERNEL(bytes)
KERNEL(bytes_min)

void tensor_avx512_matmul_bytes_vnni(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_BYTES] = matmul_bytes;
    k->matmul[TENSOR_MATMUL_BYTES_MIN] = matmul_bytes_min;
    k->matmul_variant[TENSOR_MATMUL_BYTES] = k->matmul_variant[TENSOR_MATMUL_BYTES_MIN] = "avx512vnni";
}
