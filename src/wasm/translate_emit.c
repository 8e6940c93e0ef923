/* Operands, accumulators, and the way of instructions into the buffer. */
#include <string.h>

#include "wasm/translate.h"

enum { LAZY = 64 }; /* entries that may wait at once; bounds the scans below */

uint8_t wasm_kind_of(wasm_type type)
{
    switch (type) {
    case WASM_I32:
        return WASM_CLASS_I;
    case WASM_F32:
        return WASM_CLASS_f;
    case WASM_F64:
        return WASM_CLASS_F;
    case WASM_V128:
        return WASM_CLASS_v;
    default: /* i64, references */
        return WASM_CLASS_I | KIND_WIDE;
    }
}

uint32_t wasm_home(const translator *t, size_t index)
{
    return (uint32_t)((t->locals + index) * sizeof(wasm_value));
}

uint32_t wasm_local_slot(uint32_t local)
{
    return local * (uint32_t)sizeof(wasm_value);
}

/* ---- the buffer ---- */

insn wasm_insn_new(const translator *t, wasm_op_fn fn)
{
    return (insn){.fn = fn, .to = NO_SLOT, .cls = WASM_CLASSES, .place = t->place};
}

insn wasm_insn_of(const translator *t, wasm_op_pair ops)
{
    insn i = wasm_insn_new(t, ops.to_acc);
    i.slot_fn = ops.to_slot;
    return i;
}

void wasm_word(insn *i, uint32_t word)
{
    BASE_ASSERT(i->count < MAX_WORDS);
    i->words[i->count++] = word;
}

void wasm_words64(insn *i, uint64_t bits)
{
    wasm_word(i, (uint32_t)bits);
    wasm_word(i, (uint32_t)(bits >> 32));
}

void wasm_words_ptr(insn *i, const void *p)
{
    wasm_words64(i, (uint64_t)(uintptr_t)p);
}

static void write_insn(translator *t, const insn *i)
{
    const bool slot = i->slot_fn && i->to != NO_SLOT;
    const uint32_t words = i->count + slot, halves = 2 * (1 + (words + 1) / 2);
    const wasm_op_fn fn = slot ? i->slot_fn : i->fn;
    BASE_ASSERT(fn);
    if (t->size + halves > UINT32_MAX / 8 || !BASE_GROW(t->code, t->code_capacity, t->size + halves) ||
        !BASE_GROW(t->places, t->place_capacity, t->place_count + 1)) {
        t->failed = true;
        return;
    }
    if (!t->place_count || t->places[t->place_count - 1].offset != i->place)
        t->places[t->place_count++] = (wasm_place){(uint32_t)t->size * 4, i->place};
    uint32_t *at = t->code + t->size;
    memset(at, 0, halves * sizeof *at);
    memcpy(at, &fn, sizeof fn);
    memcpy(at + 2, i->words, i->count * sizeof *at);
    if (slot) at[2 + i->count] = i->to;
    t->size += halves;
}

void wasm_flush(translator *t)
{
    for (unsigned n = 0; n < t->queued; n++)
        write_insn(t, &t->queue[n]);
    t->queued = 0;
}

void wasm_add(translator *t, const insn *i)
{
    if (t->queued == QUEUE) {
        write_insn(t, &t->queue[0]);
        memmove(t->queue, t->queue + 1, (QUEUE - 1) * sizeof *t->queue);
        t->queued--;
    }
    t->queue[t->queued++] = *i;
}

insn *wasm_last(translator *t)
{
    return t->queued ? &t->queue[t->queued - 1] : NULL;
}

uint32_t wasm_here(translator *t)
{
    wasm_flush(t);
    return (uint32_t)t->size * 4;
}

/* ---- accumulators ---- */

void wasm_forget_accs(translator *t)
{
    for (unsigned c = 0; c < WASM_CLASSES; c++) {
        t->acc_entry[c] = -1;
        t->acc_slot[c] = NO_SLOT;
    }
}

void wasm_wrote_slot(translator *t, uint32_t slot, uint32_t cls)
{
    for (unsigned c = 0; c < WASM_CLASSES; c++)
        if (t->acc_slot[c] == slot) t->acc_slot[c] = NO_SLOT;
    if (cls < WASM_CLASSES) t->acc_slot[cls] = slot;
}

static const wasm_op_fn set_ops[WASM_CLASSES] = {wasm_op_set_I, wasm_op_set_f, wasm_op_set_F, wasm_op_set_v};
static const wasm_op_fn get_ops[WASM_CLASSES] = {wasm_op_get_I, wasm_op_get_f, wasm_op_get_F, wasm_op_get_v};

/* The instruction in the queue that made what is in the accumulator, if it leaves it nowhere else as yet. */
static insn *find_maker(translator *t, uint32_t cls)
{
    for (unsigned n = t->queued; n--;) {
        insn *i = &t->queue[n];
        if (i->slot_fn && i->cls == cls) return i->to == NO_SLOT ? i : NULL;
    }
    return NULL;
}

/* The accumulator's value to a slot as well. The last instruction does it if it made the value; to an entry's home an
 * earlier one may, too: no instruction since knows that slot. */
static void store_acc(translator *t, uint32_t cls, uint32_t slot, bool home)
{
    insn *maker = find_maker(t, cls);
    if (maker && (home || maker == wasm_last(t))) {
        maker->to = slot;
    } else {
        insn i = wasm_insn_new(t, set_ops[cls]);
        wasm_word(&i, slot);
        wasm_add(t, &i);
    }
    wasm_wrote_slot(t, slot, cls);
}

void wasm_make_acc(translator *t, uint32_t cls)
{
    if (t->acc_entry[cls] >= 0) {
        size_t index = (size_t)t->acc_entry[cls];
        store_acc(t, cls, wasm_home(t, index), true);
        t->entries[index].place = IN_HOME;
        t->acc_entry[cls] = -1;
    }
    t->acc_slot[cls] = NO_SLOT;
}

/* ---- entries ---- */

void wasm_push_entry(translator *t, entry e)
{
    if (!BASE_GROW(t->entries, t->entry_capacity, t->height + 1)) {
        t->failed = true;
        return;
    }
    t->entries[t->height++] = e;
    if (t->height - t->settled > LAZY) wasm_settle_below(t, t->height - LAZY / 2);
}

void wasm_push_kind(translator *t, uint8_t kind)
{
    wasm_push_entry(t, (entry){.place = IN_HOME, .cls = kind & 3, .wide = kind & KIND_WIDE});
}

void wasm_push_result(translator *t, insn *i, uint8_t kind)
{
    const uint32_t cls = kind & 3;
    wasm_make_acc(t, cls);
    i->cls = (uint8_t)cls;
    wasm_add(t, i);
    if (t->failed) return;
    t->acc_entry[cls] = (int64_t)t->height;
    wasm_push_entry(t, (entry){.place = IN_ACC, .cls = (uint8_t)cls, .wide = kind & KIND_WIDE});
}

static operand operand_of(const translator *t, const entry *e, size_t index)
{
    operand o = {.kind = FROM_SLOT, .cls = e->cls, .wide = e->wide, .home = wasm_home(t, index), .slot = NO_SLOT};
    switch (e->place) {
    case IN_HOME:
        o.slot = o.home;
        break;
    case IN_LOCAL:
        o.slot = wasm_local_slot(e->local);
        break;
    case IN_ACC:
        o.kind = FROM_ACC;
        break;
    default:
        o.kind = FROM_CONSTANT;
        o.bits = e->bits;
        break;
    }
    if (o.kind == FROM_SLOT && t->acc_slot[e->cls] == o.slot) o.kind = FROM_ACC;
    return o;
}

operand wasm_operand_at(const translator *t, size_t index)
{
    return operand_of(t, &t->entries[index], index);
}

operand wasm_pop_operand(translator *t)
{
    if (t->failed || !t->height) { /* only after a failure */
        t->failed = true;
        return (operand){.slot = 0};
    }
    size_t index = --t->height;
    const entry *e = &t->entries[index];
    if (t->settled > t->height) t->settled = t->height;
    operand o = operand_of(t, e, index);
    if (e->place == IN_ACC) t->acc_entry[e->cls] = -1;
    return o;
}

void wasm_drop(translator *t)
{
    (void)wasm_pop_operand(t);
}

bool wasm_is_last(translator *t, const operand *o)
{
    const insn *last = wasm_last(t);
    return o->kind == FROM_ACC && o->slot == NO_SLOT && last && last->slot_fn && last->cls == o->cls &&
           last->to == NO_SLOT;
}

/* ---- moving values ---- */

void wasm_copy(translator *t, uint32_t to, const operand *o)
{
    if (o->kind == FROM_ACC) {
        store_acc(t, o->cls, to, false);
        return;
    }
    if (o->kind == FROM_CONSTANT) {
        insn i = wasm_insn_new(t, wasm_op_const_slot);
        wasm_word(&i, to);
        wasm_words64(&i, o->bits);
        wasm_add(t, &i);
    } else if (o->slot != to) {
        static const wasm_op_fn copies[WASM_CLASSES] = {wasm_op_copy64, wasm_op_copy32, wasm_op_copy64,
                                                        wasm_op_copy128};
        insn i = wasm_insn_new(t, copies[o->cls]), *last = wasm_last(t);
        if (i.fn == wasm_op_copy64 && last && last->fn == wasm_op_copy64) {
            last->fn = wasm_op_copy64_2;
            wasm_word(last, to);
            wasm_word(last, o->slot);
        } else {
            wasm_word(&i, to);
            wasm_word(&i, o->slot);
            wasm_add(t, &i);
        }
    } else {
        return;
    }
    wasm_wrote_slot(t, to, WASM_CLASSES);
}

void wasm_into_slot(translator *t, operand *o)
{
    if (o->slot == NO_SLOT) {
        if (o->kind == FROM_ACC)
            store_acc(t, o->cls, o->home, true);
        else
            wasm_copy(t, o->home, o);
        o->slot = o->home;
    }
    o->kind = FROM_SLOT;
}

void wasm_into_acc(translator *t, operand *o)
{
    if (o->kind == FROM_ACC) return;
    wasm_into_slot(t, o);
    wasm_make_acc(t, o->cls);
    insn i = wasm_insn_new(t, get_ops[o->cls]);
    wasm_word(&i, o->slot);
    wasm_add(t, &i);
    t->acc_slot[o->cls] = o->slot;
    o->kind = FROM_ACC;
}

static void settle_entry(translator *t, size_t index)
{
    entry *e = &t->entries[index];
    if (e->place == IN_HOME) return;
    if (e->place == IN_ACC) {
        store_acc(t, e->cls, wasm_home(t, index), true);
        t->acc_entry[e->cls] = -1;
    } else {
        operand o = operand_of(t, e, index);
        wasm_copy(t, o.home, &o);
    }
    e->place = IN_HOME;
}

void wasm_settle(translator *t, size_t from, bool constants)
{
    for (unsigned c = 0; c < WASM_CLASSES; c++) /* first, so that the instruction that made it can store it */
        if (t->acc_entry[c] >= (int64_t)from) settle_entry(t, (size_t)t->acc_entry[c]);
    for (size_t n = from > t->settled || !constants ? from : t->settled; n < t->height; n++)
        if (!constants || t->entries[n].place != IS_CONSTANT) settle_entry(t, n);
    if (from <= t->settled) t->settled = t->height;
}

void wasm_settle_under(translator *t, size_t values)
{
    operand top = wasm_operand_at(t, t->height - 1);
    insn held;
    const bool holding = wasm_is_last(t, &top);
    const entry e = t->entries[t->height - 1];
    const int64_t index = t->acc_entry[e.cls];
    if (holding) {
        held = t->queue[--t->queued]; /* copies go before it; they touch nothing that it reads */
        t->acc_entry[e.cls] = -1;
    }
    t->height--;
    if (t->settled > t->height) t->settled = t->height;
    wasm_settle(t, 0, true);
    wasm_settle(t, t->height - values, false);
    t->entries[t->height++] = e;
    if (!holding) return;
    t->acc_entry[e.cls] = index;
    wasm_add(t, &held);
}

void wasm_settle_below(translator *t, size_t below)
{
    for (size_t n = t->settled; n < below; n++)
        if (t->entries[n].place != IS_CONSTANT) settle_entry(t, n);
    if (below > t->settled) t->settled = below;
}

void wasm_keep_local(translator *t, uint32_t local, bool last)
{
    insn held;
    bool holding = false;
    for (size_t n = t->settled; n < t->height; n++) {
        entry *e = &t->entries[n];
        if (e->place != IN_LOCAL || e->local != local) continue;
        if (last && !holding) { /* the copies go before it; they touch nothing that it reads */
            held = t->queue[--t->queued];
            holding = true;
        }
        const operand o = {.kind = FROM_SLOT, .cls = e->cls, .slot = wasm_local_slot(local)};
        wasm_copy(t, wasm_home(t, n), &o);
        e->place = IN_HOME;
    }
    if (holding) wasm_add(t, &held);
}
