/* Inside the machine: what decoder, validator, interpreter and instances share. Nothing outside src/wasm includes it.
 */
#ifndef WASM_MACHINE_H
#define WASM_MACHINE_H
#include "os/watchdog.h"
#include "wasm/wasm.h"
#include <stdatomic.h>

#define WASM_PAGE 65536u
#define WASM_NO_INDEX UINT32_MAX
#define WASM_LIKELY(x) __builtin_expect(!!(x), 1)
#define WASM_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- module ---- */

/* Memory with the lifetime of a module: blocks in a list, freed together. */
typedef struct wasm_arena {
    struct wasm_arena_block *blocks;
} wasm_arena;
void *wasm_arena_array(wasm_arena *arena, size_t count, size_t size); /* zeroed; NULL on failure */
void wasm_arena_fini(wasm_arena *arena);

/* Validated code: a function's body or a constant expression. */
typedef struct wasm_code {
    const uint8_t *start, *end;       /* first instruction; after the final `end` */
    uint32_t params, results, locals; /* slots; locals without parameters */
    uint32_t operands;                /* greatest height */
    base_span body;                   /* locals declarations too */
} wasm_code;

typedef struct wasm_table_decl {
    wasm_type type;
    wasm_range range;
    wasm_code init; /* start NULL: null */
} wasm_table_decl;

typedef struct wasm_global_decl {
    wasm_type type;
    bool is_mutable;
    wasm_code init;
} wasm_global_decl;

typedef enum { WASM_SEGMENT_ACTIVE, WASM_SEGMENT_PASSIVE, WASM_SEGMENT_DECLARED } wasm_segment_mode;

typedef struct wasm_elem {
    wasm_segment_mode mode;
    wasm_type type;
    uint32_t table, count;
    wasm_code offset;
    uint32_t *funcs;  /* either function indices */
    wasm_code *exprs; /* or expressions */
} wasm_elem;

typedef struct wasm_data {
    wasm_segment_mode mode;
    uint32_t memory;
    wasm_code offset;
    base_span bytes;
} wasm_data;

/* Of a defined type (core §2.3.11), what its wasm_functype does not say. The fields of a struct or array type are its
 * "params": a value type or WASM_PACKED_…, WASM_FIELD_MUTABLE added to it. Indices are canonical. */
typedef struct wasm_subtype {
    uint32_t super;             /* WASM_NO_INDEX: none */
    uint32_t group, group_size; /* the first of its recursive group, and how many that has */
    uint8_t form;               /* WASM_FORM_… */
    uint8_t depth;              /* how many supertypes are above it */
    bool is_final;
} wasm_subtype;

enum {
    WASM_FORM_ARRAY = 0x5e,
    WASM_FORM_STRUCT = 0x5f,
    WASM_FORM_FUNC = 0x60,
    WASM_PACKED_I8 = 0x78,
    WASM_PACKED_I16 = 0x77,
    WASM_FIELD_MUTABLE = 0x8000000,
    WASM_REF_WITHIN = 0x10000000, /* only while groups are compared */
    WASM_SUBTYPE_DEPTH = 63,      /* as in browsers (JS API §implementation limits) */
};

struct wasm_module {
    base_span bytes;
    wasm_arena arena;
    wasm_functype *types;
    wasm_subtype *subs;
    uint32_t *canonical; /* per type index: the first type that is the same; all heap types name that one */
    wasm_import_info *imports;
    wasm_export_info *exports;
    wasm_section_info *sections;
    uint32_t *funcs;   /* type index of each, imported ones first */
    uint8_t *declared; /* per function: may appear in ref.func (core §3.4.1 C.refs) */
    wasm_code *codes;  /* of defined functions */
    wasm_table_decl *tables;
    wasm_range *memories;
    wasm_global_decl *globals;
    uint32_t *tags; /* type indices */
    wasm_elem *elems;
    wasm_data *datas;
    base_span *func_names;
    uint32_t type_count, import_count, export_count, section_count, func_count, code_count, table_count, memory_count,
        global_count, tag_count, elem_count, data_count;
    uint32_t imported_funcs, imported_tables, imported_memories, imported_globals, imported_tags;
    uint32_t start;
    size_t section_capacity;
    wasm_decode_limits limits;
};

/* types.c */
bool wasm_type_is_ref(wasm_type type);
bool wasm_type_is_concrete(wasm_type type); /* a reference to a type of the module */
/* `subs` are the module's or the store's, whichever the types' indices belong to. */
bool wasm_type_matches(const wasm_subtype *subs, wasm_type sub, wasm_type super);
bool wasm_types_match(const wasm_subtype *subs, const wasm_type *sub, const wasm_type *super, uint32_t count);
bool wasm_subtype_is(const wasm_subtype *subs, uint32_t sub, uint32_t super); /* on canonical indices */
/* core §3.3.6: function, struct and array types, both of that form. */
bool wasm_composite_matches(const wasm_subtype *subs, uint8_t form, const wasm_functype *sub,
                            const wasm_functype *super);

/* A recursive group, and a hash table of those that differ. */
typedef struct wasm_group {
    const wasm_functype *types;
    const wasm_subtype *subs;
    uint32_t start, size;
    const uint32_t *ids; /* the identities of types before `start`; NULL: their indices */
} wasm_group;
typedef struct wasm_group_slot {
    uint32_t start, hash; /* start + 1; 0: free */
} wasm_group_slot;
typedef struct wasm_groups {
    wasm_group_slot *slots;
    size_t slot_count, used;
    uint64_t seed;
} wasm_groups;
/* Sets *start to the equal group that is known, else remembers the group under *start. at(space, start) describes a
 * known one. False: no memory. */
bool wasm_groups_find(wasm_groups *table, const wasm_group *g, wasm_group (*at)(const void *, uint32_t),
                      const void *space, uint32_t *start);
void wasm_groups_fini(wasm_groups *table);
/* Sets canonical[] of the module's group at `start`; if there is an equal one, its types take the place of these. */
bool wasm_canonicalize_group(wasm_module *m, wasm_groups *table, uint32_t start);
uint32_t wasm_hash_bytes(uint64_t seed, const uint8_t *data, size_t size);
bool wasm_type_defaultable(wasm_type type);
const char *wasm_type_name(wasm_type type, char out[16]);
/* Does "(iI)f" say this type? Also on signatures that are themselves wrong (then false). */
bool wasm_signature_matches(const char *signature, const wasm_functype *type);

/* decode.c and validate.c */
typedef struct wasm_decoder {
    wasm_module *m;
    base_reader r; /* over the whole module, so that offsets are the file's; `end` is the section's */
    wisp_report *report;
    const char *section;
    bool has_data_count, has_code;
    uint32_t last_order, data_count;
    struct wasm_validator *validator;
} wasm_decoder;
wisp_status wasm_decode_fail(wasm_decoder *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
wisp_status wasm_decode_check(wasm_decoder *d); /* fails if the reader has */
wisp_status wasm_decode_type(wasm_decoder *d, wasm_type *out);
wisp_status wasm_decode_heap_type(wasm_decoder *d, wasm_type *out);
/* Validates from the reader's position: a function's locals and instructions, or a constant expression. */
wisp_status wasm_validate_function(struct wasm_validator *v, wasm_code *code, const wasm_functype *type);
wisp_status wasm_validate_constant(wasm_decoder *d, wasm_code *code, wasm_type type);
struct wasm_validator *wasm_validator_new(wasm_decoder *d);
void wasm_validator_free(struct wasm_validator *v);
typedef struct wasm_op_info {
    char text[36], signature[6]; /* empty text: no such instruction; arrays, since pointers are to be relocated */
    uint8_t immediate, aux;      /* wasm_immediate; alignment or lanes */
} wasm_op_info;
/* `code` as in opcodes.def. */
const wasm_op_info *wasm_op(uint32_t code);

enum wasm_immediate {
    WASM_IMM_NONE,
    WASM_IMM_SPECIAL,
    WASM_IMM_MEMARG,
    WASM_IMM_MEMARG_LANE,
    WASM_IMM_LANE,
    WASM_IMM_SHUFFLE,
    WASM_IMM_I32,
    WASM_IMM_I64,
    WASM_IMM_F32,
    WASM_IMM_F64,
    WASM_IMM_V128,
};

/* ---- run time ---- */

struct wasm_func {
    const wasm_code *code; /* NULL: a host function */
    wasm_host_fn fn;
    void *context;
    wasm_instance *instance; /* NULL: made by wasm_func_new */
    wasm_store *store;
    const wasm_functype *type;
    uint32_t type_id;                           /* of the store: equal types have equal ids */
    uint32_t index;                             /* in its module */
    const union wasm_cell *entry;               /* what the interpreter runs: see wasm_func_changed */
    const void *native;                         /* its code (native_abi.h); NULL: none */
    struct wasm_native_context *native_context; /* NULL where native is */
    struct wasm_func *next;                     /* those made by wasm_func_new */
};

struct wasm_memory {
    uint8_t *data;
    uint64_t size;
    uint64_t reserved; /* bytes of address space held, 0: the pages may move when it grows */
    bool guarded;      /* any 32-bit index + 32-bit offset + 16 bytes is inside `reserved`: faults do the check */
    uint64_t limit;    /* pages */
    wasm_range range;  /* min is what it was made with */
    wasm_store *store;
    struct wasm_memory *next;
};

struct wasm_table {
    void **items;
    uint64_t size, limit;
    size_t capacity;
    wasm_type type;
    wasm_range range;
    wasm_store *store;
    struct wasm_table *next;
};

struct wasm_global {
    wasm_value value;
    wasm_type type;
    bool is_mutable;
    struct wasm_global *next;
};

struct wasm_tag {
    uint32_t type_id;
    const wasm_functype *type;
    struct wasm_tag *next;
};

typedef struct wasm_refs { /* an element segment at run time */
    void **items;
    uint32_t count;
} wasm_refs;

struct wasm_instance {
    const wasm_module *module;
    wasm_store *store;
    wasm_func **funcs;
    wasm_table **tables;
    wasm_memory **memories;
    wasm_global **globals;
    wasm_tag **tags;
    wasm_memory *memory0; /* never NULL: the store's empty memory if there is none */
    uint32_t *type_ids;   /* of the store, per type index */
    wasm_refs *elems;
    uint64_t *data_sizes; /* 0 once dropped */
    wasm_func *own_funcs;
    wasm_arena arena;                   /* register code */
    struct wasm_native_context *native; /* NULL: interpreted */
    const struct wasm_native_code *native_code;
    struct wasm_instance *next;
};

union wasm_cell;
/* Where a running function returns to. The first record of a run has the interpreter's exit as its code, and the code
 * pointer of the frame around the run (or NULL) in place of a frame pointer. */
typedef struct wasm_frame {
    const union wasm_cell *pc;
    char *fp;
    /* of a frame that a tail call into another instance took over (pc is then wasm_op_reload_return): the true pc, and
     * the instance whose memory is there */
    const union wasm_cell *after;
    wasm_instance *instance;
} wasm_frame;

/* A call into native code from the interpreter or from outside, on the stack of wasm_native_call. */
typedef struct wasm_native_run {
    struct wasm_native_run *outer;
    wasm_frame *top;               /* as it was: the interpreter's records from here on are of what this code called */
    const union wasm_cell *code;   /* store->pc as it was */
    uintptr_t high;                /* this call's frames lie below it on the stack */
    uintptr_t pc, frame;           /* where this code last called another function through the machine */
    const int64_t *ticks_at_fault; /* of code that counts fuel: what is left of the store's after a fault */
} wasm_native_run;

/* Where a call ended, kept while its frames go: code addresses of the interpreter's and native code, innermost first.
 */
typedef struct wasm_trace_state {
    bool valid;
    uint32_t depth; /* frames; the first WASM_TRAP_FRAMES of them are in `at` */
    uintptr_t at[WASM_TRAP_FRAMES];
} wasm_trace_state;

struct wasm_store {
    wasm_limits limits;
    _Atomic uint32_t interrupt;    /* bits of fault.h */
    _Atomic uint32_t interrupters; /* threads inside wasm_interrupt */
    _Atomic(struct wasm_image *) images;
    int64_t ticks; /* calls and backward branches until the next look at interrupt and fuel */
    uint64_t fuel;
    wasm_value *stack, *stack_end, *sp;
    wasm_frame *frames, *frames_end, *top; /* one more than may be used; `top` is the first free one */
    const union wasm_cell *pc; /* where the innermost frame is, while something else runs or after it ended */
    uint32_t host_depth;
    uintptr_t stack_limit;             /* of the native stack, while a call runs: frames below it trap */
    const void *fault_code;            /* with a trap by fault: the interpreter's code pointer, or NULL */
    uintptr_t fault_pc, fault_frame;   /* of native code: where it trapped; pc 0 if it was not there */
    uintptr_t fault_stack, fault_link; /* os/faults.h; 0 unless a fault told */
    bool fault_new;                    /* they are of what is not in the trace yet */
    wasm_native_run *native_run;       /* the innermost, of those that have not ended */
    wasm_trace_state trace;
    wasm_limit exceeded;
    bool watched; /* the watchdog is open */
    os_alarm alarm;
    uint32_t exit_code;
    char reason[128];
    wasm_functype **types; /* interned: a heap type index in them is one of this array */
    wasm_subtype *subs;
    size_t type_count, type_capacity, sub_capacity;
    wasm_groups groups;
    wasm_instance *instances;
    wasm_memory *memories;
    wasm_table *tables;
    wasm_global *globals;
    wasm_tag *tags;
    wasm_func *funcs;
    uint32_t memory_count, table_count, instance_count;
    void (*_Atomic post)(void *); /* wasm_store_post; what it is given */
    void *post_context;
    struct wasm_native_code *native_codes; /* mapped (native_load.c) */
    wasm_memory no_memory;
    struct wasm_translator *translator;
    struct wasm_body **bodies; /* of translated functions, by address if sorted */
    size_t body_count, body_capacity;
    bool bodies_sorted;
    struct wasm_exception *exceptions, *exception; /* all; the one that is on its way, or NULL */
    uint64_t exception_bytes;
    struct { /* where a handler goes on (interp.c) */
        const union wasm_cell *pc;
        char *fp;
        wasm_frame *top;
        wasm_instance *instance;
    } resume;
};

/* core §4.2.14 exception instances. One that no reference was made of ends when it is caught, others with the store. */
typedef struct wasm_exception {
    const wasm_tag *tag;
    struct wasm_exception *next, *previous;
    bool referenced;
    wasm_value values[]; /* as many as the tag has parameters */
} wasm_exception;

#define WASM_TRAPS(X)                                                                                                  \
    X(UNREACHABLE, "unreachable")                                                                                      \
    X(DIVIDE, "integer divide by zero")                                                                                \
    X(OVERFLOW, "integer overflow")                                                                                    \
    X(TO_INTEGER, "invalid conversion to integer")                                                                     \
    X(MEMORY, "out of bounds memory access")                                                                           \
    X(TABLE, "out of bounds table access")                                                                             \
    X(UNDEFINED, "undefined element")                                                                                  \
    X(UNINITIALIZED, "uninitialized element")                                                                          \
    X(SIGNATURE, "indirect call type mismatch")                                                                        \
    X(STACK, "call stack exhausted")                                                                                   \
    X(NULL_FUNC, "null function reference")                                                                            \
    X(NULL_REF, "null reference")                                                                                      \
    X(NULL_EXCEPTION, "null exception reference")

typedef enum wasm_trap_kind {
    WASM_TRAP_NONE,
#define X(name, text) WASM_TRAP_##name,
    WASM_TRAPS(X)
#undef X
} wasm_trap_kind;

/* wasm_store.c */
/* The id of the group's first type (they follow each other); WASM_NO_INDEX: no memory. */
uint32_t wasm_intern_group(wasm_store *store, const wasm_group *group);
/* core §3.3.8, on ids of the store: is every value of type `sub` one of type `super`? What call_indirect asks. */
bool wasm_store_type_is_slow(const wasm_store *store, uint32_t sub, uint32_t super);
static inline bool wasm_store_type_is(const wasm_store *store, uint32_t sub, uint32_t super)
{
    return sub == super || wasm_store_type_is_slow(store, sub, super);
}
wisp_status wasm_trap_raise(wasm_store *store, wasm_trap_kind kind);
/* Looks at interruption and fuel once `ticks` has run below zero. */
wisp_status wasm_tick(wasm_store *store);
/* The next TICK calls wasm_tick; no fuel is lost. */
void wasm_make_due(wasm_store *store);

/* trace.c. Takes down where the innermost code is, if the trace is not valid already, up to `most` frames. */
enum { WASM_TRACE_ALL = INT32_MAX };
void wasm_trace(wasm_store *store, uint32_t most);
void wasm_trap_capture(wasm_store *store, wasm_trap *trap);

/* constant.c: evaluates a constant expression of the instance's module. */
wisp_status wasm_evaluate(wasm_instance *instance, const wasm_code *code, wasm_value *out);

/* linear.c */
void wasm_memory_fini(wasm_memory *memory);
uint64_t wasm_table_grow(wasm_table *table, uint64_t count, void *value); /* old size or UINT64_MAX */
void wasm_table_fini(wasm_table *table);

/* linear.c too: the table and memory instructions; false is a trap */
bool wasm_table_init(wasm_instance *instance, uint32_t table, uint32_t elem, uint64_t to, uint64_t from, uint64_t n);
bool wasm_table_copy(wasm_table *to_table, wasm_table *from_table, uint64_t to, uint64_t from, uint64_t n);
bool wasm_table_fill(wasm_table *table, uint64_t to, void *value, uint64_t n);
bool wasm_memory_init(wasm_instance *instance, uint32_t memory, uint32_t data, uint64_t to, uint64_t from, uint64_t n);
bool wasm_memory_copy(wasm_memory *to_memory, wasm_memory *from_memory, uint64_t to, uint64_t from, uint64_t n);
bool wasm_memory_fill(wasm_memory *memory, uint64_t to, uint8_t value, uint64_t n);
/* The one check: are [at, at + n) inside [0, size)? */
static inline bool wasm_inside(uint64_t at, uint64_t n, uint64_t size)
{
    return at <= size && n <= size - at;
}

/* wasm_store.c: the store's deadline runs, for a call from outside or while an instance is made. */
void wasm_begin_deadline(wasm_store *store);
void wasm_end_deadline(wasm_store *store);
/* Fails if the store is interrupted. */
wisp_status wasm_check_interrupt(wasm_store *store, wisp_report *report);

/* wasm_store.c: calls a host function whose arguments lie at v. */
wisp_status wasm_call_host(wasm_store *store, const wasm_func *func, wasm_instance *caller, wasm_value *v);

/* ---- interp.c ---- */

/* Runs a function of register code, its arguments at `v`, a slot of the store's stack; results there. On a failure
 * store->pc and store->top say where, for wasm_trap_capture; the caller puts them back. */
wisp_status wasm_interpret(wasm_store *store, const wasm_func *func, wasm_value *v);
struct wasm_translator;
void wasm_translator_free(struct wasm_translator *t); /* translate.c */
/* After its code, fn or native changed: how it is entered. */
void wasm_func_changed(wasm_func *func);

/* Exceptions. A status WISP_E_EXCEPTION with store->exception set is on its way to a handler, also through host
 * functions, which pass the status on. */
wisp_status wasm_throw(wasm_store *store, const wasm_tag *tag, const wasm_value *values);
wisp_status wasm_rethrow(wasm_store *store, wasm_exception *exception);
/* Ends its being on its way: its values to `values` (may be NULL); says whether a reference to it is made. */
void wasm_exception_take(wasm_store *store, wasm_value *values, bool reference);
void wasm_exception_free(wasm_store *store, wasm_exception *exception);

#endif
