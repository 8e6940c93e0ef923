/* The validator's state (core appendix A.3: a stack of operand types, a stack of control frames, the locals that are
 * initialized). Shared by validate.c (functions, control), validate_ops.c (other instructions by hand) and
 * validate_fast.c (those of a fixed signature). */
#ifndef WASM_VALIDATOR_H
#define WASM_VALIDATOR_H
#include "wasm/machine.h"

#define WASM_BOTTOM 0u                                              /* any type: what unreachable code pops */
#define WASM_BOTTOM_REF ((wasm_type)(WASM_REF | WASM_REF_ABSTRACT)) /* any reference that is not null */

typedef struct wasm_control {
    uint8_t opcode; /* of the block; 0 for the function itself */
    bool unreachable;
    wasm_type single;          /* a block type written as one value type, else 0 */
    const wasm_functype *type; /* NULL: no parameters, results as `single` says */
    uint32_t height;
    uint32_t inits;      /* how many locals were initialized when it began */
    uint32_t checked_by; /* number of the last br_table that checked this label's types */
} wasm_control;

/* Locals as the binary format has them, runs of one type: a few bytes may declare thousands. The first of them are also
 * spread out. */
typedef struct wasm_local_run {
    uint32_t end; /* the index after its last */
    wasm_type type;
} wasm_local_run;
enum { WASM_DIRECT_LOCALS = 256 };

typedef struct wasm_validator {
    wasm_decoder *d; /* its reader is at the next byte */
    const wasm_module *m;
    const uint8_t *look; /* from here on it is time to look whether the decoding should end */
    /* operands: four words below the first are there, and never a type that an instruction wants */
    wasm_type *operands, *sp, *floor, *room, *high; /* next, of the top frame, end of the array, greatest sp */
    size_t operand_capacity;
    wasm_control *controls;
    size_t control_count, control_capacity;
    uint32_t br_tables; /* seen */
    /* this function */
    wasm_local_run *runs;
    size_t run_count, run_capacity;
    uint32_t local_count, param_count;
    wasm_type locals[WASM_DIRECT_LOCALS];
    const wasm_functype *type;
    bool constant;
    bool plain_memory; /* memory 0 exists and has 32-bit addresses */
    /* locals without a default: initialized where init_stamps[local] == stamp; `inits` in order, to be undone */
    bool tracks_inits;
    uint32_t stamp;
    uint32_t *init_stamps, *inits;
    size_t stamp_capacity, init_count, init_capacity;
} wasm_validator;

static inline size_t wasm_operand_count(const wasm_validator *v)
{
    return (size_t)(v->sp - v->operands);
}
static inline wasm_control *wasm_top(wasm_validator *v)
{
    return &v->controls[v->control_count - 1];
}

wisp_status wasm_validator_out_of_memory(wasm_validator *v);
wisp_status wasm_grow_operands(wasm_validator *v, uint32_t count); /* room for `count` more */
wisp_status wasm_push_list(wasm_validator *v, const wasm_type *types, uint32_t count);
static inline wisp_status wasm_push(wasm_validator *v, wasm_type type)
{
    if (WASM_UNLIKELY(v->sp == v->room)) BASE_TRY(wasm_grow_operands(v, 1));
    *v->sp++ = type;
    if (v->sp > v->high) v->high = v->sp;
    return WISP_OK;
}
wisp_status wasm_pop_slow(wasm_validator *v, wasm_type *out);
wisp_status wasm_pop_type_slow(wasm_validator *v, wasm_type type);
static inline wisp_status wasm_pop(wasm_validator *v, wasm_type *out) /* WASM_BOTTOM in unreachable code */
{
    if (WASM_UNLIKELY(v->sp == v->floor)) return wasm_pop_slow(v, out);
    *out = *--v->sp;
    return WISP_OK;
}
static inline wisp_status wasm_pop_type(wasm_validator *v, wasm_type type)
{
    if (WASM_UNLIKELY(v->sp == v->floor || v->sp[-1] != type)) return wasm_pop_type_slow(v, type);
    v->sp--;
    return WISP_OK;
}
wisp_status wasm_pop_ref(wasm_validator *v, wasm_type *out); /* any reference; WASM_BOTTOM_REF in unreachable code */
wisp_status wasm_pop_list(wasm_validator *v, const wasm_type *types, uint32_t count);
void wasm_mark_unreachable(wasm_validator *v);

static inline uint32_t wasm_next_u32(base_reader *r)
{
    if (WASM_LIKELY(r->at < r->end && *r->at < 0x80)) return *r->at++;
    return base_read_leb_u32(r);
}
/* Reads an index and checks it against `count`. */
wisp_status wasm_read_index_slow(wasm_validator *v, uint32_t index, const char *what);
static inline wisp_status wasm_read_index(wasm_validator *v, uint32_t count, const char *what, uint32_t *out)
{
    *out = wasm_next_u32(&v->d->r);
    return WASM_LIKELY(*out < count && !v->d->r.failed) ? WISP_OK : wasm_read_index_slow(v, *out, what);
}
wasm_type wasm_local_type(const wasm_validator *v, uint32_t index);

/* validate_ops.c: instructions with WASM_IMM_SPECIAL that are not control */
wisp_status wasm_validate_special(wasm_validator *v, uint32_t code);
wisp_status wasm_validate_simple(wasm_validator *v, const wasm_op_info *op);
/* validate.c: the instruction at the reader; a control instruction whose opcode has been read */
wisp_status wasm_validate_instruction(wasm_validator *v);
wisp_status wasm_validate_control(wasm_validator *v, uint32_t code);
/* validate.c: has it taken too long, or should it stop? Once in so many bytes of code. */
wisp_status wasm_validator_look(wasm_validator *v);
/* validate_fast.c: a function's instructions, to its end */
wisp_status wasm_validate_code(wasm_validator *v);

#endif
