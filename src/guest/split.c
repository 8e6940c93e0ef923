#include "guest/split.h"

#include <string.h>

#include "guest/split_rules.h"

static size_t decode(const uint8_t *p, const uint8_t *end, uint32_t *c)
{
    size_t n = base_utf8_decode(p, (size_t)(end - p), c);
    if (n) return n;
    *c = 0xfffd; /* not UTF-8: a character of its own, kept as the byte that it is */
    return 1;
}

/* The length of the character at p if the class has it, else 0. */
static inline size_t in_class(const guest_split *s, const split_item *it, const uint8_t *p, const uint8_t *end)
{
    uint32_t c;
    if (p == end) return 0;
    if (*p < 0x80) return it->ascii[*p / 32] >> *p % 32 & 1;
    size_t n = decode(p, end, &c);
    return guest_split_has(s, it, c) ? n : 0;
}

static size_t match_short_form(const split_item *it, const uint8_t *p, const uint8_t *end)
{
    static const char *const forms[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    uint8_t fold = it->flags & SPLIT_ANY_CASE ? 0x20 : 0;
    if (p == end || *p != '\'') return 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t n = strlen(forms[i]), k = 0;
        while (k < n && (size_t)(end - p) > k + 1 && (p[k + 1] | fold) == (uint8_t)forms[i][k])
            k++;
        if (k == n) return n + 1;
    }
    return 0;
}

/* Letters with their marks, words of them one space apart. */
static size_t match_phrase(const guest_split *s, const split_item *it, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = p + in_class(s, it, p, end);
    uint32_t c;
    for (size_t n; q > p && q < end; q += n) {
        n = decode(q, end, &c);
        if (guest_unicode_bits(c) & (GUEST_BITS_L | GUEST_BITS_M)) continue;
        size_t letter = c == ' ' ? in_class(s, it, q + 1, end) : 0;
        if (!letter) break;
        n = 1 + letter;
    }
    return (size_t)(q - p);
}

/* Steps back over one character, as decode() stepped over it. */
static const uint8_t *step_back(const uint8_t *from, const uint8_t *p, const uint8_t *end)
{
    uint32_t c;
    if (p[-1] < 0x80) return p - 1;
    for (ptrdiff_t n = 4; n > 1; n--)
        if (p - from >= n && decode(p - n, end, &c) == (size_t)n) return p - n;
    return p - 1;
}

/* Where a match of items[0..count) that begins at p ends; NULL: there is none. Greedy, with backtracking. */
static const uint8_t *match_items(guest_split *s, const split_item *items, unsigned count, const uint8_t *p,
                                  const uint8_t *end)
{
    if (count == 0) return p;
    const split_item *it = items;
    if (it->flags & SPLIT_NOT_BEFORE)
        return in_class(s, it, p, end) ? NULL : match_items(s, items + 1, count - 1, p, end);
    if (it->flags & (SPLIT_SHORT_FORMS | SPLIT_PHRASE)) {
        size_t n = it->flags & SPLIT_PHRASE ? match_phrase(s, it, p, end) : match_short_form(it, p, end);
        s->work += n;
        return n || it->least == 0 ? match_items(s, items + 1, count - 1, p + n, end) : NULL;
    }
    const uint8_t *q = p;
    size_t times = 0, most = it->most == SPLIT_MANY ? SIZE_MAX : it->most;
    for (size_t n; times < most && (n = in_class(s, it, q, end)); times++)
        q += n;
    s->work += times + 1;
    if (count == 1) return times >= it->least ? q : NULL;
    for (; times >= it->least; times--) {
        const uint8_t *done = match_items(s, items + 1, count - 1, q, end);
        if (done || times == 0) return done;
        q = step_back(p, q, end);
    }
    return NULL;
}

/* Where an alternative that begins with a class* fails, it fails also from all places up to the end of that class's
 * run: *hopeless. So a long run that is matched in small parts is not looked through for each of them. */
static const uint8_t *match_pass(guest_split *s, const split_pass *pass, const uint8_t *p, const uint8_t *end,
                                 const uint8_t **hopeless)
{
    uint32_t may = pass->begin[*p < 0x80 ? *p : 128];
    for (; may; may &= may - 1) {
        unsigned a = pass->first + (unsigned)__builtin_ctz(may);
        const split_item *items = s->items + s->alternative[a].first;
        if (a == pass->star && p < *hopeless) continue;
        const uint8_t *q = match_items(s, items, s->alternative[a].count, p, end);
        if (q && q > p) return q;
        if (a != pass->star) continue;
        *hopeless = p;
        for (size_t n; (n = in_class(s, items, *hopeless, end)); s->work++)
            *hopeless += n;
    }
    return NULL;
}

typedef struct run {
    guest_split *split;
    bool (*word)(void *context, base_span word);
    void *context;
} run;

static bool run_pass(const run *r, unsigned pass, const uint8_t *p, const uint8_t *end);

static bool next_pass(const run *r, unsigned pass, const uint8_t *p, const uint8_t *end)
{
    return p == end || run_pass(r, pass + 1, p, end);
}

static bool run_trailing(const run *r, unsigned pass, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *cut = end;
    for (const uint8_t *q; cut > p; cut = q) {
        uint32_t c;
        q = step_back(p, cut, end);
        decode(q, end, &c);
        r->split->work++;
        if (!(guest_unicode_bits(c) & GUEST_BITS_SPACE)) break;
    }
    return next_pass(r, pass, p, cut) && next_pass(r, pass, cut, end);
}

/* A run of numbers is cut so that its last part, and all but the first, have three; what is between stays with what
 * comes before the next cut. */
static bool run_threes(const run *r, unsigned pass, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *gap = p;
    while (p < end) {
        uint32_t c;
        const uint8_t *q = p;
        size_t count = 0;
        for (size_t n; q < end && (n = decode(q, end, &c)) && guest_unicode_bits(c) & GUEST_BITS_N; q += n)
            count++;
        r->split->work += count + 1;
        if (count == 0) {
            p += decode(p, end, &c);
            continue;
        }
        while (count) {
            for (size_t n = count % 3 ? count % 3 : 3; n; n--, count--)
                p += decode(p, end, &c);
            if (!next_pass(r, pass, gap, p)) return false;
            gap = p;
        }
    }
    return next_pass(r, pass, gap, end);
}

static bool run_pass(const run *r, unsigned number, const uint8_t *p, const uint8_t *end)
{
    if (number == r->split->pass_count) return r->word(r->context, (base_span){p, (size_t)(end - p)});
    const split_pass *pass = &r->split->pass[number];
    if (pass->what == SPLIT_TRAILING) return run_trailing(r, number, p, end);
    if (pass->what == SPLIT_THREES) return run_threes(r, number, p, end);
    const uint8_t *gap = p, *hopeless = p;
    while (p < end) {
        uint32_t c;
        if (*p < 0x80 && !pass->begin[*p]) {
            p++;
            continue;
        }
        const uint8_t *q = match_pass(r->split, pass, p, end, &hopeless);
        if (!q) {
            p += decode(p, end, &c);
            continue;
        }
        if (!next_pass(r, number, gap, p) || !next_pass(r, number, p, q)) return false;
        gap = p = q;
    }
    return next_pass(r, number, gap, end);
}

bool guest_split_run(guest_split *split, base_span text, bool (*word)(void *, base_span), void *context)
{
    run r = {split, word, context};
    return text.size == 0 || run_pass(&r, 0, text.data, text.data + text.size);
}
