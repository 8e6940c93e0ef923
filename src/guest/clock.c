/* Time and chance, which POSIX and WASI name alike. */
#include <time.h>
#include <unistd.h>

#include "guest/engine_state.h"

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t guest_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t guest_wall_seconds(void)
{
    return (int64_t)(read_clock(CLOCK_REALTIME) / 1000000000u);
}

uint64_t guest_random_bits(void)
{
    uint64_t bits;
    if (getentropy(&bits, sizeof bits) != 0) bits = read_clock(CLOCK_REALTIME); /* a host without: still not constant */
    return bits;
}
