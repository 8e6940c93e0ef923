/* Scalar arithmetic of core §4.3 that is not one C operator.
 *
 * Where the specification leaves the bits of a NaN open (core §4.3.3), the result here is always the positive canonical
 * NaN, on every CPU: one compare that is predicted right. */
#ifndef WASM_NUMERIC_H
#define WASM_NUMERIC_H
#include <math.h>
#include <stdint.h>

static inline uint32_t wasm_clz32(uint32_t a)
{
    return a ? (uint32_t)__builtin_clz(a) : 32;
}
static inline uint32_t wasm_ctz32(uint32_t a)
{
    return a ? (uint32_t)__builtin_ctz(a) : 32;
}
static inline uint32_t wasm_popcnt32(uint32_t a)
{
    return (uint32_t)__builtin_popcount(a);
}
static inline uint64_t wasm_clz64(uint64_t a)
{
    return a ? (uint64_t)__builtin_clzll(a) : 64;
}
static inline uint64_t wasm_ctz64(uint64_t a)
{
    return a ? (uint64_t)__builtin_ctzll(a) : 64;
}
static inline uint64_t wasm_popcnt64(uint64_t a)
{
    return (uint64_t)__builtin_popcountll(a);
}

static inline float wasm_canonical_f32(float a)
{
    return a == a ? a : __builtin_nanf("");
}
static inline double wasm_canonical_f64(double a)
{
    return a == a ? a : __builtin_nan("");
}

/* core §4.3.3 fmin, fmax: a NaN wins, and -0 is less than +0. */
#define MIN_MAX(type, bits)                                                                                            \
    static inline type wasm_min_f##bits(type a, type b)                                                                \
    {                                                                                                                  \
        if (!(a == a && b == b)) return wasm_canonical_f##bits(a + b);                                                 \
        if (a == b) return __builtin_signbit(a) ? a : b;                                                               \
        return a < b ? a : b;                                                                                          \
    }                                                                                                                  \
    static inline type wasm_max_f##bits(type a, type b)                                                                \
    {                                                                                                                  \
        if (!(a == a && b == b)) return wasm_canonical_f##bits(a + b);                                                 \
        if (a == b) return __builtin_signbit(a) ? b : a;                                                               \
        return a > b ? a : b;                                                                                          \
    }
MIN_MAX(float, 32)
MIN_MAX(double, 64)
#undef MIN_MAX

/* core §4.3.3 trunc_sat: NaN is 0, what is out of range is the nearest bound. Both limits are exact in the type. */
#define SAT(name, from, type, utype, least, least_float, bound_float, most)                                            \
    static inline utype wasm_sat_##name(from a)                                                                        \
    {                                                                                                                  \
        if (a != a) return 0;                                                                                          \
        if (a < least_float) return (utype)least;                                                                      \
        if (a >= bound_float) return (utype)most;                                                                      \
        return (utype)(type)a;                                                                                         \
    }
SAT(i32_f32_s, float, int32_t, uint32_t, INT32_MIN, -2147483648.0f, 2147483648.0f, INT32_MAX)
SAT(i32_f32_u, float, uint32_t, uint32_t, 0, 0.0f, 4294967296.0f, UINT32_MAX)
SAT(i32_f64_s, double, int32_t, uint32_t, INT32_MIN, -2147483648.0, 2147483648.0, INT32_MAX)
SAT(i32_f64_u, double, uint32_t, uint32_t, 0, 0.0, 4294967296.0, UINT32_MAX)
SAT(i64_f32_s, float, int64_t, uint64_t, INT64_MIN, -9223372036854775808.0f, 9223372036854775808.0f, INT64_MAX)
SAT(i64_f32_u, float, uint64_t, uint64_t, 0, 0.0f, 18446744073709551616.0f, UINT64_MAX)
SAT(i64_f64_s, double, int64_t, uint64_t, INT64_MIN, -9223372036854775808.0, 9223372036854775808.0, INT64_MAX)
SAT(i64_f64_u, double, uint64_t, uint64_t, 0, 0.0, 18446744073709551616.0, UINT64_MAX)
#undef SAT

#endif
