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
#include "compile/tokenizer_json.h"
#include "guest/normalize.h"
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
                                    .scores = kind == VOCAB_BPE ? NULL : p->scores};
    for (unsigned b = 0; b < 256 && !base_vocab_has_trie(kind); b++) {
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
    for (uint32_t kind = VOCAB_SPM; kind < VOCAB_KINDS; kind++) {
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

/* What a unit repeated to that many bytes costs. */
static double work_of(const built *v, const char *unit, size_t bytes)
{
    wisp_report report = {0};
    guest_tokens got = {0};
    base_buffer text = {0};
    while (text.size < bytes)
        base_put_text(&text, unit);
    base_put_text(&text, "x");
    uint64_t before = guest_tokenize_work(v->tokenizer);
    assert_int_equal(guest_tokenize(v->tokenizer, (base_span){text.data, text.size}, 1, &got, &report), WISP_OK);
    guest_tokens_fini(&got);
    base_buffer_fini(&text);
    return (double)(guest_tokenize_work(v->tokenizer) - before);
}

static const char *const hostile_units[] = {" ",  "\n", "a",   "A",  "1",       "!",          "\u4e00",  "\u0e01\u0e34",
                                            "aA", "' ", " \n", "'s", "\u4e00A", "\U0001f600", "e\u0301", "<|"};

/* Twice the text must not cost more than twice as much and a bit (n log n), whatever it is: steps, not seconds. */
static void assert_not_quadratic(const built *v, const char *name, size_t bytes)
{
    for (size_t k = 0; k < sizeof hostile_units / sizeof *hostile_units; k++) {
        double once = work_of(v, hostile_units[k], bytes), twice = work_of(v, hostile_units[k], 2 * bytes);
        if (twice > 2.3 * once) print_error("%s, '%s': %.0f, then %.0f steps\n", name, hostile_units[k], once, twice);
        assert_true(twice <= 2.3 * once);
        assert_true(once < (double)bytes * 400);
    }
}

static void test_long_runs(void **state)
{
    (void)state;
    static const char *const pres[] = {"default",
                                       "gpt-2",
                                       "llama-bpe",
                                       "qwen2",
                                       "qwen35",
                                       "deepseek-llm",
                                       "deepseek-v3",
                                       "deepseek-coder",
                                       "falcon",
                                       "starcoder",
                                       "tekken",
                                       "gpt-4o",
                                       "bloom",
                                       "viking",
                                       "bailingmoe",
                                       "seed-coder",
                                       "jais-2",
                                       "spark2_5",
                                       "youtu",
                                       "tiny_aya",
                                       "ufakzeka",
                                       "afmoe",
                                       "laguna",
                                       "exaone-moe",
                                       "minicpm5",
                                       "wisp-o200k",
                                       "wisp-tekken",
                                       "gemma4",
                                       "granite-embed-multi-97m"};
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        static parts p;
        built v;
        init_parts(&p, VOCAB_BPE);
        p.source.pre = span_of(pres[i]);
        build(&v, &p);
        assert_not_quadratic(&v, pres[i], 20000);
        free_built(&v);
    }
}

static void add_runs(parts *p, uint32_t kind)
{
    static const char *const units[] = {"a", "\u2581", "\u4e00", "\U0001f600"};
    init_parts(p, kind);
    if (kind == VOCAB_WORDS || kind == VOCAB_UNIGRAM) p->source.unk = add_text(p, "[UNK]", VOCAB_UNKNOWN, -10);
    for (size_t u = 0; u < 4; u++) {
        char text[BUILT_TEXT] = "";
        for (int n = 1; strlen(text) + strlen(units[u]) < BUILT_TEXT; n++) {
            strcat(text, units[u]);
            if ((n & (n - 1)) == 0) add_text(p, text, VOCAB_NORMAL, -1 - (float)n);
        }
    }
    add_text(p, "\u2581a", VOCAB_NORMAL, -3);
    p->merges[0] = span_of("a a");
    p->merges[1] = span_of("aa aa");
    p->merges[2] = span_of("aaaa aaaa");
    p->source.merge_count = kind == VOCAB_BPE ? 3 : 0;
}

/* A megabyte, and two, of one character in every kind. */
static void test_megabytes(void **state)
{
    (void)state;
    for (uint32_t kind = VOCAB_SPM; kind < VOCAB_KINDS; kind++) {
        static parts p;
        built v;
        add_runs(&p, kind);
        p.source.pre = kind == VOCAB_BPE ? span_of("llama-bpe") : (base_span){0};
        build(&v, &p);
        for (size_t k = 0; k < 4; k++) {
            static const char *const units[] = {"a", " ", "\u4e00", "\U0001f600"};
            double once = work_of(&v, units[k], 1 << 20), twice = work_of(&v, units[k], 2 << 20);
            assert_true(twice <= 2.3 * once);
        }
        free_built(&v);
    }
}

/* ---- the kinds that look for whole tokens ---- */

static void test_unigram(void **state)
{
    (void)state;
    static parts p;
    built v;
    init_parts(&p, VOCAB_UNIGRAM);
    p.source.unk = add_text(&p, "<unk>", VOCAB_UNKNOWN, 0); /* 0 */
    p.source.eos = add_text(&p, "</s>", VOCAB_CONTROL, 0);  /* 1 */
    add_text(&p, "\u2581", VOCAB_NORMAL, -3);               /* 2 */
    add_text(&p, "a", VOCAB_NORMAL, -3);                    /* 3 */
    add_text(&p, "b", VOCAB_NORMAL, -3);                    /* 4 */
    add_text(&p, "ab", VOCAB_NORMAL, -4);                   /* 5 */
    add_text(&p, "\u2581a", VOCAB_NORMAL, -3.5f);           /* 6 */
    add_text(&p, "ba", VOCAB_NORMAL, -7);                   /* 7 */
    p.source.add_space_prefix = p.source.remove_extra_whitespaces = 1;
    build(&v, &p);
    assert_tokens(&v, "ab", 0, "6 4");
    assert_tokens(&v, "  a   ab ", 0, "6 6 4");
    assert_tokens(&v, "aab", 0, "6 5");
    assert_tokens(&v, "xyz a", 0, "2 0 6"); /* three unknown characters are one token */
    assert_tokens(&v, "a</s>a", GUEST_TOKENIZE_SPECIAL | GUEST_TOKENIZE_ADD, "6 1 6 1");
    assert_tokens(&v, "", 0, "");
    free_built(&v);
}

static void test_word_pieces(void **state)
{
    (void)state;
    static parts p;
    built v;
    init_parts(&p, VOCAB_WORDS);
    p.source.unk = add_text(&p, "[UNK]", VOCAB_CONTROL, 0); /* 0 */
    p.source.bos = add_text(&p, "[CLS]", VOCAB_CONTROL, 0); /* 1 */
    p.source.eos = add_text(&p, "[SEP]", VOCAB_CONTROL, 0); /* 2 */
    add_text(&p, "\u2581un", VOCAB_NORMAL, 0);              /* 3 */
    add_text(&p, "aff", VOCAB_NORMAL, 0);                   /* 4 */
    add_text(&p, "able", VOCAB_NORMAL, 0);                  /* 5 */
    add_text(&p, "\u2581,", VOCAB_NORMAL, 0);               /* 6 */
    add_text(&p, "\u2581\u4e00", VOCAB_NORMAL, 0);          /* 7 */
    p.source.normalizer = VOCAB_CLEAN | VOCAB_CJK | VOCAB_DECOMPOSE | VOCAB_STRIP_ACCENTS | VOCAB_LOWERCASE;
    p.source.word_max = 12;
    build(&v, &p);
    assert_tokens(&v, "unaffable", GUEST_TOKENIZE_ADD, "1 3 4 5 2");
    assert_tokens(&v, "\u00dcN,\u4e00un\u0301\t\x01un", 0, "3 6 7 3 3");
    assert_tokens(&v, "unaffx un", 0, "0 3");
    assert_tokens(&v, "unableable", 0, "3 5 5");
    assert_tokens(&v, "unableableable", 0, "0"); /* more than word_max characters */
    assert_tokens(&v, "un [SEP] un", GUEST_TOKENIZE_SPECIAL, "3 2 3");
    free_built(&v);
}

static void test_greedy(void **state)
{
    (void)state;
    static parts p;
    built v;
    init_parts(&p, VOCAB_GREEDY);
    add_text(&p, "\\x00", VOCAB_NORMAL, 0);      /* 0 */
    add_text(&p, "a", VOCAB_NORMAL, 0);          /* 1 */
    add_text(&p, "aab", VOCAB_NORMAL, 0);        /* 2 */
    add_text(&p, "\\n\\n", VOCAB_NORMAL, 0);     /* 3 */
    add_text(&p, "\\xE4\\xb8", VOCAB_NORMAL, 0); /* 4 */
    add_text(&p, "\\x80", VOCAB_NORMAL, 0);      /* 5 */
    add_text(&p, "\\\\", VOCAB_NORMAL, 0);       /* 6 */
    build(&v, &p);
    assert_tokens(&v, "aaaab", 0, "1 1 2");
    assert_tokens(&v, "a\n\na\\", 0, "1 3 1 6");
    assert_tokens(&v, "\u4e00", 0, "4 5");
    guest_detokenizer d = {.vocab = &v.vocab, .at_start = true};
    base_buffer out = {0};
    guest_detokenize(&d, 4, &out);
    assert_int_equal(out.size, 0); /* waits for the rest of the character */
    guest_detokenize(&d, 5, &out);
    assert_int_equal(out.size, 3);
    base_buffer_fini(&out);
    free_built(&v);
}

/* Special tokens that take white space with them. */
static void test_strips(void **state)
{
    (void)state;
    static parts p;
    built v;
    static uint8_t strip[BUILT_MAX];
    init_parts(&p, VOCAB_BPE);
    strip[add_text(&p, "<l>", VOCAB_CONTROL, 0)] = VOCAB_STRIP_LEFT;  /* 256 */
    strip[add_text(&p, "<r>", VOCAB_CONTROL, 0)] = VOCAB_STRIP_RIGHT; /* 257 */
    add_text(&p, "<n>", VOCAB_CONTROL, 0);                            /* 258 */
    p.source.strip = strip;
    build(&v, &p);
    assert_tokens(&v, "a <l> b", GUEST_TOKENIZE_SPECIAL, "97 256 32 98");
    assert_tokens(&v, "a <r> \n b", GUEST_TOKENIZE_SPECIAL, "97 32 257 98");
    assert_tokens(&v, "a <n> b", GUEST_TOKENIZE_SPECIAL, "97 32 258 32 98");
    assert_tokens(&v, "<r> <l>", GUEST_TOKENIZE_SPECIAL, "257 256");
    free_built(&v);
}

static void assert_normal(const char *text, uint32_t steps, const char *expected)
{
    base_buffer out = {0};
    assert_true(guest_normalize(&out, span_of(text), steps));
    base_put_u8(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    base_buffer_fini(&out);
}

static void test_normal_forms(void **state)
{
    (void)state;
    assert_normal("e\u0301 \u212b x", VOCAB_COMPOSE, "\u00e9 \u00c5 x");
    assert_normal("\u1e69", VOCAB_DECOMPOSE, "s\u0323\u0307");
    assert_normal("s\u0307\u0323", VOCAB_DECOMPOSE, "s\u0323\u0307");
    assert_normal("s\u0307\u0323", VOCAB_COMPOSE, "\u1e69");
    assert_normal("\ufb01 \u2460", VOCAB_COMPOSE | VOCAB_COMPATIBLE, "fi 1");
    assert_normal("\ufb01", VOCAB_COMPOSE, "\ufb01");
    assert_normal("\ud55c\uae00", VOCAB_DECOMPOSE, "\u1112\u1161\u11ab\u1100\u1173\u11af");
    assert_normal("\u1112\u1161\u11ab", VOCAB_COMPOSE, "\ud55c");
    assert_normal("\u0958", VOCAB_COMPOSE, "\u0915\u093c"); /* excluded from composition */
    assert_normal("\u00c9A\u0301", VOCAB_DECOMPOSE | VOCAB_STRIP_ACCENTS | VOCAB_LOWERCASE, "ea");
    assert_normal("a\x01\tb\u200d\u3000c\xff", VOCAB_CLEAN, "a b c");
    assert_normal("\xff", VOCAB_COMPOSE, "\ufffd");
}

/* ---- tokenizer.json ---- */

static wisp_status open_json(built *v, const char *json, wisp_report *report)
{
    uint32_t count;
    *v = (built){0};
    BASE_TRY(compile_tokenizer_json(&v->block, &count, span_of(json), NULL, report));
    BASE_TRY(base_vocab_open(&v->vocab, (base_span){v->block.data, v->block.size}, report));
    assert_int_equal(v->vocab.count, count);
    return guest_tokenizer_new(&v->tokenizer, &v->vocab, report);
}

static void assert_json_tokens(const char *json, const char *text, const char *expected)
{
    wisp_report report = {0};
    built v;
    if (open_json(&v, json, &report) != WISP_OK) print_error("%s\n", report.text);
    assert_int_equal(report.status, WISP_OK);
    assert_tokens(&v, text, GUEST_TOKENIZE_ADD | GUEST_TOKENIZE_SPECIAL, expected);
    free_built(&v);
}

#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
static void test_tokenizer_json(void **state)
{
    (void)state;
    assert_json_tokens("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"\u0120\":2,\"ab\":3,\"\u0120ab\":4},"
                       "\"merges\":[\"a b\",[\"\u0120\",\"ab\"]]}," BYTE_LEVEL
                       ",\"added_tokens\":[{\"id\":5,\"content\":"
                       "\"<x>\",\"special\":true,\"lstrip\":true,\"rstrip\":false}],\"post_processor\":{\"type\":"
                       "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<x>\"}},{\"Sequence\":{}}]}}",
                       "ab ab <x>b", "5 3 4 5 1");
    assert_json_tokens("{\"model\":{\"type\":\"BPE\",\"unk_token\":\"<u>\",\"byte_fallback\":true,\"fuse_unk\":true,"
                       "\"vocab\":{\"<u>\":0,\"\u2581\":1,\"a\":2,\"\u2581a\":3,\"<0xC3>\":4,\"<0xA9>\":5},\"merges\":["
                       "\"\u2581 a\"]},\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
                       "\"prepend\":\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":"
                       "\"\u2581\"}]}}",
                       "a \u00e9xyz", "3 1 4 5 0");
    assert_json_tokens("{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"un\":1,"
                       "\"##able\":2}},\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true},"
                       "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}}",
                       "Unable able", "1 2 0");
    assert_json_tokens("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\u2581a\",-1.5],"
                       "[\"b\",-2]]},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\","
                       "\"prepend_scheme\":\"always\"}}",
                       "ab axx", "1 2 1 0");
}

#define MODEL(rest) "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]" rest
static void test_bad_tokenizer_json(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "ends too early"},
        {"[]", "no model"},
        {"{\"model\":{\"type\":\"BPE\"}}", "no model.vocab"},
        {"{\"model\":{\"type\":\"Magic\",\"vocab\":{}}}", "'Magic'"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "id"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4294967296},\"merges\":[]}}", "id"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":9999999},\"merges\":[]}}", "far apart"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "duplicate"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "one id"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[3]}}", "merge"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", "merge"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", "form"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"b\"]]}}", "score"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e999]]}}", "score"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":7,\"vocab\":[[\"a\",1]]}}", "unknown token"},
        {MODEL("},\"added_tokens\":[{\"id\":2}]}"), "content"},
        {MODEL("},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(x+x+)+y\"},\"behavior\":\"Isolated\"}"
               "}"),
         "(x+x+)+y"},
        {MODEL("},\"normalizer\":{\"type\":\"Magic\"}}"), "Magic"},
        {MODEL("}}"), "pre-tokenizer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wisp_report report = {0};
        built v;
        if (open_json(&v, bad[i].json, &report) == WISP_OK || !strstr(report.text, bad[i].says))
            print_error("'%s' says '%s', not '%s'\n", bad[i].json, report.text, bad[i].says);
        assert_non_null(strstr(report.text, bad[i].says));
        free_built(&v);
    }
}

/* Seeds for fuzz/fuzz_vocab: WISP_SEEDS=fuzz/corpus/vocab vocab_test */
static void write_seeds(void **state)
{
    (void)state;
    static const char *const names[VOCAB_KINDS] = {"", "spm", "bpe", "unigram", "words", "greedy"};
    static const char *const pres[] = {"llama-bpe", "gpt-4o", "deepseek-llm", "tiny_aya", "gemma4", "exaone-moe"};
    const char *folder = getenv("WISP_SEEDS");
    if (!folder) skip();
    for (uint32_t kind = VOCAB_SPM; kind < VOCAB_KINDS; kind++) {
        for (size_t i = 0; i < (kind == VOCAB_BPE ? sizeof pres / sizeof *pres : 1); i++) {
            static parts p;
            built v;
            char path[512];
            static const char text[] = "\x03\x1cHello 'S 12345 \u4e00e\u0301<s>\n\n";
            add_runs(&p, kind);
            p.source.bos = add_text(&p, "<s>", VOCAB_CONTROL, 0);
            if (kind == VOCAB_BPE) p.source.pre = span_of(pres[i]);
            if (kind == VOCAB_WORDS) p.source.normalizer = VOCAB_NORMALIZER_BITS;
            build(&v, &p);
            snprintf(path, sizeof path, "%s/%s%s%s", folder, names[kind], kind == VOCAB_BPE ? "-" : "",
                     kind == VOCAB_BPE ? pres[i] : "");
            FILE *file = fopen(path, "wb");
            assert_non_null(file);
            fwrite(text, 1, 2, file);
            fwrite(text + 2, 1, (size_t)text[1], file);
            fwrite(v.block.data, 1, v.block.size, file);
            fclose(file);
            free_built(&v);
        }
    }
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
        cmocka_unit_test(test_megabytes),
        cmocka_unit_test(test_unigram),
        cmocka_unit_test(test_word_pieces),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_strips),
        cmocka_unit_test(test_normal_forms),
        cmocka_unit_test(test_tokenizer_json),
        cmocka_unit_test(test_bad_tokenizer_json),
        cmocka_unit_test(write_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
