/* Control, calls, copies, variables, tables, memories: the operations that are not arithmetic. */
#include "wasm/fault.h"
#include "wasm/native_abi.h"
#include "wasm/opbody.h"

/* Operands n and n + 1 as a pointer. */
static inline void *pointer(const uint32_t *at)
{
    void *p;
    memcpy(&p, at, sizeof p);
    return p;
}
#define P(n) pointer(&W(n))

/* ---- ends ---- */

#define COLD __attribute__((noinline, cold))

COLD WASM_TEXT wisp_status wasm_op_trap(const wasm_cell *pc, wasm_store *S, wasm_frame *top, wasm_trap_kind kind)
{
    S->pc = pc;
    S->top = top;
    return wasm_trap_raise(S, kind);
}

COLD static WASM_TEXT wisp_status fail_with(const wasm_cell *pc, wasm_store *S, wasm_frame *top, wisp_status status)
{
    S->pc = pc;
    S->top = top;
    return status;
}

COLD MISC(tick)
{
    S->pc = pc;
    S->top = top;
    wisp_status status = wasm_tick(S);
    if (status != WISP_OK) return status;
    S->ticks++; /* `pc` takes it once more */
    GO(pc);
}

static COLD WASM_TEXT wisp_status interrupted(const wasm_cell *pc, wasm_store *S, wasm_frame *top)
{
    S->pc = pc;
    S->top = top;
    return wasm_interrupted(S);
}

/* In long stretches without a call or branch. */
MISC(look)
{
    if (WASM_UNLIKELY(atomic_load_explicit(&S->interrupt, memory_order_relaxed))) return interrupted(pc, S, top);
    NEXT(0);
}

MISC(exit)
{
    (void)pc, (void)fp, (void)mem, (void)A, (void)f, (void)d, (void)v;
    S->top = top;
    return WISP_OK;
}

COLD MISC(unreachable)
{
    (void)fp, (void)mem, (void)A, (void)f, (void)d, (void)v;
    TRAP(UNREACHABLE);
}

/* Something ended with status A in the frame at `pc`, `fp`, whose record is top[-1]; an exception may have a handler in
 * this run. It has the operations' parameters so that a handler is jumped to: clang wants them equal, and no loop that
 * throws and catches may deepen the stack. */
static COLD WASM_TEXT wisp_status failed(WASM_STATE)
{
    wisp_status status = (wisp_status)A;
    S->pc = pc;
    S->top = top;
    if (status != WISP_E_EXCEPTION || !S->exception) return status;
    S->resume.fp = fp;
    S->resume.top = top;
    if (!wasm_find_handler(S)) return status;
    pc = S->resume.pc;
    fp = S->resume.fp;
    mem = S->resume.instance->memory0->data;
    top = S->resume.top;
    GO(pc);
}
#define FAILED(status)                                                                                                 \
    do {                                                                                                               \
        A = (uint64_t)(status);                                                                                        \
        WASM_TAIL failed(WASM_STATE_VALUES);                                                                           \
    } while (0)

/* The same, in the frame that the record at `top`, just taken off, returns to; there may be none in this run. */
static COLD WASM_TEXT wisp_status failed_outside(WASM_STATE)
{
    pc = wasm_frame_pc(top);
    S->pc = pc;
    S->top = top;
    if (top->pc->fn == wasm_op_exit) return (wisp_status)A;
    fp = top->fp;
    WASM_TAIL failed(WASM_STATE_VALUES);
}
#define FAILED_OUTSIDE(status)                                                                                         \
    do {                                                                                                               \
        A = (uint64_t)(status);                                                                                        \
        WASM_TAIL failed_outside(WASM_STATE_VALUES);                                                                   \
    } while (0)

/* ---- calls ---- */

/* The entry of a function that has not run yet: A is the function, the call's record is on top. */
COLD MISC(translate)
{
    wasm_func *callee = (wasm_func *)A;
    wisp_status status = wasm_translate(S, callee);
    if (status != WISP_OK) return fail_with(wasm_frame_pc(top - 1), S, top - 1, status);
    GO(callee->entry);
}

/* A single result is expected in its accumulator, too. No variable's address may be taken in an operation: gcc would
 * make a call of its last jump. */
#define LOAD_RESULT(callee, at)                                                                                        \
    do {                                                                                                               \
        const wasm_functype *type_ = (callee)->type;                                                                   \
        const wasm_value *at_ = (const wasm_value *)(at);                                                              \
        if (type_->result_count != 1) break;                                                                           \
        if (type_->results[0] == WASM_F32)                                                                             \
            f = at_->f32;                                                                                              \
        else if (type_->results[0] == WASM_F64)                                                                        \
            d = at_->f64;                                                                                              \
        else if (type_->results[0] == WASM_V128)                                                                       \
            v = *(const v128 *)at_;                                                                                    \
        else                                                                                                           \
            A = at_->u64;                                                                                              \
    } while (0)

/* Runs what is not register code: a host function or native code. `pc` is in the calling instruction. */
static __attribute__((noinline)) wisp_status outside(const wasm_cell *pc, wasm_frame *top, wasm_func *callee,
                                                     wasm_instance *caller, wasm_value *at)
{
    wasm_store *S = callee->store;
    S->pc = pc;
    S->top = top;
    wisp_status status = callee->native ? wasm_native_call(S, callee, at) : wasm_call_host(S, callee, caller, at);
    S->pc = pc; /* what it called in turn may have failed and been forgiven */
    S->top = top;
    return status;
}

/* The entry of a function that is not register code, called from its own instance. */
MISC(host)
{
    wasm_func *callee = (wasm_func *)A;
    const wasm_frame record = *--top;
    wisp_status status = outside(wasm_frame_pc(top), top, callee, callee->instance, SLOT(0));
    *top = record;
    if (status != WISP_OK) FAILED_OUTSIDE(status);
    mem = callee->instance->memory0->data;
    LOAD_RESULT(callee, fp);
    pc = record.pc, fp = record.fp;
    GO(pc);
}

/* function (64 bits), arguments' slot */
MISC(call)
{
    TICK;
    wasm_func *callee = P(0);
    top->pc = pc + CELLS(3);
    top->fp = fp;
    top++;
    fp += W(2);
    A = (uint64_t)callee;
    GO(callee->entry);
}

/* A function of another instance, or of none. The instruction after it is wasm_op_reload. */
static __attribute__((noinline)) WASM_TEXT wisp_status foreign(WASM_STATE)
{
    wasm_func *callee = (wasm_func *)A;
    /* pc is the reload instruction */
    if (WASM_LIKELY(callee->code && !callee->native)) {
        top->pc = pc;
        top->fp = fp;
        fp = (char *)mem; /* the arguments, see CALL_FOREIGN */
        mem = callee->instance->memory0->data;
        top++;
        GO(callee->entry);
    }
    wisp_status status = outside(pc - 1, top, callee, P(0), (wasm_value *)mem);
    if (status != WISP_OK) {
        pc--;
        FAILED(status);
    }
    LOAD_RESULT(callee, mem);
    GO(pc);
}
#define CALL_FOREIGN(callee, at, words)                                                                                \
    do {                                                                                                               \
        A = (uint64_t)(callee);                                                                                        \
        mem = (uint8_t *)(at); /* reloaded afterwards */                                                               \
        pc += CELLS(words);                                                                                            \
        WASM_TAIL foreign(WASM_STATE_VALUES);                                                                          \
    } while (0)

/* as call */
MISC(call_foreign)
{
    TICK;
    CALL_FOREIGN(P(0), fp + W(2), 3);
}

/* The rest of a call through a reference: function in `callee`; the reload instruction follows after `words`. */
#define CALL_DYNAMIC(callee, at, words)                                                                                \
    do {                                                                                                               \
        TICK;                                                                                                          \
        const wasm_cell *reload_ = pc + CELLS(words);                                                                  \
        if (WASM_UNLIKELY((callee)->instance != reload_[1].ptr)) CALL_FOREIGN(callee, at, words);                      \
        top->pc = reload_ + 2;                                                                                         \
        top->fp = fp;                                                                                                  \
        top++;                                                                                                         \
        A = (uint64_t)(callee);                                                                                        \
        fp = (at);                                                                                                     \
        GO((callee)->entry);                                                                                           \
    } while (0)
/* table (64 bits), type id, index's slot */
#define FIND_CALLEE                                                                                                    \
    const wasm_table *table = P(0);                                                                                    \
    const uint64_t index = S_I(3);                                                                                     \
    TRAP_IF(index >= table->size, UNDEFINED)                                                                           \
    wasm_func *callee = table->items[index];                                                                           \
    TRAP_IF(!callee, UNINITIALIZED)                                                                                    \
    TRAP_IF(!wasm_store_type_is(S, callee->type_id, W(2)), SIGNATURE)

/* table (64 bits), type id, index's slot, arguments' slot */
MISC(call_indirect)
{
    FIND_CALLEE
    CALL_DYNAMIC(callee, fp + W(4), 5);
}

/* function's slot, arguments' slot */
MISC(call_ref)
{
    wasm_func *callee = (wasm_func *)S_I(0);
    TRAP_IF(!callee, NULL_FUNC)
    CALL_DYNAMIC(callee, fp + W(1), 2);
}

/* after a call that may have left the instance: the instance (64 bits) */
MISC(reload)
{
    mem = ((const wasm_instance *)P(0))->memory0->data;
    NEXT(2);
}

/* where a function returns to whose frame a tail call into another instance took over */
MISC(reload_return)
{
    mem = top->instance->memory0->data;
    GO(top->after);
}

/* ---- tail calls: the callee takes over frame and record ---- */

static const wasm_cell reload_return_cell[] = {{.fn = wasm_op_reload_return}};

const wasm_cell *wasm_frame_pc(const wasm_frame *record)
{
    if (record->pc == reload_return_cell) return record->after - 1;
    return record->pc->fn == wasm_op_exit ? (const wasm_cell *)record->fp : record->pc - 1;
}

/* A is the callee, its arguments lie at fp; `pc` is inside the instruction, followed by a reload instruction's instance
 * in `mem`. */
static __attribute__((noinline)) WASM_TEXT wisp_status tail_foreign(WASM_STATE)
{
    wasm_func *callee = (wasm_func *)A;
    wasm_instance *instance = (wasm_instance *)mem;
    if (top[-1].pc->fn != wasm_op_reload_return && top[-1].pc->fn != wasm_op_exit) {
        top[-1].after = top[-1].pc;
        top[-1].pc = reload_return_cell;
        top[-1].instance = instance;
    }
    if (callee->code && !callee->native) {
        mem = callee->instance->memory0->data;
        GO(callee->entry);
    }
    const wasm_frame record = *--top;
    wisp_status status = outside(wasm_frame_pc(top), top, callee, instance, SLOT(0));
    *top = record;
    if (status != WISP_OK) FAILED_OUTSIDE(status);
    LOAD_RESULT(callee, fp);
    pc = record.pc, fp = record.fp;
    GO(pc);
}
/* `from`, `count`: the arguments; `own`: this instance */
#define TAIL_CALL(callee, from, count, own)                                                                            \
    do {                                                                                                               \
        TICK;                                                                                                          \
        A = (uint64_t)(callee);                                                                                        \
        memmove(fp, fp + (from), (size_t)(count) * sizeof(wasm_value));                                                \
        if (WASM_UNLIKELY(((wasm_func *)A)->instance != (own))) {                                                      \
            mem = (own);                                                                                               \
            WASM_TAIL tail_foreign(WASM_STATE_VALUES);                                                                 \
        }                                                                                                              \
        GO(((wasm_func *)A)->entry);                                                                                   \
    } while (0)

/* instance (64 bits), arguments' slot, their count, function (64 bits) */
MISC(return_call)
{
    TAIL_CALL(P(4), W(2), W(3), P(0));
}

/* table (64 bits), type id, index's slot, instance (64 bits), arguments' slot, their count */
MISC(return_call_indirect)
{
    FIND_CALLEE
    TAIL_CALL(callee, W(6), W(7), P(4));
}

/* instance (64 bits), arguments' slot, their count, function's slot */
MISC(return_call_ref)
{
    wasm_func *callee = (wasm_func *)S_I(4);
    TRAP_IF(!callee, NULL_FUNC)
    TAIL_CALL(callee, W(2), W(3), P(0));
}

/* ---- entering and leaving a function ---- */

static COLD WASM_TEXT wisp_status no_room(WASM_STATE)
{
    (void)pc, (void)fp, (void)mem, (void)A, (void)f, (void)d, (void)v;
    return wasm_op_trap(wasm_frame_pc(top - 1), S, top - 1, WASM_TRAP_STACK);
}
/* bytes of the frame, then the first slot to be zeroed (and how many) */
#define ENTER                                                                                                          \
    if (WASM_UNLIKELY(W(0) > (size_t)((char *)S->stack_end - fp) || top > S->frames_end))                              \
    WASM_TAIL no_room(WASM_STATE_VALUES)

MISC(enter)
{
    ENTER;
    NEXT(1);
}
MISC(enter_zero1)
{
    ENTER;
    *(v128 *)SLOT(W(1)) = (v128){0};
    NEXT(2);
}
MISC(enter_zero2)
{
    ENTER;
    v128 *at = (v128 *)SLOT(W(1));
    at[0] = at[1] = (v128){0};
    NEXT(2);
}
MISC(enter_zero)
{
    ENTER;
    v128 *at = (v128 *)SLOT(W(1)), *const end = at + W(2);
    do {
        at[0] = at[1] = (v128){0};
        at += 2;
    } while (at < end); /* one slot too many is an operand's, or there is one in reserve */
    NEXT(3);
}

#define LEAVE                                                                                                          \
    do {                                                                                                               \
        top--;                                                                                                         \
        fp = top->fp;                                                                                                  \
        GO(top->pc);                                                                                                   \
    } while (0)
MISC(return0)
{
    LEAVE;
}
#define RETURN(name, type, set)                                                                                        \
    MISC(return_##name)                                                                                                \
    {                                                                                                                  \
        set;                                                                                                           \
        *(type *)fp = RETURN_##type;                                                                                   \
        LEAVE;                                                                                                         \
    }
#define RETURN_uint64_t A
#define RETURN_float f
#define RETURN_double d
#define RETURN_v128 v
RETURN(A_I, uint64_t, )
RETURN(S_I, uint64_t, A = S_I(0))
RETURN(C_I, uint64_t, A = wide_constant(&W(0)))
RETURN(A_f, float, )
RETURN(S_f, float, f = S_f(0))
RETURN(A_F, double, )
RETURN(S_F, double, d = S_F(0))
RETURN(A_v, v128, )
RETURN(S_v, v128, v = S_v(0))
/* first slot, count */
MISC(return_many)
{
    memmove(fp, SLOT(W(0)), W(1) * sizeof(wasm_value));
    LEAVE;
}

/* ---- branches ---- */

MISC(br)
{
    GO(BRANCH_TARGET);
}
MISC(br_back)
{
    TICK;
    GO(BRANCH_TARGET);
}
/* index's slot, count, then count + 1 distances from this instruction */
MISC(br_table)
{
    const uint32_t index = S_i(0), count = W(1);
    GO((const wasm_cell *)((const char *)pc + (int32_t)W(2 + (index < count ? index : count))));
}
MISC(br_table_A)
{
    const uint32_t index = (uint32_t)A, count = W(1);
    GO((const wasm_cell *)((const char *)pc + (int32_t)W(2 + (index < count ? index : count))));
}

/* ---- exceptions ---- */

/* tag (64 bits), values' slot */
COLD MISC(throw)
{
    (void)mem, (void)A, (void)f, (void)d, (void)v;
    FAILED(wasm_throw(S, P(0), SLOT(W(2))));
}
/* exception's slot */
COLD MISC(throw_ref)
{
    (void)mem, (void)A, (void)f, (void)d, (void)v;
    wasm_exception *exception = (wasm_exception *)S_I(0);
    TRAP_IF(!exception, NULL_EXCEPTION)
    FAILED(wasm_rethrow(S, exception));
}
/* ---- copies: to slot, from ---- */

#define COPY(name, type)                                                                                               \
    MISC(name)                                                                                                         \
    {                                                                                                                  \
        *(type *)SLOT(W(0)) = *(const type *)SLOT(W(1));                                                               \
        NEXT(2);                                                                                                       \
    }
COPY(copy32, uint32_t)
COPY(copy64, uint64_t)
COPY(copy128, v128)
MISC(copy64_2)
{
    *(uint64_t *)SLOT(W(0)) = *(const uint64_t *)SLOT(W(1));
    *(uint64_t *)SLOT(W(2)) = *(const uint64_t *)SLOT(W(3));
    NEXT(4);
}
/* to, from, count */
MISC(copy_many)
{
    memmove(SLOT(W(0)), SLOT(W(1)), W(2) * sizeof(wasm_value));
    NEXT(3);
}
#define ACCUMULATOR(t)                                                                                                 \
    MISC(set_##t)                                                                                                      \
    {                                                                                                                  \
        PUT_##t(0);                                                                                                    \
        NEXT(1);                                                                                                       \
    }                                                                                                                  \
    MISC(get_##t)                                                                                                      \
    {                                                                                                                  \
        SET_##t(S_##t(0));                                                                                             \
        NEXT(1);                                                                                                       \
    }
ACCUMULATOR(I)
ACCUMULATOR(f)
ACCUMULATOR(F)
ACCUMULATOR(v)
/* slot, 64 bits. Of an f32, too: a wider store serves a narrower load. */
MISC(const_slot)
{
    *(uint64_t *)SLOT(W(0)) = wide_constant(&W(1));
    NEXT(3);
}
MISC(const128_slot)
{
    memcpy(SLOT(W(0)), &W(1), 16);
    NEXT(5);
}

/* ---- select: condition, then, else; result as everywhere ---- */

#define SELECT(name, t, words, condition, x, y)                                                                        \
    OP(name##_to_acc)                                                                                                  \
    {                                                                                                                  \
        const TYPE_##t a = x, b = y;                                                                                   \
        SET_##t((condition) ? a : b);                                                                                  \
        NEXT(words);                                                                                                   \
    }                                                                                                                  \
    OP(name##_to_slot)                                                                                                 \
    {                                                                                                                  \
        const TYPE_##t a = x, b = y;                                                                                   \
        SET_##t((condition) ? a : b);                                                                                  \
        PUT_##t(words);                                                                                                \
        NEXT((words) + 1);                                                                                             \
    }
#define SELECTS(t)                                                                                                     \
    SELECT(select_##t##_S, t, 3, S_i(2), S_##t(0), S_##t(1))                                                           \
    SELECT(select_##t##_A, t, 2, A_i, S_##t(0), S_##t(1))
#define SELECT_PAIR(name)                                                                                              \
    {                                                                                                                  \
        name##_to_acc, name##_to_slot                                                                                  \
    }
#define SELECT_LINE(t) {SELECT_PAIR(select_##t##_S), SELECT_PAIR(select_##t##_A)},
SELECTS(I)
SELECTS(f)
SELECTS(F)
SELECTS(v)
const wasm_op_pair wasm_select_ops[WASM_CLASSES][2] = {SELECT_LINE(I) SELECT_LINE(f) SELECT_LINE(F) SELECT_LINE(v)};
SELECT(select_SC_A, I, 2, A_i, S_I(0), C_I(1))
SELECT(select_CS_A, I, 2, A_i, C_I(0), S_I(1))
SELECT(select_CC_A, I, 2, A_i, C_I(0), C_I(1))
const wasm_op_pair wasm_select_constant_ops[3] = {SELECT_PAIR(select_SC_A), SELECT_PAIR(select_CS_A),
                                                  SELECT_PAIR(select_CC_A)};

/* ---- references, variables ---- */

/* slot */
MISC(as_non_null)
{
    TRAP_IF(!S_I(0), NULL_REF)
    NEXT(1);
}
/* the value's address (64 bits); slot */
#define GLOBAL(t, type)                                                                                                \
    MISC(global_get_##t)                                                                                               \
    {                                                                                                                  \
        SET_##t(*(const type *)P(0));                                                                                  \
        NEXT(2);                                                                                                       \
    }                                                                                                                  \
    MISC(global_get_##t##_slot)                                                                                        \
    {                                                                                                                  \
        SET_##t(*(const type *)P(0));                                                                                  \
        PUT_##t(2);                                                                                                    \
        NEXT(3);                                                                                                       \
    }                                                                                                                  \
    MISC(global_set_##t)                                                                                               \
    {                                                                                                                  \
        *(type *)P(0) = A_##t;                                                                                         \
        NEXT(2);                                                                                                       \
    }
GLOBAL(I, uint64_t)
GLOBAL(f, float)
GLOBAL(F, double)
GLOBAL(v, v128)

/* two slots, 16 lanes */
#define SHUFFLE                                                                                                        \
    uint8_t both[32];                                                                                                  \
    u8x16 to;                                                                                                          \
    memcpy(both, SLOT(W(0)), 16);                                                                                      \
    memcpy(both + 16, SLOT(W(1)), 16);                                                                                 \
    const uint8_t *lanes = (const uint8_t *)&W(2);                                                                     \
    for (unsigned k = 0; k < 16; k++)                                                                                  \
        to[k] = both[lanes[k] & 31];                                                                                   \
    v = (v128)to
MISC(shuffle)
{
    SHUFFLE;
    NEXT(6);
}
MISC(shuffle_slot)
{
    SHUFFLE;
    PUT_v(6);
    NEXT(7);
}
