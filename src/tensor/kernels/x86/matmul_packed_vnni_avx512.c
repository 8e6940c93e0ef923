/* MATMUL with packed weights, AVX-512 VNNI: 16 rows are the lanes of a register, up to 8 tokens its copies.
 *
 * VPDPBUSD multiplies unsigned weights (nibbles as they are, bytes + 128) by a broadcast of four activations; what the
 * unsigned form adds is taken off by the panel's sums. Weights are decoded once a tile. */
#include "tensor/kernels/x86/packed_avx512.h"

INLINE void q4_0_block(const uint8_t *scales, const uint8_t *units, const uint8_t *panel, __m512 *acc, const int T)
{
    __m512i q[8];
    nibbles(units, q);
    const __m512 d = f16_at(scales);
    /* the panel holds -8 * sum: the zero point */
    EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(panel + 32 * T + 4 * t),
                                dot(i32_at(panel + 36 * T + 4 * t), q, panel + 32 * t, 8)));
}

INLINE void q4_0_tile(const tensor_matmul_args *a, const int T)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    uint32_t blocks = a->k / 32;
    for (; blocks >= 2; blocks -= 2, w += 576, panel += 80 * T) {
        q4_0_block(w, w + 64, panel, acc, T);
        q4_0_block(w + 32, w + 320, panel + 40 * T, acc, T);
    }
    if (blocks) q4_0_block(w, w + 64, panel, acc, T);
    store(a, acc, T);
}

INLINE void q8_0_block(const uint8_t *scales, const uint8_t *units, const uint8_t *panel, __m512 *acc, const int T)
{
    const __m512i flip = _mm512_set1_epi8(-128);
    __m512i q[8];
    for (int c = 0; c < 8; c++)
        q[c] = _mm512_xor_si512(_mm512_loadu_si512(units + 64 * c), flip);
    const __m512 d = f16_at(scales);
    /* -128 * sum */
    EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(panel + 32 * T + 4 * t),
                                dot(_mm512_slli_epi32(i32_at(panel + 36 * T + 4 * t), 4), q, panel + 32 * t, 8)));
}

INLINE void q8_0_tile(const tensor_matmul_args *a, const int T)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    uint32_t blocks = a->k / 32;
    for (; blocks >= 2; blocks -= 2, w += 1088, panel += 80 * T) {
        q8_0_block(w, w + 64, panel, acc, T);
        q8_0_block(w + 32, w + 576, panel + 40 * T, acc, T);
    }
    if (blocks) q8_0_block(w, w + 64, panel, acc, T);
    store(a, acc, T);
}

INLINE void q4_k_tile(const tensor_matmul_args *a, const int T)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, w += TENSOR_Q4_K_GROUP, panel += 308 * T) {
        __m512i isum[8];
        EACH(T, isum[t] = _mm512_setzero_si512());
        for (int j = 0; j < 8; j++) {
            __m512i q[8];
            nibbles(w + 320 + 256 * j, q);
            const __m512i scale = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(w + 64 + 32 * j)));
            EACH(T, const __m512i sum = dot(_mm512_setzero_si512(), q, panel + 256 * t + 32 * j, 8);
                 isum[t] = _mm512_add_epi32(isum[t], _mm512_mullo_epi32(scale, sum)));
        }
        const __m512 d = f16_at(w);
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(panel + 256 * T + 4 * t), isum[t]));
        take_k_minima(w, panel, acc, T);
    }
    store(a, acc, T);
}

/* Two sub-blocks of 16: 4 units of low nibbles and 2 of high bit pairs -> 8 registers of 6 bits. */
INLINE void six_bits(const uint8_t *low_units, const uint8_t *high_units, __m512i q[8])
{
    const __m512i two = _mm512_set1_epi8(0x30);
    nibbles(low_units, q);
    for (int c = 0; c < 2; c++) {
        __m512i h = _mm512_loadu_si512(high_units + 64 * c);
        LOADED(h);
        q[4 * c] = _mm512_or_si512(q[4 * c], _mm512_and_si512(_mm512_slli_epi16(h, 4), two));
        q[4 * c + 1] = _mm512_or_si512(q[4 * c + 1], _mm512_and_si512(_mm512_slli_epi16(h, 2), two));
        q[4 * c + 2] = _mm512_or_si512(q[4 * c + 2], _mm512_and_si512(h, two));
        q[4 * c + 3] = _mm512_or_si512(q[4 * c + 3], _mm512_and_si512(_mm512_srli_epi16(h, 2), two));
    }
}

/* -32 * sum of scale_j * asum_j, two j at a time */
INLINE void q6_k_zero(const uint8_t *w, const uint8_t *panel, __m512i *isum, const int T)
{
    EACH(T, isum[t] = _mm512_setzero_si512());
    for (int j = 0; j < 8; j++) {
        const __m512i scale = pairs_s8(w + 64 + 32 * j, w + 80 + 32 * j);
        EACH(T, isum[t] = _mm512_dpwssd_epi32(isum[t], scale, i32_at(panel + 276 * T + 32 * t + 4 * j)));
    }
    EACH(T, isum[t] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(isum[t], 5)));
}

INLINE void q6_k_tile(const tensor_matmul_args *a, const int T)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, w += TENSOR_Q6_K_GROUP, panel += 308 * T) {
        __m512i isum[8];
        q6_k_zero(w, panel, isum, T);
        for (int j = 0; j < 8; j++) {
            __m512i q[8];
            const uint8_t *step = w + j * TENSOR_Q6_K_STEP;
            six_bits(step + TENSOR_Q6_K_LOW, step + TENSOR_Q6_K_HIGH, q);
            const __m512i s0 = _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(w + 64 + 32 * j)));
            const __m512i s1 = _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(w + 80 + 32 * j)));
            EACH(T, const __m512i sum0 = dot(_mm512_setzero_si512(), q, panel + 256 * t + 32 * j, 4);
                 const __m512i sum1 = dot(_mm512_setzero_si512(), q + 4, panel + 256 * t + 32 * j + 16, 4);
                 const __m512i both = _mm512_add_epi32(_mm512_mullo_epi32(s0, sum0), _mm512_mullo_epi32(s1, sum1));
                 isum[t] = _mm512_add_epi32(isum[t], both));
        }
        const __m512 d = f16_at(w);
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(panel + 256 * T + 4 * t), isum[t]));
    }
    store(a, acc, T);
}

KERNEL(q4_0)
KERNEL(q8_0)
KERNEL(q4_k)
KERNEL(q6_k)

void tensor_avx512_matmul_packed_vnni(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_Q4_0] = matmul_q4_0;
    k->matmul[TENSOR_MATMUL_Q8_0] = matmul_q8_0;
    k->matmul[TENSOR_MATMUL_Q4_K] = matmul_q4_k;
    k->matmul[TENSOR_MATMUL_Q6_K] = matmul_q6_k;
    for (int i = TENSOR_MATMUL_Q4_0; i <= TENSOR_MATMUL_Q6_K; i++)
        k->matmul_variant[i] = "avx512vnni";
}
