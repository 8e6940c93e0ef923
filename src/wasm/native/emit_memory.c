/* Linear memory, core §4.4.7. Memory 0 with 32-bit addresses and guard pages: base + index + offset, no check (index
 * and offset are below 2^32, and 8 GiB are reserved). Any other: an explicit comparison with the present size. */
#include "wasm/native/emit.h"

static bool is_guarded(const native_unit *u, uint32_t memory)
{
    return memory == 0 && !u->m->memories[0].is64 && !(u->options->flags & WASM_NATIVE_EXPLICIT_CHECKS);
}

static LLVMValueRef guarded_base(native_function *f)
{
    native_unit *u = f->u;
    if (f->memory_base) return f->memory_base;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    native_go(u, f->start);
    f->memory_base = native_field(u, u->ptr, f->context, offsetof(wasm_native_context, memory), ALIAS_INVARIANT);
    native_go(u, here);
    return f->memory_base;
}

/* Traps unless [index + offset, + size) lies inside. No sum of u32s wraps; with 64-bit indices it may. */
static void check_bounds(native_function *f, LLVMValueRef memory, bool is64, LLVMValueRef index, uint64_t offset,
                         uint32_t size)
{
    native_unit *u = f->u;
    LLVMValueRef have = native_field(u, u->i64, memory, offsetof(wasm_memory, size), ALIAS_MEMORY);
    if (offset > UINT64_MAX - size) {
        native_trap_if(f, LLVMConstInt(u->i1, 1, 0), WASM_TRAP_MEMORY);
        return;
    }
    LLVMValueRef more = native_i64(u, offset + size);
    LLVMValueRef end = native_binary(u, LLVMAdd, index, more);
    LLVMValueRef outside = LLVMBuildICmp(u->b, LLVMIntUGT, end, have, "");
    if (is64) outside = LLVMBuildOr(u->b, outside, LLVMBuildICmp(u->b, LLVMIntULT, end, more, ""), "");
    native_trap_if(f, outside, WASM_TRAP_MEMORY);
}

/* The address of the access whose index is on top of the stack. */
static LLVMValueRef pop_address(native_function *f, const wasm_instr *i, uint32_t size)
{
    native_unit *u = f->u;
    const bool is64 = u->m->memories[i->index].is64;
    LLVMValueRef index = native_pop_any(f), base;
    if (!is64) index = native_zext(u, index, u->i64);
    if (is_guarded(u, i->index)) {
        native_show_ticks(f);
        base = guarded_base(f);
    } else {
        LLVMValueRef memory = native_memory_object(f, i->index);
        check_bounds(f, memory, is64, index, i->offset, size);
        base = native_field(u, u->ptr, memory, offsetof(wasm_memory, data), ALIAS_MEMORY);
    }
    base = LLVMBuildGEP2(u->b, u->i8, base, &index, 1, "");
    return native_at(u, base, i->offset);
}

/* ---- scalars ---- */

typedef enum { PLAIN, SIGNED, UNSIGNED } extension;

static void emit_load(native_function *f, const wasm_instr *i, LLVMTypeRef from, extension e, LLVMTypeRef to)
{
    native_unit *u = f->u;
    uint32_t bytes = from == u->f32 ? 4 : from == u->f64 ? 8 : from == u->v128 ? 16 : LLVMGetIntTypeWidth(from) / 8;
    LLVMValueRef v = native_load(u, from, pop_address(f, i, bytes), ALIAS_LINEAR);
    if (e == SIGNED) v = LLVMBuildSExt(u->b, v, to, "");
    if (e == UNSIGNED) v = native_zext(u, v, to);
    native_push(f, v);
}

static void emit_store(native_function *f, const wasm_instr *i, LLVMTypeRef to)
{
    native_unit *u = f->u;
    LLVMValueRef v = native_pop_exact(f);
    LLVMTypeRef from = LLVMTypeOf(v);
    uint32_t bytes = from == u->f32 ? 4 : from == u->f64 ? 8 : from == u->v128 ? 16 : LLVMGetIntTypeWidth(to) / 8;
    if (from != to) v = LLVMBuildTrunc(u->b, v, to, "");
    native_store(u, v, pop_address(f, i, bytes), ALIAS_LINEAR);
}

static void emit_scalar_access(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMTypeRef narrow[] = {u->i8, u->i8, u->i16, u->i16, u->i32, u->i32};
    LLVMTypeRef full[] = {u->i32, u->i64, u->f32, u->f64};
    LLVMTypeRef stored[] = {u->i32, u->i64, u->f32, u->f64, u->i8, u->i16, u->i8, u->i16, u->i32};
    const uint32_t c = i->code;
    if (c < 0x2c)
        emit_load(f, i, full[c - 0x28], PLAIN, NULL);
    else if (c < 0x30)
        emit_load(f, i, narrow[c - 0x2c], c & 1 ? UNSIGNED : SIGNED, u->i32);
    else if (c < 0x36)
        emit_load(f, i, narrow[c - 0x30], c & 1 ? UNSIGNED : SIGNED, u->i64);
    else
        emit_store(f, i, stored[c - 0x36]);
}

/* ---- vectors ---- */

static LLVMValueRef as(native_unit *u, LLVMValueRef v, LLVMTypeRef type)
{
    return LLVMBuildBitCast(u->b, v, type, "");
}

/* v128.load8x8_s and the like: half a vector, each lane twice as wide. */
static void emit_load_extend(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const unsigned n = (i->code - 0xfd001) / 2;
    LLVMTypeRef lanes[] = {u->i8, u->i16, u->i32};
    LLVMTypeRef half = LLVMVectorType(lanes[n], 8u >> n);
    LLVMValueRef v = native_load(u, half, pop_address(f, i, 8), ALIAS_LINEAR);
    LLVMTypeRef to = u->vec[I16X8 + n];
    v = i->code & 1 ? LLVMBuildSExt(u->b, v, to, "") : native_zext(u, v, to);
    native_push(f, as(u, v, u->v128));
}

static void emit_load_splat(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const unsigned n = i->code - 0xfd007;
    LLVMTypeRef lanes[] = {u->i8, u->i16, u->i32, u->i64}, type = u->vec[I8X16 + n];
    LLVMValueRef v = native_load(u, lanes[n], pop_address(f, i, 1u << n), ALIAS_LINEAR);
    v = LLVMBuildInsertElement(u->b, LLVMGetPoison(type), v, native_i32(u, 0), "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(u->i32, 16u >> n));
    native_push(f, as(u, LLVMBuildShuffleVector(u->b, v, LLVMGetPoison(type), mask, ""), u->v128));
}

static void emit_load_zero(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const bool wide = i->code == 0xfd05d;
    LLVMTypeRef type = u->vec[wide ? I64X2 : I32X4];
    LLVMValueRef v = native_load(u, wide ? u->i64 : u->i32, pop_address(f, i, wide ? 8 : 4), ALIAS_LINEAR);
    native_push(f, as(u, LLVMBuildInsertElement(u->b, LLVMConstNull(type), v, native_i32(u, 0), ""), u->v128));
}

static void emit_lane_access(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const unsigned n = (i->code - 0xfd054) & 3;
    LLVMTypeRef lanes[] = {u->i8, u->i16, u->i32, u->i64}, type = u->vec[I8X16 + n];
    LLVMValueRef v = as(u, native_pop_exact(f), type), lane = native_i32(u, i->lane);
    LLVMValueRef at = pop_address(f, i, 1u << n);
    if (i->code < 0xfd058) {
        LLVMValueRef loaded = native_load(u, lanes[n], at, ALIAS_LINEAR);
        native_push(f, as(u, LLVMBuildInsertElement(u->b, v, loaded, lane, ""), u->v128));
    } else {
        native_store(u, LLVMBuildExtractElement(u->b, v, lane, ""), at, ALIAS_LINEAR);
    }
}

static bool emit_vector_access(native_function *f, const wasm_instr *i)
{
    const uint32_t c = i->code;
    if (c == 0xfd000)
        emit_load(f, i, f->u->v128, PLAIN, NULL);
    else if (c >= 0xfd001 && c <= 0xfd006)
        emit_load_extend(f, i);
    else if (c >= 0xfd007 && c <= 0xfd00a)
        emit_load_splat(f, i);
    else if (c == 0xfd00b)
        emit_store(f, i, f->u->v128);
    else if (c == 0xfd05c || c == 0xfd05d)
        emit_load_zero(f, i);
    else if (c >= 0xfd054 && c <= 0xfd05b)
        emit_lane_access(f, i);
    else
        return false;
    return true;
}

bool native_may_fault(const native_unit *u, const wasm_instr *i)
{
    const bool scalar = i->code >= 0x28 && i->code <= 0x3e;
    const bool vector = (i->code >= 0xfd000 && i->code <= 0xfd00b) || (i->code >= 0xfd054 && i->code <= 0xfd05d);
    return (scalar || vector) && is_guarded(u, i->index);
}

/* ---- whole memories ---- */

/* An operand that counts elements or bytes, as u64. */
static LLVMValueRef pop_wide(native_function *f)
{
    LLVMValueRef v = native_pop_any(f);
    return LLVMTypeOf(v) == f->u->i64 ? v : native_zext(f->u, v, f->u->i64);
}

static void emit_memory_size(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef memory = native_memory_object(f, i->index);
    LLVMValueRef size = native_field(u, u->i64, memory, offsetof(wasm_memory, size), ALIAS_MEMORY);
    LLVMValueRef pages = native_binary(u, LLVMLShr, size, native_i64(u, 16));
    native_push(f, u->m->memories[i->index].is64 ? pages : LLVMBuildTrunc(u->b, pages, u->i32, ""));
}

static void emit_memory_grow(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef args[] = {native_i32(u, i->index), pop_wide(f)};
    LLVMValueRef old = native_helper(f, WASM_HELPER_memory_grow, args, 2);
    native_push(f, u->m->memories[i->index].is64 ? old : LLVMBuildTrunc(u->b, old, u->i32, ""));
}

static void emit_bulk(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const bool is_init = i->code == 0xfc008;
    LLVMValueRef n = pop_wide(f), from = pop_wide(f), to = pop_wide(f);
    /* memory.init names its segment first */
    LLVMValueRef args[] = {native_i32(u, is_init ? i->index2 : i->index), native_i32(u, is_init ? i->index : i->index2),
                           to, from, n};
    native_helper(f, is_init ? WASM_HELPER_memory_init : WASM_HELPER_memory_copy, args, 5);
    native_reload_ticks(f);
}

static void emit_fill(native_function *f, const wasm_instr *i)
{
    LLVMValueRef n = pop_wide(f), value = native_pop_any(f), to = pop_wide(f);
    LLVMValueRef args[] = {native_i32(f->u, i->index), to, value, n};
    native_helper(f, WASM_HELPER_memory_fill, args, 4);
    native_reload_ticks(f);
}

bool native_emit_memory(native_function *f, const wasm_instr *i)
{
    LLVMValueRef index;
    switch (i->code) {
    case 0x3f:
        emit_memory_size(f, i);
        return true;
    case 0x40:
        emit_memory_grow(f, i);
        return true;
    case 0xfc008:
    case 0xfc00a:
        emit_bulk(f, i);
        return true;
    case 0xfc009:
        index = native_i32(f->u, i->index);
        native_helper(f, WASM_HELPER_data_drop, &index, 1);
        return true;
    case 0xfc00b:
        emit_fill(f, i);
        return true;
    default:
        if (i->code < 0x28 || i->code > 0x3e) return emit_vector_access(f, i);
        emit_scalar_access(f, i);
        return true;
    }
}

/* ---- tables ---- */

static LLVMValueRef item_address(native_function *f, uint32_t table, LLVMValueRef index)
{
    native_unit *u = f->u;
    LLVMValueRef object = native_table_object(f, table);
    LLVMValueRef size = native_field(u, u->i64, object, offsetof(wasm_table, size), ALIAS_TABLE);
    native_trap_if(f, LLVMBuildICmp(u->b, LLVMIntUGE, index, size, ""), WASM_TRAP_TABLE);
    LLVMValueRef items = native_field(u, u->ptr, object, offsetof(wasm_table, items), ALIAS_TABLE);
    return LLVMBuildGEP2(u->b, u->ptr, items, &index, 1, "");
}

static void emit_table_grow(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef n = pop_wide(f), value = native_pop_any(f);
    LLVMValueRef args[] = {native_i32(u, i->index), value, n};
    LLVMValueRef old = native_helper(f, WASM_HELPER_table_grow, args, 3);
    native_reload_ticks(f);
    native_push(f, u->m->tables[i->index].range.is64 ? old : LLVMBuildTrunc(u->b, old, u->i32, ""));
}

static void emit_table_bulk(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const bool is_init = i->code == 0xfc00c;
    LLVMValueRef n = pop_wide(f), from = pop_wide(f), to = pop_wide(f);
    LLVMValueRef args[] = {native_i32(u, is_init ? i->index2 : i->index), native_i32(u, is_init ? i->index : i->index2),
                           to, from, n};
    native_helper(f, is_init ? WASM_HELPER_table_init : WASM_HELPER_table_copy, args, 5);
    native_reload_ticks(f);
}

static void emit_table_fill(native_function *f, const wasm_instr *i)
{
    LLVMValueRef n = pop_wide(f), value = native_pop_any(f), to = pop_wide(f);
    LLVMValueRef args[] = {native_i32(f->u, i->index), to, value, n};
    native_helper(f, WASM_HELPER_table_fill, args, 4);
    native_reload_ticks(f);
}

static void emit_table_size(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef object = native_table_object(f, i->index);
    LLVMValueRef size = native_field(u, u->i64, object, offsetof(wasm_table, size), ALIAS_TABLE);
    native_push(f, u->m->tables[i->index].range.is64 ? size : LLVMBuildTrunc(u->b, size, u->i32, ""));
}

bool native_emit_table(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef value;
    switch (i->code) {
    case 0x25:
        native_push(f, native_load(u, u->ptr, item_address(f, i->index, pop_wide(f)), ALIAS_TABLE));
        return true;
    case 0x26:
        value = native_pop_any(f);
        native_store(u, value, item_address(f, i->index, pop_wide(f)), ALIAS_TABLE);
        return true;
    case 0xfc00c:
    case 0xfc00e:
        emit_table_bulk(f, i);
        return true;
    case 0xfc00d:
        value = native_i32(u, i->index);
        native_helper(f, WASM_HELPER_elem_drop, &value, 1);
        return true;
    case 0xfc00f:
        emit_table_grow(f, i);
        return true;
    case 0xfc010:
        emit_table_size(f, i);
        return true;
    case 0xfc011:
        emit_table_fill(f, i);
        return true;
    default:
        return false;
    }
}
