/* Safetensors: what is read, and every way in which a header, an index or a quantized matrix can lie. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "compile/hf_matrix.h"

static base_buffer make_file(const char *header, const void *data, size_t size)
{
    base_buffer b = {0};
    base_put_u64(&b, strlen(header));
    base_put_text(&b, header);
    base_put(&b, data, size);
    return b;
}

/* Opens a copy of exactly that size; the tensors point into *copy. */
static wisp_status open_copy(safetensors *s, uint8_t **copy, const base_buffer *file, wisp_report *report)
{
    *copy = malloc(file->size ? file->size : 1);
    assert_non_null(*copy);
    memcpy(*copy, file->data, file->size);
    *report = (wisp_report){0};
    return safetensors_open(s, (base_span){*copy, file->size}, report);
}

static wisp_status try_header(const char *header, size_t data_size, wisp_report *report)
{
    safetensors s;
    uint8_t *copy, zeros[256] = {0};
    base_buffer file = make_file(header, zeros, data_size);
    wisp_status status = open_copy(&s, &copy, &file, report);
    if (status == WISP_OK)
        safetensors_close(&s);
    else
        assert_true(s.count == 0 && !s.tensors && *report->text);
    free(copy);
    base_buffer_fini(&file);
    return status;
}

/* ---- reading ---- */

static void test_types(void **state)
{
    (void)state;
    static const uint8_t data[] = {
        0,    0,    0xc0, 0x3f, 0,    0,    0x80, 0xbf, /* F32 1.5 -1 */
        0xc0, 0x3f, 0x80, 0xbf,                         /* BF16 */
        0,    0x3e, 0,    0xbc,                         /* F16 */
        0x3c, 0xb8, 0x7e, 0x01, 0x08, 0x7f,             /* E4M3: 1.5 -1 448 2^-9 2^-6 NaN */
        0x3e, 0xbc, 0x7b, 0x01,                         /* E5M2: 1.5 -1 57344 2^-16 */
        7,    0,    0,    0,                            /* I32 */
    };
    base_buffer file = make_file("{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"f32\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                                 "\"bf\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[8,12]},"
                                 "\"half\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[12,16]},"
                                 "\"e4\":{\"dtype\":\"F8_E4M3\",\"shape\":[6],\"data_offsets\":[16,22]},"
                                 "\"e5\":{\"dtype\":\"F8_E5M2\",\"shape\":[4],\"data_offsets\":[22,26]},"
                                 "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[26,26]},"
                                 "\"i\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[26,30]}}   ",
                                 data, sizeof data);
    safetensors s;
    uint8_t *copy;
    wisp_report report;
    float v[6];
    if (open_copy(&s, &copy, &file, &report) != WISP_OK) fail_msg("%s", report.text);
    assert_int_equal(s.count, 7);
    for (int i = 0; i < 3; i++) {
        assert_true(safetensors_floats(safetensors_find(&s, (const char *[]){"f32", "bf", "half"}[i]), 0, 2, v));
        assert_true(v[0] == 1.5f && v[1] == -1);
    }
    assert_true(safetensors_floats(safetensors_find(&s, "f32"), 1, 1, v) && v[0] == -1);
    assert_true(safetensors_floats(safetensors_find(&s, "e4"), 0, 6, v));
    assert_true(v[0] == 1.5f && v[1] == -1 && v[2] == 448 && v[3] == 0x1p-9f && v[4] == 0x1p-6f && isnan(v[5]));
    assert_true(safetensors_floats(safetensors_find(&s, "e5"), 0, 4, v));
    assert_true(v[0] == 1.5f && v[1] == -1 && v[2] == 57344 && v[3] == 0x1p-16f);
    assert_false(safetensors_floats(safetensors_find(&s, "i"), 0, 1, v));
    assert_int_equal(safetensors_find(&s, "none")->elements, 0);
    assert_null(safetensors_find(&s, "f"));
    safetensors_close(&s);
    free(copy);
    base_buffer_fini(&file);
}

/* ---- lies ---- */

static void test_lies(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "",
        "[]",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}",
        "{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387906],\"data_offsets\":[0,8]}}", /* 4x wraps to 8 */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551615],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,-60]}}", /* what an 18-exabyte tensor was made of
                                                                               */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", /* past the end by 4 */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[18446744073709551608,18446744073709551616]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[\"0\",\"8\"]}}",
        "{\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    };
    wisp_report report;
    const char *good = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    const char *overlap = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                          "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
    const char *twice = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}";
    assert_int_equal(try_header(good, 8, &report), WISP_OK);
    assert_int_equal(try_header("{}", 0, &report), WISP_OK);
    assert_int_not_equal(try_header(good, 9, &report), WISP_OK); /* bytes of no tensor */
    assert_int_not_equal(try_header("{}", 1, &report), WISP_OK);
    assert_int_not_equal(try_header(overlap, 12, &report), WISP_OK);
    assert_int_not_equal(try_header(twice, 16, &report), WISP_OK);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (try_header(headers[i], 8, &report) == WISP_OK) fail_msg("accepted: %s", headers[i]);
    /* nesting */
    char deep[4000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_int_not_equal(try_header(deep, 0, &report), WISP_OK);
}

/* The header's size, and the file cut at every byte. */
static void test_sizes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0,
                                     1,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     UINT64_C(1) << 32,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX - 7,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    static const uint8_t zeros[8];
    base_buffer file = make_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", zeros, 8);
    wisp_report report;
    safetensors s;
    uint8_t *copy;
    for (size_t size = 0; size < file.size; size++) {
        const base_buffer cut = {.data = file.data, .size = size};
        assert_int_not_equal(open_copy(&s, &copy, &cut, &report), WISP_OK);
        free(copy);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memcpy(file.data, &sizes[i], 8);
        assert_int_not_equal(open_copy(&s, &copy, &file, &report), WISP_OK);
        free(copy);
    }
    base_buffer_fini(&file);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const uint8_t zeros[8];
    base_buffer file = make_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", zeros, 8);
    wisp_status status = WISP_E_MEMORY;
    for (long n = 0; status != WISP_OK && n < 100; n++) {
        safetensors s;
        base_mem_fail_after(n);
        status = safetensors_open(&s, (base_span){file.data, file.size}, NULL);
        base_mem_fail_after(-1);
        if (status == WISP_OK)
            safetensors_close(&s);
        else
            assert_int_equal(status, WISP_E_MEMORY);
    }
    assert_int_equal(status, WISP_OK);
    base_buffer_fini(&file);
}

/* ---- folders ---- */

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static wisp_status open_index(const char *folder, const char *json, safetensors *s, wisp_report *report)
{
    write_file(folder, "model.safetensors.index.json", json, strlen(json));
    *report = (wisp_report){0};
    return safetensors_open_folder(s, folder, report);
}

static void test_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/safetensors_test.XXXXXX";
    assert_non_null(mkdtemp(folder));
    static const float a[] = {1, 2}, b[] = {3, 4};
    base_buffer first = make_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", a, 8);
    base_buffer second = make_file("{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", b, 8);
    safetensors s;
    wisp_report report = {0};
    assert_int_not_equal(safetensors_open_folder(&s, folder, &report), WISP_OK); /* nothing there */
    write_file(folder, "model.safetensors", first.data, first.size);
    report = (wisp_report){0};
    assert_int_equal(safetensors_open_folder(&s, folder, &report), WISP_OK);
    assert_int_equal(s.count, 1);
    safetensors_close(&s);
    write_file(folder, "one.safetensors", first.data, first.size);
    write_file(folder, "two.safetensors", second.data, second.size);
    assert_int_equal(open_index(folder,
                                "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"one."
                                "safetensors\"}}",
                                &s, &report),
                     WISP_OK);
    float v[2];
    assert_true(s.count == 2 && safetensors_floats(safetensors_find(&s, "b"), 0, 2, v) && v[1] == 4);
    safetensors_close(&s);
    static const char *const bad[] = {
        "{}",
        "{\"weight_map\":{}}",
        "{\"weight_map\":[\"one.safetensors\"]}",
        "{\"weight_map\":{\"a\":1}}",
        "{\"weight_map\":{\"a\":\"\"}}",
        "{\"weight_map\":{\"a\":\"../one.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
        "{\"weight_map\":{\"a\":\"..\"}}",
        "{\"weight_map\":{\"a\":\"missing.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"model.safetensors\"}}", /* a is in both */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (open_index(folder, bad[i], &s, &report) == WISP_OK) fail_msg("accepted: %s", bad[i]);
    static const char *const names[] = {"model.safetensors", "one.safetensors", "two.safetensors",
                                        "model.safetensors.index.json"};
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
    base_buffer_fini(&first);
    base_buffer_fini(&second);
}

/* ---- quantized matrices ---- */

enum { ROWS = 8, COLS = 16 };

typedef struct parts {
    base_buffer header, data;
} parts;

static void add_part(parts *p, const char *name, const char *type, uint64_t rows, uint64_t cols, const void *data,
                     size_t size)
{
    base_putf(&p->header, "%s\"m.%s\":{\"dtype\":\"%s\",\"shape\":[%llu,%llu],\"data_offsets\":[%zu,%zu]}",
              p->header.size ? "," : "{", name, type, (unsigned long long)rows, (unsigned long long)cols, p->data.size,
              p->data.size + size);
    base_put(&p->data, data, size);
}

/* Opens the parts, and compares all of the matrix with w. */
static wisp_status check_matrix(parts *p, const hf_quantization *q, const float (*w)[COLS])
{
    safetensors s;
    hf_matrix m;
    wisp_report report = {0};
    base_put_text(&p->header, "}");
    base_put_u8(&p->header, 0);
    base_buffer file = make_file((char *)p->header.data, p->data.data, p->data.size);
    if (safetensors_open(&s, (base_span){file.data, file.size}, &report) != WISP_OK) fail_msg("%s", report.text);
    wisp_status status = hf_matrix_find(&m, &s, "m", q, &report);
    if (status == WISP_OK && w) {
        float row[COLS];
        assert_true(m.rows == ROWS && m.cols == COLS);
        for (uint64_t r = 0; r < ROWS; r++) {
            hf_matrix_row(&m, r, row);
            for (int c = 0; c < COLS; c++)
                if (row[c] != w[r][c]) fail_msg("[%d,%d] is %g, not %g", (int)r, c, (double)row[c], (double)w[r][c]);
        }
    }
    safetensors_close(&s);
    base_buffer_fini(&file);
    base_buffer_fini(&p->header);
    base_buffer_fini(&p->data);
    *p = (parts){0};
    return status;
}

/* q, scale and zero of element r, c in two groups of columns. */
static uint32_t q_of(int r, int c)
{
    return (uint32_t)(r * 7 + c * 3 + r * c) & 15;
}

static float scale_of(int r, int g)
{
    return 0.5f * (float)(r + 1) + (float)g;
}

static uint32_t zero_of(int r, int g)
{
    return (uint32_t)(r + 5 * g + 1) & 7;
}

static void test_mlx(void **state)
{
    (void)state;
    uint32_t words[ROWS][2] = {{0}};
    float scales[ROWS][2], biases[ROWS][2], w[ROWS][COLS];
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++) {
            words[r][c / 8] |= q_of(r, c) << c % 8 * 4;
            scales[r][c / 8] = scale_of(r, c / 8);
            biases[r][c / 8] = -(float)zero_of(r, c / 8);
            w[r][c] = (float)q_of(r, c) * scale_of(r, c / 8) - (float)zero_of(r, c / 8);
        }
    parts p = {0};
    hf_quantization q = {.kind = HF_MLX, .bits = 4, .group = 8};
    for (int wrong = 0; wrong < 3; wrong++) {
        add_part(&p, "weight", "U32", ROWS, 2, words, sizeof words);
        add_part(&p, "scales", "F32", ROWS, wrong == 1 ? 1 : 2, scales, wrong == 1 ? 4 * ROWS : sizeof scales);
        if (wrong != 2) add_part(&p, "biases", "F32", ROWS, 2, biases, sizeof biases);
        assert_int_equal(check_matrix(&p, &q, (const float(*)[COLS])w), wrong ? WISP_E_INPUT : WISP_OK);
    }
    static const hf_quantization bad[] = {{.kind = HF_MLX, .bits = 8, .group = 8},
                                          {.kind = HF_MLX, .bits = 0, .group = 8},
                                          {.kind = HF_MLX, .bits = 33, .group = 8},
                                          {.kind = HF_MLX, .bits = 4, .group = 5},
                                          {.kind = HF_PLAIN},
                                          {.kind = HF_AWQ, .bits = 4, .group = 8}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        add_part(&p, "weight", "U32", ROWS, 2, words, sizeof words);
        add_part(&p, "scales", "F32", ROWS, 2, scales, sizeof scales);
        add_part(&p, "biases", "F32", ROWS, 2, biases, sizeof biases);
        assert_int_equal(check_matrix(&p, &bad[i], NULL), WISP_E_INPUT);
    }
}

static void test_gptq(void **state)
{
    (void)state;
    uint32_t words[2][ROWS] = {{0}}, zeros[2] = {0};
    int32_t group_of[COLS];
    float scales[2][ROWS], w[2][ROWS][COLS];
    for (int c = 0; c < COLS; c++)
        group_of[c] = c % 2;
    for (int r = 0; r < ROWS; r++)
        for (int g = 0; g < 2; g++) {
            scales[g][r] = scale_of(r, g);
            zeros[g] |= zero_of(r, g) << r * 4;
        }
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++) {
            words[c / 8][r] |= q_of(r, c) << c % 8 * 4;
            w[0][r][c] = ((float)q_of(r, c) - (float)zero_of(r, c / 8) - 1) * scale_of(r, c / 8);
            w[1][r][c] = ((float)q_of(r, c) - (float)zero_of(r, c % 2)) * scale_of(r, c % 2);
        }
    for (int k = 0; k < 3; k++) { /* by position; by list, second version; a list that leads astray */
        parts p = {0};
        hf_quantization q = {.kind = HF_GPTQ, .bits = 4, .group = 8, .zero_is_stored = k > 0};
        add_part(&p, "qweight", "I32", 2, ROWS, words, sizeof words);
        add_part(&p, "qzeros", "I32", 2, 1, zeros, sizeof zeros);
        add_part(&p, "scales", "F32", 2, ROWS, scales, sizeof scales);
        if (k == 2) group_of[3] = 2;
        if (k) add_part(&p, "g_idx", "I32", 1, COLS, group_of, sizeof group_of);
        assert_int_equal(check_matrix(&p, &q, (const float(*)[COLS])w[k ? 1 : 0]), k == 2 ? WISP_E_INPUT : WISP_OK);
    }
}

static void test_awq(void **state)
{
    (void)state;
    static const int order[8] = {0, 2, 4, 6, 1, 3, 5, 7}; /* nibble i of a word is row order[i] */
    uint32_t words[COLS] = {0}, zeros[2] = {0};
    float scales[2][ROWS], w[ROWS][COLS];
    for (int i = 0; i < 8; i++) {
        for (int c = 0; c < COLS; c++)
            words[c] |= q_of(order[i], c) << 4 * i;
        for (int g = 0; g < 2; g++)
            zeros[g] |= zero_of(order[i], g) << 4 * i;
    }
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++) {
            scales[c / 8][r] = scale_of(r, c / 8);
            w[r][c] = ((float)q_of(r, c) - (float)zero_of(r, c / 8)) * scale_of(r, c / 8);
        }
    parts p = {0};
    hf_quantization q = {.kind = HF_AWQ, .bits = 4, .group = 8};
    add_part(&p, "qweight", "I32", COLS, 1, words, sizeof words);
    add_part(&p, "qzeros", "I32", 2, 1, zeros, sizeof zeros);
    add_part(&p, "scales", "F32", 2, ROWS, scales, sizeof scales);
    assert_int_equal(check_matrix(&p, &q, (const float(*)[COLS])w), WISP_OK);
}

static void test_fp8(void **state)
{
    (void)state;
    uint8_t bytes[ROWS][COLS];
    float scales[16], w[ROWS][COLS];
    for (int i = 0; i < 16; i++)
        scales[i] = (float)(i + 1);
    for (int k = 0; k < 4; k++) { /* blocks of 4, a row, one, none */
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLS; c++) {
                bytes[r][c] = (uint8_t)(0x38 + (r + c) % 8); /* 1 + n/8 */
                const int at = k == 0 ? r / 4 * 4 + c / 4 : k == 1 ? r : 0;
                w[r][c] = (1 + (float)((r + c) % 8) / 8) * (k == 3 ? 1 : scales[at]);
            }
        parts p = {0};
        hf_quantization q = {.kind = HF_PLAIN, .block = 4};
        add_part(&p, "weight", "F8_E4M3", ROWS, COLS, bytes, sizeof bytes);
        if (k == 0) add_part(&p, "weight_scale_inv", "F32", 2, 4, scales, 32);
        if (k == 1) add_part(&p, "weight_scale", "F32", ROWS, 1, scales, 4 * ROWS);
        if (k == 2) add_part(&p, "weight_scale", "F32", 1, 1, scales, 4);
        assert_int_equal(check_matrix(&p, &q, (const float(*)[COLS])w), WISP_OK);
    }
    parts p = {0};
    hf_quantization q = {.kind = HF_PLAIN, .block = 4};
    add_part(&p, "weight", "F8_E4M3", ROWS, COLS, bytes, sizeof bytes);
    add_part(&p, "weight_scale", "F32", 3, 1, scales, 12);
    assert_int_equal(check_matrix(&p, &q, NULL), WISP_E_INPUT);
    add_part(&p, "other", "F32", 3, 1, scales, 12);
    assert_int_equal(check_matrix(&p, &q, NULL), WISP_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),         cmocka_unit_test(test_lies),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_folder), cmocka_unit_test(test_mlx),
        cmocka_unit_test(test_gptq),          cmocka_unit_test(test_awq),    cmocka_unit_test(test_fp8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
