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

/* Names and messages may come from a hostile file: no control byte reaches the terminal. */
void cli_put_clean(FILE *out, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
        if (c == 0xc2 && next >= 0x80 && next < 0xa0)
            fputc('?', out), text++; /* C1 controls, U+0080 to U+009F */
        else
            fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
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
