/* base and os: the reader of untrusted bytes, JSON, SHA-256, allocation, output files, the thread pool. */
/* what cmocka.h needs comes first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/model.h"
#include "base/sha256.h"
#include "base/sha256_blocks.h"
#include "os/os.h"
#include "os/pool.h"

static void reader_stops_at_the_end(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    base_reader r = base_reader_of(bytes, sizeof bytes);
    assert_int_equal(base_read_u32(&r), 0x04030201);
    assert_int_equal(base_read_u16(&r), 0);
    assert_true(r.failed);
    assert_int_equal(base_offset(&r), 4);
    assert_int_equal(base_read_u8(&r), 0); /* once failed, always failed */
    r = base_reader_of(bytes, sizeof bytes);
    assert_null(base_read_span(&r, UINT64_MAX).data);
    r = base_reader_of(bytes, sizeof bytes);
    assert_false(base_can_hold(&r, UINT64_MAX / 2, 4));
    assert_false(base_can_hold(&r, 2, 3));
    assert_true(base_can_hold(&r, 1, 5));
}

static void leb128_limits(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t size;
        bool ok_u32, ok_s32, ok_s64;
        uint32_t u32;
        int32_t s32;
    } cases[] = {
        {{0x00}, 1, true, true, true, 0, 0},
        {{0x7f}, 1, true, true, true, 127, -1},
        {{0xff, 0xff, 0xff, 0xff, 0x0f}, 5, true, false, true, UINT32_MAX, 0},
        {{0xff, 0xff, 0xff, 0xff, 0x07}, 5, true, true, true, 0x7fffffff, 0x7fffffff},
        {{0x80, 0x80, 0x80, 0x80, 0x78}, 5, false, true, true, 0, INT32_MIN},
        {{0x80, 0x80, 0x80, 0x80, 0x70}, 5, false, false, true, 0, 0},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 6, false, false, true, 0, 0},
        {{0x80}, 1, false, false, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        base_reader r = base_reader_of(cases[i].bytes, cases[i].size);
        uint32_t u = base_read_leb_u32(&r);
        assert_int_equal(!r.failed, cases[i].ok_u32);
        if (cases[i].ok_u32) assert_int_equal(u, cases[i].u32);
        r = base_reader_of(cases[i].bytes, cases[i].size);
        int32_t s = base_read_leb_s32(&r);
        assert_int_equal(!r.failed, cases[i].ok_s32);
        if (cases[i].ok_s32) assert_int_equal(s, cases[i].s32);
        r = base_reader_of(cases[i].bytes, cases[i].size);
        base_read_leb_s64(&r);
        assert_int_equal(!r.failed, cases[i].ok_s64);
    }
    for (unsigned bit = 0; bit < 64; bit++) { /* round trips */
        base_buffer b = {0};
        uint64_t v = (uint64_t)1 << bit | bit;
        base_put_leb_u64(&b, v);
        base_reader r = base_reader_of(b.data, b.size);
        assert_true(base_read_leb_u64(&r) == v && !r.failed);
        base_buffer_fini(&b);
    }
}

static void utf8_is_strict(void **state)
{
    (void)state;
    assert_true(base_utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
    static const char *const bad[] = {
        "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(base_utf8_valid(bad[i], strlen(bad[i])));
    for (uint32_t c = 0; c <= 0x10ffff; c += 97) {
        uint8_t bytes[4];
        uint32_t back;
        if (c >= 0xd800 && c < 0xe000) continue;
        size_t n = base_utf8_encode(c, bytes);
        assert_int_equal(base_utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, c);
    }
}

static void json_reads_what_it_should(void **state)
{
    (void)state;
    const char text[] =
        " {\"a\":[1,-2.5e3,true,null],\"t\":\"x\\n\\u00e9\\ud83d\\ude00\",\"big\":18446744073709551615} ";
    base_json_doc *doc;
    const base_json *root;
    wisp_report report = {0};
    assert_int_equal(base_json_parse(&doc, &root, text, strlen(text), &report), WISP_OK);
    uint64_t u;
    int64_t i;
    double d;
    assert_true(base_json_uint(base_json_get(root, "big"), &u) && u == UINT64_MAX);
    assert_false(base_json_int(base_json_get(root, "big"), &i));
    assert_true(base_json_double(base_json_at(base_json_get(root, "a"), 1), &d) && d == -2500);
    assert_string_equal(base_json_str(base_json_get(root, "t")), "x\n\xc3\xa9\xf0\x9f\x98\x80");
    assert_null(base_json_get(base_json_get(root, "nothing"), "x"));
    assert_null(base_json_at(base_json_get(root, "a"), 4));
    base_json_free(doc);
}

static void json_refuses_what_it_should(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "{",   "[1,]",    "{\"a\":1,}",  "{\"a\":1,\"a\":2}", "01",       "1.",       ".5",     "+1",
        "1e",       "nul", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"",       "\"a\nb\"", "\"\xff\"", "[1] 2",  "NaN",
        "Infinity", "'a'", "{a:1}",   "\"abc",       "\"abc\\",           "[[[",      "-",        "\"\\u12"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        base_json_doc *doc;
        const base_json *root;
        wisp_report report = {0};
        assert_int_not_equal(base_json_parse(&doc, &root, bad[i], strlen(bad[i]), &report), WISP_OK);
        assert_int_equal(report.status, WISP_E_INPUT);
    }
    char deep[400];
    memset(deep, '[', sizeof deep);
    base_json_doc *doc;
    const base_json *root;
    assert_int_equal(base_json_parse(&doc, &root, deep, sizeof deep, NULL), WISP_E_INPUT);
}

static void json_survives_failing_allocation(void **state)
{
    (void)state;
    const char text[] = "{\"a\":[\"b\",1,{\"c\":\"d\"}]}";
    for (long n = 0; n < 4; n++) {
        base_json_doc *doc;
        const base_json *root;
        base_mem_fail_after(n);
        wisp_status status = base_json_parse(&doc, &root, text, strlen(text), NULL);
        base_mem_fail_after(-1);
        if (status == WISP_OK) base_json_free(doc);
        assert_true(status == WISP_OK || status == WISP_E_MEMORY);
    }
}

static void json_quotes(void **state)
{
    (void)state;
    base_buffer b = {0};
    base_json_put_string(&b, "a\"\\\n\x01\xff\xc3\xa9", 8);
    base_put_u8(&b, 0);
    assert_string_equal((char *)b.data, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"");
    base_buffer_fini(&b);
}

static void sha256_known_answers(void **state)
{
    (void)state;
    uint8_t digest[32];
    char hex[65];
    base_sha256_of("", 0, digest);
    base_hex(digest, 32, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    base_sha256 h;
    base_sha256_init(&h);
    for (size_t done = 0, n = 1; done < 1000000; done += n, n = n * 7 % 4093 + 1) {
        if (n > 1000000 - done) n = 1000000 - done;
        base_sha256_update(&h, million + done, n);
    }
    base_sha256_final(&h, digest);
    base_hex(digest, 32, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    uint32_t fast[8] = {1, 2, 3, 4, 5, 6, 7, 8}, slow[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    base_sha256_blocks(fast, (uint8_t *)million, 100);
    base_sha256_blocks_portable(slow, (uint8_t *)million, 100);
    assert_memory_equal(fast, slow, sizeof fast);
    free(million);
}

static void budgets_hold(void **state)
{
    (void)state;
    base_budget b = {.limit = 100};
    assert_true(base_charge(&b, 60));
    assert_false(base_charge(&b, 41));
    assert_false(base_charge(&b, UINT64_MAX));
    assert_true(base_charge(&b, 40));
    base_discharge(&b, 100);
    assert_int_equal(b.used, 0);
    assert_null(base_realloc_array(NULL, SIZE_MAX / 2, 3));
}

static void reports_keep_the_first_error(void **state)
{
    (void)state;
    wisp_report report = {0};
    assert_int_equal(base_fail(&report, WISP_E_INPUT, "first\x1b[31m %d", 1), WISP_E_INPUT);
    assert_int_equal(base_fail(&report, WISP_E_IO, "second"), WISP_E_IO);
    assert_string_equal(report.text, "first?[31m 1"); /* no control bytes reach a terminal */
    base_fail_prefix(&report, WISP_E_INPUT, "file.gguf");
    assert_string_equal(report.text, "file.gguf: first?[31m 1");
}

static void model_head_round_trip_and_damage(void **state)
{
    (void)state;
    base_buffer b = {0};
    base_span sections[MODEL_SECTIONS_MAX] = {{0}};
    sections[MODEL_SECTION_PROGRAM] = (base_span){(const uint8_t *)"program", 7};
    sections[MODEL_SECTION_INFO] = (base_span){(const uint8_t *)"{}", 2};
    base_model_write(&b, sections, 123);
    assert_int_equal(b.size % MODEL_ALIGN, 0);
    base_model_head head;
    uint64_t size;
    assert_int_equal(base_model_head_size(b.data, b.size + 123, &size, NULL), WISP_OK);
    assert_int_equal(size, b.size);
    assert_int_equal(base_model_head_size(b.data, b.size + 122, &size, NULL), WISP_E_TRUNCATED);
    assert_int_equal(base_model_read(&head, (base_span){b.data, b.size}, NULL), WISP_OK);
    assert_int_equal(head.section[MODEL_SECTION_PROGRAM].size, 7);
    assert_memory_equal(head.section[MODEL_SECTION_PROGRAM].data, "program", 7);
    assert_int_equal(head.weights_bytes, 123);
    for (size_t at = 0; at < 80; at++) /* damage is refused or stays inside */
        for (int bit = 0; bit < 8; bit++) {
            b.data[at] ^= (uint8_t)(1 << bit);
            if (base_model_read(&head, (base_span){b.data, b.size}, NULL) == WISP_OK)
                for (int k = 0; k < MODEL_SECTIONS_MAX; k++)
                    if (head.section[k].data)
                        assert_true(head.section[k].data >= b.data &&
                                    head.section[k].size <= b.size - (size_t)(head.section[k].data - b.data));
            b.data[at] ^= (uint8_t)(1 << bit);
        }
    base_buffer_fini(&b);
}

static void outputs_appear_whole_or_not_at_all(void **state)
{
    (void)state;
    char folder[] = "/tmp/wisp-test-XXXXXX", path[64], byte = 'x';
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    os_output *out;
    os_file_info info;
    char *large = calloc(1, 3000000);
    assert_int_equal(os_output_open(&out, path, NULL), WISP_OK);
    assert_int_equal(os_output_write(out, large, 3000000, NULL), WISP_OK);
    assert_int_equal(os_output_write(out, "tail", 4, NULL), WISP_OK);
    assert_false(os_stat(path, &info));
    assert_int_equal(os_output_write_at(out, 7, &byte, 1, NULL), WISP_OK);
    assert_int_equal(os_output_write(out, "!", 1, NULL), WISP_OK);
    assert_int_equal(os_output_commit(out, NULL), WISP_OK);
    os_map map;
    assert_int_equal(os_map_file(&map, path, NULL), WISP_OK);
    assert_int_equal(map.size, 3000005);
    assert_int_equal(map.data[7], 'x');
    assert_memory_equal(map.data + 3000000, "tail!", 5);
    os_unmap(&map);
    unlink(path);
    assert_int_equal(os_output_open(&out, path, NULL), WISP_OK);
    os_output_abort(out);
    assert_int_equal(os_output_open(&out, path, NULL), WISP_OK);
    os_output_abort_all(); /* as a signal handler would */
    assert_int_not_equal(os_output_commit(out, NULL), WISP_OK);
    assert_int_equal(rmdir(folder), 0); /* so nothing was left in it */
    free(large);
}

typedef struct counts {
    uint32_t entered[16], phase_sum;
    os_pool *pool;
    bool in_step;
} counts;

static void count_phases(void *arg, unsigned index)
{
    counts *c = arg;
    for (uint32_t phase = 1; phase <= 100; phase++) {
        __atomic_fetch_add(&c->phase_sum, 1, __ATOMIC_RELAXED);
        os_pool_barrier(c->pool);
        if (__atomic_load_n(&c->phase_sum, __ATOMIC_RELAXED) != phase * os_pool_threads(c->pool)) c->in_step = false;
        os_pool_barrier(c->pool);
    }
    c->entered[index]++;
}

static void pool_runs_in_step(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads++) {
        counts c = {.in_step = true};
        assert_int_equal(os_pool_new(&c.pool, threads, NULL), WISP_OK);
        for (uint32_t run = 1; run <= 20; run++) {
            c.phase_sum = 0;
            os_pool_run(c.pool, count_phases, &c);
            for (unsigned i = 0; i < threads; i++)
                assert_int_equal(c.entered[i], run);
        }
        assert_true(c.in_step);
        os_pool_free(c.pool);
    }
    os_pool *pool;
    wisp_report report = {0};
    os_thread_fail_after(2);
    assert_int_equal(os_pool_new(&pool, 5, &report), WISP_E_LIMIT);
    os_thread_fail_after(-1);
    assert_int_equal(os_pool_new(&pool, 1000, NULL), WISP_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_stops_at_the_end),
        cmocka_unit_test(leb128_limits),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(json_reads_what_it_should),
        cmocka_unit_test(json_refuses_what_it_should),
        cmocka_unit_test(json_survives_failing_allocation),
        cmocka_unit_test(json_quotes),
        cmocka_unit_test(sha256_known_answers),
        cmocka_unit_test(budgets_hold),
        cmocka_unit_test(reports_keep_the_first_error),
        cmocka_unit_test(model_head_round_trip_and_damage),
        cmocka_unit_test(outputs_appear_whole_or_not_at_all),
        cmocka_unit_test(pool_runs_in_step),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
