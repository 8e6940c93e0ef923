/* JSON (RFC 8259): a reader into a flat tree, limited in depth and nodes, and a writer over base_buffer.
 *
 * The tree borrows nothing: strings are decoded into the document's own memory. Numbers keep their text, so that a
 * 64-bit integer survives. Duplicate keys are refused, so that no two readers can disagree.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } base_json_kind;

typedef struct base_json {
    base_json_kind kind;
    bool boolean;
    uint32_t count;   /* array elements or object members */
    const char *text; /* string: decoded, NUL-terminated, may also contain NULs; number: its literal */
    uint32_t size;    /* bytes in text */
    const char *key;  /* member name, if the parent is an object */
    uint32_t key_size;
    struct base_json *first, *next; /* children, siblings */
} base_json;

typedef struct base_json_doc base_json_doc;

/* Depth at most 64, nodes at most 1,000,000. *doc is set only on success; base_json_free(doc). */
wisp_status base_json_parse(base_json_doc **doc, const base_json **root, const void *text, size_t size,
                            wisp_report *report) WISP_MUST_USE;
/* The same with another bound of nodes: for files whose tables are large (a tokenizer.json). */
wisp_status base_json_parse_large(base_json_doc **doc, const base_json **root, const void *text, size_t size,
                                  size_t nodes_max, wisp_report *report) WISP_MUST_USE;
void base_json_free(base_json_doc *doc);

/* Lookups return NULL (or the fallback) when the node is NULL or of another kind, so that they nest. */
const base_json *base_json_get(const base_json *object, const char *key);
const base_json *base_json_at(const base_json *array, uint32_t index);
const char *base_json_str(const base_json *node);        /* NULL unless a string without inner NULs */
bool base_json_int(const base_json *node, int64_t *out); /* false unless an integer that fits */
bool base_json_uint(const base_json *node, uint64_t *out);
bool base_json_double(const base_json *node, double *out); /* false unless finite */

/* Writer: the caller writes braces and commas; this writes what needs care. */
void base_json_put_string(base_buffer *b, const char *text, size_t size); /* quoted; invalid UTF-8 becomes U+FFFD */
void base_json_put_cstr(base_buffer *b, const char *text);
void base_json_put_double(base_buffer *b, double v); /* shortest of %.9g (null when not finite) */

#endif
