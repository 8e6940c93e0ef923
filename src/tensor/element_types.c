/* What the device knows about element types. The one table; everything else asks here. */
#include <string.h>

#include "tensor/layout.h"

/* clang-format off */
static const tensor_type_info types[] = {
    {WISP_F32,        "F32",        1,   4,   WISP_F32,     0,               4},
    {WISP_F16,        "F16",        1,   2,   WISP_F16,     0,               2},
    {WISP_BF16,       "BF16",       1,   2,   WISP_BF16,    0,               2},
    {WISP_F64,        "F64",        1,   8,   WISP_F64,     0,               8},
    {WISP_I32,        "I32",        1,   4,   WISP_I32,     0,               4},
    {WISP_Q4_0,       "Q4_0",       32,  18,  WISP_Q4_0,    WISP_Q4_0_R16,   2},
    {WISP_Q4_1,       "Q4_1",       32,  20,  WISP_Q4_1,    WISP_Q4_1_R16,   2},
    {WISP_Q5_0,       "Q5_0",       32,  22,  WISP_Q5_0,    WISP_Q5_0_R16,   2},
    {WISP_Q5_1,       "Q5_1",       32,  24,  WISP_Q5_1,    WISP_Q5_1_R16,   2},
    {WISP_Q8_0,       "Q8_0",       32,  34,  WISP_Q8_0,    WISP_Q8_0_R16,   2},
    {WISP_Q2_K,       "Q2_K",       256, 84,  WISP_Q2_K,    0,               2},
    {WISP_Q3_K,       "Q3_K",       256, 110, WISP_Q3_K,    0,               2},
    {WISP_Q4_K,       "Q4_K",       256, 144, WISP_Q4_K,    WISP_Q4_K_R16,   2},
    {WISP_Q5_K,       "Q5_K",       256, 176, WISP_Q5_K,    WISP_Q5_K_R16,   2},
    {WISP_Q6_K,       "Q6_K",       256, 210, WISP_Q6_K,    WISP_Q6_K_R16,   2},
    {WISP_IQ1_S,      "IQ1_S",      256, 50,  WISP_IQ1_S,   0,               2},
    {WISP_IQ1_M,      "IQ1_M",      256, 56,  WISP_IQ1_M,   0,               2},
    {WISP_IQ2_XXS,    "IQ2_XXS",    256, 66,  WISP_IQ2_XXS, 0,               2},
    {WISP_IQ2_XS,     "IQ2_XS",     256, 74,  WISP_IQ2_XS,  0,               2},
    {WISP_IQ2_S,      "IQ2_S",      256, 82,  WISP_IQ2_S,   0,               2},
    {WISP_IQ3_XXS,    "IQ3_XXS",    256, 98,  WISP_IQ3_XXS, 0,               2},
    {WISP_IQ3_S,      "IQ3_S",      256, 110, WISP_IQ3_S,   0,               2},
    {WISP_IQ4_NL,     "IQ4_NL",     32,  18,  WISP_IQ4_NL,  WISP_IQ4_NL_R16, 2},
    {WISP_IQ4_XS,     "IQ4_XS",     256, 136, WISP_IQ4_XS,  WISP_IQ4_XS_R16, 2},
    {WISP_TQ1_0,      "TQ1_0",      256, 54,  WISP_TQ1_0,   0,               2},
    {WISP_TQ2_0,      "TQ2_0",      256, 66,  WISP_TQ2_0,   0,               2},
    {WISP_MXFP4,      "MXFP4",      32,  17,  WISP_MXFP4,   WISP_MXFP4_R16,  1},
    {WISP_Q4_0_R16,   "Q4_0_R16",   32,  0,   WISP_Q4_0,    0,               64},
    {WISP_Q4_1_R16,   "Q4_1_R16",   32,  0,   WISP_Q4_1,    0,               64},
    {WISP_Q5_0_R16,   "Q5_0_R16",   32,  0,   WISP_Q5_0,    0,               64},
    {WISP_Q5_1_R16,   "Q5_1_R16",   32,  0,   WISP_Q5_1,    0,               64},
    {WISP_Q8_0_R16,   "Q8_0_R16",   32,  0,   WISP_Q8_0,    0,               64},
    {WISP_Q4_K_R16,   "Q4_K_R16",   256, 0,   WISP_Q4_K,    0,               64},
    {WISP_Q5_K_R16,   "Q5_K_R16",   256, 0,   WISP_Q5_K,    0,               64},
    {WISP_Q6_K_R16,   "Q6_K_R16",   256, 0,   WISP_Q6_K,    0,               64},
    {WISP_IQ4_NL_R16, "IQ4_NL_R16", 32,  0,   WISP_IQ4_NL,  0,               64},
    {WISP_IQ4_XS_R16, "IQ4_XS_R16", 256, 0,   WISP_IQ4_XS,  0,               64},
    {WISP_MXFP4_R16,  "MXFP4_R16",  32,  0,   WISP_MXFP4,   0,               64},
};
/* clang-format on */

const tensor_type_info *tensor_type_find(uint32_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type) return &types[i];
    return NULL;
}

bool tensor_row_bytes(uint32_t type, uint64_t cols, uint64_t *bytes)
{
    const tensor_type_info *info = tensor_type_find(type);
    *bytes = 0;
    if (!info || cols % info->block != 0) return false;
    return !__builtin_mul_overflow(cols / info->block, (uint64_t)info->block_bytes, bytes);
}

/* Sets of `per` blocks share a line of 64 bytes of scales; an incomplete last one has that line for itself. */
static uint64_t sets_bytes(uint64_t blocks, uint64_t per, uint64_t block_bytes)
{
    return (blocks + per - 1) / per * 64 + blocks * block_bytes;
}

uint64_t tensor_group_bytes(uint32_t type, uint64_t cols)
{
    switch (type) {
    case WISP_Q4_0_R16:
    case WISP_IQ4_NL_R16:
        return sets_bytes(cols / 32, 2, 256);
    case WISP_Q4_1_R16:
        return sets_bytes(cols / 32, 1, 256);
    case WISP_Q5_0_R16:
        return sets_bytes(cols / 32, 2, 320);
    case WISP_Q5_1_R16:
        return sets_bytes(cols / 32, 1, 320);
    case WISP_Q8_0_R16:
        return sets_bytes(cols / 32, 2, 512);
    case WISP_MXFP4_R16:
        return sets_bytes(cols / 32, 4, 256);
    case WISP_Q4_K_R16:
        return cols / 256 * TENSOR_Q4_K_GROUP;
    case WISP_Q5_K_R16:
        return cols / 256 * TENSOR_Q5_K_GROUP;
    case WISP_Q6_K_R16:
        return cols / 256 * TENSOR_Q6_K_GROUP;
    case WISP_IQ4_XS_R16:
        return cols / 256 * TENSOR_IQ4_XS_GROUP;
    default:
        return 0;
    }
}

bool tensor_matrix_bytes(uint32_t type, uint64_t rows, uint64_t cols, uint64_t *bytes)
{
    const tensor_type_info *info = tensor_type_find(type);
    *bytes = 0;
    if (!info || cols % info->block != 0) return false;
    if (info->block_bytes) {
        uint64_t row;
        return tensor_row_bytes(type, cols, &row) && !__builtin_mul_overflow(rows, row, bytes);
    }
    if (cols > UINT64_MAX / 64)
        return false; /* a packed element takes less than 2 bytes, a group less than 64 a column */
    uint64_t groups = rows / TENSOR_ROW_GROUP + (rows % TENSOR_ROW_GROUP != 0);
    return !__builtin_mul_overflow(groups, tensor_group_bytes(type, cols), bytes);
}
