/* Vectors, core §4.3.6. Where a CPU has one instruction that LLVM does not find by itself, its intrinsic is used; every
 * other target gets the same lanes from general operations. */
#include "wasm/native/emit.h"

static const LLVMIntPredicate int_predicates[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT, LLVMIntULT, LLVMIntSGT,
                                                  LLVMIntUGT, LLVMIntSLE, LLVMIntULE, LLVMIntSGE, LLVMIntUGE};
static const LLVMRealPredicate real_predicates[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                                    LLVMRealOGT, LLVMRealOLE, LLVMRealOGE};

static unsigned lane_count(native_shape s)
{
    static const uint8_t counts[] = {16, 8, 4, 2, 4, 2};
    return counts[s];
}

static native_nan nan_of(native_shape s)
{
    return s == F32X4 ? NAN_F32X4 : s == F64X2 ? NAN_F64X2 : EXACT;
}

static LLVMValueRef as(native_unit *u, LLVMValueRef v, native_shape s)
{
    return LLVMBuildBitCast(u->b, v, u->vec[s], "");
}

/* As lanes of a shape: arithmetic of the same lanes takes NaNs as they are, everything else sees bits. */
static LLVMValueRef pop_as(native_function *f, native_shape s)
{
    native_value v = native_pop(f);
    if (v.nan != nan_of(s)) v.v = native_exact(f, v);
    return as(f->u, v.v, s);
}

static void push_vector(native_function *f, LLVMValueRef v)
{
    native_push(f, LLVMBuildBitCast(f->u->b, v, f->u->v128, ""));
}

static void push_real(native_function *f, LLVMValueRef v, native_shape s)
{
    native_push_nan(f, LLVMBuildBitCast(f->u->b, v, f->u->v128, ""), nan_of(s));
}

static LLVMValueRef splat(native_unit *u, native_shape s, uint64_t value)
{
    LLVMTypeRef lanes[] = {u->i8, u->i16, u->i32, u->i64};
    LLVMValueRef list[16];
    for (unsigned i = 0; i < lane_count(s); i++)
        list[i] = LLVMConstInt(lanes[s], value, 0);
    return LLVMConstVector(list, lane_count(s));
}

static LLVMValueRef splat_value(native_unit *u, LLVMValueRef v, native_shape s)
{
    LLVMTypeRef type = u->vec[s];
    v = LLVMBuildInsertElement(u->b, LLVMGetPoison(type), v, native_i32(u, 0), "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(u->i32, lane_count(s)));
    return LLVMBuildShuffleVector(u->b, v, LLVMGetPoison(type), mask, "");
}

/* Lanes first, first + step, … of `a`, then of `b`. */
static LLVMValueRef pick(native_unit *u, LLVMValueRef a, LLVMValueRef b, unsigned first, unsigned step, unsigned count)
{
    LLVMValueRef mask[16];
    for (unsigned i = 0; i < count; i++)
        mask[i] = native_i32(u, first + i * step);
    return LLVMBuildShuffleVector(u->b, a, b, LLVMConstVector(mask, count), "");
}

static LLVMValueRef call1(native_unit *u, const char *name, LLVMValueRef a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return native_intrinsic(u, name, &type, 1, &a, 1);
}

static LLVMValueRef call2(native_unit *u, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef args[] = {a, b};
    return native_intrinsic(u, name, &type, 1, args, 2);
}

/* An intrinsic of one CPU: not overloaded. */
static LLVMValueRef special2(native_unit *u, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[] = {a, b};
    return native_intrinsic(u, name, NULL, 0, args, 2);
}

/* ---- widening ---- */

static LLVMTypeRef half_type(native_unit *u, native_shape s)
{
    return LLVMVectorType(LLVMGetElementType(u->vec[s]), lane_count(s) / 2);
}

/* One half of the lanes, each twice as wide: of shape s + 1. */
static LLVMValueRef extend(native_unit *u, LLVMValueRef v, native_shape s, bool high, bool is_signed)
{
    v = pick(u, v, LLVMGetPoison(u->vec[s]), high ? lane_count(s) / 2 : 0, 1, lane_count(s) / 2);
    LLVMTypeRef to = u->vec[s + 1];
    return is_signed ? LLVMBuildSExt(u->b, v, to, "") : LLVMBuildZExt(u->b, v, to, "");
}

static LLVMValueRef widen_all(native_unit *u, LLVMValueRef v, bool is_signed)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    LLVMTypeRef wide = LLVMVectorType(LLVMIntTypeInContext(u->c, 2 * LLVMGetIntTypeWidth(LLVMGetElementType(type))),
                                      LLVMGetVectorSize(type));
    return is_signed ? LLVMBuildSExt(u->b, v, wide, "") : LLVMBuildZExt(u->b, v, wide, "");
}

static LLVMValueRef dot_i16x8(native_unit *u, LLVMValueRef a, LLVMValueRef b)
{
    if (u->x86) return special2(u, "llvm.x86.sse2.pmadd.wd", a, b);
    LLVMValueRef p = native_binary(u, LLVMMul, widen_all(u, a, true), widen_all(u, b, true));
    LLVMValueRef none = LLVMGetPoison(LLVMTypeOf(p));
    return native_binary(u, LLVMAdd, pick(u, p, none, 0, 2, 4), pick(u, p, none, 1, 2, 4));
}

static LLVMValueRef extadd(native_unit *u, LLVMValueRef v, native_shape s, bool is_signed)
{
    if (u->x86 && s == I16X8 && is_signed) return dot_i16x8(u, v, splat(u, I16X8, 1));
    if (u->x86 && s == I8X16)
        return is_signed ? special2(u, "llvm.x86.ssse3.pmadd.ub.sw.128", splat(u, I8X16, 1), v)
                         : special2(u, "llvm.x86.ssse3.pmadd.ub.sw.128", v, splat(u, I8X16, 1));
    LLVMValueRef none = LLVMGetPoison(u->vec[s]);
    const unsigned n = lane_count(s) / 2;
    LLVMValueRef even = pick(u, v, none, 0, 2, n), odd = pick(u, v, none, 1, 2, n);
    return native_binary(u, LLVMAdd, widen_all(u, even, is_signed), widen_all(u, odd, is_signed));
}

/* ---- narrowing, saturation ---- */

static LLVMValueRef clamp(native_unit *u, LLVMValueRef v, int64_t least, int64_t most)
{
    LLVMTypeRef type = LLVMTypeOf(v), lane = LLVMGetElementType(type);
    LLVMValueRef low[16], high[16];
    const unsigned n = LLVMGetVectorSize(type);
    for (unsigned i = 0; i < n; i++) {
        low[i] = LLVMConstInt(lane, (uint64_t)least, 1);
        high[i] = LLVMConstInt(lane, (uint64_t)most, 1);
    }
    v = call2(u, "llvm.smax", v, LLVMConstVector(low, n));
    return call2(u, "llvm.smin", v, LLVMConstVector(high, n));
}

static LLVMValueRef narrow(native_unit *u, LLVMValueRef a, LLVMValueRef b, native_shape from, bool is_signed)
{
    static const char *const packs[2][2] = {{"llvm.x86.sse2.packuswb.128", "llvm.x86.sse2.packsswb.128"},
                                            {"llvm.x86.sse41.packusdw", "llvm.x86.sse2.packssdw.128"}};
    if (u->x86) return special2(u, packs[from == I32X4][is_signed], a, b);
    const int64_t top = from == I16X8 ? 128 : 32768;
    LLVMValueRef both = pick(u, a, b, 0, 1, 2 * lane_count(from));
    both = is_signed ? clamp(u, both, -top, top - 1) : clamp(u, both, 0, 2 * top - 1);
    return LLVMBuildTrunc(u->b, both, u->vec[from - 1], "");
}

static LLVMValueRef q15mulr(native_unit *u, LLVMValueRef a, LLVMValueRef b)
{
    if (!u->x86) return call2(u, "llvm.aarch64.neon.sqrdmulh", a, b);
    /* pmulhrsw gives -32768 for -32768 squared, and for nothing else */
    LLVMValueRef r = special2(u, "llvm.x86.ssse3.pmul.hr.sw.128", a, b);
    LLVMValueRef wrong = LLVMBuildICmp(u->b, LLVMIntEQ, r, splat(u, I16X8, 0x8000), "");
    return LLVMBuildXor(u->b, r, LLVMBuildSExt(u->b, wrong, u->vec[I16X8], ""), "");
}

static LLVMValueRef average(native_unit *u, LLVMValueRef a, LLVMValueRef b, native_shape s)
{
    LLVMValueRef sum = native_binary(u, LLVMAdd, widen_all(u, a, false), widen_all(u, b, false));
    LLVMTypeRef wide = LLVMTypeOf(sum);
    LLVMValueRef ones[16];
    for (unsigned i = 0; i < lane_count(s); i++)
        ones[i] = LLVMConstInt(LLVMGetElementType(wide), 1, 0);
    LLVMValueRef one = LLVMConstVector(ones, lane_count(s));
    sum = native_binary(u, LLVMLShr, native_binary(u, LLVMAdd, sum, one), one);
    return LLVMBuildTrunc(u->b, sum, u->vec[s], "");
}

/* ---- integer lanes ---- */

static void emit_all_true(native_function *f, native_shape s)
{
    native_unit *u = f->u;
    LLVMValueRef v = pop_as(f, s);
    LLVMValueRef zero = LLVMBuildICmp(u->b, LLVMIntEQ, v, LLVMConstNull(u->vec[s]), "");
    LLVMTypeRef bits = LLVMIntTypeInContext(u->c, lane_count(s));
    LLVMValueRef any = LLVMBuildBitCast(u->b, zero, bits, "");
    any = LLVMBuildICmp(u->b, LLVMIntEQ, any, LLVMConstNull(bits), "");
    native_push(f, native_zext(u, any, u->i32));
}

static void emit_bitmask(native_function *f, native_shape s)
{
    native_unit *u = f->u;
    LLVMValueRef v = LLVMBuildICmp(u->b, LLVMIntSLT, pop_as(f, s), LLVMConstNull(u->vec[s]), "");
    v = LLVMBuildBitCast(u->b, v, LLVMIntTypeInContext(u->c, lane_count(s)), "");
    native_push(f, native_zext(u, v, u->i32));
}

static void emit_shift(native_function *f, native_shape s, LLVMOpcode op)
{
    native_unit *u = f->u;
    LLVMTypeRef lane = LLVMGetElementType(u->vec[s]);
    LLVMValueRef amount = native_pop_any(f);
    amount = LLVMBuildAnd(u->b, amount, native_i32(u, LLVMGetIntTypeWidth(lane) - 1), "");
    amount = s == I64X2 ? native_zext(u, amount, lane) : s == I32X4 ? amount : LLVMBuildTrunc(u->b, amount, lane, "");
    LLVMValueRef v = pop_as(f, s);
    push_vector(f, native_binary(u, op, v, splat_value(u, amount, s)));
}

/* The four groups of integer instructions follow one order; n counts from abs. */
static bool emit_int_unary(native_function *f, native_shape s, unsigned n)
{
    native_unit *u = f->u;
    LLVMValueRef v;
    switch (n) {
    case 0: {
        LLVMValueRef args[] = {pop_as(f, s), LLVMConstNull(u->i1)};
        push_vector(f, native_intrinsic(u, "llvm.abs", &u->vec[s], 1, args, 2));
        return true;
    }
    case 1:
        push_vector(f, LLVMBuildNeg(u->b, pop_as(f, s), ""));
        return true;
    case 2:
        if (s != I8X16) return false;
        push_vector(f, call1(u, "llvm.ctpop", pop_as(f, s)));
        return true;
    case 3:
        emit_all_true(f, s);
        return true;
    case 4:
        emit_bitmask(f, s);
        return true;
    case 7:
    case 8:
    case 9:
    case 10:
        if (s == I8X16) return false;
        v = pop_as(f, s - 1);
        push_vector(f, extend(u, v, s - 1, n == 8 || n == 10, n < 9));
        return true;
    case 11:
    case 12:
    case 13:
        emit_shift(f, s, n == 11 ? LLVMShl : n == 12 ? LLVMAShr : LLVMLShr);
        return true;
    default:
        return false;
    }
}

static LLVMValueRef int_binary(native_unit *u, native_shape s, unsigned n, LLVMValueRef a, LLVMValueRef b)
{
    static const char *const names[] = {
        [15] = "llvm.sadd.sat", [16] = "llvm.uadd.sat", [18] = "llvm.ssub.sat", [19] = "llvm.usub.sat",
        [22] = "llvm.smin",     [23] = "llvm.umin",     [24] = "llvm.smax",     [25] = "llvm.umax"};
    switch (n) {
    case 14:
        return native_binary(u, LLVMAdd, a, b);
    case 17:
        return native_binary(u, LLVMSub, a, b);
    case 21:
        return native_binary(u, LLVMMul, a, b);
    case 27:
        return average(u, a, b, s);
    default:
        return call2(u, names[n], a, b);
    }
}

static bool is_int_binary(native_shape s, unsigned n)
{
    const bool narrow_lanes = s == I8X16 || s == I16X8;
    if (n == 14 || n == 17) return true;
    if (n == 21) return s != I8X16;
    if (n == 15 || n == 16 || n == 18 || n == 19 || n == 27) return narrow_lanes;
    return n >= 22 && n <= 25 && s != I64X2;
}

static bool emit_int_group(native_function *f, native_shape s, unsigned n)
{
    native_unit *u = f->u;
    LLVMValueRef a, b;
    if (is_int_binary(s, n)) {
        b = pop_as(f, s), a = pop_as(f, s);
        push_vector(f, int_binary(u, s, n, a, b));
        return true;
    }
    if ((n == 5 || n == 6) && (s == I8X16 || s == I16X8)) {
        b = pop_as(f, s + 1), a = pop_as(f, s + 1);
        push_vector(f, narrow(u, a, b, s + 1, n == 5));
        return true;
    }
    if (n >= 28 && s != I8X16) { /* extmul */
        b = pop_as(f, s - 1), a = pop_as(f, s - 1);
        const bool high = n & 1, is_signed = n < 30;
        a = extend(u, a, s - 1, high, is_signed);
        push_vector(f, native_binary(u, LLVMMul, a, extend(u, b, s - 1, high, is_signed)));
        return true;
    }
    return emit_int_unary(f, s, n);
}

static void emit_int_compare(native_function *f, native_shape s, LLVMIntPredicate predicate)
{
    native_unit *u = f->u;
    LLVMValueRef b = pop_as(f, s), a = pop_as(f, s);
    push_vector(f, LLVMBuildSExt(u->b, LLVMBuildICmp(u->b, predicate, a, b, ""), u->vec[s], ""));
}

/* ---- floating-point lanes ---- */

static void emit_real_compare(native_function *f, native_shape s, LLVMRealPredicate predicate)
{
    native_unit *u = f->u;
    LLVMValueRef b = pop_as(f, s), a = pop_as(f, s);
    LLVMTypeRef to = u->vec[s == F32X4 ? I32X4 : I64X2];
    push_vector(f, LLVMBuildSExt(u->b, LLVMBuildFCmp(u->b, predicate, a, b, ""), to, ""));
}

/* b < a ? b : a, the operand as it is */
static void emit_pseudo(native_function *f, native_shape s, bool is_min)
{
    native_unit *u = f->u;
    native_value b = native_pop(f), a = native_pop(f);
    native_nan nan = native_join(f, &a, &b);
    if (nan != EXACT && nan != nan_of(s)) {
        a.v = native_exact(f, a);
        b.v = native_exact(f, b);
        nan = EXACT;
    }
    LLVMValueRef x = as(u, a.v, s), y = as(u, b.v, s);
    LLVMValueRef less =
        is_min ? LLVMBuildFCmp(u->b, LLVMRealOLT, y, x, "") : LLVMBuildFCmp(u->b, LLVMRealOLT, x, y, "");
    LLVMValueRef r = LLVMBuildSelect(u->b, less, y, x, "");
    native_push_nan(f, LLVMBuildBitCast(u->b, r, u->v128, ""), nan);
}

/* n counts from abs */
static bool emit_real_group(native_function *f, native_shape s, unsigned n)
{
    static const LLVMOpcode opcodes[] = {LLVMFAdd, LLVMFSub, LLVMFMul, LLVMFDiv};
    native_unit *u = f->u;
    LLVMValueRef a, b;
    if (n < 2) {
        a = as(u, native_pop_exact(f), s);
        push_vector(f, n == 0 ? call1(u, "llvm.fabs", a) : LLVMBuildFNeg(u->b, a, ""));
        return true;
    }
    if (n == 3) {
        push_real(f, call1(u, "llvm.sqrt", pop_as(f, s)), s);
        return true;
    }
    if (n >= 10) {
        emit_pseudo(f, s, n == 10);
        return true;
    }
    if (n < 4) return false;
    b = pop_as(f, s), a = pop_as(f, s);
    if (n < 8)
        push_real(f, native_binary(u, opcodes[n - 4], a, b), s);
    else
        push_real(f, native_min_max(u, n == 8, a, b), s);
    return true;
}

static void emit_rounding(native_function *f, native_shape s, const char *name)
{
    push_real(f, call1(f->u, name, pop_as(f, s)), s);
}

/* ---- conversions ---- */

/* cvttps2dq gives 0x80000000 for all that does not fit: right for what is too small, the complement of it for what is
 * too large; NaNs are zeroed first. */
static LLVMValueRef saturate_f32x4_x86(native_unit *u, LLVMValueRef a)
{
    LLVMValueRef number = LLVMBuildFCmp(u->b, LLVMRealOEQ, a, a, "");
    a = LLVMBuildSelect(u->b, number, a, LLVMConstNull(u->vec[F32X4]), "");
    LLVMValueRef r = native_intrinsic(u, "llvm.x86.sse2.cvttps2dq", NULL, 0, &a, 1);
    LLVMValueRef bound = LLVMConstReal(u->f32, 2147483648.0), bounds[] = {bound, bound, bound, bound};
    LLVMValueRef large = LLVMBuildFCmp(u->b, LLVMRealOGE, a, LLVMConstVector(bounds, 4), "");
    return LLVMBuildXor(u->b, r, LLVMBuildSExt(u->b, large, u->vec[I32X4], ""), "");
}

static void emit_saturate(native_function *f, native_shape from, bool is_signed)
{
    native_unit *u = f->u;
    LLVMValueRef a = pop_as(f, from), r;
    if (u->x86 && from == F32X4 && is_signed) {
        push_vector(f, saturate_f32x4_x86(u, a));
        return;
    }
    LLVMTypeRef types[] = {from == F32X4 ? u->vec[I32X4] : half_type(u, I32X4), u->vec[from]};
    r = native_intrinsic(u, is_signed ? "llvm.fptosi.sat" : "llvm.fptoui.sat", types, 2, &a, 1);
    if (from == F64X2) r = pick(u, r, LLVMConstNull(types[0]), 0, 1, 4);
    push_vector(f, r);
}

static bool emit_conversion(native_function *f, uint32_t code)
{
    native_unit *u = f->u;
    LLVMValueRef a;
    switch (code) {
    case 0x5e:
        a = LLVMBuildFPTrunc(u->b, pop_as(f, F64X2), half_type(u, F32X4), "");
        push_real(f, pick(u, a, LLVMConstNull(half_type(u, F32X4)), 0, 1, 4), F32X4);
        return true;
    case 0x5f:
        a = pick(u, pop_as(f, F32X4), LLVMGetPoison(u->vec[F32X4]), 0, 1, 2);
        push_real(f, LLVMBuildFPExt(u->b, a, u->vec[F64X2], ""), F64X2);
        return true;
    case 0xf8:
    case 0xf9:
        emit_saturate(f, F32X4, code == 0xf8);
        return true;
    case 0xfa:
        push_vector(f, LLVMBuildSIToFP(u->b, pop_as(f, I32X4), u->vec[F32X4], ""));
        return true;
    case 0xfb:
        push_vector(f, LLVMBuildUIToFP(u->b, pop_as(f, I32X4), u->vec[F32X4], ""));
        return true;
    case 0xfc:
    case 0xfd:
        emit_saturate(f, F64X2, code == 0xfc);
        return true;
    case 0xfe:
    case 0xff:
        a = pick(u, pop_as(f, I32X4), LLVMGetPoison(u->vec[I32X4]), 0, 1, 2);
        push_vector(f, code == 0xfe ? LLVMBuildSIToFP(u->b, a, u->vec[F64X2], "")
                                    : LLVMBuildUIToFP(u->b, a, u->vec[F64X2], ""));
        return true;
    default:
        return false;
    }
}

/* ---- lanes as values ---- */

static void emit_splat(native_function *f, native_shape s)
{
    native_unit *u = f->u;
    native_value v = native_pop(f); /* a NaN of arithmetic stays one of its lanes */
    native_nan nan = v.nan == NAN_F32 ? NAN_F32X4 : v.nan == NAN_F64 ? NAN_F64X2 : EXACT;
    if (s < I32X4) v.v = LLVMBuildTrunc(u->b, v.v, LLVMGetElementType(u->vec[s]), "");
    native_push_nan(f, LLVMBuildBitCast(u->b, splat_value(u, v.v, s), u->v128, ""), nan);
}

/* 0x15 … 0x22 */
static const struct lane_op {
    uint8_t shape;
    char kind; /* s, u: extract with extension; e: extract; r: replace */
} lane_ops[] = {{I8X16, 's'}, {I8X16, 'u'}, {I8X16, 'r'}, {I16X8, 's'}, {I16X8, 'u'}, {I16X8, 'r'}, {I32X4, 'e'},
                {I32X4, 'r'}, {I64X2, 'e'}, {I64X2, 'r'}, {F32X4, 'e'}, {F32X4, 'r'}, {F64X2, 'e'}, {F64X2, 'r'}};

static void emit_extract(native_function *f, native_shape s, char kind, unsigned lane)
{
    native_unit *u = f->u;
    native_value whole = native_pop(f);
    const bool keeps = whole.nan != EXACT && whole.nan == nan_of(s);
    LLVMValueRef v = as(u, keeps ? whole.v : native_exact(f, whole), s);
    v = LLVMBuildExtractElement(u->b, v, native_i32(u, lane), "");
    if (kind == 's') v = LLVMBuildSExt(u->b, v, u->i32, "");
    if (kind == 'u') v = native_zext(u, v, u->i32);
    native_push_nan(f, v, !keeps ? EXACT : s == F32X4 ? NAN_F32 : NAN_F64);
}

static void emit_replace(native_function *f, native_shape s, unsigned lane)
{
    native_unit *u = f->u;
    native_value v = native_pop(f), whole = native_pop(f);
    const native_nan of_lane = s == F32X4 ? NAN_F32 : NAN_F64;
    const bool keeps = whole.nan != EXACT && whole.nan == nan_of(s) && v.nan == of_lane;
    LLVMValueRef x = keeps ? v.v : native_exact(f, v);
    LLVMValueRef r = as(u, keeps ? whole.v : native_exact(f, whole), s);
    if (s < I32X4) x = LLVMBuildTrunc(u->b, x, LLVMGetElementType(u->vec[s]), "");
    r = LLVMBuildInsertElement(u->b, r, x, native_i32(u, lane), "");
    native_push_nan(f, LLVMBuildBitCast(u->b, r, u->v128, ""), keeps ? whole.nan : EXACT);
}

/* Does a shuffle of bytes move whole lanes? */
static bool keeps_lanes(const uint8_t *bytes, unsigned size)
{
    for (unsigned i = 0; i < 16; i++)
        if (bytes[i] % size != i % size || (i % size && bytes[i] != bytes[i - 1] + 1)) return false;
    return true;
}

static void emit_shuffle(native_function *f, const uint8_t *bytes)
{
    native_unit *u = f->u;
    native_value b = native_pop(f), a = native_pop(f);
    native_nan nan = native_join(f, &a, &b);
    if (nan != EXACT && !keeps_lanes(bytes, nan == NAN_F32X4 ? 4 : 8)) {
        a.v = native_exact(f, a);
        b.v = native_exact(f, b);
        nan = EXACT;
    }
    LLVMValueRef mask[16];
    for (unsigned i = 0; i < 16; i++)
        mask[i] = native_i32(u, bytes[i]);
    LLVMValueRef r = LLVMBuildShuffleVector(u->b, as(u, a.v, I8X16), as(u, b.v, I8X16), LLVMConstVector(mask, 16), "");
    native_push_nan(f, LLVMBuildBitCast(u->b, r, u->v128, ""), nan);
}

static void emit_swizzle(native_function *f)
{
    native_unit *u = f->u;
    LLVMValueRef b = pop_as(f, I8X16), a = pop_as(f, I8X16);
    if (!u->x86) {
        LLVMValueRef args[] = {a, b};
        push_vector(f, native_intrinsic(u, "llvm.aarch64.neon.tbl1", &u->vec[I8X16], 1, args, 2));
        return;
    }
    /* pshufb gives 0 where bit 7 is set: 16 and above get it */
    b = call2(u, "llvm.uadd.sat", b, splat(u, I8X16, 0x70));
    push_vector(f, special2(u, "llvm.x86.ssse3.pshuf.b.128", a, b));
}

static void emit_constant(native_function *f, const uint8_t *bytes)
{
    native_unit *u = f->u;
    LLVMValueRef words[2];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t word = 0;
        for (unsigned k = 8; k-- > 0;)
            word = word << 8 | bytes[8 * i + k];
        words[i] = native_i64(u, word);
    }
    native_push(f, LLVMConstVector(words, 2));
}

/* ---- bits ---- */

static void emit_bits(native_function *f, uint32_t code)
{
    native_unit *u = f->u;
    LLVMValueRef c = code == 0x52 ? native_pop_exact(f) : NULL, b = code > 0x4d ? native_pop_exact(f) : NULL;
    LLVMValueRef a = native_pop_exact(f), r = NULL;
    switch (code) {
    case 0x4d:
        r = LLVMBuildNot(u->b, a, "");
        break;
    case 0x4e:
        r = LLVMBuildAnd(u->b, a, b, "");
        break;
    case 0x4f:
        r = LLVMBuildAnd(u->b, a, LLVMBuildNot(u->b, b, ""), "");
        break;
    case 0x50:
        r = LLVMBuildOr(u->b, a, b, "");
        break;
    case 0x51:
        r = LLVMBuildXor(u->b, a, b, "");
        break;
    default: /* bitselect */
        r = LLVMBuildOr(u->b, LLVMBuildAnd(u->b, a, c, ""), LLVMBuildAnd(u->b, b, LLVMBuildNot(u->b, c, ""), ""), "");
        break;
    }
    native_push(f, r);
}

static void emit_any_true(native_function *f)
{
    native_unit *u = f->u;
    LLVMTypeRef wide = LLVMIntTypeInContext(u->c, 128);
    LLVMValueRef v = LLVMBuildBitCast(u->b, native_pop_exact(f), wide, "");
    native_push(f, native_zext(u, LLVMBuildICmp(u->b, LLVMIntNE, v, LLVMConstNull(wide), ""), u->i32));
}

/* ---- by opcode ---- */

static bool emit_low(native_function *f, const wasm_instr *i, uint32_t c)
{
    static const uint8_t splats[] = {I8X16, I16X8, I32X4, I64X2, F32X4, F64X2};
    if (c == 0x0c) {
        emit_constant(f, i->bytes);
    } else if (c == 0x0d) {
        emit_shuffle(f, i->bytes);
    } else if (c == 0x0e) {
        emit_swizzle(f);
    } else if (c >= 0x0f && c <= 0x14) {
        emit_splat(f, splats[c - 0x0f]);
    } else if (c >= 0x15 && c <= 0x22) {
        const struct lane_op *op = &lane_ops[c - 0x15];
        if (op->kind == 'r')
            emit_replace(f, op->shape, i->lane);
        else
            emit_extract(f, op->shape, op->kind, i->lane);
    } else if (c >= 0x23 && c <= 0x40) {
        emit_int_compare(f, (c - 0x23) / 10, int_predicates[(c - 0x23) % 10]);
    } else if (c >= 0x41 && c <= 0x4c) {
        emit_real_compare(f, c < 0x47 ? F32X4 : F64X2, real_predicates[(c - 0x41) % 6]);
    } else if (c >= 0x4d && c <= 0x52) {
        emit_bits(f, c);
    } else if (c == 0x53) {
        emit_any_true(f);
    } else {
        return false;
    }
    return true;
}

/* Instructions that sit in holes of the groups. */
static bool emit_odd(native_function *f, uint32_t c)
{
    static const char *const rounding[] = {"llvm.ceil", "llvm.floor", "llvm.trunc", "llvm.roundeven"};
    native_unit *u = f->u;
    LLVMValueRef a, b;
    if (c >= 0x67 && c <= 0x6a) {
        emit_rounding(f, F32X4, rounding[c - 0x67]);
    } else if (c == 0x74 || c == 0x75 || c == 0x7a || c == 0x94) {
        emit_rounding(f, F64X2, rounding[c == 0x74 ? 0 : c == 0x75 ? 1 : c == 0x7a ? 2 : 3]);
    } else if (c >= 0x7c && c <= 0x7f) {
        native_shape s = c < 0x7e ? I8X16 : I16X8;
        push_vector(f, extadd(u, pop_as(f, s), s, !(c & 1)));
    } else if (c == 0x82) {
        b = pop_as(f, I16X8), a = pop_as(f, I16X8);
        push_vector(f, q15mulr(u, a, b));
    } else if (c == 0xba) {
        b = pop_as(f, I16X8), a = pop_as(f, I16X8);
        push_vector(f, dot_i16x8(u, a, b));
    } else if (c >= 0xd6 && c <= 0xdb) {
        static const uint8_t predicates[] = {0, 1, 2, 4, 6, 8};
        emit_int_compare(f, I64X2, int_predicates[predicates[c - 0xd6]]);
    } else {
        return false;
    }
    return true;
}

bool native_emit_vector(native_function *f, const wasm_instr *i)
{
    if (i->code < 0xfd000 || i->code > 0xfd0ff) return false;
    const uint32_t c = i->code & 0xff;
    if (emit_low(f, i, c) || emit_odd(f, c) || emit_conversion(f, c)) return true;
    if (c >= 0x60 && c < 0xe0) return emit_int_group(f, (c - 0x60) / 0x20, c & 0x1f);
    if (c >= 0xe0 && c < 0xec) return emit_real_group(f, F32X4, c - 0xe0);
    if (c >= 0xec && c < 0xf8) return emit_real_group(f, F64X2, c - 0xec);
    return false;
}

/* ---- relaxed, with the one deterministic result ---- */

static LLVMValueRef pair_dot(native_unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef p = native_binary(u, LLVMMul, widen_all(u, a, true), widen_all(u, b, true));
    LLVMValueRef none = LLVMGetPoison(LLVMTypeOf(p));
    return call2(u, "llvm.sadd.sat", pick(u, p, none, 0, 2, 8), pick(u, p, none, 1, 2, 8));
}

static void emit_madd(native_function *f, native_shape s, bool negate)
{
    native_unit *u = f->u;
    LLVMValueRef c = pop_as(f, s), b = pop_as(f, s), a = pop_as(f, s);
    if (negate) a = LLVMBuildFNeg(u->b, a, "");
    push_real(f, native_binary(u, LLVMFAdd, native_binary(u, LLVMFMul, a, b), c), s);
}

static void emit_relaxed_dot(native_function *f, bool add)
{
    native_unit *u = f->u;
    LLVMValueRef c = add ? pop_as(f, I32X4) : NULL, b = pop_as(f, I8X16), a = pop_as(f, I8X16);
    LLVMValueRef r = pair_dot(u, a, b);
    if (add) r = native_binary(u, LLVMAdd, extadd(u, r, I16X8, true), c);
    push_vector(f, r);
}

bool native_emit_relaxed(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef a, b;
    if (i->code < 0xfd100 || i->code > 0xfd113) return false;
    const uint32_t c = i->code & 0x1f;
    if (c == 0) {
        emit_swizzle(f);
    } else if (c <= 4) {
        emit_saturate(f, c < 3 ? F32X4 : F64X2, c & 1);
    } else if (c <= 8) {
        emit_madd(f, c < 7 ? F32X4 : F64X2, !(c & 1));
    } else if (c <= 12) {
        emit_bits(f, 0x52);
    } else if (c <= 16) {
        native_shape s = c < 15 ? F32X4 : F64X2;
        b = pop_as(f, s), a = pop_as(f, s);
        push_real(f, native_min_max(u, c & 1, a, b), s);
    } else if (c == 17) {
        b = pop_as(f, I16X8), a = pop_as(f, I16X8);
        push_vector(f, q15mulr(u, a, b));
    } else {
        emit_relaxed_dot(f, c == 19);
    }
    return true;
}
