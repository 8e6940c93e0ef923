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
#include "compile/convert.h"
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
} fixture;

static void open_vocab(fixture *f, const char *path)
{
    wisp_report report = {0};
    uint32_t count;
    memset(f, 0, sizeof *f);
    assert_int_equal(os_map_file(&f->map, path, &report), WISP_OK);
    base_span all = {f->map.data, (size_t)f->map.size};
    assert_int_equal(compile_gguf_open(&f->gguf, all, all.size, &report), WISP_OK);
    assert_int_equal(compile_vocabulary(&f->block, &count, &f->gguf, &report), WISP_OK);
    assert_int_equal(base_vocab_open(&f->vocab, (base_span){f->block.data, f->block.size}, &report), WISP_OK);
    assert_int_equal(f->vocab.count, count);
    assert_int_equal(guest_tokenizer_new(&f->tokenizer, &f->vocab, &report), WISP_OK);
}

static void close_vocab(fixture *f)
{
    guest_tokenizer_free(f->tokenizer);
    base_buffer_fini(&f->block);
    compile_gguf_close(&f->gguf);
    os_unmap(&f->map);
}

/* ---- published vectors ---- */

/* Tokens give back the text; SentencePiece's space before it is dropped again. */
static void check_round_trip(const fixture *f, base_span text, const guest_tokens *tokens)
{
    guest_detokenizer d = {.vocab = &f->vocab, .at_start = true};
    base_buffer out = {0};
    for (size_t i = 0; i < tokens->count; i++)
        guest_detokenize(&d, tokens->ids[i], &out);
    guest_detokenize_end(&d, &out);
    assert_int_equal(out.size, text.size);
    if (text.size) assert_memory_equal(out.data, text.data, text.size);
    base_buffer_fini(&out);
}

static unsigned check_case(fixture *f, const char *name, unsigned number, base_span text, base_span line)
{
    wisp_report report = {0};
    guest_tokens got = {0};
    assert_int_equal(guest_tokenize(f->tokenizer, text, GUEST_TOKENIZE_SPECIAL, &got, &report), WISP_OK);
    if (f->vocab.kind != VOCAB_WORDS) check_round_trip(f, text, &got);
    static const uint32_t never[8] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    const uint32_t *joins = f->vocab.joins;
    guest_tokens whole = {0};
    f->vocab.joins = never; /* word by word or at once: the same */
    assert_int_equal(guest_tokenize(f->tokenizer, text, GUEST_TOKENIZE_SPECIAL, &whole, &report), WISP_OK);
    f->vocab.joins = joins;
    assert_int_equal(whole.count, got.count);
    if (got.count) assert_memory_equal(whole.ids, got.ids, got.count * sizeof *got.ids);
    guest_tokens_fini(&whole);
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
VECTORS(test_bert_bge, "bert-bge")

/* ---- built-in vocabularies ---- */

typedef struct built {
    base_buffer block;
    base_vocab vocab;
    guest_tokenizer *tokenizer;
} built;

/* GPT-2's letter for a byte. */
static size_t letter_of(uint8_t byte, uint8_t out[4])
{
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; b++) {
        bool itself = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        if (b == byte) return base_utf8_encode(itself ? b : next, out);
        next += !itself;
    }
    return 0;
}

enum { BUILT_MAX = 400, BUILT_TEXT = 16 };
typedef struct parts {
    char text[BUILT_MAX][BUILT_TEXT];
    base_span tokens[BUILT_MAX], merges[64];
    float scores[BUILT_MAX];
    int32_t types[BUILT_MAX];
    base_vocab_source source;
} parts;

static uint32_t add(parts *p, const void *text, size_t size, int32_t type, float score)
{
    uint32_t id = p->source.count++;
    memcpy(p->text[id], text, size);
    p->tokens[id] = (base_span){(const uint8_t *)p->text[id], size};
    p->types[id] = type;
    p->scores[id] = score;
    return id;
}

static uint32_t add_text(parts *p, const char *text, int32_t type, float score)
{
    return add(p, text, strlen(text), type, score);
}

static void init_parts(parts *p, uint32_t kind)
{
    memset(p, 0, sizeof *p);
    p->source = (base_vocab_source){.kind = kind,
                                    .tokens = p->tokens,
                                    .types = p->types,
                                    .bos = -1,
                                    .eos = -1,
                                    .unk = -1,
                                    .eot = -1,
                                    .add_bos = -1,
                                    .add_eos = -1,
                                    .add_space_prefix = -1,
                                    .remove_extra_whitespaces = -1,
                                    .ignore_merges = -1,
                                    .byte_fallback = -1,
                                    .space_as_suffix = -1,
                                    .fuse_unknown = -1,
                                    .merges = p->merges,
                                    .scores = kind == VOCAB_SPM ? p->scores : NULL};
    for (unsigned b = 0; b < 256; b++) {
        char name[8];
        uint8_t letter[4];
        snprintf(name, sizeof name, "<0x%02X>", b);
        if (kind == VOCAB_SPM)
            add_text(p, name, VOCAB_BYTE, 0);
        else
            add(p, letter, letter_of((uint8_t)b, letter), VOCAB_NORMAL, 0);
    }
}

static void build(built *v, const parts *p)
{
    wisp_report report = {0};
    memset(v, 0, sizeof *v);
    assert_int_equal(base_vocab_write(&v->block, &p->source, &report), WISP_OK);
    assert_int_equal(base_vocab_open(&v->vocab, (base_span){v->block.data, v->block.size}, &report), WISP_OK);
    assert_int_equal(guest_tokenizer_new(&v->tokenizer, &v->vocab, &report), WISP_OK);
}

static void free_built(built *v)
{
    guest_tokenizer_free(v->tokenizer);
    base_buffer_fini(&v->block);
}

static void assert_tokens(const built *v, const char *text, unsigned flags, const char *expected)
{
    wisp_report report = {0};
    guest_tokens got = {0};
    char have[512] = "";
    assert_int_equal(guest_tokenize(v->tokenizer, span_of(text), flags, &got, &report), WISP_OK);
    for (size_t i = 0, n = 0; i < got.count; i++)
        n += (size_t)snprintf(have + n, sizeof have - n, i ? " %u" : "%u", (unsigned)got.ids[i]);
    guest_tokens_fini(&got);
    assert_string_equal(have, expected);
}

static void test_special_tokens(void **state)
{
    (void)state;
    parts p;
    built v;
    init_parts(&p, VOCAB_SPM);
    p.source.bos = add_text(&p, "<s>", VOCAB_CONTROL, 0);   /* 256 */
    p.source.eos = add_text(&p, "</s>", VOCAB_CONTROL, 0);  /* 257 */
    add_text(&p, "<s><s>", VOCAB_CONTROL, 0);               /* 258 */
    add_text(&p, "[user]", VOCAB_USER_DEFINED, 0);          /* 259 */
    p.source.unk = add_text(&p, "<unk>", VOCAB_UNKNOWN, 0); /* 260 */
    add_text(&p, "\u2581", VOCAB_NORMAL, -1);               /* 261 */
    add_text(&p, "a", VOCAB_NORMAL, -2);                    /* 262 */
    add_text(&p, "\u2581a", VOCAB_NORMAL, -3);              /* 263 */
    add_text(&p, "<|im_end|>", VOCAB_CONTROL, 0);           /* 264 */
    build(&v, &p);
    assert_tokens(&v, "<s>a", GUEST_TOKENIZE_SPECIAL, "256 263");
    assert_tokens(&v, "<s><s><s>a", GUEST_TOKENIZE_SPECIAL, "258 256 263");
    assert_tokens(&v, "a<s>", 0, "263 60 115 62");
    assert_tokens(&v, "a[user]a", 0, "263 259 263");
    assert_tokens(&v, "<unk>", GUEST_TOKENIZE_SPECIAL, "260");
    assert_tokens(&v, "a", GUEST_TOKENIZE_ADD, "256 263");
    assert_tokens(&v, "", GUEST_TOKENIZE_ADD, "256");
    assert_tokens(&v, "a  a", 0, "263 261 263");
    assert_tokens(&v, "\xc3\xa9", 0, "261 195 169");
    assert_true(base_vocab_is_end(&v.vocab, 257) && base_vocab_is_end(&v.vocab, 264) &&
                !base_vocab_is_end(&v.vocab, 256));
    free_built(&v);
    p.source.add_bos = 0;
    p.source.add_eos = 1;
    p.source.add_space_prefix = 0;
    build(&v, &p);
    assert_tokens(&v, "a", GUEST_TOKENIZE_ADD, "262 257");
    free_built(&v);
}

/* Pieces that are no tokens still take part in merges, and fall apart into bytes if they remain. */
static void test_merges_without_tokens(void **state)
{
    (void)state;
    parts p;
    built v;
    init_parts(&p, VOCAB_BPE);
    uint32_t abc = add_text(&p, "abc", VOCAB_NORMAL, 0);
    p.merges[0] = span_of("a b");
    p.merges[1] = span_of("ab c");
    p.merges[2] = span_of("nonsense");
    p.merges[3] = span_of("a b");
    p.merges[4] = span_of(" x");
    p.source.merge_count = 5;
    build(&v, &p);
    assert_int_equal(v.vocab.merge_count, 2);
    assert_int_equal(abc, 256);
    assert_tokens(&v, "abcab", 0, "256 97 98");
    free_built(&v);
}

static void test_bad_sources(void **state)
{
    (void)state;
    static parts p;
    base_buffer out = {0};
    wisp_report report = {0};
    init_parts(&p, VOCAB_BPE);
    p.source.pre = span_of("no-such");
    assert_int_equal(base_vocab_write(&out, &p.source, &report), WISP_E_UNSUPPORTED);
    assert_non_null(strstr(report.text, "no-such"));
    init_parts(&p, VOCAB_SPM);
    p.source.eos = 256;
    assert_int_equal(base_vocab_write(&out, &p.source, &report), WISP_E_INPUT);
    init_parts(&p, VOCAB_SPM);
    p.scores[5] = __builtin_nanf("");
    assert_int_equal(base_vocab_write(&out, &p.source, &report), WISP_E_INPUT);
    init_parts(&p, VOCAB_KINDS);
    assert_int_equal(base_vocab_write(&out, &p.source, &report), WISP_E_UNSUPPORTED);
    init_parts(&p, VOCAB_SPM);
    p.source.count = 0;
    assert_int_equal(base_vocab_write(&out, &p.source, &report), WISP_E_INPUT);
    assert_int_equal(out.size, 0);
    base_buffer_fini(&out);
}

/* A damaged block is refused, or tokenizes to something: never a fault (run under a sanitizer). */
static void test_damaged_blocks(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 255, 400, 0x7fffffff, 0x80000000, 0xffffffff};
    for (uint32_t kind = VOCAB_SPM; kind <= VOCAB_BPE; kind++) {
        parts p;
        built v;
        init_parts(&p, kind);
        p.source.bos = add_text(&p, "<s>", VOCAB_CONTROL, 0);
        add_text(&p, "ab", VOCAB_NORMAL, 1);
        p.merges[0] = span_of("a b");
        p.source.merge_count = kind == VOCAB_BPE;
        build(&v, &p);
        unsigned opened = 0;
        for (size_t at = 0; at + 4 <= v.block.size; at += at < 2048 ? 4 : 52) {
            for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
                wisp_report report = {0};
                base_vocab damaged;
                guest_tokenizer *t = NULL;
                uint32_t before;
                memcpy(&before, v.block.data + at, 4);
                memcpy(v.block.data + at, &values[k], 4);
                if (base_vocab_open(&damaged, (base_span){v.block.data, v.block.size}, &report) == WISP_OK &&
                    guest_tokenizer_new(&t, &damaged, &report) == WISP_OK) {
                    guest_tokens got = {0};
                    assert_int_equal(guest_tokenize(t, span_of("ab <s>abab \xff"), 3, &got, &report), WISP_OK);
                    for (size_t i = 0; i < got.count; i++)
                        assert_true(got.ids[i] < damaged.piece_count);
                    guest_tokens_fini(&got);
                    opened++;
                }
                guest_tokenizer_free(t);
                memcpy(v.block.data + at, &before, 4);
            }
        }
        assert_true(opened > 0);
        for (size_t size = 0; size < v.block.size; size += size < 200 ? 1 : 61) {
            wisp_report report = {0};
            base_vocab cut;
            uint8_t *copy = malloc(size ? size : 1);
            memcpy(copy, v.block.data, size);
            assert_int_not_equal(base_vocab_open(&cut, (base_span){copy, size}, &report), WISP_OK);
            free(copy);
        }
        free_built(&v);
    }
}

/* Long runs of one character must not take quadratic time in any pre-tokenizer. */
static void test_long_runs(void **state)
{
    (void)state;
    enum { BYTES = 60000 };
    static const char *const units[] = {" ",      "\n",           "a",  "A",  "1",   "!",
                                        "\u4e00", "\u0e01\u0e34", "aA", "' ", " \n", "'s"};
    static const char *const pres[] = {
        "default", "gpt-2",     "llama-bpe", "qwen2",  "qwen35", "deepseek-llm", "deepseek-v3", "deepseek-coder",
        "falcon",  "starcoder", "tekken",    "gpt-4o", "bloom",  "viking",       "bailingmoe",  "seed-coder"};
    base_buffer text = {0};
    uint64_t begin = os_monotonic_ns();
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        static parts p;
        built v;
        init_parts(&p, VOCAB_BPE);
        p.source.pre = span_of(pres[i]);
        build(&v, &p);
        for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
            wisp_report report = {0};
            guest_tokens got = {0};
            text.size = 0;
            while (text.size < BYTES)
                base_put_text(&text, units[k]);
            base_put_text(&text, "x");
            base_span all = {text.data, text.size};
            assert_int_equal(guest_tokenize(v.tokenizer, all, 0, &got, &report), WISP_OK);
            assert_int_equal(got.count, text.size); /* bytes are all the tokens there are */
            guest_tokens_fini(&got);
        }
        free_built(&v);
    }
    base_buffer_fini(&text);
    assert_true(os_monotonic_ns() - begin < 60000000000u); /* a quadratic one takes hours */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama_spm),
        cmocka_unit_test(test_phi_3),
        cmocka_unit_test(test_llama_bpe),
        cmocka_unit_test(test_gpt_2),
        cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_falcon),
        cmocka_unit_test(test_mpt),
        cmocka_unit_test(test_starcoder),
        cmocka_unit_test(test_deepseek_llm),
        cmocka_unit_test(test_bert_bge),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_merges_without_tokens),
        cmocka_unit_test(test_bad_sources),
        cmocka_unit_test(test_damaged_blocks),
        cmocka_unit_test(test_long_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
