#include "compile/tokenizer_json.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

enum { NODES_MAX = 8 << 20, MARK_BYTES = 3 };
#define MARK "\u2581"

typedef struct reader {
    const base_json *root, *model;
    base_vocab_source source;
    base_span *tokens, *merges;
    float *scores;
    int32_t *types;
    uint8_t *strip;
    base_buffer arena;     /* texts that are not in the file as they are needed */
    base_buffer rule, map; /* the pre-tokenizer's expressions; the precompiled normalizer */
    bool marks, words;     /* spaces become U+2581; text is cut at spaces */
    wisp_report *report;
} reader;

static wisp_status bad(reader *r, const char *what)
{
    return base_fail(r->report, WISP_E_INPUT, "tokenizer.json: %s", what);
}

static wisp_status no_memory(reader *r)
{
    return base_fail(r->report, WISP_E_MEMORY, "tokenizer.json: out of memory");
}

static wisp_status unsupported(reader *r, const char *part, const char *what)
{
    return base_fail(r->report, WISP_E_UNSUPPORTED, "tokenizer.json: %s '%.200s' is not supported", part,
                     what ? what : "(none)");
}

static bool is(const base_json *node, const char *text)
{
    const char *have = base_json_str(node);
    return have && strcmp(have, text) == 0;
}

static bool flag(const base_json *object, const char *name, bool otherwise)
{
    const base_json *node = base_json_get(object, name);
    return node && node->kind == JSON_BOOL ? node->boolean : otherwise;
}

static base_span text_of(const base_json *node)
{
    return (base_span){(const uint8_t *)node->text, node->size};
}

/* ---- tokens ---- */

static wisp_status id_of(reader *r, const base_json *node, uint32_t *id)
{
    uint64_t value;
    if (!base_json_uint(node, &value) || value >= VOCAB_TOKENS_MAX)
        return bad(r, "a token's id is not a number in range");
    *id = (uint32_t)value;
    return WISP_OK;
}

static wisp_status count_tokens(reader *r, const base_json *vocab, const base_json *added, uint32_t rows)
{
    uint32_t id = 0, count = 0;
    for (const base_json *m = vocab->first; m; m = m->next) {
        id = count;
        if (vocab->kind == JSON_OBJECT) BASE_TRY(id_of(r, m, &id));
        count = id >= count ? id + 1 : count;
    }
    for (const base_json *a = added ? added->first : NULL; a; a = a->next) {
        BASE_TRY(id_of(r, base_json_get(a, "id"), &id));
        count = id >= count ? id + 1 : count;
    }
    if (count == 0) return bad(r, "no tokens");
    if (count / 8 > vocab->count + (added ? added->count : 0)) return bad(r, "ids are far apart");
    if (rows) count = rows; /* the matrix is padded, or lacks tokens that the text part of a model does not know */
    r->source.count = count;
    r->tokens = base_calloc(count, sizeof *r->tokens);
    r->types = base_calloc(count, sizeof *r->types);
    r->strip = base_calloc(count, 1);
    r->scores = r->source.kind == VOCAB_UNIGRAM ? base_calloc(count, sizeof *r->scores) : NULL;
    if (!r->tokens || !r->types || !r->strip || (r->source.kind == VOCAB_UNIGRAM && !r->scores)) return no_memory(r);
    for (uint32_t i = 0; i < count; i++)
        r->types[i] = VOCAB_UNUSED;
    return WISP_OK;
}

static bool is_byte_name(base_span t)
{
    return t.size == 6 && memcmp(t.data, "<0x", 3) == 0 && t.data[5] == '>';
}

static wisp_status read_pair(reader *r, const base_json *pair, uint32_t id)
{
    const base_json *text = base_json_at(pair, 0);
    double score;
    if (!text || text->kind != JSON_STRING || !base_json_double(base_json_at(pair, 1), &score))
        return bad(r, "a Unigram token is not [text, score]");
    if (id >= r->source.count) return WISP_OK;
    r->tokens[id] = text_of(text);
    r->scores[id] = (float)score;
    r->types[id] = VOCAB_NORMAL;
    return WISP_OK;
}

static wisp_status read_vocab(reader *r, const base_json *vocab)
{
    uint32_t id = 0;
    for (const base_json *m = vocab->first; m; m = m->next) {
        if (vocab->kind == JSON_ARRAY) {
            BASE_TRY(read_pair(r, m, id++));
            continue;
        }
        BASE_TRY(id_of(r, m, &id));
        if (id >= r->source.count) continue;
        if (r->tokens[id].data) return bad(r, "two tokens have one id");
        r->tokens[id] = (base_span){(const uint8_t *)m->key, m->key_size};
        r->types[id] = r->source.byte_fallback > 0 && is_byte_name(r->tokens[id]) ? VOCAB_BYTE : VOCAB_NORMAL;
    }
    return WISP_OK;
}

static wisp_status read_added(reader *r, const base_json *added)
{
    for (const base_json *a = added ? added->first : NULL; a; a = a->next) {
        const base_json *content = base_json_get(a, "content");
        uint32_t id = 0;
        if (!content || content->kind != JSON_STRING) return bad(r, "an added token without content");
        BASE_TRY(id_of(r, base_json_get(a, "id"), &id));
        if (id >= r->source.count) continue;
        r->tokens[id] = text_of(content);
        r->types[id] = flag(a, "special", false) ? VOCAB_CONTROL : VOCAB_USER_DEFINED;
        r->strip[id] =
            (flag(a, "lstrip", false) ? VOCAB_STRIP_LEFT : 0) | (flag(a, "rstrip", false) ? VOCAB_STRIP_RIGHT : 0);
    }
    return WISP_OK;
}

static int64_t find_token(const reader *r, const base_json *text)
{
    for (uint32_t i = 0; text && text->kind == JSON_STRING && i < r->source.count; i++)
        if (r->tokens[i].size == text->size && r->tokens[i].data &&
            memcmp(r->tokens[i].data, text->text, text->size) == 0)
            return i;
    return -1;
}

/* GGUF's way to write WordPiece: U+2581 where a word begins, nothing where it goes on. */
static wisp_status mark_words(reader *r)
{
    const char *prefix = base_json_str(base_json_get(r->model, "continuing_subword_prefix"));
    size_t n = strlen(prefix ? prefix : (prefix = "##")), room = 0;
    for (uint32_t i = 0; i < r->source.count; i++)
        room += r->tokens[i].size + MARK_BYTES;
    uint8_t *at = base_alloc(room);
    if (!at) return no_memory(r);
    r->arena.data = at;
    for (uint32_t i = 0; i < r->source.count; i++) {
        base_span t = r->tokens[i];
        if (r->types[i] != VOCAB_NORMAL || !t.size) continue;
        bool goes_on = t.size > n && memcmp(t.data, prefix, n) == 0;
        uint8_t *start = at;
        if (!goes_on) memcpy(at, MARK, MARK_BYTES), at += MARK_BYTES;
        memcpy(at, t.data + (goes_on ? n : 0), t.size - (goes_on ? n : 0));
        at += t.size - (goes_on ? n : 0);
        r->tokens[i] = (base_span){start, (size_t)(at - start)};
    }
    return WISP_OK;
}

/* Strings "left right", or in newer files pairs, which are written as such strings. */
static wisp_status read_merges(reader *r)
{
    const base_json *merges = base_json_get(r->model, "merges");
    size_t room = 0;
    if (!merges || merges->kind != JSON_ARRAY) return bad(r, "BPE without merges");
    r->merges = base_calloc(merges->count, sizeof *r->merges);
    for (const base_json *m = merges->first; m; m = m->next)
        for (const base_json *side = m->first; side; side = side->next)
            room += (size_t)side->size + 1;
    uint8_t *at = base_alloc(room);
    r->arena.data = at;
    if (!r->merges || !at) return no_memory(r);
    for (const base_json *m = merges->first; m; m = m->next) {
        const base_json *left = base_json_at(m, 0), *right = base_json_at(m, 1);
        base_span *to = &r->merges[r->source.merge_count++];
        if (m->kind == JSON_STRING) {
            *to = text_of(m);
            continue;
        }
        if (!left || !right || left->kind != JSON_STRING || right->kind != JSON_STRING || m->count != 2)
            return bad(r, "a merge is neither a string nor a pair of strings");
        *to = (base_span){at, (size_t)left->size + 1 + right->size};
        memcpy(at, left->text, left->size);
        at[left->size] = ' ';
        memcpy(at + left->size + 1, right->text, right->size);
        at += to->size;
    }
    return WISP_OK;
}

/* ---- normalizers and pre-tokenizers ---- */

/* Calls `one` for an element, or for each of a Sequence. */
static wisp_status each(reader *r, const base_json *node, const char *list,
                        wisp_status (*one)(reader *r, const base_json *node))
{
    if (!node || node->kind == JSON_NULL) return WISP_OK;
    if (!is(base_json_get(node, "type"), "Sequence")) return one(r, node);
    const base_json *elements = base_json_get(node, list);
    for (const base_json *e = elements ? elements->first : NULL; e; e = e->next)
        BASE_TRY(is(base_json_get(e, "type"), "Sequence") ? bad(r, "a Sequence inside a Sequence") : one(r, e));
    return WISP_OK;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static wisp_status read_precompiled(reader *r, const base_json *node)
{
    const base_json *text = base_json_get(node, "precompiled_charsmap");
    uint32_t bits = 0, have = 0;
    if (!text || text->kind == JSON_NULL) return WISP_OK;
    for (uint32_t i = 0; text->kind == JSON_STRING && i < text->size && text->text[i] != '='; i++) {
        int digit = base64_digit(text->text[i]);
        if (digit < 0) return bad(r, "the precompiled normalizer is not base64");
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) base_put_u8(&r->map, (uint8_t)(bits >> (have -= 8)));
    }
    if (r->map.failed) return no_memory(r);
    r->source.charsmap = (base_span){r->map.data, r->map.size};
    return WISP_OK;
}

static wisp_status read_replace(reader *r, const base_json *node)
{
    const base_json *pattern = base_json_get(node, "pattern"), *content = base_json_get(node, "content");
    if (is(base_json_get(pattern, "String"), " ") && is(content, MARK)) {
        r->marks = true;
        return WISP_OK;
    }
    if (is(base_json_get(pattern, "Regex"), " {2,}") && (is(content, " ") || is(content, MARK))) {
        r->source.remove_extra_whitespaces = 1;
        return WISP_OK;
    }
    return unsupported(r, "normalizer", "Replace with such a pattern");
}

static uint32_t bert_steps(const base_json *node)
{
    bool lower = flag(node, "lowercase", true);
    return (flag(node, "clean_text", true) ? VOCAB_CLEAN : 0) |
           (flag(node, "handle_chinese_chars", true) ? VOCAB_CJK : 0) | (lower ? VOCAB_LOWERCASE : 0) |
           (flag(node, "strip_accents", lower) ? VOCAB_DECOMPOSE | VOCAB_STRIP_ACCENTS : 0);
}

static wisp_status read_normalizer(reader *r, const base_json *node)
{
    static const struct {
        const char *name;
        uint32_t steps;
    } plain[] = {{"NFC", VOCAB_COMPOSE},
                 {"NFD", VOCAB_DECOMPOSE},
                 {"NFKC", VOCAB_COMPOSE | VOCAB_COMPATIBLE},
                 {"NFKD", VOCAB_DECOMPOSE | VOCAB_COMPATIBLE},
                 {"Lowercase", VOCAB_LOWERCASE},
                 {"StripAccents", VOCAB_STRIP_ACCENTS}};
    const base_json *type = base_json_get(node, "type");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (!is(type, plain[i].name)) continue;
        r->source.normalizer |= plain[i].steps;
        return WISP_OK;
    }
    if (is(type, "BertNormalizer")) {
        r->source.normalizer |= bert_steps(node);
        return WISP_OK;
    }
    if (is(type, "Prepend") && is(base_json_get(node, "prepend"), MARK)) {
        r->source.add_space_prefix = 1;
        return WISP_OK;
    }
    if (is(type, "Strip") && r->source.kind == VOCAB_UNIGRAM) {
        r->source.remove_extra_whitespaces = 1;
        return WISP_OK;
    }
    if (is(type, "Replace")) return read_replace(r, node);
    if (is(type, "Precompiled") && r->source.kind == VOCAB_UNIGRAM) return read_precompiled(r, node);
    return unsupported(r, "normalizer", base_json_str(type));
}

static void add_rule(reader *r, const char *text)
{
    if (r->rule.size) base_put_u8(&r->rule, 0x1f);
    base_put_text(&r->rule, text);
}

static wisp_status read_metaspace(reader *r, const base_json *node)
{
    const char *scheme = base_json_str(base_json_get(node, "prepend_scheme"));
    bool add = scheme ? strcmp(scheme, "never") != 0 : flag(node, "add_prefix_space", true);
    if (!is(base_json_get(node, "replacement"), MARK))
        return unsupported(r, "pre-tokenizer", "Metaspace with such a mark");
    r->marks = true;
    r->source.add_space_prefix = add;
    r->source.more_flags |= VOCAB_SPACE_UNLESS;
    if (scheme && strcmp(scheme, "first") == 0) r->source.more_flags |= VOCAB_SPACE_ONCE;
    if (flag(node, "split", true)) r->source.more_flags |= VOCAB_CUT_SPACES;
    return WISP_OK;
}

static wisp_status read_split(reader *r, const base_json *node)
{
    const base_json *pattern = base_json_get(node, "pattern");
    const char *regex = base_json_str(base_json_get(pattern, "Regex"));
    if (is(base_json_get(pattern, "String"), " ") && r->marks) return WISP_OK; /* there is none any more */
    if (!regex) return unsupported(r, "pre-tokenizer", "Split at such a text");
    if (is(base_json_get(node, "behavior"), "Isolated") ||
        (is(base_json_get(node, "behavior"), "Removed") && flag(node, "invert", false))) {
        add_rule(r, regex);
        return WISP_OK;
    }
    return unsupported(r, "pre-tokenizer", "Split that does not isolate");
}

static wisp_status read_pre(reader *r, const base_json *node)
{
    const base_json *type = base_json_get(node, "type");
    if (is(type, "Metaspace")) return read_metaspace(r, node);
    if (is(type, "Split")) return read_split(r, node);
    if (is(type, "WhitespaceSplit") && r->source.kind == VOCAB_UNIGRAM)
        r->source.remove_extra_whitespaces = 1;
    else if (is(type, "BertPreTokenizer") && r->source.kind == VOCAB_WORDS)
        r->words = true;
    else if (is(type, "Digits"))
        add_rule(r, flag(node, "individual_digits", false) ? "digits" : "digits together");
    else if (is(type, "Punctuation") && is(base_json_get(node, "behavior"), "Contiguous"))
        add_rule(r, "punctuation");
    else if (is(type, "ByteLevel")) {
        if (flag(node, "add_prefix_space", false)) r->source.more_flags |= VOCAB_ADD_SPACE | VOCAB_SPACE_UNLESS;
        if (flag(node, "use_regex", true)) add_rule(r, "bytes");
    } else
        return unsupported(r, "pre-tokenizer", base_json_str(type));
    return WISP_OK;
}

static wisp_status choose_pre(reader *r)
{
    if (r->source.kind == VOCAB_WORDS) return r->words ? WISP_OK : bad(r, "WordPiece without BertPreTokenizer");
    if (r->source.kind != VOCAB_BPE) return r->rule.size ? unsupported(r, "pre-tokenizer", "Split") : WISP_OK;
    const char *name = "wisp-whole";
    base_put_u8(&r->rule, 0);
    if (r->rule.failed) return no_memory(r);
    const char *rule = (const char *)r->rule.data;
    if (r->marks && *rule) return unsupported(r, "pre-tokenizer with marked spaces", rule);
    if (!r->marks && !(name = compile_split_name(rule))) return unsupported(r, "pre-tokenizer", rule);
    r->source.pre = (base_span){(const uint8_t *)name, strlen(name)};
    return WISP_OK;
}

/* ---- what is put around a text ---- */

static void add_around(reader *r, int64_t id, bool before)
{
    if (id < 0) return;
    *(before ? &r->source.bos : &r->source.eos) = id;
    *(before ? &r->source.add_bos : &r->source.add_eos) = 1;
}

static wisp_status read_post(reader *r, const base_json *node)
{
    const base_json *type = base_json_get(node, "type"), *single = base_json_get(node, "single");
    if (is(type, "BertProcessing") || is(type, "RobertaProcessing")) {
        add_around(r, find_token(r, base_json_at(base_json_get(node, "cls"), 0)), true);
        add_around(r, find_token(r, base_json_at(base_json_get(node, "sep"), 0)), false);
    }
    bool before = true;
    for (const base_json *e = is(type, "TemplateProcessing") && single ? single->first : NULL; e; e = e->next) {
        const base_json *special = base_json_get(e, "SpecialToken");
        if (special) add_around(r, find_token(r, base_json_get(special, "id")), before);
        if (base_json_get(e, "Sequence")) before = false;
    }
    return WISP_OK;
}

static wisp_status read_unknown(reader *r)
{
    const base_json *text = base_json_get(r->model, "unk_token"), *id = base_json_get(r->model, "unk_id");
    uint32_t value = 0;
    r->source.unk = find_token(r, text);
    if (id && id->kind == JSON_NUMBER) {
        BASE_TRY(id_of(r, id, &value));
        r->source.unk = value;
    }
    if (r->source.unk >= (int64_t)r->source.count) return bad(r, "the unknown token is not a token");
    if (r->source.unk >= 0 && r->types[r->source.unk] == VOCAB_NORMAL) r->types[r->source.unk] = VOCAB_UNKNOWN;
    return WISP_OK;
}

static wisp_status read_model(reader *r)
{
    const base_json *type = base_json_get(r->model, "type"), *vocab = base_json_get(r->model, "vocab");
    base_vocab_source *s = &r->source;
    uint64_t most;
    if (!vocab) return bad(r, "no model.vocab");
    if (is(type, "BPE") || (!type && base_json_get(r->model, "merges")))
        s->kind = VOCAB_BPE;
    else if (is(type, "Unigram") || (!type && vocab->kind == JSON_ARRAY))
        s->kind = VOCAB_UNIGRAM;
    else if (is(type, "WordPiece") || (!type && base_json_get(r->model, "continuing_subword_prefix")))
        s->kind = VOCAB_WORDS;
    else
        return unsupported(r, "model", base_json_str(type));
    if (vocab->kind != (s->kind == VOCAB_UNIGRAM ? JSON_ARRAY : JSON_OBJECT))
        return bad(r, "model.vocab has another form");
    const base_json *suffix = base_json_get(r->model, "end_of_word_suffix");
    const base_json *prefix = base_json_get(r->model, "continuing_subword_prefix");
    if (s->kind == VOCAB_BPE && ((suffix && suffix->size) || (prefix && prefix->size)))
        return unsupported(r, "model", "BPE with affixes");
    s->ignore_merges = flag(r->model, "ignore_merges", false);
    s->byte_fallback = flag(r->model, "byte_fallback", false);
    s->fuse_unknown = flag(r->model, "fuse_unk", s->kind == VOCAB_UNIGRAM);
    if (s->kind == VOCAB_WORDS && base_json_uint(base_json_get(r->model, "max_input_chars_per_word"), &most))
        s->word_max = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
    return WISP_OK;
}

static wisp_status read_all(reader *r, const compile_tokenizer_hints *hints)
{
    const base_json *added = base_json_get(r->root, "added_tokens");
    base_vocab_source *s = &r->source;
    if (!(r->model = base_json_get(r->root, "model")) || r->model->kind != JSON_OBJECT) return bad(r, "no model");
    BASE_TRY(read_model(r));
    const base_json *vocab = base_json_get(r->model, "vocab");
    BASE_TRY(count_tokens(r, vocab, added, hints->rows));
    BASE_TRY(read_vocab(r, vocab));
    BASE_TRY(read_added(r, added));
    BASE_TRY(read_unknown(r));
    if (s->kind == VOCAB_WORDS) BASE_TRY(mark_words(r));
    if (s->kind == VOCAB_BPE) BASE_TRY(read_merges(r));
    s->add_bos = s->add_eos = s->add_space_prefix = s->remove_extra_whitespaces = 0;
    s->bos = hints->bos;
    s->eos = hints->eos;
    BASE_TRY(each(r, base_json_get(r->root, "normalizer"), "normalizers", read_normalizer));
    BASE_TRY(each(r, base_json_get(r->root, "pre_tokenizer"), "pretokenizers", read_pre));
    BASE_TRY(each(r, base_json_get(r->root, "post_processor"), "processors", read_post));
    if (hints->add_bos >= 0) s->add_bos = hints->add_bos;
    if (hints->add_eos >= 0) s->add_eos = hints->add_eos;
    BASE_TRY(choose_pre(r));
    s->tokens = r->tokens;
    s->merges = r->merges;
    s->scores = r->scores;
    s->types = r->types;
    s->strip = r->strip;
    return WISP_OK;
}

wisp_status compile_tokenizer_json_read(base_span json, const compile_tokenizer_hints *hints,
                                        compile_take_vocabulary take, void *context, wisp_report *report)
{
    static const compile_tokenizer_hints none = {-1, -1, -1, -1, 0};
    reader r = {.report = report, .source = {.eot = -1, .unk = -1, .space_as_suffix = -1}};
    base_json_doc *doc;
    wisp_status status = base_json_parse_large(&doc, &r.root, json.data, json.size, NODES_MAX, report);
    if (status) return base_fail_prefix(report, status, "tokenizer.json");
    status = read_all(&r, hints ? hints : &none);
    if (!status) status = take(context, &r.source, report);
    base_free(r.tokens);
    base_free(r.merges);
    base_free(r.scores);
    base_free(r.types);
    base_free(r.strip);
    base_buffer_fini(&r.arena);
    base_buffer_fini(&r.rule);
    base_buffer_fini(&r.map);
    base_json_free(doc);
    return status;
}

typedef struct written {
    base_buffer *out;
    uint32_t *count;
} written;

static wisp_status write_block(void *context, base_vocab_source *source, wisp_report *report)
{
    const written *w = context;
    *w->count = source->count;
    return base_vocab_write(w->out, source, report);
}

wisp_status compile_tokenizer_json(base_buffer *out, uint32_t *count, base_span json,
                                   const compile_tokenizer_hints *hints, wisp_report *report)
{
    written w = {out, count};
    *count = 0;
    return compile_tokenizer_json_read(json, hints, write_block, &w, report);
}
