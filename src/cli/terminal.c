#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

bool cli_is_terminal(int fd)
{
    return isatty(fd);
}

/* The code point of the UTF-8 sequence at `text`, and its length; 0: it is none. */
static size_t decode(const unsigned char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char c = *text;
    const size_t size = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
    *code = size < 2 ? c : c & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0; /* also at the end, which is 0 */
        *code = *code << 6 | (text[i] & 0x3f);
    }
    return size && *code >= least[size] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? size : 0;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Unicode's categories Cf, Zl and Zp, and what else is drawn as nothing: marks that turn the direction of what follows
 * (U+202E), joiners, tags, separators of lines. */
static bool is_hidden(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
        {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
        {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd},
        {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return true;
    return false;
}

void cli_put_clean(FILE *out, const char *text)
{
    while (*text) {
        uint32_t code;
        const size_t size = decode((const unsigned char *)text, &code);
        if (!size)
            fprintf(out, "\\x%02x", (unsigned)(unsigned char)*text);
        else if (is_control(code) || is_hidden(code))
            fprintf(out, "\\u{%x}", (unsigned)code);
        else
            fwrite(text, 1, size, out);
        text += size ? size : 1;
    }
}

static void say(const char *text)
{
    bool color = cli_is_terminal(STDERR_FILENO);
    fflush(stdout);
    fprintf(stderr, "%swisp:%s ", color ? "\033[31m" : "", color ? "\033[0m" : "");
    cli_put_clean(stderr, text);
    fputc('\n', stderr);
}

void cli_say(const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(text);
}

int cli_fail(const wisp_report *report)
{
    if (report->status == WISP_E_CANCELLED && cli_interrupted()) return EXIT_INTERRUPTED;
    say(*report->text ? report->text : wisp_status_text(report->status));
    return report->status == WISP_E_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int cli_fail_with(const wisp_report *report, const char *advice)
{
    wisp_report both = *report;
    const size_t used = strlen(both.text);
    snprintf(both.text + used, sizeof both.text - used, ": %s", advice);
    return cli_fail(&both);
}

int cli_usage_error(const cli_command *command, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(text);
    if (command)
        fprintf(stderr, "      `wisp %s --help` shows how it is used.\n", command->name);
    else
        fprintf(stderr, "      `wisp --help` lists the commands.\n");
    return EXIT_USAGE;
}

const char *cli_size(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    int unit = 0;
    for (; v >= 1000 && unit < 4; unit++)
        v /= 1000;
    snprintf(out, 32, unit ? "%.2f %s" : "%.0f %s", v, units[unit]);
    return out;
}

uint64_t cli_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- progress ---- */

enum { SHOW_AFTER_MS = 1000, SHOW_EVERY_MS = 100, BAR_CELLS = 30 };

void cli_progress_begin(cli_progress *p, const char *label)
{
    *p = (cli_progress){.label = label, .begin_ms = cli_now_ms()};
}

bool cli_progress_step(void *context, uint64_t done, uint64_t total)
{
    cli_progress *p = context;
    uint64_t now = cli_now_ms(), spent = now - p->begin_ms;
    if (cli_interrupted()) return false;
    if (spent < SHOW_AFTER_MS || now - p->shown_ms < SHOW_EVERY_MS || !cli_is_terminal(STDERR_FILENO)) return true;
    char bar[BAR_CELLS + 1], size[32];
    double share = total ? (double)done / (double)total : 0;
    for (int i = 0; i < BAR_CELLS; i++)
        bar[i] = i < (int)(share * BAR_CELLS) ? '#' : '.';
    bar[BAR_CELLS] = 0;
    uint64_t speed = done * 1000 / spent;
    if (p->unit)
        snprintf(size, sizeof size, "%llu %s", (unsigned long long)speed, p->unit);
    else
        cli_size(speed, size);
    fprintf(stderr, "\r%s [%s] %3.0f %%  %s/s \033[K", p->label, bar, share * 100, size);
    p->shown_ms = now;
    return true;
}

void cli_progress_end(cli_progress *p)
{
    if (p->shown_ms) fprintf(stderr, "\r\033[K");
}

/* ---- interrupts ---- */

static volatile sig_atomic_t interrupts;
static wisp_session *volatile watched;
static wisp_instance *volatile watched_instance;

static void on_interrupt(int number)
{
    (void)number;
    if (interrupts++) { /* the second time: now */
        wisp_abandon_outputs();
        _exit(EXIT_INTERRUPTED);
    }
    wisp_session_interrupt(watched);
    wisp_instance_interrupt(watched_instance);
}

void cli_watch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reading a prompt ends too */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

void cli_watch_session(wisp_session *session)
{
    watched = session;
}

void cli_watch_instance(wisp_instance *instance)
{
    watched_instance = instance;
}

bool cli_interrupted(void)
{
    return interrupts != 0;
}
