/* wisp tokenize: a text as token ids. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static bool no_special, as_json;

static const cli_option options[] = {
    {0, "no-special", NULL, "neither add nor recognize special tokens", CLI_FLAG, &no_special, 0, 0, NULL},
    CLI_SESSION_OPTIONS,
    {0, "json", NULL, "the ids as a JSON array", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

static void print_ids(const wisp_json_value *ids)
{
    const char *between = as_json ? "," : " ";
    printf("%s", as_json ? "[" : "");
    for (const wisp_json_value *id = wisp_json_first(ids); id; id = wisp_json_next(id))
        printf("%lld%s", (long long)wisp_json_int(id, -1), wisp_json_next(id) ? between : "");
    printf("%s\n", as_json ? "]" : "");
}

static wisp_status tokenize(wisp_session *session, const char *text, size_t size, wisp_report *report)
{
    char *request = NULL, *answer = NULL;
    wisp_json *doc = NULL;
    size_t answer_size;
    cli_append(&request,
               "{\"object\":\"tokenize\",\"special\":%s,\"add_special\":%s,\"text\":", no_special ? "false" : "true",
               no_special ? "false" : "true");
    cli_append_quoted(&request, text, size);
    cli_append(&request, "}");
    wisp_status status = cli_ask(session, request, &answer, &answer_size, report);
    if (status == WISP_OK) status = wisp_json_parse(&doc, answer, answer_size, report);
    if (status == WISP_OK) print_ids(wisp_json_get(wisp_json_root(doc), "tokens"));
    wisp_json_free(doc);
    free(answer);
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
