/* One function: its frame, the walk over its instructions, variables and references. */
#include "wasm/native/emit.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 0x02, LOOP = 0x03, IF = 0x04, ELSE = 0x05, END = 0x0b, TRY_TABLE = 0x1f };

/* What a function may cost: LLVM instructions made, and values that live at once (LLVM takes time in their square). */
enum { MOST_WORK = 20000000, MOST_OPERANDS = 8000 };

/* ---- parametric, variables, references ---- */

static void emit_select(native_function *f)
{
    LLVMValueRef condition = native_pop_condition(f);
    native_value b = native_pop(f), a = native_pop(f);
    native_nan nan = native_join(f, &a, &b);
    native_push_nan(f, LLVMBuildSelect(f->u->b, condition, a.v, b.v, ""), nan);
}

static void emit_local_get(native_function *f, uint32_t index)
{
    LLVMValueRef v = LLVMBuildLoad2(f->u->b, native_type(f->u, f->local_types[index]), f->locals[index], "");
    native_push_nan(f, v, f->local_nans[index]);
}

/* A local of arithmetic only takes values as they are; others take exact ones. */
static void emit_local_set(native_function *f, uint32_t index, bool keep)
{
    native_value v = native_pop(f);
    if (v.nan != f->local_nans[index]) v = (native_value){.v = native_exact(f, v)};
    LLVMBuildStore(f->u->b, v.v, f->locals[index]);
    if (keep) native_push_nan(f, v.v, v.nan);
}

static void emit_global(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMTypeRef type = native_type(u, u->m->globals[i->index].type);
    LLVMValueRef object = native_global_object(f, i->index);
    if (i->code == 0x23) {
        native_alias alias = u->m->globals[i->index].is_mutable ? ALIAS_GLOBAL : ALIAS_INVARIANT;
        native_push(f, native_field(u, type, object, offsetof(wasm_global, value), alias));
        return;
    }
    LLVMValueRef v = native_pop_exact(f);
    if (type == u->i32) v = native_zext(u, v, u->i64);
    native_store(u, v, native_at(u, object, offsetof(wasm_global, value)), ALIAS_GLOBAL);
}

static void emit_ref(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef v;
    switch (i->code) {
    case 0xd0:
        native_push(f, LLVMConstNull(u->ptr));
        break;
    case 0xd1:
        v = LLVMBuildICmp(u->b, LLVMIntEQ, native_pop_any(f), LLVMConstNull(u->ptr), "");
        native_push(f, native_zext(u, v, u->i32));
        break;
    case 0xd2:
        v = native_field(u, u->ptr, f->context, offsetof(wasm_native_context, funcs), ALIAS_INVARIANT);
        native_push(f, native_field(u, u->ptr, v, (uint64_t)i->index * sizeof(void *), ALIAS_INVARIANT));
        break;
    default: /* ref.as_non_null */
        v = native_pop_any(f);
        native_trap_if(f, LLVMBuildICmp(u->b, LLVMIntEQ, v, LLVMConstNull(u->ptr), ""), WASM_TRAP_NULL_REF);
        native_push(f, v);
        break;
    }
}

static bool emit_variable(native_function *f, const wasm_instr *i)
{
    switch (i->code) {
    case 0x01:
        break;
    case 0x1a:
        (void)native_pop(f);
        break;
    case 0x1b:
    case 0x1c:
        emit_select(f);
        break;
    case 0x20:
        emit_local_get(f, i->index);
        break;
    case 0x21:
    case 0x22:
        emit_local_set(f, i->index, i->code == 0x22);
        break;
    case 0x23:
    case 0x24:
        emit_global(f, i);
        break;
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd4:
        emit_ref(f, i);
        break;
    default:
        return false;
    }
    return true;
}

/* ---- the walk ---- */

static void emit(native_function *f, const wasm_instr *i)
{
    if (emit_variable(f, i) || native_emit_scalar(f, i) || native_emit_memory(f, i) || native_emit_control(f, i) ||
        native_emit_call(f, i) || native_emit_vector(f, i) || native_emit_relaxed(f, i) || native_emit_table(f, i) ||
        native_emit_exception(f, i))
        return;
    native_fail(f, WISP_E_UNSUPPORTED, "an instruction that has no native code");
}

/* Never reached: only blocks are counted. True: the instruction is to be translated. */
static bool is_live(native_function *f, const wasm_instr *i)
{
    native_control *c = native_label(f, 0);
    if (!c->dead) return true;
    if (i->code == BLOCK || i->code == LOOP || i->code == IF || i->code == TRY_TABLE) {
        c->skipped_nest++;
    } else if (i->code == END) {
        if (c->skipped_nest == 0) return true;
        c->skipped_nest--;
    } else if (i->code == ELSE) {
        return c->skipped_nest == 0;
    }
    return false;
}

static void walk(native_function *f)
{
    const uint8_t *pc = f->code->start;
    if (f->code->operands > MOST_OPERANDS) native_fail(f, WISP_E_LIMIT, "too many operands");
    while (f->control_count && f->status == WISP_OK) {
        wasm_instr i;
        wasm_instr_read_nocheck(&i, f->u->m, &pc);
        if (is_live(f, &i)) emit(f, &i);
        f->work++;
        if (f->work > MOST_WORK) native_fail(f, WISP_E_LIMIT, "too large");
    }
}

void native_emit_return(native_function *f)
{
    native_unit *u = f->u;
    const uint32_t n = f->type->result_count;
    LLVMValueRef values[3];
    unsigned count = f->out ? 0 : n;
    for (uint32_t k = n; k-- > 0;) {
        LLVMValueRef v = native_pop_exact(f);
        if (!f->out) {
            values[k] = v;
            continue;
        }
        if (LLVMTypeOf(v) == u->i32) v = native_zext(u, v, u->i64);
        native_store(u, v, native_at(u, f->out, k * sizeof(wasm_value)), ALIAS_SLOTS);
    }
    if (u->fuel) values[count++] = native_ticks(f);
    if (count == 0)
        LLVMBuildRetVoid(u->b);
    else if (count == 1)
        LLVMBuildRet(u->b, values[0]);
    else
        LLVMBuildAggregateRet(u->b, values, count);
    f->work += n;
}

/* ---- the frame ---- */

static bool describe_locals(native_function *f)
{
    const uint32_t params = f->type->param_count;
    f->local_count = params + f->code->locals;
    f->local_types = base_realloc_array(NULL, f->local_count, sizeof *f->local_types);
    f->locals = base_realloc_array(NULL, f->local_count, sizeof(LLVMValueRef));
    f->local_nans = base_calloc(f->local_count, 1);
    if (!f->local_types || !f->locals || !f->local_nans) return false;
    if (params) memcpy(f->local_types, f->type->params, params * sizeof(wasm_type));
    wasm_local_types_nocheck(f->u->m, f->code, f->local_types + params);
    native_find_arithmetic_locals(f);
    return true;
}

static void make_locals(native_function *f)
{
    native_unit *u = f->u;
    const uint32_t params = f->type->param_count, hidden = native_hidden_params(u, f->type);
    for (uint32_t i = 0; i < f->local_count; i++) {
        LLVMTypeRef type = native_type(u, f->local_types[i]);
        f->locals[i] = LLVMBuildAlloca(u->b, type, "");
        LLVMBuildStore(u->b, i < params ? LLVMGetParam(f->fn, i + hidden) : LLVMConstNull(type), f->locals[i]);
    }
    f->work += f->local_count;
}

static void begin_function(native_function *f)
{
    native_unit *u = f->u;
    f->context = LLVMGetParam(f->fn, 0);
    if (native_returns_by_memory(f->type)) f->out = LLVMGetParam(f->fn, native_hidden_params(u, f->type) - 1);
    f->entry = native_block(f);
    f->start = native_block(f);
    f->body = native_block(f);
    native_go(u, f->entry);
    make_locals(f);
    native_begin_fuel(f);
    native_go(u, f->body);
}

/* A function that calls compares the address of its frame with the limit. Frames of others, and what is below that
 * address in this one, fit the reserve that the limit leaves (codegen.c looks at their sizes). */
static void check_stack(native_function *f, uint64_t frame_size, LLVMBasicBlockRef next)
{
    native_unit *u = f->u;
    LLVMValueRef level = native_i32(u, 0);
    LLVMValueRef frame = native_intrinsic(u, "llvm.frameaddress", &u->ptr, 1, &level, 1);
    LLVMValueRef limit = native_field(u, u->i64, f->context, offsetof(wasm_native_context, stack_limit), ALIAS_CONTEXT);
    frame = LLVMBuildPtrToInt(u->b, frame, u->i64, "");
    LLVMValueRef below = LLVMBuildICmp(u->b, LLVMIntULT, frame, limit, "");
    if (frame_size) {
        LLVMValueRef room = native_binary(u, LLVMSub, frame, limit);
        LLVMValueRef small = LLVMBuildICmp(u->b, LLVMIntULT, room, native_i64(u, frame_size), "");
        below = LLVMBuildOr(u->b, below, small, "");
    }
    native_branch_unlikely(u, below, native_trap_block(f, WASM_TRAP_STACK), next);
}

static void finish_function(native_function *f)
{
    native_unit *u = f->u;
    native_go(u, f->start);
    LLVMBuildBr(u->b, f->body);
    native_go(u, f->entry);
    if (f->slots) LLVMSetOperand(f->slots, 0, native_i32(u, f->slot_count));
    if (f->calls)
        check_stack(f, 0, f->start);
    else
        LLVMBuildBr(u->b, f->start);
}

/* A function with a large frame is one that looks for room and then becomes another, which has that frame. */
static void build_guard(native_function *f, LLVMValueRef inner, uint64_t frame_size)
{
    native_unit *u = f->u;
    LLVMTypeRef type = LLVMGlobalGetValueType(f->fn);
    const unsigned count = LLVMCountParams(f->fn);
    LLVMValueRef *args = base_realloc_array(NULL, count, sizeof *args);
    if (!args) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return;
    }
    LLVMGetParams(f->fn, args);
    LLVMBasicBlockRef entry = native_block(f), next = native_block(f);
    f->context = args[0];
    native_go(u, entry);
    check_stack(f, frame_size, next);
    native_go(u, next);
    LLVMValueRef result = native_call(u, type, inner, args, count);
    LLVMSetTailCallKind(result, LLVMTailCallKindMustTail);
    if (LLVMGetReturnType(type) == u->none)
        LLVMBuildRetVoid(u->b);
    else
        LLVMBuildRet(u->b, result);
    base_free(args);
}

LLVMValueRef native_declare_inner(native_unit *u, uint32_t index, LLVMValueRef outer)
{
    char name[16];
    snprintf(name, sizeof name, "g%u", index);
    LLVMValueRef inner = LLVMGetNamedFunction(u->module, name);
    if (inner) return inner;
    inner = LLVMAddFunction(u->module, name, LLVMGlobalGetValueType(outer));
    LLVMSetFunctionCallConv(inner, u->convention);
    LLVMAddAttributeAtIndex(inner, 1, u->self);
    LLVMSetLinkage(inner, LLVMInternalLinkage);
    return inner;
}

static void release(native_function *f)
{
    base_free(f->locals);
    base_free(f->local_types);
    base_free(f->local_nans);
    base_free(f->stack);
    base_free(f->controls);
    base_free(f->phis);
    base_free(f->saved);
}

static wisp_status translate(native_unit *u, uint32_t index, LLVMValueRef fn)
{
    const wasm_module *m = u->m;
    native_function f = {.u = u, .index = index, .type = &m->types[m->funcs[index]], .fn = fn};
    f.code = &m->codes[index - m->imported_funcs];
    native_control outermost = {.results = f.type->results, .result_count = f.type->result_count};
    if (!describe_locals(&f) || !BASE_GROW(f.controls, f.control_capacity, 1)) {
        native_fail(&f, WISP_E_MEMORY, "out of memory");
    } else {
        f.controls[f.control_count++] = outermost;
        begin_function(&f);
        walk(&f);
        finish_function(&f);
    }
    release(&f);
    return f.status;
}

wisp_status native_translate(native_unit *u, uint32_t index)
{
    LLVMValueRef fn = native_declare(u, index);
    const uint64_t frame_size = u->frame_sizes[index - u->m->imported_funcs - u->first];
    if (!frame_size) return translate(u, index, fn);
    native_function guard = {.u = u, .index = index, .fn = fn};
    LLVMValueRef inner = native_declare_inner(u, index, fn);
    build_guard(&guard, inner, frame_size);
    if (guard.status != WISP_OK) return guard.status;
    return translate(u, index, inner);
}
