/* Tokens back to text. */
#include <string.h>

#include "guest/tokenize_state.h"

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

static bool begins_with_mark(base_span text)
{
    return text.size >= 3 && memcmp(text.data, SPACE_MARK, 3) == 0;
}

/* Does the vocabulary write spaces as U+2581? */
static bool has_marks(const base_vocab *v)
{
    return v->kind == VOCAB_SPM || v->kind == VOCAB_UNIGRAM || v->kind == VOCAB_WORDS || v->flags & VOCAB_RAW;
}

/* The space that was only added in front; in WordPiece also the one that a sign never has before it. */
static bool drops_space(const guest_detokenizer *d, base_span text, bool at_start)
{
    const base_vocab *v = d->vocab;
    if (v->kind == VOCAB_WORDS) return at_start || (text.size == 4 && strchr(".,!?", text.data[3]));
    return at_start && v->flags & VOCAB_ADD_SPACE && !(v->flags & VOCAB_SPACE_SUFFIX);
}

/* Calls put for each byte of the token's text. */
static void for_each_byte(guest_detokenizer *d, uint32_t token, base_buffer *out,
                          void (*put)(guest_detokenizer *d, uint8_t byte, base_buffer *out))
{
    const base_vocab *v = d->vocab;
    base_span text = base_vocab_text(v, token);
    if (v->types[token] == VOCAB_BYTE && has_marks(v)) {
        int byte = byte_of(text);
        if (byte >= 0) put(d, (uint8_t)byte, out);
        return;
    }
    bool marks = has_marks(v) && v->types[token] != VOCAB_USER_DEFINED && v->types[token] != VOCAB_CONTROL;
    if (marks && begins_with_mark(text) && drops_space(d, text, d->at_start))
        text = (base_span){text.data + 3, text.size - 3};
    for (size_t i = 0; i < text.size;) {
        bool mark = marks && begins_with_mark((base_span){text.data + i, text.size - i});
        put(d, mark ? ' ' : text.data[i], out);
        i += mark ? 3 : 1;
    }
}

void guest_detokenize(guest_detokenizer *d, uint32_t token, base_buffer *out)
{
    const base_vocab *v = d->vocab;
    if (token >= v->count || v->types[token] == VOCAB_CONTROL || v->types[token] == VOCAB_UNKNOWN) return;
    for_each_byte(d, token, out, put_byte);
    d->at_start = false;
}

void guest_detokenize_end(guest_detokenizer *d, base_buffer *out)
{
    if (d->waiting_size) base_put_text(out, "\ufffd");
    d->waiting_size = 0;
}

static void put_plain(guest_detokenizer *d, uint8_t byte, base_buffer *out)
{
    (void)d;
    base_put_u8(out, byte);
}

void guest_token_piece(const base_vocab *v, uint32_t token, base_buffer *out)
{
    guest_detokenizer d = {.vocab = v, .at_start = false};
    if (token < v->count) for_each_byte(&d, token, out, put_plain);
}
