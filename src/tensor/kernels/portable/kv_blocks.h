/* Attention over one tile of a quantized cache: the definition for every target, compiled once an ISA. All products are
 * exact: 13 significant bits of a query or a weight times 8 of a cache's integer.
 *
 * A row is ceil(d / 32) blocks as in GGUF: an F16 scale, then 32 signed bytes (Q8_0) or 16 bytes of two nibbles (Q4_0:
 * elements i and i + 16, less 8); elements past d are zeros. The including file says how 32 of them become floats:
 *   kv_bytes(v, p), kv_nibbles(v, p)   v16f v[2] of what follows the scale
 *   kv_add(sum, a, b)                  sum + a * b */
#ifndef TENSOR_KV_BLOCKS_H
#define TENSOR_KV_BLOCKS_H
#include "tensor/abi.h"
#include "tensor/kernels/portable/vec.h"

enum { KV_BLOCK = 32, KV_Q8_0_BYTES = 34, KV_Q4_0_BYTES = 18 };

typedef void kv_load_fn(v16f v[2], const uint8_t *p);

VEC_INLINE float kv_scale(const uint8_t *block)
{
    uint8_t both[32] = {block[0], block[1]};
    v16f v;
    v16_from_f16(&v, both);
    return v[0];
}

/* The scales of block number `at` of `count` rows, the rest zero. */
VEC_INLINE void kv_scales(float out[WISP_KV_PAGE], const uint8_t *at, size_t stride, uint32_t count)
{
    uint16_t half[WISP_KV_PAGE] = {0};
    for (uint32_t j = 0; j < count; j++)
        memcpy(&half[j], at + j * stride, 2);
    for (uint32_t j = 0; j < WISP_KV_PAGE; j += 16) {
        v16f v;
        v16_from_f16(&v, half + j);
        v16_store(out + j, &v);
    }
}

/* A lane of a block: x_i * k_i + x_(i+16) * k_(i+16), then times the scale. */
VEC_INLINE void kv_scores(const float *q, const uint8_t *k, size_t stride, uint32_t d, uint32_t count, float scale,
                          float *s, size_t block_bytes, kv_load_fn *load)
{
    v16f sum[WISP_KV_PAGE];
    float scales[WISP_KV_PAGE];
    for (uint32_t j = 0; j < count; j++)
        sum[j] = (v16f){0};
    for (uint32_t i = 0; i < d; i += KV_BLOCK, k += block_bytes, q += KV_BLOCK) {
        v16f low, high;
        v16_load(&low, q);
        v16_load(&high, q + 16);
        kv_scales(scales, k, stride, count);
        for (uint32_t j = 0; j < count; j++) {
            v16f v[2], part;
            load(v, k + j * stride + 2);
            part = low * v[0];
            kv_add(&part, &high, &v[1]);
            sum[j] = sum[j] + scales[j] * part;
        }
    }
    for (uint32_t j = 0; j < count; j++)
        s[j] = scale * v16_fold(&sum[j]);
}

/* acc has room for whole blocks. */
VEC_INLINE void kv_accumulate(const float *e, const uint8_t *v, size_t stride, uint32_t d, uint32_t count,
                              float correction, float *acc, size_t block_bytes, kv_load_fn *load)
{
    for (uint32_t c = 0; c < d; c += KV_BLOCK, v += block_bytes, acc += KV_BLOCK) {
        float w[WISP_KV_PAGE];
        v16f low, high, part[2], t;
        kv_scales(w, v, stride, count);
        for (uint32_t j = 0; j < count; j += 16) {
            v16f scales;
            v16_load(&t, e + j);
            v16_load(&scales, w + j);
            t = t * scales;
            v16_condition13(&t);
            v16_store(w + j, &t);
        }
        v16_load(&low, acc);
        v16_load(&high, acc + 16);
        low = low * correction;
        high = high * correction;
        for (uint32_t j = 0; j < count; j++) {
            load(part, v + j * stride + 2);
            t = (v16f){0} + w[j];
            kv_add(&low, &part[0], &t);
            kv_add(&high, &part[1], &t);
        }
        v16_store(acc, &low);
        v16_store(acc + 16, &high);
    }
}

static void scores_q8_0(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    kv_scores(q, k, stride, d, count, scale, s, KV_Q8_0_BYTES, kv_bytes);
}

static void scores_q4_0(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    kv_scores(q, k, stride, d, count, scale, s, KV_Q4_0_BYTES, kv_nibbles);
}

static void accumulate_q8_0(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count, float correction,
                            float *acc)
{
    kv_accumulate(e, v, stride, d, count, correction, acc, KV_Q8_0_BYTES, kv_bytes);
}

static void accumulate_q4_0(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count, float correction,
                            float *acc)
{
    kv_accumulate(e, v, stride, d, count, correction, acc, KV_Q4_0_BYTES, kv_nibbles);
}

static void kv_blocks_fill(tensor_kernels *k)
{
    k->scores[TENSOR_KV_Q8_0] = scores_q8_0;
    k->scores[TENSOR_KV_Q4_0] = scores_q4_0;
    k->accumulate[TENSOR_KV_Q8_0] = accumulate_q8_0;
    k->accumulate[TENSOR_KV_Q4_0] = accumulate_q4_0;
}

#endif
