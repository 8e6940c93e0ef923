#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "os/os.h"

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t os_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t os_realtime_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

bool os_random(void *out, size_t size)
{
    for (uint8_t *p = out; size;) {
        ssize_t n = getrandom(p, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}
