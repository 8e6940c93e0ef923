/* Objects that LLVM wrote, joined to an image (native_abi.h). Every relocation is resolved here, so that loading needs
 * none; what cannot be resolved is refused by name. The result depends on the objects and their order only. */
#ifndef WASM_LINK_H
#define WASM_LINK_H
#include "base/bytes.h"
#include "wasm/native_abi.h"

typedef struct wasm_link_input {
    const base_span *objects; /* ELF64, relocatable, for the target */
    uint32_t object_count;
    uint32_t target, flags;
    uint32_t first_func, func_count; /* defined functions: symbols f<first_func> … */
    uint32_t type_count;             /* symbols e<type>, not all of them there */
    uint8_t module[32];              /* wasm_module_code_digest */
} wasm_link_input;

/* The functions of a text section must lie in it in the order of their indices.
 * WISP_E_INPUT: an object that is not as it should be; WISP_E_UNSUPPORTED: a section, relocation or symbol that an
 * image cannot have; WISP_E_LIMIT: too large for the target's branches. */
wisp_status wasm_link(base_buffer *image, const wasm_link_input *input, wisp_report *report) WISP_MUST_USE;

/* ---- between link.c, link_object.c and link_relocate.c ---- */

enum { LINK_MACHINE_X86_64 = 62, LINK_MACHINE_AARCH64 = 183 };

typedef enum { LINK_DROPPED, LINK_TEXT, LINK_RODATA } link_kind;

typedef struct link_section {
    link_kind kind;
    base_span name, bytes;
    uint32_t type, link, info;
    uint64_t flags, size, align;
    uint64_t at;         /* in the image, once laid out */
    uint32_t first_func; /* lowest index of a function in it; UINT32_MAX: none */
} link_section;

typedef struct link_symbol {
    base_span name;
    uint32_t section; /* LINK_UNDEFINED: elsewhere */
    uint64_t value, size;
} link_symbol;
#define LINK_UNDEFINED UINT32_MAX

typedef struct link_object {
    uint32_t number; /* for messages */
    link_section *sections;
    link_symbol *symbols;
    uint32_t section_count, symbol_count;
} link_object;

/* Borrows `bytes`; link_object_fini is due in any case. */
wisp_status link_object_read(link_object *o, base_span bytes, uint32_t machine, wisp_report *report) WISP_MUST_USE;
void link_object_fini(link_object *o);

/* What a symbol's name says: f<index> or e<index>. */
bool link_symbol_index(base_span name, char letter, uint32_t *index);

/* Where the functions and entries are, offsets in the image; 0: nowhere yet. */
typedef struct link_places {
    uint64_t *funcs, *entries;
    uint32_t first_func, func_count, type_count;
} link_places;

/* Applies the relocations of one section of relocations (SHT_RELA) to the image. */
wisp_status link_relocate(const link_object *o, const link_section *rela, uint32_t machine, const link_places *places,
                          uint8_t *image, wisp_report *report) WISP_MUST_USE;

#endif
