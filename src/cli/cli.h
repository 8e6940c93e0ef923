/* The command line: one file per sub-command, over include/wisp only. A command is a table of options and a function;
 * parsing, --help and shell completion come from the tables. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <wisp/wisp.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

typedef enum { CLI_FLAG, CLI_INT, CLI_UINT, CLI_REAL, CLI_TEXT, CLI_CHOICE } cli_kind;

typedef struct cli_option {
    char letter;       /* 0: none */
    const char *name;  /* without dashes */
    const char *value; /* shown in help: "N", "FILE"; a choice: "cpu|portable"; NULL for a flag */
    const char *help;
    cli_kind kind;
    void *target;    /* bool, int32_t, uint64_t, double, const char *, or unsigned (index of the choice) */
    double min, max; /* of numbers */
    bool *given;     /* may be NULL */
} cli_option;

typedef struct cli_command {
    const char *name, *summary;
    const char *operands;      /* "FILE [TEXT]" */
    const char *example;       /* one or more lines */
    const cli_option *options; /* ends with a zero name */
    int operands_min, operands_max;
    int (*run)(int count, char **operands); /* exit status */
} cli_command;

extern const cli_command cli_run, cli_logits, cli_tokenize, cli_bench, cli_pack, cli_inspect, cli_unpack, cli_doctor,
    cli_completion, cli_keygen, cli_sign, cli_verify, cli_trust;
extern const cli_command *const cli_commands[]; /* ends with NULL */

/* ---- options.c ---- */
/* Fills the targets; operands are moved to the front of argv. Returns their number, or -1 after saying what is wrong.
 */
int cli_parse(const cli_command *command, int argc, char **argv);
void cli_help(const cli_command *command);

/* ---- terminal.c ---- */
void cli_put_clean(FILE *out, const char *text); /* control characters as '?' */
/* "wisp: TEXT" on standard error, in red on a terminal. */
int cli_fail(const wisp_report *report); /* returns EXIT_FAILED, or EXIT_INTERRUPTED if that is what it was */
int cli_usage_error(const cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool cli_is_terminal(int fd);
const char *cli_size(uint64_t bytes, char out[32]); /* "12.3 MB" */

/* A progress bar on standard error for work that takes more than a second, if that is a terminal. */
typedef struct cli_progress {
    const char *label;
    uint64_t begin_ms, shown_ms;
} cli_progress;
void cli_progress_begin(cli_progress *p, const char *label);
bool cli_progress_step(void *p, uint64_t done, uint64_t total); /* a wisp_progress; false after Ctrl-C */
void cli_progress_end(cli_progress *p);                         /* takes the bar away */

/* Ctrl-C and SIGTERM: the first one interrupts the session watched and stops work with progress; the second ends the
 * process. */
void cli_watch_interrupts(void);
void cli_watch_session(wisp_session *session); /* NULL: none */
bool cli_interrupted(void);
uint64_t cli_now_ms(void);

/* ---- shared.c ---- */
/* Options of every command that runs a model; CLI_SESSION_OPTIONS lists them in a table. */
typedef struct cli_session_options {
    uint64_t threads, context;
    unsigned device;
} cli_session_options;
extern cli_session_options cli_session;
#define CLI_SESSION_OPTIONS                                                                                            \
    {0, "threads", "N", "threads (default: one a CPU)", CLI_UINT, &cli_session.threads, 1, 256, NULL},                 \
        {0,        "context",                                                                                          \
         "N",      "positions to make room for (default: the model's, at most 4096)",                                  \
         CLI_UINT, &cli_session.context,                                                                               \
         1,        1 << 24,                                                                                            \
         NULL},                                                                                                        \
    {                                                                                                                  \
        0, "device", "cpu|portable", "native kernels, or the capsule's own code (slower)", CLI_CHOICE,                 \
            &cli_session.device, 0, 0, NULL                                                                            \
    }

bool cli_same_file(const char *path, const char *other);
wisp_status cli_open(wisp_capsule **capsule, const char *path, bool vocabulary_only, wisp_report *report) WISP_MUST_USE;
wisp_status cli_start(wisp_session **session, wisp_capsule *capsule, uint32_t chunk, wisp_report *report) WISP_MUST_USE;
/* Reads a whole file, or standard input for "-"; terminated; free() it. NULL after an error. */
char *cli_read_all(const char *path, size_t *size, wisp_report *report);
/* The answer to one request: a result event's JSON, or the text of a failure in the report. free() *json. */
wisp_status cli_ask(wisp_session *session, const char *request, char **json, size_t *size,
                    wisp_report *report) WISP_MUST_USE;
/* Appends to a growing string: *text is NULL at first, free() it. Aborts the process when out of memory. */
void cli_append(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_append_quoted(char **text, const char *from, size_t size); /* as a JSON string */

#endif
