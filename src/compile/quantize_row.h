/* Floats as GGUF's block types. The same elements and importance give the same bytes, wherever and however often. */
#ifndef COMPILE_QUANTIZE_ROW_H
#define COMPILE_QUANTIZE_ROW_H
#include <stdbool.h>
#include <stdint.h>

/* Can rows be made of this type (GGUF's number)? */
bool quantize_makes(uint32_t type);
/* Does the result depend on importance so much that without it the model is of little use? */
bool quantize_needs_importance(uint32_t type);

/* A row of `count` finite elements, a multiple of the type's block. `importance`: a weight >= 0 for each column (the
 * mean square of what it is multiplied with), or NULL. `out` has room for the row. */
void quantize_row(uint32_t type, const float *x, const float *importance, uint64_t count, void *out);

/* ---- for the files of the quantizer: a block of a type; w: the weight of each element's squared error ---- */
typedef void quantize_block_fn(const float *x, const float *w, uint8_t *out);
quantize_block_fn quantize_q4_0, quantize_q4_1, quantize_q5_0, quantize_q5_1, quantize_q8_0, quantize_iq4_nl,
    quantize_mxfp4, quantize_tq1_0, quantize_tq2_0;
quantize_block_fn quantize_q2_k, quantize_q3_k, quantize_q4_k, quantize_q5_k, quantize_q6_k, quantize_iq4_xs;

/* The sixteen values of IQ4_NL and IQ4_XS, and 32 elements as codes of them, two a byte. */
extern const struct fit_levels quantize_iq4_levels;
void quantize_iq4_codes(const float *x, float d, uint8_t *out);

#endif
