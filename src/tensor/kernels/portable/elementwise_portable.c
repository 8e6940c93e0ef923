#include "tensor/kernels/portable/elementwise.h"
#include "tensor/kernels/portable/portable.h"

void tensor_portable_elementwise(tensor_kernels *k)
{
    elementwise_fill(k, "portable");
}
