/* The command line: one file per sub-command, over include/wisp only. A command is a table of options and a function;
 * parsing, --help and shell completion come from the tables. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <wisp/module.h>
#include <wisp/quantize.h>
#include <wisp/wisp.h>

/* A program run by `wisp run` gives its own status up to EXIT_PROGRAM_MAX; one that trapped, threw or met a limit, 134,
 * as a native one that aborted. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PROGRAM_MAX = 125,
    EXIT_INTERRUPTED = 130,
    EXIT_TRAPPED = 134
};

typedef enum {
    CLI_FLAG,
    CLI_INT,
    CLI_UINT,
    CLI_REAL,
    CLI_TEXT,
    CLI_CHOICE,
    CLI_LIST,     /* may be given several times */
    CLI_SIZE,     /* bytes: 65536, 64K, 16M, 2G */
    CLI_DURATION, /* 500ms, 10s, 2m, 1h */
    CLI_HEADING   /* no option: the help's heading of those that follow; its name is "" */
} cli_kind;

enum { CLI_LIST_MAX = 1000, CLI_HELP_SHOWN = -2, CLI_FILE_AND_ARGUMENTS = -1 };
typedef struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t count;
} cli_list;

typedef struct cli_option {
    char letter;       /* 0: none */
    const char *name;  /* without dashes */
    const char *value; /* shown in help: "N", "FILE"; a choice: "cpu|portable"; NULL for a flag */
    const char *help;  /* NULL: on one line with the next option */
    cli_kind kind;
    void *target;    /* bool, int32_t, uint64_t (a duration's in ms), double, const char *, unsigned (index of the
                      * choice) or cli_list */
    double min, max; /* of numbers */
    bool *given;     /* may be NULL */
} cli_option;

typedef struct cli_command {
    const char *name, *summary;
    const char *operands;      /* "FILE [TEXT]" */
    const char *example;       /* one or more lines */
    const cli_option *options; /* ends with a zero name */
    int operands_min,
        operands_max; /* max CLI_FILE_AND_ARGUMENTS: a file, and if it is a program, all that follows it */
    int (*run)(int count, char **operands); /* exit status */
} cli_command;

extern const cli_command cli_run, cli_embed, cli_logits, cli_eval, cli_imatrix, cli_tokenize, cli_bench, cli_pack,
    cli_inspect, cli_unpack, cli_doctor, cli_completion, cli_compile, cli_keygen, cli_sign, cli_verify, cli_trust,
    cli_quantize;
extern const cli_command *const cli_commands[]; /* ends with NULL */

/* ---- options.c ---- */
/* Fills the targets; operands are moved to the front of argv. Returns their number, -1 after saying what is wrong, or
 * CLI_HELP_SHOWN. */
int cli_parse(const cli_command *command, int argc, char **argv);
/* The name of the first option given under that heading, or NULL; `except` (may be NULL) does not count. */
const char *cli_given_under(const cli_command *command, const char *heading, const char *except);

/* ---- printable.c ---- */
/* Writes to out, which holds size + 1 bytes, what of the text is no control but newline and tab; returns how much. One
 * filter, zeroed at first, for the pieces of one text. */
typedef struct cli_filter {
    bool held_c2;
} cli_filter;
size_t cli_filter_text(cli_filter *filter, char *out, const char *text, size_t size);

/* ---- terminal.c ---- */
/* For names and messages, which may come from a hostile file: what acts on a terminal or hides in a text (controls,
 * direction marks, invisible characters), and what is no UTF-8, is written as \u{202e} or \xff. */
void cli_put_clean(FILE *out, const char *text);
/* "wisp: TEXT" on standard error, in red on a terminal. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_fail(const wisp_report *report); /* returns EXIT_FAILED, or EXIT_INTERRUPTED if that is what it was */
/* The library says what is wrong; `advice` which command or option helps. */
int cli_fail_with(const wisp_report *report, const char *advice);
int cli_usage_error(const cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool cli_is_terminal(int fd);
const char *cli_size(uint64_t bytes, char out[32]); /* "12.3 MB" */

/* A progress bar on standard error for work that takes more than a second, if that is a terminal. */
typedef struct cli_progress {
    const char *label;
    const char *unit; /* of the speed shown; NULL: bytes */
    uint64_t begin_ms, shown_ms;
} cli_progress;
void cli_progress_begin(cli_progress *p, const char *label);
bool cli_progress_step(void *p, uint64_t done, uint64_t total); /* a wisp_progress; false after Ctrl-C */
void cli_progress_end(cli_progress *p);                         /* takes the bar away */

/* Ctrl-C and SIGTERM: the first one interrupts the session or instance watched and stops work with progress; the second
 * ends the process. */
void cli_watch_interrupts(void);
void cli_watch_session(wisp_session *session); /* NULL: none */
void cli_watch_instance(wisp_instance *instance);
bool cli_interrupted(void);
uint64_t cli_now_ms(void);

/* ---- run_program.c ---- */
/* Options of `wisp run` for WASI programs; CLI_PROGRAM_OPTIONS lists them in a table. */
typedef struct cli_program_options {
    cli_list directories, environment, listeners;
    uint64_t fuel, deadline_ms, memory;
    const char *invoke;
} cli_program_options;
extern cli_program_options cli_program;
#define CLI_PROGRAM_OPTIONS                                                                                            \
    {0,                                                                                                                \
     "dir",                                                                                                            \
     "HOST[:GUEST][:ro]",                                                                                              \
     "a folder that it may use, under the name GUEST (repeatable)",                                                    \
     CLI_LIST,                                                                                                         \
     &cli_program.directories,                                                                                         \
     0,                                                                                                                \
     0,                                                                                                                \
     NULL},                                                                                                            \
        {0,                                                                                                            \
         "env",                                                                                                        \
         "NAME[=VALUE]",                                                                                               \
         "a variable of its environment; without VALUE, as it is here (repeatable)",                                   \
         CLI_LIST,                                                                                                     \
         &cli_program.environment,                                                                                     \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL},                                                                                                        \
        {0,                                                                                                            \
         "tcplisten",                                                                                                  \
         "ADDRESS:PORT",                                                                                               \
         "a socket from which it may take connections (repeatable)",                                                   \
         CLI_LIST,                                                                                                     \
         &cli_program.listeners,                                                                                       \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL},                                                                                                        \
        {0, "fuel", "N", NULL, CLI_UINT, &cli_program.fuel, 1, 1.8446744073709552e19, NULL},                           \
        {0,                                                                                                            \
         "deadline",                                                                                                   \
         "D",                                                                                                          \
         "end it after N calls and branches, or after 500ms, 10s, 2m",                                                 \
         CLI_DURATION,                                                                                                 \
         &cli_program.deadline_ms,                                                                                     \
         1,                                                                                                            \
         1e15,                                                                                                         \
         NULL},                                                                                                        \
        {0, "mem-limit", "N", NULL, CLI_SIZE, &cli_program.memory, 65536, 1e18, NULL},                                 \
    {                                                                                                                  \
        0, "invoke", "NAME", "memory: 64K, 16M, 2G (4G); call this export, not _start", CLI_TEXT, &cli_program.invoke, \
            0, 0, NULL                                                                                                 \
    }
/* operands[0] is the file, then the program's arguments. Returns the exit status. */
int cli_run_program(int count, char **operands);

/* ---- listen.c ---- */
/* Opens a socket that listens at "ADDRESS:PORT", numbers. Returns an exit status, and has said what is wrong. */
int cli_listen(int *fd, const char *text);

/* ---- inspect_module.c ---- */
int cli_inspect_module(const char *path, bool as_json);
const wisp_extern *cli_exported_function(const wisp_module *module, const char *name); /* NULL: none of that name */

/* ---- cmd_quantize.c ---- */
/* Options of the commands that quantize; CLI_QUANTIZE_OPTIONS lists them in a table. */
typedef struct cli_quantize_options {
    const char *type, *output_type, *embedding_type, *imatrix;
    bool pure, requantize;
} cli_quantize_options;
extern cli_quantize_options cli_quantizing;
#define CLI_QUANTIZE_OPTIONS                                                                                           \
    {'t', "type", "TYPE", "Q4_K_M, Q8_0, IQ4_XS, F16, … (a wrong one lists them all)", CLI_TEXT, &cli_quantizing.type, \
     0,   0,      NULL},                                                                                               \
        {0,        "imatrix",                                                                                          \
         "FILE",   "what columns matter: from `wisp imatrix`, or llama.cpp's",                                         \
         CLI_TEXT, &cli_quantizing.imatrix,                                                                            \
         0,        0,                                                                                                  \
         NULL},                                                                                                        \
        {0, "pure", NULL, "TYPE for every matrix, no mix", CLI_FLAG, &cli_quantizing.pure, 0, 0, NULL},                \
        {0, "output-tensor-type", "TYPE", NULL, CLI_TEXT, &cli_quantizing.output_type, 0, 0, NULL},                    \
        {0,   "token-embedding-type", "TYPE", "of these two tensors", CLI_TEXT, &cli_quantizing.embedding_type, 0, 0,  \
         NULL},                                                                                                        \
    {                                                                                                                  \
        0, "allow-requantize", NULL, "also of a model that is quantized already: it loses twice", CLI_FLAG,            \
            &cli_quantizing.requantize, 0, 0, NULL                                                                     \
    }
void cli_fill_quantize(wisp_quantize_options *options);

/* ---- shared.c ---- */
/* Options of every command that runs a model; CLI_SESSION_OPTIONS lists them in a table. */
typedef struct cli_session_options {
    uint64_t threads, context;
    unsigned device, kv_type;
    bool stats;
    unsigned native; /* of programs too: CLI_NATIVE_OPTION */
} cli_session_options;
extern cli_session_options cli_session;
#define CLI_SESSION_OPTIONS                                                                                            \
    {0, "threads", "N", NULL, CLI_UINT, &cli_session.threads, 1, 256, NULL},                                           \
        {0,        "context",                                                                                          \
         "N",      "threads (one a CPU); positions to make room for (the model's, at most 4096)",                      \
         CLI_UINT, &cli_session.context,                                                                               \
         1,        1 << 24,                                                                                            \
         NULL},                                                                                                        \
        {0, "device", "cpu|portable", NULL, CLI_CHOICE, &cli_session.device, 0, 0, NULL},                              \
    {                                                                                                                  \
        0, "kv-type", "model|f32|f16|q8_0|q4_0", "which code runs; keys and values in", CLI_CHOICE,                    \
            &cli_session.kv_type, 0, 0, NULL                                                                           \
    }

wisp_native cli_native(void); /* what --native said */
#define CLI_NATIVE_OPTION                                                                                              \
    {                                                                                                                  \
        0, "native", "auto|off|cached|now", "native code: made meanwhile, none, only if there is any, made first",     \
            CLI_CHOICE, &cli_session.native, 0, 0, NULL                                                                \
    }

bool cli_same_file(const char *path, const char *other);
wisp_status cli_open(wisp_capsule **capsule, const char *path, bool vocabulary_only, wisp_report *report) WISP_MUST_USE;
wisp_status cli_start(wisp_session **session, wisp_capsule *capsule, uint32_t chunk, wisp_report *report) WISP_MUST_USE;
enum { CLI_TEXT_MAX = 256 << 20 /* of text read at once: a device or a pipe may never end */ };

/* Reads a whole file, or standard input for "-"; terminated; free() it. NULL after an error. */
char *cli_read_all(const char *path, size_t *size, wisp_report *report);
/* The answer to one request: a result event's JSON, or the text of a failure in the report. free() *json. A NULL
 * request: the next part of the answer to the last one. */
wisp_status cli_ask(wisp_session *session, const char *request, char **json, size_t *size,
                    wisp_report *report) WISP_MUST_USE;
/* Token ids as people write them: 1,403,407; and as a JSON array. */
bool cli_is_token_list(const char *list);
void cli_append_tokens(char **text, const char *list);
/* Appends to a growing string: *text is NULL at first, free() it. Aborts the process when out of memory. */
void cli_append(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_append_quoted(char **text, const char *from, size_t size); /* as a JSON string */

#endif
