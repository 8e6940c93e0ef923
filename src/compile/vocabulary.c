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
} tables;

static void free_tables(tables *t)
{
    base_free(t->tokens);
    base_free(t->merges);
    base_free(t->scores);
    base_free(t->types);
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

/* An array of one 4-byte element a token, copied because the file promises no alignment; NULL if absent. */
static wisp_status read_column(const compile_gguf *g, const char *key, uint32_t element, uint32_t count, void **out,
                               wisp_report *report)
{
    const compile_gguf_kv *kv;
    BASE_TRY(compile_gguf_array(g, key, element, &kv, report));
    if (!kv) return WISP_OK;
    if (kv->count != count)
        return base_fail(report, WISP_E_INPUT, "key '%s': %" PRIu64 " elements for %" PRIu32 " tokens", key, kv->count,
                         count);
    *out = base_alloc(kv->bytes.size);
    if (!*out) return no_memory(report);
    memcpy(*out, kv->bytes.data, kv->bytes.size);
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

static wisp_status read_kind(const compile_gguf *g, uint32_t *kind, wisp_report *report)
{
    base_span model = {NULL, 0};
    BASE_TRY(compile_gguf_string(g, "tokenizer.ggml.model", &model, report));
    if (!model.data) return base_fail(report, WISP_E_UNSUPPORTED, "key 'tokenizer.ggml.model' is missing");
    if (model.size == 5 && memcmp(model.data, "llama", 5) == 0)
        *kind = VOCAB_SPM;
    else if (model.size == 4 && memcmp(model.data, "gpt2", 4) == 0)
        *kind = VOCAB_BPE;
    else
        return base_fail(report, WISP_E_UNSUPPORTED, "key 'tokenizer.ggml.model': '%.*s' is not supported",
                         (int)(model.size < 40 ? model.size : 40), (const char *)model.data);
    return WISP_OK;
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

static wisp_status read_source(const compile_gguf *g, base_vocab_source *s, tables *t, wisp_report *report)
{
    BASE_TRY(read_kind(g, &s->kind, report));
    BASE_TRY(compile_gguf_string(g, "tokenizer.ggml.pre", &s->pre, report));
    BASE_TRY(read_tables(g, s, t, report));
    BASE_TRY(read_id(g, "tokenizer.ggml.bos_token_id", s->count, &s->bos, report));
    BASE_TRY(read_id(g, "tokenizer.ggml.eos_token_id", s->count, &s->eos, report));
    BASE_TRY(read_id(g, "tokenizer.ggml.unknown_token_id", s->count, &s->unk, report));
    BASE_TRY(read_eot(g, s, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.add_bos_token", &s->add_bos, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.add_eos_token", &s->add_eos, report));
    BASE_TRY(read_flag(g, "tokenizer.ggml.add_space_prefix", &s->add_space_prefix, report));
    return read_flag(g, "tokenizer.ggml.remove_extra_whitespaces", &s->remove_extra_whitespaces, report);
}

wisp_status compile_vocabulary(base_buffer *out, uint32_t *count, const compile_gguf *g, wisp_report *report)
{
    base_vocab_source s = {.bos = -1, .eos = -1, .unk = -1, .eot = -1};
    tables t = {0};
    wisp_status status = read_source(g, &s, &t, report);
    if (!status) status = base_vocab_write(out, &s, report);
    *count = s.count;
    free_tables(&t);
    return status;
}
