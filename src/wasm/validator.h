/* The validator's state (core appendix A.3: a stack of operand types, a stack of control frames). Shared by validate.c
 * (stacks, control) and validate_ops.c (every other instruction). */
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
    int32_t start_pc;     /* of a loop's first instruction, from the function's */
    int32_t start_branch; /* the branch entry that is next there */
    int32_t waiting;      /* first of the chain of branch entries to this block's end, -1: none */
    int32_t otherwise;    /* an `if`'s own entry, waiting for else or end, -1: none */
    uint32_t checked_by;  /* number of the last br_table that checked this label's types */
} wasm_control;

typedef struct wasm_validator {
    wasm_type *operands;
    wasm_control *controls;
    size_t operand_count, operand_capacity, control_count, control_capacity;
    uint32_t br_tables; /* seen */
    /* this function */
    wasm_decoder *d;
    const wasm_type *locals;
    uint32_t local_count, greatest;
    const wasm_functype *type;
    const uint8_t *start;
    size_t first_branch;
    bool constant, vectors;
} wasm_validator;

wisp_status wasm_push(wasm_validator *v, wasm_type type);
wisp_status wasm_pop(wasm_validator *v, wasm_type *out);     /* WASM_BOTTOM in unreachable code */
wisp_status wasm_pop_ref(wasm_validator *v, wasm_type *out); /* any reference; WASM_BOTTOM_REF in unreachable code */
wisp_status wasm_pop_type(wasm_validator *v, wasm_type type);
wisp_status wasm_push_list(wasm_validator *v, const wasm_type *types, uint32_t count);
wisp_status wasm_pop_list(wasm_validator *v, const wasm_type *types, uint32_t count);
void wasm_mark_unreachable(wasm_validator *v);
/* Reads an index and checks it against `count`. */
wisp_status wasm_read_index(wasm_validator *v, uint32_t count, const char *what, uint32_t *out);
/* validate_ops.c: instructions with WASM_IMM_SPECIAL that are not control */
wisp_status wasm_validate_special(wasm_validator *v, uint32_t code);
wisp_status wasm_validate_simple(wasm_validator *v, const wasm_op_info *op);

#endif
