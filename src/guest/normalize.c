#include "guest/normalize.h"

#include <string.h>

#include "base/mem.h"
#include "guest/unicode.h"

enum { KEY_MAX = 64 /* bytes of an entry of SentencePiece's map; real ones have up to 20 */ };

typedef struct letter {
    uint32_t code;
    uint8_t class; /* canonical combining class */
} letter;

/* A part of the text that normalizes by itself: a base character and all that is not ASCII after it. */
typedef struct segment {
    letter *letters, *sorted;
    size_t count, room, sorted_room;
    uint32_t steps;
    base_buffer *out;
} segment;

static bool add(segment *s, uint32_t code)
{
    if (!BASE_GROW(s->letters, s->room, s->count + 1)) return false;
    s->letters[s->count++] = (letter){code, guest_combining_class(code)};
    return true;
}

static bool add_hangul(segment *s, uint32_t code)
{
    uint32_t at = code - 0xac00;
    return add(s, 0x1100 + at / 588) && add(s, 0x1161 + at % 588 / 28) && (at % 28 == 0 || add(s, 0x11a7 + at % 28));
}

static bool add_decomposed(segment *s, uint32_t code)
{
    if (!(s->steps & (VOCAB_DECOMPOSE | VOCAB_COMPOSE))) return add(s, code);
    if (code >= 0xac00 && code < 0xd7a4) return add_hangul(s, code);
    base_span text = guest_decomposition(code, s->steps & VOCAB_COMPATIBLE);
    if (!text.size) return add(s, code);
    for (size_t at = 0; at < text.size;) {
        uint32_t c;
        at += base_utf8_decode(text.data + at, text.size - at, &c);
        if (!add(s, c)) return false;
    }
    return true;
}

/* Canonical ordering (D109) of a run of nonstarters: by class, equal ones as they are. */
static bool order_run(segment *s, size_t start, size_t end)
{
    if (end - start < 2) return true;
    size_t at[257] = {0};
    if (!BASE_GROW(s->sorted, s->sorted_room, end - start)) return false;
    for (size_t i = start; i < end; i++)
        at[s->letters[i].class + 1]++;
    for (size_t i = 1; i < 257; i++)
        at[i] += at[i - 1];
    for (size_t i = start; i < end; i++)
        s->sorted[at[s->letters[i].class]++] = s->letters[i];
    memcpy(s->letters + start, s->sorted, (end - start) * sizeof *s->sorted);
    return true;
}

static bool order(segment *s)
{
    for (size_t i = 0, start = 0; i <= s->count; i++) {
        if (i < s->count && s->letters[i].class) continue;
        if (!order_run(s, start, i)) return false;
        start = i + 1;
    }
    return true;
}

/* Canonical composition (D117): each letter joins the last starter unless something between blocks it. */
static void compose(segment *s)
{
    size_t starter = SIZE_MAX, kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        letter l = s->letters[i];
        bool blocked =
            starter == SIZE_MAX ||
            (kept > starter + 1 && (s->letters[kept - 1].class == 0 || s->letters[kept - 1].class >= l.class));
        uint32_t joined = blocked ? 0 : guest_compose(s->letters[starter].code, l.code);
        if (joined) {
            s->letters[starter].code = joined;
            continue;
        }
        if (l.class == 0) starter = kept;
        s->letters[kept++] = l;
    }
    s->count = kept;
}

static bool flush(segment *s)
{
    if (s->steps & (VOCAB_DECOMPOSE | VOCAB_COMPOSE) && !order(s)) return false;
    if (s->steps & VOCAB_COMPOSE) compose(s);
    for (size_t i = 0; i < s->count; i++) {
        uint32_t code = s->letters[i].code;
        uint8_t bytes[4];
        if (s->steps & VOCAB_STRIP_ACCENTS && guest_unicode_bits(code) & 1u << GUEST_MN) continue;
        if (s->steps & VOCAB_LOWERCASE) code = guest_unicode_lower(code);
        base_put(s->out, bytes, base_utf8_encode(code, bytes));
    }
    s->count = 0;
    return true;
}

/* The blocks that BERT puts spaces around; the hole before U+2B920 is in the original. */
static bool is_ideograph(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0x2f800 && c <= 0x2fa1f);
}

static bool take(segment *s, uint32_t c)
{
    if (s->steps & VOCAB_CLEAN) {
        uint32_t bits = guest_unicode_bits(c);
        if (c == 0 || c == 0xfffd) return true;
        if (bits & GUEST_BITS_SPACE)
            c = ' ';
        else if (bits & (1u << GUEST_CC | 1u << GUEST_CF | 1u << GUEST_CO))
            return true;
    }
    if (s->steps & VOCAB_CJK && is_ideograph(c)) return add(s, ' ') && add_decomposed(s, c) && add(s, ' ');
    return add_decomposed(s, c);
}

/* Normalizes the ASCII characters that the text begins with, but the last one before others, which may compose with
 * them. Returns how many. */
static size_t take_ascii(base_buffer *out, base_span text, uint32_t steps)
{
    uint8_t part[256];
    size_t at = 0;
    while (at < text.size && text.data[at] < 0x80) {
        size_t n = 0;
        for (; n < sizeof part && at < text.size && text.data[at] < 0x80; at++) {
            uint8_t c = text.data[at];
            if (at + 1 < text.size && text.data[at + 1] >= 0x80) break;
            if (steps & VOCAB_CLEAN && (c < 0x20 || c == 0x7f)) {
                if (c < 9 || c > 13) continue;
                c = ' ';
            }
            part[n++] = steps & VOCAB_LOWERCASE && c >= 'A' && c <= 'Z' ? c + 32 : c;
        }
        base_put(out, part, n);
        if (at < text.size && (at + 1 < text.size && text.data[at + 1] >= 0x80)) break;
    }
    return at;
}

bool guest_normalize(base_buffer *out, base_span text, uint32_t steps)
{
    segment s = {.steps = steps, .out = out};
    bool ok = true;
    for (size_t at = 0; ok && at < text.size;) {
        uint32_t c;
        if (text.data[at] < 0x80) {
            ok = flush(&s); /* nothing before an ASCII character reaches over it */
            at += take_ascii(out, (base_span){text.data + at, text.size - at}, steps);
            if (!ok || at == text.size) break;
        }
        size_t n = base_utf8_decode(text.data + at, text.size - at, &c);
        if (n == 0) c = 0xfffd, n = 1;
        ok = ok && take(&s, c);
        at += n;
    }
    ok = ok && flush(&s);
    base_free(s.letters);
    base_free(s.sorted);
    return ok && !out->failed;
}

/* The double array's entries: bit 31 and the low byte are the label, bit 8 says that a value is below, the rest leads
 * on; at the value, the low 31 bits are an offset into the texts. */
base_span guest_map_prefix(const base_vocab *v, base_span text, size_t *taken)
{
    uint32_t node = 0, unit = v->map_words ? v->map[0] : 0, found = UINT32_MAX, c;
    node ^= unit >> 10 << ((unit & 1u << 9) >> 6);
    for (size_t i = 0; v->map_words && i < text.size && i < KEY_MAX; i++) {
        node ^= text.data[i];
        if (text.data[i] == 0 || node >= v->map_words) break;
        unit = v->map[node];
        if ((unit & 0x800000ffu) != text.data[i]) break;
        node ^= unit >> 10 << ((unit & 1u << 9) >> 6);
        if (!(unit & 1u << 8)) continue;
        if (node >= v->map_words) break;
        found = v->map[node] & 0x7fffffffu;
        *taken = i + 1;
    }
    if (found < v->map_bytes) { /* the last text ends with a zero byte: base_vocab_open */
        const uint8_t *start = v->map_texts + found;
        return (base_span){start, strlen((const char *)start)};
    }
    size_t n = base_utf8_decode(text.data, text.size, &c);
    *taken = n ? n : 1;
    return n ? (base_span){text.data, n} : (base_span){(const uint8_t *)"\xef\xbf\xbd", 3};
}
