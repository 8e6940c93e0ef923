/* The linker of native code: objects joined and run, for both targets; everything that an image cannot have refused by
 * name; damaged objects refused or harmless. link_test X86_64_0 X86_64_1 X86_64_WRONG AARCH64_0 AARCH64_1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "wasm/native/link.h"
#include "wasm/native_load.h"

static char **paths;

static base_span load(const char *path)
{
    os_map map;
    assert_int_equal(os_map_file(&map, path, NULL), WISP_OK);
    return (base_span){map.data, map.size};
}

static wisp_status link_two(base_buffer *image, base_span a, base_span b, uint32_t target, wisp_report *report)
{
    const base_span objects[2] = {a, b};
    wasm_link_input in = {.objects = objects,
                          .object_count = 2,
                          .target = target,
                          .first_func = 3,
                          .func_count = 4,
                          .type_count = 3,
                          .module = {1, 2, 3}};
    *report = (wisp_report){0};
    return wasm_link(image, &in, report);
}

static wasm_native_code link_good(base_buffer *image, int first, uint32_t target)
{
    wisp_report report;
    wasm_native_code code;
    wisp_status status = link_two(image, load(paths[first]), load(paths[first + 1]), target, &report);
    if (status != WISP_OK) fail_msg("%s", report.text);
    status = wasm_native_read(&code, (base_span){image->data, image->size}, &report);
    if (status != WISP_OK) fail_msg("%s", report.text);
    return code;
}

static void check_header(const wasm_native_code *code, uint32_t target)
{
    assert_int_equal(code->header.target, target);
    assert_int_equal(code->header.abi, wasm_native_abi());
    assert_int_equal(code->header.func_count, 4);
    assert_int_equal(code->header.type_count, 3);
    assert_int_equal(code->header.module[2], 3);
    assert_int_equal(code->entry_offsets[0], WASM_NATIVE_NO_ENTRY);
    assert_true(code->entry_offsets[1] >= code->header.text_offset);
    assert_int_equal(code->entry_offsets[2], WASM_NATIVE_NO_ENTRY);
    for (int i = 0; i < 4; i++)
        assert_true(code->func_offsets[i] < code->func_offsets[i + 1]);
    assert_true(code->header.rodata_size > 0);
}

static void images_of_both_targets(void **state)
{
    (void)state;
    base_buffer x86 = {0}, arm = {0};
    wasm_native_code code = link_good(&x86, 0, WASM_TARGET_X86_64_V2);
    check_header(&code, WASM_TARGET_X86_64_V2);
    code = link_good(&arm, 3, WASM_TARGET_AARCH64);
    check_header(&code, WASM_TARGET_AARCH64);
    base_buffer_fini(&x86);
    base_buffer_fini(&arm);
}

/* In which order the objects come does not matter here: text follows the functions. */
static void order_of_objects(void **state)
{
    (void)state;
    base_buffer image = {0}, again = {0};
    wisp_report report;
    link_good(&image, 0, WASM_TARGET_X86_64_V2);
    assert_int_equal(link_two(&again, load(paths[0]), load(paths[1]), WASM_TARGET_X86_64_V2, &report), WISP_OK);
    assert_int_equal(image.size, again.size);
    assert_memory_equal(image.data, again.data, image.size);
    base_buffer_fini(&again);
    again = (base_buffer){0};
    assert_int_equal(link_two(&again, load(paths[1]), load(paths[0]), WASM_TARGET_X86_64_V2, &report), WISP_OK);
    wasm_native_code code;
    assert_int_equal(wasm_native_read(&code, (base_span){again.data, again.size}, &report), WISP_OK);
    check_header(&code, WASM_TARGET_X86_64_V2);
    base_buffer_fini(&image);
    base_buffer_fini(&again);
}

/* What the functions must give, written down once more. */
static long expected(long x)
{
    static const long primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
    long all = 0, four = 7 + 11 + 13 + 17;
    for (int i = 0; i < 16; i++)
        all += primes[i];
#define F5(v) (((v)&7) * ((v)&7) + 100)
#define F3(v) (all + F5(v) + 2 * ((v)&3) + 1)
    const long results[] = {F5(1), F3(7), F5(2) * 3, 1 - F3(3), 4 ^ 0x1234, four + F3(2)};
    return x >= 0 && x <= 5 ? results[x] : -1;
}

static void runs(void **state)
{
    (void)state;
    base_buffer image = {0};
    uint32_t target = wasm_native_runs(WASM_TARGET_AARCH64) ? WASM_TARGET_AARCH64 : WASM_TARGET_X86_64_V2;
    if (!wasm_native_runs(target)) skip();
    wasm_native_code code = link_good(&image, target == WASM_TARGET_AARCH64 ? 3 : 0, target);
    uint8_t *pages = os_pages(image.size + 65536, false);
    memcpy(pages, image.data, image.size);
    assert_true(os_protect(pages, image.size, OS_EXECUTE)); /* all of it: this is no loader */
    void (*entry)(void *, const void *, long *);
    void *at = pages + code.entry_offsets[1];
    memcpy(&entry, &at, sizeof entry);
    for (long x = -2; x < 8; x++) {
        long v = x;
        entry(NULL, pages + code.func_offsets[1], &v);
        assert_int_equal(v, expected(x));
    }
    os_release(pages, image.size + 65536);
    base_buffer_fini(&image);
}

static void refused(const char *what, base_span a, base_span b, uint32_t target, wisp_status status, const char *text)
{
    base_buffer image = {0};
    wisp_report report;
    wisp_status got = link_two(&image, a, b, target, &report);
    if (got != status || !strstr(report.text, text)) fail_msg("%s: %d %s", what, (int)got, report.text);
    base_buffer_fini(&image);
}

static void refusals(void **state)
{
    (void)state;
    base_span a = load(paths[0]), b = load(paths[1]), wrong = load(paths[2]);
    refused("other machine", a, b, WASM_TARGET_AARCH64, WISP_E_INPUT, "not a relocatable object for the target");
    refused("twice", a, a, WASM_TARGET_X86_64_V2, WISP_E_INPUT, "defined twice");
    refused("empty", a, (base_span){a.data, 0}, WASM_TARGET_X86_64_V2, WISP_E_INPUT, "not a little-endian ELF64");
    refused("writable", wrong, b, WASM_TARGET_X86_64_V2, WISP_E_UNSUPPORTED, ".bss.counter");
    const base_span one[1] = {a};
    wasm_link_input in = {.objects = one, .object_count = 1, .target = WASM_TARGET_X86_64_V2, .first_func = 3};
    base_buffer image = {0};
    wisp_report report = {0};
    in.func_count = 2;
    in.type_count = 2;
    assert_int_equal(wasm_link(&image, &in, &report), WISP_E_UNSUPPORTED);
    assert_non_null(strstr(report.text, "defined nowhere"));
    base_buffer_fini(&image);
}

static uint64_t random_state = 1;
static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static void damaged_objects(void **state)
{
    (void)state;
    const base_span good[2][2] = {{load(paths[0]), load(paths[1])}, {load(paths[3]), load(paths[4])}};
    const uint32_t targets[2] = {WASM_TARGET_X86_64_V2, WASM_TARGET_AARCH64};
    unsigned refused_count = 0;
    for (unsigned round = 0; round < 40000; round++) {
        unsigned t = round & 1;
        base_span object = good[t][0];
        uint8_t *copy = base_alloc(object.size); /* exactly as large: a sanitizer sees every read past it */
        assert_non_null(copy);
        memcpy(copy, object.data, object.size);
        size_t size = object.size;
        if (round % 5 == 0) size = random_below((uint32_t)size);
        for (unsigned flips = random_below(4) + (size == object.size); size && flips--;)
            copy[random_below((uint32_t)size)] = (uint8_t)(random_below(3) ? random_below(256) : 0xff);
        base_buffer image = {0};
        wisp_report report;
        wisp_status status = link_two(&image, (base_span){copy, size}, good[t][1], targets[t], &report);
        if (status != WISP_OK) {
            refused_count++;
            assert_true(report.text[0] != 0);
        } else {
            wasm_native_code code;
            assert_int_equal(wasm_native_read(&code, (base_span){image.data, image.size}, NULL), WISP_OK);
        }
        base_buffer_fini(&image);
        base_free(copy);
    }
    assert_true(refused_count > 1000);
}

/* ---- the loader's reading of headers ---- */

static void put(base_buffer *image, size_t at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        image->data[at + i] = (uint8_t)(v >> 8 * i);
}

static void damaged_headers(void **state)
{
    (void)state;
    base_buffer image = {0};
    wasm_native_code code = link_good(&image, 0, WASM_TARGET_X86_64_V2);
    static const struct {
        size_t at;
        unsigned bytes;
    } fields[] = {{12, 4},
                  {16, 4},
                  {20, 4},
                  {24, 4},
                  {28, 4},
                  {32, 8},
                  {40, 8},
                  {48, 8},
                  {56, 8},
                  {64, 8},
                  {sizeof(wasm_native_header), 4},
                  {sizeof(wasm_native_header) + 4, 4},
                  {sizeof(wasm_native_header) + 16, 4}};
    static const uint64_t values[] = {1u << 31, UINT32_MAX - 1, UINT64_MAX, UINT64_MAX - 4095, 1ull << 63, 12345};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint8_t held[8];
        memcpy(held, image.data + fields[i].at, sizeof held);
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            if (fields[i].bytes == 4 && (uint32_t)values[k] == 0) continue; /* a good value of some */
            put(&image, fields[i].at, values[k], fields[i].bytes);
            if (wasm_native_read(&code, (base_span){image.data, image.size}, NULL) == WISP_OK)
                fail_msg("field at %zu accepted with %llx", fields[i].at, (unsigned long long)values[k]);
        }
        memcpy(image.data + fields[i].at, held, sizeof held);
        assert_int_equal(wasm_native_read(&code, (base_span){image.data, image.size}, NULL), WISP_OK);
    }
    put(&image, sizeof(wasm_native_header) + 24, 12345, 4); /* an entry; UINT32_MAX would be none */
    assert_int_not_equal(wasm_native_read(&code, (base_span){image.data, image.size}, NULL), WISP_OK);
    for (size_t n = 0; n < image.size; n += n < 300 ? 1 : 97)
        assert_int_not_equal(wasm_native_read(&code, (base_span){image.data, n}, NULL), WISP_OK);
    base_buffer_fini(&image);
}

int main(int argc, char **argv)
{
    if (argc != 6) return fprintf(stderr, "link_test: five objects are wanted\n"), 2;
    paths = argv + 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_both_targets),
        cmocka_unit_test(order_of_objects),
        cmocka_unit_test(runs),
        cmocka_unit_test(refusals),
        cmocka_unit_test(damaged_objects),
        cmocka_unit_test(damaged_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
