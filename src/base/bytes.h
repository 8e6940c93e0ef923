/* Bytes from outside: the one reader of untrusted input, and the buffer that writes the same records.
 *
 * A reader never moves past its end: a failed read sets `failed`, returns zero and leaves the position, so that a
 * parser reads like a schema and checks once a record. All integers are little-endian.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct base_span {
    const uint8_t *data;
    size_t size;
} base_span;

typedef struct base_reader {
    const uint8_t *start, *at, *end;
    bool failed;
} base_reader;

base_reader base_reader_of(const void *data, size_t size); /* NULL is allowed with size 0 */
static inline size_t base_left(const base_reader *r)
{
    return (size_t)(r->end - r->at);
}
static inline size_t base_offset(const base_reader *r)
{
    return (size_t)(r->at - r->start);
}

uint8_t base_read_u8(base_reader *r);
uint16_t base_read_u16(base_reader *r);
uint32_t base_read_u32(base_reader *r);
uint64_t base_read_u64(base_reader *r);
float base_read_f32(base_reader *r);
double base_read_f64(base_reader *r);
base_span base_read_span(base_reader *r, uint64_t size); /* a view, not a copy; {NULL,0} on failure */
bool base_skip(base_reader *r, uint64_t size);
/* True if `count` records of at least `min_size` bytes can still follow: ask before allocating for them. */
bool base_can_hold(const base_reader *r, uint64_t count, uint64_t min_size);

/* LEB128 as WebAssembly core §5.2.2 has it: at most ceil(N/7) bytes, unused bits of the last byte zero (or sign). */
uint32_t base_read_leb_u32(base_reader *r);
uint64_t base_read_leb_u64(base_reader *r);
int32_t base_read_leb_s32(base_reader *r);
int64_t base_read_leb_s33(base_reader *r);
int64_t base_read_leb_s64(base_reader *r);

/* A growing byte buffer. A failed allocation sets `failed`; later writes do nothing; check once at the end. */
typedef struct base_buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
} base_buffer;

void base_buffer_fini(base_buffer *b); /* an all-zero buffer is a valid empty one */
void base_put(base_buffer *b, const void *data, size_t size);
void base_put_u8(base_buffer *b, uint8_t v);
void base_put_u32(base_buffer *b, uint32_t v);
void base_put_u64(base_buffer *b, uint64_t v);
void base_put_f32(base_buffer *b, float v);
void base_put_leb_u32(base_buffer *b, uint32_t v);
void base_put_leb_u64(base_buffer *b, uint64_t v);
void base_put_zeros(base_buffer *b, size_t count);
void base_put_align(base_buffer *b, size_t alignment);
void base_put_text(base_buffer *b, const char *text);
void base_putf(base_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF)? */
bool base_utf8_valid(const void *data, size_t size);
/* Length in bytes (1 to 4) of the valid UTF-8 sequence at p, 0 if there is none, and its code point. */
size_t base_utf8_decode(const uint8_t *p, size_t size, uint32_t *code_point);
size_t base_utf8_encode(uint32_t code_point, uint8_t out[4]);

#endif
