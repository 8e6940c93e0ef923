/* The x86 parts of the kernel table. */
#ifndef TENSOR_KERNELS_X86_H
#define TENSOR_KERNELS_X86_H
#include "tensor/kernels/kernels.h"

void tensor_kernels_avx2(tensor_kernels *k);
void tensor_avx2_matmul_packed(tensor_kernels *k);
void tensor_avx2_matmul_nibbles(tensor_kernels *k);
void tensor_avx2_matmul_bytes(tensor_kernels *k);
void tensor_avx2_matmul_plain(tensor_kernels *k);
void tensor_avx2_panels(tensor_kernels *k);
void tensor_avx2_attention(tensor_kernels *k);

void tensor_kernels_avx512(tensor_kernels *k, bool vnni);
void tensor_avx512_matmul_packed_vnni(tensor_kernels *k);
void tensor_avx512_matmul_nibbles_vnni(tensor_kernels *k);
void tensor_avx512_matmul_bytes_vnni(tensor_kernels *k);
void tensor_avx512_matmul_plain(tensor_kernels *k);
void tensor_avx512_attention(tensor_kernels *k);

#endif
