/* Targets without kernels of their own: the guest without SIMD ones, unknown processors. */
#include "tensor/kernels/kernels.h"

bool tensor_kernels_native(tensor_kernels *k, unsigned cpu_features)
{
    (void)k;
    (void)cpu_features;
    return false;
}
