#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    wisp_status status;
    const char *category, *text;
} errors[] = {
#define WISP_ERROR(name, number, category, text) {WISP_E_##name, #category, text},
#include <wisp/errors.def>
#undef WISP_ERROR
};

const char *wisp_status_text(wisp_status status)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].status == status) return errors[i].text;
    return status == WISP_OK ? "success" : "unknown error";
}

const char *wisp_status_category(wisp_status status)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].status == status) return errors[i].category;
    return status == WISP_OK ? "success" : "internal";
}

void base_report_clear(wisp_report *report)
{
    if (!report) return;
    report->status = WISP_OK;
    report->text[0] = 0;
}

/* A report is one line for a terminal: control bytes from hostile names become '?'. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

wisp_status base_vfail(wisp_report *report, wisp_status status, const char *format, va_list args)
{
    if (report && report->status == WISP_OK) {
        report->status = status;
        vsnprintf(report->text, sizeof report->text, format, args);
        make_printable(report->text);
    }
    return status;
}

wisp_status base_fail(wisp_report *report, wisp_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    base_vfail(report, status, format, args);
    va_end(args);
    return status;
}

wisp_status base_fail_prefix(wisp_report *report, wisp_status status, const char *prefix)
{
    if (report && report->status != WISP_OK) {
        char text[sizeof report->text];
        snprintf(text, sizeof text, "%.200s: %.300s", prefix, report->text);
        memcpy(report->text, text, sizeof text);
        make_printable(report->text);
    }
    return status;
}

_Noreturn void base_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "wisp: internal error: %s (%s:%d)\n", condition, file, line);
    abort();
}
