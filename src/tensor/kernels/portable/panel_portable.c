#include "tensor/kernels/portable/panel.h"
#include "tensor/kernels/portable/portable.h"

void tensor_portable_panels(tensor_kernels *k)
{
    panels_fill(k);
}
