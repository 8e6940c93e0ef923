/* A CPU of which nothing is known: portable kernels only. */
#include <string.h>

#include "os/os.h"

void os_cpu_restrict(unsigned mask)
{
    (void)mask;
}

unsigned os_cpu_features(void)
{
    return 0;
}

const char *os_cpu_name(char out[64])
{
    return strcpy(out, "unknown CPU");
}
