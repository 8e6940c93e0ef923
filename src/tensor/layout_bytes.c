/* Rows of a GGUF type of blocks of 256 -> a group of signed bytes (tensor/layout.h). */
#include <string.h>

#include "base/err.h"
#include "tensor/blocks.h"
#include "tensor/layout.h"

enum { ROWS = TENSOR_ROW_GROUP };

uint64_t tensor_bytes_group(uint32_t type, uint64_t cols)
{
    BASE_ASSERT(tensor_type_find(type)->block == 256);
    return cols / 256 * TENSOR_BYTES_GROUP;
}

/* Lane r of a block. */
static void put_block(const tensor_block *b, uint32_t r, uint8_t *out)
{
    memcpy(out + 4 * r, &b->d, 4);
    memcpy(out + 64 + 4 * r, &b->dmin, 4);
    for (uint32_t j = 0; j < 16; j++) {
        out[128 + 16 * j + r] = (uint8_t)b->scale[j];
        out[384 + 16 * j + r] = b->min[j];
    }
    for (uint32_t c = 0; c < 64; c++)
        memcpy(out + 640 + 64 * c + 4 * r, b->q + 4 * c, 4);
}

void tensor_pack_bytes(uint32_t type, const void *rows, uint64_t stride, uint32_t count, uint64_t cols, void *out)
{
    const tensor_type_info *info = tensor_type_find(type);
    tensor_block block;
    BASE_ASSERT(count <= ROWS);
    if (count < ROWS) memset(out, 0, (size_t)tensor_bytes_group(type, cols));
    for (uint64_t b = 0; b < cols / 256; b++)
        for (uint32_t r = 0; r < count; r++) {
            bool known = tensor_read_block(type, (const uint8_t *)rows + r * stride + b * info->block_bytes, &block);
            BASE_ASSERT(known);
            put_block(&block, r, (uint8_t *)out + b * TENSOR_BYTES_GROUP);
        }
}
