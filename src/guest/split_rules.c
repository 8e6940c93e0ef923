/* The rules are the published regular expressions of each tokenizer, applied one after the other: what one finds and
 * what lies between go on to the next (as Hugging Face's "Isolated" sequences do). They need no general engine: an
 * alternative is a sequence of classes with counts, so matching backtracks over a handful of items and never recurses
 * into the text.
 *
 * Syntax: alternatives |; classes [...] with ranges, ^, \p{L}, \s and a part taken out, [\p{L}&&[^a-z]]; ? * + {m,n};
 * (?!\S) = not before a non-space; \k = one of 's 't 're 've 'm 'll 'd, \K = the same in any case; \P = letters with
 * their marks, single spaces between them. Whole passes: "\s+$" = the white space at the end, "\3" = numbers, in threes
 * from the right.
 */
#include "guest/split_rules.h"

#include <string.h>

#include "base/mem.h"
#include "guest/unicode.h"

#define GPT2 "\\k| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CL100K(digits) "\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES
#define MARKED "[\\p{L}\\p{M}]"
#define UPPER "[\\p{L}&&[^a-z]]"
#define LOWER "[\\p{L}&&[^A-Z]]"
#define CASED(upper, lower, suffix)                                                                                    \
    "[^\\r\\n\\p{L}\\p{N}]?" upper "*" lower "+" suffix "|[^\\r\\n\\p{L}\\p{N}]?" upper "+" lower "*" suffix
#define SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES
#define UPPER_REAL "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER_REAL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define HAN_KANA "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define CODE_WORDS "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"

static const char *const rules[VOCAB_PRE_COUNT][SPLIT_PASSES] = {
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
    [VOCAB_PRE_DEEPSEEK3] = {"\\p{N}{1,3}", HAN_KANA, CODE_WORDS "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES},
    [VOCAB_PRE_FALCON] = {"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"},
    [VOCAB_PRE_STARCODER] = {"\\p{N}", GPT2},
    [VOCAB_PRE_TEKKEN] = {CASED(UPPER, LOWER, "") "|\\p{N}" SIGNS},
    [VOCAB_PRE_TEKKEN_CASED] = {CASED(UPPER_REAL, LOWER_REAL, "") "|\\p{N}" SIGNS},
    [VOCAB_PRE_GPT4O] = {CASED(UPPER, LOWER, "\\K?") "|\\p{N}{1,3}" SIGNS},
    [VOCAB_PRE_O200K] = {CASED(UPPER_REAL, LOWER_REAL, "\\K?") "|\\p{N}{1,3}" SIGNS},
    [VOCAB_PRE_GRANITE_MULTI] = {CASED("[\\p{L}\\p{M}&&[^a-z]]", "[\\p{L}\\p{M}&&[^A-Z]]",
                                       "\\K?") "|\\p{N}{1,3}" SIGNS},
    [VOCAB_PRE_TINY_AYA] = {"\\3", CASED(MARKED, MARKED, "\\K?") "|\\p{N}{1,3}" SIGNS},
    [VOCAB_PRE_YOUTU] = {"[\uac00-\ud7a3\u3131-\u318e]+|"
                         "[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|"
                         "[\u3105-\u312f]+|" HAN_KANA,
                         CASED(MARKED, MARKED, "\\K?") "|\\p{N}" SIGNS},
    [VOCAB_PRE_BLOOM] = {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"},
    [VOCAB_PRE_VIKING] = {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+", "\\p{N}"},
    [VOCAB_PRE_BAILING] = {"\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                           "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
    [VOCAB_PRE_SEED_CODER] = {"\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES},
    [VOCAB_PRE_LINES] = {"[^\\n]+|[\\n]+"},
    [VOCAB_PRE_LAGUNA] = {"[^\\n]+|[\\n]+", CL100K("\\p{N}")},
    [VOCAB_PRE_MINICPM5] = {"\\p{N}{1,3}", CL100K("\\p{N}+")},
    [VOCAB_PRE_UFAKZEKA] = {"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES},
    [VOCAB_PRE_JAIS2] = {"\\K|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                         "\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|"
                         "\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s"},
    [VOCAB_PRE_SPARK] = {"\\p{N}{1,3}", HAN_KANA, CODE_WORDS "| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+", "\\p{N}"},
    [VOCAB_PRE_AFMOE] = {"\\3",
                         "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf"
                         "\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af"
                         "\u1100-\u11ff]+",
                         CODE_WORDS "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES},
    [VOCAB_PRE_EXAONE_MOE] = {"\\K|[^\\r\\n\\p{L}\\p{N}]?\\P|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|"
                              "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
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
    } named[] = {{"\\p{L}", GUEST_BITS_L},    {"\\p{M}", GUEST_BITS_M},    {"\\p{N}", GUEST_BITS_N},
                 {"\\p{P}", GUEST_BITS_P},    {"\\p{S}", GUEST_BITS_S},    {"\\s", GUEST_BITS_SPACE},
                 {"\\p{Lu}", 1u << GUEST_LU}, {"\\p{Ll}", 1u << GUEST_LL}, {"\\p{Lt}", 1u << GUEST_LT},
                 {"\\p{Lm}", 1u << GUEST_LM}, {"\\p{Lo}", 1u << GUEST_LO}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (skip(at, named[i].text)) return named[i].bits;
    bool escaped = skip(at, "\\");
    *c = next_char(at);
    if (escaped && *c == 'r') *c = '\r';
    if (escaped && *c == 'n') *c = '\n';
    return 0;
}

static void add_range(guest_split *s, split_item *it, uint32_t low, uint32_t high)
{
    BASE_ASSERT(s->range_count < SPLIT_RANGES && low <= high);
    s->ranges[s->range_count++] = (split_range){low, high};
    it->range_count++;
}

static void read_class(guest_split *s, split_item *it, const char **at)
{
    if (skip(at, "^")) it->flags |= SPLIT_NEGATED;
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

static uint16_t read_number(const char **at)
{
    uint16_t v = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        v = (uint16_t)(v * 10 + (**at - '0'));
    return v;
}

static void read_count(split_item *it, const char **at)
{
    it->least = it->most = 1;
    if (skip(at, "?")) it->least = 0;
    if (skip(at, "+")) it->most = SPLIT_MANY;
    if (skip(at, "*")) it->least = 0, it->most = SPLIT_MANY;
    if (skip(at, "{")) {
        it->least = it->most = read_number(at);
        if (skip(at, ",")) it->most = read_number(at);
        BASE_ASSERT(skip(at, "}"));
    }
}

static void read_item(guest_split *s, const char **at)
{
    BASE_ASSERT(s->item_count < SPLIT_ITEMS);
    split_item *it = &s->items[s->item_count++];
    *it = (split_item){.first_range = s->range_count, .hole = {1, 0}};
    if (skip(at, "(?!\\S)")) {
        it->flags = SPLIT_NOT_BEFORE;
        it->bits = GUEST_BITS_NOT_SPACE;
    } else if (skip(at, "\\K")) {
        it->flags = SPLIT_SHORT_FORMS | SPLIT_ANY_CASE;
    } else if (skip(at, "\\k")) {
        it->flags = SPLIT_SHORT_FORMS;
    } else if (skip(at, "\\P")) {
        it->flags = SPLIT_PHRASE;
        it->bits = GUEST_BITS_L;
    } else if (skip(at, "[")) {
        read_class(s, it, at);
    } else {
        uint32_t c = 0;
        it->bits = read_escape(at, &c);
        if (!it->bits) add_range(s, it, c, c);
    }
    if (!(it->flags & SPLIT_NOT_BEFORE)) read_count(it, at);
    for (uint32_t c = 0; c < 128; c++)
        if (it->flags & SPLIT_SHORT_FORMS ? c == '\'' : guest_split_has(s, it, c)) it->ascii[c / 32] |= 1u << c % 32;
}

bool guest_split_has(const guest_split *s, const split_item *it, uint32_t c)
{
    bool in = it->bits && (guest_unicode_bits(c) & it->bits);
    for (int i = 0; !in && i < it->range_count; i++)
        in = c >= s->ranges[it->first_range + i].low && c <= s->ranges[it->first_range + i].high;
    if (it->flags & SPLIT_NEGATED) in = !in;
    return in && !(c >= it->hole.low && c <= it->hole.high);
}

/* Notes with which bytes an alternative may begin: those of its first items up to one that must be there. */
static void note_begin(split_pass *pass, const split_item *items, unsigned count, uint32_t bit)
{
    pass->begin[128] |= bit;
    for (unsigned i = 0; i < count; i++) {
        for (uint32_t c = 0; c < 128; c++)
            if (items[i].ascii[c / 32] >> c % 32 & 1) pass->begin[c] |= bit;
        if (items[i].least > 0) return;
    }
}

static void read_rule(guest_split *s, const char *at)
{
    split_pass *pass = &s->pass[s->pass_count++];
    pass->first = s->alternative_count;
    pass->star = SPLIT_NONE;
    pass->what = strcmp(at, "\\s+$") == 0 ? SPLIT_TRAILING : strcmp(at, "\\3") == 0 ? SPLIT_THREES : SPLIT_MATCH;
    if (pass->what != SPLIT_MATCH) return;
    do {
        BASE_ASSERT(s->alternative_count < SPLIT_ALTERNATIVES);
        uint8_t a = s->alternative_count++;
        s->alternative[a].first = s->item_count;
        while (*at && *at != '|')
            read_item(s, &at);
        s->alternative[a].count = (uint8_t)(s->item_count - s->alternative[a].first);
        const split_item *head = &s->items[s->alternative[a].first];
        if (head->least == 0 && head->most == SPLIT_MANY) pass->star = a;
        note_begin(pass, s->items + s->alternative[a].first, s->alternative[a].count, 1u << pass->count++);
    } while (skip(&at, "|"));
}

guest_split *guest_split_new(base_vocab_pre pre)
{
    guest_split *s = base_calloc(1, sizeof *s);
    for (int i = 0; s && i < SPLIT_PASSES && rules[pre][i]; i++)
        read_rule(s, rules[pre][i]);
    return s;
}

void guest_split_free(guest_split *split)
{
    base_free(split);
}

uint64_t guest_split_work(const guest_split *split)
{
    return split->work;
}
