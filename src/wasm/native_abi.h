/* Native code of a module: what the compiler (native/, LLVM) and the machine that runs it agree on.
 *
 * An image is position-independent, has no relocation left and no symbol of the host: code reaches the machine through
 * its first argument only. It is made for one target, one set of options and one module, named by digest.
 *
 * A function of the image: `results f(struct wasm_native_context *, params…)`, calling convention LLVM `tailcc`; i32,
 * i64, f32, f64 as themselves, v128 as a 16-byte vector, references as pointers; several results as a struct. An entry,
 * one per function type that is used: C convention, `void e(struct wasm_native_context *, const void *code, wasm_value
 * *v)`: takes the arguments from v[0…], puts the results there. A trap does not return: the machine unwinds to the
 * activation (fault.h).
 *
 * Layout: header, func_offsets[func_count + 1], entry_offsets[type_count], padding to 4096, text, padding, read-only data.
 * Offsets count from the image's start. All little-endian. */
#ifndef WASM_NATIVE_ABI_H
#define WASM_NATIVE_ABI_H
#include "wasm/machine.h"

enum wasm_native_target { /* what `--target` names */
    WASM_TARGET_X86_64_V2 = 1, /* SSE4.2, POPCNT */
    WASM_TARGET_X86_64_V3,     /* AVX2, BMI2, LZCNT; FMA is never formed */
    WASM_TARGET_X86_64_V4,     /* AVX-512 F BW DQ VL */
    WASM_TARGET_AARCH64,
};

enum wasm_native_flags {
    WASM_NATIVE_EXPLICIT_CHECKS = 1, /* compares addresses instead of relying on guard pages */
    WASM_NATIVE_FUEL = 2,            /* counts calls and backward branches, exactly as the interpreter does */
};

#define WASM_NATIVE_MAGIC "WISPAOT"
#define WASM_NATIVE_NO_ENTRY UINT32_MAX

typedef struct wasm_native_header {
    char magic[8];
    uint32_t abi; /* WASM_NATIVE_ABI: of the structs that the code reads */
    uint32_t target, flags;
    uint32_t func_count; /* defined functions */
    uint32_t type_count;
    uint32_t reserved;
    uint64_t text_offset, text_size, rodata_offset, rodata_size, image_size;
    uint8_t module[32]; /* wasm_module_code_digest */
} wasm_native_header;

#endif
