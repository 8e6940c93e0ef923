/* MATMUL with the packed layouts that are nibbles with fifth bits or a table of values, AVX-512 VNNI. Table values are
 * made unsigned, and what that adds is taken off by the panel's sums. */
#include "tensor/blocks.h"
#include "tensor/kernels/x86/packed_avx512.h"

typedef enum decoding { NIBBLES, FIFTH, IQ4, FP4 } decoding;
enum { IQ4_ZERO = 128, FP4_ZERO = 12 };

INLINE __m512i table_of(const int8_t values[16], int zero)
{
    const __m128i table = _mm_add_epi8(_mm_loadu_si128((const void *)values), _mm_set1_epi8((char)zero));
    return _mm512_broadcast_i32x4(table);
}

/* The units of 32 K -> 8 registers, one for 4 K each. */
INLINE void decode(const uint8_t *units, const decoding how, __m512i q[8])
{
    nibbles(units, q);
    if (how == FIFTH) { /* bit i of a byte belongs to register i */
        const __m512i bit = _mm512_set1_epi8(16), h = _mm512_loadu_si512(units + 256);
        for (int i = 0; i < 4; i++) {
            q[i] = _mm512_or_si512(q[i], _mm512_and_si512(_mm512_slli_epi16(h, (unsigned)(4 - i)), bit));
            q[i + 4] = _mm512_or_si512(q[i + 4], _mm512_and_si512(_mm512_srli_epi16(h, (unsigned)i), bit));
        }
    }
    if (how < IQ4) return;
    const __m512i table = how == IQ4 ? table_of(tensor_values_iq4, IQ4_ZERO) : table_of(tensor_values_fp4, FP4_ZERO);
    for (int i = 0; i < 8; i++)
        q[i] = _mm512_shuffle_epi8(table, q[i]);
}

/* 2^(e - 128): below 2^-126 a subnormal number */
INLINE __m512 powers_at(const uint8_t *p)
{
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x200000), e);
    const __mmask16 is_tiny = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, is_tiny, tiny));
}

/* What the zero point of a kind takes off, of -8 times the sum. */
INLINE __m512i start_of(const tensor_matmul_kind kind, __m512i zero)
{
    if (kind == TENSOR_MATMUL_Q5_0) return _mm512_slli_epi32(zero, 1);
    if (kind == TENSOR_MATMUL_IQ4_NL) return _mm512_slli_epi32(zero, 4);
    if (kind == TENSOR_MATMUL_MXFP4) return _mm512_add_epi32(zero, _mm512_srai_epi32(zero, 1));
    return _mm512_setzero_si512();
}

/* Sets of `per` blocks: 64 bytes of scales, then the blocks' units. */
INLINE void tile_32(const tensor_matmul_args *a, const int T, const tensor_matmul_kind kind, const decoding how,
                    const uint32_t per)
{
    const uint32_t units = how == FIFTH ? 320 : 256;
    const int minima = kind == TENSOR_MATMUL_Q4_1 || kind == TENSOR_MATMUL_Q5_1;
    const uint8_t *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    for (uint32_t b = 0; b < a->k / 32; b++, panel += 40 * T) {
        const uint8_t *set = (const uint8_t *)a->w + (size_t)(b / per) * (64 + per * units);
        const uint8_t *scales = set + b % per * (64 / per);
        __m512i q[8];
        decode(set + 64 + b % per * units, how, q);
        const __m512 d = kind == TENSOR_MATMUL_MXFP4 ? powers_at(scales) : f16_at(scales);
        EACH(T, const __m512i zero = i32_at(panel + 36 * T + 4 * t); const __m512 da = ps_at(panel + 32 * T + 4 * t);
             acc[t] = add_scaled(acc[t], d, da, dot(start_of(kind, zero), q, panel + 32 * t, 8));
             if (minima) acc[t] = add_scaled(acc[t], f16_at(scales + 32), da,
                                             _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_srai_epi32(zero, 3))));
    }
    store(a, acc, T);
}

INLINE void q4_1_tile(const tensor_matmul_args *a, const int T)
{
    tile_32(a, T, TENSOR_MATMUL_Q4_1, NIBBLES, 1);
}
INLINE void q5_0_tile(const tensor_matmul_args *a, const int T)
{
    tile_32(a, T, TENSOR_MATMUL_Q5_0, FIFTH, 2);
}
INLINE void q5_1_tile(const tensor_matmul_args *a, const int T)
{
    tile_32(a, T, TENSOR_MATMUL_Q5_1, FIFTH, 1);
}
INLINE void iq4_nl_tile(const tensor_matmul_args *a, const int T)
{
    tile_32(a, T, TENSOR_MATMUL_IQ4_NL, IQ4, 2);
}
INLINE void mxfp4_tile(const tensor_matmul_args *a, const int T)
{
    tile_32(a, T, TENSOR_MATMUL_MXFP4, FP4, 4);
}

INLINE void q5_k_tile(const tensor_matmul_args *a, const int T)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, w += TENSOR_Q5_K_GROUP, panel += 308 * T) {
        __m512i isum[8];
        EACH(T, isum[t] = _mm512_setzero_si512());
        for (int j = 0; j < 8; j++) {
            __m512i q[8];
            decode(w + 320 + 320 * j, FIFTH, q);
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

/* isum = sum of scale_j * (dot_j - 128 asum_j), the latter two j at a time */
INLINE void iq4_xs_tile(const tensor_matmul_args *a, const int T)
{
    const uint8_t *w = a->w, *panel = a->panel;
    __m512 acc[8];
    EACH(T, acc[t] = _mm512_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, w += TENSOR_IQ4_XS_GROUP, panel += 308 * T) {
        __m512i isum[8];
        EACH(T, isum[t] = _mm512_setzero_si512());
        for (int j = 0; j < 4; j++) {
            const __m512i scale = pairs_s8(w + 64 + 32 * j, w + 80 + 32 * j);
            EACH(T, isum[t] = _mm512_dpwssd_epi32(isum[t], scale, i32_at(panel + 260 * T + 16 * t + 4 * j)));
        }
        EACH(T, isum[t] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(isum[t], 7)));
        for (int j = 0; j < 8; j++) {
            __m512i q[8];
            decode(w + 192 + 256 * j, IQ4, q);
            const __m512i scale = _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(w + 64 + 16 * j)));
            EACH(T, const __m512i sum = dot(_mm512_setzero_si512(), q, panel + 256 * t + 32 * j, 8);
                 isum[t] = _mm512_add_epi32(isum[t], _mm512_mullo_epi32(scale, sum)));
        }
        const __m512 d = f16_at(w);
        EACH(T, acc[t] = add_scaled(acc[t], d, ps_at(panel + 256 * T + 4 * t), isum[t]));
    }
    store(a, acc, T);
}

KERNEL(q4_1)
KERNEL(q5_0)
KERNEL(q5_1)
KERNEL(iq4_nl)
KERNEL(mxfp4)
KERNEL(q5_k)
KERNEL(iq4_xs)

void tensor_avx512_matmul_nibbles_vnni(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_Q4_1] = matmul_q4_1;
    k->matmul[TENSOR_MATMUL_Q5_0] = matmul_q5_0;
    k->matmul[TENSOR_MATMUL_Q5_1] = matmul_q5_1;
    k->matmul[TENSOR_MATMUL_IQ4_NL] = matmul_iq4_nl;
    k->matmul[TENSOR_MATMUL_MXFP4] = matmul_mxfp4;
    k->matmul[TENSOR_MATMUL_Q5_K] = matmul_q5_k;
    k->matmul[TENSOR_MATMUL_IQ4_XS] = matmul_iq4_xs;
    for (int i = TENSOR_MATMUL_Q4_1; i <= TENSOR_MATMUL_IQ4_XS; i++)
        k->matmul_variant[i] = "avx512vnni";
}
