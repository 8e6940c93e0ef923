/* Byte pair encoding: of all neighbours that may merge, those of the best rank (or score) first, from left to right. */
#include <string.h>

#include "base/mem.h"
#include "guest/tokenize_state.h"

static bool comes_before(const token_pair *a, const token_pair *b)
{
    return a->key != b->key ? a->key < b->key : a->left < b->left;
}

static bool push_pair(guest_tokenizer *t, token_pair p)
{
    if (!BASE_GROW(t->heap, t->heap_room, t->heap_count + 1)) return false;
    size_t at = t->heap_count++;
    for (size_t up; at > 0 && comes_before(&p, &t->heap[up = (at - 1) / 2]); at = up, t->work++)
        t->heap[at] = t->heap[up];
    t->heap[at] = p;
    return true;
}

static token_pair pop_pair(guest_tokenizer *t)
{
    token_pair top = t->heap[0], last = t->heap[--t->heap_count];
    size_t at = 0;
    for (size_t down; (down = 2 * at + 1) < t->heap_count; at = down, t->work++) {
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
    const token_symbol *a = &t->symbols[left], *b = &t->symbols[right];
    token_pair p = {.left = (uint32_t)left, .right = (uint32_t)right, .size = a->size + b->size};
    if (v->kind == VOCAB_BPE) {
        t->work++;
        if (a->piece == VOCAB_ABSENT || b->piece == VOCAB_ABSENT) return true;
        p.key = base_vocab_find_merge(v, a->piece, b->piece);
        if (p.key == VOCAB_ABSENT) return true;
        p.result = v->merges[p.key].result;
    } else {
        t->work += p.size;
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
        token_pair p = pop_pair(t);
        token_symbol *a = &t->symbols[p.left], *b = &t->symbols[p.right];
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
    t->symbols[i] = (token_symbol){(int32_t)i - 1, -1, (uint32_t)start, (uint32_t)size, piece};
    if (i) t->symbols[i - 1].after = (int32_t)i;
    t->symbol_count++;
    return true;
}

static bool put_symbols(guest_tokenizer *t, const uint8_t *word)
{
    for (int32_t i = t->symbol_count ? 0 : -1; i >= 0; i = t->symbols[i].after) {
        const token_symbol *s = &t->symbols[i];
        bool ok = s->piece < t->vocab->count ? token_put(t, s->piece) : token_put_bytes(t, word + s->start, s->size);
        if (!ok) return false;
    }
    return true;
}

bool token_merge_bytes(guest_tokenizer *t, base_span word)
{
    const base_vocab *v = t->vocab;
    if (v->flags & VOCAB_IGNORE_MERGES) {
        uint32_t whole = base_vocab_find(v, word.data, word.size);
        t->work += word.size;
        if (whole < v->count) return token_put(t, whole);
    }
    t->symbol_count = 0;
    for (size_t i = 0; i < word.size; i++)
        if (!add_symbol(t, i, 1, v->bytes[word.data[i]])) return false;
    return merge_symbols(t, word.data) && put_symbols(t, word.data);
}

bool token_merge_marked(guest_tokenizer *t, base_span word)
{
    const base_vocab *v = t->vocab;
    bool lines = v->pre == VOCAB_PRE_LINES && word.data[0] == '\n'; /* such words are line ends only */
    if (v->flags & VOCAB_IGNORE_MERGES || lines) {
        uint32_t whole = base_vocab_find(v, word.data, word.size);
        if (whole < v->count) return token_put(t, whole);
    }
    t->symbol_count = 0;
    for (size_t at = 0, n; at < word.size; at += n) {
        uint32_t c;
        n = base_utf8_decode(word.data + at, word.size - at, &c);
        if (n == 0) n = 1;
        if (!add_symbol(t, at, n, base_vocab_find(v, word.data + at, n))) return false;
    }
    return merge_symbols(t, word.data) && put_symbols(t, word.data);
}
