/* Makes valid WebAssembly modules out of any bytes, for differential tests: interpreter, native code and other engines
 * must agree on them. What numeric, vector and memory instructions there are comes from the machine's own list
 * (opcodes.def), so a new one is generated from the day it is there.
 *
 * A generated module ends by itself: function entries and loops use up a counter, its last global, and then trap
 * ("unreachable"); who calls it sets the counter before.
 * It imports "h" "log" (i32) and "h" "mix" (i64, i64) -> i64, and exports its functions as "f0"…, memories as "m0"…,
 * its mutable globals as "g0"…. */
#ifndef FUZZ_GENERATE_H
#define FUZZ_GENERATE_H
#include "base/bytes.h"

typedef struct generate_options {
    bool elsewhere; /* only what Node.js 20 has too, and NaNs canonicalized by the module itself */
    bool exceptions, typed_references, tail_calls, memory64, relaxed; /* ignored with `elsewhere` */
} generate_options;

/* false: out of memory. The same bytes and options give the same module. */
bool generate_module(base_buffer *out, const uint8_t *entropy, size_t size, const generate_options *options);

/* ---- inside ---- */

enum { GENERATE_FUNCS = 6, GENERATE_TYPES = 8, GENERATE_PARAMS = 4, GENERATE_LOCALS = 16 };
enum { GENERATE_COUNTER = 200 }; /* function entries and loop rounds a call may take */
enum { GENERATE_LOG, GENERATE_MIX, GENERATE_IMPORTS };

typedef struct generate_type {
    char params[GENERATE_PARAMS + 1], results[GENERATE_PARAMS + 1]; /* letters: i I f F v r (funcref) e (externref) */
} generate_type;

typedef struct generator {
    generate_options options;
    base_reader entropy;
    uint64_t state; /* goes on where the entropy ends */
    generate_type types[GENERATE_TYPES];
    uint32_t type_count, func_count, table_count, memory_count, global_count, tag_count, elem_count, data_count;
    uint32_t func_types[GENERATE_IMPORTS + GENERATE_FUNCS];
    char globals[12]; /* letters; the last one is the counter */
    bool memory64[2], table64[2];
} generator;

uint32_t generate_below(generator *g, uint32_t n); /* [0, n), 0 for n = 0 */
bool generate_one_in(generator *g, uint32_t n);
void generate_type_code(base_buffer *b, char letter);
/* A constant instruction of that type: edge values and small ones. */
void generate_constant(generator *g, base_buffer *b, char letter);
/* Locals and instructions of that function. */
void generate_body(generator *g, base_buffer *b, uint32_t func);

#endif
