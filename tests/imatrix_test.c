/* Importance matrices: both file formats there and back, and every way in which such a file can lie. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "compile/gguf_write.h"
#include "compile/imatrix.h"

/* In memory of exactly that size, so that the sanitizer sees every byte read past the end. */
static wisp_status read_exact(imatrix *m, const void *data, size_t size, wisp_report *report)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    wisp_status status = imatrix_read(m, (base_span){copy, size}, report);
    free(copy);
    return status;
}

/* Two matrices, one of three experts of which the last one saw nothing. */
static base_buffer write_example(void)
{
    static const double a[] = {1, 2, 3, 4}, b[] = {8, 0, 6, 9, 5, 5};
    static const uint64_t one[] = {2}, three[] = {4, 3, 0};
    const imatrix_sums sums[] = {{"blk.1.ffn_up_exps.weight", 2, 3, b, three}, {"blk.0.attn_q.weight", 4, 1, a, one}};
    base_buffer out = {0};
    wisp_report report = {0};
    assert_int_equal(imatrix_write(&out, sums, 2, "text.txt", 7, 512, &report), WISP_OK);
    return out;
}

static void check_example(const imatrix *m)
{
    static const float a[] = {0.5f, 1, 1.5f, 2}, b[] = {2, 0, 2, 3, 1, 1};
    const imatrix_entry *q = imatrix_find(m, "blk.0.attn_q.weight"), *up = imatrix_find(m, "blk.1.ffn_up_exps.weight");
    assert_true(m->count == 2 && q && up && !imatrix_find(m, "blk.0.attn_k.weight"));
    assert_int_equal(q->columns, 4);
    assert_int_equal(up->columns, 6);
    assert_memory_equal(q->mean, a, sizeof a);
    assert_memory_equal(up->mean, b, sizeof b);
}

static void test_there_and_back(void **state)
{
    (void)state;
    imatrix m;
    wisp_report report = {0};
    base_buffer file = write_example();
    assert_int_equal(read_exact(&m, file.data, file.size, &report), WISP_OK);
    check_example(&m);
    imatrix_fini(&m);
    base_buffer_fini(&file);
}

static void put_old_entry(base_buffer *b, const char *name, uint32_t calls, const float *values, uint32_t count)
{
    base_put_u32(b, (uint32_t)strlen(name));
    base_put_text(b, name);
    base_put_u32(b, calls);
    base_put_u32(b, count);
    for (uint32_t i = 0; i < count; i++)
        base_put_f32(b, values[i]);
}

static base_buffer old_example(void)
{
    static const float a[] = {1, 2, 3, 4}, b[] = {6, 0, 6, 9, 3, 3};
    base_buffer file = {0};
    base_put_u32(&file, 2);
    put_old_entry(&file, "blk.1.ffn_up_exps.weight", 3, b, 6);
    put_old_entry(&file, "blk.0.attn_q.weight", 2, a, 4);
    base_put_u32(&file, 7);
    base_put_u32(&file, 8);
    base_put_text(&file, "text.txt");
    return file;
}

static void test_old(void **state)
{
    (void)state;
    imatrix m;
    wisp_report report = {0};
    base_buffer file = old_example();
    assert_int_equal(read_exact(&m, file.data, file.size, &report), WISP_OK);
    check_example(&m);
    imatrix_fini(&m);
    base_buffer_fini(&file);
}

/* Any start of a file is refused, but of the old one that without what follows the entries. */
static void test_truncated(void **state)
{
    (void)state;
    base_buffer files[] = {write_example(), old_example()};
    for (int k = 0; k < 2; k++) {
        for (size_t size = 0; size < files[k].size; size++) {
            imatrix m;
            wisp_report report = {0};
            wisp_status status = read_exact(&m, files[k].data, size, &report);
            const bool whole = k ? size >= files[k].size - 16 : size >= files[k].size - 20; /* padding */
            if ((status == WISP_OK) != whole)
                fail_msg("file %d cut at %zu of %zu: %s", k, size, files[k].size, report.text);
            if (status == WISP_OK)
                imatrix_fini(&m);
            else
                assert_true(m.count == 0 && !m.entries && *report.text);
        }
        base_buffer_fini(&files[k]);
    }
}

/* Every count, length and value of the old file. */
static void test_old_lies(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x40000000, 65537};
    base_buffer file = old_example();
    const size_t name = strlen("blk.1.ffn_up_exps.weight");
    const size_t fields[] = {0, 4, 8 + name, 12 + name};
    for (size_t f = 0; f < 4; f++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            imatrix m;
            wisp_report report = {0};
            uint8_t old[4];
            memcpy(old, file.data + fields[f], 4);
            memcpy(file.data + fields[f], &values[v], 4);
            wisp_status status = read_exact(&m, file.data, file.size, &report);
            /* one entry of two is a file; calls may be any number from 0 on */
            const bool good = (f == 0 && values[v] == 1) || (f == 2 && values[v] <= INT32_MAX);
            if ((status == WISP_OK) != good) fail_msg("field %zu = %u: %s", f, values[v], report.text);
            if (status == WISP_OK) imatrix_fini(&m);
            memcpy(file.data + fields[f], old, 4);
        }
    static const float bad[] = {NAN, INFINITY, -INFINITY, -1e-30f};
    for (size_t i = 0; i < 4; i++) {
        imatrix m;
        wisp_report report = {0};
        memcpy(file.data + 16 + name + 4, &bad[i], 4);
        assert_int_equal(read_exact(&m, file.data, file.size, &report), WISP_E_INPUT);
        assert_non_null(strstr(report.text, "column 1"));
    }
    base_buffer_fini(&file);
    put_old_entry(&file, "", 0, NULL, 0); /* a name twice */
    file.size = 0;
    base_put_u32(&file, 2);
    put_old_entry(&file, "a", 1, &(float){1}, 1);
    put_old_entry(&file, "a", 1, &(float){2}, 1);
    imatrix m;
    wisp_report report = {0};
    assert_int_equal(read_exact(&m, file.data, file.size, &report), WISP_E_INPUT);
    assert_non_null(strstr(report.text, "twice"));
    base_buffer_fini(&file);
}

/* A GGUF of one matrix whose parts do not go together. */
static wisp_status read_pair(uint32_t sums_type, const uint64_t sums_shape[2], const char *counts_name,
                             uint32_t counts_type, const uint64_t counts_shape[2], float value, wisp_report *report)
{
    gguf_head h;
    base_buffer file = {0};
    imatrix m;
    gguf_head_init(&h, 32);
    assert_true(gguf_put_tensor(&h, (base_span){(const uint8_t *)"a.in_sum2", 9}, sums_type, 2, sums_shape));
    if (counts_name)
        assert_true(gguf_put_tensor(&h, (base_span){(const uint8_t *)counts_name, strlen(counts_name)}, counts_type, 2,
                                    counts_shape));
    gguf_head_write(&h, &file);
    for (uint64_t i = 0; i < h.data_bytes / 4; i++)
        base_put_f32(&file, value);
    gguf_head_fini(&h);
    *report = (wisp_report){0};
    wisp_status status = read_exact(&m, file.data, file.size, report);
    if (status == WISP_OK) imatrix_fini(&m);
    base_buffer_fini(&file);
    return status;
}

static void test_gguf_lies(void **state)
{
    (void)state;
    static const uint64_t four[] = {4, 1}, four_of_two[] = {4, 2}, one[] = {1, 1}, two[] = {1, 2}, wide[] = {64, 1};
    wisp_report report;
    assert_int_equal(read_pair(0, four, "a.counts", 0, one, 1, &report), WISP_OK);
    assert_int_equal(read_pair(0, four_of_two, "a.counts", 0, two, 1, &report), WISP_OK);
    assert_int_equal(read_pair(0, four, NULL, 0, one, 1, &report), WISP_E_INPUT);
    assert_non_null(strstr(report.text, "a.counts"));
    assert_int_equal(read_pair(0, four, "b.counts", 0, one, 1, &report), WISP_E_INPUT);
    assert_int_equal(read_pair(0, four, "a.counts", 0, two, 1, &report), WISP_E_INPUT);
    assert_int_equal(read_pair(0, four_of_two, "a.counts", 0, one, 1, &report), WISP_E_INPUT);
    assert_int_equal(read_pair(0, four, "a.counts", 26, one, 1, &report), WISP_E_INPUT); /* I32 read as floats */
    assert_int_equal(read_pair(1, four, "a.counts", 0, one, 1, &report), WISP_E_INPUT);
    assert_int_equal(read_pair(8, wide, "a.counts", 0, one, 1, &report), WISP_E_INPUT);
    assert_int_equal(read_pair(0, four, "a.counts", 0, one, NAN, &report), WISP_OK); /* a count of NaN is none */
    assert_int_equal(read_pair(0, four, "a.counts", 0, one, INFINITY, &report), WISP_E_INPUT);
    /* a model is no importance matrix */
    gguf_head h;
    base_buffer file = {0};
    imatrix m;
    gguf_head_init(&h, 32);
    gguf_put_string(&h, "general.architecture", "llama", 5);
    gguf_head_write(&h, &file);
    assert_int_equal(read_exact(&m, file.data, file.size, &report), WISP_E_INPUT);
    gguf_head_fini(&h);
    base_buffer_fini(&file);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    base_buffer files[] = {write_example(), old_example()};
    for (int k = 0; k < 2; k++) {
        wisp_status status = WISP_E_MEMORY;
        for (long n = 0; status != WISP_OK && n < 100; n++) {
            imatrix m;
            base_mem_fail_after(n);
            status = imatrix_read(&m, (base_span){files[k].data, files[k].size}, NULL);
            base_mem_fail_after(-1);
            if (status == WISP_OK)
                imatrix_fini(&m);
            else
                assert_int_equal(status, WISP_E_MEMORY);
        }
        assert_int_equal(status, WISP_OK);
        base_buffer_fini(&files[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_old),       cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_old_lies),       cmocka_unit_test(test_gguf_lies), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
