/* Exceptions, core §4.4.8 and §4.5.3: one that is thrown is pending in the context, and the function that sees it goes
 * to its innermost handler or returns (zeroes) to its caller, which looks after every call. Only modules that throw or
 * catch pay for it. */
#include "wasm/native/emit.h"

/* A function that ends with a pending exception returns, what does not matter. */
static LLVMBasicBlockRef unwind_block(native_function *f)
{
    native_unit *u = f->u;
    if (f->unwind) return f->unwind;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    f->unwind = native_block(f);
    native_go(u, f->unwind);
    LLVMTypeRef result = LLVMGetReturnType(LLVMGlobalGetValueType(f->fn));
    if (result == u->none) {
        LLVMBuildRetVoid(u->b);
    } else if (LLVMGetTypeKind(result) == LLVMStructTypeKind && u->fuel) {
        const unsigned last = LLVMCountStructElementTypes(result) - 1;
        LLVMBuildRet(u->b, LLVMBuildInsertValue(u->b, LLVMConstNull(result), native_ticks(f), last, ""));
    } else {
        LLVMBuildRet(u->b, u->fuel ? native_ticks(f) : LLVMConstNull(result));
    }
    native_go(u, here);
    return f->unwind;
}

static LLVMBasicBlockRef handler_block(native_function *f)
{
    LLVMBasicBlockRef handler = native_label(f, 0)->handler;
    return handler ? handler : unwind_block(f);
}

void native_check_exception(native_function *f, bool tail)
{
    native_unit *u = f->u;
    if (!u->exceptions) return;
    LLVMBasicBlockRef handler = tail ? unwind_block(f) : handler_block(f), next = native_block(f);
    LLVMValueRef at = native_field(u, u->ptr, f->context, offsetof(wasm_native_context, exception), ALIAS_INVARIANT);
    LLVMValueRef pending = native_load(u, u->ptr, at, ALIAS_CONTEXT);
    native_branch_unlikely(u, LLVMBuildICmp(u->b, LLVMIntNE, pending, LLVMConstNull(u->ptr), ""), handler, next);
    native_go(u, next);
}

/* The handler of one clause: in a block of its own, takes the values and branches out. */
static void build_clause(native_function *f, const wasm_catch *clause)
{
    native_unit *u = f->u;
    const bool tagged = clause->kind == WASM_CATCH || clause->kind == WASM_CATCH_REF;
    const bool with_ref = clause->kind == WASM_CATCH_REF || clause->kind == WASM_CATCH_ALL_REF;
    const wasm_functype *type = tagged ? &u->m->types[u->m->tags[clause->tag]] : NULL;
    const size_t height = f->stack_count;
    LLVMValueRef slots = type && type->param_count ? native_slots(f, type->param_count) : LLVMConstNull(u->ptr);
    LLVMValueRef args[] = {slots, native_i32(u, with_ref)};
    LLVMValueRef ref = native_helper(f, WASM_HELPER_exception_take, args, 2);
    if (type) native_load_slots(f, slots, type->params, type->param_count);
    if (with_ref) native_push(f, ref);
    native_branch(f, clause->label);
    f->ticks_hidden = f->shows_ticks;
    f->stack_count = height;
}

/* Before the try_table's own label is pushed: labels of catches count from outside of it. */
void native_build_handler(native_function *f, const wasm_instr *i, native_control *try_table)
{
    native_unit *u = f->u;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b), outer = handler_block(f);
    const bool ticks_hidden = f->ticks_hidden;
    f->ticks_hidden = f->shows_ticks; /* exceptions come from calls, mostly */
    const uint8_t *list = i->list;
    bool all = false;
    try_table->handler = native_block(f);
    native_go(u, try_table->handler);
    for (uint32_t k = 0; k < i->count && !all; k++) {
        wasm_catch clause = wasm_instr_catch_nocheck(&list);
        LLVMBasicBlockRef next = NULL;
        if (clause.kind == WASM_CATCH || clause.kind == WASM_CATCH_REF) {
            LLVMValueRef tag = native_i32(u, clause.tag);
            LLVMValueRef matches = native_helper(f, WASM_HELPER_exception_matches, &tag, 1);
            LLVMBasicBlockRef taken = native_block(f);
            next = native_block(f);
            LLVMBuildCondBr(u->b, LLVMBuildICmp(u->b, LLVMIntNE, matches, native_i32(u, 0), ""), taken, next);
            native_go(u, taken);
        }
        build_clause(f, &clause);
        all = !next;
        if (next) native_go(u, next);
    }
    if (!all) LLVMBuildBr(u->b, outer);
    native_go(u, here);
    f->ticks_hidden = ticks_hidden;
}

static void emit_throw(native_function *f, uint32_t tag)
{
    native_unit *u = f->u;
    const wasm_functype *type = &u->m->types[u->m->tags[tag]];
    LLVMValueRef *values = base_realloc_array(NULL, type->param_count, sizeof *values);
    if (!values) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return;
    }
    for (uint32_t n = type->param_count; n-- > 0;)
        values[n] = native_pop_exact(f);
    LLVMValueRef slots = type->param_count ? native_slots(f, type->param_count) : LLVMConstNull(u->ptr);
    native_store_slots(f, slots, values, type->param_count);
    base_free(values);
    LLVMValueRef args[] = {native_i32(u, tag), slots};
    native_helper(f, WASM_HELPER_throw, args, 2);
}

bool native_emit_exception(native_function *f, const wasm_instr *i)
{
    LLVMValueRef ref;
    if (i->code == 0x08) {
        emit_throw(f, i->index);
    } else if (i->code == 0x0a) {
        ref = native_pop_any(f);
        native_helper(f, WASM_HELPER_throw_ref, &ref, 1);
    } else {
        return false;
    }
    LLVMBuildBr(f->u->b, handler_block(f));
    native_mark_dead(f);
    return true;
}
