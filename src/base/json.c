#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 64, NODES_MAX = 1000000, CHUNK_BYTES = 16384 };

/* Nodes and strings live in chunks, so that pointers stay valid while the tree grows. */
typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
} chunk;

struct base_json_doc {
    chunk *chunks;
    size_t nodes, nodes_max;
    base_json root;
};

typedef struct parser {
    base_json_doc *doc;
    base_reader in;
    wisp_report *report;
} parser;

static void *take_bytes(base_json_doc *doc, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    chunk *c = doc->chunks;
    if (!c || c->size - c->used < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        c = base_alloc(sizeof *c + room);
        if (!c) return NULL;
        *c = (chunk){.next = doc->chunks, .size = room};
        doc->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += size;
    return p;
}

void base_json_free(base_json_doc *doc)
{
    if (!doc) return;
    for (chunk *c = doc->chunks, *next; c; c = next) {
        next = c->next;
        base_free(c);
    }
    base_free(doc);
}

static wisp_status bad(parser *p, const char *what)
{
    return base_fail(p->report, WISP_E_INPUT, "JSON, byte %zu: %s", base_offset(&p->in), what);
}

static wisp_status no_memory(parser *p)
{
    return base_fail(p->report, WISP_E_MEMORY, "JSON: out of memory");
}

static int peek(parser *p)
{
    while (p->in.at < p->in.end && (*p->in.at == ' ' || *p->in.at == '\t' || *p->in.at == '\n' || *p->in.at == '\r'))
        p->in.at++;
    return p->in.at < p->in.end ? *p->in.at : -1;
}

static int hex4(parser *p)
{
    if (base_left(&p->in) < 4) return -1;
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = *p->in.at++;
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* The text after a backslash; returns the bytes written to out (at most 4), 0 on error. */
static size_t parse_escape(parser *p, uint8_t *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = base_left(&p->in) ? *p->in.at++ : -1;
    if (c == 'u') {
        int32_t high = hex4(p);
        if (high < 0) return 0;
        uint32_t code = (uint32_t)high;
        if (code >= 0xd800 && code < 0xdc00 && base_left(&p->in) >= 6 && p->in.at[0] == '\\' && p->in.at[1] == 'u') {
            p->in.at += 2;
            int low = hex4(p);
            if (low < 0xdc00 || low > 0xdfff) return 0;
            code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
        }
        if (code >= 0xd800 && code < 0xe000) return 0;
        return base_utf8_encode(code, out);
    }
    const char *found = c > 0 ? strchr(from, c) : NULL;
    if (!found) return 0;
    *out = (uint8_t)to[found - from];
    return 1;
}

static wisp_status parse_string(parser *p, const char **text, uint32_t *size)
{
    p->in.at++; /* the quote */
    const uint8_t *close = p->in.at;
    while (close < p->in.end && *close != '"')
        close += *close == '\\' && close + 1 < p->in.end ? 2 : 1;
    if (close >= p->in.end) return bad(p, "string without an end");
    if ((size_t)(close - p->in.at) > UINT32_MAX / 2) return bad(p, "string too long");
    uint8_t *out = take_bytes(p->doc, (size_t)(close - p->in.at) + 1), *start = out;
    if (!out) return no_memory(p);
    while (p->in.at < close) {
        uint32_t code;
        size_t n;
        if (*p->in.at == '\\') {
            p->in.at++;
            if ((n = parse_escape(p, out)) == 0) return bad(p, "bad escape in a string");
        } else if (*p->in.at < 0x20) {
            return bad(p, "control character in a string");
        } else if ((n = base_utf8_decode(p->in.at, (size_t)(close - p->in.at), &code)) == 0) {
            return bad(p, "invalid UTF-8 in a string");
        } else {
            memcpy(out, p->in.at, n);
            p->in.at += n;
        }
        out += n;
    }
    if (p->in.at != close) return bad(p, "bad escape in a string");
    p->in.at = close + 1;
    *out = 0;
    *text = (char *)start;
    *size = (uint32_t)(out - start);
    return WISP_OK;
}

static size_t digits(const uint8_t *s, const uint8_t *end)
{
    size_t n = 0;
    while (s + n < end && s[n] >= '0' && s[n] <= '9')
        n++;
    return n;
}

/* RFC 8259 §6: no leading zeros, no bare dots. */
static wisp_status parse_number(parser *p, base_json *node)
{
    const uint8_t *s = p->in.at, *end = p->in.end;
    if (s < end && *s == '-') s++;
    size_t n = digits(s, end);
    if (n == 0 || (n > 1 && *s == '0')) return bad(p, "bad number");
    s += n;
    if (s < end && *s == '.') {
        if ((n = digits(++s, end)) == 0) return bad(p, "bad number");
        s += n;
    }
    if (s < end && (*s | 32) == 'e') {
        s++;
        if (s < end && (*s == '+' || *s == '-')) s++;
        if ((n = digits(s, end)) == 0) return bad(p, "bad number");
        s += n;
    }
    size_t length = (size_t)(s - p->in.at);
    if (length > 400) return bad(p, "number too long");
    char *text = take_bytes(p->doc, length + 1);
    if (!text) return no_memory(p);
    memcpy(text, p->in.at, length);
    text[length] = 0;
    p->in.at = s;
    node->kind = JSON_NUMBER;
    node->text = text;
    node->size = (uint32_t)length;
    return WISP_OK;
}

static bool accept(parser *p, const char *word)
{
    size_t n = strlen(word);
    if (base_left(&p->in) < n || memcmp(p->in.at, word, n) != 0) return false;
    p->in.at += n;
    return true;
}

static wisp_status parse_value(parser *p, base_json *node, int depth);

static int by_key(const void *a, const void *b)
{
    const base_json *x = *(const base_json *const *)a, *y = *(const base_json *const *)b;
    if (x->key_size != y->key_size) return x->key_size < y->key_size ? -1 : 1;
    return memcmp(x->key, y->key, x->key_size);
}

/* Whatever the names are, this takes no more than n log n steps. */
static wisp_status check_names(parser *p, const base_json *object)
{
    const base_json **members = base_alloc(object->count * sizeof *members);
    uint32_t n = 0;
    bool same = false;
    if (!members) return no_memory(p);
    for (const base_json *m = object->first; m; m = m->next)
        members[n++] = m;
    qsort(members, n, sizeof *members, by_key);
    for (uint32_t i = 1; i < n; i++)
        same |= by_key(&members[i - 1], &members[i]) == 0;
    base_free(members);
    return same ? bad(p, "duplicate member name") : WISP_OK;
}

static wisp_status parse_children(parser *p, base_json *node, int depth)
{
    bool object = node->kind == JSON_OBJECT;
    int close = object ? '}' : ']';
    base_json **tail = &node->first;
    p->in.at++;
    if (peek(p) == close) return p->in.at++, WISP_OK;
    for (;;) {
        if (++p->doc->nodes > p->doc->nodes_max) return bad(p, "too many values");
        base_json *child = take_bytes(p->doc, sizeof *child);
        if (!child) return no_memory(p);
        *child = (base_json){0};
        if (object) {
            if (peek(p) != '"') return bad(p, "expected a member name");
            BASE_TRY(parse_string(p, &child->key, &child->key_size));
            if (peek(p) != ':') return bad(p, "expected ':'");
            p->in.at++;
        }
        BASE_TRY(parse_value(p, child, depth + 1));
        *tail = child;
        tail = &child->next;
        node->count++;
        int c = peek(p);
        if (c == close) {
            p->in.at++;
            return object && node->count > 1 ? check_names(p, node) : WISP_OK;
        }
        if (c != ',') return bad(p, object ? "expected ',' or '}'" : "expected ',' or ']'");
        p->in.at++;
    }
}

static wisp_status parse_value(parser *p, base_json *node, int depth)
{
    if (depth > DEPTH_MAX) return bad(p, "nested too deeply");
    int c = peek(p);
    switch (c) {
    case '{':
    case '[':
        node->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        return parse_children(p, node, depth);
    case '"':
        node->kind = JSON_STRING;
        return parse_string(p, &node->text, &node->size);
    case 't':
    case 'f':
        node->kind = JSON_BOOL;
        node->boolean = c == 't';
        return accept(p, c == 't' ? "true" : "false") ? WISP_OK : bad(p, "unknown word");
    case 'n':
        node->kind = JSON_NULL;
        return accept(p, "null") ? WISP_OK : bad(p, "unknown word");
    default:
        if (c == '-' || (c >= '0' && c <= '9')) return parse_number(p, node);
        return bad(p, c < 0 ? "ends too early" : "unexpected character");
    }
}

wisp_status base_json_parse(base_json_doc **doc, const base_json **root, const void *text, size_t size,
                            wisp_report *report)
{
    return base_json_parse_large(doc, root, text, size, NODES_MAX, report);
}

wisp_status base_json_parse_large(base_json_doc **doc, const base_json **root, const void *text, size_t size,
                                  size_t nodes_max, wisp_report *report)
{
    parser p = {.in = base_reader_of(text, size), .report = report};
    if (!(p.doc = base_calloc(1, sizeof *p.doc))) return no_memory(&p);
    p.doc->nodes_max = nodes_max;
    wisp_status status = parse_value(&p, &p.doc->root, 0);
    if (status == WISP_OK && peek(&p) >= 0) status = bad(&p, "text after the value");
    if (status != WISP_OK) {
        base_json_free(p.doc);
        return status;
    }
    *doc = p.doc;
    *root = &p.doc->root;
    return WISP_OK;
}

const base_json *base_json_get(const base_json *object, const char *key)
{
    if (!object || object->kind != JSON_OBJECT) return NULL;
    size_t size = strlen(key);
    for (const base_json *m = object->first; m; m = m->next)
        if (m->key_size == size && memcmp(m->key, key, size) == 0) return m;
    return NULL;
}

const base_json *base_json_at(const base_json *array, uint32_t index)
{
    if (!array || array->kind != JSON_ARRAY) return NULL;
    const base_json *e = array->first;
    while (e && index--)
        e = e->next;
    return e;
}

const char *base_json_str(const base_json *node)
{
    return node && node->kind == JSON_STRING && strlen(node->text) == node->size ? node->text : NULL;
}

bool base_json_uint(const base_json *node, uint64_t *out)
{
    if (!node || node->kind != JSON_NUMBER) return false;
    uint64_t v = 0;
    for (const char *s = node->text; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v)) return false;
    }
    *out = v;
    return true;
}

bool base_json_int(const base_json *node, int64_t *out)
{
    if (!node || node->kind != JSON_NUMBER) return false;
    base_json positive = *node;
    bool minus = node->text[0] == '-';
    positive.text += minus;
    uint64_t v;
    if (!base_json_uint(&positive, &v) || v > (uint64_t)INT64_MAX + minus) return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool base_json_double(const base_json *node, double *out)
{
    if (!node || node->kind != JSON_NUMBER) return false;
    double v = strtod(node->text, NULL);
    if (!isfinite(v)) return false;
    *out = v;
    return true;
}

void base_json_put_string(base_buffer *b, const char *text, size_t size)
{
    const uint8_t *p = (const uint8_t *)(text ? text : ""), *end = p + size;
    base_put_u8(b, '"');
    while (p < end) {
        uint32_t code;
        size_t n = base_utf8_decode(p, (size_t)(end - p), &code);
        if (n == 0) {
            base_put(b, "\xef\xbf\xbd", 3);
            n = 1;
        } else if (code == '"' || code == '\\') {
            base_put_u8(b, '\\');
            base_put_u8(b, (uint8_t)code);
        } else if (code == '\n') {
            base_put(b, "\\n", 2);
        } else if (code < 0x20 || code == 0x7f) {
            base_putf(b, "\\u%04x", (unsigned)code);
        } else {
            base_put(b, p, n);
        }
        p += n;
    }
    base_put_u8(b, '"');
}

void base_json_put_cstr(base_buffer *b, const char *text)
{
    base_json_put_string(b, text, strlen(text));
}

void base_json_put_double(base_buffer *b, double v)
{
    if (isfinite(v))
        base_putf(b, "%.9g", v);
    else
        base_put(b, "null", 4);
}
