/* tokenizer.model and config.json from memory: every truncation, every damaged byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "compile/arch/arch.h"
#include "compile/hf_config.h"
#include "compile/spm_model.h"

/* ---- tokenizer.model ---- */

static void put_field(base_buffer *b, uint32_t number, base_span bytes)
{
    base_put_leb_u32(b, number << 3 | 2);
    base_put_leb_u32(b, (uint32_t)bytes.size);
    base_put(b, bytes.data, bytes.size);
}

static void put_number(base_buffer *b, uint32_t number, uint64_t value)
{
    base_put_leb_u32(b, number << 3);
    base_put_leb_u64(b, value);
}

static void put_piece(base_buffer *file, const char *text, float score, uint32_t type)
{
    base_buffer piece = {0};
    put_field(&piece, 1, (base_span){(const uint8_t *)text, strlen(text)});
    base_put_leb_u32(&piece, 2 << 3 | 5);
    base_put_f32(&piece, score);
    if (type != 1) put_number(&piece, 3, type);
    put_field(file, 1, (base_span){piece.data, piece.size});
    base_buffer_fini(&piece);
}

static base_buffer small_model(uint64_t kind)
{
    base_buffer file = {0}, part = {0};
    put_piece(&file, "<unk>", 0, 2);
    put_piece(&file, "<s>", 0, 3);
    put_piece(&file, "</s>", 0, 3);
    put_piece(&file, "a", -1, 1);
    put_piece(&file, "<x>", 0, 4);
    put_number(&part, 3, kind);
    put_number(&part, 35, 1);
    put_number(&part, 41, UINT64_MAX); /* -1: none */
    put_number(&part, 42, 2);
    put_field(&file, 2, (base_span){part.data, part.size});
    base_buffer_fini(&part);
    put_number(&part, 3, 0);
    put_field(&file, 3, (base_span){part.data, part.size});
    base_buffer_fini(&part);
    return file;
}

static void sentencepiece(void **state)
{
    (void)state;
    base_buffer file = small_model(2);
    const base_span bytes = {file.data, file.size};
    wisp_report report = {0};
    spm_model m;
    if (spm_model_read(&m, bytes, 7, &report) != WISP_OK) fail_msg("%s", report.text);
    assert_int_equal(m.source.kind, VOCAB_SPM);
    assert_int_equal(m.source.count, 7);
    assert_int_equal(m.source.bos, -1);
    assert_int_equal(m.source.eos, 2);
    assert_int_equal(m.source.add_space_prefix, 0);
    assert_int_equal(m.source.byte_fallback, 1);
    assert_memory_equal(m.tokens[3].data, "a", 1);
    assert_true(m.scores[3] == -1);
    static const int32_t types[] = {2, 3, 3, 1, 4, 5, 5};
    assert_memory_equal(m.types, types, sizeof types);
    spm_model_fini(&m);
    if (spm_model_read(&m, bytes, 2, &report) != WISP_OK) fail_msg("%s", report.text); /* fewer rows than pieces */
    assert_int_equal(m.source.count, 2);
    assert_int_equal(m.source.eos, -1);
    spm_model_fini(&m);
    base_buffer_fini(&file);
    for (uint64_t kind = 0; kind < 5; kind++) {
        file = small_model(kind);
        report = (wisp_report){0};
        wisp_status status = spm_model_read(&m, (base_span){file.data, file.size}, 0, &report);
        assert_int_equal(status, kind == 1 || kind == 2 ? WISP_OK : WISP_E_UNSUPPORTED);
        if (status == WISP_OK) spm_model_fini(&m);
        base_buffer_fini(&file);
    }
}

/* A copy of exactly that size, so that a sanitizer sees a byte read past it. */
static wisp_status read_copy(const base_buffer *file, size_t size, size_t at, uint8_t byte)
{
    uint8_t *copy = malloc(size ? size : 1);
    wisp_report report = {0};
    base_buffer out = {0};
    spm_model m;
    memcpy(copy, file->data, size);
    if (at < size) copy[at] = byte;
    wisp_status status = spm_model_read(&m, (base_span){copy, size}, 0, &report);
    if (status == WISP_OK) {
        (void)!base_vocab_write(&out, &m.source, &report);
        spm_model_fini(&m);
    } else {
        assert_true(*report.text && !m.tokens && !m.scores && !m.types);
    }
    base_buffer_fini(&out);
    free(copy);
    return status;
}

static void damaged_sentencepiece(void **state)
{
    (void)state;
    base_buffer file = small_model(2);
    for (size_t size = 0; size < file.size; size++)
        (void)!read_copy(&file, size, SIZE_MAX, 0); /* whole messages are what is left of a shorter file */
    assert_int_equal(read_copy(&file, 0, SIZE_MAX, 0), WISP_E_INPUT);
    assert_int_equal(read_copy(&file, 1, SIZE_MAX, 0), WISP_E_INPUT);
    static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t at = 0; at < file.size; at++)
        for (size_t i = 0; i < sizeof bytes; i++)
            (void)!read_copy(&file, file.size, at, bytes[i]);
    for (long n = 0; n < 3; n++) { /* memory that there is none of */
        base_mem_fail_after(n);
        spm_model m;
        assert_int_equal(spm_model_read(&m, (base_span){file.data, file.size}, 0, NULL), WISP_E_MEMORY);
        base_mem_fail_after(-1);
    }
    base_buffer_fini(&file);
}

/* ---- config.json ---- */

#define SIZES                                                                                                          \
    "\"model_type\":\"llama\",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                   \
    "\"max_position_embeddings\":4096,\"intermediate_size\":8,\"rms_norm_eps\":1e-5"

static wisp_status try_config(const char *text, wisp_report *report)
{
    base_json_doc *doc;
    const base_json *root;
    hf_config c;
    gguf_head h;
    *report = (wisp_report){0};
    if (base_json_parse(&doc, &root, text, strlen(text), report) != WISP_OK) fail_msg("%s: %s", text, report->text);
    gguf_head_init(&h, 32);
    wisp_status status = hf_config_read(&c, root, report);
    if (status == WISP_OK) status = hf_config_put(&c, &h, report);
    gguf_head_fini(&h);
    base_json_free(doc);
    return status;
}

static void impossible_configs(void **state)
{
    (void)state;
    static const struct {
        const char *more, *words;
    } cases[] = {
        {"", NULL},
        {",\"head_dim\":null,\"rope_scaling\":null", NULL},
        {",\"head_dim\":1", "head_dim"},
        {",\"head_dim\":1e9", "head_dim"},
        {",\"num_key_value_heads\":0", "num_key_value_heads"},
        {",\"partial_rotary_factor\":0", "partial_rotary_factor"},
        {",\"partial_rotary_factor\":2", "partial_rotary_factor"},
        {",\"partial_rotary_factor\":\"x\"", "partial_rotary_factor"},
        {",\"rope_theta\":\"x\"", "rope_theta"},
        {",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4}", NULL},
        {",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":\"x\"}", "factor"},
        {",\"rope_scaling\":{\"type\":\"yarn\",\"original_max_position_embeddings\":-1}", "original_max_position"},
        {",\"quantization_config\":{}", "quant_method"},
        {",\"quantization_config\":{\"quant_method\":\"awq\",\"version\":\"gemv\"}", "gemv"},
        {",\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[128,64]}", "weight_block_size"},
        {",\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[0,0]}", "weight_block_size"},
        {",\"quantization\":{\"mode\":\"mxfp4\",\"bits\":4}", "mxfp4"},
        {",\"quantization\":{\"bits\":65}", "bits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        wisp_report report;
        snprintf(text, sizeof text, "{" SIZES "%s}", cases[i].more);
        wisp_status status = try_config(text, &report);
        if ((status == WISP_OK) != !cases[i].words) fail_msg("%s: %s", cases[i].more, report.text);
        if (cases[i].words && (!strstr(report.text, cases[i].words) || strncmp(report.text, "config.json", 11) != 0))
            fail_msg("%s: '%s' does not say '%s'", cases[i].more, report.text, cases[i].words);
    }
}

static void every_family_has_its_program(void **state)
{
    (void)state;
    for (size_t i = 0; hf_family_at(i); i++) {
        const hf_family *f = hf_family_at(i);
        assert_non_null(compile_arch_find(f->architecture));
        assert_ptr_equal(hf_family_find(f->model_type), f);
        assert_ptr_equal(hf_family_nearest(f->model_type), f);
    }
    assert_null(hf_family_find("llama9"));
    assert_string_equal(hf_family_nearest("llama9")->model_type, "llama");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentencepiece),
        cmocka_unit_test(damaged_sentencepiece),
        cmocka_unit_test(impossible_configs),
        cmocka_unit_test(every_family_has_its_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
