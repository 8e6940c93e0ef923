/* MATMUL with packed weights, AVX2: 8 rows are the lanes of a register, 2 such halves make the group, up to 4 tokens
 * its copies. VPMADDUBSW must not saturate: every sum of a pair is bounded where it is made. */
#include "tensor/kernels/x86/packed_avx2.h"

/* 32 nibbles of 8 rows: 8 products of at most 2 * 15 * 127 add up to 30,480 in 16 bits. */
INLINE void nibbles_dot(const uint8_t *units, const uint8_t *a, const size_t stride, __m256i *sum, const int T)
{
    const __m256i mask = _mm256_set1_epi8(15);
    EACH(T, sum[t] = _mm256_setzero_si256());
    for (int c = 0; c < 4; c++) {
        __m256i v = load(units + 64 * c);
        LOADED(v);
        const __m256i low = _mm256_and_si256(v, mask), high = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
        EACH(T, sum[t] = add16(sum[t], low, i32_at(a + t * stride + 8 * c));
             sum[t] = add16(sum[t], high, i32_at(a + t * stride + 8 * c + 4)));
    }
}

INLINE void q4_0_block(const part *p, const uint8_t *scales, const uint8_t *units, const uint8_t *panel, __m256 *acc,
                       const int T)
{
    __m256i sum[8];
    nibbles_dot(units + 32 * p->half, panel + 32 * p->first, 32, sum, T);
    const __m256 d = f16_at(scales + 16 * p->half);
    const uint8_t *da = panel + 32 * p->P + 4 * p->first, *zero = da + 4 * p->P; /* -8 * sum */
    const __m256i ones = _mm256_set1_epi16(1);
    EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t),
                                _mm256_add_epi32(_mm256_madd_epi16(sum[t], ones), i32_at(zero + 4 * t))));
}

INLINE void q4_0_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    uint32_t blocks = a->k / 32;
    for (; blocks >= 2; blocks -= 2, p.w += 576, p.panel += 80 * p.P) {
        q4_0_block(&p, p.w, p.w + 64, p.panel, acc, T);
        q4_0_block(&p, p.w + 32, p.w + 320, p.panel + 40 * p.P, acc, T);
    }
    if (blocks) q4_0_block(&p, p.w, p.w + 64, p.panel, acc, T);
    store(a, &p, acc, T);
}

/* Signed bytes as |w| times a with w's sign: at most 2 * 128 * 127 = 32,512 in 16 bits, -128 included. */
INLINE void q8_0_block(const part *p, const uint8_t *scales, const uint8_t *units, const uint8_t *panel, __m256 *acc,
                       const int T)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const uint8_t *a = panel + 32 * p->first, *da = panel + 32 * p->P + 4 * p->first;
    __m256i sum[8];
    EACH(T, sum[t] = _mm256_setzero_si256());
    for (int c = 0; c < 8; c++) {
        const __m256i w = load(units + 64 * c + 32 * p->half), magnitude = _mm256_abs_epi8(w);
        EACH(T, const __m256i x = _mm256_sign_epi8(i32_at(a + 32 * t + 4 * c), w);
             sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, x), ones)));
    }
    const __m256 d = f16_at(scales + 16 * p->half);
    EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t), sum[t]));
}

INLINE void q8_0_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    uint32_t blocks = a->k / 32;
    for (; blocks >= 2; blocks -= 2, p.w += 1088, p.panel += 80 * p.P) {
        q8_0_block(&p, p.w, p.w + 64, p.panel, acc, T);
        q8_0_block(&p, p.w + 32, p.w + 576, p.panel + 40 * p.P, acc, T);
    }
    if (blocks) q8_0_block(&p, p.w, p.w + 64, p.panel, acc, T);
    store(a, &p, acc, T);
}

/* The scale of a sub-block goes into the addition of 16-bit pairs: 2 * 30,480 * 255 a sub-block. */
INLINE void q4_k_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, p.w += TENSOR_Q4_K_GROUP, p.panel += 308 * p.P) {
        __m256i isum[8];
        EACH(T, isum[t] = _mm256_setzero_si256());
        for (int j = 0; j < 8; j++) {
            __m256i sum[8];
            nibbles_dot(p.w + 320 + 256 * j + 32 * half, p.panel + 256 * first + 32 * j, 256, sum, T);
            const __m256i one = u8_at(p.w + 64 + 32 * j + 8 * half), scale = pairs(one, one);
            EACH(T, isum[t] = _mm256_add_epi32(isum[t], _mm256_madd_epi16(sum[t], scale)));
        }
        const __m256 d = f16_at(p.w + 16 * half);
        const uint8_t *da = p.panel + 256 * p.P + 4 * first;
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t), isum[t]));
        take_k_minima(&p, p.w, p.panel, acc, T);
    }
    store(a, &p, acc, T);
}

/* One unit of low nibbles and 4 bits of the high unit, 8 K: two products of at most 2 * 63 * 127 are 32,004 in 16 bits;
 * with the scale 2 * 32,004 * 128. */
INLINE void six_bits_dot(__m256i low, __m256i high, const uint8_t *a, __m256i scale, __m256i *isum, const int T)
{
    const __m256i mask = _mm256_set1_epi8(15), two = _mm256_set1_epi8(0x30);
    LOADED(low);
    const __m256i q = _mm256_or_si256(_mm256_and_si256(low, mask), _mm256_and_si256(_mm256_slli_epi16(high, 4), two));
    const __m256i q4 = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(low, 4), mask),
                                       _mm256_and_si256(_mm256_slli_epi16(high, 2), two));
    EACH(T, const __m256i sum = add16(_mm256_maddubs_epi16(q, i32_at(a + 256 * t)), q4, i32_at(a + 256 * t + 4));
         isum[t] = _mm256_add_epi32(isum[t], _mm256_madd_epi16(sum, scale)));
}

/* -32 * sum of scale_j * asum_j, two j at a time */
INLINE void q6_k_zero(const part *p, const uint8_t *w, const uint8_t *panel, __m256i *isum, const int T)
{
    const uint8_t *sums = panel + 276 * p->P + 32 * p->first;
    EACH(T, isum[t] = _mm256_setzero_si256());
    for (int j = 0; j < 8; j++) {
        const uint8_t *scales = w + 64 + 32 * j + 8 * p->half;
        const __m256i scale = pairs(s8_at(scales), s8_at(scales + 16));
        EACH(T, isum[t] = _mm256_add_epi32(isum[t], _mm256_madd_epi16(scale, i32_at(sums + 32 * t + 4 * j))));
    }
    EACH(T, isum[t] = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(isum[t], 5)));
}

INLINE void q6_k_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, p.w += TENSOR_Q6_K_GROUP, p.panel += 308 * p.P) {
        __m256i isum[8];
        q6_k_zero(&p, p.w, p.panel, isum, T);
        for (int j = 0; j < 16; j++) {
            const __m256i one = s8_at(p.w + 64 + 16 * j + 8 * half), scale = pairs(one, one);
            const uint8_t *step = p.w + j / 2 * TENSOR_Q6_K_STEP + 32 * half;
            const __m256i high = load(step + TENSOR_Q6_K_HIGH + j % 2 * 64);
            const uint8_t *low = step + TENSOR_Q6_K_LOW + j % 2 * 128, *x = p.panel + 256 * first + 16 * j;
            six_bits_dot(load(low), high, x, scale, isum, T);
            six_bits_dot(load(low + 64), _mm256_srli_epi16(high, 4), x + 8, scale, isum, T);
        }
        const __m256 d = f16_at(p.w + 16 * half);
        const uint8_t *da = p.panel + 256 * p.P + 4 * first;
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t), isum[t]));
    }
    store(a, &p, acc, T);
}

KERNEL(q4_0)
KERNEL(q8_0)
KERNEL(q4_k)
KERNEL(q6_k)

void tensor_avx2_matmul_packed(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_Q4_0] = matmul_q4_0;
    k->matmul[TENSOR_MATMUL_Q8_0] = matmul_q8_0;
    k->matmul[TENSOR_MATMUL_Q4_K] = matmul_q4_k;
    k->matmul[TENSOR_MATMUL_Q6_K] = matmul_q6_k;
    for (int i = TENSOR_MATMUL_Q4_0; i <= TENSOR_MATMUL_Q6_K; i++)
        k->matmul_variant[i] = "avx2";
}
