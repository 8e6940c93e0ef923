/* include/wisp/json.h over base/json.h: the public names are the same objects. */
#include <string.h>
#include <wisp/json.h>

#include "base/json.h"
#include "base/mem.h"

struct wisp_json {
    base_json_doc *doc;
    const base_json *root;
};

static const base_json *node(const wisp_json_value *value)
{
    return (const base_json *)value;
}

wisp_status wisp_json_parse(wisp_json **result, const char *text, size_t size, wisp_report *report)
{
    wisp_json *json = base_calloc(1, sizeof *json);
    if (!json) return base_fail(report, WISP_E_MEMORY, "out of memory");
    wisp_status status = base_json_parse(&json->doc, &json->root, text, size, report);
    if (status != WISP_OK) {
        base_free(json);
        return status;
    }
    *result = json;
    return WISP_OK;
}

void wisp_json_free(wisp_json *json)
{
    if (!json) return;
    base_json_free(json->doc);
    base_free(json);
}

const wisp_json_value *wisp_json_root(const wisp_json *json)
{
    return json ? (const wisp_json_value *)json->root : NULL;
}

const wisp_json_value *wisp_json_get(const wisp_json_value *object, const char *key)
{
    return (const wisp_json_value *)base_json_get(node(object), key);
}

uint32_t wisp_json_count(const wisp_json_value *value)
{
    return value ? node(value)->count : 0;
}

const wisp_json_value *wisp_json_first(const wisp_json_value *value)
{
    return value ? (const wisp_json_value *)node(value)->first : NULL;
}

const wisp_json_value *wisp_json_next(const wisp_json_value *value)
{
    return value ? (const wisp_json_value *)node(value)->next : NULL;
}

const char *wisp_json_key(const wisp_json_value *value)
{
    return value ? node(value)->key : NULL;
}

const char *wisp_json_text(const wisp_json_value *value)
{
    return value && node(value)->text ? node(value)->text : "";
}

int64_t wisp_json_int(const wisp_json_value *value, int64_t fallback)
{
    int64_t v;
    return base_json_int(node(value), &v) ? v : fallback;
}

double wisp_json_double(const wisp_json_value *value, double fallback)
{
    double v;
    return base_json_double(node(value), &v) ? v : fallback;
}

size_t wisp_json_quote(char *out, size_t capacity, const char *text, size_t size)
{
    base_buffer b = {0};
    base_json_put_string(&b, text, size);
    size_t n = b.size;
    if (capacity) {
        size_t kept = n < capacity ? n : capacity - 1;
        if (kept) memcpy(out, b.data, kept);
        out[kept] = 0;
    }
    base_buffer_fini(&b);
    return n;
}
