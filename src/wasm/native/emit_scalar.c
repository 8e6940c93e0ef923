/* Scalar numbers, core §4.3.2 and §4.3.3. What LLVM leaves undefined (shifts too far, INT_MIN / -1, conversions out of
 * range) never reaches it: amounts are masked, operands checked or replaced first. */
#include "wasm/native/emit.h"

static const LLVMIntPredicate int_predicates[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT, LLVMIntULT, LLVMIntSGT,
                                                  LLVMIntUGT, LLVMIntSLE, LLVMIntULE, LLVMIntSGE, LLVMIntUGE};
static const LLVMRealPredicate real_predicates[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                                    LLVMRealOGT, LLVMRealOLE, LLVMRealOGE};

static void push_bit(native_function *f, LLVMValueRef bit)
{
    native_push(f, native_zext(f->u, bit, f->u->i32));
}

static void emit_int_compare(native_function *f, unsigned n)
{
    LLVMValueRef b = native_pop_any(f), a = native_pop_any(f);
    push_bit(f, LLVMBuildICmp(f->u->b, int_predicates[n], a, b, ""));
}

static void emit_real_compare(native_function *f, unsigned n)
{
    LLVMValueRef b = native_pop_any(f), a = native_pop_any(f);
    push_bit(f, LLVMBuildFCmp(f->u->b, real_predicates[n], a, b, ""));
}

static void emit_eqz(native_function *f)
{
    LLVMValueRef a = native_pop_any(f);
    push_bit(f, LLVMBuildICmp(f->u->b, LLVMIntEQ, a, LLVMConstNull(LLVMTypeOf(a)), ""));
}

/* ---- integers ---- */

static void emit_count_bits(native_function *f, unsigned n)
{
    static const char *const names[] = {"llvm.ctlz", "llvm.cttz", "llvm.ctpop"};
    native_unit *u = f->u;
    LLVMValueRef args[] = {native_pop_any(f), LLVMConstNull(u->i1)}; /* of 0: the width */
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    native_push(f, native_intrinsic(u, names[n], &type, 1, args, n < 2 ? 2 : 1));
}

static LLVMValueRef divide(native_function *f, unsigned n, LLVMValueRef a, LLVMValueRef b)
{
    static const LLVMOpcode opcodes[] = {LLVMSDiv, LLVMUDiv, LLVMSRem, LLVMURem};
    native_unit *u = f->u;
    LLVMTypeRef type = LLVMTypeOf(a);
    const bool wide = type == u->i64;
    native_trap_if(f, LLVMBuildICmp(u->b, LLVMIntEQ, b, LLVMConstNull(type), ""), WASM_TRAP_DIVIDE);
    LLVMValueRef minus_one = LLVMConstAllOnes(type);
    LLVMValueRef is_minus_one = LLVMBuildICmp(u->b, LLVMIntEQ, b, minus_one, "");
    if (n == 0) {
        LLVMValueRef least = LLVMConstInt(type, wide ? 1ull << 63 : 1ull << 31, 0);
        LLVMValueRef is_least = LLVMBuildICmp(u->b, LLVMIntEQ, a, least, "");
        native_trap_if(f, LLVMBuildAnd(u->b, is_least, is_minus_one, ""), WASM_TRAP_OVERFLOW);
    }
    if (n == 2) b = LLVMBuildSelect(u->b, is_minus_one, LLVMConstInt(type, 1, 0), b, ""); /* a % 1 is 0 as well */
    return native_binary(u, opcodes[n], a, b);
}

static LLVMValueRef rotate(native_function *f, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[] = {a, a, b};
    LLVMTypeRef type = LLVMTypeOf(a);
    return native_intrinsic(f->u, name, &type, 1, args, 3); /* takes the amount modulo the width */
}

/* n counts from add */
static void emit_int_binary(native_function *f, unsigned n)
{
    static const LLVMOpcode opcodes[] = {LLVMAdd, LLVMSub, LLVMMul, 0,       0,        0,       0,
                                         LLVMAnd, LLVMOr,  LLVMXor, LLVMShl, LLVMAShr, LLVMLShr};
    native_unit *u = f->u;
    LLVMValueRef b = native_pop_any(f), a = native_pop_any(f);
    LLVMTypeRef type = LLVMTypeOf(a);
    if (n >= 3 && n <= 6) {
        native_push(f, divide(f, n - 3, a, b));
    } else if (n >= 13) {
        native_push(f, rotate(f, n == 13 ? "llvm.fshl" : "llvm.fshr", a, b));
    } else {
        if (n >= 10) b = LLVMBuildAnd(u->b, b, LLVMConstInt(type, type == u->i64 ? 63 : 31, 0), "");
        native_push(f, native_binary(u, opcodes[n], a, b));
    }
}

static void emit_sign_extend(native_function *f, LLVMTypeRef narrow)
{
    LLVMValueRef a = native_pop_any(f);
    LLVMTypeRef type = LLVMTypeOf(a);
    native_push(f, LLVMBuildSExt(f->u->b, LLVMBuildTrunc(f->u->b, a, narrow, ""), type, ""));
}

/* ---- floating point ---- */

static const char *const rounding[] = {"llvm.ceil", "llvm.floor", "llvm.trunc", "llvm.roundeven", "llvm.sqrt"};

/* n counts from abs */
static void emit_real_unary(native_function *f, unsigned n, native_nan nan)
{
    native_unit *u = f->u;
    LLVMValueRef a = n < 2 ? native_pop_exact(f) : native_pop_any(f);
    LLVMTypeRef type = LLVMTypeOf(a);
    if (n == 0)
        native_push(f, native_intrinsic(u, "llvm.fabs", &type, 1, &a, 1));
    else if (n == 1)
        native_push(f, LLVMBuildFNeg(u->b, a, ""));
    else
        native_push_nan(f, native_intrinsic(u, rounding[n - 2], &type, 1, &a, 1), nan);
}

static LLVMValueRef quiet_nan(native_unit *u, LLVMTypeRef type)
{
    if (type == u->f32) return LLVMConstBitCast(native_i32(u, 0x7fc00000), type);
    if (type == u->f64) return LLVMConstBitCast(native_i64(u, 0x7ff8000000000000), type);
    LLVMValueRef lane = quiet_nan(u, LLVMGetElementType(type)), lanes[] = {lane, lane, lane, lane};
    return LLVMConstVector(lanes, LLVMGetVectorSize(type));
}

/* LLVM 19, where it knows one operand to be a number and the CPU has vfpclass, takes a signaling NaN in the other for a
 * number: minimum(sNaN, 0) is 0. So it does with lanes that are all the same. The CPUs of that level get the NaN by a
 * comparison of ours. Constants are safe. */
LLVMValueRef native_min_max(native_unit *u, bool is_min, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef args[] = {a, b};
    LLVMValueRef r = native_intrinsic(u, is_min ? "llvm.minimum" : "llvm.maximum", &type, 1, args, 2);
    if (u->options->target != WASM_TARGET_X86_64_V4 || LLVMIsConstant(a) || LLVMIsConstant(b)) return r;
    return LLVMBuildSelect(u->b, LLVMBuildFCmp(u->b, LLVMRealUNO, a, b, ""), quiet_nan(u, type), r, "");
}

/* n counts from add */
static void emit_real_binary(native_function *f, unsigned n, native_nan nan)
{
    static const LLVMOpcode opcodes[] = {LLVMFAdd, LLVMFSub, LLVMFMul, LLVMFDiv};
    native_unit *u = f->u;
    LLVMValueRef args[2];
    args[1] = n == 6 ? native_pop_exact(f) : native_pop_any(f);
    args[0] = n == 6 ? native_pop_exact(f) : native_pop_any(f);
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    if (n == 6)
        native_push(f, native_intrinsic(u, "llvm.copysign", &type, 1, args, 2));
    else if (n >= 4)
        native_push_nan(f, native_min_max(u, n == 4, args[0], args[1]), nan);
    else
        native_push_nan(f, native_binary(u, opcodes[n], args[0], args[1]), nan);
}

/* ---- conversions ---- */

/* Traps unless the value lies between the limits, neither included: core §4.3.3 trunc. */
static void emit_checked_trunc(native_function *f, LLVMTypeRef to, bool is_signed, double low, double high)
{
    native_unit *u = f->u;
    LLVMValueRef a = native_pop_any(f);
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef above = LLVMBuildFCmp(u->b, LLVMRealOGT, a, LLVMConstReal(type, low), "");
    LLVMValueRef below = LLVMBuildFCmp(u->b, LLVMRealOLT, a, LLVMConstReal(type, high), "");
    LLVMBasicBlockRef outside = native_block(f), next = native_block(f);
    LLVMValueRef inside = LLVMBuildAnd(u->b, above, below, "");
    native_branch_unlikely(u, LLVMBuildNot(u->b, inside, ""), outside, next);
    native_go(u, outside);
    LLVMBuildCondBr(u->b, LLVMBuildFCmp(u->b, LLVMRealUNO, a, a, ""), native_trap_block(f, WASM_TRAP_TO_INTEGER),
                    native_trap_block(f, WASM_TRAP_OVERFLOW));
    native_go(u, next);
    native_push(f, is_signed ? LLVMBuildFPToSI(u->b, a, to, "") : LLVMBuildFPToUI(u->b, a, to, ""));
}

static void emit_trunc(native_function *f, uint32_t code)
{
    LLVMTypeRef to = code < 0xae ? f->u->i32 : f->u->i64;
    switch (code) {
    case 0xa8:
        emit_checked_trunc(f, to, true, -2147483904.0, 2147483648.0);
        break;
    case 0xaa:
        emit_checked_trunc(f, to, true, -2147483649.0, 2147483648.0);
        break;
    case 0xa9:
    case 0xab:
        emit_checked_trunc(f, to, false, -1.0, 4294967296.0);
        break;
    case 0xae:
        emit_checked_trunc(f, to, true, -9223373136366403584.0, 9223372036854775808.0);
        break;
    case 0xb0:
        emit_checked_trunc(f, to, true, -9223372036854777856.0, 9223372036854775808.0);
        break;
    default:
        emit_checked_trunc(f, to, false, -1.0, 18446744073709551616.0);
        break;
    }
}

/* n counts from i32.trunc_sat_f32_s */
static void emit_saturate(native_function *f, unsigned n)
{
    native_unit *u = f->u;
    LLVMValueRef a = native_pop_any(f);
    LLVMTypeRef types[] = {n < 4 ? u->i32 : u->i64, LLVMTypeOf(a)};
    native_push(f, native_intrinsic(u, n & 1 ? "llvm.fptoui.sat" : "llvm.fptosi.sat", types, 2, &a, 1));
}

static void emit_from_int(native_function *f, uint32_t code)
{
    native_unit *u = f->u;
    LLVMTypeRef to = code < 0xb7 ? u->f32 : u->f64;
    const bool is_unsigned = code == 0xb3 || code == 0xb5 || code == 0xb8 || code == 0xba;
    LLVMValueRef a = native_pop_any(f);
    native_push(f, is_unsigned ? LLVMBuildUIToFP(u->b, a, to, "") : LLVMBuildSIToFP(u->b, a, to, ""));
}

static void emit_conversion(native_function *f, uint32_t code)
{
    native_unit *u = f->u;
    switch (code) {
    case 0xa7: /* i32.wrap_i64 */
        native_push(f, LLVMBuildTrunc(u->b, native_pop_any(f), u->i32, ""));
        break;
    case 0xac: /* i64.extend_i32 */
        native_push(f, LLVMBuildSExt(u->b, native_pop_any(f), u->i64, ""));
        break;
    case 0xad:
        native_push(f, native_zext(u, native_pop_any(f), u->i64));
        break;
    case 0xb6: /* f32.demote_f64 */
        native_push_nan(f, LLVMBuildFPTrunc(u->b, native_pop_any(f), u->f32, ""), NAN_F32);
        break;
    case 0xbb: /* f64.promote_f32 */
        native_push_nan(f, LLVMBuildFPExt(u->b, native_pop_any(f), u->f64, ""), NAN_F64);
        break;
    case 0xbc: /* reinterpret */
        native_push(f, LLVMBuildBitCast(u->b, native_pop_exact(f), u->i32, ""));
        break;
    case 0xbd:
        native_push(f, LLVMBuildBitCast(u->b, native_pop_exact(f), u->i64, ""));
        break;
    case 0xbe:
        native_push(f, LLVMBuildBitCast(u->b, native_pop_any(f), u->f32, ""));
        break;
    case 0xbf:
        native_push(f, LLVMBuildBitCast(u->b, native_pop_any(f), u->f64, ""));
        break;
    default:
        if (code < 0xb2)
            emit_trunc(f, code);
        else
            emit_from_int(f, code);
        break;
    }
}

static void emit_constant(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    switch (i->code) {
    case 0x41:
        native_push(f, native_i32(u, (uint32_t)i->bits));
        break;
    case 0x42:
        native_push(f, native_i64(u, i->bits));
        break;
    case 0x43:
        native_push(f, LLVMConstBitCast(native_i32(u, (uint32_t)i->bits), u->f32));
        break;
    default:
        native_push(f, LLVMConstBitCast(native_i64(u, i->bits), u->f64));
        break;
    }
}

bool native_emit_scalar(native_function *f, const wasm_instr *i)
{
    const uint32_t c = i->code;
    native_unit *u = f->u;
    if (c >= 0x41 && c <= 0x44)
        emit_constant(f, i);
    else if (c == 0x45 || c == 0x50)
        emit_eqz(f);
    else if (c > 0x45 && c < 0x50)
        emit_int_compare(f, c - 0x46);
    else if (c > 0x50 && c < 0x5b)
        emit_int_compare(f, c - 0x51);
    else if (c >= 0x5b && c <= 0x66)
        emit_real_compare(f, c < 0x61 ? c - 0x5b : c - 0x61);
    else if ((c >= 0x67 && c <= 0x69) || (c >= 0x79 && c <= 0x7b))
        emit_count_bits(f, c < 0x79 ? c - 0x67 : c - 0x79);
    else if (c >= 0x6a && c <= 0x8a)
        emit_int_binary(f, c < 0x79 ? c - 0x6a : c - 0x7c);
    else if (c >= 0x8b && c <= 0x91)
        emit_real_unary(f, c - 0x8b, NAN_F32);
    else if (c >= 0x92 && c <= 0x98)
        emit_real_binary(f, c - 0x92, NAN_F32);
    else if (c >= 0x99 && c <= 0x9f)
        emit_real_unary(f, c - 0x99, NAN_F64);
    else if (c >= 0xa0 && c <= 0xa6)
        emit_real_binary(f, c - 0xa0, NAN_F64);
    else if (c >= 0xa7 && c <= 0xbf)
        emit_conversion(f, c);
    else if (c >= 0xc0 && c <= 0xc4)
        emit_sign_extend(f, c == 0xc0 || c == 0xc2 ? u->i8 : c == 0xc4 ? u->i32 : u->i16);
    else if (c >= 0xfc000 && c <= 0xfc007)
        emit_saturate(f, c - 0xfc000);
    else
        return false;
    return true;
}
