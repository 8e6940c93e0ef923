/* Wasm SIMD128 over portable: i32x4.dot_i16x8_s adds two 16-bit products in 32 bits, which C cannot say. Q8_0 and Q6_K
 * gain from it; Q4 products add up in 16 bits, where the portable kernels are as good.
 *
 * One token at a time: short functions called often, since V8 replaces no running function by its optimized form. */
#include <string.h>
#include <wasm_simd128.h>

#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

#define INLINE static inline __attribute__((always_inline))

INLINE v128_t f16x4(const uint8_t *p)
{
    const v128_t h = wasm_u32x4_load16x4(p), em = wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_splat(0x7fff)), 13);
    const v128_t sign = wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_splat(0x8000)), 16);
    const v128_t finite = wasm_f32x4_mul(em, wasm_f32x4_splat(0x1p112f));
    const v128_t is_special = wasm_i32x4_gt(em, wasm_i32x4_splat(0x0f7fffff));
    const v128_t quiet = wasm_v128_and(wasm_i32x4_gt(em, wasm_i32x4_splat(0x0f800000)), wasm_i32x4_splat(0x400000));
    const v128_t special = wasm_v128_or(wasm_v128_or(em, wasm_i32x4_splat(0x7f800000)), quiet);
    return wasm_v128_or(wasm_v128_bitselect(special, finite, is_special), sign);
}

/* Activations a[0..3] for every row: even = a0 a2 a0 a2 …, odd = a1 a3 a1 a3 … */
INLINE void spread(const uint8_t *a, v128_t *even, v128_t *odd)
{
    const v128_t all = wasm_v128_load32_splat(a);
    *even = wasm_i16x8_shr(wasm_i16x8_shl(all, 8), 8);
    *odd = wasm_i16x8_shr(all, 8);
}

/* acc + (dw * da) * isum */
INLINE v128_t add_scaled(v128_t acc, v128_t dw, v128_t da, v128_t isum)
{
    return wasm_f32x4_add(acc, wasm_f32x4_mul(wasm_f32x4_mul(dw, da), wasm_f32x4_convert_i32x4(isum)));
}

static void q8_0_block(const uint8_t *scales, const uint8_t *units, const uint8_t *a, const uint8_t *da, v128_t acc[4])
{
    v128_t dot[4] = {0};
    for (int c = 0; c < 8; c++) {
        v128_t even, odd;
        spread(a + 4 * c, &even, &odd);
        for (int r = 0; r < 4; r++) {
            const v128_t w = wasm_v128_load(units + 64 * c + 16 * r);
            const v128_t low = wasm_i16x8_shr(wasm_i16x8_shl(w, 8), 8), high = wasm_i16x8_shr(w, 8);
            dot[r] = wasm_i32x4_add(dot[r], wasm_i32x4_dot_i16x8(low, even));
            dot[r] = wasm_i32x4_add(dot[r], wasm_i32x4_dot_i16x8(high, odd));
        }
    }
    for (int r = 0; r < 4; r++)
        acc[r] = add_scaled(acc[r], f16x4(scales + 8 * r), wasm_v128_load32_splat(da), dot[r]);
}

static void matmul_q8_0(const tensor_matmul_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        const uint8_t *panel = a->panel;
        v128_t acc[4] = {0};
        for (uint32_t b = 0; b < a->k / 32; b++, panel += 40 * a->tokens) {
            const uint8_t *pair = (const uint8_t *)a->w + (size_t)(b / 2) * 1088;
            q8_0_block(pair + b % 2 * 32, pair + 64 + b % 2 * 512, panel + 32 * t, panel + 32 * a->tokens + 4 * t, acc);
        }
        memcpy(a->y + t * a->ldy, acc, sizeof acc);
    }
}

/* 8 K of 4 rows: a unit of low nibbles and its 4 bits of the high unit. */
INLINE v128_t six_bits(v128_t low, v128_t high, const v128_t x[4])
{
    const v128_t mask = wasm_i8x16_splat(15), two = wasm_i8x16_splat(0x30), byte = wasm_i16x8_splat(255);
    const v128_t q = wasm_v128_or(wasm_v128_and(low, mask), wasm_v128_and(wasm_i16x8_shl(high, 4), two));
    const v128_t q4 =
        wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(low, 4), mask), wasm_v128_and(wasm_i16x8_shl(high, 2), two));
    const v128_t sum = wasm_i32x4_add(wasm_i32x4_dot_i16x8(wasm_v128_and(q, byte), x[0]),
                                      wasm_i32x4_dot_i16x8(wasm_u16x8_shr(q, 8), x[1]));
    const v128_t sum4 = wasm_i32x4_add(wasm_i32x4_dot_i16x8(wasm_v128_and(q4, byte), x[2]),
                                       wasm_i32x4_dot_i16x8(wasm_u16x8_shr(q4, 8), x[3]));
    return wasm_i32x4_add(sum, sum4);
}

static void q6_k_block(const uint8_t *w, const uint8_t *a, const uint8_t *sums, v128_t da, v128_t acc[4])
{
    v128_t isum[4] = {0};
    for (int j = 0; j < 16; j++) {
        int16_t sum;
        v128_t x[8];
        memcpy(&sum, sums + 2 * j, 2);
        for (int i = 0; i < 4; i++)
            spread(a + 16 * j + 4 * i, &x[2 * i], &x[2 * i + 1]);
        for (int r = 0; r < 4; r++) {
            const uint8_t *step = w + j / 2 * TENSOR_Q6_K_STEP + 16 * r, *low = step + TENSOR_Q6_K_LOW + j % 2 * 128;
            const v128_t high = wasm_v128_load(step + TENSOR_Q6_K_HIGH + j % 2 * 64);
            v128_t dot = wasm_i32x4_splat(-32 * sum);
            dot = wasm_i32x4_add(dot, six_bits(wasm_v128_load(low), high, x));
            dot = wasm_i32x4_add(dot, six_bits(wasm_v128_load(low + 64), wasm_u16x8_shr(high, 4), x + 4));
            const v128_t scale = wasm_i32x4_extend_low_i16x8(
                wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(w + 64 + 16 * j + 4 * r)));
            isum[r] = wasm_i32x4_add(isum[r], wasm_i32x4_mul(scale, dot));
        }
    }
    for (int r = 0; r < 4; r++)
        acc[r] = add_scaled(acc[r], f16x4(w + 8 * r), da, isum[r]);
}

static void matmul_q6_k(const tensor_matmul_args *a)
{
    for (uint32_t t = 0; t < a->tokens; t++) {
        const uint8_t *w = a->w, *panel = a->panel;
        v128_t acc[4] = {0};
        for (uint32_t b = 0; b < a->k / 256; b++, w += TENSOR_Q6_K_GROUP, panel += 308 * a->tokens)
            q6_k_block(w, panel + 256 * t, panel + 276 * a->tokens + 32 * t,
                       wasm_v128_load32_splat(panel + 256 * a->tokens + 4 * t), acc);
        memcpy(a->y + t * a->ldy, acc, sizeof acc);
    }
}

bool tensor_kernels_native(tensor_kernels *k, unsigned cpu_features)
{
    (void)cpu_features;
    k->matmul[TENSOR_MATMUL_Q8_0] = matmul_q8_0;
    k->matmul[TENSOR_MATMUL_Q6_K] = matmul_q6_k;
    k->matmul_variant[TENSOR_MATMUL_Q8_0] = k->matmul_variant[TENSOR_MATMUL_Q6_K] = "simd128";
    return false;
}
