/* Errors: the public codes plus the one way to raise them. */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include <stdarg.h>
#include <wisp/error.h>

typedef wisp_status base_status;

/* Writes the report (unless it already holds an error) and returns `status`:
 *     return base_fail(report, WISP_E_INPUT, "tensor '%s': offset %llu is past the end", name, offset);
 */
wisp_status base_fail(wisp_report *report, wisp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
wisp_status base_vfail(wisp_report *report, wisp_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* Puts "prefix: " before the text of an error already reported (a file name before a parser's message). */
wisp_status base_fail_prefix(wisp_report *report, wisp_status status, const char *prefix);
void base_report_clear(wisp_report *report);

/* Evaluates a call once; leaves the enclosing function with its status if it failed. */
#define BASE_TRY(call)                                                                                                 \
    do {                                                                                                               \
        wisp_status base_try_status_ = (call);                                                                         \
        if (base_try_status_ != WISP_OK) return base_try_status_;                                                      \
    } while (0)

/* "Our bug": cannot happen whatever the input. Stops the process; never used on a file's content. */
#define BASE_ASSERT(condition) ((condition) ? (void)0 : base_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void base_assert_failed(const char *condition, const char *file, int line);

#endif
