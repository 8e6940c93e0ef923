/* x86-64 hosts: AVX2 over portable (SSE2), AVX-512 over that. */
#include "tensor/kernels/x86/kernels_x86.h"

bool tensor_kernels_native(tensor_kernels *k, unsigned cpu_features)
{
    const unsigned avx512 = TENSOR_CPU_AVX2 | TENSOR_CPU_AVX512;
    if (cpu_features & TENSOR_CPU_AVX2) tensor_kernels_avx2(k);
    if ((cpu_features & avx512) == avx512) tensor_kernels_avx512(k, cpu_features & TENSOR_CPU_AVX512_VNNI);
    return true;
}
