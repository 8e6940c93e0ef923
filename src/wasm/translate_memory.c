/* Loads and stores, and what works on memories and tables as a whole. */
#include "wasm/translate.h"

/* A constant address that fits into the offset with it. */
static bool is_absolute(const operand *address, uint64_t offset)
{
    return address->kind == FROM_CONSTANT && address->bits + offset <= UINT32_MAX;
}

/* ---- memory 0 behind guard pages ---- */

enum { I32_ADD = 0x6a };

/* The sum that the last instruction makes for the address: taken along if there is no offset. Writes its operands. */
static unsigned take_sum(translator *t, const operand *a, uint64_t offset, insn *i, unsigned sum,
                         unsigned with_constant)
{
    if (offset || !wasm_is_last(t, a)) return 0;
    const insn last = *wasm_last(t);
    if (last.shape != SHAPE_BINARY || last.code != I32_ADD || last.a.slot == NO_SLOT) return 0;
    if (last.b.kind == FROM_CONSTANT) {
        wasm_word(i, last.a.slot);
        wasm_word(i, (uint32_t)last.b.bits);
    } else if (last.b.slot != NO_SLOT) {
        wasm_word(i, last.a.slot);
        wasm_word(i, last.b.slot);
    } else {
        return 0;
    }
    t->queued--;
    return last.b.kind == FROM_CONSTANT ? with_constant : sum;
}

static void set_ops(insn *i, wasm_op_pair ops)
{
    i->fn = ops.to_acc;
    i->slot_fn = ops.to_slot;
}

static void load(translator *t, const wasm_instr *instr, uint8_t kind)
{
    const uint32_t code = WASM_OP_SLOT(instr->code);
    operand a = wasm_pop_operand(t);
    if (t->failed) return;
    insn i = wasm_insn_new(t, NULL);
    uint64_t offset = instr->offset;
    unsigned form = take_sum(t, &a, offset, &i, WASM_LOAD_X, WASM_LOAD_D);
    i.shape = SHAPE_LOAD;
    i.code = (uint16_t)code;
    i.a = a;
    if (form) {
        set_ops(&i, wasm_op_of(code, form));
        wasm_push_result(t, &i, kind);
        return;
    }
    if (is_absolute(&a, offset)) {
        form = WASM_LOAD_K;
        offset += a.bits;
    } else {
        if (a.kind == FROM_CONSTANT) wasm_into_slot(t, &a);
        if (a.kind == FROM_ACC)
            form = WASM_LOAD_A;
        else
            wasm_word(&i, a.slot);
    }
    set_ops(&i, wasm_op_of(code, form));
    wasm_word(&i, (uint32_t)offset);
    wasm_push_result(t, &i, kind);
}

static const uint8_t store_forms[3][3] = {
    /* address, value: slot, accumulator, constant */
    [FROM_SLOT] = {WASM_STORE_SS, WASM_STORE_SA, WASM_STORE_SC},
    [FROM_ACC] = {WASM_STORE_AS, WASM_STORE_AA, WASM_STORE_AC},
    [FROM_CONSTANT] = {WASM_STORE_KS, WASM_STORE_KA, WASM_STORE_KC},
};

static void store(translator *t, const wasm_instr *instr)
{
    const uint32_t code = WASM_OP_SLOT(instr->code);
    operand value = wasm_pop_operand(t), a = wasm_pop_operand(t);
    if (t->failed) return;
    uint64_t offset = instr->offset;
    if (is_absolute(&a, offset))
        offset += a.bits;
    else if (a.kind == FROM_CONSTANT)
        wasm_into_slot(t, &a);
    if (value.kind == FROM_CONSTANT && !wasm_constant_fits(&value)) wasm_into_slot(t, &value);
    if (a.kind == FROM_ACC && value.kind == FROM_ACC && a.cls == value.cls) {
        if (a.slot != NO_SLOT)
            a.kind = FROM_SLOT;
        else
            wasm_into_slot(t, &value);
    }
    insn i = wasm_insn_new(t, NULL);
    const unsigned form = value.kind == FROM_SLOT ? take_sum(t, &a, offset, &i, WASM_STORE_XS, WASM_STORE_DS) : 0;
    i.fn = wasm_store_op_of(code, form ? form : store_forms[a.kind][value.kind]);
    if (form) {
        wasm_put_source(&i, &value);
        wasm_add(t, &i);
        return;
    }
    if (a.kind == FROM_SLOT) wasm_word(&i, a.slot);
    wasm_word(&i, (uint32_t)offset);
    wasm_put_source(&i, &value);
    wasm_add(t, &i);
}

/* ---- any memory, checked ---- */

static void put_memory(translator *t, insn *i, const wasm_instr *instr)
{
    wasm_words_ptr(i, t->instance->memories[instr->index]);
    wasm_words64(i, instr->offset);
}

static void load_checked(translator *t, const wasm_instr *instr, uint8_t kind)
{
    operand a = wasm_pop_operand(t);
    if (t->failed) return;
    if (a.kind == FROM_CONSTANT) wasm_into_slot(t, &a);
    insn i = wasm_insn_of(t, wasm_checked_load_op_of(WASM_OP_SLOT(instr->code), a.kind == FROM_ACC));
    if (a.kind == FROM_SLOT) wasm_word(&i, a.slot);
    put_memory(t, &i, instr);
    wasm_push_result(t, &i, kind);
}

static void store_checked(translator *t, const wasm_instr *instr)
{
    operand value = wasm_pop_operand(t), a = wasm_pop_operand(t);
    if (t->failed) return;
    if (a.kind == FROM_CONSTANT) wasm_into_slot(t, &a);
    if (value.kind == FROM_CONSTANT) wasm_into_slot(t, &value);
    if (a.kind == FROM_ACC && value.kind == FROM_ACC && a.cls == value.cls) {
        if (a.slot != NO_SLOT)
            a.kind = FROM_SLOT;
        else
            wasm_into_slot(t, &value);
    }
    const unsigned form = (a.kind == FROM_ACC ? 2u : 0u) + (value.kind == FROM_ACC);
    insn i = wasm_insn_new(t, wasm_checked_store_op_of(WASM_OP_SLOT(instr->code), form));
    if (a.kind == FROM_SLOT) wasm_word(&i, a.slot);
    if (value.kind == FROM_SLOT) wasm_word(&i, value.slot);
    put_memory(t, &i, instr);
    wasm_add(t, &i);
}

static void access_lane(translator *t, const wasm_instr *instr, bool loads)
{
    operand vector = wasm_pop_operand(t), a = wasm_pop_operand(t);
    if (t->failed) return;
    wasm_into_slot(t, &vector);
    wasm_into_slot(t, &a);
    insn i = wasm_insn_of(t, wasm_op_of(WASM_OP_SLOT(instr->code), WASM_FORM_SS));
    wasm_word(&i, a.slot);
    wasm_word(&i, vector.slot);
    wasm_word(&i, instr->lane);
    put_memory(t, &i, instr);
    if (loads)
        wasm_push_result(t, &i, WASM_CLASS_v);
    else
        wasm_add(t, &i);
}

void wasm_translate_access(translator *t, const wasm_instr *i, const wasm_op_info *op)
{
    const bool guarded = i->index == 0 && t->guarded;
    const bool loads = op->signature[1] == ':' || op->signature[3]; /* "a:r", "av:v"; "ax:" */
    if (op->immediate == WASM_IMM_MEMARG_LANE)
        access_lane(t, i, loads);
    else if (loads && guarded)
        load(t, i, wasm_kind_of_letter(op->signature[2]));
    else if (loads)
        load_checked(t, i, wasm_kind_of_letter(op->signature[2]));
    else if (guarded)
        store(t, i);
    else
        store_checked(t, i);
}

/* ---- tables and memories as a whole ---- */

typedef struct bulk {
    wasm_op_fn fn;
    uint8_t arguments;
    char result; /* 'i': an i32, 'r': a reference or i64, 0: none */
} bulk;

static bulk describe(uint32_t code)
{
    switch (code) {
    case 0x25:
        return (bulk){wasm_op_table_get, 1, 'r'};
    case 0x26:
        return (bulk){wasm_op_table_set, 2, 0};
    case 0x3f:
        return (bulk){wasm_op_memory_size, 0, 'i'};
    case 0x40:
        return (bulk){wasm_op_memory_grow, 1, 'i'};
    case 0xfc008:
        return (bulk){wasm_op_memory_init, 3, 0};
    case 0xfc009:
        return (bulk){wasm_op_data_drop, 0, 0};
    case 0xfc00a:
        return (bulk){wasm_op_memory_copy, 3, 0};
    case 0xfc00b:
        return (bulk){wasm_op_memory_fill, 3, 0};
    case 0xfc00c:
        return (bulk){wasm_op_table_init, 3, 0};
    case 0xfc00d:
        return (bulk){wasm_op_elem_drop, 0, 0};
    case 0xfc00e:
        return (bulk){wasm_op_table_copy, 3, 0};
    case 0xfc00f:
        return (bulk){wasm_op_table_grow, 2, 'i'};
    case 0xfc010:
        return (bulk){wasm_op_table_size, 0, 'i'};
    default: /* 0xfc011 */
        return (bulk){wasm_op_table_fill, 3, 0};
    }
}

static void put_objects(const translator *t, insn *i, const wasm_instr *instr)
{
    const wasm_instance *n = t->instance;
    switch (instr->code) {
    case 0x3f:
    case 0xfc00b:
        wasm_words_ptr(i, n->memories[instr->index]);
        break;
    case 0x40:
        wasm_words_ptr(i, n->memories[instr->index]);
        wasm_words_ptr(i, n);
        break;
    case 0xfc008:
    case 0xfc00c:
        wasm_words_ptr(i, n);
        wasm_word(i, instr->index2);
        wasm_word(i, instr->index);
        break;
    case 0xfc009:
    case 0xfc00d:
        wasm_words_ptr(i, n);
        wasm_word(i, instr->index);
        break;
    case 0xfc00a:
        wasm_words_ptr(i, n->memories[instr->index]);
        wasm_words_ptr(i, n->memories[instr->index2]);
        break;
    case 0xfc00e:
        wasm_words_ptr(i, n->tables[instr->index]);
        wasm_words_ptr(i, n->tables[instr->index2]);
        break;
    default:
        wasm_words_ptr(i, n->tables[instr->index]);
        break;
    }
}

static bool is64(const translator *t, const wasm_instr *instr)
{
    const bool memory = instr->code == 0x3f || instr->code == 0x40;
    return memory ? t->instance->memories[instr->index]->range.is64 : t->instance->tables[instr->index]->range.is64;
}

void wasm_translate_bulk(translator *t, const wasm_instr *instr)
{
    const bulk b = describe(instr->code);
    const size_t from = t->height - b.arguments;
    insn i = wasm_insn_new(t, b.fn);
    wasm_settle(t, from, false);
    t->height = from;
    if (t->settled > from) t->settled = from;
    wasm_word(&i, wasm_home(t, from));
    put_objects(t, &i, instr);
    wasm_add(t, &i);
    if (!b.result) return;
    wasm_wrote_slot(t, wasm_home(t, from), WASM_CLASSES);
    wasm_push_kind(t, b.result == 'r' || is64(t, instr) ? WASM_CLASS_I | KIND_WIDE : WASM_CLASS_I);
}
