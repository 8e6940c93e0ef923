/* Vector arithmetic of core §4.3.6 that is not one operator of GNU vector types: loops over lanes with constant bounds,
 * which both compilers turn into vector instructions where the CPU has them. */
#ifndef WASM_SIMD_H
#define WASM_SIMD_H
#include "wasm/numeric.h"

typedef int8_t i8x16 __attribute__((vector_size(16), may_alias));
typedef uint8_t u8x16 __attribute__((vector_size(16), may_alias));
typedef int16_t i16x8 __attribute__((vector_size(16), may_alias));
typedef uint16_t u16x8 __attribute__((vector_size(16), may_alias));
typedef int32_t i32x4 __attribute__((vector_size(16), may_alias));
typedef uint32_t u32x4 __attribute__((vector_size(16), may_alias));
typedef int64_t i64x2 __attribute__((vector_size(16), may_alias));
typedef uint64_t u64x2 __attribute__((vector_size(16), may_alias));
typedef float f32x4 __attribute__((vector_size(16), may_alias));
typedef double f64x2 __attribute__((vector_size(16), may_alias));
typedef int8_t i8x8 __attribute__((vector_size(8)));
typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef int16_t i16x4 __attribute__((vector_size(8)));
typedef uint16_t u16x4 __attribute__((vector_size(8)));
typedef int32_t i32x2 __attribute__((vector_size(8)));
typedef uint32_t u32x2 __attribute__((vector_size(8)));
typedef u64x2 v128;

#define FOR_LANES(n) for (unsigned i = 0; i < (n); i++)
/* mask ? x : y, lane by lane */
#define SELECT(mask, x, y) (((v128)(mask) & (v128)(x)) | (~(v128)(mask) & (v128)(y)))

/* ---- integers ---- */

#define INTEGER_OPS(t, lanes)                                                                                          \
    static inline v128 wasm_abs_i##t(v128 a)                                                                           \
    {                                                                                                                  \
        u##t sign = (u##t)((i##t)a < 0);                                                                               \
        return (v128)(((u##t)a ^ sign) - sign);                                                                        \
    }                                                                                                                  \
    static inline uint32_t wasm_all_true_i##t(v128 a)                                                                  \
    {                                                                                                                  \
        v128 zero = (v128)((u##t)a == 0);                                                                              \
        return (zero[0] | zero[1]) == 0;                                                                               \
    }                                                                                                                  \
    static inline uint32_t wasm_bitmask_i##t(v128 a)                                                                   \
    {                                                                                                                  \
        uint32_t r = 0;                                                                                                \
        FOR_LANES(lanes) r |= (uint32_t)(((i##t)a)[i] < 0) << i;                                                       \
        return r;                                                                                                      \
    }
INTEGER_OPS(8x16, 16)
INTEGER_OPS(16x8, 8)
INTEGER_OPS(32x4, 4)
INTEGER_OPS(64x2, 2)

#define MIN_MAX(t)                                                                                                     \
    static inline v128 wasm_min_##t(v128 a, v128 b)                                                                    \
    {                                                                                                                  \
        return SELECT((t)a < (t)b, a, b);                                                                              \
    }                                                                                                                  \
    static inline v128 wasm_max_##t(v128 a, v128 b)                                                                    \
    {                                                                                                                  \
        return SELECT((t)a > (t)b, a, b);                                                                              \
    }
MIN_MAX(i8x16)
MIN_MAX(u8x16)
MIN_MAX(i16x8)
MIN_MAX(u16x8)
MIN_MAX(i32x4)
MIN_MAX(u32x4)

static inline int32_t wasm_clamp(int32_t v, int32_t least, int32_t most)
{
    return v < least ? least : v > most ? most : v;
}

#define LANEWISE(name, t, lanes, value)                                                                                \
    static inline v128 wasm_##name(v128 va, v128 vb)                                                                   \
    {                                                                                                                  \
        t a = (t)va, b = (t)vb, r = {0};                                                                               \
        FOR_LANES(lanes) r[i] = (__typeof__(r[0]))(value);                                                             \
        return (v128)r;                                                                                                \
    }
LANEWISE(add_sat_i8x16, i8x16, 16, wasm_clamp(a[i] + b[i], INT8_MIN, INT8_MAX))
LANEWISE(add_sat_u8x16, u8x16, 16, wasm_clamp(a[i] + b[i], 0, UINT8_MAX))
LANEWISE(sub_sat_i8x16, i8x16, 16, wasm_clamp(a[i] - b[i], INT8_MIN, INT8_MAX))
LANEWISE(sub_sat_u8x16, u8x16, 16, wasm_clamp(a[i] - b[i], 0, UINT8_MAX))
LANEWISE(add_sat_i16x8, i16x8, 8, wasm_clamp(a[i] + b[i], INT16_MIN, INT16_MAX))
LANEWISE(add_sat_u16x8, u16x8, 8, wasm_clamp(a[i] + b[i], 0, UINT16_MAX))
LANEWISE(sub_sat_i16x8, i16x8, 8, wasm_clamp(a[i] - b[i], INT16_MIN, INT16_MAX))
LANEWISE(sub_sat_u16x8, u16x8, 8, wasm_clamp(a[i] - b[i], 0, UINT16_MAX))
LANEWISE(avgr_u8x16, u8x16, 16, (a[i] + b[i] + 1) >> 1)
LANEWISE(avgr_u16x8, u16x8, 8, (a[i] + b[i] + 1) >> 1)
LANEWISE(q15mulr_sat, i16x8, 8, wasm_clamp((a[i] * b[i] + 0x4000) >> 15, INT16_MIN, INT16_MAX))
LANEWISE(swizzle, u8x16, 16, b[i] < 16 ? a[b[i] & 15] : 0)

static inline v128 wasm_popcnt_i8x16(v128 va)
{
    u8x16 a = (u8x16)va;
    a = a - ((a >> 1) & 0x55);
    a = (a & 0x33) + ((a >> 2) & 0x33);
    return (v128)((a + (a >> 4)) & 0x0f);
}

#define NARROW(name, from, to, half, least, most)                                                                      \
    static inline v128 wasm_narrow_##name(v128 a, v128 b)                                                              \
    {                                                                                                                  \
        to r = {0};                                                                                                    \
        FOR_LANES(half)                                                                                                \
        {                                                                                                              \
            r[i] = (__typeof__(r[0]))wasm_clamp(((from)a)[i], least, most);                                            \
            r[half + i] = (__typeof__(r[0]))wasm_clamp(((from)b)[i], least, most);                                     \
        }                                                                                                              \
        return (v128)r;                                                                                                \
    }
NARROW(i8x16_s, i16x8, i8x16, 8, INT8_MIN, INT8_MAX)
NARROW(i8x16_u, i16x8, u8x16, 8, 0, UINT8_MAX)
NARROW(i16x8_s, i32x4, i16x8, 4, INT16_MIN, INT16_MAX)
NARROW(i16x8_u, i32x4, u16x8, 4, 0, UINT16_MAX)

#define EXTEND(to, from, half)                                                                                         \
    static inline v128 wasm_extend_low_##to(v128 a)                                                                    \
    {                                                                                                                  \
        to r = {0};                                                                                                    \
        FOR_LANES(half) r[i] = ((from)a)[i];                                                                           \
        return (v128)r;                                                                                                \
    }                                                                                                                  \
    static inline v128 wasm_extend_high_##to(v128 a)                                                                   \
    {                                                                                                                  \
        to r = {0};                                                                                                    \
        FOR_LANES(half) r[i] = ((from)a)[half + i];                                                                    \
        return (v128)r;                                                                                                \
    }
EXTEND(i16x8, i8x16, 8)
EXTEND(u16x8, u8x16, 8)
EXTEND(i32x4, i16x8, 4)
EXTEND(u32x4, u16x8, 4)
EXTEND(i64x2, i32x4, 2)
EXTEND(u64x2, u32x4, 2)

#define EXTADD(to, from, lanes)                                                                                        \
    static inline v128 wasm_extadd_##to(v128 a)                                                                        \
    {                                                                                                                  \
        to r = {0};                                                                                                    \
        FOR_LANES(lanes) r[i] = (__typeof__(r[0]))(((from)a)[2 * i] + ((from)a)[2 * i + 1]);                           \
        return (v128)r;                                                                                                \
    }
EXTADD(i16x8, i8x16, 8)
EXTADD(u16x8, u8x16, 8)
EXTADD(i32x4, i16x8, 4)
EXTADD(u32x4, u16x8, 4)

/* core §4.3.6 ivdotsat: the pair's sum saturates (128 * 128 twice does not fit). */
static inline v128 wasm_dot_sat_i16x8(v128 va, v128 vb)
{
    i8x16 a = (i8x16)va, b = (i8x16)vb;
    i16x8 r = {0};
    FOR_LANES(8)
    r[i] = (int16_t)wasm_clamp(a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1], INT16_MIN, INT16_MAX);
    return (v128)r;
}

static inline v128 wasm_dot_i32x4(v128 a, v128 b)
{
    v128 low = (v128)((i32x4)wasm_extend_low_i32x4(a) * (i32x4)wasm_extend_low_i32x4(b));
    v128 high = (v128)((i32x4)wasm_extend_high_i32x4(a) * (i32x4)wasm_extend_high_i32x4(b));
    u32x4 x = (u32x4)low, y = (u32x4)high; /* -2^15 squared twice wraps, so unsigned */
    return (v128)(u32x4){x[0] + x[1], x[2] + x[3], y[0] + y[1], y[2] + y[3]};
}

/* ---- floating point ---- */

static inline v128 wasm_canonical_f32x4(f32x4 a)
{
    return SELECT(a == a, a, (u32x4){0} + 0x7fc00000u);
}

static inline v128 wasm_canonical_f64x2(f64x2 a)
{
    return SELECT(a == a, a, (u64x2){0} + 0x7ff8000000000000u);
}

#define FLOAT_UNARY(name, t, lanes, bits, f)                                                                           \
    static inline v128 wasm_##name##_##t(v128 a)                                                                       \
    {                                                                                                                  \
        t r = {0};                                                                                                     \
        FOR_LANES(lanes) r[i] = f(((t)a)[i]);                                                                          \
        return wasm_canonical_##t(r);                                                                                  \
    }
#define FLOAT_BINARY(t, lanes, bits)                                                                                   \
    static inline v128 wasm_min_##t(v128 a, v128 b)                                                                    \
    {                                                                                                                  \
        t r = {0};                                                                                                     \
        FOR_LANES(lanes) r[i] = wasm_min_f##bits(((t)a)[i], ((t)b)[i]);                                                \
        return (v128)r;                                                                                                \
    }                                                                                                                  \
    static inline v128 wasm_max_##t(v128 a, v128 b)                                                                    \
    {                                                                                                                  \
        t r = {0};                                                                                                     \
        FOR_LANES(lanes) r[i] = wasm_max_f##bits(((t)a)[i], ((t)b)[i]);                                                \
        return (v128)r;                                                                                                \
    }                                                                                                                  \
    static inline v128 wasm_pmin_##t(v128 a, v128 b)                                                                   \
    {                                                                                                                  \
        return SELECT((t)b < (t)a, b, a);                                                                              \
    }                                                                                                                  \
    static inline v128 wasm_pmax_##t(v128 a, v128 b)                                                                   \
    {                                                                                                                  \
        return SELECT((t)a < (t)b, b, a);                                                                              \
    }
FLOAT_UNARY(ceil, f32x4, 4, 32, ceilf)
FLOAT_UNARY(floor, f32x4, 4, 32, floorf)
FLOAT_UNARY(trunc, f32x4, 4, 32, truncf)
FLOAT_UNARY(nearest, f32x4, 4, 32, rintf)
FLOAT_UNARY(sqrt, f32x4, 4, 32, sqrtf)
FLOAT_UNARY(ceil, f64x2, 2, 64, ceil)
FLOAT_UNARY(floor, f64x2, 2, 64, floor)
FLOAT_UNARY(trunc, f64x2, 2, 64, trunc)
FLOAT_UNARY(nearest, f64x2, 2, 64, rint)
FLOAT_UNARY(sqrt, f64x2, 2, 64, sqrt)
FLOAT_BINARY(f32x4, 4, 32)
FLOAT_BINARY(f64x2, 2, 64)

static inline v128 wasm_f32x4_demote(v128 a)
{
    f64x2 d = (f64x2)a;
    return wasm_canonical_f32x4((f32x4){(float)d[0], (float)d[1], 0, 0});
}

static inline v128 wasm_f64x2_promote(v128 a)
{
    f32x4 f = (f32x4)a;
    return wasm_canonical_f64x2((f64x2){(double)f[0], (double)f[1]});
}

#define TRUNC_SAT_F32(sign)                                                                                            \
    static inline v128 wasm_i32x4_trunc_sat_f32x4_##sign(v128 a)                                                       \
    {                                                                                                                  \
        u32x4 r = {0};                                                                                                 \
        FOR_LANES(4) r[i] = wasm_sat_i32_f32_##sign(((f32x4)a)[i]);                                                    \
        return (v128)r;                                                                                                \
    }
TRUNC_SAT_F32(s)
TRUNC_SAT_F32(u)

#define LOW_PAIR(sign, to_int)                                                                                         \
    static inline v128 wasm_i32x4_trunc_sat_f64x2_##sign##_zero(v128 a)                                                \
    {                                                                                                                  \
        f64x2 d = (f64x2)a;                                                                                            \
        return (v128)(u32x4){wasm_sat_i32_f64_##sign(d[0]), wasm_sat_i32_f64_##sign(d[1]), 0, 0};                      \
    }                                                                                                                  \
    static inline v128 wasm_f64x2_convert_low_i32x4_##sign(v128 a)                                                     \
    {                                                                                                                  \
        return (v128)(f64x2){(double)((to_int)a)[0], (double)((to_int)a)[1]};                                          \
    }
LOW_PAIR(s, i32x4)
LOW_PAIR(u, u32x4)

#undef FOR_LANES
#undef SELECT
#undef INTEGER_OPS
#undef MIN_MAX
#undef LANEWISE
#undef NARROW
#undef EXTEND
#undef EXTADD
#undef FLOAT_UNARY
#undef FLOAT_BINARY
#undef TRUNC_SAT_F32
#undef LOW_PAIR

#endif
