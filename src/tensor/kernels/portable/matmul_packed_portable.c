/* MATMUL with packed weights: one row group (16 rows) times a panel of up to 8 tokens; a lane is a row. The integer
 * dot products run in 16-bit lanes, which every SIMD instruction set multiplies; layout.h has the units. */
#include "tensor/kernels/portable/packed.h"

VEC_INLINE void scales16(const uint8_t *p, v4f d[4])
{
    v16f v;
    v16_from_f16(&v, p);
    memcpy(d, &v, sizeof v);
}

/* |dot| <= 32 * 15 * 127 = 60,960 and 8 |sum| <= 8 * 32 * 127: isum stays below 2^17. */
static void q4_0_token(const uint8_t *w, const uint8_t *panel, uint32_t tokens, uint32_t t, uint32_t blocks, float *y)
{
    v4f acc[4] = {0};
    for (uint32_t b = 0; b < blocks; b++, panel += 40 * tokens) {
        const uint8_t *pair = w + (size_t)(b / 2) * 576, *units = pair + 64 + b % 2 * 256;
        v4i dot[4] = {0};
        v4f d[4];
        nibbles_dot32(units, (const int8_t *)panel + 32 * t, dot);
        scales16(pair + b % 2 * 32, d);
        float da;
        int32_t zero;
        memcpy(&da, panel + 32 * tokens + 4 * t, 4);
        memcpy(&zero, panel + 36 * tokens + 4 * t, 4);
        for (int r = 0; r < 4; r++) {
            dot[r] += zero;
            add_scaled(&acc[r], &d[r], da, &dot[r]);
        }
    }
    memcpy(y, acc, sizeof acc);
}

static void matmul_q4_0(const tensor_matmul_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++)
        q4_0_token(a->w, a->panel, a->tokens, t, a->k / 32, a->y + t * a->ldy);
}

/* |isum| <= 32 * 128 * 127 */
static void q8_0_token(const uint8_t *w, const uint8_t *panel, uint32_t tokens, uint32_t t, uint32_t blocks, float *y)
{
    v4f acc[4] = {0};
    for (uint32_t b = 0; b < blocks; b++, panel += 40 * tokens) {
        const uint8_t *pair = w + (size_t)(b / 2) * 1088, *units = pair + 64 + b % 2 * 512;
        v4i dot[4] = {0};
        v4f d[4];
        bytes_dot(units, (const int8_t *)panel + 32 * t, 8, dot);
        scales16(pair + b % 2 * 32, d);
        float da;
        memcpy(&da, panel + 32 * tokens + 4 * t, 4);
        for (int r = 0; r < 4; r++)
            add_scaled(&acc[r], &d[r], da, &dot[r]);
    }
    memcpy(y, acc, sizeof acc);
}

static void matmul_q8_0(const tensor_matmul_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++)
        q8_0_token(a->w, a->panel, a->tokens, t, a->k / 32, a->y + t * a->ldy);
}

/* Scales and mins are any byte in a hostile file: |isum| <= 8 * 255 * 60,960 and |msum| <= 8 * 255 * 4,064. */
static void q4_k_block(const uint8_t *w, const int8_t *q, const int16_t *sums, float da, v4f acc[4])
{
    v4i isum[4] = {0}, msum[4] = {0};
    for (uint32_t j = 0; j < 8; j++) {
        v4i dot[4] = {0};
        nibbles_dot32(w + 320 + j * 256, q + 32 * j, dot);
        for (int r = 0; r < 4; r++) {
            v4i scale, min;
            widen_u8(&scale, w + 64 + j * 32 + 4 * r);
            widen_u8(&min, w + 80 + j * 32 + 4 * r);
            isum[r] += scale * dot[r];
            msum[r] += min * sums[j];
        }
    }
    v4f d[4], dmin[4];
    scales16(w, d);
    scales16(w + 32, dmin);
    for (int r = 0; r < 4; r++) {
        add_scaled(&acc[r], &d[r], da, &isum[r]);
        acc[r] = acc[r] - (dmin[r] * da) * __builtin_convertvector(msum[r], v4f);
    }
}

static void matmul_q4_k(const tensor_matmul_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        const uint8_t *w = a->w, *panel = a->panel;
        v4f acc[4] = {0};
        for (uint32_t b = 0; b < a->k / 256; b++, w += TENSOR_Q4_K_GROUP, panel += 308 * a->tokens) {
            float da;
            int16_t sums[8];
            memcpy(&da, panel + 256 * a->tokens + 4 * t, 4);
            memcpy(sums, panel + 260 * a->tokens + 16 * t, 16);
            q4_k_block(w, (const int8_t *)panel + 256 * t, sums, da, acc);
        }
        memcpy(a->y + t * a->ldy, acc, sizeof acc);
    }
}

/* |dot| <= 16 * 63 * 127 = 128,016, 32 |sum| <= 65,024: |isum| <= 16 * 128 * 193,040 < 2^29 */
static void q6_k_block(const uint8_t *w, const int8_t *q, const int16_t *sums, float da, v4f acc[4])
{
    v4i isum[4] = {0};
    for (uint32_t j = 0; j < 16; j++) {
        v4i dot[4] = {0};
        const uint8_t *step = w + j / 2 * TENSOR_Q6_K_STEP;
        six_bits_dot16(step + TENSOR_Q6_K_LOW + j % 2 * 128, step + TENSOR_Q6_K_HIGH + j % 2 * 64, q + 16 * j, dot);
        for (int r = 0; r < 4; r++) {
            v4i scale;
            widen_s8(&scale, w + 64 + j * 16 + 4 * r);
            isum[r] += scale * (dot[r] - 32 * sums[j]);
        }
    }
    v4f d[4];
    scales16(w, d);
    for (int r = 0; r < 4; r++)
        add_scaled(&acc[r], &d[r], da, &isum[r]);
}

static void matmul_q6_k(const tensor_matmul_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        const uint8_t *w = a->w, *panel = a->panel;
        v4f acc[4] = {0};
        for (uint32_t b = 0; b < a->k / 256; b++, w += TENSOR_Q6_K_GROUP, panel += 308 * a->tokens) {
            float da;
            int16_t sums[16];
            memcpy(&da, panel + 256 * a->tokens + 4 * t, 4);
            memcpy(sums, panel + 276 * a->tokens + 32 * t, 32);
            q6_k_block(w, (const int8_t *)panel + 256 * t, sums, da, acc);
        }
        memcpy(a->y + t * a->ldy, acc, sizeof acc);
    }
}

void tensor_portable_matmul_packed(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_Q4_0] = matmul_q4_0;
    k->matmul[TENSOR_MATMUL_Q8_0] = matmul_q8_0;
    k->matmul[TENSOR_MATMUL_Q4_K] = matmul_q4_k;
    k->matmul[TENSOR_MATMUL_Q6_K] = matmul_q6_k;
    for (int i = TENSOR_MATMUL_Q4_0; i <= TENSOR_MATMUL_Q6_K; i++)
        k->matmul_variant[i] = "portable";
}
