/* Rows of any GGUF block type -> a group of signed bytes (tensor/layout.h). */
#include <string.h>

#include "base/err.h"
#include "tensor/blocks.h"
#include "tensor/layout.h"

enum { ROWS = TENSOR_ROW_GROUP };

uint64_t tensor_bytes_group(uint32_t type, uint64_t cols)
{
    const uint32_t block = tensor_type_find(type)->block;
    return cols / block * (block == 32 ? TENSOR_BYTES_32_GROUP : TENSOR_BYTES_256_GROUP);
}

/* Lane r of a block. */
static void put_block(const tensor_block *b, uint32_t elements, uint32_t r, uint8_t *out)
{
    uint8_t *units = out + 128;
    memcpy(out + 4 * r, &b->d, 4);
    memcpy(out + 64 + 4 * r, &b->dmin, 4);
    for (uint32_t j = 0; j < 16 && elements == 256; j++) {
        out[128 + 16 * j + r] = (uint8_t)b->scale[j];
        out[384 + 16 * j + r] = b->min[j];
    }
    if (elements == 256) units += 512;
    for (uint32_t c = 0; c < elements / 4; c++)
        memcpy(units + 64 * c + 4 * r, b->q + 4 * c, 4);
}

void tensor_pack_bytes(uint32_t type, const void *rows, uint64_t stride, uint32_t count, uint64_t cols, void *out)
{
    const tensor_type_info *info = tensor_type_find(type);
    const size_t group = (size_t)tensor_bytes_group(type, info->block);
    tensor_block block;
    BASE_ASSERT(count <= ROWS);
    if (count < ROWS) memset(out, 0, (size_t)tensor_bytes_group(type, cols));
    for (uint64_t b = 0; b < cols / info->block; b++)
        for (uint32_t r = 0; r < count; r++) {
            bool known = tensor_read_block(type, (const uint8_t *)rows + r * stride + b * info->block_bytes, &block);
            BASE_ASSERT(known);
            put_block(&block, info->block, r, (uint8_t *)out + b * group);
        }
}
