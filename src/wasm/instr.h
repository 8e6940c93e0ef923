/* Instructions of validated code, one at a time: what the interpreter's translator and the native compiler walk by. The
 * validator has its own, checking reader. Opcodes are numbered as in opcodes.def (0xFC and 0xFD prefixes in front of 12
 * bits of sub-opcode). */
#ifndef WASM_INSTR_H
#define WASM_INSTR_H
#include "wasm/machine.h"

typedef struct wasm_instr {
    uint32_t code;
    uint32_t index;             /* function, local, global, table, memory, tag, type, segment, label; a copy's target */
    uint32_t index2;            /* call_indirect: the table; *.init: the table or memory; *.copy: the source */
    wasm_type type;             /* ref.null: nullable; select_t; a block's single result, else 0 */
    const wasm_functype *block; /* of block, loop, if, try_table: a type given by index, else NULL */
    uint64_t offset;            /* memory access: static offset; `index` is the memory */
    uint64_t bits;              /* a constant of 32 (zero-extended) or 64 bits */
    const uint8_t *bytes;       /* 16 of them: v128.const, i8x16.shuffle */
    const uint8_t *list; /* br_table: label_count + 1 labels; try_table: catches. Read with the functions below */
    uint32_t count;      /* br_table: labels without the default; try_table: catches */
    uint8_t lane;
    uint8_t align; /* log2, of a memory access */
} wasm_instr;

/* Reads the instruction at *pc and moves *pc after it. */
void wasm_instr_read_nocheck(wasm_instr *out, const wasm_module *module, const uint8_t **pc);
/* The next label of a br_table. */
uint32_t wasm_instr_label_nocheck(const uint8_t **list);

/* The types of a function's locals after its parameters: code->locals of them. */
void wasm_local_types_nocheck(const wasm_module *module, const wasm_code *code, wasm_type *out);

typedef struct wasm_catch {
    enum { WASM_CATCH, WASM_CATCH_REF, WASM_CATCH_ALL, WASM_CATCH_ALL_REF } kind;
    uint32_t tag, label; /* the label counts from outside the try_table */
} wasm_catch;
wasm_catch wasm_instr_catch_nocheck(const uint8_t **list);

#endif
