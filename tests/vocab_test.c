/* The vocabulary block and the tokenizers, token for token against published vectors.
 * Data: $WISP_SHARED/models/vocab (default: ../shared); without it only the built-in cases run, and that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/vocab.h"
#include "compile/gguf.h"
#include "guest/tokenize.h"
#include "os/os.h"

#define SEPARATOR "\n__ggml_vocab_test__\n"

static base_span span_of(const char *text)
{
    return (base_span){(const uint8_t *)text, strlen(text)};
}

typedef struct fixture {
    os_map map;
    compile_gguf gguf;
    base_buffer block;
    base_vocab vocab;
    guest_tokenizer *tokenizer;
    base_span *tokens, *merges;
} fixture;

static base_span *strings_of(const compile_gguf *g, const char *key, uint32_t *count)
{
    wisp_report report = {0};
    const compile_gguf_kv *kv;
    assert_int_equal(compile_gguf_array(g, key, GGUF_STRING, &kv, &report), WISP_OK);
    *count = kv ? (uint32_t)kv->count : 0;
    base_span *out = base_calloc(*count, sizeof *out);
    assert_non_null(out);
    base_reader r = base_reader_of(kv ? kv->bytes.data : NULL, kv ? kv->bytes.size : 0);
    for (uint32_t i = 0; i < *count; i++)
        out[i] = compile_gguf_next_string(&r);
    return out;
}

static int64_t id_of(const compile_gguf *g, const char *key)
{
    wisp_report report = {0};
    int64_t id = -1;
    assert_int_equal(compile_gguf_int(g, key, &id, &report), WISP_OK);
    return id >= 0 && id < UINT32_MAX ? id : -1;
}

static int flag_of(const compile_gguf *g, const char *key)
{
    wisp_report report = {0};
    bool value = false;
    if (!compile_gguf_find(g, key)) return -1;
    assert_int_equal(compile_gguf_bool(g, key, &value, &report), WISP_OK);
    return value;
}

static void open_vocab(fixture *f, const char *path)
{
    wisp_report report = {0};
    memset(f, 0, sizeof *f);
    assert_int_equal(os_map_file(&f->map, path, &report), WISP_OK);
    base_span all = {f->map.data, (size_t)f->map.size};
    assert_int_equal(compile_gguf_open(&f->gguf, all, all.size, &report), WISP_OK);
    const compile_gguf *g = &f->gguf;
    base_vocab_source s = {.bos = id_of(g, "tokenizer.ggml.bos_token_id"),
                           .eos = id_of(g, "tokenizer.ggml.eos_token_id"),
                           .unk = id_of(g, "tokenizer.ggml.unknown_token_id"),
                           .eot = -1,
                           .add_bos = flag_of(g, "tokenizer.ggml.add_bos_token"),
                           .add_eos = flag_of(g, "tokenizer.ggml.add_eos_token"),
                           .add_space_prefix = flag_of(g, "tokenizer.ggml.add_space_prefix"),
                           .remove_extra_whitespaces = -1};
    base_span model = {0};
    assert_int_equal(compile_gguf_string(g, "tokenizer.ggml.model", &model, &report), WISP_OK);
    assert_int_equal(compile_gguf_string(g, "tokenizer.ggml.pre", &s.pre, &report), WISP_OK);
    s.kind = model.size == 5 ? VOCAB_SPM : VOCAB_BPE;
    s.tokens = f->tokens = strings_of(g, "tokenizer.ggml.tokens", &s.count);
    s.merges = f->merges = strings_of(g, "tokenizer.ggml.merges", &s.merge_count);
    const compile_gguf_kv *scores, *types;
    assert_int_equal(compile_gguf_array(g, "tokenizer.ggml.scores", GGUF_F32, &scores, &report), WISP_OK);
    assert_int_equal(compile_gguf_array(g, "tokenizer.ggml.token_type", GGUF_I32, &types, &report), WISP_OK);
    float *score = base_calloc(s.count, sizeof *score);
    int32_t *type = base_calloc(s.count, sizeof *type);
    if (scores) memcpy(score, scores->bytes.data, s.count * sizeof *score);
    if (types) memcpy(type, types->bytes.data, s.count * sizeof *type);
    s.scores = scores ? score : NULL;
    s.types = types ? type : NULL;
    assert_int_equal(base_vocab_write(&f->block, &s, &report), WISP_OK);
    base_free(score);
    base_free(type);
    assert_int_equal(base_vocab_open(&f->vocab, (base_span){f->block.data, f->block.size}, &report), WISP_OK);
    assert_int_equal(guest_tokenizer_new(&f->tokenizer, &f->vocab, &report), WISP_OK);
}

static void close_vocab(fixture *f)
{
    guest_tokenizer_free(f->tokenizer);
    base_buffer_fini(&f->block);
    base_free(f->tokens);
    base_free(f->merges);
    compile_gguf_close(&f->gguf);
    os_unmap(&f->map);
}

/* ---- published vectors ---- */

static unsigned check_case(fixture *f, const char *name, unsigned number, base_span text, base_span line)
{
    wisp_report report = {0};
    guest_tokens got = {0};
    assert_int_equal(guest_tokenize(f->tokenizer, text, GUEST_TOKENIZE_SPECIAL, &got, &report), WISP_OK);
    char want[4096], have[4096];
    size_t n = 0, k = 0;
    const char *at = (const char *)line.data, *end = at + line.size;
    while (at < end) { /* the numbers, single-spaced */
        char *next;
        long id = strtol(at, &next, 10);
        if (next == at || next > end) break;
        n += (size_t)snprintf(want + n, sizeof want - n, " %ld", id);
        at = next;
    }
    want[n] = 0;
    have[0] = 0;
    for (size_t i = 0; i < got.count && k < sizeof have - 16; i++)
        k += (size_t)snprintf(have + k, sizeof have - k, " %u", (unsigned)got.ids[i]);
    guest_tokens_fini(&got);
    if (strcmp(want, have) == 0) return 0;
    print_error("%s, case %u '%.*s'\n  want%s\n  have%s\n", name, number, (int)text.size, (const char *)text.data, want,
                have);
    return 1;
}

static base_span map_text(os_map *map, const char *path)
{
    wisp_report report = {0};
    assert_int_equal(os_map_file(map, path, &report), WISP_OK);
    return (base_span){map->data, (size_t)map->size};
}

static const char *shared_folder(void)
{
    static char path[512];
    const char *said = getenv("WISP_SHARED");
    snprintf(path, sizeof path, "%s/models/vocab", said ? said : "../shared");
    return path;
}

static void check_vectors(const char *name)
{
    char path[768];
    fixture f;
    os_map inputs_map, outputs_map;
    snprintf(path, sizeof path, "%s/ggml-vocab-%s.gguf", shared_folder(), name);
    os_file_info info;
    if (!os_stat(path, &info)) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    open_vocab(&f, path);
    size_t stem = strlen(path);
    memcpy(path + stem, ".inp", 5);
    base_span inputs = map_text(&inputs_map, path);
    memcpy(path + stem, ".out", 5);
    base_span outputs = map_text(&outputs_map, path);
    unsigned number = 0, wrong = 0;
    while (outputs.size) {
        const uint8_t *newline = memchr(outputs.data, '\n', outputs.size);
        base_span line = {outputs.data, newline ? (size_t)(newline - outputs.data) : outputs.size};
        const uint8_t *cut = memmem(inputs.data, inputs.size, SEPARATOR, strlen(SEPARATOR));
        base_span text = {inputs.data, cut ? (size_t)(cut - inputs.data) : inputs.size};
        wrong += check_case(&f, name, number++, text, line);
        inputs.data += text.size + (cut ? strlen(SEPARATOR) : 0);
        inputs.size -= text.size + (cut ? strlen(SEPARATOR) : 0);
        outputs.data += line.size + (newline != NULL);
        outputs.size -= line.size + (newline != NULL);
    }
    print_message("%s: %u of %u equal\n", name, number - wrong, number);
    assert_true(number > 40);
    assert_int_equal(wrong, 0);
    os_unmap(&inputs_map);
    os_unmap(&outputs_map);
    close_vocab(&f);
}

#define VECTORS(test, name)                                                                                            \
    static void test(void **state)                                                                                     \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        check_vectors(name);                                                                                           \
    }
VECTORS(test_llama_spm, "llama-spm")
VECTORS(test_phi_3, "phi-3")
VECTORS(test_llama_bpe, "llama-bpe")
VECTORS(test_gpt_2, "gpt-2")
VECTORS(test_qwen2, "qwen2")
VECTORS(test_falcon, "falcon")
VECTORS(test_mpt, "mpt")
VECTORS(test_starcoder, "starcoder")
VECTORS(test_deepseek_llm, "deepseek-llm")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama_spm), cmocka_unit_test(test_phi_3),     cmocka_unit_test(test_llama_bpe),
        cmocka_unit_test(test_gpt_2),     cmocka_unit_test(test_qwen2),     cmocka_unit_test(test_falcon),
        cmocka_unit_test(test_mpt),       cmocka_unit_test(test_starcoder), cmocka_unit_test(test_deepseek_llm),
    };
    (void)span_of;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
