/* What the parts of the decoder share: decode.c (sections), decode_types.c and decode_code.c. */
#ifndef WASM_DECODE_H
#define WASM_DECODE_H
#include "wasm/machine.h"

wisp_status wasm_decode_no_memory(wasm_decoder *d);
wisp_status wasm_decode_too_many(wasm_decoder *d, const char *what, uint64_t count, uint64_t limit);
/* The length of a vector whose elements take at least `min_size` bytes each, and room for them in the module's arena;
 * `array` is the address of a pointer. */
wisp_status wasm_read_vector(wasm_decoder *d, uint32_t *count, size_t min_size, size_t element, void *array);
wisp_status wasm_decode_types(wasm_decoder *d);
wisp_status wasm_decode_codes(wasm_decoder *d);

#endif
