/* What AVX2 (with FMA, F16C and BMI2) does better than SSE2; GNU vectors make the elementwise bodies. */
#define VEC_BYTES 32
#include <immintrin.h>
#include <string.h>

#include "tensor/kernels/portable/elementwise.h"
#include "tensor/kernels/portable/panel.h"
#include "tensor/kernels/x86/kernels_x86.h"

static void to_f32(float *y, const uint16_t *x, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(x + i))));
    for (; i < count; i++)
        y[i] = _cvtsh_ss(x[i]);
}

static void to_f16(uint16_t *y, const float *x, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128((void *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < count; i++)
        y[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

void tensor_kernels_avx2(tensor_kernels *k)
{
    elementwise_fill(k, "avx2");
    panels_fill(k);
    tensor_avx2_panels(k);
    k->f16_to_f32 = to_f32;
    k->f32_to_f16 = to_f16;
    tensor_avx2_matmul_plain(k);
    tensor_avx2_matmul_packed(k);
    tensor_avx2_matmul_nibbles(k);
    tensor_avx2_matmul_bytes(k);
    tensor_avx2_attention(k);
}
