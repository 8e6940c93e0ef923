/* Native code of a module as its users see it: what it is made for, what names it, putting it to work in an instance.
 * Nothing here needs LLVM; native/ compiles. */
#ifndef WASM_NATIVE_CODE_H
#define WASM_NATIVE_CODE_H
#include "wasm/wasm.h"

enum wasm_native_target {                            /* what `--target` names */
                          WASM_TARGET_X86_64_V2 = 1, /* SSE4.2, POPCNT */
                          WASM_TARGET_X86_64_V3,     /* AVX2, BMI2, LZCNT; FMA is never formed */
                          WASM_TARGET_X86_64_V4,     /* AVX-512 F BW CD DQ VL */
                          WASM_TARGET_AARCH64,
                          WASM_TARGET_END,
};

enum wasm_native_flags {
    WASM_NATIVE_EXPLICIT_CHECKS = 1, /* compares addresses instead of relying on guard pages */
    WASM_NATIVE_FUEL = 2,            /* counts calls and backward branches, exactly as the interpreter does */
    WASM_NATIVE_ALL_FLAGS = 3,
};

typedef struct wasm_native_options {
    uint32_t target, flags;
    const uint32_t *replaceable; /* functions that wasm_instance_replace may be used on, ascending */
    uint32_t replaceable_count;
} wasm_native_options;

/* "x86-64-v3", …; NULL and 0 for what there is not. */
const char *wasm_native_target_name(uint32_t target);
uint32_t wasm_native_target_of(const char *name, size_t size);
/* Does this CPU run it? And which of all that it runs is the best; 0: none. */
bool wasm_native_runs(uint32_t target);
uint32_t wasm_native_best_target(void);

/* What native code is made of and named by: all sections but custom ones and data, and the replaceable functions. */
void wasm_module_code_digest(const wasm_module *module, const uint32_t *replaceable, uint32_t replaceable_count,
                             uint8_t digest[32]);
/* A module of the same digest without what does not matter: no custom sections, every data segment empty. */
wisp_status wasm_module_skeleton(base_buffer *out, const wasm_module *module, wisp_report *report) WISP_MUST_USE;
/* Of the structs that native code reads, in this build. */
uint32_t wasm_native_abi_number(void);

/* What an image must be for; options->target 0: any that this CPU runs. */
typedef struct wasm_native_wanted {
    uint32_t target, flags;
    uint8_t module[32]; /* wasm_module_code_digest */
} wasm_native_wanted;

/* Checks the image's header and tables, without looking at its code: who made that must be known. WISP_E_INPUT: not an
 * image, or not of this module; WISP_E_UNSUPPORTED: for another CPU, ABI or other options. */
wisp_status wasm_native_check(base_span image, const wasm_native_wanted *wanted, wisp_report *report) WISP_MUST_USE;
/* Only asks the header, on its first page, whether the image is of this module. */
bool wasm_native_is_of(base_span image, const uint8_t module[32]);
/* Checks the image, copies it into pages of the instance's store, and lets every call made from now on run in it. On a
 * failure (WISP_E_IO: the system refuses executable pages; WISP_E_UNSUPPORTED: the code needs guard pages) the
 * interpreter goes on. The store's thread; also from a host function. */
wisp_status wasm_native_use(wasm_instance *instance, base_span image, const wasm_native_wanted *wanted,
                            wisp_report *report) WISP_MUST_USE;
/* The flags that native code of this instance must have: explicit checks if its memory 0 has no guard pages, fuel if
 * its store counts it. */
uint32_t wasm_native_flags_of(const wasm_instance *instance);

#endif
