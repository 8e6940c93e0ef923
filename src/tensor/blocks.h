/* A block of any of GGUF's quantized types as integers with scales: what dequantization and MATMUL are defined on
 * (docs/numerics.md). Any bytes make a block: indices are masked, scales may be infinite or NaN. */
#ifndef TENSOR_BLOCKS_H
#define TENSOR_BLOCKS_H
#include <stdbool.h>
#include <stdint.h>

/* Element i is (d * scale[i / 16]) * q[i] - dmin * min[i / 16]; the subtraction only where the type has minima. Its
 * first product is exact in binary32 for all types, so no order of factors can be seen. */
typedef struct tensor_block {
    float d, dmin;
    int16_t scale[16];
    uint8_t min[16];
    int8_t q[256]; /* as many as the type's block */
} tensor_block;

/* Reads one block of a GGUF block type; false (and nothing read): `type` is none. */
bool tensor_read_block(uint32_t type, const void *bytes, tensor_block *block);
/* Block b of lane r of a packed group. Scales and minima may have more bits there than in GGUF's block, and count. */
void tensor_read_lane(uint32_t packed_type, const void *group, uint64_t b, uint32_t r, tensor_block *block);

/* The first `count` (a multiple of 16) elements as floats. */
void tensor_block_floats(const tensor_block *block, uint32_t count, float *y);

/* `count` elements (whole blocks, contiguous) of a GGUF block type as floats, bit for bit as the format defines. False:
 * `type` is not a block type. */
bool tensor_dequantize(uint32_t type, const void *bytes, uint64_t count, float *y);

float tensor_half_to_float(uint16_t h);
float tensor_power_to_float(uint8_t e); /* MXFP4's scale: 2^(e - 128) */

/* ---- for the files of this folder: one reader a type ---- */
typedef void tensor_read_block_fn(const uint8_t *in, tensor_block *b);
tensor_read_block_fn tensor_read_iq1_s, tensor_read_iq1_m, tensor_read_iq2_xxs, tensor_read_iq2_xs, tensor_read_iq2_s,
    tensor_read_iq3_xxs, tensor_read_iq3_s;

/* The values of four bits in IQ4_NL and IQ4_XS, and in MXFP4 (doubled). */
extern const int8_t tensor_values_iq4[16], tensor_values_fp4[16];

#endif
