/* One row of a weight matrix as floats: the definition of dequantization, for every target. */
#include <string.h>

#include "base/err.h"
#include "tensor/kernels/kernels.h"
#include "tensor/layout.h"

static float f16_at(const tensor_kernels *k, const uint8_t *p)
{
    uint16_t h;
    float f;
    memcpy(&h, p, 2);
    k->f16_to_f32(&f, &h, 1);
    return f;
}

/* y[i] = scale * q[i] - min, 32 or fewer at a time */
static void affine(float *y, const uint8_t *q, uint32_t n, float scale, float min)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = scale * (float)q[i] - min;
}

static void q4_0(const tensor_kernels *k, float *y, const uint8_t *b)
{
    const float d = f16_at(k, b);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)((b[2 + j] & 15) - 8);
        y[16 + j] = d * (float)((b[2 + j] >> 4) - 8);
    }
}

static void q8_0(const tensor_kernels *k, float *y, const uint8_t *b)
{
    const float d = f16_at(k, b);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)(int8_t)b[2 + j];
}

/* (d * scale) * q - (dmin * min) */
static void q4_k(const tensor_kernels *k, float *y, const uint8_t *b)
{
    const float d = f16_at(k, b), dmin = f16_at(k, b + 2);
    const uint8_t *s = b + 4;
    for (int j = 0; j < 8; j++) {
        const int sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        const int m = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        uint8_t q[32];
        for (int i = 0; i < 32; i++)
            q[i] = b[16 + j / 2 * 32 + i] >> (j % 2 * 4) & 15;
        affine(y + 32 * j, q, 32, d * (float)sc, dmin * (float)m);
    }
}

/* (d * scale) * (q - 32) */
static void q6_k(const tensor_kernels *k, float *y, const uint8_t *b)
{
    const float d = f16_at(k, b + 208);
    for (int i = 0; i < 256; i++) {
        const int half = i / 128, part = i % 128 / 32, l = i % 32;
        const int low = b[half * 64 + part % 2 * 32 + l] >> (part / 2 * 4) & 15;
        const int q = low | (b[128 + half * 32 + l] >> (2 * part) & 3) << 4;
        y[i] = d * (float)(int8_t)b[192 + i / 16] * (float)(q - 32);
    }
}

/* Lane r of a packed super-block: not through tensor_unpack_block, since a hostile file's scales and mins have 8 bits
 * where GGUF has 6, and MATMUL uses all of them. */
static void q4_k_lane(const tensor_kernels *k, float *y, const uint8_t *w, uint32_t r)
{
    const float d = f16_at(k, w + 2 * r), dmin = f16_at(k, w + 32 + 2 * r);
    for (uint32_t j = 0; j < 8; j++) {
        const uint8_t *sc = w + 64 + j * 32 + r, *units = w + 320 + j * 256 + 4 * r;
        uint8_t q[32];
        for (uint32_t i = 0; i < 32; i++)
            q[i] = units[i / 8 * 64 + i % 4] >> (i % 8 / 4 * 4) & 15;
        affine(y + 32 * j, q, 32, d * (float)sc[0], dmin * (float)sc[16]);
    }
}

static void dequantize_block(const tensor_kernels *k, float *y, uint32_t type, const uint8_t *block)
{
    switch (type) {
    case WISP_Q4_0:
        q4_0(k, y, block);
        break;
    case WISP_Q8_0:
        q8_0(k, y, block);
        break;
    case WISP_Q4_K:
        q4_k(k, y, block);
        break;
    case WISP_Q6_K:
        q6_k(k, y, block);
        break;
    default:
        BASE_ASSERT(!"a block type");
    }
}

static void get_packed_row(const tensor_kernels *k, float *y, const tensor_type_info *info, const uint8_t *w,
                           uint64_t row, uint32_t d)
{
    const uint8_t *group = w + (size_t)(row / TENSOR_ROW_GROUP * tensor_group_bytes(info->type, d));
    const uint32_t r = (uint32_t)(row % TENSOR_ROW_GROUP);
    for (uint32_t b = 0; b < d / info->block; b++, y += info->block) {
        uint8_t block[256];
        if (info->type == WISP_Q4_K_R16) {
            q4_k_lane(k, y, group + (size_t)b * TENSOR_Q4_K_GROUP, r);
            continue;
        }
        tensor_unpack_block(info->type, group, b, r, block);
        dequantize_block(k, y, info->source, block);
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
        get_packed_row(k, y, info, w, row, d);
    } else if (info->block == 1) {
        get_plain_row(k, y, type, p, d);
    } else {
        for (uint32_t b = 0; b < d / info->block; b++, y += info->block)
            dequantize_block(k, y, type, p + (size_t)b * info->block_bytes);
    }
}
