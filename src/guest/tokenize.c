#include "guest/tokenize.h"

#include <string.h>

#include "base/mem.h"
#include "guest/normalize.h"
#include "guest/tokenize_state.h"
#include "guest/unicode.h"

enum { MEMO_FROM = 1024 /* bytes of a text for which remembering words is worth its memory */ };

void guest_tokens_fini(guest_tokens *t)
{
    base_free(t->ids);
    *t = (guest_tokens){0};
}

static bool put_token(guest_tokens *t, uint32_t id)
{
    if (!BASE_GROW(t->ids, t->capacity, t->count + 1)) return false;
    t->ids[t->count++] = id;
    return true;
}

bool token_put(guest_tokenizer *t, uint32_t id)
{
    const guest_tokens *out = t->out;
    if (id == t->vocab->unk && t->vocab->flags & VOCAB_FUSE_UNKNOWN && out->count > t->fragment_start &&
        out->ids[out->count - 1] == id) {
        t->fused = true;
        return true;
    }
    return put_token(t->out, id);
}

bool token_put_bytes(guest_tokenizer *t, const uint8_t *text, size_t size)
{
    const base_vocab *v = t->vocab;
    bool bytes =
        v->kind == VOCAB_SPM || v->flags & VOCAB_BYTE_FALLBACK || (v->kind == VOCAB_BPE && !(v->flags & VOCAB_RAW));
    for (size_t i = 0; bytes && i < size; i++)
        bytes = v->bytes[text[i]] < v->count || (v->kind == VOCAB_BPE && v->unk == VOCAB_ABSENT);
    if (!bytes) return v->unk == VOCAB_ABSENT || token_put(t, v->unk);
    for (size_t i = 0; i < size; i++)
        if (v->bytes[text[i]] < v->count && !put_token(t->out, v->bytes[text[i]])) return false;
    return true;
}

/* ---- words ---- */

static bool make_word(guest_tokenizer *t, base_span word)
{
    switch (t->vocab->kind) {
    case VOCAB_SPM:
        return token_merge_marked(t, word);
    case VOCAB_BPE:
        return t->vocab->flags & VOCAB_RAW ? token_merge_marked(t, word) : token_merge_bytes(t, word);
    case VOCAB_UNIGRAM:
        return token_unigram_word(t, word);
    default:
        return token_piece_word(t, word);
    }
}

static bool put_word(guest_tokenizer *t, base_span word)
{
    t->work++;
    if (!t->memos || word.size > TOKEN_MEMO_TEXT) return make_word(t, word);
    token_memo *m = &t->memos[base_vocab_hash(word.data, word.size) % TOKEN_MEMOS];
    if (m->size == word.size && memcmp(m->text, word.data, word.size) == 0) {
        for (unsigned i = 0; i < m->count; i++)
            if (!token_put(t, m->ids[i])) return false;
        return true;
    }
    size_t before = t->out->count;
    t->fused = false;
    if (!make_word(t, word)) return false;
    size_t count = t->out->count - before;
    if (count > TOKEN_MEMO_IDS || t->fused) return true;
    *m = (token_memo){.count = (uint8_t)count, .size = (uint8_t)word.size};
    memcpy(m->text, word.data, word.size);
    if (count) memcpy(m->ids, t->out->ids + before, count * sizeof *m->ids);
    return true;
}

static bool is_mark(const uint8_t *text, size_t size)
{
    return size >= 3 && text[0] == 0xe2 && memcmp(text, SPACE_MARK, 3) == 0;
}

/* Where the word that begins the text ends: before the first space that no piece reaches over. */
static size_t word_size(const guest_tokenizer *t, base_span text)
{
    const base_vocab *v = t->vocab;
    for (size_t at = 1; at < text.size; at++) {
        if (text.data[at] != 0xe2 || !is_mark(text.data + at, text.size - at)) continue;
        uint8_t before = text.data[at - 1];
        if (v->flags & VOCAB_CUT_SPACES || !(v->joins[before / 32] >> before % 32 & 1)) return at;
    }
    return text.size;
}

static bool put_marked(void *context, base_span text)
{
    guest_tokenizer *t = context;
    t->work += text.size;
    for (size_t n; text.size; text = (base_span){text.data + n, text.size - n}) {
        n = word_size(t, text);
        if (!put_word(t, (base_span){text.data, n})) return false;
    }
    return true;
}

static bool put_split(void *context, base_span word)
{
    return put_word(context, word);
}

/* ---- texts between special tokens ---- */

static bool begins_with_space(base_span text)
{
    return text.size && (text.data[0] == ' ' || is_mark(text.data, text.size));
}

/* Spaces written as U+2581, and one added where the vocabulary wants it. */
static base_span mark_spaces(guest_tokenizer *t, base_span text, bool space)
{
    base_buffer *b = &t->marked;
    b->size = 0;
    bool after = t->vocab->flags & VOCAB_SPACE_SUFFIX;
    if (t->vocab->flags & VOCAB_SPACE_UNLESS && begins_with_space(text)) space = false;
    if (space && !after) base_put_text(b, SPACE_MARK);
    for (size_t at = 0; at < text.size;) {
        const uint8_t *found = memchr(text.data + at, ' ', text.size - at);
        size_t end = found ? (size_t)(found - text.data) : text.size;
        base_put(b, text.data + at, end - at);
        if (found) base_put_text(b, SPACE_MARK);
        at = end + (found != NULL);
    }
    if (space && after) base_put_text(b, SPACE_MARK);
    return (base_span){b->data, b->size};
}

/* SentencePiece's own normalizer: its map, then spaces trimmed, marked and one added. */
static base_span map_text(guest_tokenizer *t, base_span text, bool space)
{
    base_buffer *b = &t->marked;
    uint32_t flags = t->vocab->flags;
    bool trim = flags & VOCAB_TRIM_SPACES, in_word = false, any = false;
    if (!trim && flags & VOCAB_SPACE_UNLESS && begins_with_space(text)) space = false;
    b->size = 0;
    for (size_t at = 0, n; at < text.size; at += n) {
        base_span part = guest_map_prefix(t->vocab, (base_span){text.data + at, text.size - at}, &n);
        t->work += n;
        for (size_t i = 0; i < part.size; i++) {
            bool is_space = part.data[i] == ' ';
            if (is_space && !trim) base_put_text(b, SPACE_MARK);
            if (!is_space && !in_word && (trim ? any || space : space && !any) && !(flags & VOCAB_SPACE_SUFFIX && !any))
                base_put_text(b, SPACE_MARK);
            if (!is_space) base_put_u8(b, part.data[i]);
            any |= !is_space;
            in_word = !is_space;
        }
    }
    if (space && flags & VOCAB_SPACE_SUFFIX) base_put_text(b, SPACE_MARK);
    return (base_span){b->data, b->size};
}

/* BERT's words: between white space, and each punctuation mark by itself. */
static bool put_words(guest_tokenizer *t, base_span text)
{
    size_t start = 0;
    for (size_t at = 0, n; at < text.size; at += n) {
        uint32_t c;
        n = base_utf8_decode(text.data + at, text.size - at, &c);
        if (n == 0) c = 0xfffd, n = 1;
        uint32_t bits = guest_unicode_bits(c);
        bool sign = bits & GUEST_BITS_P || (c < 0x7f && bits & GUEST_BITS_S);
        t->work++;
        if (!sign && !(bits & GUEST_BITS_SPACE)) continue;
        if (at > start && !put_word(t, (base_span){text.data + start, at - start})) return false;
        if (sign && !put_word(t, (base_span){text.data + at, n})) return false;
        start = at + n;
    }
    return start == text.size || put_word(t, (base_span){text.data + start, text.size - start});
}

static bool put_bytes_text(guest_tokenizer *t, base_span text, bool space)
{
    if (space && !begins_with_space(text)) {
        t->marked.size = 0;
        base_put_u8(&t->marked, ' ');
        base_put(&t->marked, text.data, text.size);
        if (t->marked.failed) return false;
        text = (base_span){t->marked.data, t->marked.size};
    }
    return guest_split_run(t->split, text, put_split, t);
}

static bool put_text(guest_tokenizer *t, base_span text, bool at_start)
{
    const base_vocab *v = t->vocab;
    bool space = v->flags & VOCAB_ADD_SPACE && (at_start || !(v->flags & VOCAB_SPACE_ONCE));
    t->fragment_start = t->out->count;
    if (v->normalizer) {
        t->normal.size = 0;
        if (!guest_normalize(&t->normal, text, v->normalizer)) return false;
        text = (base_span){t->normal.data, t->normal.size};
        t->work += text.size;
    }
    if (text.size > INT32_MAX / 4 || !text.size) return !text.size;
    if (v->kind == VOCAB_WORDS) return put_words(t, text);
    if (v->kind == VOCAB_GREEDY) return token_greedy_text(t, text);
    if (v->kind == VOCAB_BPE && !(v->flags & VOCAB_RAW)) return put_bytes_text(t, text, space);
    text = v->kind == VOCAB_UNIGRAM ? map_text(t, text, space) : mark_spaces(t, text, space);
    if (t->marked.failed || text.size > INT32_MAX) return false;
    return v->kind == VOCAB_BPE ? guest_split_run(t->split, text, put_marked, t) : put_marked(t, text);
}

/* ---- the tokenizer ---- */

/* Unigram: a character that no token covers costs as much as the least likely token and 10 more. */
static double unknown_score(const base_vocab *v)
{
    float least = 0;
    bool any = false;
    for (uint32_t i = 0; v->scores && i < v->count; i++) {
        if (v->types[i] != VOCAB_NORMAL) continue;
        least = !any || v->scores[i] < least ? v->scores[i] : least;
        any = true;
    }
    return (double)(least - 10.0f);
}

wisp_status guest_tokenizer_new(guest_tokenizer **tokenizer, const base_vocab *vocab, wisp_report *report)
{
    guest_tokenizer *t = base_calloc(1, sizeof *t);
    if (t) {
        t->vocab = vocab;
        t->unknown_score = vocab->kind == VOCAB_UNIGRAM ? unknown_score(vocab) : 0;
    }
    if (t && vocab->kind == VOCAB_BPE) t->split = guest_split_new(vocab->pre);
    if (!t || (vocab->kind == VOCAB_BPE && !t->split) || !token_prepare_specials(t)) {
        guest_tokenizer_free(t);
        return base_fail(report, WISP_E_MEMORY, "tokenizer: out of memory");
    }
    *tokenizer = t;
    return WISP_OK;
}

void guest_tokenizer_free(guest_tokenizer *t)
{
    if (!t) return;
    guest_split_free(t->split);
    base_free(t->symbols);
    base_free(t->heap);
    base_free(t->paths);
    base_free(t->groups);
    base_free(t->fragments);
    base_free(t->other);
    base_free(t->memos);
    base_buffer_fini(&t->normal);
    base_buffer_fini(&t->marked);
    base_free(t);
}

static bool tokenize_all(guest_tokenizer *t, base_span text, unsigned flags)
{
    const base_vocab *v = t->vocab;
    bool add = flags & GUEST_TOKENIZE_ADD;
    if (add && (v->flags & VOCAB_ADD_BOS) && v->bos != VOCAB_ABSENT && !put_token(t->out, v->bos)) return false;
    if (!token_partition(t, text, flags)) return false;
    for (size_t i = 0; i < t->fragment_count; i++) {
        token_fragment f = t->fragments[i];
        base_span part = {text.data + f.start, f.end - f.start};
        if (!(f.token != VOCAB_ABSENT ? put_token(t->out, f.token) : put_text(t, part, i == 0))) return false;
    }
    return !(add && (v->flags & VOCAB_ADD_EOS) && v->eos != VOCAB_ABSENT) || put_token(t->out, v->eos);
}

wisp_status guest_tokenize(guest_tokenizer *t, base_span text, unsigned flags, guest_tokens *out, wisp_report *report)
{
    if (text.size > INT32_MAX / 4) return base_fail(report, WISP_E_LIMIT, "tokenizer: the text is too long");
    if (text.size >= MEMO_FROM && !t->memos) t->memos = base_calloc(TOKEN_MEMOS, sizeof *t->memos); /* or without */
    t->out = out;
    bool ok = tokenize_all(t, text, flags);
    t->out = NULL;
    return ok ? WISP_OK : base_fail(report, WISP_E_MEMORY, "tokenizer: out of memory");
}

uint64_t guest_tokenize_work(const guest_tokenizer *t)
{
    return t->work + (t->split ? guest_split_work(t->split) : 0);
}
