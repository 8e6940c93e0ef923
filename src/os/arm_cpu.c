/* A 64-bit Arm CPU: its baseline, which has vectors. */
#include <string.h>

#include "os/os.h"

static unsigned restricted_to = ~0u;

void os_cpu_restrict(unsigned mask)
{
    restricted_to = mask;
}

unsigned os_cpu_features(void)
{
    return OS_CPU_AARCH64 & restricted_to;
}

const char *os_cpu_name(char out[64])
{
    return strcpy(out, "aarch64");
}
