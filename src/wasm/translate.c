/* From a function's validated body to register code (regcode.h), on its first call. */
#include <stdio.h>
#include <string.h>

#include "wasm/fault.h"
#include "wasm/translate.h"

uint8_t wasm_kind_of_letter(char letter)
{
    switch (letter) {
    case 'i':
        return WASM_CLASS_I;
    case 'f':
        return WASM_CLASS_f;
    case 'F':
        return WASM_CLASS_F;
    case 'v':
        return WASM_CLASS_v;
    default:
        return WASM_CLASS_I | KIND_WIDE;
    }
}

/* ---- constants, references, variables ---- */

static void push_constant(translator *t, uint8_t kind, uint64_t bits)
{
    wasm_push_entry(t, (entry){.place = IS_CONSTANT, .cls = kind & 3, .wide = kind & KIND_WIDE, .bits = bits});
}

static void v128_constant(translator *t, const uint8_t *bytes)
{
    insn i = wasm_insn_new(t, wasm_op_const128_slot);
    uint32_t words[4];
    memcpy(words, bytes, sizeof words);
    const uint32_t home = wasm_home(t, t->height);
    wasm_word(&i, home);
    for (unsigned n = 0; n < 4; n++)
        wasm_word(&i, words[n]);
    wasm_add(t, &i);
    wasm_wrote_slot(t, home, WASM_CLASSES);
    wasm_push_kind(t, WASM_CLASS_v);
}

static void shuffle(translator *t, const uint8_t *lanes)
{
    operand b = wasm_pop_operand(t), a = wasm_pop_operand(t);
    uint32_t words[4];
    memcpy(words, lanes, sizeof words);
    if (t->failed) return;
    wasm_into_slot(t, &b);
    wasm_into_slot(t, &a);
    insn i = wasm_insn_of(t, (wasm_op_pair){wasm_op_shuffle, wasm_op_shuffle_slot});
    wasm_word(&i, a.slot);
    wasm_word(&i, b.slot);
    for (unsigned n = 0; n < 4; n++)
        wasm_word(&i, words[n]);
    wasm_push_result(t, &i, WASM_CLASS_v);
}

static void ternary(translator *t, uint32_t code)
{
    operand c = wasm_pop_operand(t), b = wasm_pop_operand(t), a = wasm_pop_operand(t);
    if (t->failed) return;
    operand *list[] = {&a, &b, &c};
    unsigned form = WASM_FORM_SSS;
    for (unsigned n = 3; n--;) {
        if (list[n]->kind == FROM_ACC && (list[n]->slot == NO_SLOT || form == WASM_FORM_SSS)) {
            if (form != WASM_FORM_SSS) list[form - WASM_FORM_ASS]->kind = FROM_SLOT;
            form = WASM_FORM_ASS + n;
        } else {
            wasm_into_slot(t, list[n]);
        }
    }
    insn i = wasm_insn_of(t, wasm_op_of(WASM_OP_SLOT(code), form));
    for (unsigned n = 0; n < 3; n++)
        if (list[n]->kind == FROM_SLOT) wasm_word(&i, list[n]->slot);
    wasm_push_result(t, &i, WASM_CLASS_v);
}

static bool is_small(const operand *o)
{
    return o->kind == FROM_CONSTANT && (int64_t)o->bits == (int32_t)o->bits;
}

extern const wasm_op_pair wasm_select_ops[WASM_CLASSES][2], wasm_select_constant_ops[3];

static void select(translator *t)
{
    operand c = wasm_pop_operand(t), b = wasm_pop_operand(t), a = wasm_pop_operand(t);
    if (t->failed) return;
    const uint8_t kind = (uint8_t)(a.cls | a.wide);
    const bool constants = a.cls == WASM_CLASS_I && (is_small(&a) || is_small(&b));
    if (!is_small(&a) || a.cls != WASM_CLASS_I) wasm_into_slot(t, &a);
    if (!is_small(&b) || b.cls != WASM_CLASS_I) wasm_into_slot(t, &b);
    if (c.kind == FROM_CONSTANT || (constants && c.kind == FROM_SLOT)) {
        if (c.slot == NO_SLOT) wasm_into_slot(t, &c);
        if (constants) wasm_into_acc(t, &c);
    }
    insn i = wasm_insn_of(t, constants ? wasm_select_constant_ops[a.kind == FROM_SLOT   ? 0
                                                                  : b.kind == FROM_SLOT ? 1
                                                                                        : 2]
                                       : wasm_select_ops[a.cls][c.kind == FROM_ACC]);
    wasm_word(&i, a.kind == FROM_SLOT ? a.slot : (uint32_t)a.bits);
    wasm_word(&i, b.kind == FROM_SLOT ? b.slot : (uint32_t)b.bits);
    if (c.kind == FROM_SLOT) wasm_word(&i, c.slot);
    wasm_push_result(t, &i, kind);
}

static const wasm_op_pair global_get_ops[WASM_CLASSES] = {
    {wasm_op_global_get_I, wasm_op_global_get_I_slot},
    {wasm_op_global_get_f, wasm_op_global_get_f_slot},
    {wasm_op_global_get_F, wasm_op_global_get_F_slot},
    {wasm_op_global_get_v, wasm_op_global_get_v_slot},
};
static const wasm_op_fn global_set_ops[WASM_CLASSES] = {wasm_op_global_set_I, wasm_op_global_set_f,
                                                        wasm_op_global_set_F, wasm_op_global_set_v};

static void global(translator *t, const wasm_instr *instr)
{
    wasm_global *g = t->instance->globals[instr->index];
    const uint8_t kind = wasm_kind_of(t->module->globals[instr->index].type);
    if (instr->code == 0x23) {
        insn i = wasm_insn_of(t, global_get_ops[kind & 3]);
        wasm_words_ptr(&i, &g->value);
        wasm_push_result(t, &i, kind);
    } else {
        operand o = wasm_pop_operand(t);
        if (t->failed) return;
        wasm_into_acc(t, &o);
        insn i = wasm_insn_new(t, global_set_ops[kind & 3]);
        wasm_words_ptr(&i, &g->value);
        wasm_add(t, &i);
    }
}

static void as_non_null(translator *t)
{
    operand o = wasm_pop_operand(t);
    if (t->failed) return;
    wasm_into_slot(t, &o);
    insn i = wasm_insn_new(t, wasm_op_as_non_null);
    wasm_word(&i, o.slot);
    wasm_add(t, &i);
    t->height++; /* as it was, or in its home */
    entry *e = &t->entries[t->height - 1];
    if (e->place == IN_ACC || e->place == IS_CONSTANT) e->place = IN_HOME;
}

static void special(translator *t, const wasm_instr *i)
{
    switch (i->code) {
    case 0x1a:
        wasm_drop(t);
        break;
    case 0x1b:
    case 0x1c:
        select(t);
        break;
    case 0x20:
        wasm_push_entry(t, (entry){.place = IN_LOCAL,
                                   .cls = t->kinds[i->index] & 3,
                                   .wide = t->kinds[i->index] & KIND_WIDE,
                                   .local = i->index});
        break;
    case 0x21:
    case 0x22:
        wasm_set_local(t, i->index, i->code == 0x22);
        break;
    case 0x23:
    case 0x24:
        global(t, i);
        break;
    case 0xd0:
        push_constant(t, WASM_CLASS_I | KIND_WIDE, 0);
        break;
    case 0xd1:
        wasm_unary(t, 0x50, WASM_CLASS_I, false, -1); /* i64.eqz */
        break;
    case 0xd2:
        push_constant(t, WASM_CLASS_I | KIND_WIDE, (uint64_t)(uintptr_t)t->instance->funcs[i->index]);
        break;
    case 0xd4:
        as_non_null(t);
        break;
    default:
        wasm_translate_bulk(t, i);
        break;
    }
}

/* ---- one instruction ---- */

static void simple(translator *t, const wasm_instr *i, const wasm_op_info *op)
{
    const char *colon = strchr(op->signature, ':');
    const int lane = op->immediate == WASM_IMM_LANE ? i->lane : -1;
    const uint8_t result = wasm_kind_of_letter(colon[1]);
    if (i->code == 0xad && t->height) { /* i64.extend_i32_u: a slot holds an i32 so */
        t->entries[t->height - 1].wide = KIND_WIDE;
        return;
    }
    switch (colon - op->signature) {
    case 1:
        wasm_unary(t, i->code, result, true, lane);
        break;
    case 2:
        wasm_binary(t, i->code, wasm_kind_of_letter(op->signature[0]), wasm_kind_of_letter(op->signature[1]), result,
                    true, lane);
        break;
    case 3:
        ternary(t, i->code);
        break;
    default: /* nop */
        break;
    }
}

/* True: what follows is dead. */
static bool translate(translator *t, const wasm_instr *i)
{
    const uint32_t code = i->code;
    const wasm_op_info *op = wasm_op(code);
    if (code >= 0x10 && code <= 0x15) return wasm_translate_call(t, i);
    if (code != 0x01 && (code <= 0x0f || code == 0x1f || code == 0xd5 || code == 0xd6))
        return wasm_translate_control(t, i);
    switch (op->immediate) {
    case WASM_IMM_SPECIAL:
        special(t, i);
        break;
    case WASM_IMM_MEMARG:
    case WASM_IMM_MEMARG_LANE:
        wasm_translate_access(t, i, op);
        break;
    case WASM_IMM_SHUFFLE:
        shuffle(t, i->bytes);
        break;
    case WASM_IMM_V128:
        v128_constant(t, i->bytes);
        break;
    case WASM_IMM_I32:
    case WASM_IMM_I64:
    case WASM_IMM_F32:
    case WASM_IMM_F64:
        push_constant(t, wasm_kind_of_letter(op->signature[1]), i->bits);
        break;
    default:
        simple(t, i, op);
        break;
    }
    return false;
}

static bool opens(uint32_t code)
{
    return (code >= 0x02 && code <= 0x04) || code == 0x1f;
}

/* A tick is taken by calls and backward branches only, and 256 of them are granted at once: so that an interruption is
 * not late, what lies between two of them must be short, or look for itself. */
static void look_now_and_then(translator *t)
{
    enum { LOOK_EVERY = 4096 }; /* halves of cells: some 800 instructions */
    if (t->size - t->looked < LOOK_EVERY) return;
    t->looked = t->size;
    insn i = wasm_insn_new(t, wasm_op_look);
    wasm_add(t, &i);
}

bool wasm_translation_ends(translator *t, uint32_t done)
{
    if (done % 64 == 63 && wasm_store_interrupted(t->store)) t->failed = true;
    return t->failed;
}

static void translate_body(translator *t)
{
    bool dead = false;
    uint32_t nested = 0; /* blocks opened in dead code */
    t->pc = t->func->code->start;
    for (uint32_t done = 0; t->control_count && !wasm_translation_ends(t, done); done++) {
        wasm_instr i;
        wasm_instr_read_nocheck(&i, t->module, &t->pc);
        t->place = (uint32_t)(t->pc - t->module->bytes.data);
        if (dead && (nested || (i.code != 0x05 && i.code != 0x0b))) {
            nested += opens(i.code);
            nested -= i.code == 0x0b;
        } else if (i.code == 0x05) {
            dead = wasm_translate_else(t, dead);
        } else if (i.code == 0x0b) {
            dead = wasm_translate_end(t, dead);
        } else {
            look_now_and_then(t);
            dead = translate(t, &i);
        }
    }
    wasm_flush(t);
}

/* ---- the function ---- */

static uint32_t leb_nocheck(const uint8_t **pc)
{
    uint32_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = *(*pc)++;
        v |= (uint32_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return v;
}

/* core §5.5.13: the classes of all locals */
static bool read_locals(translator *t)
{
    const wasm_code *code = t->func->code;
    t->locals = code->params + code->locals;
    if (!BASE_GROW(t->kinds, t->kind_capacity, (size_t)t->locals + 1)) return false;
    uint32_t at = 0;
    for (; at < code->params; at++)
        t->kinds[at] = wasm_kind_of(t->type->params[at]);
    const uint8_t *pc = code->body.data;
    for (uint32_t groups = leb_nocheck(&pc); groups--;) {
        uint32_t count = leb_nocheck(&pc);
        const uint8_t type = *pc++;
        if (type == 0x63 || type == 0x64) (void)leb_nocheck(&pc); /* the heap type */
        const uint8_t kind = wasm_kind_of(type);
        for (; count && at < t->locals; count--)
            t->kinds[at++] = kind;
    }
    return true;
}

static void enter(translator *t)
{
    const wasm_code *code = t->func->code;
    /* zeroing goes by two slots */
    const uint64_t slots = (uint64_t)t->locals + code->operands + (code->locals % 2 && !code->operands);
    insn i = wasm_insn_new(t, code->locals == 0   ? wasm_op_enter
                              : code->locals == 1 ? wasm_op_enter_zero1
                              : code->locals == 2 ? wasm_op_enter_zero2
                                                  : wasm_op_enter_zero);
    wasm_word(&i, (uint32_t)(slots * sizeof(wasm_value)));
    if (code->locals) wasm_word(&i, wasm_local_slot(code->params));
    if (code->locals > 2) wasm_word(&i, code->locals);
    wasm_add(t, &i);
}

static wisp_status out_of_memory(wasm_store *store)
{
    snprintf(store->reason, sizeof store->reason, "out of memory for a function's code");
    return WISP_E_MEMORY;
}

static void *keep(translator *t, const void *from, size_t count, size_t size)
{
    void *to = wasm_arena_array(&t->instance->arena, count ? count : 1, size);
    if (to && count) memcpy(to, from, count * size);
    return to;
}

/* From the translator's buffers to the instance's memory. */
static wisp_status finish(translator *t)
{
    wasm_store *store = t->store;
    wasm_body *body = wasm_arena_array(&t->instance->arena, 1, sizeof *body);
    if (!body || !BASE_GROW(store->bodies, store->body_capacity, store->body_count + 1)) return out_of_memory(store);
    *body = (wasm_body){.func = t->func,
                        .code = keep(t, t->code, t->size / 2, sizeof(wasm_cell)),
                        .size = (uint32_t)t->size * 4,
                        .places = keep(t, t->places, t->place_count, sizeof *t->places),
                        .place_count = (uint32_t)t->place_count,
                        .handlers = keep(t, t->handlers, t->handler_count, sizeof *t->handlers),
                        .handler_count = (uint32_t)t->handler_count,
                        .catches = keep(t, t->catches, t->catch_count, sizeof *t->catches)};
    if (!body->code || !body->places || !body->handlers || !body->catches) return out_of_memory(store);
    store->bodies[store->body_count++] = body;
    store->bodies_sorted = false;
    t->func->entry = body->code;
    return WISP_OK;
}

static void begin(translator *t, wasm_func *func)
{
    t->func = func;
    t->instance = func->instance;
    t->module = func->instance->module;
    t->type = &t->module->types[t->module->funcs[func->index]];
    t->place = (uint32_t)(func->code->start - t->module->bytes.data);
    t->guarded = t->module->memory_count && t->instance->memory0->guarded;
    t->failed = false;
    t->height = t->settled = t->control_count = t->size = t->fix_count = 0;
    t->place_count = t->handler_count = t->catch_count = t->looked = 0;
    t->handler = WASM_NO_INDEX;
    t->queued = 0;
    wasm_forget_accs(t);
}

wisp_status wasm_translate(wasm_store *store, wasm_func *func)
{
    if (!store->translator && !(store->translator = base_calloc(1, sizeof *store->translator)))
        return out_of_memory(store);
    translator *t = store->translator;
    t->store = store;
    begin(t, func);
    if (!read_locals(t)) return out_of_memory(store);
    enter(t);
    if (!wasm_push_control(t, 0, NULL)) return out_of_memory(store);
    translate_body(t);
    if (t->failed && wasm_store_interrupted(store)) return wasm_interrupted(store);
    return t->failed ? out_of_memory(store) : finish(t);
}

void wasm_translator_free(translator *t)
{
    if (!t) return;
    base_free(t->kinds);
    base_free(t->entries);
    base_free(t->controls);
    base_free(t->code);
    base_free(t->fixes);
    base_free(t->places);
    base_free(t->handlers);
    base_free(t->catches);
    base_free(t);
}
