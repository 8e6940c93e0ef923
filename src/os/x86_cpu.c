/* CPU features by CPUID and XGETBV (Intel SDM vol. 1 §13.3): an instruction set counts only if the operating system
 * saves its registers. */
#include <cpuid.h>
#include <string.h>

#include "os/os.h"

static unsigned restricted_to = ~0u;

void os_cpu_restrict(unsigned mask)
{
    restricted_to = mask;
}

static uint64_t xgetbv0(void)
{
    uint32_t a, d;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (uint64_t)d << 32 | a;
}

static bool all(unsigned word, unsigned bits)
{
    return (word & bits) == bits;
}

/* The levels of the x86-64 psABI, §3.1.1, each with all below it. */
static unsigned levels(unsigned c1, unsigned b7, uint64_t saved)
{
    unsigned a, b, c = 0, d;
    __get_cpuid(0x80000001, &a, &b, &c, &d);
    const unsigned lzcnt = 1u << 5;
    if (!all(c1, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | bit_CMPXCHG16B) || !(c & bit_LAHF_LM))
        return 0;
    if ((saved & 6) != 6 || !all(c1, bit_AVX | bit_F16C | bit_FMA | bit_MOVBE) ||
        !all(b7, bit_AVX2 | bit_BMI | bit_BMI2) || !(c & lzcnt))
        return OS_CPU_X86_64_V2;
    if ((saved & 0xe6) != 0xe6 || !all(b7, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL))
        return OS_CPU_X86_64_V2 | OS_CPU_X86_64_V3;
    return OS_CPU_X86_64_V2 | OS_CPU_X86_64_V3 | OS_CPU_X86_64_V4;
}

static unsigned detect(void)
{
    unsigned a, b, c, d, features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    if (c & bit_SSE4_1) features |= OS_CPU_SSE41;
    bool f16c_fma = all(c, bit_F16C | bit_FMA);
    uint64_t saved = c & bit_OSXSAVE ? xgetbv0() : 0;
    unsigned b7 = 0, c7 = 0, d7 = 0, a71 = 0, unused;
    if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) && a >= 1) __get_cpuid_count(7, 1, &a71, &unused, &unused, &unused);
    if (b7 & (1u << 29)) features |= OS_CPU_SHA;
    features |= levels(c, b7, saved);
    if ((saved & 6) == 6 && f16c_fma && all(b7, bit_AVX2 | bit_BMI2)) {
        features |= OS_CPU_AVX2;
        if (a71 & (1u << 4)) features |= OS_CPU_AVX_VNNI;
        if ((saved & 0xe6) == 0xe6 && all(b7, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)) {
            features |= OS_CPU_AVX512;
            if (c7 & bit_AVX512VNNI) features |= OS_CPU_AVX512_VNNI;
        }
    }
    return features;
}

/* Asked once: under a hypervisor each CPUID is a trap to it. */
unsigned os_cpu_features(void)
{
    enum { KNOWN = 1u << 30 };
    static unsigned detected;
    unsigned features = __atomic_load_n(&detected, __ATOMIC_RELAXED);
    if (!features) __atomic_store_n(&detected, features = detect() | KNOWN, __ATOMIC_RELAXED);
    return features & ~(unsigned)KNOWN & restricted_to;
}

const char *os_cpu_name(char out[64])
{
    unsigned regs[12] = {0}, a, b, c, d;
    strcpy(out, "x86-64");
    if (!__get_cpuid(0x80000000, &a, &b, &c, &d) || a < 0x80000004) return out;
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, &regs[4 * i], &regs[4 * i + 1], &regs[4 * i + 2], &regs[4 * i + 3]);
    memcpy(out, regs, sizeof regs);
    out[sizeof regs] = 0;
    for (size_t n = strlen(out); n && out[n - 1] == ' ';)
        out[--n] = 0;
    return out;
}
