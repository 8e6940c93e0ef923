/* GGUF's block types as floats: hand-made blocks with values known from the formats' definitions, and what another
 * engine makes of arbitrary blocks (tests/golden/blocks.txt), bit for bit. Any bytes are a block. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "tensor/abi.h"
#include "tensor/blocks.h"
#include "tensor/layout.h"

enum { BLOCK_MAX = 256, GOLDEN_BLOCKS = 300 };

static const uint32_t types[] = {
    WISP_Q4_0,    WISP_Q4_1,   WISP_Q5_0,   WISP_Q5_1,  WISP_Q8_0,   WISP_Q2_K,  WISP_Q3_K,  WISP_Q4_K,
    WISP_Q5_K,    WISP_Q6_K,   WISP_IQ1_S,  WISP_IQ1_M, WISP_IQ2_XS, WISP_IQ2_S, WISP_IQ3_S, WISP_IQ2_XXS,
    WISP_IQ3_XXS, WISP_IQ4_NL, WISP_IQ4_XS, WISP_TQ1_0, WISP_TQ2_0,  WISP_MXFP4,
};
enum { TYPES = sizeof types / sizeof *types };

/* A block of zeros but for some bytes; one element of it. 0x3c00 is 1 and 0x4000 is 2 in F16. */
typedef struct set {
    uint8_t at, value;
} set;
static const struct {
    uint32_t type;
    set bytes[8];
    uint32_t element;
    float value;
} known[] = {
    {WISP_Q4_0, {{1, 0x3c}, {2, 0x9f}}, 0, 7},
    {WISP_Q4_0, {{1, 0x3c}, {2, 0x9f}}, 16, 1},
    {WISP_Q4_1, {{1, 0x40}, {3, 0x3c}, {19, 0xf3}}, 15, 7},
    {WISP_Q4_1, {{1, 0x40}, {3, 0x3c}, {19, 0xf3}}, 31, 31},
    {WISP_Q5_0, {{1, 0x3c}, {6, 0x21}, {4, 1}}, 0, -15},
    {WISP_Q5_0, {{1, 0x3c}, {6, 0x21}, {4, 1}}, 16, 2},
    {WISP_Q5_1, {{1, 0x3c}, {3, 0xbc}, {7, 0x80}, {23, 0xf0}}, 31, 30},
    {WISP_Q8_0, {{1, 0x3c}, {33, 0x80}}, 31, -128},
    {WISP_Q2_K, {{81, 0x3c}, {83, 0x3c}, {15, 0x53}, {79, 0xc0}}, 255, 3 * 3 - 5},
    {WISP_Q2_K, {{81, 0x3c}, {83, 0x3c}, {0, 0x1f}, {16, 0x02}}, 0, 15 * 2 - 1},
    {WISP_Q3_K, {{109, 0x3c}, {0, 1}, {32, 3}, {96, 1}}, 0, (1 - 32) * 3},
    {WISP_Q3_K, {{109, 0x3c}, {32 + 63, 0x40}, {103, 0xf0}, {107, 0xc0}}, 255, 31 * (1 - 4)},
    {WISP_Q4_K, {{1, 0x3c}, {3, 0x40}, {4, 5}, {8, 2}, {16, 0x0b}}, 0, 5 * 11 - 2 * 2},
    {WISP_Q4_K, {{1, 0x3c}, {7, 0xc0}, {15, 0x01}, {143, 0x20}}, 255, (1 | 3 << 4) * 2},
    {WISP_Q5_K, {{1, 0x3c}, {4, 3}, {16, 1}, {48, 0x02}}, 0, 3 * 18},
    {WISP_Q6_K, {{209, 0x3c}, {192, 0xff}, {0, 0x0f}, {128, 3}}, 0, -31},
    {WISP_Q6_K, {{209, 0x3c}, {207, 2}, {127, 0x10}, {191, 0x80}}, 255, 2 * (33 - 32)},
    {WISP_IQ4_NL, {{1, 0x3c}, {2, 0xf0}}, 0, -127},
    {WISP_IQ4_NL, {{1, 0x3c}, {2, 0xf0}}, 16, 113},
    {WISP_IQ4_XS, {{1, 0x3c}, {3, 0x80}, {7, 0x10}, {135, 0x80}}, 255, 1},
    {WISP_MXFP4, {{0, 127}, {1, 0xf7}}, 0, 6},
    {WISP_MXFP4, {{0, 127}, {1, 0xf7}}, 16, -6},
    {WISP_MXFP4, {{0, 0}, {1, 0x02}}, 0, 0x1p-127f},
    {WISP_MXFP4, {{0, 255}, {1, 0x02}}, 0, INFINITY},
    {WISP_MXFP4, {{0, 255}, {1, 0x01}}, 0, 0x1p127f},
    {WISP_TQ1_0, {{53, 0x3c}, {0, 0xff}}, 0, 1}, /* digits 2 2 2 2 2 and a remainder */
    {WISP_TQ1_0, {{53, 0x3c}, {0, 0xff}}, 128, 1},
    {WISP_TQ1_0, {{53, 0x3c}, {51, 0x80}}, 255, 0}, /* half: digits 1 1 1 1 … */
    {WISP_TQ1_0, {{53, 0x3c}, {51, 0x80}}, 254, -1},
    {WISP_TQ2_0, {{65, 0x3c}, {63, 0x40}}, 255, 0},
    {WISP_TQ2_0, {{65, 0x3c}, {63, 0xc0}}, 255, 2},
    {WISP_IQ2_XXS, {{1, 0x48}}, 0, 8 * 8 / 8.0f},              /* d = 8; point 0 is all 8s, the scale is 1/8 */
    {WISP_IQ2_XXS, {{1, 0x48}, {2, 1}, {9, 0x10}}, 0, 43 * 3}, /* point 1 begins with 43 */
    {WISP_IQ2_XXS, {{1, 0x48}, {6, 1}}, 7, -8},                /* the eighth sign makes their number even */
    {WISP_IQ2_XS, {{1, 0x48}, {64, 1}, {65, 0x02}, {73, 0xf0}}, 248, -43 * 31}, /* index 1, sign of the first */
    {WISP_IQ2_S, {{1, 0x48}, {33, 1}, {65, 2}, {81, 0x10}}, 249, -8 * 3},
    {WISP_IQ3_XXS, {{1, 0x44}, {2, 1}}, 0, 20}, /* d = 4, quarters */
    {WISP_IQ3_S, {{1, 0x3c}, {105, 0x80}, {109, 0x20}}, 255, -5},
    {WISP_IQ1_S, {{1, 0x48}}, 0, -7},                                    /* -1 + 1/8 */
    {WISP_IQ1_S, {{1, 0x48}, {35, 0x90}}, 0, -9 * 3},                    /* -1 - 1/8, the scale 3 */
    {WISP_IQ1_M, {{55, 0x40}, {53, 0x80}, {32, 8}, {48, 1}}, 0, -9 * 3}, /* d = 8 in four parts */
};

static void known_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t block[BLOCK_MAX] = {0};
        float y[BLOCK_MAX];
        for (size_t j = 0; j < sizeof known[i].bytes / sizeof(set); j++)
            if (known[i].bytes[j].value) block[known[i].bytes[j].at] = known[i].bytes[j].value;
        const tensor_type_info *info = tensor_type_find(known[i].type);
        assert_true(tensor_dequantize(known[i].type, block, info->block, y));
        if (y[known[i].element] != known[i].value)
            fail_msg("%s, case %zu: element %u is %g, not %g", info->name, i, known[i].element,
                     (double)y[known[i].element], (double)known[i].value);
    }
}

/* ---- golden vectors ---- */
static void canonical(float *y, size_t count)
{
    const uint32_t quiet = 0x7fc00000;
    for (size_t i = 0; i < count; i++)
        if (isnan(y[i])) memcpy(y + i, &quiet, 4);
}

static void check_digest(const tensor_type_info *info, const char *want)
{
    const size_t size = (size_t)GOLDEN_BLOCKS * info->block_bytes, count = (size_t)GOLDEN_BLOCKS * info->block;
    uint8_t *in = malloc(size), digest[32];
    float *y = malloc(count * sizeof *y);
    uint64_t x = 1;
    char hex[65];
    assert_true(in && y);
    for (size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        in[i] = (uint8_t)(x >> 56);
    }
    assert_true(tensor_dequantize(info->type, in, count, y));
    canonical(y, count);
    base_sha256_of(y, count * sizeof *y, digest);
    base_hex(digest, 32, hex);
    if (strcmp(hex, want) != 0) fail_msg("%s: the floats of %d blocks differ", info->name, GOLDEN_BLOCKS);
    free(in);
    free(y);
}

static void check_block(const tensor_type_info *info, const char *bytes, const char *floats)
{
    uint8_t block[BLOCK_MAX];
    float y[BLOCK_MAX];
    assert_int_equal(strlen(bytes), 2 * info->block_bytes);
    assert_int_equal(strlen(floats), 8 * info->block);
    for (uint32_t i = 0; i < info->block_bytes; i++) {
        const char digits[3] = {bytes[2 * i], bytes[2 * i + 1], 0};
        block[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    assert_true(tensor_dequantize(info->type, block, info->block, y));
    for (uint32_t i = 0; i < info->block; i++) {
        char digits[9] = {0};
        uint32_t bits;
        memcpy(digits, floats + 8 * i, 8);
        memcpy(&bits, y + i, 4);
        if (bits != (uint32_t)strtoul(digits, NULL, 16))
            fail_msg("%s: element %u is %08x, not %s", info->name, i, bits, digits);
    }
}

static const tensor_type_info *type_named(const char *name)
{
    for (size_t i = 0; i < TYPES; i++)
        if (strcmp(tensor_type_find(types[i])->name, name) == 0) return tensor_type_find(types[i]);
    return NULL;
}

static void as_another_engine(void **state)
{
    static char line[4096], path[1024];
    size_t seen = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/tests/golden/blocks.txt", getenv("WISP_SOURCE") ? getenv("WISP_SOURCE") : ".");
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s cannot be read", path);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        const char *name = strtok(line, " \n"), *digest = strtok(NULL, " \n"), *bytes = strtok(NULL, " \n"),
                   *floats = strtok(NULL, " \n");
        assert_true(name && digest && bytes && floats);
        const tensor_type_info *info = type_named(name);
        if (!info) fail_msg("%s is no type", name);
        check_digest(info, digest);
        check_block(info, bytes, floats);
        seen++;
    }
    fclose(file);
    assert_int_equal(seen, TYPES);
}

/* Blocks at the end of their memory, so that a sanitizer sees every byte too many. */
static void any_bytes_are_a_block(void **state)
{
    static const uint8_t fill[] = {0, 0xff, 0x80, 0x7f, 0x7c};
    float y[BLOCK_MAX];
    (void)state;
    for (size_t t = 0; t < TYPES; t++)
        for (size_t i = 0; i < sizeof fill; i++) {
            const tensor_type_info *info = tensor_type_find(types[t]);
            uint8_t *block = malloc(info->block_bytes);
            assert_non_null(block);
            memset(block, fill[i], info->block_bytes);
            assert_true(tensor_dequantize(types[t], block, info->block, y));
            free(block);
        }
    assert_false(tensor_dequantize(WISP_F32, fill, 1, y));
    assert_false(tensor_dequantize(12345, fill, 1, y));
}

static void halves(void **state)
{
    (void)state;
    assert_true(tensor_half_to_float(0x3c00) == 1 && tensor_half_to_float(0x8001) == -0x1p-24f);
    assert_true(tensor_half_to_float(0x7bff) == 65504 && tensor_half_to_float(0xfc00) == -INFINITY);
    assert_true(isnan(tensor_half_to_float(0x7c01)) && isnan(tensor_half_to_float(0xffff)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(as_another_engine),
        cmocka_unit_test(any_bytes_are_a_block),
        cmocka_unit_test(halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
