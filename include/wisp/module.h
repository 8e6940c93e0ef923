/** @file module.h  Plain WebAssembly modules: load one, say what it may do, call it. (Language models: wisp.h.)
 *
 * A *module* is checked code: immutable, shareable by any number of instances and threads. An *instance* is one sandbox
 * with its own memory, limits and grants; one thread at a time may use it, except for wisp_instance_interrupt(). It is
 * granted nothing that its options do not name: no file, no stream, no environment, no host function. An *engine* holds
 * what several modules share; most programs need none (NULL).
 *
 *     static wisp_status say(void *context, wisp_instance *caller, wisp_value *v)
 *     {
 *         const char *text = wisp_memory_at(caller, v[0].u32, v[1].u32);
 *         if (!text) return wisp_host_fail(caller, "say: text out of bounds");
 *         fwrite(text, 1, v[1].u32, context);
 *         return WISP_OK;
 *     }
 *     static const wisp_host_function functions[] = {{"say", "(ii)", say}};
 *     …
 *     wisp_host_module env = {"env", functions, 1, stdout};
 *     wisp_instance_options options = {.size = sizeof options, .modules = &env, .module_count = 1};
 *     int32_t sum;
 *     if (wisp_module_open(&module, NULL, "app.wasm", &report) == WISP_OK &&
 *         wisp_instance_new(&instance, module, &options, &report) == WISP_OK &&
 *         wisp_call(instance, &report, "add", "(ii)i", 20, 22, &sum) == WISP_OK)
 *         printf("%d\n", sum);
 *     if (report.status) fprintf(stderr, "%s\n", report.text);
 *     wisp_instance_free(instance);
 *     wisp_module_free(module);
 *
 * Signatures say types by letters, parameters in parentheses, then results: "(iI)f" takes an i32 and an i64 and returns
 * an f32; "()" takes and returns nothing. i i32, I i64, f f32, F f64, v v128, r funcref, e externref.
 *
 * Structs of options begin with their size (error.h): `wisp_limits limits = {.size = sizeof limits, .fuel = 1000000};`.
 *
 * Ownership: what a `_new` or `_open` gives, the matching `_free` takes (NULL is allowed); instances before their
 * module, modules before their engine. Options, names and bytes passed in are copied, or no longer needed when the call
 * returns, unless it says otherwise. What a function returns a pointer to belongs to the object it was asked of. Text
 * is UTF-8. Misuse (a NULL handle, a wrong signature, a size that is not set) returns WISP_E_USAGE and says what was
 * wrong.
 */
#ifndef WISP_MODULE_H
#define WISP_MODULE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wisp/error.h>
#include <wisp/native.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WISP_ALIGNED_16 __attribute__((aligned(16)))
#define WISP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define WISP_ALIGNED_16
#define WISP_PRINTF(text, first)
#endif

typedef struct wisp_engine wisp_engine;
typedef struct wisp_module wisp_module;
typedef struct wisp_instance wisp_instance;
typedef struct wisp_func wisp_func; /**< a function of an instance; lives as long as that */

/** A value; which member counts is said by the signature that it goes with. */
typedef union wisp_value {
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    uint8_t v128[16];
    wisp_func *func; /**< funcref; NULL is the null reference */
    void *ref;       /**< externref: the host's own pointer, which the guest can only hand back */
} WISP_ALIGNED_16 wisp_value;

/* ---- engines ---------------------------------------------------------------------------------------------------- */

typedef struct wisp_engine_options {
    size_t size;
    wisp_native native;
    uint32_t instances; /**< alive at a time, of all modules of this engine; 0: no limit */
    /* Checking a module can take long, too: a gigabyte of code some seconds. */
    uint64_t load_deadline_ms; /**< of wisp_module_new and _open, wall clock: then WISP_E_DEADLINE; 0: none */
    /** Asked every millisecond or so, by several threads at once: true ends it with WISP_E_CANCELLED. NULL: nobody. */
    bool (*load_stopped)(void *context);
    void *load_context;
} wisp_engine_options;

/** An engine may be used by several threads at once. `options` NULL: defaults. */
WISP_API wisp_status wisp_engine_new(wisp_engine **engine, const wisp_engine_options *options,
                                     wisp_report *report) WISP_MUST_USE;
WISP_API void wisp_engine_free(wisp_engine *engine);

/* ---- modules ---------------------------------------------------------------------------------------------------- */

/** Checks the whole module. The bytes are copied. WISP_E_INPUT or WISP_E_TRUNCATED with the place in the file and the
 * reason, WISP_E_UNSUPPORTED (a proposal that WISP does not have), WISP_E_LIMIT, WISP_E_MEMORY; WISP_E_DEADLINE and
 * WISP_E_CANCELLED by the engine's options. */
WISP_API wisp_status wisp_module_new(wisp_module **module, wisp_engine *engine, const void *bytes, size_t size,
                                     wisp_report *report) WISP_MUST_USE;
/** The same from a file, which is mapped; changing it afterwards changes nothing. Also WISP_E_NOT_FOUND, WISP_E_IO. */
WISP_API wisp_status wisp_module_open(wisp_module **module, wisp_engine *engine, const char *path,
                                      wisp_report *report) WISP_MUST_USE;
WISP_API void wisp_module_free(wisp_module *module);

typedef enum wisp_kind { WISP_FUNC, WISP_TABLE, WISP_MEMORY, WISP_GLOBAL, WISP_TAG } wisp_kind;
WISP_API const char *wisp_kind_text(wisp_kind kind); /**< "function", …; never NULL */

typedef struct wisp_extern {
    wisp_kind kind;
    const char *module; /**< of an import; NULL for an export */
    const char *name;   /**< terminated, but may hold NULs: use name_size */
    size_t name_size;
    const char *type; /**< a function: its signature ('?': a type that has no letter); else in words: "1..16 pages" */
} wisp_extern;

/** What the module wants and what it has, in the order of the file; NULL past the end. Lives as long as the module. */
WISP_API const wisp_extern *wisp_module_import(const wisp_module *module, uint32_t index);
WISP_API const wisp_extern *wisp_module_export(const wisp_module *module, uint32_t index);

typedef enum wisp_file_kind {
    WISP_FILE_UNKNOWN = 0, /**< none of these, or it cannot be read */
    WISP_FILE_CAPSULE = 1, /**< wisp_open() */
    WISP_FILE_GGUF = 2,    /**< wisp_open() */
    WISP_FILE_MODULE = 3   /**< wisp_module_open(): any other WebAssembly module */
} wisp_file_kind;
/** A first look at a file: its head and section names, nothing is checked. */
WISP_API wisp_file_kind wisp_probe(const char *path);

/* ---- what an instance may do --------------------------------------------------------------------------------------
 */

typedef struct wisp_limits {
    size_t size;
    uint64_t memory;         /**< bytes of all linear memories together; 0: 4 GiB. Growth past it fails in the guest */
    uint64_t table_elements; /**< of each table; 0: 10,000,000 */
    uint32_t call_depth;     /**< wasm calls within each other; 0: 20,000. Past it: the trap "call stack exhausted" */
    uint64_t stack;          /**< bytes for their parameters, locals and operands; 0: 16 MiB. The same trap */
    uint64_t fuel;           /**< calls and backward branches, for good; 0: no limit. The same count in every run */
    /** Of each call from outside and of wisp_instance_new, compiling first included, wall clock; 0: none. */
    uint64_t deadline_ms;
    uint32_t open_files;     /**< WASI descriptors; 0: 256 */
    bool explicit_checks;    /**< compare each address with the memory's size, instead of guard pages (8 GiB of address
                              * space a memory) and faults. Slower; the same traps. Native code is made for one or the
                              * other: wisp_compile_options */
} wisp_limits;

typedef enum wisp_stream_kind {
    WISP_STREAM_NONE = 0, /**< end of file, and writes vanish */
    WISP_STREAM_FD = 1,
    WISP_STREAM_CALLBACK = 2
} wisp_stream_kind;

/** A standard stream. */
typedef struct wisp_stream {
    wisp_stream_kind kind;
    int fd; /**< stays the caller's: is not closed */
    /** Fills (stdin) or takes `data`. Returns bytes moved, 0 at the end of input, negative on error. */
    int64_t (*transfer)(void *context, void *data, size_t size);
    void *context;
} wisp_stream;

typedef struct wisp_directory {
    const char *host;  /**< path outside, opened at once */
    const char *guest; /**< its name inside; NULL: the same */
    bool read_only;    /**< for everything in it */
} wisp_directory;

/** WASI preview 1. Nothing is granted but what stands here (and clocks and random numbers). */
typedef struct wisp_wasi {
    size_t size;
    const char *const *args; /**< args[0] is the program's name */
    size_t arg_count;
    const char *const *env; /**< "NAME=value" */
    size_t env_count;
    const wisp_directory *directories;
    size_t directory_count;
    wisp_stream in, out, err;
    const int *listeners; /**< listening stream sockets, duplicated; inside: 3 + directory_count and up */
    size_t listener_count;
} wisp_wasi;

/** A host function. v[0…] holds the arguments on entry and takes the results: read before you write. `caller` is the
 * instance that made the call; the function may use it in every way but to free it: call back into it, too. WISP_OK
 * goes on; anything else ends the guest's call, and is what the embedder's own call returns: give the reason with
 * wisp_host_fail. */
typedef wisp_status (*wisp_host_fn)(void *context, wisp_instance *caller, wisp_value *v);

typedef struct wisp_host_function {
    const char *name;
    const char *signature;
    wisp_host_fn fn;
} wisp_host_function;

/** Host functions to import under one module name, as a rule a static table. */
typedef struct wisp_host_module {
    const char *name; /**< "env" */
    const wisp_host_function *functions;
    size_t count;
    void *context; /**< handed to each function; must outlive the instance */
} wisp_host_module;

typedef struct wisp_instance_options {
    size_t size;
    const wisp_limits *limits; /**< NULL: defaults */
    const wisp_wasi *wasi;     /**< NULL: no WASI at all */
    const wisp_host_module *modules;
    size_t module_count;
} wisp_instance_options;

/** In a host function: `return wisp_host_fail(caller, "read: no file %d", n);`. Returns WISP_E_TRAP. */
WISP_API wisp_status wisp_host_fail(wisp_instance *caller, const char *format, ...) WISP_PRINTF(2, 3);
/** In a host function: ends the program. Returns WISP_E_EXIT. */
WISP_API wisp_status wisp_host_exit(wisp_instance *caller, uint32_t code);

/* ---- instances ----------------------------------------------------------------------------------------------------
 */

/** Links the imports and fills memories and tables; runs none of the module's code, so that it can be interrupted
 * before that. WISP_E_NOT_FOUND: an import that nothing offers; WISP_E_INPUT: one of another type; WISP_E_LIMIT: it
 * wants more memory or tables than it may have, or the engine has too many instances; WISP_E_TRAP: its data does not
 * fit its own memory; WISP_E_DEADLINE; WISP_E_IO: a directory cannot be opened. `options` NULL: nothing is granted. */
WISP_API wisp_status wisp_instance_new(wisp_instance **instance, wisp_module *module,
                                       const wisp_instance_options *options, wisp_report *report) WISP_MUST_USE;
/** Not from one of its host functions. */
WISP_API void wisp_instance_free(wisp_instance *instance);
/** Runs the module's start function and, where it is exported, `_initialize`. The first call does it by itself; here it
 * can be done apart. After a failure the instance is of no use. With WISP_NATIVE_NOW its code is compiled before: if
 * that is interrupted (WISP_E_CANCELLED), takes too long (WISP_E_DEADLINE) or fails, nothing has run, and the next call
 * tries to start again. */
WISP_API wisp_status wisp_instance_start(wisp_instance *instance, wisp_report *report) WISP_MUST_USE;
/** Runs a WASI command (its export `_start`). WISP_OK: it ended by itself, *exit_code says how (may be NULL). */
WISP_API wisp_status wisp_instance_run(wisp_instance *instance, uint32_t *exit_code, wisp_report *report) WISP_MUST_USE;

/** Makes the running call, or the next one, return WISP_E_CANCELLED soon. From any thread and from signal handlers. All
 * calls do so until wisp_instance_resume. */
WISP_API void wisp_instance_interrupt(wisp_instance *instance);
WISP_API void wisp_instance_resume(wisp_instance *instance);
/** What its code runs as now, and why it is not native: "native, from the cache", "interpreter (not compiled yet)", …;
 * never NULL, until the next call. */
WISP_API const char *wisp_instance_code(const wisp_instance *instance);
/** Fuel left; UINT64_MAX: no limit. */
WISP_API uint64_t wisp_instance_fuel(const wisp_instance *instance);
WISP_API void wisp_instance_set_fuel(wisp_instance *instance, uint64_t fuel); /**< 0: no limit */

/* ---- calls --------------------------------------------------------------------------------------------------------
 */

/* How a call into the guest ends, beside WISP_OK:
 *  WISP_E_TRAP       the guest did something wrong, or a host function failed: wisp_instance_trap() has the reason and
 *                    the call stack
 *  WISP_E_EXCEPTION  it threw an exception that nothing caught; a host function that calls back in and returns this
 *                    status lets the frames around it catch it
 *  WISP_E_EXIT       it called proc_exit: wisp_instance_trap()->exit_code
 *  WISP_E_FUEL, WISP_E_DEADLINE  the limit was reached
 *  WISP_E_CANCELLED  interrupted
 *  WISP_E_USAGE, WISP_E_NOT_FOUND, WISP_E_INPUT: nothing was called (wrong use; no such export; of another type)
 * or what a host function returned. Memory is then as the guest left it; the instance can be called again. */

/** Calls an export by name. After the signature come the arguments and then a pointer for each result (NULL: not
 * wanted): i int32_t, I int64_t (never a plain int: INT64_C(1)), f and F double, v const uint8_t *, r wisp_func *,
 * e void *; results int32_t *, int64_t *, float *, double *, uint8_t * (16 bytes), wisp_func **, void **.
 *     wisp_call(instance, &report, "power", "(Fi)F", 2.0, 10, &result) */
WISP_API wisp_status wisp_call(wisp_instance *instance, wisp_report *report, const char *name, const char *signature,
                               ...) WISP_MUST_USE;
/** Looks an exported function up, once for many calls. WISP_E_NOT_FOUND, or WISP_E_INPUT if it is of another type. */
WISP_API wisp_status wisp_func_find(wisp_func **func, wisp_instance *instance, const char *name, const char *signature,
                                    wisp_report *report) WISP_MUST_USE;
/** What a table holds at `index`, a function pointer of C; `table` is its exported name or NULL for the first one. */
WISP_API wisp_status wisp_func_indirect(wisp_func **func, wisp_instance *instance, const char *table, uint64_t index,
                                        const char *signature, wisp_report *report) WISP_MUST_USE;
/** Calls it with as many arguments and results as its signature has. `args` and `results` may be the same array. */
WISP_API wisp_status wisp_func_call(wisp_instance *instance, const wisp_func *func, const wisp_value *args,
                                    size_t arg_count, wisp_value *results, size_t result_count,
                                    wisp_report *report) WISP_MUST_USE;

typedef struct wisp_frame {
    const char *name; /**< from the module's name section; NULL: none */
    uint32_t func;    /**< index in the module */
    uint64_t offset;  /**< in the file, where it trapped or called */
} wisp_frame;

typedef struct wisp_trap {
    wisp_status status;
    const char *reason; /**< "integer divide by zero", … */
    uint32_t exit_code; /**< with WISP_E_EXIT */
    uint32_t depth;     /**< frames there were; the innermost ones are kept */
    uint32_t frame_count;
    const wisp_frame *frames; /**< innermost first */
} wisp_trap;

/** Why the last call did not end with WISP_OK. Valid until the next call; NULL only for a NULL instance. */
WISP_API const wisp_trap *wisp_instance_trap(const wisp_instance *instance);

/* ---- memory and globals -------------------------------------------------------------------------------------------
 */

/* Of the module's first memory. Addresses and sizes are in bytes, pages are 64 KiB. */

/** `size` bytes at `address`, or NULL if one of them is outside. Good until the guest runs or the memory grows. */
WISP_API void *wisp_memory_at(wisp_instance *instance, uint64_t address, uint64_t size);
/** Copies, all or nothing. WISP_E_TRAP if one of the bytes is outside: a host function can return that as it is. */
WISP_API wisp_status wisp_memory_read(wisp_instance *instance, uint64_t address, void *to, size_t size) WISP_MUST_USE;
WISP_API wisp_status wisp_memory_write(wisp_instance *instance, uint64_t address, const void *from,
                                       size_t size) WISP_MUST_USE;
WISP_API uint64_t wisp_memory_size(const wisp_instance *instance); /**< 0 also if there is none */
WISP_API wisp_status wisp_memory_grow(wisp_instance *instance, uint64_t pages, wisp_report *report) WISP_MUST_USE;

/** An exported global; `type` is its letter. WISP_E_NOT_FOUND, WISP_E_INPUT (of another type, or constant). */
WISP_API wisp_status wisp_global_get(wisp_instance *instance, const char *name, char type, wisp_value *value,
                                     wisp_report *report) WISP_MUST_USE;
WISP_API wisp_status wisp_global_set(wisp_instance *instance, const char *name, char type, wisp_value value,
                                     wisp_report *report) WISP_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
