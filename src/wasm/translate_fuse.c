/* Arithmetic, conditions and local.set, each joined with the instruction before it where that saves one. */
#include "wasm/translate.h"

enum { I32_EQZ = 0x45, I64_EQZ = 0x50, I32_ADD = 0x6a, I32_AND = 0x71, I32_SHL = 0x74 };

/* ---- what codes are ---- */

static int integer_compare(uint32_t code, bool *wide)
{
    static const uint8_t order[] = {WASM_CMP_EQ,   WASM_CMP_NE,   WASM_CMP_LT_S, WASM_CMP_LT_U, WASM_CMP_GT_S,
                                    WASM_CMP_GT_U, WASM_CMP_LE_S, WASM_CMP_LE_U, WASM_CMP_GE_S, WASM_CMP_GE_U};
    *wide = code >= 0x51 && code <= 0x5a;
    if (code >= 0x46 && code <= 0x4f) return order[code - 0x46];
    if (code >= 0x51 && code <= 0x5a) return order[code - 0x51];
    return code == I32_AND ? WASM_CMP_TEST : -1;
}

static int float_compare(uint32_t code)
{
    static const uint8_t order[] = {WASM_CMP_EQ,   WASM_CMP_NE,   WASM_CMP_LT_S,
                                    WASM_CMP_GT_S, WASM_CMP_LE_S, WASM_CMP_GE_S};
    if (code >= 0x5b && code <= 0x66) return order[(code - 0x5b) % 6];
    return -1;
}

static int opposite(int compare)
{
    static const uint8_t of[] = {WASM_CMP_NE,   WASM_CMP_EQ,   WASM_CMP_GE_S,  WASM_CMP_LE_S,
                                 WASM_CMP_GT_S, WASM_CMP_LT_S, WASM_CMP_GE_U,  WASM_CMP_LE_U,
                                 WASM_CMP_GT_U, WASM_CMP_LT_U, WASM_CMP_NTEST, WASM_CMP_TEST};
    return of[compare];
}

static int mirrored(int compare)
{
    static const uint8_t of[] = {WASM_CMP_EQ,   WASM_CMP_NE,   WASM_CMP_GT_S, WASM_CMP_LT_S,
                                 WASM_CMP_GE_S, WASM_CMP_LE_S, WASM_CMP_GT_U, WASM_CMP_LT_U,
                                 WASM_CMP_GE_U, WASM_CMP_LE_U, WASM_CMP_TEST, WASM_CMP_NTEST};
    return of[compare];
}

/* The code that gives the same with its operands exchanged, or 0. */
static uint32_t exchanged(uint32_t code)
{
    static const uint8_t compares[] = {0, 1, 4, 5, 2, 3, 8, 9, 6, 7}, floats[] = {0, 1, 3, 2, 5, 4};
    if (code >= 0x46 && code <= 0x4f) return 0x46 + compares[code - 0x46];
    if (code >= 0x51 && code <= 0x5a) return 0x51 + compares[code - 0x51];
    if (code >= 0x5b && code <= 0x60) return 0x5b + floats[code - 0x5b];
    if (code >= 0x61 && code <= 0x66) return 0x61 + floats[code - 0x61];
    switch (code) {
    case 0x6a: /* add, mul, and, or, xor */
    case 0x6c:
    case 0x71:
    case 0x72:
    case 0x73:
    case 0x7c:
    case 0x7e:
    case 0x83:
    case 0x84:
    case 0x85:
    case 0x92:
    case 0x94:
    case 0xa0:
    case 0xa2:
        return code;
    default:
        return 0;
    }
}

/* ---- operands ---- */

bool wasm_constant_fits(const operand *o)
{
    return o->cls != WASM_CLASS_v && (o->cls != WASM_CLASS_I || !o->wide || (int64_t)o->bits == (int32_t)o->bits);
}

void wasm_put_source(insn *i, const operand *o)
{
    if (o->kind == FROM_SLOT)
        wasm_word(i, o->slot);
    else if (o->kind == FROM_CONSTANT && o->cls == WASM_CLASS_F)
        wasm_words64(i, o->bits);
    else if (o->kind == FROM_CONSTANT)
        wasm_word(i, (uint32_t)o->bits);
}

/* At most one of them in an accumulator, unless they are in two that an operation may take together. */
static void one_in_acc(translator *t, operand *a, operand *b, bool different)
{
    if (a->kind != FROM_ACC || b->kind != FROM_ACC || (different && a->cls != b->cls)) return;
    if (a->slot != NO_SLOT)
        a->kind = FROM_SLOT;
    else
        wasm_into_slot(t, b);
}

/* ---- arithmetic ---- */

static unsigned binary_form(const operand *a, const operand *b)
{
    if (b->kind == FROM_CONSTANT) return a->kind == FROM_ACC ? WASM_FORM_AC : WASM_FORM_SC;
    return a->kind == FROM_ACC ? WASM_FORM_AS : b->kind == FROM_ACC ? WASM_FORM_SA : WASM_FORM_SS;
}

void wasm_binary(translator *t, uint32_t code, uint8_t ta, uint8_t tb, uint8_t tr, bool traps, int lane)
{
    (void)ta, (void)tb, (void)traps;
    operand b = wasm_pop_operand(t), a = wasm_pop_operand(t);
    if (t->failed) return;
    if (a.kind == FROM_CONSTANT && b.kind != FROM_CONSTANT && exchanged(code)) {
        operand other = a;
        a = b;
        b = other;
        code = exchanged(code);
    }
    if (a.kind == FROM_CONSTANT) wasm_into_slot(t, &a);
    if (b.kind == FROM_CONSTANT && (!wasm_constant_fits(&b) || lane >= 0)) wasm_into_slot(t, &b);
    one_in_acc(t, &a, &b, false);
    insn i = wasm_insn_of(t, wasm_op_of(WASM_OP_SLOT(code), binary_form(&a, &b)));
    i.shape = SHAPE_BINARY;
    i.code = (uint16_t)WASM_OP_SLOT(code);
    i.a = a;
    i.b = b;
    wasm_put_source(&i, &a);
    wasm_put_source(&i, &b);
    if (lane >= 0) wasm_word(&i, (uint32_t)lane);
    wasm_push_result(t, &i, tr);
}

void wasm_unary(translator *t, uint32_t code, uint8_t tr, bool traps, int lane)
{
    (void)traps;
    operand a = wasm_pop_operand(t);
    if (t->failed) return;
    if (a.kind == FROM_CONSTANT) wasm_into_slot(t, &a);
    insn i = wasm_insn_of(t, wasm_op_of(WASM_OP_SLOT(code), a.kind == FROM_ACC ? WASM_FORM_A : WASM_FORM_S));
    i.shape = SHAPE_UNARY;
    i.code = (uint16_t)WASM_OP_SLOT(code);
    i.a = a;
    wasm_put_source(&i, &a);
    if (lane >= 0) wasm_word(&i, (uint32_t)lane);
    wasm_push_result(t, &i, tr);
}

/* ---- conditions ---- */

static void place_branch(translator *t, insn *i, uint32_t *word, uint32_t *base)
{
    *base = wasm_here(t);
    *word = *base / 4 + 2;
    wasm_add(t, i);
    wasm_flush(t);
}

/* `slot += constant` just before, and a 32-bit comparison of that slot's value: one instruction. */
static bool branch_counting(translator *t, int compare, const operand *a, const operand *b, bool backward,
                            uint32_t *word, uint32_t *base)
{
    const insn *last = wasm_last(t);
    if (!last || last->code != I32_ADD || last->shape != SHAPE_BINARY || last->b.kind != FROM_CONSTANT) return false;
    if (last->to == NO_SLOT || last->a.slot != last->to || a->kind != FROM_ACC || a->slot != last->to) return false;
    if (b->kind == FROM_ACC || (b->kind == FROM_SLOT && b->slot == last->to)) return false;
    insn i = wasm_insn_new(t, wasm_count_ops[compare][b->kind == FROM_CONSTANT][backward]);
    wasm_word(&i, 0);
    wasm_word(&i, last->to);
    wasm_word(&i, (uint32_t)last->b.bits);
    wasm_word(&i, b->kind == FROM_CONSTANT ? (uint32_t)b->bits : b->slot);
    t->queued--;
    place_branch(t, &i, word, base);
    return true;
}

static void branch_integer(translator *t, int compare, bool wide, operand a, operand b, bool backward, uint32_t *word,
                           uint32_t *base)
{
    if (b.kind == FROM_ACC) {
        const operand other = a;
        a = b;
        b = other;
        compare = mirrored(compare);
    }
    const bool acc = a.kind == FROM_ACC, constant = b.kind == FROM_CONSTANT;
    if (!wide && branch_counting(t, compare, &a, &b, backward, word, base)) return;
    insn i = wasm_insn_new(t, NULL);
    i.fn = wasm_branch_ops[wide][compare]
                          [acc ? (constant ? WASM_BR_AC : WASM_BR_AS) : (constant ? WASM_BR_SC : WASM_BR_SS)][backward];
    wasm_word(&i, 0);
    wasm_put_source(&i, &a);
    wasm_put_source(&i, &b);
    place_branch(t, &i, word, base);
}

void wasm_branch_zero(translator *t, const operand *o, bool zero, bool backward, uint32_t *word, uint32_t *base)
{
    operand a = *o;
    if (a.kind == FROM_CONSTANT) wasm_into_slot(t, &a);
    const operand b = {.kind = FROM_CONSTANT, .cls = WASM_CLASS_I};
    branch_integer(t, zero ? WASM_CMP_EQ : WASM_CMP_NE, a.wide, a, b, backward, word, base);
}

static void branch_float(translator *t, int compare, bool unless, operand a, operand b, bool backward, uint32_t *word,
                         uint32_t *base)
{
    if (b.kind == FROM_CONSTANT) wasm_into_slot(t, &b);
    insn i = wasm_insn_new(t, NULL);
    i.fn = wasm_float_branch_ops[a.cls == WASM_CLASS_F][compare][a.kind == FROM_ACC   ? WASM_FORM_AS
                                                                 : b.kind == FROM_ACC ? WASM_FORM_SA
                                                                                      : WASM_FORM_SS][unless][backward];
    wasm_word(&i, 0);
    wasm_put_source(&i, &a);
    wasm_put_source(&i, &b);
    place_branch(t, &i, word, base);
}

void wasm_branch_on(translator *t, bool unless, bool backward, uint32_t *word, uint32_t *base)
{
    operand o = wasm_pop_operand(t);
    bool wide;
    if (t->failed) return;
    for (; wasm_is_last(t, &o); t->queued--, unless = !unless) {
        const insn last = *wasm_last(t);
        const int integer = last.shape == SHAPE_BINARY ? integer_compare(last.code, &wide) : -1;
        const int floating = last.shape == SHAPE_BINARY ? float_compare(last.code) : -1;
        if (integer >= 0) {
            t->queued--;
            return branch_integer(t, unless ? opposite(integer) : integer, wide, last.a, last.b, backward, word, base);
        }
        if (floating >= 0) {
            t->queued--;
            return branch_float(t, floating, unless, last.a, last.b, backward, word, base);
        }
        if (last.shape != SHAPE_UNARY || (last.code != I32_EQZ && last.code != I64_EQZ)) break;
        o = last.a;
    }
    wasm_branch_zero(t, &o, unless, backward, word, base);
}

/* ---- local.set, local.tee ---- */

void wasm_set_local(translator *t, uint32_t local, bool keep)
{
    operand o = wasm_pop_operand(t);
    const uint32_t slot = wasm_local_slot(local);
    if (t->failed) return;
    if (wasm_is_last(t, &o)) {
        wasm_keep_local(t, local, true);
        wasm_last(t)->to = slot;
        wasm_wrote_slot(t, slot, o.cls);
    } else if (o.slot != slot) {
        wasm_keep_local(t, local, false);
        wasm_copy(t, slot, &o);
    }
    if (!keep) return;
    if (o.kind == FROM_CONSTANT)
        wasm_push_entry(t, (entry){.place = IS_CONSTANT, .cls = o.cls, .wide = o.wide, .bits = o.bits});
    else
        wasm_push_entry(t, (entry){.place = IN_LOCAL, .cls = o.cls, .wide = o.wide, .local = local});
}
