/* A CPU whose interrupted registers we do not know: no fault is ever taken. */
#include "os/faults.h"

bool os_context_supported(void)
{
    return false;
}

void os_context_read(const void *context, os_fault *fault)
{
    (void)context;
    *fault = (os_fault){0};
}

void os_context_land(void *context, const os_landing *landing)
{
    (void)context, (void)landing;
}
