/* Packed weight layouts: 16 rows x 4 consecutive K bytes make one 64-byte unit, so that a 32-bit lane is a row on every
 * ISA (VPDPBUSD, sdot; two units zipped are what smmla wants) and nothing is shuffled or folded in the inner loop.
 *
 * A matrix [rows, cols] is a sequence of row groups of 16 (rows padded with zeros), each one contiguous stream over K.
 * Row r of a group is lane r. All pieces are multiples of 32 bytes and the tensor starts on 64.
 *
 * Q4_0_R16  pair of blocks (64 K): 2 x [16 F16 scales], then 2 x [4 units]; unit c of a block, byte 4r+j: low nibble
 *           K = 8c+j, high nibble K = 8c+4+j (unsigned, zero point 8). 576 bytes; an odd last block: 32 bytes of
 *           scales, 32 zero bytes, 4 units. 4.5 bits a weight, as in GGUF.
 * Q8_0_R16  pair of blocks: 2 x [16 F16 scales], then 2 x [8 units]; unit c, byte 4r+j: K = 4c+j (signed). 1088 bytes;
 *           an odd last block: 32 + 32 zero bytes + 8 units.
 * Q4_K_R16  super-block (256 K): [16 F16 d][16 F16 dmin], 8 x [16 u8 scale][16 u8 min] (sub-block j of 32 K), then
 *           8 x [4 units] as in Q4_0. 64 + 256 + 2048 = 2368 bytes. 4.625 bits a weight.
 * Q6_K_R16  super-block: [16 F16 d][32 zero bytes], 16 x [16 s8 scale] (sub-block j of 16 K), then for each 32 K: 4
 * units of low nibbles (unit c, byte 4r+j: low nibble K = 8c+j, high nibble K = 8c+4+j), 2 units of high bit pairs
 *           (unit c, byte 4r+j: bits 0-1 K = 16c+j, 2-3 K = 16c+4+j, 4-5 K = 16c+8+j, 6-7 K = 16c+12+j). Value = the 6
 *           bits minus 32. 64 + 256 + 8 * (256 + 128) = 3392 bytes. 6.625 bits a weight. (All low nibbles first, then
 *           all high bits, made two streams of it: a token's product ran at 5 GB/s where one stream gives 12.)
 *
 * Q4_1_R16   block: [16 F16 d][16 F16 m], 4 units as in Q4_0. 320 bytes.
 * Q5_0_R16   pair of blocks: 2 x [16 F16 scales], then 2 x [4 units as in Q4_0, 1 unit of fifth bits: byte 4r+j, bit n:
 *            K = 4n+j]. 704 bytes; an odd last block as in Q4_0.
 * Q5_1_R16   block: [16 F16 d][16 F16 m], 4 units and 1 of fifth bits. 384 bytes.
 * IQ4_NL_R16 as Q4_0_R16.
 * MXFP4_R16  four blocks: 4 x [16 u8 e], then 4 x [4 units]. 1088 bytes; 1 to 3 last ones: their 64 bytes of scales,
 * the rest of them zero, and their units. Q5_K_R16   as Q4_K_R16, with a unit of fifth bits after each 4 units. 2880
 * bytes. IQ4_XS_R16 super-block: [16 F16 d][32 zero bytes], 8 x [16 s8 scale], then 8 x [4 units]. 2240 bytes.
 */
#ifndef TENSOR_LAYOUT_H
#define TENSOR_LAYOUT_H
#include "tensor/abi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TENSOR_ROW_GROUP = 16,
    TENSOR_Q4_K_GROUP = 2368, /* bytes of a super-block of 16 rows */
    TENSOR_Q6_K_GROUP = 3392,
    TENSOR_Q6_K_LOW = 320,  /* offset of the first low units in it */
    TENSOR_Q6_K_HIGH = 576, /* and of the first high units */
    TENSOR_Q6_K_STEP = 384, /* bytes from 32 K to the next */
    TENSOR_Q5_K_GROUP = 2880,
    TENSOR_IQ4_XS_GROUP = 2240,
    TENSOR_BYTES_GROUP = 4736, /* of a group of signed bytes, below */
};

typedef struct tensor_type_info {
    uint32_t type;        /* wisp_type */
    const char *name;     /* "Q4_0", "Q4_0_R16" */
    uint32_t block;       /* elements of a row that belong together; cols must be a multiple */
    uint32_t block_bytes; /* plain and block types: bytes of such a block. Packed types: 0 */
    uint32_t source;      /* packed types: the GGUF type packed here; else the type itself */
    uint32_t packed;      /* the packed layout of this type, or 0 */
    uint32_t align;       /* of a view's offset and stride */
} tensor_type_info;

const tensor_type_info *tensor_type_find(uint32_t type); /* NULL if unknown */

/* Bytes of one row (plain and block types; 0 for packed) and of a whole matrix stored without gaps. False if the type
 * is unknown, cols is not a multiple of the block, or the size overflows. */
bool tensor_row_bytes(uint32_t type, uint64_t cols, uint64_t *bytes);
bool tensor_matrix_bytes(uint32_t type, uint64_t rows, uint64_t cols, uint64_t *bytes);
/* Bytes of one group of 16 rows of a packed type. */
uint64_t tensor_group_bytes(uint32_t type, uint64_t cols);

/* Packs `count` rows (1 to 16, the rest of the group becomes zero) of a GGUF block type, contiguous in memory, into one
 * group at `out`; and back. Bit for bit reversible. */
void tensor_pack_group(uint32_t packed_type, const void *rows, uint32_t count, uint64_t cols, void *out);
/* The same from rows `stride` bytes apart. */
void tensor_pack_rows(uint32_t packed_type, const void *rows, uint64_t stride, uint32_t count, uint64_t cols,
                      void *out);
/* Block b of lane r of a group, as the GGUF block it was. */
void tensor_unpack_block(uint32_t packed_type, const void *group, uint64_t b, uint32_t r, void *block);
void tensor_unpack_group(uint32_t packed_type, const void *group, uint32_t count, uint64_t cols, void *rows);

/* Groups of signed bytes: never stored; MATMUL makes them of blocks of 256 of types that have no packed layout.
 * [16 f32 d][16 f32 dmin], 16 x [16 s8 scale], 16 x [16 u8 min] (of 16 K each), 64 units as in Q8_0_R16. 4736 bytes. */
uint64_t tensor_bytes_group(uint32_t type, uint64_t cols);
/* `count` rows of a GGUF block type, `stride` bytes apart -> one group. */
void tensor_pack_bytes(uint32_t type, const void *rows, uint64_t stride, uint32_t count, uint64_t cols, void *out);

#endif
