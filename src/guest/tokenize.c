#include "guest/tokenize.h"

#include <string.h>

#include "base/mem.h"
#include "guest/split.h"

#define SPACE_MARK "\u2581" /* SentencePiece's space */

/* A part of a word: the text of one piece, or nothing once it was merged into its left neighbour. */
typedef struct symbol {
    int32_t before, after; /* neighbours, -1: none */
    uint32_t start, size;  /* bytes of the word */
    uint32_t piece;        /* VOCAB_ABSENT: no piece has that text */
} symbol;

/* Two neighbours that could merge. */
typedef struct pair {
    uint32_t key; /* smaller merges first; then the left one */
    uint32_t left, right;
    uint32_t size; /* of both together: if it differs, the pair is out of date */
    uint32_t result;
} pair;

typedef struct fragment {
    size_t start, end;
    uint32_t token; /* VOCAB_ABSENT: text */
} fragment;

struct guest_tokenizer {
    const base_vocab *vocab;
    guest_split *split; /* BPE */
    symbol *symbols;
    size_t symbol_count, symbol_room;
    pair *heap;
    size_t heap_count, heap_room;
    fragment *fragments, *other;
    size_t fragment_count, fragment_room, other_count, other_room;
    guest_tokens *out; /* during a call */
};

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

/* ---- merging, the same for both kinds: only what may merge and in which order differs ---- */

static bool comes_before(const pair *a, const pair *b)
{
    return a->key != b->key ? a->key < b->key : a->left < b->left;
}

static bool push_pair(guest_tokenizer *t, pair p)
{
    if (!BASE_GROW(t->heap, t->heap_room, t->heap_count + 1)) return false;
    size_t at = t->heap_count++;
    for (size_t up; at > 0 && comes_before(&p, &t->heap[up = (at - 1) / 2]); at = up)
        t->heap[at] = t->heap[up];
    t->heap[at] = p;
    return true;
}

static pair pop_pair(guest_tokenizer *t)
{
    pair top = t->heap[0], last = t->heap[--t->heap_count];
    size_t at = 0;
    for (size_t down; (down = 2 * at + 1) < t->heap_count; at = down) {
        if (down + 1 < t->heap_count && comes_before(&t->heap[down + 1], &t->heap[down])) down++;
        if (!comes_before(&t->heap[down], &last)) break;
        t->heap[at] = t->heap[down];
    }
    t->heap[at] = last;
    return top;
}

/* Higher scores first: a key that orders floats downwards. */
static uint32_t key_of_score(float score)
{
    uint32_t bits;
    score += 0.0f; /* -0 and 0 are one score */
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : ~bits ^ 0x80000000u;
}

static bool try_pair(guest_tokenizer *t, const uint8_t *word, int32_t left, int32_t right)
{
    if (left < 0 || right < 0) return true;
    const base_vocab *v = t->vocab;
    const symbol *a = &t->symbols[left], *b = &t->symbols[right];
    pair p = {.left = (uint32_t)left, .right = (uint32_t)right, .size = a->size + b->size};
    if (v->kind == VOCAB_BPE) {
        p.key = base_vocab_find_merge(v, a->piece, b->piece);
        if (p.key == VOCAB_ABSENT) return true;
        p.result = v->merges[p.key].result;
    } else {
        p.result = base_vocab_find(v, word + a->start, p.size);
        if (p.result == VOCAB_ABSENT) return true;
        p.key = key_of_score(v->scores[p.result]);
    }
    return push_pair(t, p);
}

static bool merge_symbols(guest_tokenizer *t, const uint8_t *word)
{
    t->heap_count = 0;
    for (size_t i = 1; i < t->symbol_count; i++)
        if (!try_pair(t, word, (int32_t)i - 1, (int32_t)i)) return false;
    while (t->heap_count) {
        pair p = pop_pair(t);
        symbol *a = &t->symbols[p.left], *b = &t->symbols[p.right];
        if (a->size == 0 || b->size == 0 || a->size + b->size != p.size) continue;
        a->size = p.size;
        a->piece = p.result;
        a->after = b->after;
        b->size = 0;
        if (a->after >= 0) t->symbols[a->after].before = (int32_t)p.left;
        if (!try_pair(t, word, a->before, (int32_t)p.left) || !try_pair(t, word, (int32_t)p.left, a->after))
            return false;
    }
    return true;
}

static bool add_symbol(guest_tokenizer *t, size_t start, size_t size, uint32_t piece)
{
    size_t i = t->symbol_count;
    if (!BASE_GROW(t->symbols, t->symbol_room, i + 1)) return false;
    t->symbols[i] = (symbol){(int32_t)i - 1, -1, (uint32_t)start, (uint32_t)size, piece};
    if (i) t->symbols[i - 1].after = (int32_t)i;
    t->symbol_count++;
    return true;
}

/* A symbol that is no token goes out byte by byte; SPM falls back on the unknown token, BPE on nothing. */
static bool put_bytes(guest_tokenizer *t, const uint8_t *text, size_t size)
{
    const base_vocab *v = t->vocab;
    for (size_t i = 0; v->kind == VOCAB_SPM && i < size; i++)
        if (v->bytes[text[i]] == VOCAB_ABSENT) return v->unk == VOCAB_ABSENT || put_token(t->out, v->unk);
    for (size_t i = 0; i < size; i++)
        if (v->bytes[text[i]] < v->count && !put_token(t->out, v->bytes[text[i]])) return false;
    return true;
}

static bool put_symbols(guest_tokenizer *t, const uint8_t *word)
{
    for (int32_t i = t->symbol_count ? 0 : -1; i >= 0; i = t->symbols[i].after) {
        const symbol *s = &t->symbols[i];
        bool ok = s->piece < t->vocab->count ? put_token(t->out, s->piece) : put_bytes(t, word + s->start, s->size);
        if (!ok) return false;
    }
    return true;
}

static bool tokenize_word(void *context, base_span word)
{
    guest_tokenizer *t = context;
    const base_vocab *v = t->vocab;
    if (v->flags & VOCAB_IGNORE_MERGES) {
        uint32_t whole = base_vocab_find(v, word.data, word.size);
        if (whole < v->count) return put_token(t->out, whole);
    }
    t->symbol_count = 0;
    for (size_t i = 0; i < word.size; i++)
        if (!add_symbol(t, i, 1, v->bytes[word.data[i]])) return false;
    return merge_symbols(t, word.data) && put_symbols(t, word.data);
}

static bool tokenize_marked(guest_tokenizer *t, const uint8_t *text, size_t size)
{
    t->symbol_count = 0;
    for (size_t at = 0, n; at < size; at += n) {
        uint32_t c;
        n = base_utf8_decode(text + at, size - at, &c);
        if (n == 0) n = 1;
        if (!add_symbol(t, at, n, base_vocab_find(t->vocab, text + at, n))) return false;
    }
    return merge_symbols(t, text) && put_symbols(t, text);
}

static bool is_mark(const uint8_t *text, size_t size)
{
    return size >= 3 && memcmp(text, SPACE_MARK, 3) == 0;
}

/* Where the word that begins the text ends: before the first space that follows something else. */
static size_t word_size(const uint8_t *text, size_t size)
{
    size_t at = 0;
    while (is_mark(text + at, size - at))
        at += 3;
    while (at < size && !is_mark(text + at, size - at))
        at++;
    return at;
}

static bool tokenize_spm(guest_tokenizer *t, base_span text, bool space_first)
{
    base_buffer marked = {0};
    if (space_first) base_put_text(&marked, SPACE_MARK);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == ' ')
            base_put_text(&marked, SPACE_MARK);
        else
            base_put_u8(&marked, text.data[i]);
    }
    bool ok = !marked.failed && marked.size <= INT32_MAX, apart = t->vocab->flags & VOCAB_WORDS_APART;
    for (size_t at = 0, n; ok && at < marked.size; at += n) {
        n = apart ? word_size(marked.data + at, marked.size - at) : marked.size;
        ok = tokenize_marked(t, marked.data + at, n);
    }
    base_buffer_fini(&marked);
    return ok;
}

/* ---- special tokens in the text: longest first, wherever they stand ---- */

static bool add_fragment(guest_tokenizer *t, size_t start, size_t end, uint32_t token)
{
    if (start == end) return true;
    if (!BASE_GROW(t->other, t->other_room, t->other_count + 1)) return false;
    t->other[t->other_count++] = (fragment){start, end, token};
    return true;
}

static bool is_wanted(const base_vocab *v, uint32_t token, unsigned flags)
{
    return v->types[token] == VOCAB_USER_DEFINED || (flags & GUEST_TOKENIZE_SPECIAL);
}

/* Specials of one length, sorted by bytes. */
typedef struct group {
    const uint32_t *ids;
    uint32_t count;
    size_t size;
    unsigned flags;
    bool first[256]; /* bytes that one of them begins with */
} group;

static uint32_t find_special(const base_vocab *v, const group *g, const uint8_t *text)
{
    uint32_t low = 0, high = g->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(base_vocab_text(v, g->ids[middle]).data, text, g->size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < g->count && memcmp(base_vocab_text(v, g->ids[low]).data, text, g->size) == 0; low++)
        if (is_wanted(v, g->ids[low], g->flags)) return g->ids[low];
    return VOCAB_ABSENT;
}

static bool cut_out(guest_tokenizer *t, const group *g, base_span text)
{
    t->other_count = 0;
    for (size_t i = 0; i < t->fragment_count; i++) {
        fragment f = t->fragments[i];
        size_t from = f.start;
        for (size_t at = f.start; f.token == VOCAB_ABSENT && f.end - at >= g->size && at < f.end;) {
            uint32_t id = g->first[text.data[at]] ? find_special(t->vocab, g, text.data + at) : VOCAB_ABSENT;
            if (id == VOCAB_ABSENT) {
                at++;
                continue;
            }
            if (!add_fragment(t, from, at, VOCAB_ABSENT) || !add_fragment(t, at, at + g->size, id)) return false;
            from = at += g->size;
        }
        if (!add_fragment(t, from, f.end, f.token)) return false;
    }
    fragment *swap = t->fragments;
    size_t room = t->fragment_room;
    t->fragments = t->other;
    t->fragment_room = t->other_room;
    t->fragment_count = t->other_count;
    t->other = swap;
    t->other_room = room;
    return true;
}

static bool partition(guest_tokenizer *t, base_span text, unsigned flags)
{
    const base_vocab *v = t->vocab;
    t->other_count = 0;
    if (!BASE_GROW(t->fragments, t->fragment_room, 1)) return false;
    t->fragments[0] = (fragment){0, text.size, VOCAB_ABSENT};
    t->fragment_count = text.size ? 1 : 0;
    for (uint32_t i = 0; i < v->special_count;) {
        group g = {.ids = v->specials + i, .size = base_vocab_text(v, v->specials[i]).size, .flags = flags};
        bool any = false;
        for (; i < v->special_count && base_vocab_text(v, v->specials[i]).size == g.size; i++, g.count++) {
            if (!is_wanted(v, v->specials[i], flags)) continue;
            any = g.first[base_vocab_text(v, v->specials[i]).data[0]] = true;
        }
        if (any && g.size <= text.size && !cut_out(t, &g, text)) return false;
    }
    return true;
}

/* ---- the tokenizer ---- */

wisp_status guest_tokenizer_new(guest_tokenizer **tokenizer, const base_vocab *vocab, wisp_report *report)
{
    guest_tokenizer *t = base_calloc(1, sizeof *t);
    if (t) t->vocab = vocab;
    if (t && vocab->kind == VOCAB_BPE) t->split = guest_split_new(vocab->pre);
    if (!t || (vocab->kind == VOCAB_BPE && !t->split)) {
        base_free(t);
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
    base_free(t->fragments);
    base_free(t->other);
    base_free(t);
}

static bool tokenize_all(guest_tokenizer *t, base_span text, unsigned flags)
{
    const base_vocab *v = t->vocab;
    bool add = flags & GUEST_TOKENIZE_ADD, after_special = true;
    if (add && (v->flags & VOCAB_ADD_BOS) && v->bos != VOCAB_ABSENT && !put_token(t->out, v->bos)) return false;
    if (!partition(t, text, flags)) return false;
    for (size_t i = 0; i < t->fragment_count; i++) {
        fragment f = t->fragments[i];
        base_span part = {text.data + f.start, f.end - f.start};
        bool ok;
        if (f.token != VOCAB_ABSENT)
            ok = put_token(t->out, f.token);
        else if (v->kind == VOCAB_SPM)
            ok = tokenize_spm(t, part, after_special && (v->flags & VOCAB_ADD_SPACE));
        else
            ok = guest_split_run(t->split, part, tokenize_word, t);
        if (!ok) return false;
        after_special = f.token != VOCAB_ABSENT;
    }
    return !(add && (v->flags & VOCAB_ADD_EOS) && v->eos != VOCAB_ABSENT) || put_token(t->out, v->eos);
}

wisp_status guest_tokenize(guest_tokenizer *t, base_span text, unsigned flags, guest_tokens *out, wisp_report *report)
{
    if (text.size > INT32_MAX / 4) return base_fail(report, WISP_E_LIMIT, "tokenizer: the text is too long");
    t->out = out;
    bool ok = tokenize_all(t, text, flags);
    t->out = NULL;
    return ok ? WISP_OK : base_fail(report, WISP_E_MEMORY, "tokenizer: out of memory");
}

/* ---- back to text ---- */

/* Can these bytes still become a UTF-8 sequence (RFC 3629)? 0 < size < 4. */
static bool can_continue(const uint8_t *p, size_t size)
{
    uint8_t lead = p[0];
    size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || size >= whole) return false;
    if (size == 1) return true;
    uint8_t low = lead == 0xe0   ? 0xa0
                  : lead == 0xf0 ? 0x90
                                 : 0x80,
            high = lead == 0xed   ? 0x9f
                   : lead == 0xf4 ? 0x8f
                                  : 0xbf;
    return p[1] >= low && p[1] <= high && (size < 3 || (p[2] & 0xc0) == 0x80);
}

static void put_byte(guest_detokenizer *d, uint8_t byte, base_buffer *out)
{
    uint32_t c;
    for (;;) {
        d->waiting[d->waiting_size++] = byte;
        if (base_utf8_decode(d->waiting, d->waiting_size, &c)) {
            base_put(out, d->waiting, d->waiting_size);
            d->waiting_size = 0;
            return;
        }
        if (can_continue(d->waiting, d->waiting_size)) return;
        base_put_text(out, "\ufffd");
        bool again = d->waiting_size > 1; /* the byte ended a broken sequence: it may begin the next one */
        d->waiting_size = 0;
        if (!again) return;
    }
}

static int byte_of(base_span name)
{
    int value = 0;
    if (name.size != 6) return -1;
    for (int i = 3; i < 5; i++) {
        uint8_t c = name.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

void guest_detokenize(guest_detokenizer *d, uint32_t token, base_buffer *out)
{
    const base_vocab *v = d->vocab;
    if (token >= v->count || v->types[token] == VOCAB_CONTROL || v->types[token] == VOCAB_UNKNOWN) return;
    base_span text = base_vocab_text(v, token);
    bool drop_space = d->at_start && v->kind == VOCAB_SPM && (v->flags & VOCAB_ADD_SPACE);
    d->at_start = false;
    if (v->types[token] == VOCAB_BYTE && v->kind == VOCAB_SPM) {
        int byte = byte_of(text);
        if (byte >= 0) put_byte(d, (uint8_t)byte, out);
        return;
    }
    bool marks = v->kind == VOCAB_SPM && v->types[token] != VOCAB_USER_DEFINED;
    for (size_t i = 0; i < text.size;) {
        if (marks && text.size - i >= 3 && memcmp(text.data + i, SPACE_MARK, 3) == 0) {
            if (!(drop_space && i == 0)) put_byte(d, ' ', out);
            i += 3;
        } else {
            put_byte(d, text.data[i++], out);
        }
    }
}

void guest_detokenize_end(guest_detokenizer *d, base_buffer *out)
{
    if (d->waiting_size) base_put_text(out, "\ufffd");
    d->waiting_size = 0;
}
