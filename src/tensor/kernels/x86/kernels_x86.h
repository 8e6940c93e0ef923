#ifndef TENSOR_KERNELS_X86_H
#define TENSOR_KERNELS_X86_H
#include "tensor/kernels/kernels.h"

void tensor_kernels_avx2(tensor_kernels *k);
void tensor_kernels_avx512(tensor_kernels *k, bool vnni);

#endif
