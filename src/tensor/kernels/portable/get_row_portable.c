/* One row of a weight matrix as floats: the definition of dequantization, for every target. */
#include <string.h>

#include "base/err.h"
#include "tensor/blocks.h"
#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

static void get_packed_row(float *y, const tensor_type_info *info, const uint8_t *w, uint64_t row, uint32_t d)
{
    const uint8_t *group = w + (size_t)(row / TENSOR_ROW_GROUP * tensor_group_bytes(info->type, d));
    const uint32_t r = (uint32_t)(row % TENSOR_ROW_GROUP);
    for (uint32_t b = 0; b < d / info->block; b++, y += info->block) {
        tensor_block block;
        tensor_read_lane(info->type, group, b, r, &block);
        tensor_block_floats(&block, info->block, y);
    }
}

static void get_plain_row(const tensor_kernels *k, float *y, uint32_t type, const void *p, uint32_t d)
{
    switch (type) {
    case WISP_F32:
        memcpy(y, p, d * sizeof *y);
        break;
    case WISP_F16:
        k->f16_to_f32(y, p, d);
        break;
    case WISP_BF16:
        for (uint32_t i = 0; i < d; i++) {
            uint16_t h;
            memcpy(&h, (const uint8_t *)p + 2 * i, 2);
            const uint32_t bits = (uint32_t)h << 16;
            memcpy(y + i, &bits, 4);
        }
        break;
    default:
        BASE_ASSERT(!"a plain type");
    }
}

void tensor_get_row(const tensor_kernels *k, float *y, uint32_t type, const void *w, uint64_t stride, uint64_t row,
                    uint32_t d)
{
    const tensor_type_info *info = tensor_type_find(type);
    const uint8_t *p = (const uint8_t *)w + (size_t)(row * stride);
    if (!info->block_bytes) {
        get_packed_row(y, info, w, row, d);
    } else if (info->block == 1) {
        get_plain_row(k, y, type, p, d);
    } else {
        tensor_dequantize(type, p, d, y);
    }
}
