/* Building blocks of the code generator: types, memory operations with what they may overlap, traps, and the abstract
 * operand stack with its tags of NaNs. */
#include "wasm/native/emit.h"

#include <stdio.h>
#include <string.h>

/* ---- types, constants ---- */

LLVMValueRef native_i32(native_unit *u, uint32_t v)
{
    return LLVMConstInt(u->i32, v, 0);
}
LLVMValueRef native_i64(native_unit *u, uint64_t v)
{
    return LLVMConstInt(u->i64, v, 0);
}

LLVMTypeRef native_type(native_unit *u, wasm_type type)
{
    switch (type) {
    case WASM_I32:
        return u->i32;
    case WASM_I64:
        return u->i64;
    case WASM_F32:
        return u->f32;
    case WASM_F64:
        return u->f64;
    case WASM_V128:
        return u->v128;
    default:
        return u->ptr;
    }
}

bool native_returns_by_memory(const wasm_functype *type)
{
    return type->result_count > 2;
}

static uint32_t direct_results(const wasm_functype *type)
{
    return native_returns_by_memory(type) ? 0 : type->result_count;
}

unsigned native_hidden_params(const native_unit *u, const wasm_functype *type)
{
    return 1 + u->fuel + native_returns_by_memory(type);
}

static LLVMTypeRef result_type(native_unit *u, const wasm_functype *type)
{
    LLVMTypeRef types[3];
    const uint32_t count = direct_results(type);
    for (uint32_t i = 0; i < count; i++)
        types[i] = native_type(u, type->results[i]);
    if (u->fuel) types[count] = u->i64;
    const uint32_t all = count + u->fuel;
    return all == 0 ? u->none : all == 1 ? types[0] : LLVMStructTypeInContext(u->c, types, all, 0);
}

LLVMValueRef native_result(native_unit *u, const wasm_functype *type, LLVMValueRef result, uint32_t i)
{
    return direct_results(type) + u->fuel == 1 ? result : LLVMBuildExtractValue(u->b, result, i, "");
}

LLVMValueRef native_result_ticks(native_unit *u, const wasm_functype *type, LLVMValueRef result)
{
    return native_result(u, type, result, direct_results(type));
}

LLVMTypeRef native_function_type(native_unit *u, uint32_t type_index)
{
    if (u->func_types[type_index]) return u->func_types[type_index];
    const wasm_functype *type = &u->m->types[type_index];
    LLVMTypeRef *types = base_realloc_array(NULL, (size_t)type->param_count + 3, sizeof *types);
    if (!types) return NULL;
    unsigned count = 0;
    types[count++] = u->ptr;
    if (u->fuel) types[count++] = u->i64;
    if (native_returns_by_memory(type)) types[count++] = u->ptr;
    for (uint32_t i = 0; i < type->param_count; i++)
        types[count++] = native_type(u, type->params[i]);
    u->func_types[type_index] = LLVMFunctionType(result_type(u, type), types, count, 0);
    base_free(types);
    return u->func_types[type_index];
}

LLVMValueRef native_declare(native_unit *u, uint32_t func)
{
    if (u->funcs[func]) return u->funcs[func];
    char name[16];
    snprintf(name, sizeof name, "f%u", func);
    LLVMTypeRef type = native_function_type(u, u->m->funcs[func]);
    if (!type) return NULL;
    LLVMValueRef fn = LLVMAddFunction(u->module, name, type);
    LLVMSetFunctionCallConv(fn, u->convention);
    LLVMAddAttributeAtIndex(fn, 1, u->self);
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
    u->funcs[func] = fn;
    return fn;
}

LLVMValueRef native_call(native_unit *u, LLVMTypeRef type, LLVMValueRef code, LLVMValueRef *args, unsigned count)
{
    LLVMValueRef call = LLVMBuildCall2(u->b, type, code, args, count, "");
    LLVMSetInstructionCallConv(call, u->convention);
    LLVMAddCallSiteAttribute(call, 1, u->self);
    return call;
}

LLVMValueRef native_intrinsic(native_unit *u, const char *name, LLVMTypeRef *overloads, unsigned overload_count,
                              LLVMValueRef *args, unsigned arg_count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    BASE_ASSERT(id != 0);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(u->module, id, overloads, overload_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(u->c, id, overloads, overload_count);
    return LLVMBuildCall2(u->b, type, fn, args, arg_count, "");
}

/* ---- memory operations ---- */

LLVMValueRef native_at(native_unit *u, LLVMValueRef base, uint64_t offset)
{
    if (!offset) return base;
    LLVMValueRef index = native_i64(u, offset);
    return LLVMBuildGEP2(u->b, u->i8, base, &index, 1, "");
}

/* The guest's memory is read and written by volatile operations with alignment 1: none may be dropped (it may trap),
 * nor change places with another. So are globals written, that their values are right when something traps. */
LLVMValueRef native_load(native_unit *u, LLVMTypeRef type, LLVMValueRef at, native_alias alias)
{
    LLVMValueRef load = LLVMBuildLoad2(u->b, type, at, "");
    if (alias == ALIAS_INVARIANT)
        LLVMSetMetadata(load, u->invariant_kind, u->empty);
    else
        LLVMSetMetadata(load, u->tbaa_kind, u->alias_tags[alias]);
    if (alias == ALIAS_LINEAR) {
        LLVMSetAlignment(load, 1);
        LLVMSetVolatile(load, 1);
    }
    return load;
}

LLVMValueRef native_store(native_unit *u, LLVMValueRef value, LLVMValueRef at, native_alias alias)
{
    LLVMValueRef store = LLVMBuildStore(u->b, value, at);
    LLVMSetMetadata(store, u->tbaa_kind, u->alias_tags[alias]);
    if (alias == ALIAS_LINEAR) LLVMSetAlignment(store, 1);
    if (alias == ALIAS_LINEAR || alias == ALIAS_GLOBAL || alias == ALIAS_CONTEXT) LLVMSetVolatile(store, 1);
    return store;
}

LLVMValueRef native_field(native_unit *u, LLVMTypeRef type, LLVMValueRef base, uint64_t offset, native_alias alias)
{
    return native_load(u, type, native_at(u, base, offset), alias);
}

static LLVMValueRef object(native_function *f, size_t n)
{
    return native_field(f->u, f->u->ptr, f->context, offsetof(wasm_native_context, objects) + n * sizeof(void *),
                        ALIAS_INVARIANT);
}
LLVMValueRef native_memory_object(native_function *f, uint32_t memory)
{
    return object(f, memory);
}
LLVMValueRef native_table_object(native_function *f, uint32_t table)
{
    return object(f, (size_t)f->u->m->memory_count + table);
}
LLVMValueRef native_global_object(native_function *f, uint32_t global)
{
    return object(f, (size_t)f->u->m->memory_count + f->u->m->table_count + global);
}

/* ---- blocks, traps ---- */

LLVMBasicBlockRef native_block(native_function *f)
{
    f->work++;
    return LLVMAppendBasicBlockInContext(f->u->c, f->fn, "");
}

void native_go(native_unit *u, LLVMBasicBlockRef block)
{
    LLVMPositionBuilderAtEnd(u->b, block);
}

LLVMValueRef native_branch_unlikely(native_unit *u, LLVMValueRef condition, LLVMBasicBlockRef rarely,
                                    LLVMBasicBlockRef mostly)
{
    LLVMValueRef branch = LLVMBuildCondBr(u->b, condition, rarely, mostly);
    LLVMSetMetadata(branch, u->prof_kind, u->unlikely);
    return branch;
}

static LLVMTypeRef letter_type(native_unit *u, char letter)
{
    switch (letter) {
    case 'i':
        return u->i32;
    case 'I':
        return u->i64;
    case 'f':
        return u->f32;
    case 'F':
        return u->f64;
    case 'p':
        return u->ptr;
    default:
        return u->none;
    }
}

LLVMValueRef native_helper(native_function *f, enum wasm_native_helper helper, LLVMValueRef *args, unsigned count)
{
    static const char *const signatures[] = {
#define WASM_HELPER(name, signature) signature,
#include "wasm/native_helpers.def"
    };
    native_unit *u = f->u;
    const char *s = signatures[helper];
    LLVMTypeRef result = *s == '(' ? u->none : letter_type(u, *s), types[8] = {u->ptr};
    LLVMValueRef values[8] = {f->context};
    s = strchr(s, '(') + 1;
    native_publish_ticks(f);
    BASE_ASSERT(strlen(s) == count + 1 && count < 8);
    for (unsigned i = 0; i < count; i++) {
        types[i + 1] = letter_type(u, s[i]);
        values[i + 1] = args[i];
    }
    LLVMTypeRef type = LLVMFunctionType(result, types, count + 1, 0);
    LLVMValueRef code = native_field(u, u->ptr, f->context,
                                     offsetof(wasm_native_context, helpers) + helper * sizeof(void *), ALIAS_INVARIANT);
    return LLVMBuildCall2(u->b, type, code, values, count + 1, "");
}

LLVMBasicBlockRef native_trap_block(native_function *f, wasm_trap_kind kind)
{
    native_unit *u = f->u;
    if (f->traps[kind]) return f->traps[kind];
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    f->traps[kind] = native_block(f);
    native_go(u, f->traps[kind]);
    LLVMValueRef value = native_i32(u, kind);
    native_helper(f, WASM_HELPER_trap, &value, 1);
    LLVMBuildUnreachable(u->b);
    native_go(u, here);
    return f->traps[kind];
}

void native_trap_if(native_function *f, LLVMValueRef condition, wasm_trap_kind kind)
{
    LLVMBasicBlockRef next = native_block(f);
    native_branch_unlikely(f->u, condition, native_trap_block(f, kind), next);
    native_go(f->u, next);
}

void native_fail(native_function *f, wisp_status status, const char *why)
{
    if (f->status != WISP_OK) return;
    f->status = base_fail(f->u->report, status, "wasm: native code of function %u: %s", f->index, why);
}

/* ---- the operand stack ---- */

void native_push_nan(native_function *f, LLVMValueRef v, native_nan nan)
{
    f->work++;
    if (!BASE_GROW(f->stack, f->stack_capacity, f->stack_count + 1)) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return;
    }
    f->stack[f->stack_count++] = (native_value){.v = v, .nan = nan};
}

void native_push(native_function *f, LLVMValueRef v)
{
    native_push_nan(f, v, EXACT);
}

native_value native_pop(native_function *f)
{
    if (f->stack_count == 0) { /* only after a push has failed */
        BASE_ASSERT(f->status != WISP_OK);
        return (native_value){.v = LLVMGetPoison(f->u->i32)};
    }
    return f->stack[--f->stack_count];
}

LLVMValueRef native_pop_any(native_function *f)
{
    return native_pop(f).v;
}
LLVMValueRef native_pop_exact(native_function *f)
{
    return native_exact(f, native_pop(f));
}

/* x == x ? x : the canonical NaN. The choice is made among integers, where LLVM knows nothing about NaNs. */
LLVMValueRef native_exact(native_function *f, native_value value)
{
    native_unit *u = f->u;
    if (value.nan == EXACT) return value.v;
    LLVMTypeRef integer, type;
    LLVMValueRef nan, v = value.v;
    if (value.nan == NAN_F32 || value.nan == NAN_F64) {
        type = value.nan == NAN_F32 ? u->f32 : u->f64;
        integer = value.nan == NAN_F32 ? u->i32 : u->i64;
        nan = LLVMConstInt(integer, value.nan == NAN_F32 ? 0x7fc00000 : 0x7ff8000000000000, 0);
    } else {
        bool single = value.nan == NAN_F32X4;
        type = u->vec[single ? F32X4 : F64X2];
        integer = u->vec[single ? I32X4 : I64X2];
        v = LLVMBuildBitCast(u->b, v, type, "");
        LLVMValueRef lane = single ? native_i32(u, 0x7fc00000) : native_i64(u, 0x7ff8000000000000);
        LLVMValueRef lanes[4] = {lane, lane, lane, lane};
        nan = LLVMConstVector(lanes, single ? 4 : 2);
    }
    LLVMValueRef is_nan = LLVMBuildFCmp(u->b, LLVMRealUNO, v, v, "");
    LLVMValueRef bits = LLVMBuildBitCast(u->b, v, integer, "");
    bits = LLVMBuildSelect(u->b, is_nan, nan, bits, "");
    return LLVMBuildBitCast(u->b, bits, LLVMTypeOf(value.v), "");
}

/* A constant is no NaN of any kind if its tag is EXACT and it compares equal to itself: it goes with every tag. */
static bool is_neutral(native_value value)
{
    LLVMBool lossy;
    if (!LLVMIsAConstantFP(value.v)) return false;
    double d = LLVMConstRealGetDouble(value.v, &lossy);
    return d == d;
}

native_nan native_join(native_function *f, native_value *a, native_value *b)
{
    if (a->nan == b->nan) return a->nan;
    if (a->nan == EXACT && is_neutral(*a)) return b->nan;
    if (b->nan == EXACT && is_neutral(*b)) return a->nan;
    *a = (native_value){.v = native_exact(f, *a)};
    *b = (native_value){.v = native_exact(f, *b)};
    return EXACT;
}

LLVMValueRef native_pop_condition(native_function *f)
{
    LLVMValueRef v = native_pop_any(f);
    if (LLVMIsAZExtInst(v)) { /* a comparison made it */
        LLVMValueRef bit = LLVMGetOperand(v, 0);
        if (LLVMTypeOf(bit) == f->u->i1) return bit;
    }
    return LLVMBuildICmp(f->u->b, LLVMIntNE, v, native_i32(f->u, 0), "");
}

LLVMValueRef native_binary(native_unit *u, LLVMOpcode op, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildBinOp(u->b, op, a, b, "");
}

LLVMValueRef native_zext(native_unit *u, LLVMValueRef v, LLVMTypeRef type)
{
    return LLVMBuildZExt(u->b, v, type, "");
}
