/** @file error.h  Error codes, the report that carries the human text, and how structs may grow.
 *
 * Every fallible function returns a wisp_status, which must be looked at, and most take a wisp_report that the caller
 * owns. The first error written to a report wins; later ones (from cleaning up) are ignored. A NULL report is allowed.
 *
 * Structs of options and results begin with `size_t size`, which the caller sets: `wisp_limits limits = {.size = sizeof
 * limits}`. They grow at their end, so that a program compiled against another version's header keeps working: options
 * that its header lacks are zero, the default; options that the library lacks are refused (WISP_E_UNSUPPORTED) unless
 * they are zero; of a result, it gets the members that its header has, zero for those that the library lacks. A size
 * that is not set is WISP_E_USAGE. Structs that the library owns and hands out by pointer (wisp_extern, wisp_trap, an
 * event in a callback) may grow as well: do not copy more than is needed. All others, which stand in arrays or in other
 * structs, stay as they are.
 */
#ifndef WISP_ERROR_H
#define WISP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WISP_MUST_USE __attribute__((warn_unused_result))
#define WISP_API __attribute__((visibility("default")))
#else
#define WISP_MUST_USE
#define WISP_API
#endif

typedef enum wisp_status {
    WISP_OK = 0,
#define WISP_ERROR(name, number, category, text) WISP_E_##name = number,
#include <wisp/errors.def>
#undef WISP_ERROR
} wisp_status;

typedef struct wisp_report {
    wisp_status status; /**< WISP_OK until an error is written */
    char text[512];     /**< one line, no newline: what, where, why; always terminated */
} wisp_report;

/** "malformed input", …; never NULL, also for unknown numbers. */
WISP_API const char *wisp_status_text(wisp_status status);
/** "input", "limit", "io", "unsupported", "memory", "usage" or "internal". */
WISP_API const char *wisp_status_category(wisp_status status);

#ifdef __cplusplus
}
#endif
#endif
