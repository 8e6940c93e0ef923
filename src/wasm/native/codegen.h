/* From validated functions to a relocatable object, by LLVM. */
#ifndef WASM_NATIVE_CODEGEN_H
#define WASM_NATIVE_CODEGEN_H
#include "wasm/native_abi.h"

typedef struct wasm_codegen_options {
    enum wasm_native_target target;
    uint32_t flags;              /* wasm_native_flags */
    const uint32_t *replaceable; /* functions that a host may replace, ascending: always called through wasm_func */
    uint32_t replaceable_count;
} wasm_codegen_options;

/* Compiles the defined functions first … first + count - 1 (counted from imported_funcs on), and with `entries` the
 * module's entries. `*bytes` is an ELF64 little-endian relocatable object; base_free frees it. Its symbols: `f<index>`
 * (index among all functions of the module) and `e<type index>`; what it does not define of them another partition
 * does, and there is no other undefined symbol. Its allocated sections are .text and .rodata*; relocations of x86-64
 * are PC32 and PLT32 (jump tables in .rodata point to .text by PC32), of AArch64 CALL26, JUMP26, ADR_PREL_PG_HI21,
 * ADD_ABS_LO12_NC, LDST*_ABS_LO12_NC, PREL32.
 *
 * Any number of threads may be in it at once; the module is only read. WISP_E_LIMIT: a function that cannot be compiled
 * in bounded time and memory; WISP_E_UNSUPPORTED: LLVM lacks the target; WISP_E_MEMORY. */
wisp_status wasm_codegen_object(uint8_t **bytes, size_t *size, const wasm_module *module,
                                const wasm_codegen_options *options, uint32_t first, uint32_t count, bool entries,
                                wisp_report *report) WISP_MUST_USE;

/* Too large to be optimized; with it, all of its object. */
bool wasm_codegen_is_large(const wasm_module *module, const wasm_code *code);

#endif
