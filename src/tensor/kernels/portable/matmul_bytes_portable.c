/* MATMUL with groups of signed bytes (layout.h): what all types come to that have no packed layout. */
#include "tensor/kernels/portable/packed.h"

/* acc = acc - (dmin * da) * msum, 4 rows */
VEC_INLINE void take_minima(v4f *acc, const uint8_t *dmin, float da, const v4i *msum)
{
    v4f d;
    memcpy(&d, dmin, sizeof d);
    *acc = *acc - (d * da) * __builtin_convertvector(*msum, v4f);
}

/* |isum| <= 16 * 128 * (16 * 128 * 127) < 2^30, |msum| <= 16 * 255 * 2,032 */
VEC_INLINE void sums_of(const uint8_t *w, const int8_t *q, const int16_t *sums, v4i isum[4], v4i msum[4],
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

VEC_INLINE void one_token(const tensor_matmul_args *a, uint32_t t, const int minima)
{
    const uint8_t *w = a->w, *panel = a->panel;
    v4f acc[4] = {0};
    for (uint32_t b = 0; b < a->k / 256; b++, w += TENSOR_BYTES_GROUP, panel += 308 * a->tokens) {
        v4i isum[4] = {0}, msum[4] = {0};
        int16_t sums[16];
        float da;
        memcpy(&da, panel + 256 * a->tokens + 4 * t, 4);
        memcpy(sums, panel + 276 * a->tokens + 32 * t, sizeof sums);
        sums_of(w, (const int8_t *)panel + 256 * t, sums, isum, msum, minima);
        for (int r = 0; r < 4; r++) {
            v4f d;
            memcpy(&d, w + 16 * r, sizeof d);
            add_scaled(&acc[r], &d, da, &isum[r]);
            if (minima) take_minima(&acc[r], w + 64 + 16 * r, da, &msum[r]);
        }
    }
    memcpy(a->y + t * a->ldy, acc, sizeof acc);
}

#define KERNEL(name, minima)                                                                                           \
    static void matmul_##name(const tensor_matmul_args *a)                                                             \
    {                                                                                                                  \
        for (uint32_t t = 0; t < a->tokens; t++)                                                                       \
            one_token(a, t, minima);                                                                                   \
    }
KERNEL(bytes, 0)
KERNEL(bytes_min, 1)

void tensor_portable_matmul_bytes(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_BYTES] = matmul_bytes;
    k->matmul[TENSOR_MATMUL_BYTES_MIN] = matmul_bytes_min;
    k->matmul_variant[TENSOR_MATMUL_BYTES] = k->matmul_variant[TENSOR_MATMUL_BYTES_MIN] = "portable";
}
