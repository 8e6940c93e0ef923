/* The capsule's file format: what the writer writes the reader takes, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/model.h"
#include "base/sha256.h"
#include "capsule/capsule.h"
#include "capsule/framing.h"
#include "model_fixture.h"

/* ---- a capsule without a model's meaning ---- */

static wisp_status append(void *self, const void *data, size_t size, wisp_report *report)
{
    base_buffer *b = self;
    base_put(b, data, size);
    return b->failed ? base_fail(report, WISP_E_MEMORY, "out of memory") : WISP_OK;
}

static wisp_status overwrite(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    base_buffer *b = self;
    (void)report;
    assert_true(offset <= b->size && size <= b->size - offset);
    memcpy(b->data + offset, data, size);
    return WISP_OK;
}

static capsule_tensor three[3];

static base_buffer head_for(const capsule_tensor *tensors, uint32_t count, uint64_t head_bytes)
{
    static const uint8_t info[] = "{}";
    base_span sections[MODEL_SECTIONS_MAX] = {[MODEL_SECTION_INFO] = {info, 2}};
    base_buffer head = {0};
    uint64_t weights = 0;
    for (uint32_t i = 0; i < count && tensors[i].segment == 0; i++)
        weights = tensors[i].offset + tensors[i].size - head_bytes;
    base_model_write(&head, sections, weights);
    return head;
}

/* Three tensors of 100, 5000 and 64 bytes; `limit` as for capsule_place. */
static base_buffer make_capsule(uint64_t limit, const capsule_sink *other_sink, wisp_status *status)
{
    static const uint64_t sizes[3] = {100, 5000, 64};
    static uint8_t bytes[5000];
    base_buffer engine = fixture_engine(), out = {0};
    uint32_t segments;
    wisp_report report = {0};
    for (int i = 0; i < 3; i++)
        three[i] = (capsule_tensor){.name = (const char *[]){"a", "b \"quoted\"", "c"}[i],
                                    .type = "I8",
                                    .layout = "I8",
                                    .dims = 1,
                                    .shape = {sizes[i], 1, 1, 1},
                                    .size = sizes[i]};
    base_buffer head = head_for(NULL, 0, 0);
    const uint64_t head_bytes = head.size;
    base_buffer_fini(&head);
    assert_int_equal(capsule_place(three, 3, head_bytes, limit, &segments, &report), WISP_OK);
    head = head_for(three, 3, head_bytes);
    capsule_plan plan = {.engine = fixture_span(&engine),
                         .head = fixture_span(&head),
                         .tensors = three,
                         .tensor_count = 3,
                         .gguf = {(const uint8_t *)"GGUF?", 5}};
    plan.info = (capsule_info){.name = "test", .version = "7", .source_file = "x.gguf", .engine_version = "0.1"};
    const capsule_sink sink = {&out, append, overwrite};
    capsule_writer *w;
    wisp_status s = capsule_writer_begin(&w, &plan, other_sink ? other_sink : &sink, &report);
    for (int i = 0; i < 3 && !s; i++) { /* in pieces */
        memset(bytes, 'a' + i, sizeof bytes);
        s = capsule_writer_put(w, bytes, 33, &report);
        if (!s) s = capsule_writer_put(w, bytes, (size_t)sizes[i] - 33, &report);
    }
    if (!s) s = capsule_writer_end(w, (const uint8_t[32]){9}, &report);
    capsule_writer_free(w);
    base_buffer_fini(&engine);
    base_buffer_fini(&head);
    if (!status) assert_int_equal(s, WISP_OK);
    if (status) *status = s;
    return out;
}

static capsule opened(const base_buffer *file)
{
    capsule c;
    wisp_report report = {0};
    if (capsule_open(&c, fixture_span(file), &report)) fail_msg("refused: %s", report.text);
    return c;
}

static void refused(const base_buffer *file, const char *words)
{
    capsule c;
    wisp_report report = {0};
    uint8_t *copy = malloc(file->size);
    memcpy(copy, file->data, file->size);
    wisp_status status = capsule_open(&c, (base_span){copy, file->size}, &report);
    free(copy);
    if (status == WISP_OK) fail_msg("accepted, '%s' expected", words);
    if (!strstr(report.text, words)) fail_msg("'%s' does not say '%s'", report.text, words);
    assert_null(c.file.data);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    base_buffer file = make_capsule(0, NULL, NULL), engine = fixture_engine();
    capsule c = opened(&file);
    uint8_t digest[32];
    assert_string_equal(c.info.name, "test");
    assert_string_equal(c.info.version, "7");
    assert_null(c.info.license);
    assert_string_equal(c.info.source_file, "x.gguf");
    assert_int_equal(c.info.source_sha256[0], 9);
    assert_int_equal(capsule_engine_digest(fixture_span(&engine), digest, NULL), WISP_OK);
    assert_memory_equal(c.engine_sha256, digest, 32);
    assert_false(c.has_signature);
    assert_int_equal(c.signed_bytes.size, file.size - 8);
    assert_int_equal(c.segment_count, 1);
    assert_int_equal((c.segments[0].data - file.data) % CAPSULE_ALIGN, 0);
    assert_int_equal(c.tensor_count, 3);
    assert_ptr_equal(capsule_find_tensor(&c, "b \"quoted\""), &c.tensors[1]);
    assert_null(capsule_find_tensor(&c, "d"));
    base_span b = capsule_tensor_bytes(&c, &c.tensors[1]);
    assert_int_equal(b.size, 5000);
    assert_int_equal(b.data[0] + b.data[4999], 2 * 'b');
    assert_int_equal(c.gguf.size, 5);
    assert_int_equal(c.intrinsic_count, 2);
    assert_int_equal(c.intrinsic[0].function, 1);
    assert_memory_equal(c.intrinsic[1].name.data, "wisp_dev_submit", 15);
    assert_memory_equal(c.intrinsic[1].signature.data, "(ii)i", 5);
    assert_non_null(capsule_find_section(&c, "name"));
    assert_null(capsule_find_section(&c, "producers"));
    assert_int_equal(capsule_verify_weights(&c, NULL, NULL, NULL), WISP_OK);
    assert_true(capsule_probe(fixture_span(&file)));
    assert_true(capsule_probe((base_span){file.data, file.size}));
    assert_false(capsule_probe(fixture_span(&engine)));
    capsule_close(&c);
    base_buffer_fini(&file);
    base_buffer_fini(&engine);
}

/* The engine's own sections stay as they are, byte for byte. */
static void the_engine_is_copied(void **state)
{
    (void)state;
    base_buffer file = make_capsule(0, NULL, NULL), engine = fixture_engine();
    capsule c = opened(&file);
    capsule_section *sections;
    uint32_t count, found = 0;
    assert_int_equal(capsule_read_sections(fixture_span(&engine), &sections, &count, NULL), WISP_OK);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < c.section_count; k++) {
            if (sections[i].id == 0 || sections[i].id > SECTION_CODE || c.sections[k].id != sections[i].id) continue;
            assert_int_equal(c.sections[k].whole.size, sections[i].whole.size);
            assert_memory_equal(c.sections[k].whole.data, sections[i].whole.data, sections[i].whole.size);
            found++;
        }
    assert_int_equal(found, 6);
    base_free(sections);
    capsule_close(&c);
    base_buffer_fini(&file);
    base_buffer_fini(&engine);
}

static void overflow_sections(void **state)
{
    (void)state;
    base_buffer file = make_capsule(4096 + 150, NULL, NULL);
    capsule c = opened(&file);
    assert_int_equal(c.segment_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(c.tensors[i].segment, i);
        assert_int_equal((c.segments[i].data - file.data) % CAPSULE_ALIGN, 0);
    }
    assert_int_equal(c.tensors[1].offset, 0);
    assert_int_equal(capsule_verify_weights(&c, NULL, NULL, NULL), WISP_OK);
    capsule_close(&c);
    base_buffer_fini(&file);
}

static void placing(void **state)
{
    (void)state;
    capsule_tensor t[2] = {{.name = "big", .size = UINT64_C(1) << 32}, {.name = "x", .size = 1}};
    uint32_t segments;
    wisp_report report = {0};
    assert_int_equal(capsule_place(t, 2, 4096, 0, &segments, &report), WISP_E_LIMIT);
    assert_non_null(strstr(report.text, "'big'"));
    t[0].size = 3000000000;
    t[1].size = 3000000000;
    assert_int_equal(capsule_place(t, 2, 4096, 0, &segments, NULL), WISP_OK);
    assert_int_equal(segments, 2);
    assert_int_equal(t[1].segment, 1);
}

/* ---- damage ---- */

/* Every byte outside the weights, three ways. */
static void damage_is_seen(void **state)
{
    (void)state;
    base_buffer file = make_capsule(4096 + 150, NULL, NULL);
    capsule whole = opened(&file);
    size_t refusals = 0;
    for (size_t i = 0; i < file.size; i++) {
        static const uint8_t flips[] = {1, 0x80, 0xff};
        bool weights = false;
        for (uint32_t s = 0; s < whole.segment_count; s++) {
            size_t start = (size_t)(whole.segments[s].data - file.data);
            weights |= i >= start + (s ? 0 : 4096) && i < start + whole.segments[s].size;
        }
        for (size_t k = 0; k < (weights ? 1 : 3); k++) {
            capsule c;
            file.data[i] ^= flips[k];
            wisp_status status = capsule_open(&c, fixture_span(&file), NULL);
            if (!weights && status == WISP_OK) fail_msg("byte %zu: damage by %#x not seen", i, flips[k]);
            if (weights) {
                assert_int_equal(status, WISP_OK);
                assert_int_equal(capsule_verify_weights(&c, NULL, NULL, NULL), WISP_E_INPUT);
                capsule_close(&c);
            }
            refusals++;
            file.data[i] ^= flips[k];
        }
    }
    assert_true(refusals > 10000);
    capsule_close(&whole);
    base_buffer_fini(&file);
}

static void truncation_is_seen(void **state)
{
    (void)state;
    base_buffer file = make_capsule(0, NULL, NULL);
    for (size_t size = 0; size < file.size; size++) {
        capsule c;
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, file.data, size);
        assert_int_not_equal(capsule_open(&c, (base_span){copy, size}, NULL), WISP_OK);
        (void)!capsule_probe((base_span){copy, size});
        free(copy);
    }
    base_buffer_fini(&file);
}

static void sections_not_listed(void **state)
{
    (void)state;
    base_buffer file = make_capsule(0, NULL, NULL);
    fixture_custom(&file, "more", "x", 1);
    refused(&file, "sections after the manifest");
    base_buffer_fini(&file);
    file = make_capsule(0, NULL, NULL);
    fixture_custom(&file, "wisp.pad", "\0", 1);
    refused(&file, "sections after the manifest");
    base_buffer_fini(&file);
    base_buffer engine = fixture_engine();
    refused(&engine, "no wisp.manifest");
    base_buffer_fini(&engine);
}

/* ---- signature ---- */

static void room_for_a_signature(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 4095, 4096, 10000};
    base_buffer file = make_capsule(4096 + 150, NULL, NULL);
    capsule c = opened(&file);
    uint8_t *signature = calloc(1, 10000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        base_buffer with = fixture_rebuild(&c, c.manifest, (base_span){signature, sizes[i]});
        capsule d = opened(&with);
        assert_true(d.has_signature);
        assert_int_equal(d.signature.size, sizes[i]);
        assert_ptr_equal(d.signed_bytes.data + d.signed_bytes.size, with.data + with.size);
        assert_ptr_equal(d.signed_bytes.data, d.signature.data + sizes[i]);
        assert_int_equal(capsule_verify_weights(&d, NULL, NULL, NULL), WISP_OK);
        assert_true(capsule_probe(fixture_span(&with)));
        capsule_close(&d);
        base_buffer_fini(&with);
    }
    free(signature);
    capsule_close(&c);
    base_buffer_fini(&file);
}

/* ---- manifests that lie, with a digest that is right ---- */

static void edit(base_buffer *out, base_span text, const char *from, const char *to)
{
    const char *start = (const char *)text.data;
    const char *at = memmem(start, text.size, from, strlen(from));
    if (!at) fail_msg("'%s' is not in the manifest", from);
    size_t before = (size_t)(at - start);
    base_put(out, start, before);
    base_put_text(out, to);
    base_put(out, at + strlen(from), text.size - before - strlen(from));
}

static const struct {
    const char *from, *to, *words;
} lies[] = {
    {"{\"wisp\":1", "{\"wisp\":2", "format version 2"},
    {"\"name\":\"test\"", "\"name\":7", "'name'"},
    {"\"name\":\"test\"", "\"name\":\"test\",\"name\":\"test\"", "manifest"},
    {"\"context_length\":0", "\"context_length\":-1", "'context_length'"},
    {"\"kind\":\"type\",\"size\":24", "\"kind\":\"type\",\"size\":25", "section type: 24 bytes"},
    {"\"kind\":\"code\"", "\"kind\":\"data\"", "data section's description"},
    {"\"kind\":\"code\"", "\"kind\":\"memory\"", "not the one that the manifest lists"},
    {"\"kind\":\"code\"", "\"kind\":\"cod\"", "'kind'"},
    {"\"name\":\"wisp.gguf\"", "\"name\":\"wisp.ggug\"", "not the one that the manifest lists"},
    {"\"model\":", "\"model\":1", "not the model"},
    {"\"head\":4096", "\"head\":8192", "model data"},
    {"\"head\":4096", "\"head\":18446744073709551615", "model data"},
    {"\"sections\":[", "\"sections\":[7,", "'kind'"},
    {"\"sections\":[", "\"sections\":1,\"s\":[", "'sections'"},
    {"\"tensors\":[", "\"tensors\":null,\"t\":[", "'tensors'"},
    {"\"name\":\"a\"", "\"name\":\"c\"", "listed twice"},
    {"\"name\":\"a\"", "\"name\":1", "'name'"},
    {"\"shape\":[100]", "\"shape\":[]", "tensor 'a'"},
    {"\"shape\":[100]", "\"shape\":[0]", "tensor 'a'"},
    {"\"shape\":[100]", "\"shape\":[1,1,1,1,100]", "tensor 'a'"},
    {"\"shape\":[100]", "\"shape\":[4294967296,4294967296]", "tensor 'a'"},
    {"\"shape\":[100]", "\"shape\":[-100]", "tensor 'a'"},
    {"\"segment\":0,\"offset\":4096,", "\"segment\":1,\"offset\":4096,", "no segment 1"},
    {"\"segment\":0,\"offset\":4096,", "\"segment\":4294967296,\"offset\":4096,", "tensor 'a'"},
    {"\"offset\":4096,", "\"offset\":4160,", "overlaps"},
    {"\"offset\":4096,", "\"offset\":0,", "overlaps"},
    {"\"offset\":4096,", "\"offset\":4097,", "no multiple of 64"},
    {"\"offset\":4096,", "\"offset\":18446744073709551552,", "past the segment's end"},
    {"\"offset\":4096,", "\"offset\":1e3,", "tensor 'a'"},
    {"\"size\":100,", "\"size\":0,", "past the segment's end"},
    {"\"size\":100,", "\"size\":18446744073709551615,", "past the segment's end"},
    {"\"size\":100,", "\"size\":129,", "overlaps"},
    {"\"size\":64,", "\"size\":65,", "past the segment's end"},
    {"\"layout\":\"I8\"", "\"layout\":null", "tensor 'a'"},
};

static void manifests_that_lie(void **state)
{
    (void)state;
    base_buffer file = make_capsule(0, NULL, NULL);
    capsule c = opened(&file);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        base_buffer text = {0};
        edit(&text, fixture_unsealed(c.manifest), lies[i].from, lies[i].to);
        fixture_seal(&text);
        base_buffer changed = fixture_rebuild(&c, fixture_span(&text), (base_span){NULL, 0});
        refused(&changed, lies[i].words);
        base_buffer_fini(&changed);
        base_buffer_fini(&text);
    }
    base_buffer text = {0}; /* the way is open: an honest change is taken */
    edit(&text, fixture_unsealed(c.manifest), "\"test\"", "\"a longer name\"");
    fixture_seal(&text);
    base_buffer changed = fixture_rebuild(&c, fixture_span(&text), (base_span){NULL, 0});
    capsule d = opened(&changed);
    assert_string_equal(d.info.name, "a longer name");
    capsule_close(&d);
    base_buffer_fini(&changed);
    base_buffer_fini(&text);
    capsule_close(&c);
    base_buffer_fini(&file);
}

static void deep_manifest(void **state)
{
    (void)state;
    base_buffer file = make_capsule(0, NULL, NULL), text = {0};
    capsule c = opened(&file);
    base_put_text(&text, "{\"wisp\":1,\"x\":");
    for (int i = 0; i < 100000; i++)
        base_put_u8(&text, '[');
    fixture_seal(&text);
    base_buffer changed = fixture_rebuild(&c, fixture_span(&text), (base_span){NULL, 0});
    refused(&changed, "manifest: JSON");
    base_buffer_fini(&changed);
    base_buffer_fini(&text);
    capsule_close(&c);
    base_buffer_fini(&file);
}

/* ---- engines and intrinsics ---- */

static void engine_refused(const base_buffer *engine, const char *words)
{
    uint8_t digest[32];
    wisp_report report = {0};
    assert_int_not_equal(capsule_engine_digest(fixture_span(engine), digest, &report), WISP_OK);
    if (!strstr(report.text, words)) fail_msg("'%s' does not say '%s'", report.text, words);
}

static void engines_are_checked(void **state)
{
    (void)state;
    base_buffer e = fixture_engine();
    uint8_t *segment = memmem(e.data, e.size, "\x0b\x05hello", 7);
    segment[-3] = 1; /* flags: passive */
    engine_refused(&e, "passive");
    base_buffer_fini(&e);
    e = fixture_engine();
    memcpy(memmem(e.data, e.size, "wasi_snapshot_preview1", 22), "wasi_snapshot_preview2", 22);
    engine_refused(&e, "imports functions of wasi_snapshot_preview1 only");
    base_buffer_fini(&e);
    e = (base_buffer){0};
    base_put(&e, "\0asm\1\0\0", 8);
    engine_refused(&e, "without code");
    fixture_section(&e, 3, "\0", 1);
    fixture_section(&e, 1, "\0", 1);
    engine_refused(&e, "out of place");
    base_buffer_fini(&e);
    e = fixture_engine();
    for (size_t size = 0; size < e.size; size++) { /* sections end, or the module is cut inside one: never a fault */
        uint8_t digest[32], *copy = malloc(size ? size : 1);
        memcpy(copy, e.data, size);
        (void)!capsule_engine_digest((base_span){copy, size}, digest, NULL);
        free(copy);
    }
    base_buffer_fini(&e);
}

static void intrinsics_are_checked(void **state)
{
    (void)state;
    base_buffer engine = fixture_engine(), list = {0};
    capsule_engine e;
    capsule_intrinsic *entries;
    uint32_t count;
    assert_int_equal(capsule_engine_open(&e, fixture_span(&engine), NULL), WISP_OK);
    assert_int_equal(capsule_intrinsics_write(&list, &e.functions, NULL), WISP_OK);
    assert_int_equal(capsule_intrinsics_read(&entries, &count, fixture_span(&list), &e.functions, NULL), WISP_OK);
    assert_int_equal(count, 2);
    base_free(entries);
    for (size_t i = 0; i < list.size; i++) { /* only names may differ unseen here; the manifest has their digest */
        uint8_t old = list.data[i];
        list.data[i] ^= 0x40;
        if (capsule_intrinsics_read(&entries, &count, fixture_span(&list), &e.functions, NULL) == WISP_OK) {
            assert_true(old == '_' || (old >= 'a' && old <= 'z'));
            base_free(entries);
        }
        list.data[i] = old;
        assert_int_not_equal(capsule_intrinsics_read(&entries, &count, (base_span){list.data, i}, &e.functions, NULL),
                             WISP_OK);
    }
    capsule_engine_close(&e);
    base_buffer_fini(&list);
    base_buffer_fini(&engine);
}

/* ---- failing sinks and memory ---- */

typedef struct failing {
    long left;
    base_buffer out;
} failing;

static wisp_status failing_append(void *self, const void *data, size_t size, wisp_report *report)
{
    failing *f = self;
    if (f->left-- <= 0) return base_fail(report, WISP_E_IO, "no space left");
    return append(&f->out, data, size, report);
}

static wisp_status failing_overwrite(void *self, uint64_t offset, const void *data, size_t size, wisp_report *report)
{
    failing *f = self;
    if (f->left-- <= 0) return base_fail(report, WISP_E_IO, "no space left");
    return overwrite(&f->out, offset, data, size, report);
}

static void a_sink_that_fails(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        failing f = {.left = n};
        const capsule_sink sink = {&f, failing_append, failing_overwrite};
        wisp_status status;
        base_buffer unused = make_capsule(4096 + 150, &sink, &status);
        base_buffer_fini(&unused);
        base_buffer_fini(&f.out);
        if (status == WISP_OK) break;
        assert_int_equal(status, WISP_E_IO);
        assert_true(n < 1000);
    }
}

static void memory_that_fails(void **state)
{
    (void)state;
    base_buffer file = make_capsule(4096 + 150, NULL, NULL);
    for (long n = 0;; n++) {
        capsule c;
        base_mem_fail_after(n);
        wisp_status status = capsule_open(&c, fixture_span(&file), NULL);
        base_mem_fail_after(-1);
        if (status == WISP_OK) {
            capsule_close(&c);
            break;
        }
        assert_int_equal(status, WISP_E_MEMORY);
    }
    base_buffer_fini(&file);
}

/* ---- another engine takes the file ---- */

static void v8_takes_it(void **state)
{
    (void)state;
    static const char script[] =
        "WebAssembly.instantiate(require('fs').readFileSync(process.argv[1]),{wasi_snapshot_preview1:{fd_write(){}}})"
        ".then(m=>process.exit(m.instance.exports.first()==0x50534957&&m.instance.exports.hello()==0x6c6c6568?0:1),"
        "e=>{console.error(String(e));process.exit(1)})";
    if (system("node --version >/dev/null 2>&1") != 0) {
        print_message("skipped: node is not there\n");
        return;
    }
    char path[] = "/tmp/wisp-capsule-XXXXXX", command[1024];
    int fd = mkstemp(path);
    base_buffer file = make_capsule(4096 + 150, NULL, NULL);
    assert_int_equal(write(fd, file.data, file.size), file.size);
    close(fd);
    snprintf(command, sizeof command, "node -e \"%s\" %s", script, path);
    assert_int_equal(system(command), 0);
    unlink(path);
    base_buffer_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_engine_is_copied),
        cmocka_unit_test(overflow_sections),
        cmocka_unit_test(placing),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(truncation_is_seen),
        cmocka_unit_test(sections_not_listed),
        cmocka_unit_test(room_for_a_signature),
        cmocka_unit_test(manifests_that_lie),
        cmocka_unit_test(deep_manifest),
        cmocka_unit_test(engines_are_checked),
        cmocka_unit_test(intrinsics_are_checked),
        cmocka_unit_test(a_sink_that_fails),
        cmocka_unit_test(memory_that_fails),
        cmocka_unit_test(v8_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
