/* The WebAssembly machine: decode and validate a module, instantiate it, call into it.
 *
 * Order of use:
 *     wasm_module_new (bytes stay the caller's, and must outlive the module: nothing is copied)
 *     wasm_store_new  (limits; owns every instance, memory, table, global and function made in it)
 *     wasm_instance_new -> wasm_instance_replace… -> wasm_instance_start -> wasm_call…
 *     wasm_store_free, wasm_module_free
 *
 * A module is immutable once made: any number of stores in any number of threads may use it. A store belongs to one
 * thread at a time; only wasm_store_interrupt and wasm_store_post may be called from another.
 */
#ifndef WASM_WASM_H
#define WASM_WASM_H
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_module wasm_module;
typedef struct wasm_store wasm_store;
typedef struct wasm_instance wasm_instance;
typedef struct wasm_func wasm_func;
typedef struct wasm_memory wasm_memory;
typedef struct wasm_table wasm_table;
typedef struct wasm_global wasm_global;
typedef struct wasm_tag wasm_tag;

/* ---- types and values ---- */

/* A value type: the byte of core §5.3.1 for numbers and vectors. A reference type has WASM_REF set, its heap type in
 * the low 24 bits (a type index of its module, or with WASM_REF_ABSTRACT the byte of an abstract heap type). */
typedef uint32_t wasm_type;
enum {
    WASM_I32 = 0x7f,
    WASM_I64 = 0x7e,
    WASM_F32 = 0x7d,
    WASM_F64 = 0x7c,
    WASM_V128 = 0x7b,
    WASM_REF = 0x1000000,
    WASM_REF_NULL = 0x2000000, /* nullable */
    WASM_REF_ABSTRACT = 0x4000000,
    WASM_FUNCREF = WASM_REF | WASM_REF_NULL | WASM_REF_ABSTRACT | 0x70,
    WASM_EXTERNREF = WASM_REF | WASM_REF_NULL | WASM_REF_ABSTRACT | 0x6f,
    WASM_EXNREF = WASM_REF | WASM_REF_NULL | WASM_REF_ABSTRACT | 0x69,
};

/* A value, and a slot of the machine's stack. 16 bytes whatever the type, so that code which never names a type (drop,
 * select, local.get) needs no type at run time. In a slot an i32 is zero-extended to 64 bits: an address is always
 * `u64`, and 32- and 64-bit memories share their code. */
typedef union wasm_value {
    uint32_t u32;
    int32_t i32;
    uint64_t u64;
    int64_t i64;
    float f32;
    double f64;
    void *ref; /* NULL is the null reference; a function reference is a wasm_func * */
    uint8_t v128[16];
    uint64_t words[2];
} __attribute__((aligned(16))) wasm_value;

typedef struct wasm_functype {
    const wasm_type *params, *results;
    uint32_t param_count, result_count;
} wasm_functype;

typedef enum { WASM_FUNC, WASM_TABLE, WASM_MEMORY, WASM_GLOBAL, WASM_TAG } wasm_kind;

typedef struct wasm_range { /* of table elements or memory pages */
    uint64_t min, max;
    bool has_max, is64, shared;
} wasm_range;

/* ---- modules ---- */

/* What a module may ask for; over it decoding ends with WISP_E_LIMIT. */
typedef struct wasm_decode_limits {
    uint32_t items;    /* of each kind: types, functions, imports, segments, … */
    uint32_t params;   /* of a function type; also results */
    uint32_t locals;   /* of a function, parameters included */
    uint32_t operands; /* greatest height of a function's operand stack */
    uint32_t nesting;  /* of blocks */
    uint64_t until_ns; /* of os_monotonic_ns: past it, WISP_E_DEADLINE; 0: no limit */
    /* Asked now and then, by several threads: true ends it with WISP_E_CANCELLED. NULL: nobody asks. */
    bool (*stopped)(void *context);
    void *stopped_context;
} wasm_decode_limits;
extern const wasm_decode_limits wasm_decode_defaults;

/* Decodes and validates the whole module. Borrows `bytes`. `limits` may be NULL (the defaults). Failures: WISP_E_INPUT
 * or WISP_E_TRUNCATED with byte offset, section and reason, WISP_E_UNSUPPORTED, WISP_E_LIMIT, WISP_E_MEMORY. */
wisp_status wasm_module_new(wasm_module **out, base_span bytes, const wasm_decode_limits *limits,
                            wisp_report *report) WISP_MUST_USE;
void wasm_module_free(wasm_module *module); /* NULL is allowed */
base_span wasm_module_bytes(const wasm_module *module);

typedef struct wasm_import_info {
    base_span module, name; /* UTF-8, not terminated */
    wasm_kind kind;
    uint32_t index; /* in the index space of its kind */
} wasm_import_info;
typedef struct wasm_export_info {
    base_span name;
    wasm_kind kind;
    uint32_t index;
} wasm_export_info;
typedef struct wasm_section_info {
    base_span name;    /* of a custom section; {NULL, 0} for others */
    base_span content; /* after the name */
    uint64_t offset;   /* of the section's first byte (its id) in the module */
    uint8_t id;        /* core §5.5.2 */
} wasm_section_info;
typedef struct wasm_code_info {
    base_span body; /* locals and instructions, as in the file */
    uint64_t offset;
    uint32_t local_count, operand_count; /* slots: parameters and locals; greatest operand height */
} wasm_code_info;
typedef struct wasm_data_info {
    base_span bytes; /* in the file: never copied */
    bool passive;
} wasm_data_info;

uint32_t wasm_module_section_count(const wasm_module *module); /* all, in file order */
const wasm_section_info *wasm_module_section(const wasm_module *module, uint32_t index);
/* The n-th custom section of that name (n from 0), or NULL. */
const wasm_section_info *wasm_module_custom(const wasm_module *module, const char *name, uint32_t n);

uint32_t wasm_module_import_count(const wasm_module *module);
const wasm_import_info *wasm_module_import(const wasm_module *module, uint32_t index);
uint32_t wasm_module_export_count(const wasm_module *module);
const wasm_export_info *wasm_module_export(const wasm_module *module, uint32_t index);
const wasm_export_info *wasm_module_find_export(const wasm_module *module, const char *name, size_t size);

uint32_t wasm_module_func_count(const wasm_module *module); /* imported ones first */
uint32_t wasm_module_imported_func_count(const wasm_module *module);
const wasm_functype *wasm_module_func_type(const wasm_module *module, uint32_t func); /* NULL: no such function */
wasm_code_info wasm_module_code(const wasm_module *module, uint32_t func); /* of a defined function, else all zero */
base_span wasm_module_func_name(const wasm_module *module, uint32_t func); /* name section, or {NULL, 0} */

wasm_data_info wasm_module_data(const wasm_module *module, uint32_t index);
wasm_range wasm_module_memory(const wasm_module *module, uint32_t index);

typedef struct wasm_table_info {
    wasm_type type;
    wasm_range range;
} wasm_table_info;
typedef struct wasm_global_info {
    wasm_type type; /* 0: no such global */
    bool is_mutable;
} wasm_global_info;
wasm_table_info wasm_module_table(const wasm_module *module, uint32_t index);
wasm_global_info wasm_module_global(const wasm_module *module, uint32_t index);
const wasm_functype *wasm_module_tag_type(const wasm_module *module, uint32_t index); /* NULL: no such tag */

/* ---- stores ---- */

/* After any of them the store is intact and may be called again. wasm_store_exceeded and wasm_trap.limit say which. */
typedef struct wasm_limits {
    uint64_t memory_pages;   /* of each memory, 64 KiB each; growth past it fails, a minimum above it is WISP_E_LIMIT */
    uint64_t table_elements; /* of each table */
    uint32_t memories, tables; /* objects in the store; more are WISP_E_LIMIT */
    uint32_t call_depth;       /* frames of interpreted code; past it the trap "call stack exhausted" */
    uint64_t stack_bytes;      /* value stack; same trap */
    uint32_t host_depth;       /* host function -> wasm_call -> host function … on the host's stack; same trap */
    uint64_t fuel;             /* calls and backward branches (bulk operations count 1 per 64 bytes); 0: no limit.
                                * WISP_E_FUEL */
    base_budget *budget;       /* linear memory, tables, exceptions are charged to it (WISP_E_MEMORY); may be NULL */
    uint32_t instances;        /* in the store, those that failed half-way too (WISP_E_LIMIT); 0: no limit */
    uint64_t native_stack;     /* bytes of the calling thread's stack, host functions included: past it the trap "call
                                * stack exhausted"; 0: what the thread has. Some of that is always kept back */
    uint64_t time_ns;          /* of each call from outside, host functions included (WISP_E_DEADLINE); 0: no limit */
    uint64_t exception_bytes;  /* of exceptions that live: those on their way and those a reference was made of, which
                                * last as long as the store (WISP_E_LIMIT); 0: no limit */
    bool explicit_checks;      /* compare addresses instead of relying on guard pages and signal handlers */
} wasm_limits;
extern const wasm_limits wasm_limits_defaults;

typedef enum wasm_limit {
    WASM_LIMIT_NONE,
    WASM_LIMIT_MEMORY_PAGES, /* with WISP_E_LIMIT */
    WASM_LIMIT_TABLE_ELEMENTS,
    WASM_LIMIT_MEMORIES,
    WASM_LIMIT_TABLES,
    WASM_LIMIT_INSTANCES,
    WASM_LIMIT_BUDGET,     /* WISP_E_MEMORY */
    WASM_LIMIT_CALL_DEPTH, /* WISP_E_TRAP */
    WASM_LIMIT_VALUE_STACK,
    WASM_LIMIT_NATIVE_STACK,
    WASM_LIMIT_HOST_DEPTH,
    WASM_LIMIT_FUEL,       /* WISP_E_FUEL */
    WASM_LIMIT_DEADLINE,   /* WISP_E_DEADLINE */
    WASM_LIMIT_INTERRUPT,  /* WISP_E_CANCELLED */
    WASM_LIMIT_EXCEPTIONS, /* WISP_E_LIMIT */
} wasm_limit;

wisp_status wasm_store_new(wasm_store **out, const wasm_limits *limits, wisp_report *report) WISP_MUST_USE;
void wasm_store_free(wasm_store *store); /* with everything made in it; NULL is allowed */
/* Ends the running call (or the next one, at once) with WISP_E_CANCELLED, within milliseconds; a host function that
 * waits should look at wasm_store_interrupted. Any thread, and signal handlers (async-signal-safe), as long as the
 * store lives. It stays so until wasm_store_resume, which is for the store's thread. */
void wasm_store_interrupt(wasm_store *store);
void wasm_store_resume(wasm_store *store);
bool wasm_store_interrupted(const wasm_store *store); /* for host functions that wait */
uint64_t wasm_store_fuel(const wasm_store *store);    /* what is left */
/* By the last thing that failed; WASM_LIMIT_NONE: for another reason. */
wasm_limit wasm_store_exceeded(const wasm_store *store);
void wasm_store_set_fuel(wasm_store *store, uint64_t fuel);
/* The limit time_ns of calls to come. Fails if the watchdog thread cannot be started. */
wisp_status wasm_store_set_time(wasm_store *store, uint64_t ns, wisp_report *report) WISP_MUST_USE;

/* Has fn(context) called on the store's thread, soon: at a tick of interpreted code or before the next call from
 * outside. Any thread. One at a time: the latest counts; NULL takes it back (on the store's thread). */
void wasm_store_post(wasm_store *store, void (*fn)(void *context), void *context);

/* ---- traps ---- */

#define WASM_TRAP_FRAMES 32
typedef struct wasm_trap_frame {
    base_span name; /* from the name section, in the module's bytes; may be {NULL, 0} */
    /* Byte offset in the module: interpreted, the instruction after the one that trapped or called; native code does
     * not know, and says where the function's body begins. */
    uint64_t offset;
    uint32_t func; /* index in its module */
} wasm_trap_frame;

/* Why a call ended. Owned by the caller; spans point into the module's bytes. */
typedef struct wasm_trap {
    char reason[128];   /* "integer divide by zero", …: the wording of the official suite */
    uint32_t exit_code; /* with WISP_E_EXIT */
    wasm_limit limit;   /* the limit that was met, if it was one */
    uint32_t depth;     /* frames when it happened; the innermost WASM_TRAP_FRAMES of them are kept */
    uint32_t frame_count;
    wasm_trap_frame frames[WASM_TRAP_FRAMES]; /* innermost first */
} wasm_trap;

/* ---- host functions ---- */

/* v[0 …] holds the arguments on entry and takes the results, of which there may be more than arguments (the slots are
 * there). `caller` is the instance whose code made the call (for a call from outside, the one that imported the
 * function; NULL for one of wasm_func_new). Anything but WISP_OK unwinds the guest and becomes the
 * result of wasm_call; say why with wasm_host_fail. */
typedef wisp_status (*wasm_host_fn)(void *context, wasm_instance *caller, wasm_value *v);

typedef struct wasm_host_function {
    const char *name;
    const char *signature; /* "(iIfFvre)i": i32 i64 f32 f64 v128 funcref externref; "()" returns nothing */
    wasm_host_fn fn;
} wasm_host_function;

typedef struct wasm_host_module {
    const char *name;
    const wasm_host_function *functions;
    size_t count;
    void *context; /* passed to each function */
} wasm_host_module;

/* For host functions: `return wasm_host_fail(caller, WISP_E_TRAP, "reason")`, `return wasm_host_exit(caller, code)`. */
wisp_status wasm_host_fail(wasm_instance *caller, wisp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
wisp_status wasm_host_exit(wasm_instance *caller, uint32_t code);

/* ---- instances ---- */

typedef struct wasm_extern {
    wasm_kind kind;
    union {
        wasm_func *func;
        wasm_table *table;
        wasm_memory *memory;
        wasm_global *global;
        wasm_tag *tag;
        void *any;
    };
} wasm_extern;

typedef struct wasm_named_extern {
    const char *module, *name; /* name NULL: every export of `instance` */
    wasm_extern value;
    wasm_instance *instance;
} wasm_named_extern;

typedef struct wasm_imports {
    const wasm_host_module *modules;
    size_t module_count;
    const wasm_named_extern *externs; /* looked at first */
    size_t extern_count;
} wasm_imports;

/* Everything of core §4.5.4 but the start function. The instance belongs to the store (also after a failure half-way:
 * what it put into others' tables must live on). `imports` may be NULL. Failures: WISP_E_NOT_FOUND (unknown import),
 * WISP_E_INPUT (import of another type), WISP_E_TRAP (a segment out of bounds), WISP_E_LIMIT, WISP_E_MEMORY. */
wisp_status wasm_instance_new(wasm_instance **out, wasm_store *store, const wasm_module *module,
                              const wasm_imports *imports, wasm_trap *trap, wisp_report *report) WISP_MUST_USE;
/* Runs the module's start function, if it has one. */
wisp_status wasm_instance_start(wasm_instance *instance, wasm_trap *trap, wisp_report *report) WISP_MUST_USE;

/* From now on the defined function runs `fn`, however it is reached: call, call_indirect, reference, export, import of
 * another instance. WISP_E_INPUT if `signature` is not the function's type, WISP_E_NOT_FOUND if there is no such
 * defined function. A frame of it that is already running goes on in the old body. */
wisp_status wasm_instance_replace(wasm_instance *instance, uint32_t func, const char *signature, wasm_host_fn fn,
                                  void *context, wisp_report *report) WISP_MUST_USE;

wasm_store *wasm_instance_store(const wasm_instance *instance);
const wasm_module *wasm_instance_module(const wasm_instance *instance);
bool wasm_instance_export(const wasm_instance *instance, const char *name, size_t size, wasm_extern *out);
wasm_func *wasm_instance_find_func(const wasm_instance *instance, const char *name); /* exported; NULL: none */
wasm_func *wasm_instance_func(const wasm_instance *instance, uint32_t index);
wasm_memory *wasm_instance_memory(const wasm_instance *instance, uint32_t index); /* NULL: none */
wasm_table *wasm_instance_table(const wasm_instance *instance, uint32_t index);   /* NULL: none */

/* Calls. `args` and `results` have as many values as the function's type (checked against the counts, WISP_E_USAGE).
 * `trap` and `report` may be NULL. WISP_E_TRAP, WISP_E_EXCEPTION, WISP_E_EXIT, WISP_E_CANCELLED, WISP_E_FUEL,
 * WISP_E_DEADLINE, or what a host function returned. */
wisp_status wasm_call(wasm_func *func, const wasm_value *args, size_t arg_count, wasm_value *results,
                      size_t result_count, wasm_trap *trap, wisp_report *report) WISP_MUST_USE;
const wasm_functype *wasm_func_type(const wasm_func *func);
wasm_store *wasm_func_store(const wasm_func *func);

/* ---- memories, tables, globals ---- */

/* Guest memory 0 of the instance: `size` bytes at `address`, or NULL if any of them is outside. The pointer is good
 * until the guest runs or the memory grows. */
void *wasm_memory_at(const wasm_instance *instance, uint64_t address, uint64_t size);
uint8_t *wasm_memory_data(const wasm_memory *memory);
uint64_t wasm_memory_size(const wasm_memory *memory);           /* bytes */
uint64_t wasm_memory_grow(wasm_memory *memory, uint64_t pages); /* the old page count, UINT64_MAX: refused */
/* Says whether the memory's bytes stay where they are when it grows. */
bool wasm_memory_is_fixed(const wasm_memory *memory);

wisp_status wasm_memory_new(wasm_memory **out, wasm_store *store, wasm_range pages, wisp_report *report) WISP_MUST_USE;
wisp_status wasm_table_new(wasm_table **out, wasm_store *store, wasm_type type, wasm_range elements, void *initial,
                           wisp_report *report) WISP_MUST_USE;
bool wasm_table_get(const wasm_table *table, uint64_t index, void **value); /* false: out of bounds */
wasm_type wasm_table_type(const wasm_table *table);
wisp_status wasm_global_new(wasm_global **out, wasm_store *store, wasm_type type, bool is_mutable, wasm_value value,
                            wisp_report *report) WISP_MUST_USE;
wasm_value wasm_global_get(const wasm_global *global);
bool wasm_global_set(wasm_global *global, wasm_value value); /* false: it is constant */
wasm_type wasm_global_type(const wasm_global *global);
/* A host function outside any table (tests, callbacks passed as references). */
wisp_status wasm_func_new(wasm_func **out, wasm_store *store, const char *signature, wasm_host_fn fn, void *context,
                          wisp_report *report) WISP_MUST_USE;

#endif
