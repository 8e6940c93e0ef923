#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

base_reader base_reader_of(const void *data, size_t size)
{
    static const uint8_t nothing[1]; /* adding even 0 to NULL is undefined */
    if (!data) data = nothing;
    return (base_reader){.start = data, .at = data, .end = (const uint8_t *)data + size};
}

/* The one bounds check: NULL when fewer than `size` bytes are left. */
static const uint8_t *take(base_reader *r, uint64_t size)
{
    if (r->failed || size > base_left(r)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += size;
    return p;
}

uint8_t base_read_u8(base_reader *r)
{
    const uint8_t *p = take(r, 1);
    return p ? *p : 0;
}

/* The hosts and targets of this project are little-endian (checked in mem layout tests), so a copy is a read. */
#define READ_FIXED(name, type)                                                                                         \
    type base_read_##name(base_reader *r)                                                                              \
    {                                                                                                                  \
        type v = 0;                                                                                                    \
        const uint8_t *p = take(r, sizeof v);                                                                          \
        if (p) memcpy(&v, p, sizeof v);                                                                                \
        return v;                                                                                                      \
    }
READ_FIXED(u16, uint16_t)
READ_FIXED(u32, uint32_t)
READ_FIXED(u64, uint64_t)
READ_FIXED(f32, float)
READ_FIXED(f64, double)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a big-endian port must swap here and in base_put_*");

base_span base_read_span(base_reader *r, uint64_t size)
{
    const uint8_t *p = take(r, size);
    return p ? (base_span){p, (size_t)size} : (base_span){NULL, 0};
}

bool base_skip(base_reader *r, uint64_t size)
{
    return take(r, size) != NULL;
}

bool base_can_hold(const base_reader *r, uint64_t count, uint64_t min_size)
{
    return !r->failed && (min_size == 0 || count <= base_left(r) / min_size);
}

static uint64_t read_leb_unsigned(base_reader *r, unsigned bits)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        uint8_t byte = base_read_u8(r);
        unsigned room = bits - shift;
        if (r->failed || (room < 7 && (byte & 0x7f) >> room)) break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return v;
    }
    r->failed = true;
    return 0;
}

static int64_t read_leb_signed(base_reader *r, unsigned bits)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        uint8_t byte = base_read_u8(r);
        unsigned room = bits - shift;
        if (r->failed) break;
        if (room < 7) { /* the unused bits must repeat the sign bit */
            uint8_t sign_and_up = (uint8_t)((byte & 0x7f) >> (room - 1));
            if (sign_and_up != 0 && sign_and_up != 0x7f >> (room - 1)) break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            unsigned used = shift + 7;
            if (used < 64 && (byte & 0x40)) v |= ~(uint64_t)0 << used;
            return (int64_t)v;
        }
    }
    r->failed = true;
    return 0;
}

uint32_t base_read_leb_u32(base_reader *r)
{
    return (uint32_t)read_leb_unsigned(r, 32);
}
uint64_t base_read_leb_u64(base_reader *r)
{
    return read_leb_unsigned(r, 64);
}
int32_t base_read_leb_s32(base_reader *r)
{
    return (int32_t)read_leb_signed(r, 32);
}
int64_t base_read_leb_s33(base_reader *r)
{
    return read_leb_signed(r, 33);
}
int64_t base_read_leb_s64(base_reader *r)
{
    return read_leb_signed(r, 64);
}

void base_buffer_fini(base_buffer *b)
{
    base_free(b->data);
    *b = (base_buffer){0};
}

static uint8_t *make_room(base_buffer *b, size_t size)
{
    if (b->failed || size > SIZE_MAX - b->size || !BASE_GROW(b->data, b->capacity, b->size + size)) {
        b->failed = true;
        return NULL;
    }
    uint8_t *p = b->data + b->size;
    b->size += size;
    return p;
}

void base_put(base_buffer *b, const void *data, size_t size)
{
    uint8_t *p = size ? make_room(b, size) : NULL;
    if (p) memcpy(p, data, size);
}

void base_put_u8(base_buffer *b, uint8_t v)
{
    base_put(b, &v, sizeof v);
}
void base_put_u32(base_buffer *b, uint32_t v)
{
    base_put(b, &v, sizeof v);
}
void base_put_u64(base_buffer *b, uint64_t v)
{
    base_put(b, &v, sizeof v);
}
void base_put_f32(base_buffer *b, float v)
{
    base_put(b, &v, sizeof v);
}
void base_put_leb_u32(base_buffer *b, uint32_t v)
{
    base_put_leb_u64(b, v);
}

void base_put_leb_u64(base_buffer *b, uint64_t v)
{
    do {
        uint8_t byte = v & 0x7f;
        v >>= 7;
        base_put_u8(b, (uint8_t)(byte | (v ? 0x80 : 0)));
    } while (v);
}

void base_put_zeros(base_buffer *b, size_t count)
{
    uint8_t *p = count ? make_room(b, count) : NULL;
    if (p) memset(p, 0, count);
}

void base_put_align(base_buffer *b, size_t alignment)
{
    base_put_zeros(b, (alignment - b->size % alignment) % alignment);
}

void base_put_text(base_buffer *b, const char *text)
{
    base_put(b, text, strlen(text));
}

void base_putf(base_buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *p = n < 0 ? NULL : (char *)make_room(b, (size_t)n + 1);
    if (p) {
        vsnprintf(p, (size_t)n + 1, format, again);
        b->size--; /* the terminator is not content */
    }
    va_end(again);
    va_end(args);
}

size_t base_utf8_decode(const uint8_t *p, size_t size, uint32_t *code_point)
{
    if (size == 0) return 0;
    uint32_t c = p[0];
    if (c < 0x80) {
        *code_point = c;
        return 1;
    }
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n > size) return 0;
    c &= 0x7fu >> n;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
    *code_point = c;
    return n;
}

size_t base_utf8_encode(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) return out[0] = (uint8_t)c, 1;
    if (c < 0x800) return out[0] = (uint8_t)(0xc0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 0x3f)), 2;
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

bool base_utf8_valid(const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t n; size; p += n, size -= n) {
        uint32_t c;
        if ((n = base_utf8_decode(p, size, &c)) == 0) return false;
    }
    return true;
}
