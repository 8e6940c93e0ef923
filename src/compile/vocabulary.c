/* tokenizer.* keys of GGUF -> base/vocab.h. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/vocab.h"
#include "compile/convert.h"

enum { TOKENS_MAX = 1 << 24 };

/* Texts that end a turn where no key names the token; the first that exists counts. */
static const char *const end_of_turn[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"};

typedef struct tables {
    base_span *tokens, *merges;
    float *scores;
    int32_t *types;
    uint8_t *strip;
} tables;

static void free_tables(tables *t)
{
    base_free(t->tokens);
    base_free(t->merges);
    base_free(t->scores);
    base_free(t->types);
    base_free(t->strip);
}

static wisp_status no_memory(wisp_report *report)
{
    return base_fail(report, WISP_E_MEMORY, "out of memory for the vocabulary");
}

static wisp_status read_strings(const compile_gguf *g, const char *key, base_span **out, uint32_t *count,
                                wisp_report *report)
{
    const compile_gguf_kv *kv;
    BASE_TRY(compile_gguf_array(g, key, GGUF_STRING, &kv, report));
    if (!kv) return WISP_OK;
    if (kv->count > TOKENS_MAX)
        return base_fail(report, WISP_E_LIMIT, "key '%s': %" PRIu64 " elements, more than %d", key, kv->count,
                         TOKENS_MAX);
    *out = base_calloc(kv->count, sizeof **out);
    if (!*out) return no_memory(report);
    base_reader r = base_reader_of(kv->bytes.data, kv->bytes.size);
    for (uint64_t i = 0; i < kv->count; i++)
        (*out)[i] = compile_gguf_next_string(&r);
    *count = (uint32_t)kv->count;
    return WISP_OK;
}

/* An array of a 4-byte element for each token, copied because the file promises no alignment; NULL if absent. */
static wisp_status read_column(const compile_gguf *g, const char *key, uint32_t element, uint32_t count, void **out,
                               wisp_report *report)
{
    const compile_gguf_kv *kv;
    BASE_TRY(compile_gguf_array(g, key, element, &kv, report));
    if (!kv) return WISP_OK;
    if (kv->count < count)
        return base_fail(report, WISP_E_INPUT, "key '%s': %" PRIu64 " elements for %" PRIu32 " tokens", key, kv->count,
                         count);
    *out = base_alloc((size_t)count * 4);
    if (!*out) return no_memory(report);
    memcpy(*out, kv->bytes.data, (size_t)count * 4);
    return WISP_OK;
}

static wisp_status read_id(const compile_gguf *g, const char *key, uint32_t count, int64_t *id, wisp_report *report)
{
    BASE_TRY(compile_gguf_int(g, key, id, report));
    if (*id == UINT32_MAX) *id = -1; /* how some writers say "none" */
    if (*id < -1 || *id >= (int64_t)count)
        return base_fail(report, WISP_E_INPUT, "key '%s': %" PRId64 " is not one of %" PRIu32 " tokens", key, *id,
                         count);
    return WISP_OK;
}

static wisp_status read_flag(const compile_gguf *g, const char *key, int *flag, wisp_report *report)
{
    bool value = false;
    BASE_TRY(compile_gguf_bool(g, key, &value, report));
    *flag = compile_gguf_find(g, key) ? value : -1;
    return WISP_OK;
}

/* GGUF's names, and which tokens are the special ones where a file does not say. */
typedef struct family {
    const char *name;
    uint32_t kind;
    int64_t bos, eos, unk;
} family;
static const family families[] = {
    {"llama", VOCAB_SPM, 1, 2, 0},        {"gpt2", VOCAB_BPE, -1, -1, -1}, {"gemma4", VOCAB_BPE, -1, -1, -1},
    {"bert", VOCAB_WORDS, 101, 102, 100}, {"t5", VOCAB_UNIGRAM, -1, 1, 2}, {"rwkv", VOCAB_GREEDY, -1, -1, -1},
};

static bool is_text(base_span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

static wisp_status read_family(const compile_gguf *g, const family **out, wisp_report *report)
{
    base_span model = {NULL, 0};
    BASE_TRY(compile_gguf_string(g, "tokenizer.ggml.model", &model, report));
    if (!model.data) return base_fail(report, WISP_E_UNSUPPORTED, "key 'tokenizer.ggml.model' is missing");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        *out = &families[i];
        if (is_text(model, families[i].name)) return WISP_OK;
    }
    return base_fail(report, WISP_E_UNSUPPORTED,
                     "key 'tokenizer.ggml.model': '%.*s' is not supported (llama, gpt2, gemma4, bert, t5 and rwkv are)",
                     (int)(model.size < 40 ? model.size : 40), (const char *)model.data);
}

/* The end of a turn: what the file says, or a token of a well-known text. */
static wisp_status read_eot(const compile_gguf *g, base_vocab_source *s, wisp_report *report)
{
    BASE_TRY(read_id(g, "tokenizer.ggml.eot_token_id", s->count, &s->eot, report));
    for (size_t n = 0; s->eot < 0 && n < sizeof end_of_turn / sizeof *end_of_turn; n++) {
        size_t size = strlen(end_of_turn[n]);
        for (uint32_t i = 0; i < s->count && s->eot < 0; i++)
            if (s->tokens[i].size == size && memcmp(s->tokens[i].data, end_of_turn[n], size) == 0) s->eot = i;
    }
    return WISP_OK;
}

static wisp_status read_tables(const compile_gguf *g, base_vocab_source *s, tables *t, wisp_report *report)
{
    BASE_TRY(read_strings(g, "tokenizer.ggml.tokens", &t->tokens, &s->count, report));
    if (s->count == 0) return base_fail(report, WISP_E_INPUT, "key 'tokenizer.ggml.tokens' is missing or empty");
    BASE_TRY(read_strings(g, "tokenizer.ggml.merges", &t->merges, &s->merge_count, report));
    void *column = NULL;
    BASE_TRY(read_column(g, "tokenizer.ggml.scores", GGUF_F32, s->count, &column, report));
    t->scores = column;
    column = NULL;
    BASE_TRY(read_column(g, "tokenizer.ggml.token_type", GGUF_I32, s->count, &column, report));
    t->types = column;
    s->tokens = t->tokens;
    s->merges = t->merges;
    s->scores = t->scores;
    s->types = t->types;
    return WISP_OK;
}

/* Bytes of either sign. */
static wisp_status read_charsmap(const compile_gguf *g, base_span *out, wisp_report *report)
{
    static const char key[] = "tokenizer.ggml.precompiled_charsmap";
    const compile_gguf_kv *kv = compile_gguf_find(g, key);
    if (!kv) return WISP_OK;
    if (kv->type != GGUF_ARRAY || (kv->element != GGUF_I8 && kv->element != GGUF_U8))
        return base_fail(report, WISP_E_INPUT, "key '%s' is not an array of bytes", key);
    *out = kv->bytes;
    return WISP_OK;
}

static wisp_status read_normalizer(const compile_gguf *g, base_vocab_source *s, wisp_report *report)
{
    bool lower = true, strip;
    if (s->kind == VOCAB_UNIGRAM) return read_charsmap(g, &s->charsmap, report);
    if (s->kind != VOCAB_WORDS) return WISP_OK;
    BASE_TRY(compile_gguf_bool(g, "tokenizer.ggml.normalizer.lowercase", &lower, report));
    strip = lower;
    BASE_TRY(compile_gguf_bool(g, "tokenizer.ggml.normalizer.strip_accents", &strip, report));
    s->normalizer =
        VOCAB_CLEAN | VOCAB_CJK | (lower ? VOCAB_LOWERCASE : 0) | (strip ? VOCAB_DECOMPOSE | VOCAB_STRIP_ACCENTS : 0);
    return WISP_OK;
}

/* Is the word in the text, in any case? */
static bool names(base_span text, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = 0; at + n <= text.size; at++) {
        size_t i = 0;
        while (i < n &&
               (text.data[at + i] | (text.data[at + i] >= 'A' && text.data[at + i] <= 'Z' ? 32 : 0)) == word[i])
            i++;
        if (i == n) return true;
    }
    return false;
}

/* White space that special tokens swallow: GGUF does not say it, so the models whose tokenizers do it are known by
 * name. The encoders' mask takes the space before it, Phi-3's tokens what comes after them. */
static wisp_status read_strip(const compile_gguf *g, base_vocab_source *s, tables *t, wisp_report *report)
{
    base_span name = {NULL, 0}, family = {NULL, 0};
    BASE_TRY(compile_gguf_string(g, "general.name", &name, report));
    BASE_TRY(compile_gguf_string(g, "general.architecture", &family, report));
    bool mask = names(s->pre, "jina-v2-") || names(family, "nomic-bert-moe") || names(family, "jina-bert-v3") ||
                names(name, "modern-bert");
    bool phi = !mask && (names(name, "phi-3") || names(name, "phi3"));
    if (!mask && !phi) return WISP_OK;
    if (!(t->strip = base_calloc(s->count, 1))) return no_memory(report);
    for (uint32_t i = 0; i < s->count; i++) {
        base_span text = s->tokens[i];
        if (mask && (is_text(text, "<mask>") || is_text(text, "[MASK]"))) t->strip[i] = VOCAB_STRIP_LEFT;
        if (phi && !is_text(text, "<unk>") && !is_text(text, "<s>") && !is_text(text, "<|endoftext|>"))
            t->strip[i] = VOCAB_STRIP_RIGHT;
    }
    s->strip = t->strip;
    return WISP_OK;
}

static int64_t within(int64_t id, uint32_t count)
{
    return id < (int64_t)count ? id : -1;
}

static wisp_status read_ids(const compile_gguf *g, base_vocab_source *s, const family *f, wisp_report *report)
{
    s->bos = within(f->bos, s->count);
    s->eos = within(f->eos, s->count);
    s->unk = within(f->unk, s->count);
    if (s->kind == VOCAB_WORDS) {
        BASE_TRY(read_id(g, "tokenizer.ggml.cls_token_id", s->count, &s->bos, report));
        BASE_TRY(read_id(g, "tokenizer.ggml.seperator_token_id", s->count, &s->eos, report)); /* spelt like that */
    } else {
        BASE_TRY(read_id(g, "tokenizer.ggml.eos_token_id", s->count, &s->eos, report));
    }
    BASE_TRY(read_id(g, "tokenizer.ggml.bos_token_id", s->count, &s->bos, report));
    return read_id(g, "tokenizer.ggml.unknown_token_id", s->count, &s->unk, report);
}

static wisp_status read_source(const compile_gguf *g, base_vocab_source *s, tables *t, wisp_report *report)
{
    const family *f;
    BASE_TRY(read_family(g, &f, report));
    s->kind = f->kind;
    BASE_TRY(compile_gguf_string(g, "tokenizer.ggml.pre", &s->pre, report));
    if (strcmp(f->name, "gemma4") == 0) s->pre = (base_span){(const uint8_t *)f->name, strlen(f->name)};
    BASE_TRY(read_tables(g, s, t, report));
    BASE_TRY(read_ids(g, s, f, report));
    BASE_TRY(read_eot(g, s, report));
    BASE_TRY(read_normalizer(g, s, report));
    BASE_TRY(read_strip(g, s, t, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.add_bos_token", &s->add_bos, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.add_eos_token", &s->add_eos, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.add_space_prefix", &s->add_space_prefix, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.remove_extra_whitespaces", &s->remove_extra_whitespaces, report));
    if (s->kind == VOCAB_WORDS) s->add_bos = s->add_eos = 1; /* whatever the file says */
    return WISP_OK;
}

wisp_status compile_vocabulary(base_buffer *out, uint32_t *count, const compile_gguf *g, wisp_report *report)
{
    base_vocab_source s = {.bos = -1,
                           .eos = -1,
                           .unk = -1,
                           .eot = -1,
                           .ignore_merges = -1,
                           .byte_fallback = -1,
                           .space_as_suffix = -1,
                           .fuse_unknown = -1};
    tables t = {0};
    wisp_status status = read_source(g, &s, &t, report);
    if (!status) status = base_vocab_write(out, &s, report);
    *count = s.count;
    free_tables(&t);
    return status;
}
