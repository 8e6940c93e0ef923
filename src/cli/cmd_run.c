/* wisp run: continues a prompt, or runs a program (run_program.c). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/cli.h"

static const char *prompt, *prompt_file;
static int32_t max_tokens = -1, top_k = 40;
static double temperature = 0.8, top_p = 0.95, min_p = 0.05, repeat_penalty = 1;
static uint64_t seed;
static bool seed_given, context_shift;
static int32_t keep;

#define FOR_MODELS "Options for models"
#define FOR_PROGRAMS "Options for programs (before FILE; what follows it is the program's)"

static const cli_option options[] = {
    {0, "", NULL, FOR_MODELS, CLI_HEADING, NULL, 0, 0, NULL},
    {'p', "prompt", "TEXT", NULL, CLI_TEXT, &prompt, 0, 0, NULL},
    {'f', "file", "FILE", "the text to continue, or a file with it (neither: standard input)", CLI_TEXT, &prompt_file,
     0, 0, NULL},
    {'n', "max", "N", NULL, CLI_INT, &max_tokens, -1, INT32_MAX, NULL},
    {0, "temp", "T", "tokens at most (-1: until it ends); temperature, 0 is greedy (0.8)", CLI_REAL, &temperature, 0,
     100, NULL},
    {0, "top-k", "K", NULL, CLI_INT, &top_k, 0, INT32_MAX, NULL},
    {0, "top-p", "P", NULL, CLI_REAL, &top_p, 0, 1, NULL},
    {0, "min-p", "M", "the K likeliest, P of the probability, M of the best's (40, 0.95, 0.05)", CLI_REAL, &min_p, 0, 1,
     NULL},
    {0, "repeat-penalty", "R", NULL, CLI_REAL, &repeat_penalty, 0.01, 100, NULL},
    {0, "seed", "S", "make recent tokens less likely (1: off); same seed, same text (random)", CLI_UINT, &seed, 0,
     1.8446744073709552e19, &seed_given},
    {0, "context-shift", NULL, NULL, CLI_FLAG, &context_shift, 0, 0, NULL},
    {0, "keep", "N", "when the context is full, drop the older half, but never the first N tokens", CLI_INT, &keep, 0,
     INT32_MAX, NULL},
    CLI_SESSION_OPTIONS,
    {0, "", NULL, FOR_PROGRAMS, CLI_HEADING, NULL, 0, 0, NULL},
    CLI_PROGRAM_OPTIONS,
    {0, "", NULL, "Options for both", CLI_HEADING, NULL, 0, 0, NULL},
    {0, "stats", NULL, "say at the end how it ran", CLI_FLAG, &cli_session.stats, 0, 0, NULL},
    CLI_NATIVE_OPTION,
    {0},
};

static char *read_prompt(size_t *size, wisp_report *report)
{
    if (prompt) {
        *size = strlen(prompt);
        return strdup(prompt);
    }
    if (!prompt_file && cli_is_terminal(STDIN_FILENO)) fprintf(stderr, "Type the text to continue; Ctrl-D ends it.\n");
    char *text = cli_read_all(prompt_file ? prompt_file : "-", size, report);
    /* The newline that an editor or the terminal puts at the end is not part of the prompt. */
    if (text && *size && text[*size - 1] == '\n') text[--*size] = 0;
    return text;
}

typedef struct outcome {
    wisp_event done;
    wisp_report *report;
    uint64_t first_text_ms;
    int write_error;
} outcome;

/* To a terminal, nothing but text: a model may write escape sequences that its prompt contained. */
static void put_text(const char *text, size_t size)
{
    static cli_filter filter;
    const bool all = !cli_is_terminal(STDOUT_FILENO);
    char part[256];
    while (size) {
        const size_t n = size < sizeof part ? size : sizeof part - 1;
        fwrite(all ? text : part, 1, all ? n : cli_filter_text(&filter, part, text, n), stdout);
        text += n;
        size -= n;
    }
}

/* The text that was asked for did not fit. */
static void take_done(outcome *o, const wisp_event *event)
{
    o->done = *event;
    const bool cut = strcmp(event->finish_reason, "length") == 0 && (int64_t)event->completion_tokens < max_tokens;
    if (!cut) return;
    o->report->status = WISP_E_LIMIT;
    snprintf(o->report->text, sizeof o->report->text,
             "the context is full: %u tokens of the prompt and %u of %d generated; --context makes more room, "
             "--context-shift drops the oldest",
             event->prompt_tokens, event->completion_tokens, (int)max_tokens);
}

static bool on_event(void *context, const wisp_event *event)
{
    outcome *o = context;
    if (event->kind == WISP_EVENT_TEXT || event->kind == WISP_EVENT_DONE) {
        if (!o->first_text_ms) o->first_text_ms = cli_now_ms();
        put_text(event->text, event->text_size);
        if (fflush(stdout) != 0) { /* nobody reads any more, or the disk is full */
            o->write_error = errno;
            return false;
        }
    }
    if (event->kind == WISP_EVENT_DONE) take_done(o, event);
    if (event->kind == WISP_EVENT_ERROR) {
        o->report->status = WISP_E_INPUT;
        snprintf(o->report->text, sizeof o->report->text, "%.500s", event->text);
    }
    return true;
}

static double per_second(uint64_t count, uint64_t ns)
{
    return ns ? (double)count * 1e9 / (double)ns : 0;
}

static void print_stats(const wisp_session *session, const outcome *o, uint64_t first_ms)
{
    wisp_session_stats s = {.size = sizeof s};
    char guest[32], device[32], peak[32];
    if (wisp_session_get_stats(session, &s, NULL) != WISP_OK) return;
    uint32_t decoded = o->done.completion_tokens ? o->done.completion_tokens - 1 : 0;
    fprintf(
        stderr,
        "start %.1f ms, first text after %llu ms; prompt %u tokens at %.1f/s; text %u tokens at %.1f/s; %u threads; "
        "seed %llu\nsandbox %s, device %s, peak resident %s (mapped weights included)\ncode: %s\n",
        (double)s.start_ns / 1e6, (unsigned long long)first_ms, o->done.prompt_tokens,
        per_second(o->done.prompt_tokens, o->done.prefill_ns), o->done.completion_tokens,
        per_second(decoded, o->done.decode_ns), s.threads, (unsigned long long)seed, cli_size(s.guest_bytes, guest),
        cli_size(s.device_bytes, device), cli_size(s.peak_resident, peak), s.code);
}

static wisp_status generate(wisp_capsule *capsule, const char *text, size_t size, uint64_t begin_ms,
                            wisp_report *report)
{
    wisp_session *session = NULL;
    outcome o = {.report = report};
    wisp_completion request = {.size = sizeof request,
                               .prompt = text,
                               .prompt_size = size,
                               .max_tokens = max_tokens,
                               .temperature = temperature,
                               .top_k = top_k,
                               .top_p = top_p,
                               .min_p = min_p,
                               .repeat_penalty = repeat_penalty,
                               .seed = seed,
                               .context_shift = context_shift,
                               .keep = keep};
    wisp_status status = cli_start(&session, capsule, 0, report);
    if (status == WISP_OK) status = wisp_submit(session, &request, NULL, report);
    if (status == WISP_OK) status = wisp_run(session, on_event, &o, report);
    if (o.write_error) {
        /* A reader that went away wanted no more: no error. */
        status = report->status = o.write_error == EPIPE ? WISP_OK : WISP_E_IO;
        snprintf(report->text, sizeof report->text, "standard output: %s", strerror(o.write_error));
    } else if (o.first_text_ms) {
        putchar('\n');
    }
    if (status == WISP_OK) status = report->status;
    if (status == WISP_OK && cli_session.stats) print_stats(session, &o, o.first_text_ms - begin_ms);
    cli_watch_session(NULL);
    wisp_session_free(session);
    return status;
}

static int run_model(const char *path)
{
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    size_t size = 0;
    uint64_t begin_ms = cli_now_ms();
    if (prompt && prompt_file) return cli_usage_error(&cli_run, "either --prompt or --file, not both");
    if (!seed_given && getrandom(&seed, sizeof seed, 0) == sizeof seed) seed &= INT32_MAX; /* easy to type again */
    wisp_status status = cli_open(&capsule, path, false, &report);
    char *text = status == WISP_OK ? read_prompt(&size, &report) : NULL;
    if (text) status = generate(capsule, text, size, begin_ms, &report);
    if (status == WISP_OK) status = report.status;
    free(text);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

static int run(int count, char **operands)
{
    wisp_file_kind kind = wisp_probe(operands[0]);
    const char *of_models = cli_given_under(&cli_run, FOR_MODELS, NULL);
    const char *of_programs = cli_given_under(&cli_run, FOR_PROGRAMS, NULL);
    if (kind == WISP_FILE_MODULE && of_models)
        return cli_usage_error(&cli_run, "--%s is for models, and %s is a program", of_models, operands[0]);
    if (kind == WISP_FILE_MODULE || (kind == WISP_FILE_UNKNOWN && of_programs)) return cli_run_program(count, operands);
    if (of_programs)
        return cli_usage_error(&cli_run, "--%s is for programs, and %s is a model", of_programs, operands[0]);
    if (count > 1) return cli_usage_error(&cli_run, "one operand too many: '%s'", operands[1]);
    return run_model(operands[0]);
}

const cli_command cli_run = {
    "run",
    "Runs a capsule or a GGUF (continues a text), or any WASI program",
    "FILE [ARGUMENT]…",
    "  wisp run story.wasm -p \"Once upon a time\" -n 100 --temp 0\n"
    "  wisp run --dir data:ro --deadline 10s app.wasm --verbose data/in.txt",
    options,
    1,
    CLI_FILE_AND_ARGUMENTS,
    run,
};
