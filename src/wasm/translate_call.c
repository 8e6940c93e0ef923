/* Calls and returns. */
#include "wasm/translate.h"

/* The arguments go to their homes and off the stack; nothing stays in accumulators. Where they begin. */
static uint32_t pass_arguments(translator *t, uint32_t count)
{
    const size_t from = t->height - count;
    wasm_settle(t, from, false);
    for (unsigned c = 0; c < WASM_CLASSES; c++)
        wasm_make_acc(t, c);
    t->height = from;
    if (t->settled > from) t->settled = from;
    return wasm_home(t, from);
}

static void take_results(translator *t, const wasm_functype *type)
{
    wasm_forget_accs(t);
    if (type->result_count == 1) t->acc_slot[wasm_kind_of(type->results[0]) & 3] = wasm_home(t, t->height);
    for (uint32_t n = 0; n < type->result_count && !t->failed; n++)
        wasm_push_kind(t, wasm_kind_of(type->results[n]));
}

static void add_reload(translator *t)
{
    insn i = wasm_insn_new(t, wasm_op_reload);
    wasm_words_ptr(&i, t->instance);
    wasm_add(t, &i);
}

static void call(translator *t, uint32_t index)
{
    const wasm_func *callee = t->instance->funcs[index];
    const wasm_functype *type = &t->module->types[t->module->funcs[index]];
    const bool own = callee->instance == t->instance;
    insn i = wasm_insn_new(t, own ? wasm_op_call : wasm_op_call_foreign);
    const uint32_t at = pass_arguments(t, type->param_count);
    wasm_words_ptr(&i, callee);
    wasm_word(&i, at);
    wasm_add(t, &i);
    if (!own) add_reload(t);
    take_results(t, type);
}

static void return_call(translator *t, uint32_t index)
{
    const wasm_func *callee = t->instance->funcs[index];
    const wasm_functype *type = &t->module->types[t->module->funcs[index]];
    insn i = wasm_insn_new(t, wasm_op_return_call);
    const uint32_t at = pass_arguments(t, type->param_count);
    wasm_words_ptr(&i, t->instance);
    wasm_word(&i, at);
    wasm_word(&i, type->param_count);
    wasm_words_ptr(&i, callee);
    wasm_add(t, &i);
}

static void call_indirect(translator *t, const wasm_instr *instr, bool tail)
{
    const wasm_functype *type = &t->module->types[instr->index];
    operand index = wasm_pop_operand(t);
    if (t->failed) return;
    wasm_into_slot(t, &index);
    insn i = wasm_insn_new(t, tail ? wasm_op_return_call_indirect : wasm_op_call_indirect);
    const uint32_t at = pass_arguments(t, type->param_count);
    wasm_words_ptr(&i, t->instance->tables[instr->index2]);
    wasm_word(&i, t->instance->type_ids[instr->index]);
    wasm_word(&i, index.slot);
    if (tail) wasm_words_ptr(&i, t->instance);
    wasm_word(&i, at);
    if (tail) wasm_word(&i, type->param_count);
    wasm_add(t, &i);
    if (tail) return;
    add_reload(t);
    take_results(t, type);
}

static void call_ref(translator *t, const wasm_instr *instr, bool tail)
{
    const wasm_functype *type = &t->module->types[instr->index];
    operand func = wasm_pop_operand(t);
    if (t->failed) return;
    wasm_into_slot(t, &func);
    insn i = wasm_insn_new(t, tail ? wasm_op_return_call_ref : wasm_op_call_ref);
    const uint32_t at = pass_arguments(t, type->param_count);
    if (tail) {
        wasm_words_ptr(&i, t->instance);
        wasm_word(&i, at);
        wasm_word(&i, type->param_count);
        wasm_word(&i, func.slot);
    } else {
        wasm_word(&i, func.slot);
        wasm_word(&i, at);
    }
    wasm_add(t, &i);
    if (tail) return;
    add_reload(t);
    take_results(t, type);
}

bool wasm_translate_call(translator *t, const wasm_instr *i)
{
    switch (i->code) {
    case 0x10:
        call(t, i->index);
        return false;
    case 0x11:
        call_indirect(t, i, false);
        return false;
    case 0x12:
        return_call(t, i->index);
        return true;
    case 0x13:
        call_indirect(t, i, true);
        return true;
    case 0x14:
        call_ref(t, i, false);
        return false;
    default:
        call_ref(t, i, true);
        return true;
    }
}

/* ---- return ---- */

static void return_one(translator *t)
{
    static const wasm_op_fn from_acc[] = {wasm_op_return_A_I, wasm_op_return_A_f, wasm_op_return_A_F,
                                          wasm_op_return_A_v};
    static const wasm_op_fn from_slot[] = {wasm_op_return_S_I, wasm_op_return_S_f, wasm_op_return_S_F,
                                           wasm_op_return_S_v};
    operand o = wasm_operand_at(t, t->height - 1);
    if (o.kind == FROM_CONSTANT && o.cls != WASM_CLASS_I) wasm_into_slot(t, &o);
    insn i = wasm_insn_new(t, o.kind == FROM_ACC ? from_acc[o.cls] : from_slot[o.cls]);
    if (o.kind == FROM_CONSTANT) {
        i.fn = wasm_op_return_C_I;
        wasm_words64(&i, o.bits);
    } else if (o.kind == FROM_SLOT) {
        wasm_word(&i, o.slot);
    }
    wasm_add(t, &i);
}

/* Leaves the stack as it is: code behind a conditional branch may need it. */
void wasm_return(translator *t)
{
    const uint32_t count = t->type->result_count;
    if (count == 1) {
        return_one(t);
        return;
    }
    insn i = wasm_insn_new(t, count ? wasm_op_return_many : wasm_op_return0);
    if (count) {
        wasm_settle(t, t->height - count, false);
        wasm_word(&i, wasm_home(t, t->height - count));
        wasm_word(&i, count);
    }
    wasm_add(t, &i);
}
