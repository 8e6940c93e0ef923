/* MATMUL with row-major F32, F16 and BF16 weights: y[t][r] = dot16(w_r, x_t). All products unfused here; those with F16
 * are exact, so that a fused kernel agrees. */
#include "tensor/kernels/portable/portable.h"
#include "tensor/kernels/portable/vec.h"

typedef void load_fn(v16f *v, const void *p);

VEC_INLINE void load_f32(v16f *v, const void *p)
{
    v16_load(v, p);
}
VEC_INLINE void load_f16(v16f *v, const void *p)
{
    v16_from_f16(v, p);
}
VEC_INLINE void load_bf16(v16f *v, const void *p)
{
    v16_from_bf16(v, p);
}

/* One row against two tokens (the second may be the first again). x: [k / 16][tokens][16] */
VEC_INLINE void row_pair(const uint8_t *w, size_t bytes, uint32_t k, const float *x0, const float *x1, size_t step,
                         load_fn *load, float out[2])
{
    v16f a0 = {0}, a1 = {0}, wv, v0, v1;
    uint32_t i = 0;
    for (; i < k; i += 16, x0 += step, x1 += step) {
        uint8_t tail[64] = {0};
        if (k - i < 16) {
            memcpy(tail, w + i * bytes, (k - i) * bytes);
            load(&wv, tail);
        } else {
            load(&wv, w + i * bytes);
        }
        v16_load(&v0, x0);
        v16_load(&v1, x1);
        a0 = a0 + wv * v0;
        a1 = a1 + wv * v1;
    }
    out[0] = v16_fold(&a0);
    out[1] = v16_fold(&a1);
}

VEC_INLINE void matmul(const tensor_matmul_args *a, size_t bytes, load_fn *load)
{
    const float *x = a->panel;
    const size_t step = (size_t)a->tokens * 16;
    for (uint32_t r = 0; r < a->rows; r++) {
        const uint8_t *w = (const uint8_t *)a->w + r * a->stride;
        for (uint32_t t = 0; t < a->tokens; t += 2) {
            const uint32_t u = t + 1 < a->tokens ? t + 1 : t;
            float out[2];
            row_pair(w, bytes, a->k, x + t * 16, x + u * 16, step, load, out);
            a->y[t * a->ldy + r] = out[0];
            a->y[u * a->ldy + r] = u == t ? out[0] : out[1];
        }
    }
}

static void matmul_f32(const tensor_matmul_args *a)
{
    matmul(a, 4, load_f32);
}
static void matmul_f16(const tensor_matmul_args *a)
{
    matmul(a, 2, load_f16);
}
static void matmul_bf16(const tensor_matmul_args *a)
{
    matmul(a, 2, load_bf16);
}

void tensor_portable_matmul_plain(tensor_kernels *k)
{
    k->matmul[TENSOR_MATMUL_F32] = matmul_f32;
    k->matmul[TENSOR_MATMUL_F16] = matmul_f16;
    k->matmul[TENSOR_MATMUL_BF16] = matmul_bf16;
    for (int i = TENSOR_MATMUL_F32; i <= TENSOR_MATMUL_BF16; i++)
        k->matmul_variant[i] = "portable";
}
