/* Inside the code generator: what its parts share. A native_unit is one object file in the making, a native_function
 * the function being translated: an abstract stack of LLVM values, and the labels around. */
#ifndef WASM_NATIVE_EMIT_H
#define WASM_NATIVE_EMIT_H
#include <llvm-c/Core.h>

#include "wasm/instr.h"
#include "wasm/native/codegen.h"

typedef enum native_shape { I8X16, I16X8, I32X4, I64X2, F32X4, F64X2, SHAPES } native_shape;

/* May a value hold a NaN that arithmetic made and nobody has canonicalized yet, in lanes of which type? */
typedef enum native_nan { EXACT, NAN_F32, NAN_F64, NAN_F32X4, NAN_F64X2 } native_nan;

typedef struct native_value {
    LLVMValueRef v;
    native_nan nan;
} native_value;

/* What a load or store touches. Accesses of different kinds never overlap. */
typedef enum native_alias {
    ALIAS_LINEAR,    /* the guest's memories */
    ALIAS_CONTEXT,   /* fields of the context that change */
    ALIAS_INVARIANT, /* what never changes while the function runs */
    ALIAS_TABLE,     /* wasm_table and its items */
    ALIAS_MEMORY,    /* wasm_memory */
    ALIAS_GLOBAL,    /* values of globals */
    ALIAS_SLOTS,     /* argument buffers */
    ALIASES
} native_alias;

typedef struct native_unit {
    const wasm_module *m;
    const wasm_codegen_options *options;
    wisp_report *report;
    LLVMContextRef c;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMTypeRef none, i1, i8, i16, i32, i64, f32, f64, v128, ptr, vec[SHAPES];
    unsigned tbaa_kind, invariant_kind, prof_kind;
    LLVMValueRef alias_tags[ALIASES], unlikely, empty;
    LLVMValueRef tick;       /* asks for fuel; NULL until needed */
    LLVMValueRef *funcs;     /* per function index; NULL until declared */
    LLVMTypeRef *func_types; /* per type index; NULL until needed */
    uint32_t first, count;   /* the defined functions of this object */
    uint64_t *frame_sizes; /* of those: where the frame is so large that it is checked for before it is made; else 0 */
    bool resized;          /* LLVM made a frame larger than that: all again */
    LLVMAttributeRef self; /* of the context: passed in a register that callees preserve and nobody ever changes */
    unsigned convention;   /* C, or LLVM's tailcc if the module has tail calls: its callees pop, which costs */
    bool plain;            /* a function is so large that LLVM's better algorithms would take too long */
    bool exceptions;       /* calls are followed by a look at the context's exception */
    bool fuel;             /* counted: an argument and a result of every function */
    bool x86;
} native_unit;

typedef struct native_control {
    uint8_t opcode;    /* block, loop, if, else, try_table; 0: the function */
    bool ticks_hidden; /* on some way to the label; of a loop: never */
    bool ticks_hidden_at_if;
    bool dead;    /* what follows in the block is never reached */
    bool reached; /* something branches to the label */
    LLVMBasicBlockRef label, otherwise;
    LLVMBasicBlockRef handler; /* where exceptions go inside; NULL: out of the function */
    uint32_t height;           /* of the operand stack below its parameters */
    uint32_t param_count, result_count;
    const wasm_type *results;
    wasm_type single;      /* `results` of a block with one */
    size_t saved;          /* of an `if`: its parameters, for the else arm */
    size_t phis;           /* of the label, in native_function.phis */
    uint32_t skipped_nest; /* while dead: blocks opened inside */
} native_control;

typedef struct native_function {
    native_unit *u;
    uint32_t index; /* in the module */
    const wasm_functype *type;
    const wasm_code *code;
    wisp_status status; /* the first failure */
    LLVMValueRef fn, context, out;
    LLVMBasicBlockRef entry, start, body; /* allocas; what is loaded once; the code */
    LLVMValueRef memory_base;             /* of memory 0 where it is guarded; loaded in `start` */
    LLVMValueRef ticks;                   /* fuel: a variable of the function */
    bool shows_ticks, ticks_hidden; /* may fault; and where the code is now, the count for that case is out of date */
    LLVMValueRef slots;             /* buffer for arguments of helpers */
    uint32_t slot_count;
    LLVMBasicBlockRef traps[32], unwind; /* per wasm_trap_kind; where an exception leaves the function */
    bool calls;                          /* calls functions of the guest */
    LLVMValueRef *locals;
    wasm_type *local_types;
    uint8_t *local_nans; /* native_nan of each local */
    uint32_t local_count;
    native_value *stack;
    size_t stack_count, stack_capacity;
    native_control *controls;
    size_t control_count, control_capacity;
    LLVMValueRef *phis;
    size_t phi_count, phi_capacity;
    native_value *saved;
    size_t saved_count, saved_capacity;
    uint64_t work; /* LLVM instructions made, roughly: bounds what a hostile function may cost */
} native_function;

/* ---- emit.c: building blocks ---- */
LLVMValueRef native_i32(native_unit *u, uint32_t v);
LLVMValueRef native_i64(native_unit *u, uint64_t v);
LLVMTypeRef native_type(native_unit *u, wasm_type type);
LLVMTypeRef native_function_type(native_unit *u, uint32_t type_index);
bool native_returns_by_memory(const wasm_functype *type);
unsigned native_hidden_params(const native_unit *u, const wasm_functype *type); /* before the function's own */
/* Of what a call returned: result i, and the fuel that is left. */
LLVMValueRef native_result(native_unit *u, const wasm_functype *type, LLVMValueRef result, uint32_t i);
LLVMValueRef native_result_ticks(native_unit *u, const wasm_functype *type, LLVMValueRef result);
LLVMValueRef native_declare(native_unit *u, uint32_t func);
/* A call of a function of the image; args[0] is the context. */
LLVMValueRef native_call(native_unit *u, LLVMTypeRef type, LLVMValueRef code, LLVMValueRef *args, unsigned count);
LLVMValueRef native_intrinsic(native_unit *u, const char *name, LLVMTypeRef *overloads, unsigned overload_count,
                              LLVMValueRef *args, unsigned arg_count);
/* base + offset, in bytes */
LLVMValueRef native_at(native_unit *u, LLVMValueRef base, uint64_t offset);
LLVMValueRef native_load(native_unit *u, LLVMTypeRef type, LLVMValueRef at, native_alias alias);
LLVMValueRef native_store(native_unit *u, LLVMValueRef value, LLVMValueRef at, native_alias alias);
LLVMValueRef native_field(native_unit *u, LLVMTypeRef type, LLVMValueRef base, uint64_t offset, native_alias alias);
LLVMBasicBlockRef native_block(native_function *f);
void native_go(native_unit *u, LLVMBasicBlockRef block); /* builds there from now on */
LLVMValueRef native_helper(native_function *f, enum wasm_native_helper helper, LLVMValueRef *args, unsigned count);
/* An object of the instance: memories, tables and globals follow each other in the context. */
LLVMValueRef native_memory_object(native_function *f, uint32_t memory);
LLVMValueRef native_table_object(native_function *f, uint32_t table);
LLVMValueRef native_global_object(native_function *f, uint32_t global);
LLVMBasicBlockRef native_trap_block(native_function *f, wasm_trap_kind kind);
void native_trap_if(native_function *f, LLVMValueRef condition, wasm_trap_kind kind);
LLVMValueRef native_branch_unlikely(native_unit *u, LLVMValueRef condition, LLVMBasicBlockRef rarely,
                                    LLVMBasicBlockRef mostly);
void native_fail(native_function *f, wisp_status status, const char *why);

/* ---- emit.c: the operand stack ---- */
void native_push(native_function *f, LLVMValueRef v);
void native_push_nan(native_function *f, LLVMValueRef v, native_nan nan);
native_value native_pop(native_function *f);
LLVMValueRef native_pop_any(native_function *f);   /* whatever its NaNs look like */
LLVMValueRef native_pop_exact(native_function *f); /* bits as the specification of this machine says */
LLVMValueRef native_exact(native_function *f, native_value v);
/* Two values of which one becomes the result: the tag that holds for both, canonicalizing one if need be. */
native_nan native_join(native_function *f, native_value *a, native_value *b);
LLVMValueRef native_pop_condition(native_function *f); /* i32 != 0, as i1 */
LLVMValueRef native_binary(native_unit *u, LLVMOpcode op, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef native_zext(native_unit *u, LLVMValueRef v, LLVMTypeRef type);

/* ---- one file each; false: no such instruction there ---- */
bool native_emit_scalar(native_function *f, const wasm_instr *i);
LLVMValueRef native_min_max(native_unit *u, bool is_min, LLVMValueRef a, LLVMValueRef b); /* lanes as well */
bool native_emit_vector(native_function *f, const wasm_instr *i);
bool native_emit_relaxed(native_function *f, const wasm_instr *i);
bool native_emit_memory(native_function *f, const wasm_instr *i);
bool native_emit_table(native_function *f, const wasm_instr *i);
bool native_emit_call(native_function *f, const wasm_instr *i);
bool native_emit_control(native_function *f, const wasm_instr *i);
bool native_emit_exception(native_function *f, const wasm_instr *i);

/* emit_control.c */
void native_branch(native_function *f, uint32_t depth); /* with the operands it needs on the stack, which stay there */
void native_mark_dead(native_function *f);
void native_emit_return(native_function *f); /* takes its results from the stack */
native_control *native_label(native_function *f, uint32_t depth);
/* emit_fuel.c: where fuel is not counted, these do nothing, and those with a value are not called */
void native_begin_fuel(native_function *f);
void native_tick(native_function *f);
LLVMValueRef native_charge(native_function *f); /* takes 1; none left, as i1: then one has to ask */
void native_ask_for_ticks(native_function *f);
LLVMValueRef native_ticks(native_function *f);
void native_set_ticks(native_function *f, LLVMValueRef ticks);
void native_show_ticks(native_function *f);    /* before what may fault */
void native_publish_ticks(native_function *f); /* before what the machine does */
void native_reload_ticks(native_function *f);  /* after it */
/* emit_memory.c: is it an access whose bounds guard pages watch? */
bool native_may_fault(const native_unit *u, const wasm_instr *i);
/* emit_call.c */
LLVMValueRef native_slots(native_function *f, uint32_t count);
void native_emit_entry(native_unit *u, uint32_t type_index);
void native_load_slots(native_function *f, LLVMValueRef slots, const wasm_type *types, uint32_t count);
void native_store_slots(native_function *f, LLVMValueRef slots, const LLVMValueRef *values, uint32_t count);
/* emit_exception.c */
void native_check_exception(native_function *f, bool tail);
void native_build_handler(native_function *f, const wasm_instr *i, native_control *try_table);
/* emit_function.c */
wisp_status native_translate(native_unit *u, uint32_t func);
/* The function that has the large frame, behind the one that looks for room: declared next to it, so that in the image
 * both lie where the function's offset says. */
LLVMValueRef native_declare_inner(native_unit *u, uint32_t func, LLVMValueRef outer);
/* arithmetic_locals.c: fills local_nans */
void native_find_arithmetic_locals(native_function *f);

#endif
