/* Attention over one tile of up to 64 keys of one head. But for F32 caches every product is exact. */
#include "tensor/kernels/portable/portable.h"
#include "tensor/kernels/portable/vec.h"

VEC_INLINE void kv_bytes(v16f v[2], const uint8_t *p)
{
    v16b q[2];
    memcpy(q, p, sizeof q);
    v[0] = __builtin_convertvector(__builtin_convertvector(q[0], v16i), v16f);
    v[1] = __builtin_convertvector(__builtin_convertvector(q[1], v16i), v16f);
}

VEC_INLINE void kv_nibbles(v16f v[2], const uint8_t *p)
{
    v16b q;
    memcpy(&q, p, sizeof q);
    const v16i both = __builtin_convertvector(q, v16i);
    v[0] = __builtin_convertvector((both & 15) - 8, v16f);
    v[1] = __builtin_convertvector((both >> 4 & 15) - 8, v16f);
}

VEC_INLINE void kv_add(v16f *sum, const v16f *a, const v16f *b)
{
    *sum = *sum + *a * *b;
}

#include "tensor/kernels/portable/kv_blocks.h"
#include "tensor/kernels/portable/softmax.h"

typedef void load_fn(v16f *v, const void *p);

VEC_INLINE void load_f32(v16f *v, const void *p)
{
    v16_load(v, p);
}
VEC_INLINE void load_f16(v16f *v, const void *p)
{
    v16_from_f16(v, p);
}

/* Elements i.. of a row; past d zero. */
VEC_INLINE void load_part(v16f *v, const uint8_t *row, size_t bytes, uint32_t i, uint32_t d, load_fn *load)
{
    uint8_t tail[64] = {0};
    if (d - i >= 16) {
        load(v, row + i * bytes);
        return;
    }
    memcpy(tail, row + i * bytes, (d - i) * bytes);
    load(v, tail);
}

VEC_INLINE void scores(const float *q, const uint8_t *k, size_t stride, uint32_t d, uint32_t count, float scale,
                       float *s, size_t bytes, load_fn *load)
{
    for (uint32_t j = 0; j < count; j++, k += stride) {
        v16f sum = {0}, a, b;
        for (uint32_t i = 0; i < d; i += 16) {
            v16_load(&a, q + i);
            load_part(&b, k, bytes, i, d, load);
            sum = sum + a * b;
        }
        s[j] = scale * v16_fold(&sum);
    }
}

static void scores_f32(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    scores(q, k, stride, d, count, scale, s, 4, load_f32);
}

static void scores_f16(const float *q, const void *k, size_t stride, uint32_t d, uint32_t count, float scale, float *s)
{
    scores(q, k, stride, d, count, scale, s, 2, load_f16);
}

VEC_INLINE void accumulate(const float *e, const uint8_t *v, size_t stride, uint32_t d, uint32_t count,
                           float correction, float *acc, size_t bytes, load_fn *load)
{
    for (uint32_t c = 0; c < d; c += 16) {
        const uint32_t n = d - c < 16 ? d - c : 16;
        v16f sum, part;
        v16_load_n(&sum, acc + c, n);
        sum = sum * correction;
        for (uint32_t j = 0; j < count; j++) {
            load_part(&part, v + j * stride, bytes, c, d, load);
            sum = sum + part * e[j];
        }
        v16_store_n(acc + c, &sum, n);
    }
}

static void accumulate_f32(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count, float correction,
                           float *acc)
{
    accumulate(e, v, stride, d, count, correction, acc, 4, load_f32);
}

static void accumulate_f16(const float *e, const void *v, size_t stride, uint32_t d, uint32_t count, float correction,
                           float *acc)
{
    accumulate(e, v, stride, d, count, correction, acc, 2, load_f16);
}

void tensor_portable_attention(tensor_kernels *k)
{
    k->scores[TENSOR_KV_F32] = scores_f32;
    k->scores[TENSOR_KV_F16] = scores_f16;
    k->accumulate[TENSOR_KV_F32] = accumulate_f32;
    k->accumulate[TENSOR_KV_F16] = accumulate_f16;
    kv_blocks_fill(k);
    k->softmax = softmax;
    k->adjust = adjust;
    k->attention_variant = "portable";
}
