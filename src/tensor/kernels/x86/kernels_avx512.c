/* What AVX-512 does better; the parts that GNU vectors express are the portable bodies in 64-byte registers. */
#define VEC_BYTES 64
#include <immintrin.h>

#include "tensor/kernels/portable/elementwise.h"
#include "tensor/kernels/portable/panel.h"
#include "tensor/kernels/x86/kernels_x86.h"

static void to_f32(float *y, const uint16_t *x, size_t count)
{
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 mask = count - i >= 16 ? 0xffff : (__mmask16)((1u << (count - i)) - 1);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
    }
}

static void to_f16(uint16_t *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 mask = count - i >= 16 ? 0xffff : (__mmask16)((1u << (count - i)) - 1);
        _mm256_mask_storeu_epi16(y + i, mask,
                                 _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, x + i), _MM_FROUND_TO_NEAREST_INT));
    }
}

void tensor_kernels_avx512(tensor_kernels *k, bool vnni)
{
    elementwise_fill(k, "avx512");
    panels_fill(k);
    tensor_avx2_panels(k);
    k->f16_to_f32 = to_f32;
    k->f32_to_f16 = to_f16;
    tensor_avx512_matmul_plain(k);
    tensor_avx512_attention(k);
    if (!vnni) return;
    tensor_avx512_matmul_packed_vnni(k);
    tensor_avx512_matmul_nibbles_vnni(k);
    tensor_avx512_matmul_bytes_vnni(k);
}
