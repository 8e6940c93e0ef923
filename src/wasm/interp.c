/* The interpreter: runs the module's own bytes, in place, with the validator's table of branches beside them.
 *
 * `pc` is the next byte, `st` the next branch entry, `sp` the first free slot, `fp` the frame's first local. Nothing
 * here checks what validation has proved (core §3), so reads of immediates are `_nocheck`. Every memory access goes
 * through ADDRESS. */
#include <string.h>

#include "wasm/machine.h"
#include "wasm/native_abi.h"
#include "wasm/simd.h"

/* ---- immediates ---- */

static inline uint64_t leb_rest_nocheck(const uint8_t **pc, uint64_t v)
{
    v &= 0x7f;
    for (unsigned shift = 7; shift < 64; shift += 7) {
        uint8_t byte = *(*pc)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return v;
}

static inline uint64_t leb_nocheck(const uint8_t **pc)
{
    uint64_t v = *(*pc)++;
    return WASM_LIKELY(v < 0x80) ? v : leb_rest_nocheck(pc, v);
}

static inline int64_t leb_signed_nocheck(const uint8_t **pc)
{
    uint8_t byte = **pc;
    if (WASM_LIKELY(byte < 0x80)) { /* -64 to 63, the commonest constants */
        ++*pc;
        return (int64_t)((uint64_t)byte << 57) >> 57;
    }
    uint64_t v = 0;
    unsigned shift = 0;
    do {
        byte = *(*pc)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80 && shift < 64);
    if (shift < 64 && byte & 0x40) v |= ~(uint64_t)0 << shift;
    return (int64_t)v;
}

/* The loop's `pc` must stay in a register, so its address is never taken: these work on a copy. */
#define LEB                                                                                                            \
    ({                                                                                                                 \
        const uint8_t *copy_ = pc;                                                                                     \
        uint64_t value_ = leb_nocheck(&copy_);                                                                         \
        pc = copy_;                                                                                                    \
        value_;                                                                                                        \
    })
#define LEB_SIGNED                                                                                                     \
    ({                                                                                                                 \
        const uint8_t *copy_ = pc;                                                                                     \
        int64_t value_ = leb_signed_nocheck(&copy_);                                                                   \
        pc = copy_;                                                                                                    \
        value_;                                                                                                        \
    })
#define SKIP(what)                                                                                                     \
    do {                                                                                                               \
        const uint8_t *copy_ = pc;                                                                                     \
        what(&copy_);                                                                                                  \
        pc = copy_;                                                                                                    \
    } while (0)

static inline void skip_leb_nocheck(const uint8_t **pc)
{
    while (*(*pc)++ & 0x80) {
    }
}

static inline void skip_block_type_nocheck(const uint8_t **pc)
{
    uint8_t first = *(*pc)++;
    if (WASM_UNLIKELY(first & 0x80))
        skip_leb_nocheck(pc);
    else if (WASM_UNLIKELY(first == 0x63 || first == 0x64))
        skip_leb_nocheck(pc); /* (ref null? ht) */
}

/* ---- memory ---- */

/* The general case of an access: another memory than 0, a 64-bit one, or out of bounds (then NULL). `pc` is at the
 * memarg. */
static __attribute__((noinline)) uint8_t *address_slow(const wasm_instance *I, const uint8_t **pc, uint64_t address,
                                                       unsigned size)
{
    uint64_t flags = leb_nocheck(pc);
    const wasm_memory *memory = flags & 0x40 ? I->memories[leb_nocheck(pc)] : I->memory0;
    uint64_t at;
    if (__builtin_add_overflow(address, leb_nocheck(pc), &at) || !wasm_inside(at, size, memory->size)) return NULL;
    return memory->data + at;
}

/* Sets `p` to the effective address of `size` bytes, and moves `pc` past the memarg. The fast path is memory 0 with a
 * 32-bit address: no sum of u32s can wrap, and `mem_size` is 0 for any other memory. Guard pages would drop its test.
 */
#define ADDRESS(p, index, size)                                                                                        \
    uint8_t *p;                                                                                                        \
    {                                                                                                                  \
        const uint8_t *after_ = pc + 1;                                                                                \
        uint64_t at_ = *after_++;                                                                                      \
        if (WASM_UNLIKELY(at_ >= 0x80)) at_ = leb_rest_nocheck(&after_, at_);                                          \
        at_ += (index);                                                                                                \
        if (WASM_LIKELY(*pc < 0x40 && at_ + ((size)-1) < mem_size)) {                                                  \
            p = mem + at_;                                                                                             \
            pc = after_;                                                                                               \
        } else {                                                                                                       \
            after_ = pc;                                                                                               \
            p = address_slow(I, &after_, (index), size);                                                               \
            pc = after_;                                                                                               \
            if (!p) TRAP(MEMORY);                                                                                      \
        }                                                                                                              \
    }

/* ---- slots ---- */

#define GET_i(s) ((s)->u32)
#define GET_I(s) ((s)->u64)
#define GET_f(s) ((s)->f32)
#define GET_F(s) ((s)->f64)
#define GET_fbits(s) ((s)->u32)
#define GET_Fbits(s) ((s)->u64)
#define GET_v(s) (*(const v128 *)(s)->v128)
#define SET_i(s, x) ((s)->u64 = (uint32_t)(x))
#define SET_I(s, x) ((s)->u64 = (x))
#define SET_f(s, x) ((s)->f32 = (x))
#define SET_F(s, x) ((s)->f64 = (x))
#define SET_fbits(s, x) ((s)->u32 = (x))
#define SET_Fbits(s, x) ((s)->u64 = (x))
#define SET_v(s, x) (*(v128 *)(s)->v128 = (v128)(x))
#define TYPE_i uint32_t
#define TYPE_I uint64_t
#define TYPE_f float
#define TYPE_F double
#define TYPE_fbits uint32_t
#define TYPE_Fbits uint64_t
#define TYPE_v v128

/* Slots are written 8 bytes at a time by scalar code and 16 at a time by vector code. A 16-byte load just after an
 * 8-byte store waits for the cache (the store buffer cannot forward it), which costs more than the instruction itself;
 * hence: copies in functions without vectors move 8 bytes, in others the local's kind decides, and where it is not
 * known two halves are moved. The asm keeps the compiler from joining them. */
static inline void copy_slot(wasm_value *to, const wasm_value *from)
{
    uint64_t low = from->words[0], high = from->words[1];
    __asm__("" : "+r"(low));
    to->words[0] = low;
    to->words[1] = high;
}

static inline bool is_wide_local(const wasm_code *code, uint64_t index)
{
    return index >= WASM_LOCAL_KINDS || code->local_kinds[index];
}

/* A branch carries `keep` values over `drop` others. */
static inline wasm_value *unwind_operands(wasm_value *sp, const wasm_branch *b)
{
    if (WASM_LIKELY(b->drop == 0)) return sp;
    wasm_value *to = sp - b->keep - b->drop;
    if (b->keep == 1)
        copy_slot(to, sp - 1);
    else if (b->keep)
        memmove(to, sp - b->keep, b->keep * sizeof *sp);
    return to + b->keep;
}

#define SLOT(code) ((code) < 0x100 ? (code) : (code) >> 12 == 0xfc ? 0x100 + ((code)&0xff) : 0x200 + ((code)&0xfff))
#define NEXT goto *labels[*pc++]
#define TRAP(kind)                                                                                                     \
    do {                                                                                                               \
        status = wasm_trap_raise(S, WASM_TRAP_##kind);                                                                 \
        goto failed;                                                                                                   \
    } while (0)
#define TRAP_IF(condition, kind)                                                                                       \
    if (WASM_UNLIKELY(condition)) TRAP(kind);
#define TICK                                                                                                           \
    if (WASM_UNLIKELY(--S->ticks < 0) && (status = wasm_tick(S)) != WISP_OK) goto failed
/* To the target of entry `b`; `pc` is just after the branch's opcode. */
#define BRANCH(b)                                                                                                      \
    do {                                                                                                               \
        const wasm_branch *b_ = (b);                                                                                   \
        sp = unwind_operands(sp, b_);                                                                                  \
        if (b_->pc < 0) TICK;                                                                                          \
        pc += b_->pc;                                                                                                  \
        st = b_ + b_->st;                                                                                              \
    } while (0)
#define LOAD_INSTANCE                                                                                                  \
    do {                                                                                                               \
        I = frame->func->instance;                                                                                     \
        mem = I->memory0->data;                                                                                        \
        mem_size = I->memory0->fast_size;                                                                              \
    } while (0)
#define LOAD_FRAME                                                                                                     \
    do {                                                                                                               \
        frame = &S->frames[S->depth - 1];                                                                              \
        fp = frame->fp;                                                                                                \
        pc = frame->pc;                                                                                                \
        st = frame->st;                                                                                                \
        end = frame->code->end;                                                                                        \
        labels = frame->code->vectors ? vector_labels : scalar_labels;                                                 \
        LOAD_INSTANCE;                                                                                                 \
    } while (0)

/* A named exception to the budget of lines: one function, so that the state stays in registers. */
wisp_status wasm_interpret(wasm_store *S)
{
    static const void *const scalar_labels[0x200 + 0x120] = {
#define LOCAL_LABEL(code, name) LABEL(code, name)
#include "wasm/labels.h"
#undef LOCAL_LABEL
    };
    static const void *const vector_labels[0x200 + 0x120] = {
#define LOCAL_LABEL(code, name) LABEL(code, name##_wide)
#include "wasm/labels.h"
#undef LOCAL_LABEL
    };
    const void *const *labels;
    const uint32_t base = S->depth - 1;
    wisp_status status;
    wasm_frame *frame;
    wasm_instance *I;
    const uint8_t *pc, *end;
    const wasm_branch *st;
    wasm_value *sp, *fp;
    uint8_t *mem;
    uint64_t mem_size;
    wasm_func *callee;

    LOAD_FRAME;
    sp = fp + frame->code->params + frame->code->locals;
    NEXT;

prefix_fc : {
    uint64_t sub = LEB;
    goto *labels[0x100 + sub];
}
prefix_fd : {
    uint64_t sub = LEB;
    goto *labels[0x200 + sub];
}

/* ---- what opcodes.def says in full ---- */

#define WASM_UN(code, name, text, ta, tr, value)                                                                       \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const TYPE_##ta a = GET_##ta(sp - 1);                                                                          \
        SET_##tr(sp - 1, value);                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_BIN(code, name, text, ta, tb, tr, value)                                                                  \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const TYPE_##ta a = GET_##ta(sp - 2);                                                                          \
        const TYPE_##tb b = GET_##tb(sp - 1);                                                                          \
        sp--;                                                                                                          \
        SET_##tr(sp - 1, value);                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_TRI(code, name, text, ta, tb, tc, tr, value)                                                              \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const TYPE_##ta a = GET_##ta(sp - 3);                                                                          \
        const TYPE_##tb b = GET_##tb(sp - 2);                                                                          \
        const TYPE_##tc c = GET_##tc(sp - 1);                                                                          \
        sp -= 2;                                                                                                       \
        SET_##tr(sp - 1, value);                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_UN_TRAP(code, name, text, ta, tr, check, value)                                                           \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const TYPE_##ta a = GET_##ta(sp - 1);                                                                          \
        check SET_##tr(sp - 1, value);                                                                                 \
        NEXT;                                                                                                          \
    }
#define WASM_BIN_TRAP(code, name, text, ta, tb, tr, check, value)                                                      \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const TYPE_##ta a = GET_##ta(sp - 2);                                                                          \
        const TYPE_##tb b = GET_##tb(sp - 1);                                                                          \
        check sp--;                                                                                                    \
        SET_##tr(sp - 1, value);                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_LOAD(code, name, text, tr, align, type, value)                                                            \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        ADDRESS(p, sp[-1].u64, sizeof(type))                                                                           \
        type m;                                                                                                        \
        memcpy(&m, p, sizeof m);                                                                                       \
        SET_##tr(sp - 1, value);                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_STORE(code, name, text, ta, align, type, value)                                                           \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const TYPE_##ta a = GET_##ta(sp - 1);                                                                          \
        ADDRESS(p, sp[-2].u64, sizeof(type))                                                                           \
        type m = (value);                                                                                              \
        memcpy(p, &m, sizeof m);                                                                                       \
        sp -= 2;                                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_EXTRACT(code, name, text, lanes, tr, value)                                                               \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const v128 a = GET_v(sp - 1);                                                                                  \
        const unsigned k = *pc++ & (lanes - 1);                                                                        \
        SET_##tr(sp - 1, value);                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_REPLACE(code, name, text, lanes, ta, type)                                                                \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        type a = (type)GET_v(sp - 2);                                                                                  \
        a[*pc++ & (lanes - 1)] = (__typeof__(a[0]))GET_##ta(sp - 1);                                                   \
        sp--;                                                                                                          \
        SET_v(sp - 1, a);                                                                                              \
        NEXT;                                                                                                          \
    }
#define WASM_LOAD_LANE(code, name, text, align, type)                                                                  \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        type a = (type)GET_v(sp - 1);                                                                                  \
        ADDRESS(p, sp[-2].u64, 1u << align)                                                                            \
        __typeof__(((type){0})[0]) m;                                                                                  \
        memcpy(&m, p, sizeof m);                                                                                       \
        a[*pc++ & ((16 >> align) - 1)] = m;                                                                            \
        sp--;                                                                                                          \
        SET_v(sp - 1, a);                                                                                              \
        NEXT;                                                                                                          \
    }
#define WASM_STORE_LANE(code, name, text, align, type)                                                                 \
    op_##name:                                                                                                         \
    {                                                                                                                  \
        const type a = (type)GET_v(sp - 1);                                                                            \
        ADDRESS(p, sp[-2].u64, 1u << align)                                                                            \
        const __typeof__(((type){0})[0]) m = a[*pc++ & ((16 >> align) - 1)];                                           \
        memcpy(p, &m, sizeof m);                                                                                       \
        sp -= 2;                                                                                                       \
        NEXT;                                                                                                          \
    }
#define WASM_OP(code, name, text, imm, signature)
#define WASM_LOCAL_OP(code, name, text, imm, signature)
#include "wasm/opcodes.def"

    /* ---- constants ---- */

op_i32_const:
    SET_i(sp, LEB_SIGNED);
    sp++;
    NEXT;
op_i64_const:
    SET_I(sp, (uint64_t)LEB_SIGNED);
    sp++;
    NEXT;
op_f32_const:
    memcpy(&sp->u32, pc, 4);
    pc += 4;
    sp++;
    NEXT;
op_f64_const:
    memcpy(&sp->u64, pc, 8);
    pc += 8;
    sp++;
    NEXT;
op_v128_const:
    memcpy(sp->v128, pc, 16);
    pc += 16;
    sp++;
    NEXT;
op_i8x16_shuffle : {
    uint8_t both[32];
    memcpy(both, sp[-2].v128, 16);
    memcpy(both + 16, sp[-1].v128, 16);
    sp--;
    for (unsigned k = 0; k < 16; k++)
        sp[-1].v128[k] = both[pc[k] & 31];
    pc += 16;
    NEXT;
}

    /* ---- control, core §4.4.8 ---- */

op_unreachable:
    TRAP(UNREACHABLE);
op_nop:
    NEXT;
op_throw: /* exceptions and typed references */
op_throw_ref:
op_try_table:
op_call_ref:
op_return_call_ref:
op_ref_as_non_null:
op_br_on_null:
op_br_on_non_null:
    memcpy(S->reason, "not supported yet", sizeof "not supported yet");
    status = WISP_E_UNSUPPORTED;
    goto failed;
op_block:
op_loop:
    SKIP(skip_block_type_nocheck);
    NEXT;
op_if:
    sp--;
    if (sp->u32) {
        st++;
        SKIP(skip_block_type_nocheck);
    } else {
        pc += st->pc;
        st += st->st;
    }
    NEXT;
op_else: /* the end of the first arm */
    pc += st->pc;
    st += st->st;
    NEXT;
op_end:
    if (WASM_UNLIKELY(pc == end)) goto op_return;
    NEXT;
op_br:
    BRANCH(st);
    NEXT;
op_br_if:
    sp--;
    if (sp->u32) {
        BRANCH(st);
    } else {
        st++;
        SKIP(skip_leb_nocheck);
    }
    NEXT;
op_br_table : {
    const uint8_t *count_at = pc;
    uint64_t count = leb_nocheck(&count_at);
    sp--;
    BRANCH(st + (sp->u32 < count ? sp->u32 : count));
    NEXT;
}
op_return : {
    const uint32_t n = frame->code->results;
    if (n == 1)
        copy_slot(fp, sp - 1);
    else if (n)
        memmove(fp, sp - n, n * sizeof *sp);
    sp = fp + n;
    if (--S->depth == base) return WISP_OK;
    LOAD_FRAME;
    NEXT;
}
op_call:
    callee = I->funcs[LEB];
do_call:
    TICK;
    frame->pc = pc;
    frame->st = st;
    if (WASM_UNLIKELY(callee->native != NULL)) {
        sp -= callee->type->param_count;
        if ((status = wasm_native_call(S, callee, sp)) != WISP_OK) goto failed;
        sp += callee->type->result_count;
        LOAD_INSTANCE;
        NEXT;
    }
    if (WASM_LIKELY(callee->code != NULL)) {
        if (!wasm_push_frame(S, callee, callee->code, sp - callee->code->params)) TRAP(STACK);
        LOAD_FRAME;
        sp = fp + frame->code->params + frame->code->locals;
        NEXT;
    }
    sp -= callee->type->param_count;
    if ((status = wasm_call_host(S, callee, I, sp)) != WISP_OK) goto failed;
    sp += callee->type->result_count;
    LOAD_INSTANCE;
    NEXT;
op_return_call:
    callee = I->funcs[LEB];
do_tail_call:
    TICK;
    frame->pc = pc;
    if (WASM_LIKELY(callee->code != NULL)) {
        memmove(fp, sp - callee->code->params, callee->code->params * sizeof *sp);
        S->depth--;
        if (!wasm_push_frame(S, callee, callee->code, fp)) TRAP(STACK);
        LOAD_FRAME;
        sp = fp + frame->code->params + frame->code->locals;
        NEXT;
    }
    sp -= callee->type->param_count;
    if ((status = wasm_call_host(S, callee, I, sp)) != WISP_OK) goto failed;
    sp += callee->type->result_count;
    goto op_return;
op_call_indirect:
op_return_call_indirect : {
    const bool tail = pc[-1] == 0x13;
    const uint32_t type_id = I->type_ids[LEB];
    const wasm_table *table = I->tables[LEB];
    const uint64_t index = (--sp)->u64;
    if (WASM_UNLIKELY(index >= table->size)) TRAP(UNDEFINED);
    callee = table->items[index];
    if (WASM_UNLIKELY(!callee)) TRAP(UNINITIALIZED);
    if (WASM_UNLIKELY(!wasm_store_type_is(S, callee->type_id, type_id))) TRAP(SIGNATURE);
    if (tail) goto do_tail_call;
    goto do_call;
}

    /* ---- references, parametric, variables ---- */

op_ref_null:
    SKIP(skip_leb_nocheck);
    sp->u64 = 0;
    sp->ref = NULL;
    sp++;
    NEXT;
op_ref_is_null:
    SET_i(sp - 1, sp[-1].ref == NULL);
    NEXT;
op_ref_func:
    sp->ref = I->funcs[LEB];
    sp++;
    NEXT;
op_drop:
    sp--;
    NEXT;
op_select_t:
    SKIP(skip_leb_nocheck); /* the count, 1 */
    SKIP(skip_block_type_nocheck);
op_select:
    sp -= 2;
    if (!sp[1].u32) copy_slot(sp - 1, sp);
    NEXT;
op_local_get:
    sp->u64 = fp[LEB].u64;
    sp++;
    NEXT;
op_local_set:
    sp--;
    fp[LEB].u64 = sp->u64;
    NEXT;
op_local_tee:
    fp[LEB].u64 = sp[-1].u64;
    NEXT;
op_local_get_wide : {
    const uint64_t index = LEB;
    if (is_wide_local(frame->code, index))
        *sp = fp[index];
    else
        sp->u64 = fp[index].u64;
    sp++;
    NEXT;
}
op_local_set_wide : {
    const uint64_t index = LEB;
    sp--;
    if (is_wide_local(frame->code, index))
        fp[index] = *sp;
    else
        fp[index].u64 = sp->u64;
    NEXT;
}
op_local_tee_wide : {
    const uint64_t index = LEB;
    if (is_wide_local(frame->code, index))
        fp[index] = sp[-1];
    else
        fp[index].u64 = sp[-1].u64;
    NEXT;
}
op_global_get:
    copy_slot(sp, &I->globals[LEB]->value);
    sp++;
    NEXT;
op_global_set:
    sp--;
    copy_slot(&I->globals[LEB]->value, sp);
    NEXT;

    /* ---- tables ---- */

op_table_get : {
    const wasm_table *table = I->tables[LEB];
    if (sp[-1].u64 >= table->size) TRAP(TABLE);
    sp[-1].ref = table->items[sp[-1].u64];
    NEXT;
}
op_table_set : {
    const wasm_table *table = I->tables[LEB];
    sp -= 2;
    if (sp[0].u64 >= table->size) TRAP(TABLE);
    table->items[sp[0].u64] = sp[1].ref;
    NEXT;
}
op_table_init : {
    const uint32_t elem = (uint32_t)LEB, table = (uint32_t)LEB;
    sp -= 3;
    if (!wasm_table_init(I, table, elem, sp[0].u64, sp[1].u64, sp[2].u64)) TRAP(TABLE);
    TICK; /* it was charged by its bytes */
    NEXT;
}
op_elem_drop:
    I->elems[LEB].count = 0;
    NEXT;
op_table_copy : {
    wasm_table *to = I->tables[LEB], *from = I->tables[LEB];
    sp -= 3;
    if (!wasm_table_copy(to, from, sp[0].u64, sp[1].u64, sp[2].u64)) TRAP(TABLE);
    TICK; /* it was charged by its bytes */
    NEXT;
}
op_table_grow : {
    wasm_table *table = I->tables[LEB];
    sp--;
    uint64_t old = wasm_table_grow(table, sp[0].u64, sp[-1].ref);
    TICK;
    sp[-1].u64 = table->range.is64 ? old : (uint32_t)old;
    NEXT;
}
op_table_size:
    sp->u64 = I->tables[LEB]->size;
    sp++;
    NEXT;
op_table_fill : {
    wasm_table *table = I->tables[LEB];
    sp -= 3;
    if (!wasm_table_fill(table, sp[0].u64, sp[1].ref, sp[2].u64)) TRAP(TABLE);
    TICK; /* it was charged by its bytes */
    NEXT;
}

    /* ---- memories ---- */

op_memory_size:
    sp->u64 = I->memories[LEB]->size / WASM_PAGE;
    sp++;
    NEXT;
op_memory_grow : {
    wasm_memory *memory = I->memories[LEB];
    uint64_t old = wasm_memory_grow(memory, sp[-1].u64);
    sp[-1].u64 = memory->range.is64 ? old : (uint32_t)old;
    LOAD_INSTANCE;
    NEXT;
}
op_memory_init : {
    const uint32_t data = (uint32_t)LEB, memory = (uint32_t)LEB;
    sp -= 3;
    if (!wasm_memory_init(I, memory, data, sp[0].u64, sp[1].u64, sp[2].u64)) TRAP(MEMORY);
    TICK; /* it was charged by its bytes */
    NEXT;
}
op_data_drop:
    I->data_sizes[LEB] = 0;
    NEXT;
op_memory_copy : {
    wasm_memory *to = I->memories[LEB], *from = I->memories[LEB];
    sp -= 3;
    if (!wasm_memory_copy(to, from, sp[0].u64, sp[1].u64, sp[2].u64)) TRAP(MEMORY);
    TICK; /* it was charged by its bytes */
    NEXT;
}
op_memory_fill : {
    wasm_memory *memory = I->memories[LEB];
    sp -= 3;
    if (!wasm_memory_fill(memory, sp[0].u64, (uint8_t)sp[1].u32, sp[2].u64)) TRAP(MEMORY);
    TICK; /* it was charged by its bytes */
    NEXT;
}

failed:
    if (S->depth > base) frame->pc = pc;
    return status;
}
