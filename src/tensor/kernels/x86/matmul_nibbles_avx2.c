/* MATMUL with the packed layouts that are nibbles with fifth bits or a table of values, AVX2. Sums of VPMADDUBSW must
 * not saturate: each is bounded where it is made. */
#include "tensor/blocks.h"
#include "tensor/kernels/x86/packed_avx2.h"

typedef enum decoding { NIBBLES, FIFTH, IQ4, FP4 } decoding;

/* 8 K: two registers of 4 K each, signed where a table says so. */
INLINE void decode(const uint8_t *units, const decoding how, __m256i high, const int c, __m256i *q, __m256i *q4)
{
    const __m256i mask = _mm256_set1_epi8(15), bit = _mm256_set1_epi8(16);
    __m256i v = load(units + 64 * c);
    LOADED(v);
    *q = _mm256_and_si256(v, mask);
    *q4 = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
    if (how == FIFTH) { /* bits 2c and 2c + 1 of each byte */
        const __m256i h = c < 2 ? _mm256_slli_epi16(high, 4 - 2 * c) : _mm256_srli_epi16(high, 2 * c - 4);
        const __m256i h4 = c < 2 ? _mm256_slli_epi16(high, 3 - 2 * c) : _mm256_srli_epi16(high, 2 * c - 3);
        *q = _mm256_or_si256(*q, _mm256_and_si256(h, bit));
        *q4 = _mm256_or_si256(*q4, _mm256_and_si256(h4, bit));
    } else if (how != NIBBLES) {
        const int8_t *values = how == IQ4 ? tensor_values_iq4 : tensor_values_fp4;
        const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)values));
        *q = _mm256_shuffle_epi8(table, *q);
        *q4 = _mm256_shuffle_epi8(table, *q4);
    }
}

/* A pair of signed products: |w| times a with w's sign, at most 2 * 127 * 127. */
INLINE __m256i signed_pair(__m256i w, __m256i a)
{
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
}

/* sum += factor * (32 K of 8 rows . a); factor: 16 bits a pair. Unsigned: 4 pairs of at most 2 * 31 * 127 add up to
 * 31,496 in 16 bits; signed: two of 32,258 do not add up, so each is widened. */
INLINE void dot32(const uint8_t *units, const decoding how, const uint8_t *a, const size_t stride, __m256i factor,
                  __m256i *sum, const int T)
{
    const __m256i high = how == FIFTH ? load(units + 256) : _mm256_setzero_si256();
    for (int c = 0; c < 4; c += 2) {
        __m256i q[4];
        decode(units, how, high, c, &q[0], &q[1]);
        decode(units, how, high, c + 1, &q[2], &q[3]);
        if (how == NIBBLES || how == FIFTH) {
            EACH(T, const uint8_t *x = a + t * stride + 8 * c; __m256i pairs16 = _mm256_setzero_si256();
                 for (int i = 0; i < 4; i++) pairs16 = add16(pairs16, q[i], i32_at(x + 4 * i));
                 sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(pairs16, factor)));
        } else {
            EACH(T, const uint8_t *x = a + t * stride + 8 * c;
                 for (int i = 0; i < 4; i++) sum[t] =
                     _mm256_add_epi32(sum[t], _mm256_madd_epi16(signed_pair(q[i], i32_at(x + 4 * i)), factor)));
        }
    }
}

/* 2^(e - 128): below 2^-126 a subnormal number */
INLINE __m256 powers_at(const uint8_t *p)
{
    const __m256i e = u8_at(p);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, tiny, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
}

/* Sets of `per` blocks: 64 bytes of scales, then the blocks' units. */
INLINE void tile_32(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T,
                    const tensor_matmul_kind kind, const decoding how, const uint32_t per)
{
    const uint32_t units = how == FIFTH ? 320 : 256;
    const int minima = kind == TENSOR_MATMUL_Q4_1 || kind == TENSOR_MATMUL_Q5_1;
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    for (uint32_t b = 0; b < a->k / 32; b++, p.panel += 40 * p.P) {
        const uint8_t *set = p.w + (size_t)(b / per) * (64 + per * units), *scales = set + b % per * (64 / per);
        const uint8_t *da = p.panel + 32 * p.P + 4 * first, *zero = da + 4 * p.P; /* -8 * sum */
        __m256i sum[8];
        EACH(T, sum[t] = _mm256_setzero_si256();
             if (kind == TENSOR_MATMUL_Q5_0) sum[t] = _mm256_slli_epi32(i32_at(zero + 4 * t), 1));
        dot32(set + 64 + b % per * units + 32 * half, how, p.panel + 32 * first, 32, _mm256_set1_epi16(1), sum, T);
        const __m256 d = kind == TENSOR_MATMUL_MXFP4 ? powers_at(scales + 8 * half) : f16_at(scales + 16 * half);
        EACH(
            T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t), sum[t]); if (minima) {
                const __m256i sums = _mm256_srai_epi32(i32_at(zero + 4 * t), 3);
                acc[t] = add_scaled(acc[t], f16_at(scales + 32 + 16 * half), ps_at(da + 4 * t),
                                    _mm256_sub_epi32(_mm256_setzero_si256(), sums));
            });
    }
    store(a, &p, acc, T);
}

INLINE void q4_1_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile_32(a, first, half, T, TENSOR_MATMUL_Q4_1, NIBBLES, 1);
}
INLINE void q5_0_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile_32(a, first, half, T, TENSOR_MATMUL_Q5_0, FIFTH, 2);
}
INLINE void q5_1_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile_32(a, first, half, T, TENSOR_MATMUL_Q5_1, FIFTH, 1);
}
INLINE void iq4_nl_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile_32(a, first, half, T, TENSOR_MATMUL_IQ4_NL, IQ4, 2);
}
INLINE void mxfp4_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile_32(a, first, half, T, TENSOR_MATMUL_MXFP4, FP4, 4);
}

INLINE void q5_k_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, p.w += TENSOR_Q5_K_GROUP, p.panel += 308 * p.P) {
        __m256i isum[8];
        EACH(T, isum[t] = _mm256_setzero_si256());
        for (int j = 0; j < 8; j++) {
            const __m256i one = u8_at(p.w + 64 + 32 * j + 8 * half);
            dot32(p.w + 320 + 320 * j + 32 * half, FIFTH, p.panel + 256 * first + 32 * j, 256, pairs(one, one), isum,
                  T);
        }
        const __m256 d = f16_at(p.w + 16 * half);
        const uint8_t *da = p.panel + 256 * p.P + 4 * first;
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t), isum[t]));
        take_k_minima(&p, p.w, p.panel, acc, T);
    }
    store(a, &p, acc, T);
}

INLINE void iq4_xs_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, p.w += TENSOR_IQ4_XS_GROUP, p.panel += 308 * p.P) {
        __m256i isum[8];
        EACH(T, isum[t] = _mm256_setzero_si256());
        for (int j = 0; j < 8; j++) {
            const __m256i one = s8_at(p.w + 64 + 16 * j + 8 * half);
            dot32(p.w + 192 + 256 * j + 32 * half, IQ4, p.panel + 256 * first + 32 * j, 256, pairs(one, one), isum, T);
        }
        const __m256 d = f16_at(p.w + 16 * half);
        const uint8_t *da = p.panel + 256 * p.P + 4 * first;
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(da + 4 * t), isum[t]));
    }
    store(a, &p, acc, T);
}

KERNEL(q4_1)
KERNEL(q5_0)
KERNEL(q5_1)
KERNEL(iq4_nl)
KERNEL(mxfp4)
KERNEL(q5_k)
KERNEL(iq4_xs)

void tensor_avx2_matmul_nibbles(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_Q4_1] = matmul_q4_1;
    k->matmul[TENSOR_MATMUL_Q5_0] = matmul_q5_0;
    k->matmul[TENSOR_MATMUL_Q5_1] = matmul_q5_1;
    k->matmul[TENSOR_MATMUL_IQ4_NL] = matmul_iq4_nl;
    k->matmul[TENSOR_MATMUL_MXFP4] = matmul_mxfp4;
    k->matmul[TENSOR_MATMUL_Q5_K] = matmul_q5_k;
    k->matmul[TENSOR_MATMUL_IQ4_XS] = matmul_iq4_xs;
    for (int i = TENSOR_MATMUL_Q4_1; i <= TENSOR_MATMUL_IQ4_XS; i++)
        k->matmul_variant[i] = "avx2";
}
