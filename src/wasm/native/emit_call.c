/* Calls, core §4.4.10: inside the module directly, through a table or a reference directly too where the function turns
 * out to be of this instance, by a helper otherwise. Entries, through which C reaches native code. */
#include "wasm/native/emit.h"

#include <stdio.h>

/* ---- arguments in memory ---- */

LLVMValueRef native_slots(native_function *f, uint32_t count)
{
    native_unit *u = f->u;
    if (count > f->slot_count) f->slot_count = count; /* its size is set when the function is done */
    if (f->slots) return f->slots;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    native_go(u, f->entry);
    f->slots = LLVMBuildArrayAlloca(u->b, u->v128, native_i32(u, 1), "");
    LLVMSetAlignment(f->slots, sizeof(wasm_value));
    native_go(u, here);
    return f->slots;
}

void native_store_slots(native_function *f, LLVMValueRef slots, const LLVMValueRef *values, uint32_t count)
{
    native_unit *u = f->u;
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef v = values[i];
        if (LLVMTypeOf(v) == u->i32) v = native_zext(u, v, u->i64);
        native_store(u, v, native_at(u, slots, i * sizeof(wasm_value)), ALIAS_SLOTS);
    }
    f->work += count;
}

void native_load_slots(native_function *f, LLVMValueRef slots, const wasm_type *types, uint32_t count)
{
    native_unit *u = f->u;
    for (uint32_t i = 0; i < count; i++)
        native_push(f,
                    native_load(u, native_type(u, types[i]), native_at(u, slots, i * sizeof(wasm_value)), ALIAS_SLOTS));
}

/* ---- the three ways ---- */

typedef struct call {
    const wasm_functype *type;
    uint32_t type_index;
    bool tail;
    LLVMValueRef *args; /* context, fuel if it is counted, buffer of results if there are many, arguments */
    unsigned arg_count, hidden;
} call;

static LLVMValueRef build_call(native_function *f, const call *c, LLVMValueRef code)
{
    native_unit *u = f->u;
    LLVMTypeRef type = native_function_type(u, c->type_index);
    f->calls = true;
    if (u->fuel) c->args[1] = native_ticks(f);
    LLVMValueRef result = native_call(u, type, code, c->args, c->arg_count);
    if (c->tail) LLVMSetTailCallKind(result, LLVMTailCallKindMustTail);
    return result;
}

static void return_value(native_function *f, LLVMValueRef result)
{
    if (LLVMGetTypeKind(LLVMTypeOf(result)) == LLVMVoidTypeKind)
        LLVMBuildRetVoid(f->u->b);
    else
        LLVMBuildRet(f->u->b, result);
}

static void push_results(native_function *f, const call *c, LLVMValueRef result)
{
    native_unit *u = f->u;
    const uint32_t n = c->type->result_count;
    if (native_returns_by_memory(c->type)) {
        native_load_slots(f, c->args[c->hidden - 1], c->type->results, n);
    } else {
        for (uint32_t i = 0; i < n; i++)
            native_push(f, native_result(u, c->type, result, i));
    }
}

static void finish_direct(native_function *f, const call *c, LLVMValueRef code)
{
    LLVMValueRef result = build_call(f, c, code);
    if (c->tail) {
        return_value(f, result);
        return;
    }
    if (f->u->fuel) native_set_ticks(f, native_result_ticks(f->u, c->type, result));
    native_check_exception(f, false);
    push_results(f, c, result);
}

static void finish_by_helper(native_function *f, const call *c, LLVMValueRef func)
{
    const uint32_t params = c->type->param_count, results = c->type->result_count;
    LLVMValueRef slots = native_slots(f, params > results ? params : results);
    native_store_slots(f, slots, c->args + c->hidden, params);
    LLVMValueRef args[] = {func, slots};
    f->calls = true;
    native_helper(f, f->u->exceptions ? WASM_HELPER_call_catching : WASM_HELPER_call, args, 2);
    native_reload_ticks(f);
    native_check_exception(f, c->tail);
    native_load_slots(f, slots, c->type->results, results);
    if (c->tail) native_emit_return(f);
}

/* `func` is a wasm_func: called directly if it runs native code of this instance. `known` is that code, if so. */
static void finish_by_func(native_function *f, const call *c, LLVMValueRef func, LLVMValueRef known)
{
    native_unit *u = f->u;
    LLVMBasicBlockRef ours = native_block(f), others = native_block(f), next = NULL;
    LLVMValueRef theirs = native_field(u, u->ptr, func, offsetof(wasm_func, native_context), ALIAS_TABLE);
    native_branch_unlikely(u, LLVMBuildICmp(u->b, LLVMIntNE, theirs, f->context, ""), others, ours);
    const size_t height = f->stack_count;
    const uint32_t n = c->tail ? 0 : c->type->result_count;
    native_go(u, ours);
    finish_direct(f, c, known ? known : native_field(u, u->ptr, func, offsetof(wasm_func, native), ALIAS_TABLE));
    LLVMBasicBlockRef ends[2] = {LLVMGetInsertBlock(u->b), NULL};
    native_value *kept = base_realloc_array(NULL, n, sizeof *kept);
    if (!kept || f->status != WISP_OK) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        base_free(kept);
        return;
    }
    for (uint32_t i = n; i-- > 0;)
        kept[i] = native_pop(f);
    f->stack_count = height;
    if (!c->tail) LLVMBuildBr(u->b, next = native_block(f));
    native_go(u, others);
    finish_by_helper(f, c, func);
    ends[1] = LLVMGetInsertBlock(u->b);
    if (!c->tail) {
        LLVMBuildBr(u->b, next);
        native_go(u, next);
        for (uint32_t i = 0; i < n; i++) {
            native_value *slot = &f->stack[height + i];
            LLVMValueRef values[] = {kept[i].v, slot->v};
            slot->v = LLVMBuildPhi(u->b, LLVMTypeOf(kept[i].v), "");
            LLVMAddIncoming(slot->v, values, ends, 2);
        }
    }
    base_free(kept);
}

/* Takes the arguments off the stack. */
static bool begin_call(native_function *f, call *c, uint32_t type_index, bool tail)
{
    native_unit *u = f->u;
    *c = (call){.type = &u->m->types[type_index], .type_index = type_index, .tail = tail};
    c->hidden = native_hidden_params(u, c->type);
    c->arg_count = c->hidden + c->type->param_count;
    c->args = base_realloc_array(NULL, c->arg_count, sizeof(LLVMValueRef));
    if (!c->args || !native_function_type(u, type_index)) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return false;
    }
    for (unsigned i = c->arg_count; i-- > c->hidden;)
        c->args[i] = native_pop_exact(f);
    c->args[0] = f->context;
    if (native_returns_by_memory(c->type))
        c->args[c->hidden - 1] = tail ? f->out : native_slots(f, c->type->result_count);
    return true;
}

static void emit_direct_call(native_function *f, uint32_t func, bool tail)
{
    native_unit *u = f->u;
    call c;
    if (begin_call(f, &c, u->m->funcs[func], tail)) {
        bool replaceable = false, imported = func < u->m->imported_funcs;
        for (uint32_t low = 0, high = u->options->replaceable_count; low < high && !replaceable;) {
            uint32_t middle = low + (high - low) / 2, there = u->options->replaceable[middle];
            replaceable = there == func;
            if (there < func)
                low = middle + 1;
            else
                high = middle;
        }
        LLVMValueRef callee = NULL, code = imported ? NULL : native_declare(u, func);
        native_tick(f);
        if (imported || replaceable) {
            LLVMValueRef funcs =
                native_field(u, u->ptr, f->context, offsetof(wasm_native_context, funcs), ALIAS_INVARIANT);
            callee = native_field(u, u->ptr, funcs, (uint64_t)func * sizeof(void *), ALIAS_INVARIANT);
        }
        if (imported)
            finish_by_helper(f, &c, callee);
        else if (replaceable)
            finish_by_func(f, &c, callee, code);
        else
            finish_direct(f, &c, code);
    }
    base_free(c.args);
}

static void emit_call_by_func(native_function *f, uint32_t type_index, LLVMValueRef func, bool tail)
{
    call c;
    if (begin_call(f, &c, type_index, tail)) {
        native_tick(f);
        finish_by_func(f, &c, func, NULL);
    }
    base_free(c.args);
}

/* The function an indirect call means, after the checks of core §4.4.10 in their order. */
static LLVMValueRef pop_callee(native_function *f, uint32_t type_index, uint32_t table)
{
    native_unit *u = f->u;
    LLVMValueRef index = native_pop_any(f), object = native_table_object(f, table);
    if (LLVMTypeOf(index) == u->i32) index = native_zext(u, index, u->i64);
    LLVMValueRef size = native_field(u, u->i64, object, offsetof(wasm_table, size), ALIAS_TABLE);
    native_trap_if(f, LLVMBuildICmp(u->b, LLVMIntUGE, index, size, ""), WASM_TRAP_UNDEFINED);
    LLVMValueRef items = native_field(u, u->ptr, object, offsetof(wasm_table, items), ALIAS_TABLE);
    LLVMValueRef func = native_load(u, u->ptr, LLVMBuildGEP2(u->b, u->ptr, items, &index, 1, ""), ALIAS_TABLE);
    native_trap_if(f, LLVMBuildICmp(u->b, LLVMIntEQ, func, LLVMConstNull(u->ptr), ""), WASM_TRAP_UNINITIALIZED);
    LLVMValueRef ids = native_field(u, u->ptr, f->context, offsetof(wasm_native_context, type_ids), ALIAS_INVARIANT);
    LLVMValueRef wanted = native_field(u, u->i32, ids, type_index * sizeof(uint32_t), ALIAS_INVARIANT);
    LLVMValueRef has = native_field(u, u->i32, func, offsetof(wasm_func, type_id), ALIAS_TABLE);
    LLVMBasicBlockRef other = native_block(f), next = native_block(f);
    native_branch_unlikely(u, LLVMBuildICmp(u->b, LLVMIntNE, has, wanted, ""), other, next);
    native_go(u, other);
    LLVMValueRef args[] = {func, native_i32(u, type_index)};
    native_helper(f, WASM_HELPER_check_type, args, 2);
    LLVMBuildBr(u->b, next);
    native_go(u, next);
    return func;
}

bool native_emit_call(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    const bool tail = i->code == 0x12 || i->code == 0x13 || i->code == 0x15;
    LLVMValueRef func;
    switch (i->code) {
    case 0x10:
    case 0x12:
        emit_direct_call(f, i->index, tail);
        break;
    case 0x11:
    case 0x13:
        func = pop_callee(f, i->index, i->index2);
        emit_call_by_func(f, i->index, func, tail);
        break;
    case 0x14:
    case 0x15:
        func = native_pop_any(f);
        native_trap_if(f, LLVMBuildICmp(u->b, LLVMIntEQ, func, LLVMConstNull(u->ptr), ""), WASM_TRAP_NULL_FUNC);
        emit_call_by_func(f, i->index, func, tail);
        break;
    default:
        return false;
    }
    if (tail) native_mark_dead(f);
    return true;
}

/* ---- entries ---- */

static void store_results(native_unit *u, const wasm_functype *type, LLVMValueRef result, LLVMValueRef v)
{
    if (type->result_count == 0 || native_returns_by_memory(type)) return;
    for (uint32_t i = 0; i < type->result_count; i++) {
        LLVMValueRef r = native_result(u, type, result, i);
        if (LLVMTypeOf(r) == u->i32) r = native_zext(u, r, u->i64);
        LLVMBuildStore(u->b, r, native_at(u, v, i * sizeof(wasm_value)));
    }
}

void native_emit_entry(native_unit *u, uint32_t type_index)
{
    const wasm_functype *type = &u->m->types[type_index];
    char name[16];
    snprintf(name, sizeof name, "e%u", type_index);
    LLVMTypeRef params[] = {u->ptr, u->ptr, u->ptr}, callee = native_function_type(u, type_index);
    LLVMValueRef *args = base_realloc_array(NULL, (size_t)type->param_count + 3, sizeof *args);
    if (!args || !callee) { /* an entry that is missing shows when the image is linked */
        base_free(args);
        return;
    }
    LLVMValueRef fn = LLVMAddFunction(u->module, name, LLVMFunctionType(u->none, params, 3, 0));
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
    native_go(u, LLVMAppendBasicBlockInContext(u->c, fn, ""));
    LLVMValueRef v = LLVMGetParam(fn, 2), ticks = NULL;
    unsigned count = 0;
    args[count++] = LLVMGetParam(fn, 0);
    if (u->fuel) {
        ticks = native_field(u, u->ptr, args[0], offsetof(wasm_native_context, ticks), ALIAS_INVARIANT);
        args[count++] = native_load(u, u->i64, ticks, ALIAS_CONTEXT);
    }
    if (native_returns_by_memory(type)) args[count++] = v;
    for (uint32_t i = 0; i < type->param_count; i++)
        args[count++] =
            LLVMBuildLoad2(u->b, native_type(u, type->params[i]), native_at(u, v, i * sizeof(wasm_value)), "");
    LLVMValueRef result = native_call(u, callee, LLVMGetParam(fn, 1), args, count);
    if (u->fuel) native_store(u, native_result_ticks(u, type, result), ticks, ALIAS_CONTEXT);
    store_results(u, type, result, v);
    LLVMBuildRetVoid(u->b);
    base_free(args);
}
