/* The frame of a benchmark program: `setup` once, `run` again and again for about a third of a second. Prints a
 * checksum (equal in every engine, or the engine is wrong) and the fastest run in nanoseconds: start-up and tiers are
 * left out. */
#ifndef BENCH_H
#define BENCH_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void setup(void);
static __attribute__((noinline)) uint32_t run(void); /* engines replace functions when they are called */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The same numbers everywhere. */
static uint32_t random_state = 1;
static inline uint32_t random_u32(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}
static inline float random_float(void) /* [-1, 1) */
{
    return (float)(int32_t)(random_u32() & 0xffff) / 32768.0f - 1.0f;
}

int main(int argc, char **argv)
{
    const uint64_t budget = (argc > 1 ? (uint64_t)atoi(argv[1]) : 300) * 1000000u;
    uint64_t best = UINT64_MAX, total = 0;
    uint32_t sum = 0;
    setup();
    for (int n = 0; n < 3 || (total < budget && n < 2000); n++) {
        uint64_t begin = now_ns();
        sum = run();
        uint64_t time = now_ns() - begin;
        if (time < best) best = time;
        total += time;
        if (total > 20 * budget) break; /* a slow interpreter need not run thrice */
    }
    printf("%u %llu\n", (unsigned)sum, (unsigned long long)best);
    return 0;
}

#endif
