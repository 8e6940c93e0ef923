/* MATMUL with groups of signed bytes (layout.h): what all types come to that have no packed layout. */
#include "tensor/kernels/portable/packed.h"

/* acc = acc - (dmin * da) * msum, 4 rows */
VEC_INLINE void take_minima(v4f *acc, const uint8_t *dmin, float da, const v4i *msum)
{
    v4f d;
    memcpy(&d, dmin, sizeof d);
    *acc = *acc - (d * da) * __builtin_convertvector(*msum, v4f);
}

/* |isum| <= 32 * 128 * 127; the panel holds -8 times the sum of a's 32. */
VEC_INLINE void token_32(const tensor_matmul_args *a, uint32_t t, const int minima)
{
    const uint8_t *w = a->w, *panel = a->panel;
    v4f acc[4] = {0};
    for (uint32_t b = 0; b < a->k / 32; b++, w += TENSOR_BYTES_32_GROUP, panel += 40 * a->tokens) {
        v4i dot[4] = {0};
        float da;
        int32_t zero;
        bytes_dot(w + 128, (const int8_t *)panel + 32 * t, 8, dot);
        memcpy(&da, panel + 32 * a->tokens + 4 * t, 4);
        memcpy(&zero, panel + 36 * a->tokens + 4 * t, 4);
        const v4i sum = (v4i){0} - zero / 8;
        for (int r = 0; r < 4; r++) {
            v4f d;
            memcpy(&d, w + 16 * r, sizeof d);
            add_scaled(&acc[r], &d, da, &dot[r]);
            if (minima) take_minima(&acc[r], w + 64 + 16 * r, da, &sum);
        }
    }
    memcpy(a->y + t * a->ldy, acc, sizeof acc);
}

/* |isum| <= 16 * 128 * (16 * 128 * 127) < 2^30, |msum| <= 16 * 255 * 2,032 */
VEC_INLINE void sums_256(const uint8_t *w, const int8_t *q, const int16_t *sums, v4i isum[4], v4i msum[4],
                         const int minima)
{
    for (uint32_t j = 0; j < 16; j++) {
        v4i dot[4] = {0};
        bytes_dot(w + 640 + 256 * j, q + 16 * j, 4, dot);
        for (int r = 0; r < 4; r++) {
            v4i scale, min;
            widen_s8(&scale, w + 128 + 16 * j + 4 * r);
            isum[r] += scale * dot[r];
            if (!minima) continue;
            widen_u8(&min, w + 384 + 16 * j + 4 * r);
            msum[r] += min * sums[j];
        }
    }
}

VEC_INLINE void token_256(const tensor_matmul_args *a, uint32_t t, const int minima)
{
    const uint8_t *w = a->w, *panel = a->panel;
    v4f acc[4] = {0};
    for (uint32_t b = 0; b < a->k / 256; b++, w += TENSOR_BYTES_256_GROUP, panel += 308 * a->tokens) {
        v4i isum[4] = {0}, msum[4] = {0};
        int16_t sums[16];
        float da;
        memcpy(&da, panel + 256 * a->tokens + 4 * t, 4);
        memcpy(sums, panel + 276 * a->tokens + 32 * t, sizeof sums);
        sums_256(w, (const int8_t *)panel + 256 * t, sums, isum, msum, minima);
        for (int r = 0; r < 4; r++) {
            v4f d;
            memcpy(&d, w + 16 * r, sizeof d);
            add_scaled(&acc[r], &d, da, &isum[r]);
            if (minima) take_minima(&acc[r], w + 64 + 16 * r, da, &msum[r]);
        }
    }
    memcpy(a->y + t * a->ldy, acc, sizeof acc);
}

#define KERNEL(name, token, minima)                                                                                    \
    static void matmul_##name(const tensor_matmul_args *a)                                                             \
    {                                                                                                                  \
        for (uint32_t t = 0; t < a->tokens; t++)                                                                       \
            token(a, t, minima);                                                                                       \
    }
KERNEL(bytes_32, token_32, 0)
KERNEL(bytes_32_min, token_32, 1)
KERNEL(bytes_256, token_256, 0)
KERNEL(bytes_256_min, token_256, 1)

void tensor_portable_matmul_bytes(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_BYTES_32] = matmul_bytes_32;
    k->matmul[TENSOR_MATMUL_BYTES_32_MIN] = matmul_bytes_32_min;
    k->matmul[TENSOR_MATMUL_BYTES_256] = matmul_bytes_256;
    k->matmul[TENSOR_MATMUL_BYTES_256_MIN] = matmul_bytes_256_min;
    for (int i = TENSOR_MATMUL_BYTES_32; i <= TENSOR_MATMUL_BYTES_256_MIN; i++)
        k->matmul_variant[i] = "portable";
}
