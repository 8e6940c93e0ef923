/* Reaches base_json_parse (parse_value, escapes, numbers), base_json_get, base_json_int, base_json_uint,
 * base_json_double, base_json_put_string, base_json_put_double, base_utf8_valid. What was read is written and read
 * again: both trees must be equal. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) abort();
}

static void put(base_buffer *out, const base_json *v)
{
    const char *brackets = v->kind == JSON_ARRAY ? "[]" : "{}";
    uint32_t count = 0;
    switch (v->kind) {
    case JSON_NULL:
        base_put_text(out, "null");
        return;
    case JSON_BOOL:
        base_put_text(out, v->boolean ? "true" : "false");
        return;
    case JSON_NUMBER:
        base_put(out, v->text, v->size);
        return;
    case JSON_STRING:
        base_json_put_string(out, v->text, v->size);
        return;
    default:
        base_put(out, &brackets[0], 1);
        for (const base_json *e = v->first; e; e = e->next) {
            if (count++) base_put_text(out, ",");
            if (v->kind == JSON_OBJECT) base_json_put_string(out, e->key, e->key_size);
            if (v->kind == JSON_OBJECT) base_put_text(out, ":");
            put(out, e);
        }
        must(count == v->count);
        base_put(out, &brackets[1], 1);
    }
}

static void equal(const base_json *a, const base_json *b)
{
    must(a->kind == b->kind && a->count == b->count && a->size == b->size && a->boolean == b->boolean);
    if (a->kind == JSON_NUMBER || a->kind == JSON_STRING) must(memcmp(a->text, b->text, a->size) == 0);
    must(a->key_size == b->key_size && (!a->key_size || memcmp(a->key, b->key, a->key_size) == 0));
    const base_json *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        equal(x, y);
    must(!x && !y);
}

/* Numbers by every way to ask for them, and back. */
static void ask(const base_json *v)
{
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0, again = 0;
    const bool is_int = base_json_int(v, &i), is_uint = base_json_uint(v, &u), is_double = base_json_double(v, &d);
    must(v->kind == JSON_NUMBER || (!is_int && !is_uint && !is_double));
    must(!is_int || v->text[0] == '-' || (is_uint && u == (uint64_t)i));
    if (is_double) {
        base_buffer text = {0};
        base_json_doc *doc;
        const base_json *root;
        base_json_put_double(&text, d);
        must(base_json_parse(&doc, &root, text.data, text.size, NULL) == WISP_OK);
        must(base_json_double(root, &again) && again - d <= 1e-8 * (d < 0 ? -d : d) &&
             d - again <= 1e-8 * (d < 0 ? -d : d));
        base_json_free(doc);
        base_buffer_fini(&text);
    }
    (void)base_json_str(v);
    (void)base_json_at(v, 1);
    for (const base_json *e = v->first; e; e = e->next) {
        if (v->kind == JSON_OBJECT && strlen(e->key) == e->key_size) must(base_json_get(v, e->key) == e);
        ask(e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_json_doc *doc, *doc2;
    const base_json *root, *root2;
    wisp_report report = {0};
    base_buffer out = {0};
    if (base_json_parse(&doc, &root, data, size, &report) != WISP_OK) {
        must(report.status != WISP_OK && report.text[0]);
        return 0;
    }
    ask(root);
    put(&out, root);
    must(base_json_parse(&doc2, &root2, out.data, out.size, NULL) == WISP_OK);
    equal(root, root2);
    base_json_free(doc2);
    base_json_free(doc);
    base_buffer_fini(&out);
    return 0;
}
