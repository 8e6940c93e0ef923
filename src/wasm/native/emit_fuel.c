/* Fuel: the count goes from function to function as the argument and result behind the others' first, so it stays in a
 * register. Memory has it only where somebody may look: for the machine at calls of helpers, where it is always
 * stored; for a fault at accesses of a guarded memory, where it is if it has changed since the last one. */
#include "wasm/native/emit.h"

LLVMValueRef native_ticks(native_function *f)
{
    return f->ticks ? LLVMBuildLoad2(f->u->b, f->u->i64, f->ticks, "") : LLVMGetParam(f->fn, 1);
}

static LLVMValueRef machine_ticks(native_function *f)
{
    return native_field(f->u, f->u->ptr, f->context, offsetof(wasm_native_context, ticks), ALIAS_INVARIANT);
}

/* A function that makes no such access leaves the duty to its caller, for whom every call changes the count. */
static bool makes_guarded_accesses(const native_function *f)
{
    const uint8_t *pc = f->code->start;
    while (pc < f->code->end) {
        wasm_instr i;
        wasm_instr_read_nocheck(&i, f->u->m, &pc);
        if (native_may_fault(f->u, &i)) return true;
    }
    return false;
}

void native_begin_fuel(native_function *f)
{
    native_unit *u = f->u;
    if (!u->fuel) return;
    f->ticks = LLVMBuildAlloca(u->b, u->i64, "");
    LLVMBuildStore(u->b, LLVMGetParam(f->fn, 1), f->ticks);
    f->shows_ticks = f->ticks_hidden = makes_guarded_accesses(f);
}

void native_show_ticks(native_function *f)
{
    if (!f->ticks_hidden) return;
    native_store(f->u, native_ticks(f), native_at(f->u, f->context, offsetof(wasm_native_context, ticks_at_fault)),
                 ALIAS_CONTEXT);
    f->ticks_hidden = false;
}

void native_publish_ticks(native_function *f)
{
    if (f->u->fuel) native_store(f->u, native_ticks(f), machine_ticks(f), ALIAS_CONTEXT);
}

void native_set_ticks(native_function *f, LLVMValueRef ticks)
{
    LLVMBuildStore(f->u->b, ticks, f->ticks);
    f->ticks_hidden = f->shows_ticks;
}

void native_reload_ticks(native_function *f)
{
    if (f->u->fuel) native_set_ticks(f, native_load(f->u, f->u->i64, machine_ticks(f), ALIAS_CONTEXT));
}

/* void tick(context), which preserves every register, so that a loop keeps all of its own: takes the count from
 * ticks_at_fault and leaves there what is granted. Its frame is one more: helper_tick knows. */
static LLVMValueRef tick_function(native_function *f)
{
    enum { PRESERVE_ALL = 15 };
    native_unit *u = f->u;
    if (u->tick) return u->tick;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    native_function own = {.u = u};
    own.fn = u->tick = LLVMAddFunction(u->module, "tick", LLVMFunctionType(u->none, &u->ptr, 1, 0));
    LLVMSetLinkage(own.fn, LLVMInternalLinkage);
    LLVMSetFunctionCallConv(own.fn, PRESERVE_ALL);
    LLVMAddAttributeAtIndex(own.fn, 1, u->self);
    own.context = LLVMGetParam(own.fn, 0);
    native_go(u, native_block(&own));
    own.ticks = LLVMBuildAlloca(u->b, u->i64, "");
    LLVMValueRef shown = native_at(u, own.context, offsetof(wasm_native_context, ticks_at_fault));
    native_set_ticks(&own, native_load(u, u->i64, shown, ALIAS_CONTEXT));
    native_helper(&own, WASM_HELPER_tick, NULL, 0);
    native_reload_ticks(&own);
    native_store(u, native_ticks(&own), shown, ALIAS_CONTEXT);
    LLVMBuildRetVoid(u->b);
    native_go(u, here);
    return u->tick;
}

LLVMValueRef native_charge(native_function *f)
{
    native_unit *u = f->u;
    LLVMValueRef left = native_binary(u, LLVMSub, native_ticks(f), native_i64(u, 1));
    native_set_ticks(f, left);
    return LLVMBuildICmp(u->b, LLVMIntSLT, left, native_i64(u, 0), "");
}

void native_ask_for_ticks(native_function *f)
{
    native_unit *u = f->u;
    LLVMValueRef tick = tick_function(f);
    LLVMValueRef shown = native_at(u, f->context, offsetof(wasm_native_context, ticks_at_fault));
    native_store(u, native_ticks(f), shown, ALIAS_CONTEXT);
    LLVMValueRef call = LLVMBuildCall2(u->b, LLVMGlobalGetValueType(tick), tick, &f->context, 1, "");
    LLVMSetInstructionCallConv(call, LLVMGetFunctionCallConv(tick));
    LLVMAddCallSiteAttribute(call, 1, u->self);
    native_set_ticks(f, native_load(u, u->i64, shown, ALIAS_CONTEXT));
}

void native_tick(native_function *f)
{
    if (!f->u->fuel) return;
    LLVMBasicBlockRef over = native_block(f), next = native_block(f);
    native_branch_unlikely(f->u, native_charge(f), over, next);
    native_go(f->u, over);
    native_ask_for_ticks(f);
    LLVMBuildBr(f->u->b, next);
    native_go(f->u, next);
}
