/* WebAssembly's framing, as far as a capsule's reader and writer need it (core specification §5.5): sections, the
 * function types behind an index, data segments. Not a validator: that is the machine's. */
#ifndef CAPSULE_FRAMING_H
#define CAPSULE_FRAMING_H
#include "capsule/capsule.h"

enum {
    SECTION_CUSTOM = 0,
    SECTION_TYPE = 1,
    SECTION_IMPORT = 2,
    SECTION_FUNCTION = 3,
    SECTION_EXPORT = 7,
    SECTION_ELEMENT = 9,
    SECTION_CODE = 10,
    SECTION_DATA = 11,
    SECTION_DATA_COUNT = 12
};
enum { CAPSULE_SIGNATURE_MAX = 64 };

/* "type", "code", …, "custom"; and back (UINT32_MAX if unknown). */
const char *capsule_section_kind(uint32_t id);
uint32_t capsule_section_id(const char *kind);

/* All sections in file order, each known one at most once and in its place. *sections is for base_free. */
wisp_status capsule_read_sections(base_span file, capsule_section **sections, uint32_t *count,
                                  wisp_report *report) WISP_MUST_USE;
bool capsule_section_is(const capsule_section *s, const char *custom_name);

/* The sections that make functions, by id; {NULL, 0} if absent. */
typedef struct capsule_functions {
    base_span type, import, function, export;
    uint32_t imported; /* functions imported; they come first in the index space */
} capsule_functions;

/* Finds them; refuses imports other than functions of wasi_snapshot_preview1. */
wisp_status capsule_functions_of(capsule_functions *f, const capsule_section *sections, uint32_t count,
                                 wisp_report *report) WISP_MUST_USE;
/* Signature of a function defined in the module: "(ii)i". */
wisp_status capsule_signature(const capsule_functions *f, uint32_t index, char out[CAPSULE_SIGNATURE_MAX],
                              wisp_report *report) WISP_MUST_USE;

/* ---- wisp.intrinsics: u32 ABI, u32 count, then {u32 function, u32 size, name, u8 size, signature} each ---- */
/* Lists the functions exported as wisp_dev_*. */
wisp_status capsule_intrinsics_write(base_buffer *out, const capsule_functions *f, wisp_report *report) WISP_MUST_USE;
/* Every entry names a function of the module, with the signature that it has there. *list is for base_free. */
wisp_status capsule_intrinsics_read(capsule_intrinsic **list, uint32_t *count, base_span content,
                                    const capsule_functions *f, wisp_report *report) WISP_MUST_USE;

/* ---- the engine as a module of its own ---- */
typedef struct capsule_engine {
    capsule_section *sections; /* owned */
    uint32_t count;
    uint32_t segment_count;
    base_span segments; /* its data section without the count */
    capsule_functions functions;
    uint8_t sha256[32];
} capsule_engine;

wisp_status capsule_engine_open(capsule_engine *e, base_span module, wisp_report *report) WISP_MUST_USE;
void capsule_engine_close(capsule_engine *e);
/* The whole data count section that a capsule with this many data segments has; its bytes. The payload begins at 2. */
enum { CAPSULE_DATA_COUNT_MAX = 7 };
size_t capsule_data_count(uint8_t out[CAPSULE_DATA_COUNT_MAX], uint32_t segments);

/* LEB128 of a fixed width, so that a value does not move what follows it. */
void capsule_put_leb_fixed(base_buffer *b, uint32_t v, unsigned width);
static inline unsigned capsule_leb_size(uint32_t v)
{
    unsigned n = 1;
    while (v >>= 7)
        n++;
    return n;
}

#endif
