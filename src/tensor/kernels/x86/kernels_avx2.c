#include "tensor/kernels/x86/kernels_x86.h"

void tensor_kernels_avx2(tensor_kernels *k)
{
    (void)k;
}
