/* wisp tokenize: a text as token ids. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static bool no_special, as_json, pieces;

static const cli_option options[] = {
    {0, "no-special", NULL, "neither add nor recognize special tokens", CLI_FLAG, &no_special, 0, 0, NULL},
    {0, "pieces", NULL, "each token with its text, a line each", CLI_FLAG, &pieces, 0, 0, NULL},
    CLI_SESSION_OPTIONS,
    {0, "json", NULL, "the ids (and pieces) as a JSON array", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

/* What is printed between tokens, and whether any was. */
static void separate(bool *any)
{
    if (*any) fputs(as_json ? "," : pieces ? "\n" : " ", stdout);
    *any = true;
}

/* Quoted; bytes that are no text by themselves as \xHH. */
static void print_piece(const wisp_json_value *piece)
{
    const char *text = wisp_json_text(piece);
    char *quoted = NULL;
    if (text && !wisp_json_first(piece)) {
        cli_append_quoted(&quoted, text, strlen(text));
        fputs(quoted, stdout);
        free(quoted);
        return;
    }
    putchar(as_json ? '[' : '"');
    for (const wisp_json_value *byte = wisp_json_first(piece); byte; byte = wisp_json_next(byte))
        printf(as_json ? wisp_json_next(byte) ? "%d," : "%d" : "\\x%02X", (int)wisp_json_int(byte, 0));
    putchar(as_json ? ']' : '"');
}

/* One part of the answer; *more: another follows. */
static void print_part(const wisp_json_value *root, bool *any, bool *more)
{
    const wisp_json_value *piece = wisp_json_first(wisp_json_get(root, "pieces"));
    for (const wisp_json_value *id = wisp_json_first(wisp_json_get(root, "tokens")); id; id = wisp_json_next(id)) {
        separate(any);
        if (pieces && as_json) fputs("{\"id\":", stdout);
        printf("%lld", (long long)wisp_json_int(id, -1));
        if (pieces) fputs(as_json ? ",\"piece\":" : "\t", stdout);
        if (pieces) print_piece(piece);
        if (pieces && as_json) putchar('}');
        piece = piece ? wisp_json_next(piece) : NULL;
    }
    *more = wisp_json_get(root, "more") != NULL;
}

static wisp_status tokenize(wisp_session *session, const char *text, size_t size, wisp_report *report)
{
    char *request = NULL;
    bool any = false, more = true;
    cli_append(&request, "{\"object\":\"tokenize\",\"special\":%s,\"add_special\":%s,\"pieces\":%s,\"text\":",
               no_special ? "false" : "true", no_special ? "false" : "true", pieces ? "true" : "false");
    cli_append_quoted(&request, text, size);
    cli_append(&request, "}");
    wisp_status status = WISP_OK;
    for (bool first = true; status == WISP_OK && more; first = false) {
        char *answer = NULL;
        size_t answer_size;
        wisp_json *doc = NULL;
        status = cli_ask(session, first ? request : NULL, &answer, &answer_size, report);
        if (status == WISP_OK) status = wisp_json_parse(&doc, answer, answer_size, report);
        if (status == WISP_OK && first && as_json) putchar('[');
        if (status == WISP_OK) print_part(wisp_json_root(doc), &any, &more);
        wisp_json_free(doc);
        free(answer);
    }
    if (status == WISP_OK) printf("%s\n", as_json ? "]" : "");
    free(request);
    return status;
}

static int run(int count, char **operands)
{
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    wisp_session *session = NULL;
    char *text = NULL;
    size_t size = 0;
    wisp_status status = cli_open(&capsule, operands[0], true, &report);
    if (status == WISP_OK) status = cli_start(&session, capsule, 0, &report);
    if (status == WISP_OK) {
        text = count > 1 ? strdup(operands[1]) : cli_read_all("-", &size, &report);
        if (count > 1 && text) size = strlen(text);
        status = text ? tokenize(session, text, size, &report) : report.status;
    }
    free(text);
    cli_watch_session(NULL);
    wisp_session_free(session);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_tokenize = {
    "tokenize",
    "Prints a text's token ids; without TEXT, of standard input",
    "FILE [TEXT]",
    "  wisp tokenize story.wasm \"Once upon a time\"",
    options,
    1,
    2,
    run,
};
