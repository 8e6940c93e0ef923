/* MATMUL with groups of signed bytes, AVX2: |w| times a with w's sign, at most 2 * 128 * 127 = 32,512 in 16 bits, -128
 * included. */
#include "tensor/kernels/x86/packed_avx2.h"

/* sum += factor * (16 bytes of 8 rows . a); factor: 16 bits a pair */
INLINE void bytes_dot(const uint8_t *units, const uint8_t *a, __m256i factor, __m256i *sum, const int T)
{
    for (int c = 0; c < 4; c++) {
        const __m256i w = load(units + 64 * c), magnitude = _mm256_abs_epi8(w);
        EACH(T, const __m256i x = _mm256_sign_epi8(i32_at(a + 256 * t + 4 * c), w);
             sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, x), factor)));
    }
}

/* acc - (dmin * da) * msum */
INLINE __m256 take_minima(__m256 acc, const uint8_t *dmin, __m256 da, __m256i msum)
{
    const __m256 d = _mm256_loadu_ps((const float *)(const void *)dmin);
    return _mm256_sub_ps(acc, _mm256_mul_ps(_mm256_mul_ps(d, da), _mm256_cvtepi32_ps(msum)));
}

/* msum = sum of min_j * asum_j, two j of 16 K at a time */
INLINE void sum_minima(const part *p, __m256i *msum, const int T)
{
    const uint8_t *sums = p->panel + 276 * p->P + 32 * p->first;
    EACH(T, msum[t] = _mm256_setzero_si256());
    for (int j = 0; j < 8; j++) {
        const uint8_t *mins = p->w + 384 + 32 * j + 8 * p->half;
        const __m256i min = pairs(u8_at(mins), u8_at(mins + 16));
        EACH(T, msum[t] = _mm256_add_epi32(msum[t], _mm256_madd_epi16(min, i32_at(sums + 32 * t + 4 * j))));
    }
}

INLINE void tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T, const int minima)
{
    part p = part_of(a, first, half);
    __m256 acc[8];
    EACH(T, acc[t] = _mm256_setzero_ps());
    for (uint32_t b = a->k / 256; b; b--, p.w += TENSOR_BYTES_GROUP, p.panel += 308 * p.P) {
        __m256i isum[8], msum[8];
        EACH(T, isum[t] = _mm256_setzero_si256());
        for (int j = 0; j < 16; j++) {
            const __m256i one = s8_at(p.w + 128 + 16 * j + 8 * half);
            bytes_dot(p.w + 640 + 256 * j + 32 * half, p.panel + 256 * first + 16 * j, pairs(one, one), isum, T);
        }
        if (minima) sum_minima(&p, msum, T);
        const __m256 d = _mm256_loadu_ps((const float *)(const void *)(p.w + 32 * half));
        const uint8_t *scales = p.panel + 256 * p.P + 4 * first;
        EACH(T, const __m256 da = ps_at(scales + 4 * t); acc[t] = add_scaled(acc[t], d, da, isum[t]);
             if (minima) acc[t] = take_minima(acc[t], p.w + 64 + 32 * half, da, msum[t]));
    }
    store(a, &p, acc, T);
}

INLINE void bytes_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile(a, first, half, T, 0);
}
INLINE void bytes_min_tile(const tensor_matmul_args *a, uint32_t first, uint32_t half, const int T)
{
    tile(a, first, half, T, 1);
}
KERNEL(bytes)
KERNEL(bytes_min)

void tensor_avx2_matmul_bytes(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_BYTES] = matmul_bytes;
    k->matmul[TENSOR_MATMUL_BYTES_MIN] = matmul_bytes_min;
    k->matmul_variant[TENSOR_MATMUL_BYTES] = k->matmul_variant[TENSOR_MATMUL_BYTES_MIN] = "avx2";
}
