/* Register code: what the translator (translate*.c) makes of a function's body and the interpreter (interp*.c) runs.
 *
 * An instruction is a pointer to its C function and up to 14 operands of 32 bits (padded to 8 bytes). Operands are byte
 * offsets of slots in the frame, constants, and distances of branches in bytes from the branch. An operation takes its
 * sources from slots, from constants, or from the accumulator of their class; it leaves its result in the accumulator
 * of the result's class, and in a slot too if it is of the form that names one.
 *
 * A frame: parameters (results on return), locals, operands; the arguments of a call are the caller's topmost operands,
 * and lie where the callee's frame begins. Where to return to is on a stack of its own (wasm_frame). */
#ifndef WASM_REGCODE_H
#define WASM_REGCODE_H
#include "wasm/machine.h"
#include "wasm/simd.h"

#if defined(__clang__)
#define WASM_TAIL __attribute__((musttail)) return
#else
#define WASM_TAIL return /* gcc: a sibling call at -O2; interp_test runs long loops on a small stack */
#endif

typedef union wasm_cell wasm_cell;
/* The state of the machine, in argument registers. A, f, d, v are the accumulators: integers and references (an i32
 * zero-extended), f32, f64, v128. `top` is the first free frame record. */
#define WASM_STATE                                                                                                     \
    const wasm_cell *pc, char *fp, uint8_t *mem, wasm_store *S, uint64_t A, wasm_frame *top, float f, double d, v128 v
#define WASM_STATE_VALUES pc, fp, mem, S, A, top, f, d, v
typedef wisp_status (*wasm_op_fn)(WASM_STATE);
union wasm_cell {
    wasm_op_fn fn;
    const void *ptr;
    uint64_t u64;
    uint32_t u32[2];
};

/* ---- translated functions ---- */

typedef struct wasm_place { /* the instruction at `code` (bytes) came from what ends at `offset` of the module */
    uint32_t code;
    uint32_t offset;
} wasm_place;

typedef struct wasm_handler_catch {
    const wasm_tag *tag; /* NULL: catches all */
    bool reference;      /* the exception is a value, too */
    uint32_t target;     /* code, in bytes */
} wasm_handler_catch;

typedef struct wasm_handler { /* of a try_table; in the order of their starts, so an inner one comes later */
    uint32_t start, end;      /* code, in bytes */
    uint32_t outer;           /* the handler that it is in; WASM_NO_INDEX: none */
    uint32_t slot;            /* where the values go */
    uint32_t first, count;    /* in catches */
} wasm_handler;

typedef struct wasm_body {
    const wasm_func *func;
    const wasm_cell *code;
    uint32_t size; /* bytes */
    uint32_t place_count, handler_count;
    const wasm_place *places;
    const wasm_handler *handlers;
    const wasm_handler_catch *catches;
} wasm_body;

/* interp_misc.c: where the frame around the one of `record` is, inside the instruction that called. */
const wasm_cell *wasm_frame_pc(const wasm_frame *record);

/* interp.c: where the pending exception is caught, its values put there: store->resume, which on entry has fp and top
 * of the innermost frame (which is at store->pc). */
bool wasm_find_handler(wasm_store *store);

/* translate.c: makes func->entry from func->code. */
wisp_status wasm_translate(wasm_store *store, wasm_func *func);
/* interp.c: the body that a code pointer is in, or NULL. */
const wasm_body *wasm_body_at(wasm_store *store, const void *code);

/* ---- operations ---- */

#define WASM_OP_SLOT(code)                                                                                             \
    ((code) < 0x100 ? (code) : (code) >> 12 == 0xfc ? 0x100 + ((code)&0xff) : 0x200 + ((code)&0xfff))
enum { WASM_OP_SLOTS = 0x200 + 0x120 };

enum wasm_class { WASM_CLASS_I, WASM_CLASS_f, WASM_CLASS_F, WASM_CLASS_v, WASM_CLASSES };

/* Forms by source: S a slot, A the accumulator, C a constant. Every form is a pair: result in the accumulator only, and
 * also in a slot. */
enum wasm_unary_form { WASM_FORM_S, WASM_FORM_A };
enum wasm_binary_form { WASM_FORM_SS, WASM_FORM_AS, WASM_FORM_SA, WASM_FORM_SC, WASM_FORM_AC };
enum wasm_ternary_form { WASM_FORM_SSS, WASM_FORM_ASS, WASM_FORM_SAS, WASM_FORM_SSA };
/* Loads: address in a slot, in the accumulator, none (a constant, part of the offset), slot + slot, slot + constant
 * (wrapping, unlike the offset). The last two have no other offset. */
enum wasm_load_form { WASM_LOAD_S, WASM_LOAD_A, WASM_LOAD_K, WASM_LOAD_X, WASM_LOAD_D };
/* Stores: address then value; `A` as a value is the accumulator of its class. */
enum wasm_store_form {
    WASM_STORE_SS,
    WASM_STORE_SA,
    WASM_STORE_SC,
    WASM_STORE_AS,
    WASM_STORE_AC,
    WASM_STORE_KS,
    WASM_STORE_KA,
    WASM_STORE_KC,
    WASM_STORE_XS,
    WASM_STORE_XA,
    WASM_STORE_DS,
    WASM_STORE_DA,
    WASM_STORE_AA,
    WASM_STORE_FORMS
};
enum { WASM_FORMS = 6 };
typedef struct wasm_op_pair {
    wasm_op_fn to_acc, to_slot;
} wasm_op_pair;

/* By WASM_OP_SLOT and form; NULL: there is none. Functions, since tables of so many addresses would have to be
 * relocated, hence copied, in every process that starts. Loads and stores here are of memory 0, guarded: no check. */
wasm_op_pair wasm_op_of(uint32_t slot, unsigned form);
wasm_op_fn wasm_store_op_of(uint32_t slot, unsigned form);
/* The same with a check, of any memory (forms S and A; SS, SA, AS, AA). */
wasm_op_pair wasm_checked_load_op_of(uint32_t slot, unsigned form);
wasm_op_fn wasm_checked_store_op_of(uint32_t slot, unsigned form);

/* Comparisons that a branch can take along. Integers: all, both widths; floats: the first six. */
enum wasm_compare {
    WASM_CMP_EQ,
    WASM_CMP_NE,
    WASM_CMP_LT_S,
    WASM_CMP_GT_S,
    WASM_CMP_LE_S,
    WASM_CMP_GE_S,
    WASM_CMP_LT_U,
    WASM_CMP_GT_U,
    WASM_CMP_LE_U,
    WASM_CMP_GE_U,
    WASM_CMP_TEST,  /* (a & b) != 0 */
    WASM_CMP_NTEST, /* (a & b) == 0 */
    WASM_CMPS
};
enum { WASM_BR_SS, WASM_BR_SC, WASM_BR_AS, WASM_BR_AC, WASM_BR_FORMS };
/* [64 bits][comparison][form][backward] */
extern const wasm_op_fn wasm_branch_ops[2][WASM_CMPS][WASM_BR_FORMS][2];
/* [f64][comparison][SS, AS, SA][branches if false][backward] */
extern const wasm_op_fn wasm_float_branch_ops[2][6][3][2][2];

/* slot += constant, then a branch by its comparison with a slot or a constant (32 bits): [comparison][constant][back]
 */
extern const wasm_op_fn wasm_count_ops[WASM_CMPS][2][2];

/* The rest, by name: WASM_MISC(name) in interp_misc.def; functions wasm_op_NAME. */
#define WASM_MISC(name) wisp_status wasm_op_##name(WASM_STATE);
#include "wasm/interp_misc.def"

#endif
