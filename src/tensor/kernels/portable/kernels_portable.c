#include "tensor/kernels/portable/portable.h"

void tensor_kernels_portable(tensor_kernels *k)
{
    *k = (tensor_kernels){0};
    tensor_portable_elementwise(k);
    tensor_portable_panels(k);
    tensor_portable_matmul_plain(k);
    tensor_portable_matmul_packed(k);
    tensor_portable_matmul_nibbles(k);
    tensor_portable_matmul_bytes(k);
    tensor_portable_attention(k);
}
