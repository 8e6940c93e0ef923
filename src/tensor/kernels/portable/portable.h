/* The parts of tensor_kernels_portable: each file fills its entries. */
#ifndef TENSOR_PORTABLE_H
#define TENSOR_PORTABLE_H
#include "tensor/kernels/kernels.h"

void tensor_portable_elementwise(tensor_kernels *k);
void tensor_portable_panels(tensor_kernels *k);
void tensor_portable_matmul_plain(tensor_kernels *k);
void tensor_portable_matmul_packed(tensor_kernels *k);
void tensor_portable_matmul_nibbles(tensor_kernels *k);
void tensor_portable_matmul_bytes(tensor_kernels *k);
void tensor_portable_attention(tensor_kernels *k);

#endif
