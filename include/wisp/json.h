/** @file json.h  A small JSON reader, for manifests and events (wisp.h).
 *
 * Values belong to their document. Lookups accept NULL and values of another kind and then return NULL or the fallback,
 * so that they nest: wisp_json_int(wisp_json_get(wisp_json_root(doc), "size"), 0).
 */
#ifndef WISP_JSON_H
#define WISP_JSON_H
#include <stddef.h>
#include <stdint.h>
#include <wisp/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wisp_json wisp_json;             /**< a document */
typedef struct wisp_json_value wisp_json_value; /**< a value in it */

WISP_API wisp_status wisp_json_parse(wisp_json **doc, const char *text, size_t size, wisp_report *report) WISP_MUST_USE;
WISP_API void wisp_json_free(wisp_json *doc);
WISP_API const wisp_json_value *wisp_json_root(const wisp_json *doc);
WISP_API const wisp_json_value *wisp_json_get(const wisp_json_value *object, const char *key);
WISP_API uint32_t wisp_json_count(const wisp_json_value *array_or_object);
WISP_API const wisp_json_value *wisp_json_first(const wisp_json_value *array_or_object);
WISP_API const wisp_json_value *wisp_json_next(const wisp_json_value *element);
/** The name of an object's member, else NULL. */
WISP_API const char *wisp_json_key(const wisp_json_value *member);
/** A string's text or a number's literal; "" for anything else. */
WISP_API const char *wisp_json_text(const wisp_json_value *value);
WISP_API int64_t wisp_json_int(const wisp_json_value *value, int64_t fallback);
WISP_API double wisp_json_double(const wisp_json_value *value, double fallback);

/** Quotes a text as a JSON string: writes at most `capacity` bytes, terminator included, and returns the length it
 * needs without the terminator (as snprintf). Invalid UTF-8 becomes U+FFFD. */
WISP_API size_t wisp_json_quote(char *out, size_t capacity, const char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
