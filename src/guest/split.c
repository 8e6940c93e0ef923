/* The rules are the published regular expressions of each tokenizer, applied one after the other: what one finds and
 * what lies between go on to the next (as Hugging Face's "Isolated" sequences do). They need no general engine: an
 * alternative is a sequence of classes with counts, so matching backtracks over a handful of items and never recurses
 * into the text.
 *
 * Syntax: alternatives |; classes [...] with ranges, ^, \p{L}, \s and a part taken out, [\p{L}&&[^a-z]]; ? * + {m,n};
 * (?!\S) = not before a non-space; \k = one of 's 't 're 've 'm 'll 'd, \K = the same in any case; $ alone after \s+.
 */
#include "guest/split.h"

#include <string.h>

#include "base/mem.h"
#include "guest/unicode.h"

enum { PASSES = 6, ALTERNATIVES = 16, ITEMS = 64, RANGES = 160, MANY = 255 };
enum { ITEM_NEGATED = 1, ITEM_NOT_BEFORE = 2, ITEM_SHORT_FORMS = 4, ITEM_ANY_CASE = 8 };

#define GPT2 "\\k| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CL100K(digits) "\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES
#define UPPER "[\\p{L}&&[^a-z]]"
#define LOWER "[\\p{L}&&[^A-Z]]"
#define CASED(suffix)                                                                                                  \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" suffix "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" suffix

static const char *const rules[VOCAB_PRE_COUNT][PASSES] = {
    [VOCAB_PRE_DEFAULT] = {"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"},
    [VOCAB_PRE_GPT2] = {GPT2},
    [VOCAB_PRE_LLAMA3] = {CL100K("\\p{N}{1,3}")},
    [VOCAB_PRE_QWEN2] = {CL100K("\\p{N}")},
    [VOCAB_PRE_QWEN35] =
        {"\\K|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES},
    [VOCAB_PRE_DEEPSEEK_LLM] =
        {"[\\r\\n]",
         /* cased letters, as of the Unicode that its authors had */
         "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373"
         "\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f"
         "\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
         "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d"
         "\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-"
         "\u1ff4"
         "\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139"
         "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
         "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a"
         "\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
         "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+",
         "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", "\\s+$",
         "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}+"},
    [VOCAB_PRE_DEEPSEEK_CODER] = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                                  "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"},
    [VOCAB_PRE_DEEPSEEK3] = {"\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                             "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                             " ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES},
    [VOCAB_PRE_FALCON] = {"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"},
    [VOCAB_PRE_STARCODER] = {"\\p{N}", GPT2},
    [VOCAB_PRE_TEKKEN] = {CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES},
    [VOCAB_PRE_GPT4O] = {CASED("\\K?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES},
    [VOCAB_PRE_BLOOM] = {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"},
    [VOCAB_PRE_VIKING] = {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+", "\\p{N}"},
    [VOCAB_PRE_BAILING] = {"\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                           "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
    [VOCAB_PRE_SEED_CODER] = {"\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES},
};

typedef struct range {
    uint32_t low, high;
} range;

typedef struct item {
    uint32_t bits; /* GUEST_BITS_* */
    range hole;    /* taken out again */
    uint8_t first_range, range_count;
    uint8_t least, most; /* MANY: without end */
    uint8_t flags;
} item;

struct guest_split {
    uint8_t pass_count, alternative_count, item_count, range_count;
    struct {
        uint8_t first, count; /* alternatives */
        bool trailing;        /* \s+$: the white space at the end */
    } pass[PASSES];
    struct {
        uint8_t first, count; /* items */
    } alternative[ALTERNATIVES * 2];
    item items[ITEMS];
    range ranges[RANGES];
};

/* ---- from text to items; the rules are ours, so a mistake in one is an assertion ---- */

static uint32_t next_char(const char **at)
{
    uint32_t c = 0;
    size_t n = base_utf8_decode((const uint8_t *)*at, strlen(*at), &c);
    BASE_ASSERT(n > 0);
    *at += n;
    return c;
}

static bool skip(const char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0) return false;
    *at += n;
    return true;
}

/* A class by name, or a single character that is put into *c. */
static uint32_t read_escape(const char **at, uint32_t *c)
{
    static const struct {
        const char *text;
        uint32_t bits;
    } named[] = {{"\\p{L}", GUEST_BITS_L}, {"\\p{M}", GUEST_BITS_M}, {"\\p{N}", GUEST_BITS_N},
                 {"\\p{P}", GUEST_BITS_P}, {"\\p{S}", GUEST_BITS_S}, {"\\s", GUEST_BITS_SPACE}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (skip(at, named[i].text)) return named[i].bits;
    bool escaped = skip(at, "\\");
    *c = next_char(at);
    if (escaped && *c == 'r') *c = '\r';
    if (escaped && *c == 'n') *c = '\n';
    return 0;
}

static void add_range(guest_split *s, item *it, uint32_t low, uint32_t high)
{
    BASE_ASSERT(s->range_count < RANGES && low <= high);
    s->ranges[s->range_count++] = (range){low, high};
    it->range_count++;
}

static void read_class(guest_split *s, item *it, const char **at)
{
    if (skip(at, "^")) it->flags |= ITEM_NEGATED;
    while (!skip(at, "]")) {
        uint32_t low = 0, bits;
        if (skip(at, "&&[^")) {
            it->hole.low = next_char(at);
            BASE_ASSERT(skip(at, "-"));
            it->hole.high = next_char(at);
            BASE_ASSERT(skip(at, "]"));
            continue;
        }
        bits = read_escape(at, &low);
        it->bits |= bits;
        if (bits) continue;
        uint32_t high = low;
        if ((*at)[0] == '-' && (*at)[1] != ']') {
            ++*at;
            BASE_ASSERT(read_escape(at, &high) == 0);
        }
        add_range(s, it, low, high);
    }
}

static void read_count(item *it, const char **at)
{
    it->least = it->most = 1;
    if (skip(at, "?")) it->least = 0;
    if (skip(at, "+")) it->most = MANY;
    if (skip(at, "*")) it->least = 0, it->most = MANY;
    if (skip(at, "{1,3}")) it->most = 3;
}

static void read_item(guest_split *s, const char **at)
{
    BASE_ASSERT(s->item_count < ITEMS);
    item *it = &s->items[s->item_count++];
    *it = (item){.first_range = s->range_count, .hole = {1, 0}};
    if (skip(at, "(?!\\S)")) {
        it->flags = ITEM_NOT_BEFORE;
        it->bits = GUEST_BITS_NOT_SPACE;
        return;
    }
    if (skip(at, "\\K")) {
        it->flags = ITEM_SHORT_FORMS | ITEM_ANY_CASE;
    } else if (skip(at, "\\k")) {
        it->flags = ITEM_SHORT_FORMS;
    } else if (skip(at, "[")) {
        read_class(s, it, at);
    } else {
        uint32_t c = 0;
        it->bits = read_escape(at, &c);
        if (!it->bits) add_range(s, it, c, c);
    }
    read_count(it, at);
}

static void read_rule(guest_split *s, const char *at)
{
    uint8_t pass = s->pass_count++;
    s->pass[pass].first = s->alternative_count;
    if (strcmp(at, "\\s+$") == 0) {
        s->pass[pass].trailing = true;
        return;
    }
    do {
        BASE_ASSERT(s->alternative_count < ALTERNATIVES * 2);
        uint8_t a = s->alternative_count++;
        s->alternative[a].first = s->item_count;
        while (*at && *at != '|')
            read_item(s, &at);
        s->alternative[a].count = (uint8_t)(s->item_count - s->alternative[a].first);
        s->pass[pass].count++;
    } while (skip(&at, "|"));
}

guest_split *guest_split_new(base_vocab_pre pre)
{
    guest_split *s = base_calloc(1, sizeof *s);
    for (int i = 0; s && i < PASSES && rules[pre][i]; i++)
        read_rule(s, rules[pre][i]);
    return s;
}

void guest_split_free(guest_split *split)
{
    base_free(split);
}

/* ---- matching ---- */

static size_t decode(const uint8_t *p, const uint8_t *end, uint32_t *c)
{
    size_t n = base_utf8_decode(p, (size_t)(end - p), c);
    if (n) return n;
    *c = 0xfffd; /* not UTF-8: a character of its own, kept as the byte that it is */
    return 1;
}

/* The length of the character at p if the class has it, else 0. */
static size_t in_class(const guest_split *s, const item *it, const uint8_t *p, const uint8_t *end)
{
    uint32_t c;
    if (p == end) return 0;
    size_t n = decode(p, end, &c);
    bool in = it->bits && (guest_unicode_bits(c) & it->bits);
    for (int i = 0; !in && i < it->range_count; i++)
        in = c >= s->ranges[it->first_range + i].low && c <= s->ranges[it->first_range + i].high;
    if (it->flags & ITEM_NEGATED) in = !in;
    if (c >= it->hole.low && c <= it->hole.high) in = false;
    return in ? n : 0;
}

static size_t match_short_form(const item *it, const uint8_t *p, const uint8_t *end)
{
    static const char *const forms[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    uint8_t fold = it->flags & ITEM_ANY_CASE ? 0x20 : 0;
    if (p == end || *p != '\'') return 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t n = strlen(forms[i]), k = 0;
        while (k < n && (size_t)(end - p) > k + 1 && (p[k + 1] | fold) == (uint8_t)forms[i][k])
            k++;
        if (k == n) return n + 1;
    }
    return 0;
}

/* Steps back over one character, as decode() stepped over it. */
static const uint8_t *step_back(const uint8_t *from, const uint8_t *p, const uint8_t *end)
{
    uint32_t c;
    for (ptrdiff_t n = 4; n > 1; n--)
        if (p - from >= n && decode(p - n, end, &c) == (size_t)n) return p - n;
    return p - 1;
}

/* Where a match of items[0..count) that begins at p ends; NULL: there is none. Greedy, with backtracking. */
static const uint8_t *match_items(const guest_split *s, const item *items, unsigned count, const uint8_t *p,
                                  const uint8_t *end)
{
    if (count == 0) return p;
    const item *it = items;
    if (it->flags & ITEM_NOT_BEFORE)
        return in_class(s, it, p, end) ? NULL : match_items(s, items + 1, count - 1, p, end);
    if (it->flags & ITEM_SHORT_FORMS) {
        size_t n = match_short_form(it, p, end);
        return n || it->least == 0 ? match_items(s, items + 1, count - 1, p + n, end) : NULL;
    }
    const uint8_t *q = p;
    size_t times = 0;
    for (size_t n; (it->most == MANY || times < it->most) && (n = in_class(s, it, q, end)); times++)
        q += n;
    for (; times >= it->least; times--) {
        const uint8_t *done = match_items(s, items + 1, count - 1, q, end);
        if (done || times == 0) return done;
        q = step_back(p, q, end);
    }
    return NULL;
}

static const uint8_t *match_pass(const guest_split *s, unsigned pass, const uint8_t *p, const uint8_t *end)
{
    for (unsigned a = s->pass[pass].first, last = a + s->pass[pass].count; a < last; a++) {
        const uint8_t *q = match_items(s, s->items + s->alternative[a].first, s->alternative[a].count, p, end);
        if (q && q > p) return q;
    }
    return NULL;
}

typedef struct run {
    const guest_split *split;
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
        if (!(guest_unicode_bits(c) & GUEST_BITS_SPACE)) break;
    }
    return next_pass(r, pass, p, cut) && next_pass(r, pass, cut, end);
}

static bool run_pass(const run *r, unsigned pass, const uint8_t *p, const uint8_t *end)
{
    if (pass == r->split->pass_count) return r->word(r->context, (base_span){p, (size_t)(end - p)});
    if (r->split->pass[pass].trailing) return run_trailing(r, pass, p, end);
    const uint8_t *gap = p;
    while (p < end) {
        uint32_t c;
        const uint8_t *q = match_pass(r->split, pass, p, end);
        if (!q) {
            p += decode(p, end, &c);
            continue;
        }
        if (!next_pass(r, pass, gap, p) || !next_pass(r, pass, p, q)) return false;
        gap = p = q;
    }
    return next_pass(r, pass, gap, end);
}

bool guest_split_run(const guest_split *split, base_span text, bool (*word)(void *, base_span), void *context)
{
    run r = {split, word, context};
    return text.size == 0 || run_pass(&r, 0, text.data, text.data + text.size);
}
