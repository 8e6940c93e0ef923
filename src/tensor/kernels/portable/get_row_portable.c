/* One row of a weight matrix as floats: the definition of dequantization, for every target. */
#include <string.h>

#include "base/err.h"
#include "tensor/blocks.h"
#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

static float f16_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return tensor_half_to_float(h);
}

/* Lane r of a packed super-block: not through tensor_unpack_block, since a hostile file's scales and mins have 8 bits
 * where GGUF has 6, and MATMUL uses all of them. */
static void q4_k_lane(float *y, const uint8_t *w, uint32_t r)
{
    const float d = f16_at(w + 2 * r), dmin = f16_at(w + 32 + 2 * r);
    for (uint32_t j = 0; j < 8; j++) {
        const uint8_t *sc = w + 64 + j * 32 + r, *units = w + 320 + j * 256 + 4 * r;
        const float scale = d * (float)sc[0], min = dmin * (float)sc[16];
        for (uint32_t i = 0; i < 32; i++)
            y[32 * j + i] = scale * (float)(units[i / 8 * 64 + i % 4] >> (i % 8 / 4 * 4) & 15) - min;
    }
}

static void get_packed_row(float *y, const tensor_type_info *info, const uint8_t *w, uint64_t row, uint32_t d)
{
    const uint8_t *group = w + (size_t)(row / TENSOR_ROW_GROUP * tensor_group_bytes(info->type, d));
    const uint32_t r = (uint32_t)(row % TENSOR_ROW_GROUP);
    for (uint32_t b = 0; b < d / info->block; b++, y += info->block) {
        uint8_t block[256];
        if (info->type == WISP_Q4_K_R16) {
            q4_k_lane(y, group + (size_t)b * TENSOR_Q4_K_GROUP, r);
            continue;
        }
        tensor_unpack_block(info->type, group, b, r, block);
        tensor_dequantize(info->source, block, info->block, y);
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
