/* Control instructions, core §4.4.8: blocks become basic blocks, what a label carries becomes phis of its block. Code
 * that is never reached is not translated; only its blocks are counted. */
#include "wasm/native/emit.h"

enum { BLOCK = 0x02, LOOP = 0x03, IF = 0x04, ELSE = 0x05, END = 0x0b, TRY_TABLE = 0x1f };

native_control *native_label(native_function *f, uint32_t depth)
{
    return &f->controls[f->control_count - 1 - depth];
}

static uint32_t label_arity(const native_control *c)
{
    return c->opcode == LOOP ? c->param_count : c->result_count;
}

void native_mark_dead(native_function *f)
{
    native_control *c = native_label(f, 0);
    c->dead = true;
    f->stack_count = c->height;
}

/* Phis for a label's block. They hold exact bits: where values meet, tags of NaNs end. */
static bool add_phis(native_function *f, native_control *c, const wasm_type *types, uint32_t count)
{
    native_unit *u = f->u;
    c->phis = f->phi_count;
    if (!BASE_GROW(f->phis, f->phi_capacity, f->phi_count + count)) return false;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    native_go(u, c->label);
    for (uint32_t i = 0; i < count; i++)
        f->phis[f->phi_count++] = LLVMBuildPhi(u->b, native_type(u, types[i]), "");
    native_go(u, here);
    f->work += count;
    return true;
}

/* The top `count` operands as others may see them. Before a branch that may not be taken, so that what is made here is
 * there on every way on. */
static void settle(native_function *f, uint32_t count)
{
    for (uint32_t i = 1; i <= count && i <= f->stack_count; i++) {
        native_value *v = &f->stack[f->stack_count - i];
        *v = (native_value){.v = native_exact(f, *v)};
        f->work++;
    }
}

/* The top `count` operands go along to the label from the present block. */
static void carry(native_function *f, native_control *c, uint32_t count)
{
    c->reached = true;
    c->ticks_hidden |= f->ticks_hidden;
    if (f->stack_count < count) return; /* after a failure */
    settle(f, count);
    native_value *values = count ? f->stack + f->stack_count - count : NULL; /* no operand ever: no stack */
    LLVMBasicBlockRef here = LLVMGetInsertBlock(f->u->b);
    for (uint32_t i = 0; i < count; i++)
        LLVMAddIncoming(f->phis[c->phis + i], &values[i].v, &here, 1);
}

static void branch_to(native_function *f, native_control *c)
{
    if (c->opcode == LOOP && f->u->fuel) { /* one jump, and the count is shown before it */
        LLVMBasicBlockRef over = native_block(f);
        settle(f, label_arity(c));
        LLVMValueRef none_left = native_charge(f);
        native_show_ticks(f);
        carry(f, c, label_arity(c));
        native_branch_unlikely(f->u, none_left, over, c->label);
        native_go(f->u, over);
        native_ask_for_ticks(f);
    }
    carry(f, c, label_arity(c));
    LLVMBuildBr(f->u->b, c->label);
}

void native_branch(native_function *f, uint32_t depth)
{
    native_control *c = native_label(f, depth);
    if (depth + 1 == f->control_count)
        native_emit_return(f);
    else
        branch_to(f, c);
}

/* ---- blocks ---- */

static bool push_control(native_function *f, native_control *c)
{
    if (!BASE_GROW(f->controls, f->control_capacity, f->control_count + 1)) return false;
    f->controls[f->control_count++] = *c;
    return true;
}

static const wasm_type *results_of(const native_control *c)
{
    return c->single ? &c->single : c->results;
}

static native_control describe(native_function *f, const wasm_instr *i)
{
    native_control c = {.opcode = (uint8_t)i->code, .single = i->type};
    if (i->block) {
        c.param_count = i->block->param_count;
        c.result_count = i->block->result_count;
        c.results = i->block->results;
    } else {
        c.result_count = i->type != 0;
    }
    c.height = (uint32_t)(f->stack_count - c.param_count);
    c.handler = native_label(f, 0)->handler;
    return c;
}

static void begin_loop(native_function *f, const wasm_instr *i, native_control *c)
{
    native_unit *u = f->u;
    if (!add_phis(f, c, i->block ? i->block->params : NULL, c->param_count)) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return;
    }
    native_show_ticks(f); /* so does whoever branches back */
    carry(f, c, c->param_count);
    LLVMBuildBr(u->b, c->label);
    native_go(u, c->label);
    for (uint32_t k = 0; k < c->param_count; k++)
        f->stack[c->height + k] = (native_value){.v = f->phis[c->phis + k]};
}

static void begin_if(native_function *f, native_control *c, LLVMValueRef condition)
{
    native_unit *u = f->u;
    LLVMBasicBlockRef then = native_block(f);
    c->otherwise = native_block(f);
    c->saved = f->saved_count;
    c->ticks_hidden_at_if = f->ticks_hidden;
    if (!BASE_GROW(f->saved, f->saved_capacity, f->saved_count + c->param_count)) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return;
    }
    for (uint32_t k = 0; k < c->param_count; k++) {
        native_value *v = &f->stack[c->height + k];
        *v = (native_value){.v = native_exact(f, *v)};
        f->saved[f->saved_count++] = *v;
    }
    LLVMBuildCondBr(u->b, condition, then, c->otherwise);
    native_go(u, then);
}

static void begin_block(native_function *f, const wasm_instr *i)
{
    LLVMValueRef condition = i->code == IF ? native_pop_condition(f) : NULL;
    native_control c = describe(f, i);
    c.label = native_block(f);
    if (i->code == LOOP)
        begin_loop(f, i, &c);
    else if (!add_phis(f, &c, results_of(&c), c.result_count))
        native_fail(f, WISP_E_MEMORY, "out of memory");
    if (i->code == IF) begin_if(f, &c, condition);
    if (i->code == TRY_TABLE) native_build_handler(f, i, &c);
    if (!push_control(f, &c)) native_fail(f, WISP_E_MEMORY, "out of memory");
}

static void begin_else(native_function *f)
{
    native_control *c = native_label(f, 0);
    if (!c->dead) {
        carry(f, c, c->result_count);
        LLVMBuildBr(f->u->b, c->label);
    }
    native_go(f->u, c->otherwise);
    c->otherwise = NULL;
    c->opcode = ELSE;
    c->dead = false;
    f->ticks_hidden = c->ticks_hidden_at_if;
    f->stack_count = c->height;
    for (uint32_t k = 0; k < c->param_count; k++)
        native_push(f, f->saved[c->saved + k].v);
}

/* An `if` without else passes its parameters on. */
static void finish_if(native_function *f, native_control *c)
{
    native_go(f->u, c->otherwise);
    f->ticks_hidden = c->ticks_hidden_at_if;
    f->stack_count = c->height;
    for (uint32_t k = 0; k < c->param_count; k++)
        native_push(f, f->saved[c->saved + k].v);
    carry(f, native_label(f, 0), c->result_count);
    LLVMBuildBr(f->u->b, c->label);
}

static void end_block(native_function *f)
{
    native_unit *u = f->u;
    native_control *c = native_label(f, 0);
    if (f->control_count == 1) {
        if (!c->dead) native_emit_return(f);
        f->control_count = 0;
        return;
    }
    if (c->opcode != LOOP && !c->dead) {
        carry(f, c, c->result_count);
        LLVMBuildBr(u->b, c->label);
    }
    if (c->opcode == IF) finish_if(f, c);
    if (c->opcode == IF || c->opcode == ELSE) f->saved_count = c->saved;
    native_control ended = *c;
    f->control_count--;
    if (ended.opcode == LOOP) { /* its label is at the front: what falls out of it just goes on */
        f->phi_count = ended.phis;
        if (ended.dead) native_mark_dead(f);
        return;
    }
    f->stack_count = ended.height;
    if (!ended.reached) {
        LLVMDeleteBasicBlock(ended.label);
        f->phi_count = ended.phis;
        native_mark_dead(f);
        return;
    }
    native_go(u, ended.label);
    f->ticks_hidden = ended.ticks_hidden;
    for (uint32_t k = 0; k < ended.result_count; k++)
        native_push(f, f->phis[ended.phis + k]);
    f->phi_count = ended.phis;
}

/* ---- branches ---- */

static void emit_br_if(native_function *f, LLVMValueRef condition, uint32_t depth)
{
    native_unit *u = f->u;
    native_control *c = native_label(f, depth);
    LLVMBasicBlockRef next = native_block(f);
    if (depth + 1 == f->control_count || (c->opcode == LOOP && u->fuel)) {
        LLVMBasicBlockRef taken = native_block(f);
        settle(f, label_arity(c));
        LLVMBuildCondBr(u->b, condition, taken, next);
        native_go(u, taken);
        size_t height = f->stack_count;
        const bool ticks_hidden = f->ticks_hidden;
        native_branch(f, depth);
        f->ticks_hidden = ticks_hidden;
        f->stack_count = height;
    } else {
        carry(f, c, label_arity(c));
        LLVMBuildCondBr(u->b, condition, c->label, next);
    }
    native_go(u, next);
}

/* One block a distinct label, so that phis have one entry each however long the table is; a long table is an array of
 * numbers of these blocks. */
typedef struct table_targets {
    uint32_t *depths, *number_of; /* of each block its label's depth; per depth the block's number + 1 */
    LLVMBasicBlockRef *blocks;
    uint32_t count;
} table_targets;

static uint32_t target_number(native_function *f, table_targets *t, uint32_t depth)
{
    if (!t->number_of[depth]) {
        t->depths[t->count] = depth;
        t->blocks[t->count] = native_block(f);
        t->number_of[depth] = ++t->count;
    }
    return t->number_of[depth] - 1;
}

static LLVMValueRef number_table(native_function *f, const uint32_t *numbers, uint32_t count)
{
    native_unit *u = f->u;
    LLVMValueRef *values = base_realloc_array(NULL, count, sizeof *values);
    if (!values) return NULL;
    for (uint32_t i = 0; i < count; i++)
        values[i] = LLVMConstInt(u->i16, numbers[i], 0);
    LLVMValueRef array = LLVMConstArray2(u->i16, values, count);
    base_free(values);
    LLVMValueRef global = LLVMAddGlobal(u->module, LLVMTypeOf(array), "");
    LLVMSetInitializer(global, array);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

static void switch_on_table(native_function *f, const table_targets *t, LLVMValueRef index, const uint32_t *numbers,
                            uint32_t count)
{
    native_unit *u = f->u;
    LLVMValueRef table = number_table(f, numbers, count + 1);
    if (!table) {
        native_fail(f, WISP_E_MEMORY, "out of memory");
        return;
    }
    LLVMValueRef last = native_i32(u, count), args[] = {index, last};
    index = native_zext(u, native_intrinsic(u, "llvm.umin", &u->i32, 1, args, 2), u->i64);
    LLVMValueRef at = LLVMBuildGEP2(u->b, u->i16, table, &index, 1, "");
    LLVMValueRef number = native_load(u, u->i16, at, ALIAS_INVARIANT);
    LLVMValueRef choice = LLVMBuildSwitch(u->b, number, t->blocks[0], t->count - 1);
    for (uint32_t i = 1; i < t->count; i++)
        LLVMAddCase(choice, LLVMConstInt(u->i16, i, 0), t->blocks[i]);
}

static void switch_directly(native_function *f, const table_targets *t, LLVMValueRef index, const uint32_t *numbers,
                            uint32_t count)
{
    LLVMValueRef choice = LLVMBuildSwitch(f->u->b, index, t->blocks[numbers[count]], count);
    for (uint32_t i = 0; i < count; i++)
        if (numbers[i] != numbers[count]) LLVMAddCase(choice, native_i32(f->u, i), t->blocks[numbers[i]]);
    f->work += count;
}

static void fill_targets(native_function *f, const wasm_instr *i, table_targets *t, uint32_t *numbers)
{
    enum { LONG_TABLE = 1024 };
    LLVMValueRef index = native_pop_any(f);
    const uint8_t *list = i->list;
    for (uint64_t k = 0; k <= i->count; k++)
        numbers[k] = target_number(f, t, wasm_instr_label_nocheck(&list));
    settle(f, label_arity(native_label(f, t->depths[0])));
    if (i->count > LONG_TABLE)
        switch_on_table(f, t, index, numbers, i->count);
    else
        switch_directly(f, t, index, numbers, i->count);
    for (uint32_t k = 0; k < t->count && f->status == WISP_OK; k++) {
        size_t height = f->stack_count;
        const bool ticks_hidden = f->ticks_hidden;
        native_go(f->u, t->blocks[k]);
        native_branch(f, t->depths[k]);
        f->ticks_hidden = ticks_hidden;
        f->stack_count = height;
    }
}

static void emit_br_table(native_function *f, const wasm_instr *i)
{
    table_targets t = {0};
    size_t most = i->count < f->control_count ? (size_t)i->count + 1 : f->control_count;
    uint32_t *numbers = base_realloc_array(NULL, (size_t)i->count + 1, sizeof *numbers);
    t.depths = base_realloc_array(NULL, most, sizeof *t.depths);
    t.blocks = base_realloc_array(NULL, most, sizeof(LLVMBasicBlockRef));
    t.number_of = base_calloc(f->control_count, sizeof *t.number_of);
    if (numbers && t.depths && t.blocks && t.number_of)
        fill_targets(f, i, &t, numbers);
    else
        native_fail(f, WISP_E_MEMORY, "out of memory");
    base_free(numbers);
    base_free(t.depths);
    base_free(t.blocks);
    base_free(t.number_of);
    native_mark_dead(f);
}

/* br_on_null leaves the reference off when it branches and on when it does not; br_on_non_null the other way round. */
static void emit_br_on_null(native_function *f, const wasm_instr *i)
{
    native_unit *u = f->u;
    LLVMValueRef ref = native_pop_any(f);
    bool on_null = i->code == 0xd5;
    if (!on_null) native_push(f, ref);
    emit_br_if(f, LLVMBuildICmp(u->b, on_null ? LLVMIntEQ : LLVMIntNE, ref, LLVMConstNull(u->ptr), ""), i->index);
    if (on_null)
        native_push(f, ref);
    else
        (void)native_pop(f);
}

bool native_emit_control(native_function *f, const wasm_instr *i)
{
    switch (i->code) {
    case 0x00:
        LLVMBuildBr(f->u->b, native_trap_block(f, WASM_TRAP_UNREACHABLE));
        native_mark_dead(f);
        return true;
    case BLOCK:
    case LOOP:
    case IF:
    case TRY_TABLE:
        begin_block(f, i);
        return true;
    case ELSE:
        begin_else(f);
        return true;
    case END:
        end_block(f);
        return true;
    case 0x0c:
        native_branch(f, i->index);
        native_mark_dead(f);
        return true;
    case 0x0d:
        emit_br_if(f, native_pop_condition(f), i->index);
        return true;
    case 0x0e:
        emit_br_table(f, i);
        return true;
    case 0x0f:
        native_emit_return(f);
        native_mark_dead(f);
        return true;
    case 0xd5:
    case 0xd6:
        emit_br_on_null(f, i);
        return true;
    default:
        return false;
    }
}
