/* Activations of up to 8 tokens -> a panel (kernels.h): conditioned floats, or signed bytes with scales and sums. The
 * definition for every target, compiled once an ISA. */
#ifndef TENSOR_PANEL_H
#define TENSOR_PANEL_H
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/portable/vec.h"

VEC_INLINE void float_panel(const float *x, size_t ldx, uint32_t tokens, uint32_t k, float *out,
                            void (*condition)(v16f *))
{
    for (uint32_t i = 0; i < k; i += 16)
        for (uint32_t t = 0; t < tokens; t++, out += 16) {
            v16f v;
            if (k - i >= 16)
                v16_load(&v, x + t * ldx + i);
            else
                v16_load_n(&v, x + t * ldx + i, k - i);
            condition(&v);
            v16_store(out, &v);
        }
}

VEC_INLINE void keep(v16f *v)
{
    (void)v;
}
VEC_INLINE void round16(v16f *v)
{
    v16_round_bits(v, 8);
}
VEC_INLINE void condition13(v16f *v)
{
    v16_condition13(v);
}

static void panel_f32(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    float_panel(x, ldx, tokens, k, panel, keep);
}

static void panel_13bit(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    float_panel(x, ldx, tokens, k, panel, condition13);
}

static void panel_16bit(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    float_panel(x, ldx, tokens, k, panel, round16);
}

/* The largest magnitude of n (a multiple of 16) floats; NaN is passed over. */
VEC_INLINE float largest(const float *x, uint32_t n)
{
    v16f most = {0}, v;
    for (uint32_t i = 0; i < n; i += 16) {
        v16_load(&v, x + i);
        v = (v16f)((v16u)v & 0x7fffffff);
        v16i above;
        v16_greater(&above, &v, &most);
        v16_select(&most, &above, &v, &most);
    }
    return v16_largest(&most);
}

/* 16 floats -> signed bytes in [-127, 127]; NaN gives -127. Returns their sum. */
VEC_INLINE int32_t quantize16(const float *x, float id, int8_t *q)
{
    const v16f low = (v16f){0} - 127.0f, high = (v16f){0} + 127.0f, magic = (v16f){0} + 0x1.8p23f;
    v16f t;
    v16_load(&t, x);
    t = t * id;
    v16i above, below;
    v16_greater(&above, &t, &low);
    v16_select(&t, &above, &t, &low);
    v16_greater(&below, &high, &t);
    v16_select(&t, &below, &t, &high);
    v16i rounded = (v16i)(((v16u)(t + magic) & 0x1ff) ^ 0x100) - 0x100; /* nine bits of 1.5 * 2^23 + t, sign-extended */
    v16b bytes = __builtin_convertvector(rounded, v16b);
    memcpy(q, &bytes, sizeof bytes);
    return v16_sum(&rounded);
}

static void panel_q32(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    uint8_t *out = panel;
    for (uint32_t i = 0; i < k; i += 32, out += 40 * tokens)
        for (uint32_t t = 0; t < tokens; t++) {
            const float *p = x + t * ldx + i;
            const float amax = largest(p, 32), d = amax / 127.0f, id = amax != 0 ? 127.0f / amax : 0;
            int8_t *q = (int8_t *)out + 32 * t;
            int32_t sum = quantize16(p, id, q);
            sum = -8 * (sum + quantize16(p + 16, id, q + 16));
            memcpy(out + 32 * tokens + 4 * t, &d, 4);
            memcpy(out + 36 * tokens + 4 * t, &sum, 4);
        }
}

static void panel_q256(const float *x, size_t ldx, uint32_t tokens, uint32_t k, void *panel)
{
    uint8_t *out = panel;
    for (uint32_t i = 0; i < k; i += 256, out += 308 * tokens)
        for (uint32_t t = 0; t < tokens; t++) {
            const float *p = x + t * ldx + i;
            const float amax = largest(p, 256), d = amax / 127.0f, id = amax != 0 ? 127.0f / amax : 0;
            int16_t sums[16], pairs[8];
            for (uint32_t j = 0; j < 16; j++)
                sums[j] = (int16_t)quantize16(p + 16 * j, id, (int8_t *)out + 256 * t + 16 * j);
            for (uint32_t j = 0; j < 8; j++)
                pairs[j] = (int16_t)(sums[2 * j] + sums[2 * j + 1]);
            memcpy(out + 256 * tokens + 4 * t, &d, 4);
            memcpy(out + 260 * tokens + 16 * t, pairs, 16);
            memcpy(out + 276 * tokens + 32 * t, sums, 32);
        }
}

static void panels_fill(tensor_kernels *k)
{
    k->panel[TENSOR_PANEL_F32] = panel_f32;
    k->panel[TENSOR_PANEL_13BIT] = panel_13bit;
    k->panel[TENSOR_PANEL_16BIT] = panel_16bit;
    k->panel[TENSOR_PANEL_Q32] = panel_q32;
    k->panel[TENSOR_PANEL_Q256] = panel_q256;
}

#endif
