/* Native code of a module: what the compiler (native/, LLVM) and the machine that runs it agree on.
 *
 * An image is position-independent, has no relocation left and no symbol of the host: code reaches the machine through
 * its first argument only. It is made for one target, one set of options and one module, named by digest.
 *
 * A function of the image, calling convention C, but the context in r13 (x20), or LLVM's tailcc of the same kind in a
 * module that has tail calls (nobody outside the image calls one but by an entry):
 *     result  f(struct wasm_native_context *, params…)                  up to two results, two as a struct
 *     void    f(struct wasm_native_context *, wasm_value *out, params…) more: they are left at `out`
 * With WASM_NATIVE_FUEL the fuel that is left is an i64 behind the context, and another result, the last.
 * i32, i64, f32, f64 as themselves, v128 as <2 x i64>, references as pointers. An entry, one per function type that a
 * defined function has: C convention, `void e(struct wasm_native_context *, const void *code, wasm_value *v)`: takes
 * the arguments from v[0…], puts the results there (i32 zero-extended). A trap does not return: the machine unwinds to
 * the activation (fault.h). rbp (x29) is a frame pointer everywhere.
 *
 * Layout: header, func_offsets[func_count + 1], entry_offsets[type_count], padding to 4096, text, padding, read-only
 * data. Offsets are uint32_t and count from the image's start; func_offsets[func_count] is the end of the last
 * function. All little-endian. Function i of func_offsets is module function imported_funcs + i. */
#ifndef WASM_NATIVE_ABI_H
#define WASM_NATIVE_ABI_H
#include "wasm/machine.h"
#include "wasm/native_code.h"

#define WASM_NATIVE_MAGIC "WISPAOT"
#define WASM_NATIVE_NO_ENTRY UINT32_MAX

typedef struct wasm_native_header {
    char magic[8];
    uint32_t abi; /* wasm_native_abi: of the structs that the code reads */
    uint32_t target, flags;
    uint32_t func_count; /* defined functions */
    uint32_t type_count;
    uint32_t reserved;
    uint64_t text_offset, text_size, rodata_offset, rodata_size, image_size;
    uint8_t module[32]; /* wasm_module_code_digest */
} wasm_native_header;

enum wasm_native_helper {
#define WASM_HELPER(name, signature) WASM_HELPER_##name,
#include "wasm/native_helpers.def"
    WASM_HELPER_COUNT
};

/* One per instance, made by wasm_native_attach; native code's first argument. Everything but stack_limit and
 * ticks_at_fault stays as it is while the instance runs native code. */
typedef struct wasm_native_context {
    uint8_t *memory;        /* of memory 0, where it is guarded (its base never moves); else NULL */
    uintptr_t stack_limit;  /* frames below it: "call stack exhausted" */
    int64_t ticks_at_fault; /* in code that counts fuel: how much was left, if an access to guarded memory 0 faults */
    int64_t *ticks;         /* of the store: right while a helper runs */
    struct wasm_exception *const *exception; /* of the store: pending; only modules that throw or catch look at it */
    wasm_func *const *funcs;
    const uint32_t *type_ids; /* of the store, per type index */
    wasm_instance *instance;
    wasm_store *store;
    const void *helpers[WASM_HELPER_COUNT];
    void *objects[]; /* wasm_memory *, then wasm_table *, then wasm_global *, each in the order of its index space */
} wasm_native_context;

/* Beside the context, native code reads: wasm_func.type_id, .native, .native_context; wasm_table.items, .size;
 * wasm_memory.data, .size; wasm_global.value. The number changes when one of them moves. */
#define WASM_NATIVE_VERSION 3
static inline uint32_t wasm_native_abi(void)
{
    static const size_t parts[] = {
        WASM_HELPER_COUNT,
        offsetof(wasm_native_context, objects),
        offsetof(wasm_func, type_id),
        offsetof(wasm_func, native),
        offsetof(wasm_func, native_context),
        offsetof(wasm_table, items),
        offsetof(wasm_table, size),
        offsetof(wasm_memory, data),
        offsetof(wasm_memory, size),
        offsetof(wasm_global, value),
    };
    uint32_t h = WASM_NATIVE_VERSION;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        h = h * 31 + (uint32_t)parts[i];
    return h;
}

/* An image in memory, its text executable: what native_load.c makes and wasm_native_attach takes. It outlives every
 * instance it is attached to. */
typedef struct wasm_native_code {
    const uint8_t *base;
    size_t size;
    wasm_native_header header;
    const uint32_t *func_offsets, *entry_offsets;
    const uint8_t *frameless;      /* per function: does not begin by making a frame; NULL: nobody looked */
    struct wasm_native_code *next; /* for its owner */
} wasm_native_code;

/* native_run.c. The image was checked against the instance's module. WISP_E_UNSUPPORTED: memory 0 of the instance is
 * not guarded and the code relies on that. Functions replaced by wasm_instance_replace stay replaced. */
wisp_status wasm_native_attach(wasm_instance *instance, const wasm_native_code *code,
                               wisp_report *report) WISP_MUST_USE;
/* Back to the interpreter; what runs natively goes on until it returns. */
void wasm_native_detach(wasm_instance *instance);
/* Calls func->native (not NULL) with its arguments at v, a slot of the store's stack; results there. Every call from
 * the host or the interpreter into native code is this one. */
wisp_status wasm_native_call(wasm_store *store, const wasm_func *func, wasm_value *v) WISP_MUST_USE;

#endif
