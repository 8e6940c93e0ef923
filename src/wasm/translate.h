/* The translator's state, shared by translate.c (what each instruction becomes), translate_control.c (blocks, branches,
 * calls), translate_emit.c (operands, accumulators, the instruction buffer) and translate_fuse.c (superinstructions).
 *
 * The operand stack is abstract: an entry is a constant, a local that is read when it is needed, a value in an
 * accumulator, or a value in its home, the slot that belongs to its height. Where code paths meet, all entries are in
 * their homes (constants may stay).
 *
 * The last few instructions are kept in a queue, not yet written, so that a later one may change where they leave
 * their result or be joined with them. */
#ifndef WASM_TRANSLATE_H
#define WASM_TRANSLATE_H
#include "wasm/instr.h"
#include "wasm/regcode.h"

#define NO_SLOT UINT32_MAX

enum entry_place { IN_HOME, IN_LOCAL, IN_ACC, IS_CONSTANT };
typedef struct entry {
    uint8_t place; /* entry_place */
    uint8_t cls;   /* wasm_class */
    uint8_t wide;  /* of class I: 64 bits */
    uint32_t local;
    uint64_t bits;
} entry;

/* A source as an instruction takes it. */
enum operand_kind { FROM_SLOT, FROM_ACC, FROM_CONSTANT };
typedef struct operand {
    uint8_t kind; /* operand_kind */
    uint8_t cls, wide;
    uint32_t slot; /* where it is, also for FROM_ACC if it is in a slot as well; else NO_SLOT */
    uint32_t home; /* the slot that would be its home */
    uint64_t bits;
} operand;

enum shape { SHAPE_OTHER, SHAPE_UNARY, SHAPE_BINARY, SHAPE_LOAD, SHAPE_COPY, SHAPE_SCALED, SHAPE_SUM };
enum { MAX_WORDS = 14 };
typedef struct insn {
    wasm_op_fn fn;      /* leaves a result, if any, in the accumulator */
    wasm_op_fn slot_fn; /* in slot `to`, too; NULL: there is no result */
    uint8_t shape, cls, count;
    uint16_t code; /* WASM_OP_SLOT of what it does, for SHAPE_UNARY, BINARY, LOAD */
    uint32_t to;   /* NO_SLOT: the accumulator only */
    uint32_t place;
    operand a, b; /* of SHAPE_UNARY, BINARY, LOAD (address), COPY, SCALED, SUM */
    uint32_t words[MAX_WORDS];
} insn;

/* A branch's distance, waiting for its label: the word at `word` counts from `base`. */
typedef struct fix {
    uint32_t word, base;
    int32_t next;
} fix;

typedef struct control {
    uint8_t opcode; /* 0: the function */
    bool targeted;
    wasm_type single;
    const wasm_functype *type;
    uint32_t height;   /* of the stack under its parameters */
    uint32_t start;    /* a loop's code */
    int32_t fixes;     /* to its end */
    int32_t otherwise; /* an if's branch to else or end */
    uint32_t handler;  /* of a try_table, in handlers */
    uint32_t stub;     /* br_table: code made for this label … */
    uint32_t stub_of;  /* … by the br_table of this number */
} control;

enum { QUEUE = 3 };

typedef struct wasm_translator {
    wasm_store *store;
    wasm_func *func;
    wasm_instance *instance;
    const wasm_module *module;
    const wasm_functype *type;
    const uint8_t *pc; /* after the present instruction */
    uint32_t place;    /* its offset in the module */
    bool failed;       /* out of memory */
    bool guarded;      /* memory 0 needs no checks */
    /* locals */
    uint8_t *kinds; /* class of each, with WIDE */
    size_t kind_capacity;
    uint32_t locals;
    /* stacks */
    entry *entries;
    size_t height, entry_capacity;
    size_t settled; /* entries below are in their homes or constants */
    control *controls;
    size_t control_count, control_capacity;
    uint32_t tables; /* br_tables seen */
    /* accumulators: the entry that lives there only (-1: none), and a slot that holds the same */
    int64_t acc_entry[WASM_CLASSES];
    uint32_t acc_slot[WASM_CLASSES];
    /* instructions */
    insn queue[QUEUE];
    unsigned queued;
    uint32_t *code;                     /* in 32-bit halves of cells */
    size_t size, code_capacity, looked; /* looked: where the last wasm_op_look is */
    fix *fixes;
    size_t fix_count, fix_capacity;
    wasm_place *places;
    size_t place_count, place_capacity;
    wasm_handler *handlers;
    size_t handler_count, handler_capacity;
    uint32_t handler; /* the one that we are in; WASM_NO_INDEX: none */
    wasm_handler_catch *catches;
    size_t catch_count, catch_capacity;
} wasm_translator;
typedef wasm_translator translator;

enum { KIND_WIDE = 4 }; /* beside the class */
uint8_t wasm_kind_of(wasm_type type);
uint8_t wasm_kind_of_letter(char letter); /* of a signature in opcodes.def */

/* ---- translate_emit.c ---- */

uint32_t wasm_home(const translator *t, size_t index);
uint32_t wasm_local_slot(uint32_t local);
void wasm_push_entry(translator *t, entry e);
void wasm_push_kind(translator *t, uint8_t kind); /* in its home */
void wasm_push_result(translator *t, insn *i, uint8_t kind);
/* The top entry as a source. It stays valid until the next instruction with a result of its class. */
operand wasm_pop_operand(translator *t);
void wasm_drop(translator *t);
/* An entry as a source, left where it is. */
operand wasm_operand_at(const translator *t, size_t index);
/* wasm_settle of everything under the topmost entry, which may be the last instruction's result and stays so: `values`
 * entries under it without constants. */
void wasm_settle_under(translator *t, size_t values);
/* The source in a slot: what is only in an accumulator or a constant goes to its home. */
void wasm_into_slot(translator *t, operand *o);
void wasm_into_acc(translator *t, operand *o); /* integers */
/* Entries from `from` on are in their homes (or, if `constants`, are constants). */
void wasm_settle(translator *t, size_t from, bool constants);
void wasm_settle_below(translator *t, size_t below);
/* Before local `local` is written: entries that still read it get their copy. `last` says that the last instruction is
 * about to write it. */
void wasm_keep_local(translator *t, uint32_t local, bool last);
void wasm_add(translator *t, const insn *i);
void wasm_flush(translator *t);
void wasm_forget_accs(translator *t);
void wasm_wrote_slot(translator *t, uint32_t slot, uint32_t cls); /* cls WASM_CLASSES: by no accumulator */
void wasm_make_acc(translator *t, uint32_t cls);                  /* about to be overwritten */
void wasm_copy(translator *t, uint32_t to, const operand *o);
insn *wasm_last(translator *t);
/* Is the entry the result of the last instruction, in the accumulator? */
bool wasm_is_last(translator *t, const operand *o);
insn wasm_insn_new(const translator *t, wasm_op_fn fn);
insn wasm_insn_of(const translator *t, wasm_op_pair ops);
void wasm_word(insn *i, uint32_t word);
void wasm_words64(insn *i, uint64_t bits);
void wasm_words_ptr(insn *i, const void *p);
uint32_t wasm_here(translator *t); /* flushes */

/* ---- translate_fuse.c ---- */

/* Has the constant a form as an operand? Integers are of 32 bits there, vectors have none. */
bool wasm_constant_fits(const operand *o);
/* What a source that is not in an accumulator takes in the instruction: a slot's offset or a constant. */
void wasm_put_source(insn *i, const operand *o);

void wasm_binary(translator *t, uint32_t code, uint8_t ta, uint8_t tb, uint8_t tr, bool traps, int lane);
void wasm_unary(translator *t, uint32_t code, uint8_t tr, bool traps, int lane);
/* A branch if the condition on top (an i32) is not zero, or with `unless` if it is. Returns the position of the
 * distance's word through `at`; distance is 0 as yet. */
void wasm_branch_on(translator *t, bool unless, bool backward, uint32_t *word, uint32_t *base);
/* The same, of an operand of any width, without joining. */
void wasm_branch_zero(translator *t, const operand *o, bool zero, bool backward, uint32_t *word, uint32_t *base);
void wasm_set_local(translator *t, uint32_t local, bool keep);

/* ---- translate.c ---- */

/* To be asked after each of many steps, of which `done` are done: something failed, or the store was interrupted.
 * A few megabytes of calls with a thousand values each take seconds. */
bool wasm_translation_ends(translator *t, uint32_t done);

/* ---- translate_control.c ---- */

/* Blocks, branches, returns, exceptions; true: what follows is dead. */
bool wasm_translate_control(translator *t, const wasm_instr *i);
/* At `end` and `else`; `dead`: they are not reached from above. The same result. */
bool wasm_translate_else(translator *t, bool dead);
bool wasm_translate_end(translator *t, bool dead);
bool wasm_push_control(translator *t, uint8_t opcode, const wasm_instr *i);

/* ---- translate_call.c ---- */

bool wasm_translate_call(translator *t, const wasm_instr *i); /* true: a tail call */
void wasm_return(translator *t);

/* ---- translate_memory.c ---- */

void wasm_translate_access(translator *t, const wasm_instr *i, const wasm_op_info *op);
void wasm_translate_bulk(translator *t, const wasm_instr *i);

#endif
