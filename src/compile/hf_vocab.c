#include "compile/hf_vocab.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "compile/spm_model.h"
#include "compile/tokenizer_json.h"

typedef struct vocabulary {
    hf_folder *folder;
    const hf_config *config;
    const base_json *tokenizer_config, *generation_config, *added; /* NULL: there is no such file */
    uint32_t rows;
    spm_model spm; /* source.count 0: there is no tokenizer.model */
    uint32_t ends[VOCAB_ENDS_MAX];
    base_buffer *block;
    uint32_t *count;
    gguf_head *head;
} vocabulary;

/* ---- special tokens ---- */

static int64_t find_text(const base_vocab_source *s, const char *text, size_t size)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->tokens[i].data && s->tokens[i].size == size && memcmp(s->tokens[i].data, text, size) == 0) return i;
    return -1;
}

/* "<s>", or an object that has it as content. */
static int64_t find_named(const base_vocab_source *s, const base_json *config, const char *key)
{
    const base_json *node = base_json_get(config, key);
    if (node && node->kind == JSON_OBJECT) node = base_json_get(node, "content");
    return node && node->kind == JSON_STRING ? find_text(s, node->text, node->size) : -1;
}

/* A number, or the first of a list. */
static int64_t first_id(const base_json *node, uint32_t count)
{
    uint64_t id;
    if (node && node->kind == JSON_ARRAY) node = node->first;
    return base_json_uint(node, &id) && id < count ? (int64_t)id : -1;
}

static void add_ends(vocabulary *v, base_vocab_source *s, const base_json *node)
{
    const bool list = node && node->kind == JSON_ARRAY;
    for (const base_json *e = list ? node->first : node; e; e = list ? e->next : NULL) {
        uint64_t id;
        if (!base_json_uint(e, &id) || id >= s->count || s->end_count == VOCAB_ENDS_MAX) continue;
        v->ends[s->end_count++] = (uint32_t)id;
    }
}

static void read_flag(const base_json *config, const char *key, int *flag)
{
    const base_json *node = base_json_get(config, key);
    if (node && node->kind == JSON_BOOL) *flag = node->boolean;
}

static void read_specials(vocabulary *v, base_vocab_source *s)
{
    const base_json *bos_id = hf_config_get(v->config, "bos_token_id"),
                    *eos_id = hf_config_get(v->config, "eos_token_id");
    const base_json *ends = base_json_get(v->generation_config, "eos_token_id");
    const int64_t bos = find_named(s, v->tokenizer_config, "bos_token");
    const int64_t eos = find_named(s, v->tokenizer_config, "eos_token");
    if (bos >= 0)
        s->bos = bos;
    else if (s->bos < 0)
        s->bos = first_id(bos_id, s->count);
    if (eos >= 0)
        s->eos = eos;
    else if (first_id(ends ? ends : eos_id, s->count) >= 0)
        s->eos = first_id(ends ? ends : eos_id, s->count);
    if (s->unk < 0) s->unk = find_named(s, v->tokenizer_config, "unk_token");
    add_ends(v, s, ends);
    add_ends(v, s, eos_id);
    s->ends = v->ends;
    read_flag(v->tokenizer_config, "add_bos_token", &s->add_bos);
    read_flag(v->tokenizer_config, "add_eos_token", &s->add_eos);
    if (s->bos < 0) s->add_bos = 0;
    if (s->eos < 0) s->add_eos = 0;
}

/* ---- GGUF's keys ---- */

static void put_i32_array(gguf_head *h, const char *key, const int32_t *values, uint32_t count)
{
    gguf_begin_array(h, key, GGUF_I32, count);
    for (uint32_t i = 0; i < count; i++)
        base_put_u32(&h->keys, (uint32_t)values[i]);
}

static void put_tokens(gguf_head *h, const base_vocab_source *s)
{
    gguf_begin_array(h, "tokenizer.ggml.tokens", GGUF_STRING, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        base_buffer pad = {0};
        base_span text = s->tokens[i];
        if (!text.data) { /* other tools want names, all different */
            base_putf(&pad, "[PAD%u]", (unsigned)i);
            text = (base_span){pad.data, pad.size};
        }
        gguf_put_element_string(h, (const char *)text.data, text.size);
        h->keys.failed |= pad.failed;
        base_buffer_fini(&pad);
    }
    if (s->types) put_i32_array(h, "tokenizer.ggml.token_type", s->types, s->count);
}

/* An id with its text, to find ids by texts. */
typedef struct named_id {
    base_span text;
    uint32_t id;
} named_id;

static int compare_texts(base_span a, base_span b)
{
    const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_named(const void *a, const void *b)
{
    return compare_texts(((const named_id *)a)->text, ((const named_id *)b)->text);
}

/* SentencePiece's scores from merges, for files that have no tokenizer.model: a piece is the better the earlier the
 * merge that makes it. */
static bool scores_of_merges(const base_vocab_source *s, float *scores)
{
    named_id *names = base_calloc(s->count, sizeof *names);
    uint8_t joined[1024];
    uint32_t named = 0;
    if (!names) return false;
    for (uint32_t i = 0; i < s->count; i++) {
        scores[i] = -(float)s->merge_count - 1;
        if (s->tokens[i].data) names[named++] = (named_id){s->tokens[i], i};
    }
    qsort(names, named, sizeof *names, compare_named);
    for (uint32_t m = s->merge_count; m-- > 0;) { /* the earliest one is written last */
        const base_span merge = s->merges[m];
        const uint8_t *space = memchr(merge.data, ' ', merge.size);
        if (!space || merge.size > sizeof joined) continue;
        const size_t left = (size_t)(space - merge.data);
        memcpy(joined, merge.data, left);
        memcpy(joined + left, space + 1, merge.size - left - 1);
        const named_id wanted = {{joined, merge.size - 1}, 0};
        const named_id *found = bsearch(&wanted, names, named, sizeof *names, compare_named);
        if (found) scores[found->id] = -(float)m;
    }
    base_free(names);
    return true;
}

static wisp_status put_scores(vocabulary *v, const base_vocab_source *s, wisp_report *report)
{
    float *made = NULL;
    const float *scores = s->scores;
    if (!scores && v->spm.source.count == s->count) scores = v->spm.scores; /* both have as many as there are rows */
    if (!scores) {
        made = base_calloc(s->count, sizeof *made);
        if (!made || !scores_of_merges(s, made)) {
            base_free(made);
            return base_fail(report, WISP_E_MEMORY, "out of memory");
        }
        scores = made;
    }
    gguf_begin_array(v->head, "tokenizer.ggml.scores", GGUF_F32, s->count);
    for (uint32_t i = 0; i < s->count; i++)
        base_put_f32(&v->head->keys, scores[i]);
    base_free(made);
    return WISP_OK;
}

static void put_model(gguf_head *h, const char *model, const char *pre)
{
    gguf_put_string(h, "tokenizer.ggml.model", model, strlen(model));
    if (pre) gguf_put_string(h, "tokenizer.ggml.pre", pre, strlen(pre));
}

static bool is(base_span text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static wisp_status put_bpe(vocabulary *v, const base_vocab_source *s, wisp_report *report)
{
    char pre[64];
    gguf_head *h = v->head;
    if (is(s->pre, "wisp-whole")) { /* SentencePiece's BPE in tokenizer.json's words */
        put_model(h, "llama", "default");
        put_tokens(h, s);
        return put_scores(v, s, report);
    }
    BASE_ASSERT(s->pre.size < sizeof pre);
    memcpy(pre, s->pre.data, s->pre.size);
    pre[s->pre.size] = 0;
    put_model(h, "gpt2", is(s->pre, "wisp-o200k") ? "gpt-4o" : is(s->pre, "wisp-tekken") ? "tekken" : pre);
    put_tokens(h, s);
    gguf_begin_array(h, "tokenizer.ggml.merges", GGUF_STRING, s->merge_count);
    for (uint32_t i = 0; i < s->merge_count; i++)
        gguf_put_element_string(h, (const char *)s->merges[i].data, s->merges[i].size);
    return WISP_OK;
}

static wisp_status put_kind(vocabulary *v, const base_vocab_source *s, wisp_report *report)
{
    gguf_head *h = v->head;
    if (s->kind == VOCAB_BPE) return put_bpe(v, s, report);
    put_model(h, s->kind == VOCAB_WORDS ? "bert" : s->kind == VOCAB_UNIGRAM ? "t5" : "llama", "default");
    put_tokens(h, s);
    if (s->kind == VOCAB_WORDS) return WISP_OK;
    if (s->charsmap.size) {
        gguf_begin_array(h, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, s->charsmap.size);
        base_put(&h->keys, s->charsmap.data, s->charsmap.size);
    }
    return put_scores(v, s, report);
}

static void put_id(gguf_head *h, const char *key, int64_t id)
{
    if (id >= 0) gguf_put_u32(h, key, (uint32_t)id);
}

static wisp_status put_keys(vocabulary *v, const base_vocab_source *s, wisp_report *report)
{
    gguf_head *h = v->head;
    BASE_TRY(put_kind(v, s, report));
    if (s->kind == VOCAB_WORDS) {
        put_id(h, "tokenizer.ggml.cls_token_id", s->bos);
        put_id(h, "tokenizer.ggml.seperator_token_id", s->eos); /* spelt like that */
    } else {
        put_id(h, "tokenizer.ggml.bos_token_id", s->bos);
        put_id(h, "tokenizer.ggml.eos_token_id", s->eos);
    }
    put_id(h, "tokenizer.ggml.unknown_token_id", s->unk);
    put_id(h, "tokenizer.ggml.padding_token_id", find_named(s, v->tokenizer_config, "pad_token"));
    for (uint32_t i = 0; i < s->end_count; i++) {
        if (s->ends[i] == (uint64_t)s->eos) continue;
        gguf_put_u32(h, "tokenizer.ggml.eot_token_id", s->ends[i]); /* GGUF has room for one more that ends */
        break;
    }
    if (s->add_bos >= 0) gguf_put_bool(h, "tokenizer.ggml.add_bos_token", s->add_bos > 0);
    if (s->add_eos >= 0) gguf_put_bool(h, "tokenizer.ggml.add_eos_token", s->add_eos > 0);
    if (s->add_space_prefix >= 0) gguf_put_bool(h, "tokenizer.ggml.add_space_prefix", s->add_space_prefix > 0);
    if (s->kind == VOCAB_UNIGRAM && s->remove_extra_whitespaces >= 0)
        gguf_put_bool(h, "tokenizer.ggml.remove_extra_whitespaces", s->remove_extra_whitespaces > 0);
    return WISP_OK;
}

static wisp_status take(void *context, base_vocab_source *s, wisp_report *report)
{
    vocabulary *v = context;
    read_specials(v, s);
    BASE_TRY(put_keys(v, s, report));
    *v->count = s->count;
    return base_vocab_write(v->block, s, report);
}

/* ---- tokenizer.model alone ---- */

static void name_token(vocabulary *v, uint64_t id, const base_json *text, bool special)
{
    if (id >= v->spm.source.count || !text || text->kind != JSON_STRING) return;
    v->spm.tokens[id] = (base_span){(const uint8_t *)text->text, text->size};
    if (v->spm.types[id] != VOCAB_UNKNOWN) v->spm.types[id] = special ? VOCAB_CONTROL : VOCAB_USER_DEFINED;
}

static void name_added(vocabulary *v)
{
    const base_json *decoder = base_json_get(v->tokenizer_config, "added_tokens_decoder");
    for (const base_json *a = v->added ? v->added->first : NULL; a; a = a->next) { /* {"text": id} */
        uint64_t id;
        if (!base_json_uint(a, &id) || id >= v->spm.source.count) continue;
        v->spm.tokens[id] = (base_span){(const uint8_t *)a->key, a->key_size};
        v->spm.types[id] = VOCAB_USER_DEFINED;
    }
    for (const base_json *a = decoder ? decoder->first : NULL; a; a = a->next) { /* {"id": {…}} */
        const base_json *special = base_json_get(a, "special");
        char *end;
        const uint64_t id = strtoull(a->key, &end, 10);
        if (*a->key && !*end)
            name_token(v, id, base_json_get(a, "content"), special && special->kind == JSON_BOOL && special->boolean);
    }
}

static wisp_status take_spm(vocabulary *v, wisp_report *report)
{
    base_vocab_source *s = &v->spm.source;
    name_added(v);
    read_flag(v->tokenizer_config, "add_prefix_space", &s->add_space_prefix);
    return take(v, s, report);
}

/* ---- files ---- */

static wisp_status open_files(vocabulary *v, const hf_file **json, wisp_report *report)
{
    const hf_file *spm;
    BASE_TRY(hf_folder_json(v->folder, "tokenizer_config.json", &v->tokenizer_config, report));
    BASE_TRY(hf_folder_json(v->folder, "generation_config.json", &v->generation_config, report));
    BASE_TRY(hf_folder_json(v->folder, "added_tokens.json", &v->added, report));
    BASE_TRY(hf_folder_map(v->folder, "tokenizer.json", HF_JSON_MAX, json, report));
    BASE_TRY(hf_folder_map(v->folder, "tokenizer.model", HF_JSON_MAX, &spm, report));
    if (spm) {
        wisp_report other = {0}; /* beside tokenizer.json it may be something else, such as tiktoken's list */
        const base_span bytes = {spm->map.data, (size_t)spm->map.size};
        wisp_status status = spm_model_read(&v->spm, bytes, v->rows, *json ? &other : report);
        if (status && !*json) return status;
    }
    if (*json || spm) return WISP_OK;
    return base_fail(report, WISP_E_NOT_FOUND,
                     "there is neither tokenizer.json nor tokenizer.model (vocab.json and merges.txt are not read: "
                     "saving the tokenizer with a current version of transformers makes a tokenizer.json)");
}

static wisp_status read_all(vocabulary *v, wisp_report *report)
{
    const hf_file *json;
    BASE_TRY(open_files(v, &json, report));
    if (!json) return take_spm(v, report);
    const compile_tokenizer_hints hints = {-1, -1, -1, -1, v->rows};
    const base_span bytes = {json->map.data, (size_t)json->map.size};
    wisp_report of_json = {0};
    wisp_status status = compile_tokenizer_json_read(bytes, &hints, take, v, &of_json);
    if (status == WISP_E_UNSUPPORTED && v->spm.source.count && *v->count == 0) return take_spm(v, report);
    return status ? base_fail(report, status, "%s", of_json.text) : WISP_OK;
}

wisp_status hf_vocabulary(hf_folder *f, const hf_config *c, uint32_t rows, base_buffer *block, uint32_t *count,
                          gguf_head *h, wisp_report *report)
{
    vocabulary v = {.folder = f, .config = c, .rows = rows, .block = block, .count = count, .head = h};
    *count = 0;
    wisp_status status = read_all(&v, report);
    spm_model_fini(&v.spm);
    return status;
}
