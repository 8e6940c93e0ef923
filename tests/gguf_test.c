/* The GGUF reader and what stands on it, against every way in which a file can lie (the classes of published advisories
 * on model files). Each trial runs on a copy of exactly the file's size, so that a sanitizer sees one byte too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "compile/compile.h"
#include "compile/gguf.h"
#include "model_fixture.h"
#include "os/os.h"

static const fixture_llama small = {
    .matrix_type = 2, .width = 32, .ff_width = 32, .heads = 2, .kv_heads = 1, .blocks = 1, .vocab = 262};

/* ---- one trial ---- */

/* Reads and packs a copy; the capsule made of it, if any, must be a good one. */
static wisp_status trial(const uint8_t *bytes, size_t size, wisp_report *report)
{
    static base_buffer engine;
    if (!engine.data) engine = fixture_engine();
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    base_buffer out = {0};
    const compile_options options = {.engine = {engine.data, engine.size}};
    base_report_clear(report);
    wisp_status status = compile_to_memory(&out, (base_span){copy, size}, NULL, &options, report);
    if (status == WISP_OK) {
        capsule c;
        assert_int_equal(capsule_open(&c, fixture_span(&out), report), WISP_OK);
        assert_int_equal(capsule_verify_weights(&c, NULL, NULL, report), WISP_OK);
        capsule_close(&c);
    } else {
        assert_int_equal(report->status, status);
        assert_true(strlen(report->text) > 10);
        assert_null(strchr(report->text, '\n'));
        assert_string_not_equal(wisp_status_category(status), "internal");
        assert_string_not_equal(wisp_status_category(status), "usage");
    }
    base_buffer_fini(&out);
    free(copy);
    return status;
}

static void refused(base_buffer *file, const char *words)
{
    wisp_report report;
    wisp_status status = trial(file->data, file->size, &report);
    if (status == WISP_OK) fail_msg("accepted, '%s' expected", words);
    if (!strstr(report.text, words)) fail_msg("'%s' does not say '%s'", report.text, words);
    base_buffer_fini(file);
}

static void accepted(base_buffer *file)
{
    wisp_report report;
    if (trial(file->data, file->size, &report)) fail_msg("refused: %s", report.text);
    base_buffer_fini(file);
}

/* ---- where the numbers of a file lie ---- */

typedef struct field {
    size_t at;
    unsigned width;
    const char *what;
} field;

enum { FIELDS_MAX = 4096 };
typedef struct map {
    field field[FIELDS_MAX];
    size_t count, infos_end;
    base_reader r;
} map;

static uint64_t note(map *m, unsigned width, const char *what)
{
    assert_true(m->count < FIELDS_MAX);
    m->field[m->count++] = (field){base_offset(&m->r), width, what};
    return width == 8 ? base_read_u64(&m->r) : base_read_u32(&m->r);
}

static void note_string(map *m, const char *what)
{
    base_skip(&m->r, note(m, 8, what));
}

static void note_value(map *m, uint32_t type)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == GGUF_STRING) {
        note_string(m, "a string's length");
    } else if (type == GGUF_ARRAY) {
        uint32_t element = (uint32_t)note(m, 4, "an element type");
        uint64_t count = note(m, 8, "an array's count");
        for (uint64_t i = 0; i < count; i++) {
            if (element == GGUF_STRING && (i < 3 || i + 1 == count))
                note_string(m, "a token's length");
            else if (element == GGUF_STRING)
                compile_gguf_next_string(&m->r);
            else
                base_skip(&m->r, sizes[element]);
        }
    } else if (sizes[type] == 4) {
        note(m, 4, "a value");
    } else {
        base_skip(&m->r, sizes[type]);
    }
}

static void make_map(map *m, const base_buffer *file)
{
    *m = (map){.r = base_reader_of(file->data, file->size)};
    base_skip(&m->r, 4);
    note(m, 4, "version");
    uint64_t tensors = note(m, 8, "tensor count"), keys = note(m, 8, "key count");
    for (uint64_t i = 0; i < keys; i++) {
        note_string(m, "a key's length");
        note_value(m, (uint32_t)note(m, 4, "a value type"));
    }
    for (uint64_t i = 0; i < tensors; i++) {
        note_string(m, "a tensor name's length");
        uint32_t dims = (uint32_t)note(m, 4, "dimensions");
        for (uint32_t d = 0; d < dims; d++)
            note(m, 8, "a dimension");
        note(m, 4, "a tensor type");
        note(m, 8, "a tensor offset");
    }
    m->infos_end = base_offset(&m->r);
    assert_false(m->r.failed);
}

static void every_field_with_every_bad_value(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      1,
                                      3,
                                      UINT32_MAX,
                                      UINT32_MAX - 1,
                                      UINT64_C(1) << 31,
                                      UINT64_C(1) << 32,
                                      INT64_MAX,
                                      UINT64_C(1) << 63,
                                      UINT64_MAX,
                                      UINT64_MAX - 1,
                                      UINT64_MAX - 31,
                                      (uint64_t)-4096,
                                      UINT64_C(1) << 61,
                                      255,
                                      65536};
    base_buffer file = fixture_model(&small);
    map *m = malloc(sizeof *m);
    make_map(m, &file);
    size_t refusals = 0, trials = 0;
    for (size_t i = 0; i < m->count; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            uint8_t old[8];
            wisp_report report;
            memcpy(old, file.data + m->field[i].at, 8);
            memcpy(file.data + m->field[i].at, &values[v], m->field[i].width);
            bool changed = memcmp(old, file.data + m->field[i].at, m->field[i].width) != 0;
            bool bad = trial(file.data, file.size, &report) != WISP_OK;
            if (changed && values[v] && strstr(m->field[i].what, "count") && !bad) /* no tensors: a vocabulary */
                fail_msg("%s accepted", m->field[i].what);
            refusals += bad;
            trials++;
            memcpy(file.data + m->field[i].at, old, 8);
        }
    assert_true(refusals * 10 > trials * 7); /* most lies are found out; the rest are harmless values */
    print_message("%zu fields, %zu trials, %zu refused\n", m->count, trials, refusals);
    free(m);
    accepted(&file);
}

static void truncated_at_every_byte(void **state)
{
    (void)state;
    base_buffer file = fixture_model(&small);
    map *m = malloc(sizeof *m);
    wisp_report report;
    make_map(m, &file);
    for (size_t size = 0; size <= m->infos_end; size++)
        if (trial(file.data, size, &report) == WISP_OK) fail_msg("accepted at %zu bytes", size);
    compile_gguf g;
    assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size, NULL), WISP_OK);
    const compile_gguf_tensor *last = &g.tensors[g.tensor_count - 1];
    size_t end = (size_t)(last->offset + last->size);
    for (size_t size = m->infos_end; size < end; size += 97)
        assert_int_equal(trial(file.data, size, &report), WISP_E_TRUNCATED);
    assert_int_equal(trial(file.data, end - 1, &report), WISP_E_TRUNCATED);
    compile_gguf_close(&g);
    free(m);
    base_buffer_fini(&file);
}

/* Random damage, the same on every run. */
static void random_bytes(void **state)
{
    (void)state;
    base_buffer file = fixture_model(&small);
    uint32_t seed = 1;
    wisp_report report;
    for (int i = 0; i < 3000; i++) {
        uint8_t old[4];
        size_t at[4];
        for (int k = 0; k < 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            at[k] = (seed >> 8) % (k < 2 ? 600 : file.size);
            old[k] = file.data[at[k]];
            file.data[at[k]] = (uint8_t)(seed >> 3);
        }
        (void)!trial(file.data, file.size, &report);
        for (int k = 3; k >= 0; k--)
            file.data[at[k]] = old[k];
    }
    accepted(&file);
}

/* ---- keys ---- */

static fixture_gguf vocabulary_only(void)
{
    fixture_gguf g = {0};
    fixture_text(&g, "general.architecture", "llama");
    return g;
}

static void wrong_element_types(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t element, bytes;
    } cases[] = {{"tokenizer.ggml.scores", GGUF_I8, 1},     {"tokenizer.ggml.scores", GGUF_F64, 8},
                 {"tokenizer.ggml.token_type", GGUF_I8, 1}, {"tokenizer.ggml.token_type", GGUF_F32, 4},
                 {"tokenizer.ggml.merges", GGUF_U64, 8},    {"tokenizer.ggml.tokens", GGUF_I32, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_gguf g = vocabulary_only();
        fixture_text(&g, "tokenizer.ggml.model", "llama");
        if (strcmp(cases[i].key, "tokenizer.ggml.tokens") != 0) {
            fixture_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, 8);
            for (int t = 0; t < 8; t++)
                fixture_string(&g.keys, (char[]){(char)('a' + t), 0});
        }
        fixture_array(&g, cases[i].key, cases[i].element, 8);
        base_put_zeros(&g.keys, 8 * cases[i].bytes);
        base_buffer file = fixture_finish(&g);
        refused(&file, cases[i].key);
    }
}

static void token_ids_must_exist(void **state)
{
    (void)state;
    static const char *const keys[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.eot_token_id"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        fixture_gguf g = vocabulary_only();
        fixture_text(&g, "tokenizer.ggml.model", "llama");
        fixture_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, 2);
        fixture_string(&g.keys, "a");
        fixture_string(&g.keys, "b");
        fixture_u32(&g, keys[i], 2);
        base_buffer file = fixture_finish(&g);
        refused(&file, keys[i]);
    }
}

static void keys_are_refused(void **state)
{
    (void)state;
    fixture_gguf g = vocabulary_only();
    fixture_text(&g, "general.architecture", "llama");
    base_buffer file = fixture_finish(&g);
    refused(&file, "appears twice");

    g = vocabulary_only();
    fixture_array(&g, "nested", GGUF_ARRAY, 1);
    base_put_u32(&g.keys, GGUF_U8);
    base_put_u64(&g.keys, 0);
    file = fixture_finish(&g);
    refused(&file, "array of element type 9");

    g = vocabulary_only();
    fixture_key(&g, "what", GGUF_TYPE_COUNT);
    file = fixture_finish(&g);
    refused(&file, "unknown value type 13");

    g = vocabulary_only();
    fixture_key(&g, "general.flag", GGUF_BOOL);
    base_put_u8(&g.keys, 2);
    file = fixture_finish(&g);
    refused(&file, "not a boolean");

    g = vocabulary_only();
    fixture_text(&g, "tokenizer.ggml.model", "plamo2");
    file = fixture_finish(&g);
    refused(&file, "'plamo2' is not supported");
}

static void alignments(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0, 1, 3, 4, 33, 1u << 21, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fixture_gguf g = vocabulary_only();
        fixture_u32(&g, "general.alignment", bad[i]);
        base_buffer file = fixture_finish(&g);
        refused(&file, "general.alignment");
    }
}

static void header_kinds(void **state)
{
    (void)state;
    base_buffer file = fixture_model(&small);
    memcpy(file.data + 4, &(uint32_t){1}, 4);
    refused(&file, "GGUF version 1");
    file = fixture_model(&small);
    memcpy(file.data + 4, &(uint32_t){0x03000000}, 4);
    refused(&file, "big-endian");
    file = fixture_model(&small);
    memcpy(file.data, "GGML", 4);
    refused(&file, "not a GGUF file");
    file = fixture_model(&small);
    memcpy(file.data + 4, &(uint32_t){2}, 4); /* the same bytes */
    accepted(&file);
}

/* ---- tensors ---- */

static void put_info(fixture_gguf *g, const char *name, uint32_t dims, const uint64_t *shape, uint32_t type,
                     uint64_t offset)
{
    fixture_string(&g->infos, name);
    base_put_u32(&g->infos, dims);
    for (uint32_t i = 0; i < dims; i++)
        base_put_u64(&g->infos, shape[i]);
    base_put_u32(&g->infos, type);
    base_put_u64(&g->infos, offset);
    g->tensor_count++;
}

static void tensors_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t dims, type;
        uint64_t shape[5], offset;
        const char *words;
    } cases[] = {
        {0, 0, {0}, 0, "0 dimensions"},
        {5, 0, {1, 1, 1, 1, 1}, 0, "5 dimensions"},
        {UINT32_MAX - 0xfffffff0, 0, {1}, 0, "15 dimensions"},
        {2, 0, {0, 4}, 0, "impossible dimensions"},
        {2, 0, {UINT64_C(1) << 32, UINT64_C(1) << 32}, 0, "impossible dimensions"},
        {4, 0, {1 << 16, 1 << 16, 1 << 16, 1 << 16}, 0, "impossible dimensions"},
        {2, 0, {UINT64_C(1) << 63, 2}, 0, "impossible dimensions"},
        {2, 0, {UINT64_MAX, UINT64_MAX}, 0, "impossible dimensions"},
        {1, 0, {UINT64_C(1) << 62}, 0, "too many"},
        {1, 2, {UINT64_MAX - 31}, 0, "go past the file's end"},
        {1, 2, {33}, 0, "blocks of 32"},
        {1, 12, {32}, 0, "blocks of 256"},
        {1, 4, {32}, 0, "unknown type 4"},
        {1, UINT32_MAX, {32}, 0, "unknown type 4294967295"},
        {1, 0, {8}, 16, "not a multiple of 32"},
        {1, 0, {1024}, 0, "go past the file's end"},
        {1, 0, {8}, UINT64_MAX - 31, "go past the file's end"},
        {1, 0, {8}, (uint64_t)-4096, "go past the file's end"},
        {1, 0, {UINT64_C(1) << 61}, UINT64_C(1) << 63, "go past the file's end"},
        {1, 0, {16}, 0, "overlap"},
        {1, 0, {32}, 32, "overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_gguf g = vocabulary_only();
        uint64_t shape[16] = {0};
        memcpy(shape, cases[i].shape, sizeof cases[i].shape);
        put_info(&g, "one", cases[i].dims, shape, cases[i].type, cases[i].offset);
        put_info(&g, "two", 1, (uint64_t[]){8}, 0, strstr(cases[i].words, "overlap") ? 32 : 256);
        base_put_zeros(&g.data, 288);
        base_buffer file = fixture_finish(&g);
        refused(&file, cases[i].words);
    }
}

static void names_of_tensors(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\xff\xfe", "\xc0\xaf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fixture_gguf g = vocabulary_only();
        put_info(&g, bad[i], 1, (uint64_t[]){8}, 0, 0);
        base_put_zeros(&g.data, 32);
        base_buffer file = fixture_finish(&g);
        refused(&file, "the name of tensor 0");
    }
    fixture_gguf g = vocabulary_only();
    put_info(&g, "same", 1, (uint64_t[]){8}, 0, 0);
    put_info(&g, "same", 1, (uint64_t[]){8}, 0, 32);
    base_put_zeros(&g.data, 64);
    base_buffer file = fixture_finish(&g);
    refused(&file, "'same' appears twice");
}

/* Values that would poison every result are found while packing. */
static void values_that_are_not_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *tensor;
        uint64_t unit; /* element or block */
        uint32_t unit_bytes, at, bits, width;
        const char *words;
    } cases[] = {
        {2, "blk.0.attn_q.weight", 5, 18, 0, 0x7e00, 2, "the scale of block 5"},
        {2, "blk.0.attn_q.weight", 0, 18, 0, 0x7c00, 2, "the scale of block 0"},
        {2, "blk.0.ffn_down.weight", 31, 18, 0, 0xfc00, 2, "the scale of block 31"},
        {8, "output.weight", 261, 34, 0, 0x7fff, 2, "the scale of block 261"},
        {2, "token_embd.weight", 7, 18, 0, 0xffff, 2, "the scale of block 7"},
        {0, "blk.0.ffn_up.weight", 1023, 4, 0, 0x7fc00000, 4, "element 1023 is not a number"},
        {0, "output_norm.weight", 3, 4, 0, 0xff800001, 4, "element 3 is not a number"},
        {1, "blk.0.ffn_up.weight", 100, 2, 0, 0xfe00, 2, "element 100 is not a number"},
        {30, "blk.0.ffn_up.weight", 9, 2, 0, 0x7fc0, 2, "element 9 is not a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_llama model = small;
        model.matrix_type = cases[i].type;
        base_buffer file = fixture_model(&model);
        compile_gguf g;
        assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size, NULL), WISP_OK);
        uint64_t offset = compile_gguf_find_tensor(&g, cases[i].tensor)->offset;
        compile_gguf_close(&g);
        offset += cases[i].unit * cases[i].unit_bytes + cases[i].at;
        memcpy(file.data + offset, &cases[i].bits, cases[i].width);
        refused(&file, cases[i].words);
    }
}

/* ---- size ---- */

static base_buffer many_keys(uint32_t count, uint32_t stride)
{
    fixture_gguf g = {0};
    char name[16];
    fixture_text(&g, "general.architecture", "llama");
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "key%07u", (unsigned)((uint64_t)i * stride % count));
        fixture_key(&g, name, GGUF_U8);
        base_put_u8(&g.keys, 1);
    }
    return fixture_finish(&g);
}

static void a_million_keys(void **state)
{
    (void)state;
    uint64_t start = os_monotonic_ns();
    base_buffer file = many_keys(1000000, 7919);
    refused(&file, "tokenizer.ggml.model");
    file = many_keys(1000000, 1);
    memcpy(file.data + file.size / 2 / 22 * 22, "x", 1); /* somewhere: any outcome, but soon */
    wisp_report report;
    (void)!trial(file.data, file.size, &report);
    base_buffer_fini(&file);
    file = many_keys(GGUF_KEYS_MAX + 10, 1);
    refused(&file, "keys, more than");
    assert_true(os_monotonic_ns() - start < UINT64_C(60000000000));
}

static void allocation_failures(void **state)
{
    (void)state;
    base_buffer file = fixture_model(&small);
    compile_gguf g;
    wisp_report report;
    for (long n = 0;; n++) {
        base_report_clear(&report);
        base_mem_fail_after(n);
        wisp_status status = compile_gguf_open(&g, fixture_span(&file), file.size, &report);
        base_mem_fail_after(-1);
        if (status == WISP_OK) break;
        assert_int_equal(status, WISP_E_MEMORY);
    }
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

/* ---- access ---- */

static void values_by_type(void **state)
{
    (void)state;
    fixture_gguf f = {0};
    fixture_key(&f, "i8", GGUF_I8);
    base_put_u8(&f.keys, 0xff);
    fixture_key(&f, "u64", GGUF_U64);
    base_put_u64(&f.keys, UINT64_MAX);
    fixture_key(&f, "f64", GGUF_F64);
    base_put_u64(&f.keys, UINT64_C(0x3ff8000000000000));
    fixture_f32(&f, "nan", NAN);
    fixture_text(&f, "text", "hello");
    base_buffer file = fixture_finish(&f);
    compile_gguf g;
    assert_int_equal(compile_gguf_open(&g, fixture_span(&file), file.size, NULL), WISP_OK);
    int64_t i = 5;
    uint64_t u = 5;
    double d = 5;
    base_span s = {NULL, 0};
    assert_int_equal(compile_gguf_int(&g, "i8", &i, NULL), WISP_OK);
    assert_int_equal(i, -1);
    assert_int_equal(compile_gguf_uint(&g, "i8", &u, NULL), WISP_E_INPUT);
    assert_int_equal(compile_gguf_uint(&g, "u64", &u, NULL), WISP_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(compile_gguf_int(&g, "u64", &i, NULL), WISP_E_INPUT);
    assert_int_equal(compile_gguf_float(&g, "f64", &d, NULL), WISP_OK);
    assert_true(d == 1.5);
    assert_int_equal(compile_gguf_float(&g, "nan", &d, NULL), WISP_E_INPUT);
    assert_int_equal(compile_gguf_float(&g, "text", &d, NULL), WISP_E_INPUT);
    assert_int_equal(compile_gguf_string(&g, "text", &s, NULL), WISP_OK);
    assert_int_equal(s.size, 5);
    assert_int_equal(compile_gguf_uint(&g, "absent", &u, NULL), WISP_OK);
    assert_true(u == UINT64_MAX);
    compile_gguf_close(&g);
    base_buffer_fini(&file);
}

static void shared_files(void **state)
{
    (void)state;
    static const char *const names[] = {"stories/stories260K-f32.gguf", "quants/llama-Q4_K.gguf",
                                        "quants/llama-TQ1_0.gguf", "vocab/ggml-vocab-llama-bpe.gguf"};
    const char *shared = getenv("WISP_SHARED");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024];
        os_map m;
        compile_gguf g;
        wisp_report report = {0};
        snprintf(path, sizeof path, "%s/models/%s", shared ? shared : "../shared", names[i]);
        if (os_map_file(&m, path, NULL) != WISP_OK) {
            print_message("skipped: %s is not there\n", path);
            continue;
        }
        if (compile_gguf_open(&g, (base_span){m.data, m.size}, m.size, &report)) fail_msg("%s: %s", path, report.text);
        compile_gguf_close(&g);
        os_unmap(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_with_every_bad_value),
        cmocka_unit_test(truncated_at_every_byte),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(wrong_element_types),
        cmocka_unit_test(token_ids_must_exist),
        cmocka_unit_test(keys_are_refused),
        cmocka_unit_test(alignments),
        cmocka_unit_test(header_kinds),
        cmocka_unit_test(tensors_are_refused),
        cmocka_unit_test(names_of_tensors),
        cmocka_unit_test(values_that_are_not_numbers),
        cmocka_unit_test(a_million_keys),
        cmocka_unit_test(allocation_failures),
        cmocka_unit_test(values_by_type),
        cmocka_unit_test(shared_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
