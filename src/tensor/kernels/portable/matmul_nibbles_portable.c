/* MATMUL with the packed layouts that are nibbles, perhaps with fifth bits or a table of values (layout.h). A block's
 * units become signed bytes once for all tokens of the panel. */
#include "tensor/blocks.h"
#include "tensor/kernels/portable/packed.h"

/* 4 units of nibbles, and one of fifth bits: less `zero`. */
VEC_INLINE void to_bytes(const uint8_t *units, const int fifth, int zero, uint8_t bytes[512])
{
    for (uint32_t c = 0; c < 4; c++)
        for (uint32_t i = 0; i < 64; i++) {
            const uint32_t v = units[64 * c + i], high = fifth ? (uint32_t)units[256 + i] >> 2 * c : 0;
            bytes[128 * c + i] = (uint8_t)((int)((v & 15) | (high & 1) << 4) - zero);
            bytes[128 * c + 64 + i] = (uint8_t)((int)(v >> 4 | (high & 2) << 3) - zero);
        }
}

VEC_INLINE void to_values(const uint8_t *units, const int8_t table[16], uint8_t bytes[512])
{
    for (uint32_t c = 0; c < 4; c++)
        for (uint32_t i = 0; i < 64; i++) {
            bytes[128 * c + i] = (uint8_t)table[units[64 * c + i] & 15];
            bytes[128 * c + 64 + i] = (uint8_t)table[units[64 * c + i] >> 4];
        }
}

static void decode(uint32_t type, const uint8_t *units, uint8_t bytes[512])
{
    switch (type) {
    case WISP_IQ4_NL:
    case WISP_IQ4_XS:
        to_values(units, tensor_values_iq4, bytes);
        break;
    case WISP_MXFP4:
        to_values(units, tensor_values_fp4, bytes);
        break;
    case WISP_Q4_1:
        to_bytes(units, 0, 0, bytes);
        break;
    case WISP_Q5_0:
        to_bytes(units, 1, 16, bytes);
        break;
    default:
        to_bytes(units, 1, 0, bytes);
        break;
    }
}

VEC_INLINE void load_scales(uint32_t type, const uint8_t *p, v4f d[4])
{
    v16f v;
    if (type != WISP_MXFP4) {
        v16_from_f16(&v, p);
        memcpy(d, &v, sizeof v);
        return;
    }
    for (int r = 0; r < 16; r++)
        d[r / 4][r % 4] = tensor_power_to_float(p[r]);
}

/* Sets of `per` blocks: 64 bytes of scales, then the blocks' units. */
VEC_INLINE void matmul_32(const tensor_matmul_args *a, const uint32_t type, const uint32_t per, const uint32_t units,
                          const int minima)
{
    const uint8_t *panel = a->panel;
    v4f acc[TENSOR_PANEL_TOKENS][4] = {0};
    for (uint32_t b = 0; b < a->k / 32; b++, panel += 40 * a->tokens) {
        const uint8_t *set = (const uint8_t *)a->w + (size_t)(b / per) * (64 + per * units);
        uint8_t bytes[512];
        v4f d[4], m[4];
        decode(type, set + 64 + b % per * units, bytes);
        load_scales(type, set + b % per * (64 / per), d);
        if (minima) load_scales(type, set + 32, m);
        for (uint32_t t = 0; t < a->tokens; t++) {
            v4i dot[4] = {0};
            float da;
            int32_t zero; /* -8 times the sum */
            bytes_dot(bytes, (const int8_t *)panel + 32 * t, 8, dot);
            memcpy(&da, panel + 32 * a->tokens + 4 * t, 4);
            memcpy(&zero, panel + 36 * a->tokens + 4 * t, 4);
            const v4i sum = (v4i){0} - zero / 8;
            for (int r = 0; r < 4; r++) {
                add_scaled(&acc[t][r], &d[r], da, &dot[r]);
                if (minima) add_scaled(&acc[t][r], &m[r], da, &sum);
            }
        }
    }
    for (uint32_t t = 0; t < a->tokens; t++)
        memcpy(a->y + t * a->ldy, acc[t], sizeof acc[t]);
}

static void matmul_q4_1(const tensor_matmul_args *a)
{
    matmul_32(a, WISP_Q4_1, 1, 256, 1);
}
static void matmul_q5_0(const tensor_matmul_args *a)
{
    matmul_32(a, WISP_Q5_0, 2, 320, 0);
}
static void matmul_q5_1(const tensor_matmul_args *a)
{
    matmul_32(a, WISP_Q5_1, 1, 320, 1);
}
static void matmul_iq4_nl(const tensor_matmul_args *a)
{
    matmul_32(a, WISP_IQ4_NL, 2, 256, 0);
}
static void matmul_mxfp4(const tensor_matmul_args *a)
{
    matmul_32(a, WISP_MXFP4, 4, 256, 0);
}

/* A super-block's sums: isum of all tokens, and msum of Q5_K. Scales and minima are any byte in a hostile file. */
VEC_INLINE void sums_256(const tensor_matmul_args *a, const uint8_t *w, const uint8_t *panel, const uint32_t type,
                         v4i isum[TENSOR_PANEL_TOKENS][4], v4i msum[TENSOR_PANEL_TOKENS][4])
{
    const uint32_t first = type == WISP_Q5_K ? 320 : 192, step = type == WISP_Q5_K ? 320 : 256;
    for (uint32_t j = 0; j < 8; j++) {
        uint8_t bytes[512];
        decode(type, w + first + step * j, bytes);
        for (uint32_t t = 0; t < a->tokens; t++) {
            v4i dot[4] = {0};
            int16_t sum;
            bytes_dot(bytes, (const int8_t *)panel + 256 * t + 32 * j, 8, dot);
            memcpy(&sum, panel + 260 * a->tokens + 16 * t + 2 * j, 2);
            for (int r = 0; r < 4; r++) {
                v4i scale, min;
                if (type == WISP_Q5_K) {
                    widen_u8(&scale, w + 64 + 32 * j + 4 * r);
                    widen_u8(&min, w + 80 + 32 * j + 4 * r);
                    msum[t][r] += min * sum;
                } else {
                    widen_s8(&scale, w + 64 + 16 * j + 4 * r);
                }
                isum[t][r] += scale * dot[r];
            }
        }
    }
}

VEC_INLINE void matmul_256(const tensor_matmul_args *a, const uint32_t type, const uint32_t group)
{
    const uint8_t *w = a->w, *panel = a->panel;
    v4f acc[TENSOR_PANEL_TOKENS][4] = {0};
    for (uint32_t b = 0; b < a->k / 256; b++, w += group, panel += 308 * a->tokens) {
        v4i isum[TENSOR_PANEL_TOKENS][4] = {0}, msum[TENSOR_PANEL_TOKENS][4] = {0};
        v4f d[4], dmin[4];
        sums_256(a, w, panel, type, isum, msum);
        load_scales(type, w, d);
        load_scales(type, w + 32, dmin);
        for (uint32_t t = 0; t < a->tokens; t++) {
            float da;
            memcpy(&da, panel + 256 * a->tokens + 4 * t, 4);
            for (int r = 0; r < 4; r++) {
                add_scaled(&acc[t][r], &d[r], da, &isum[t][r]);
                if (type == WISP_Q5_K)
                    acc[t][r] = acc[t][r] - (dmin[r] * da) * __builtin_convertvector(msum[t][r], v4f);
            }
        }
    }
    for (uint32_t t = 0; t < a->tokens; t++)
        memcpy(a->y + t * a->ldy, acc[t], sizeof acc[t]);
}

static void matmul_q5_k(const tensor_matmul_args *a)
{
    matmul_256(a, WISP_Q5_K, TENSOR_Q5_K_GROUP);
}
static void matmul_iq4_xs(const tensor_matmul_args *a)
{
    matmul_256(a, WISP_IQ4_XS, TENSOR_IQ4_XS_GROUP);
}

void tensor_portable_matmul_nibbles(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_Q4_1] = matmul_q4_1;
    k->matmul[TENSOR_MATMUL_Q5_0] = matmul_q5_0;
    k->matmul[TENSOR_MATMUL_Q5_1] = matmul_q5_1;
    k->matmul[TENSOR_MATMUL_IQ4_NL] = matmul_iq4_nl;
    k->matmul[TENSOR_MATMUL_MXFP4] = matmul_mxfp4;
    k->matmul[TENSOR_MATMUL_Q5_K] = matmul_q5_k;
    k->matmul[TENSOR_MATMUL_IQ4_XS] = matmul_iq4_xs;
    for (int i = TENSOR_MATMUL_Q4_1; i <= TENSOR_MATMUL_IQ4_XS; i++)
        k->matmul_variant[i] = "portable";
}
