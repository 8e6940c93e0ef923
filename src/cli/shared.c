#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <wisp/json.h>

#include "cli/cli.h"

cli_session_options cli_session;

__attribute__((format(printf, 3, 4))) static wisp_status fail(wisp_report *report, wisp_status status,
                                                              const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report->status = status;
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
    return status;
}

bool cli_same_file(const char *path, const char *other)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

wisp_status cli_open(wisp_capsule **capsule, const char *path, bool vocabulary_only, wisp_report *report)
{
    cli_progress progress;
    cli_progress_begin(&progress, "compiling");
    wisp_open_options options = {.size = sizeof options,
                                 .vocabulary_only = vocabulary_only,
                                 .progress = cli_progress_step,
                                 .progress_context = &progress};
    wisp_status status = wisp_open(capsule, path, &options, report);
    cli_progress_end(&progress);
    return status;
}

static void watch(void *context, wisp_session *session)
{
    (void)context;
    cli_watch_session(session);
    if (session && cli_interrupted()) wisp_session_interrupt(session); /* before it could be watched */
}

wisp_native cli_native(void)
{
    static const wisp_native choices[] = {WISP_NATIVE_BACKGROUND, WISP_NATIVE_OFF, WISP_NATIVE_CACHED, WISP_NATIVE_NOW};
    return choices[cli_session.native];
}

wisp_status cli_start(wisp_session **session, wisp_capsule *capsule, uint32_t chunk, wisp_report *report)
{
    wisp_session_options options = {
        .size = sizeof options,
        .device = cli_session.device == 1 ? WISP_DEVICE_PORTABLE : WISP_DEVICE_CPU,
        .threads = (unsigned)cli_session.threads,
        .context_length = (uint32_t)cli_session.context,
        .chunk = chunk,
        .created = watch,
        .native = cli_native(),
        .kv_type = (wisp_kv_type)cli_session.kv_type,
    };
    return wisp_session_new(session, capsule, &options, report);
}

char *cli_read_all(const char *path, size_t *size, wisp_report *report)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!in) {
        (void)fail(report, WISP_E_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t capacity = 65536, used = 0;
    char *text = malloc(capacity);
    while (text) {
        size_t n = fread(text + used, 1, capacity - 1 - used, in);
        used += n;
        if (n == 0 || used > CLI_TEXT_MAX) break;
        if (used == capacity - 1) {
            char *grown = realloc(text, capacity *= 2);
            if (!grown) free(text);
            text = grown;
        }
    }
    if (!text)
        (void)fail(report, WISP_E_MEMORY, "%s: out of memory", path);
    else if (cli_interrupted()) {
        (void)fail(report, WISP_E_CANCELLED, "interrupted");
        free(text);
        text = NULL;
    } else if (ferror(in)) {
        (void)fail(report, WISP_E_IO, "%s: %s", path, strerror(errno));
        free(text);
        text = NULL;
    } else if (used > CLI_TEXT_MAX) {
        (void)fail(report, WISP_E_LIMIT, "%s: more than %d MiB of text", path, CLI_TEXT_MAX >> 20);
        free(text);
        text = NULL;
    } else {
        text[used] = 0;
        *size = used;
    }
    if (in != stdin) fclose(in);
    return text;
}

wisp_status cli_ask(wisp_session *session, const char *request, char **json, size_t *size, wisp_report *report)
{
    wisp_status status = request ? wisp_submit_json(session, request, strlen(request), NULL, report) : WISP_OK;
    while (status == WISP_OK) {
        wisp_event event = {.size = sizeof event};
        status = wisp_poll(session, &event, report);
        if (status != WISP_OK) break;
        if (event.kind == WISP_EVENT_ERROR) return fail(report, WISP_E_INPUT, "%.400s", event.text);
        if (event.kind == WISP_EVENT_NONE) return fail(report, WISP_E_INTERNAL, "the engine gave no answer");
        if (event.kind != WISP_EVENT_RESULT) continue;
        if (!(*json = malloc(event.json_size + 1))) return fail(report, WISP_E_MEMORY, "out of memory");
        memcpy(*json, event.json, event.json_size);
        (*json)[event.json_size] = 0;
        *size = event.json_size;
        break;
    }
    return status;
}

static void append(char **text, const char *more, size_t size)
{
    size_t held = *text ? strlen(*text) : 0;
    char *grown = realloc(*text, held + size + 1);
    if (!grown) {
        fprintf(stderr, "wisp: out of memory\n");
        exit(EXIT_FAILED);
    }
    memcpy(grown + held, more, size);
    grown[held + size] = 0;
    *text = grown;
}

void cli_append(char **text, const char *format, ...)
{
    char piece[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    append(text, piece, n < 0 ? 0 : (size_t)n < sizeof piece ? (size_t)n : sizeof piece - 1);
}

void cli_append_quoted(char **text, const char *from, size_t size)
{
    size_t n = wisp_json_quote(NULL, 0, from, size);
    char *quoted = malloc(n + 1);
    if (quoted) {
        wisp_json_quote(quoted, n + 1, from, size);
        append(text, quoted, n);
    }
    free(quoted);
}

bool cli_is_token_list(const char *list)
{
    size_t n = strspn(list, "0123456789,");
    return *list && list[n] == 0 && *list != ',' && list[n - 1] != ',' && !strstr(list, ",,");
}

void cli_append_tokens(char **text, const char *list)
{
    append(text, "[", 1);
    append(text, list, strlen(list));
    append(text, "]", 1);
}
