/* Special tokens in the text: of those that overlap the longest wins, then the leftmost. */
#include <string.h>

#include "base/mem.h"
#include "guest/tokenize_state.h"

static bool is_wanted(const base_vocab *v, uint32_t token, unsigned flags)
{
    return v->types[token] == VOCAB_USER_DEFINED || (flags & GUEST_TOKENIZE_SPECIAL);
}

static base_span special_text(const base_vocab *v, uint32_t entry)
{
    return base_vocab_text(v, entry & VOCAB_ID_BITS);
}

static void note_first_two(uint64_t *set, base_span text)
{
    for (uint32_t second = text.size > 1 ? text.data[1] : 0; second < 256; second++) {
        uint32_t key = (uint32_t)text.data[0] << 8 | second;
        set[key / 64] |= (uint64_t)1 << key % 64;
        if (text.size > 1) break;
    }
}

bool token_prepare_specials(guest_tokenizer *t)
{
    const base_vocab *v = t->vocab;
    for (uint32_t i = 0; i < v->special_count; i++) {
        base_span text = special_text(v, v->specials[i]);
        token_group *last = t->group_count ? &t->groups[t->group_count - 1] : NULL;
        if (!last || last->size != text.size) {
            if (!BASE_GROW(t->groups, t->group_room, t->group_count + 1)) return false;
            last = &t->groups[t->group_count++];
            *last = (token_group){.ids = v->specials + i, .size = text.size};
        }
        last->count++;
        note_first_two(t->first_two[1], text);
        if (is_wanted(v, v->specials[i] & VOCAB_ID_BITS, 0)) note_first_two(t->first_two[0], text);
    }
    return true;
}

static bool may_begin(const guest_tokenizer *t, base_span text, size_t at, unsigned flags)
{
    uint32_t key = (uint32_t)text.data[at] << 8 | (at + 1 < text.size ? text.data[at + 1] : 0);
    return t->first_two[flags & GUEST_TOKENIZE_SPECIAL ? 1 : 0][key / 64] >> key % 64 & 1;
}

/* The entry of the group's special that stands at text; VOCAB_ABSENT: none. */
static uint32_t find_special(guest_tokenizer *t, const token_group *g, const uint8_t *text, unsigned flags)
{
    const base_vocab *v = t->vocab;
    uint32_t low = 0, high = g->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        t->work++;
        if (memcmp(special_text(v, g->ids[middle]).data, text, g->size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < g->count && memcmp(special_text(v, g->ids[low]).data, text, g->size) == 0; low++)
        if (is_wanted(v, g->ids[low] & VOCAB_ID_BITS, flags)) return g->ids[low];
    return VOCAB_ABSENT;
}

static bool add_fragment(guest_tokenizer *t, token_fragment f)
{
    if (f.start >= f.end) return true;
    if (!BASE_GROW(t->other, t->other_room, t->other_count + 1)) return false;
    t->other[t->other_count++] = f;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

/* Cuts one fragment at the specials of one length. */
static bool cut_fragment(guest_tokenizer *t, const token_group *g, token_fragment f, base_span text, unsigned flags)
{
    size_t from = f.start;
    for (size_t at = f.start; at < f.end && f.end - at >= g->size;) {
        uint32_t entry = may_begin(t, text, at, flags) ? find_special(t, g, text.data + at, flags) : VOCAB_ABSENT;
        t->work++;
        if (entry == VOCAB_ABSENT) {
            at++;
            continue;
        }
        size_t end = at, after = at + g->size;
        while (entry >> 24 & VOCAB_STRIP_LEFT && end > from && is_blank(text.data[end - 1]))
            end--;
        while (entry >> 24 & VOCAB_STRIP_RIGHT && after < f.end && is_blank(text.data[after]))
            after++;
        if (!add_fragment(t, (token_fragment){from, end, VOCAB_ABSENT, true}) ||
            !add_fragment(t, (token_fragment){at, at + g->size, entry & VOCAB_ID_BITS, false}))
            return false;
        from = at = after;
    }
    return add_fragment(t, (token_fragment){from, f.end, VOCAB_ABSENT, true});
}

static void swap_fragments(guest_tokenizer *t)
{
    token_fragment *swap = t->fragments;
    size_t room = t->fragment_room;
    t->fragments = t->other;
    t->fragment_room = t->other_room;
    t->fragment_count = t->other_count;
    t->other = swap;
    t->other_room = room;
}

/* How far the longest special that stands at a place reaches; 0: none does. */
static size_t reach(guest_tokenizer *t, base_span text, size_t at, unsigned flags)
{
    for (size_t i = 0; i < t->group_count; i++)
        if (t->groups[i].size <= text.size - at &&
            find_special(t, &t->groups[i], text.data + at, flags) != VOCAB_ABSENT)
            return t->groups[i].size;
    return 0;
}

/* Where the stretch of specials, one beside or over the other, and of blanks between them ends that begins at `at`. */
static size_t stretch_end(guest_tokenizer *t, base_span text, size_t at, size_t end, unsigned flags)
{
    for (;; at++) {
        if (at == end && (end == text.size || !is_blank(text.data[end]))) return end;
        if (at == end) end++;
        size_t n = may_begin(t, text, at, flags) ? reach(t, text, at, flags) : 0;
        if (at + n > end) end = at + n;
    }
}

/* Marks the stretches in which specials stand (and the blanks that these may take with them): all else is text. */
static bool find_stretches(guest_tokenizer *t, base_span text, unsigned flags)
{
    size_t done = 0;
    t->other_count = 0;
    for (size_t at = 0; at < text.size; at++) {
        size_t n = may_begin(t, text, at, flags) ? reach(t, text, at, flags) : 0, start = at;
        if (n == 0) continue;
        while (start > done && is_blank(text.data[start - 1]))
            start--;
        size_t end = stretch_end(t, text, at + 1, at + n, flags);
        if (!add_fragment(t, (token_fragment){done, start, VOCAB_ABSENT, false}) ||
            !add_fragment(t, (token_fragment){start, end, VOCAB_ABSENT, true}))
            return false;
        done = end;
        at = end - 1;
    }
    t->work += text.size;
    return add_fragment(t, (token_fragment){done, text.size, VOCAB_ABSENT, false});
}

/* What was cut for the search only is one text again. */
static void join_texts(guest_tokenizer *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->fragment_count; i++) {
        token_fragment f = t->fragments[i], *last = kept ? &t->fragments[kept - 1] : NULL;
        if (last && f.token == VOCAB_ABSENT && last->token == VOCAB_ABSENT && last->end == f.start)
            last->end = f.end;
        else
            t->fragments[kept++] = f;
    }
    t->fragment_count = kept;
}

bool token_partition(guest_tokenizer *t, base_span text, unsigned flags)
{
    if (!find_stretches(t, text, flags)) return false;
    swap_fragments(t);
    bool any = false;
    for (size_t i = 0; i < t->fragment_count; i++)
        any |= t->fragments[i].dirty;
    for (size_t i = 0; any && i < t->group_count; i++) {
        t->other_count = 0;
        for (size_t k = 0; k < t->fragment_count; k++) {
            token_fragment f = t->fragments[k];
            t->work++;
            if (!(f.dirty ? cut_fragment(t, &t->groups[i], f, text, flags) : add_fragment(t, f))) return false;
        }
        swap_fragments(t);
    }
    join_texts(t);
    return true;
}
