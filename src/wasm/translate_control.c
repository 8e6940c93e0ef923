/* Blocks, branches and exceptions. */
#include <string.h>

#include "wasm/translate.h"

enum { BLOCK = 0x02, LOOP = 0x03, IF = 0x04, ELSE = 0x05, TRY_TABLE = 0x1f };

/* ---- labels ---- */

static uint32_t param_count(const control *c)
{
    return c->type ? c->type->param_count : 0;
}

static uint32_t result_count(const control *c)
{
    return c->type ? c->type->result_count : c->single ? 1 : 0;
}

static uint32_t arity(const control *c)
{
    return c->opcode == LOOP ? param_count(c) : result_count(c);
}

static control *label(translator *t, uint32_t depth)
{
    return &t->controls[t->control_count - 1 - depth];
}

static bool is_function(const translator *t, const control *c)
{
    return c == t->controls;
}

static void set_word(translator *t, uint32_t word, uint32_t base, uint32_t target)
{
    if (word < t->size) t->code[word] = target - base;
}

static void add_fix(translator *t, int32_t *chain, uint32_t word, uint32_t base)
{
    if (!BASE_GROW(t->fixes, t->fix_capacity, t->fix_count + 1)) {
        t->failed = true;
        return;
    }
    t->fixes[t->fix_count] = (fix){word, base, *chain};
    *chain = (int32_t)t->fix_count++;
}

static void bind(translator *t, int32_t *chain)
{
    const uint32_t here = wasm_here(t);
    for (int32_t n = *chain; n >= 0; n = t->fixes[n].next)
        set_word(t, t->fixes[n].word, t->fixes[n].base, here);
    *chain = -1;
}

/* The branch at `base` goes to the label. */
static void aim(translator *t, control *c, uint32_t word, uint32_t base)
{
    c->targeted = true;
    if (c->opcode == LOOP)
        set_word(t, word, base, c->start);
    else
        add_fix(t, &c->fixes, word, base);
}

/* All the values of `count` types, in their homes. */
static void push_all(translator *t, const wasm_type *types, uint32_t count)
{
    for (uint32_t n = 0; n < count && !t->failed; n++)
        wasm_push_kind(t, wasm_kind_of(types[n]));
}

static void push_params(translator *t, const control *c)
{
    if (c->type) push_all(t, c->type->params, c->type->param_count);
}

static void push_results(translator *t, const control *c)
{
    if (c->type)
        push_all(t, c->type->results, c->type->result_count);
    else if (c->single)
        push_all(t, &c->single, 1);
}

bool wasm_push_control(translator *t, uint8_t opcode, const wasm_instr *i)
{
    if (!BASE_GROW(t->controls, t->control_capacity, t->control_count + 1)) return !(t->failed = true);
    control *c = &t->controls[t->control_count++];
    *c = (control){.opcode = opcode, .fixes = -1, .otherwise = -1};
    c->type = i ? i->block : t->type;
    c->single = i ? i->type : 0;
    c->height = (uint32_t)t->height - (i ? param_count(c) : 0);
    return true;
}

static void set_height(translator *t, uint32_t height)
{
    t->height = height;
    if (t->settled > height) t->settled = height;
    for (unsigned n = 0; n < WASM_CLASSES; n++)
        if (t->acc_entry[n] >= (int64_t)height) t->acc_entry[n] = -1;
}

/* ---- branches ---- */

/* Are the label's values, `count` of them under the topmost `above` entries, where they should be once settled? */
static bool in_place(const translator *t, const control *c, uint32_t count, uint32_t above)
{
    return !count || t->height - above - count == c->height;
}

static void forget_slots(translator *t, uint32_t from, uint32_t to)
{
    for (unsigned n = 0; n < WASM_CLASSES; n++)
        if (t->acc_slot[n] >= from && t->acc_slot[n] < to) t->acc_slot[n] = NO_SLOT;
}

/* The topmost entries to the homes that the label wants them in. Two and more have been settled. */
static void move_values(translator *t, const control *c)
{
    const uint32_t count = arity(c);
    if (in_place(t, c, count, 0)) {
        wasm_settle(t, t->height - count, false);
    } else if (count == 1) {
        operand o = wasm_operand_at(t, t->height - 1);
        wasm_copy(t, wasm_home(t, c->height), &o);
    } else {
        wasm_settle(t, t->height - count, false);
        insn i = wasm_insn_new(t, wasm_op_copy_many);
        wasm_word(&i, wasm_home(t, c->height));
        wasm_word(&i, wasm_home(t, t->height - count));
        wasm_word(&i, count);
        wasm_add(t, &i);
        forget_slots(t, wasm_home(t, c->height), wasm_home(t, c->height + count));
    }
}

static void jump(translator *t, control *c)
{
    insn i = wasm_insn_new(t, c->opcode == LOOP ? wasm_op_br_back : wasm_op_br);
    const uint32_t base = wasm_here(t);
    wasm_word(&i, 0);
    wasm_add(t, &i);
    wasm_flush(t);
    aim(t, c, base / 4 + 2, base);
}

static void branch_to(translator *t, uint32_t depth)
{
    control *c = label(t, depth);
    if (is_function(t, c)) {
        wasm_return(t);
    } else {
        move_values(t, c);
        jump(t, c);
    }
}

/* Around what a taken branch has to do: `unless` says when it is not taken. */
static void around(translator *t, uint32_t depth, uint32_t word, uint32_t base)
{
    uint32_t slots[WASM_CLASSES];
    memcpy(slots, t->acc_slot, sizeof slots);
    branch_to(t, depth);
    set_word(t, word, base, wasm_here(t));
    memcpy(t->acc_slot, slots, sizeof slots); /* nothing of it happened here */
}

static void br_if(translator *t, uint32_t depth)
{
    control *c = label(t, depth);
    const uint32_t count = arity(c);
    const bool direct = !is_function(t, c) && in_place(t, c, count, 1);
    uint32_t word = 0, base = 0;
    if (count && (direct || count > 1)) wasm_settle_under(t, count);
    wasm_branch_on(t, !direct, direct && c->opcode == LOOP, &word, &base);
    if (t->failed) return;
    if (direct)
        aim(t, c, word, base);
    else
        around(t, depth, word, base);
}

/* br_on_null, br_on_non_null: the reference is on top; one of the two ways keeps it. */
static void br_on(translator *t, uint32_t depth, bool null)
{
    control *c = label(t, depth);
    const uint32_t count = arity(c);
    uint32_t word = 0, base = 0;
    wasm_settle(t, t->height - 1 - (null ? count : count - 1), false);
    operand o = wasm_operand_at(t, t->height - 1);
    wasm_branch_zero(t, &o, !null, false, &word, &base); /* not taken: go around */
    if (null) t->height--;
    if (t->settled > t->height) t->settled = t->height;
    around(t, depth, word, base);
    if (null)
        t->height++;
    else
        wasm_drop(t);
}

static bool raw_words(translator *t, size_t count)
{
    if (t->size + count > UINT32_MAX / 8 || !BASE_GROW(t->code, t->code_capacity, t->size + count))
        return !(t->failed = true);
    memset(t->code + t->size, 0, count * sizeof *t->code);
    t->size += count;
    return true;
}

static void br_table(translator *t, const wasm_instr *i)
{
    operand index = wasm_pop_operand(t);
    const uint8_t *list = i->list;
    if (t->failed) return;
    if (index.kind == FROM_CONSTANT) wasm_into_slot(t, &index);
    uint32_t values = 0;
    for (uint32_t n = 0; n <= i->count; n++) /* all have the same arity: the last is as good as any */
        values = wasm_instr_label_nocheck(&list);
    values = arity(label(t, values));
    wasm_settle(t, t->height - values, false);
    insn table = wasm_insn_new(t, index.kind == FROM_ACC ? wasm_op_br_table_A : wasm_op_br_table);
    wasm_word(&table, index.kind == FROM_SLOT ? index.slot : 0);
    wasm_word(&table, i->count);
    const uint32_t base = wasm_here(t);
    wasm_add(t, &table);
    wasm_flush(t);
    const uint32_t first = (uint32_t)t->size;
    if (t->failed || !raw_words(t, ((size_t)i->count + 2) & ~(size_t)1)) return;
    t->tables++;
    list = i->list;
    for (uint32_t n = 0; n <= i->count && !wasm_translation_ends(t, n); n++) {
        const uint32_t depth = wasm_instr_label_nocheck(&list);
        control *c = label(t, depth);
        if (!is_function(t, c) && c->opcode != LOOP && in_place(t, c, values, 0)) {
            aim(t, c, first + n, base);
            continue;
        }
        if (c->stub_of != t->tables) {
            c->stub_of = t->tables;
            c->stub = wasm_here(t);
            branch_to(t, depth);
            wasm_flush(t);
        }
        set_word(t, first + n, base, c->stub);
    }
}

/* ---- blocks ---- */

static void begin_block(translator *t, const wasm_instr *i)
{
    const uint32_t params = i->block ? i->block->param_count : 0;
    wasm_settle(t, 0, true);
    if (i->code == LOOP) {
        wasm_settle(t, t->height - params, false);
        wasm_flush(t);
        wasm_forget_accs(t);
    }
    if (!wasm_push_control(t, (uint8_t)i->code, i)) return;
    if (i->code == LOOP) label(t, 0)->start = wasm_here(t);
}

static void begin_if(translator *t, const wasm_instr *i)
{
    uint32_t word = 0, base = 0;
    wasm_settle_under(t, i->block ? i->block->param_count : 0);
    wasm_branch_on(t, true, false, &word, &base);
    if (t->failed || !wasm_push_control(t, IF, i)) return;
    add_fix(t, &label(t, 0)->otherwise, word, base);
}

bool wasm_translate_else(translator *t, bool dead)
{
    control *c = label(t, 0);
    if (!dead) {
        wasm_settle(t, c->height, false);
        jump(t, c);
    }
    bind(t, &c->otherwise);
    c->opcode = ELSE;
    wasm_forget_accs(t);
    set_height(t, c->height);
    push_params(t, c);
    return false;
}

bool wasm_translate_end(translator *t, bool dead)
{
    control c = *label(t, 0);
    if (is_function(t, label(t, 0))) {
        if (!dead) wasm_return(t);
        t->control_count = 0;
        return true;
    }
    const bool merges = c.fixes >= 0 || c.otherwise >= 0;
    if (merges) {
        if (!dead) wasm_settle(t, c.height, false);
        bind(t, &c.fixes);
        bind(t, &c.otherwise);
        wasm_forget_accs(t);
    }
    if (c.opcode == TRY_TABLE) {
        const uint32_t here = wasm_here(t);
        if (c.handler < t->handler_count) {
            t->handlers[c.handler].end = here;
            t->handler = t->handlers[c.handler].outer;
        }
    }
    t->control_count--;
    if (dead && !merges) {
        set_height(t, c.height);
        return true;
    }
    if (merges) {
        set_height(t, c.height);
        push_results(t, &c);
    }
    return false;
}

/* ---- exceptions ---- */

/* Code for a catch, where the handler's values have been put under the try_table's parameters. */
static void catch_stub(translator *t, wasm_catch k)
{
    const size_t height = t->height;
    const bool reference = k.kind == WASM_CATCH_REF || k.kind == WASM_CATCH_ALL_REF;
    wasm_tag *tag = k.kind == WASM_CATCH || k.kind == WASM_CATCH_REF ? t->instance->tags[k.tag] : NULL;
    if (!BASE_GROW(t->catches, t->catch_capacity, t->catch_count + 1)) {
        t->failed = true;
        return;
    }
    t->catches[t->catch_count++] = (wasm_handler_catch){tag, reference, wasm_here(t)};
    wasm_forget_accs(t);
    if (tag) push_all(t, tag->type->params, tag->type->param_count);
    if (reference) wasm_push_kind(t, wasm_kind_of(WASM_EXNREF));
    branch_to(t, k.label);
    wasm_flush(t);
    set_height(t, (uint32_t)height);
}

static void begin_try(translator *t, const wasm_instr *i)
{
    const uint32_t params = i->block ? i->block->param_count : 0;
    wasm_settle(t, 0, true);
    wasm_settle(t, t->height - params, false);
    insn skip = wasm_insn_new(t, wasm_op_br);
    wasm_word(&skip, 0);
    const uint32_t base = wasm_here(t);
    wasm_add(t, &skip);
    wasm_flush(t);
    set_height(t, (uint32_t)t->height - params);
    if (!BASE_GROW(t->handlers, t->handler_capacity, t->handler_count + 1)) t->failed = true;
    if (t->failed) return;
    const size_t index = t->handler_count++;
    t->handlers[index] = (wasm_handler){
        .outer = t->handler, .slot = wasm_home(t, t->height), .first = (uint32_t)t->catch_count, .count = i->count};
    const uint8_t *list = i->list;
    for (uint32_t n = 0; n < i->count && !wasm_translation_ends(t, n); n++)
        catch_stub(t, wasm_instr_catch_nocheck(&list));
    if (i->block) push_all(t, i->block->params, params);
    wasm_forget_accs(t);
    const uint32_t here = wasm_here(t);
    set_word(t, base / 4 + 2, base, here);
    t->handlers[index].start = here;
    t->handler = (uint32_t)index;
    if (wasm_push_control(t, TRY_TABLE, i)) label(t, 0)->handler = (uint32_t)index;
}

static void throw_tag(translator *t, const wasm_instr *i)
{
    const wasm_tag *tag = t->instance->tags[i->index];
    const size_t from = t->height - tag->type->param_count;
    wasm_settle(t, from, false);
    insn throw = wasm_insn_new(t, wasm_op_throw);
    wasm_words_ptr(&throw, tag);
    wasm_word(&throw, wasm_home(t, from));
    wasm_add(t, &throw);
}

static void throw_ref(translator *t)
{
    operand o = wasm_pop_operand(t);
    wasm_into_slot(t, &o);
    insn i = wasm_insn_new(t, wasm_op_throw_ref);
    wasm_word(&i, o.slot);
    wasm_add(t, &i);
}

bool wasm_translate_control(translator *t, const wasm_instr *i)
{
    insn trap;
    switch (i->code) {
    case 0x00:
        trap = wasm_insn_new(t, wasm_op_unreachable);
        wasm_add(t, &trap);
        return true;
    case BLOCK:
    case LOOP:
        begin_block(t, i);
        return false;
    case IF:
        begin_if(t, i);
        return false;
    case TRY_TABLE:
        begin_try(t, i);
        return false;
    case 0x08:
        throw_tag(t, i);
        return true;
    case 0x0a:
        throw_ref(t);
        return true;
    case 0x0c:
        branch_to(t, i->index);
        return true;
    case 0x0d:
        br_if(t, i->index);
        return false;
    case 0x0e:
        br_table(t, i);
        return true;
    case 0xd5:
    case 0xd6:
        br_on(t, i->index, i->code == 0xd5);
        return false;
    default: /* return */
        wasm_return(t);
        return true;
    }
}
