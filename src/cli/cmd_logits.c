/* wisp logits: what the model thinks comes next, and a digest that is the same on every machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static const char *prompt, *tokens;
static uint64_t top = 10, greedy, chunk;
static bool as_json;

static const cli_option options[] = {
    {'p', "prompt", "TEXT", "the text so far", CLI_TEXT, &prompt, 0, 0, NULL},
    {0, "tokens", "I,J,…", "the text so far, as token ids", CLI_TEXT, &tokens, 0, 0, NULL},
    {0, "top", "N", "how many of the likeliest tokens to show (10)", CLI_UINT, &top, 0, 1000, NULL},
    {0, "greedy", "N", "go on for N tokens, always the likeliest (0)", CLI_UINT, &greedy, 0, 1 << 24, NULL},
    {0, "chunk", "N", "tokens evaluated at a time; changes nothing but speed", CLI_UINT, &chunk, 1, 4096, NULL},
    CLI_SESSION_OPTIONS,
    {0, "json", NULL, "prompt_ids, top, greedy_ids and sha256 as JSON", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

static char *make_request(void)
{
    char *request = NULL;
    cli_append(&request, "{\"object\":\"logits\",");
    if (prompt) {
        cli_append(&request, "\"prompt\":");
        cli_append_quoted(&request, prompt, strlen(prompt));
    } else {
        cli_append(&request, "\"tokens\":");
        cli_append_tokens(&request, tokens);
    }
    cli_append(&request, ",\"top\":%llu,\"greedy\":%llu", (unsigned long long)top, (unsigned long long)greedy);
    if (chunk) cli_append(&request, ",\"chunk\":%llu", (unsigned long long)chunk);
    cli_append(&request, "}");
    return request;
}

static void print_ids(const char *label, const wisp_json_value *ids)
{
    printf("%s", label);
    for (const wisp_json_value *id = wisp_json_first(ids); id; id = wisp_json_next(id))
        putchar(' '), cli_put_clean(stdout, wisp_json_text(id));
    printf("\n");
}

static wisp_status print_answer(const char *json, size_t size, wisp_report *report)
{
    wisp_json *doc;
    wisp_status status = wisp_json_parse(&doc, json, size, report);
    if (status != WISP_OK) return status;
    const wisp_json_value *root = wisp_json_root(doc);
    if (as_json) {
        printf("%s\n", json);
    } else {
        print_ids("prompt ", wisp_json_get(root, "prompt_ids"));
        const wisp_json_value *pair = wisp_json_first(wisp_json_get(root, "top"));
        for (; pair; pair = wisp_json_next(pair)) {
            const wisp_json_value *id = wisp_json_first(pair);
            printf("%8.0f  %.9g\n", wisp_json_double(id, 0), wisp_json_double(wisp_json_next(id), 0));
        }
        if (greedy) print_ids("greedy ", wisp_json_get(root, "greedy_ids"));
        printf("sha256  ");
        cli_put_clean(stdout, wisp_json_text(wisp_json_get(root, "sha256")));
        putchar('\n');
    }
    wisp_json_free(doc);
    return WISP_OK;
}

static int run(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    wisp_session *session = NULL;
    char *answer = NULL;
    size_t size;
    if (!prompt == !tokens) return cli_usage_error(&cli_logits, "either --prompt or --tokens is needed");
    if (tokens && !cli_is_token_list(tokens)) return cli_usage_error(&cli_logits, "--tokens is a list like 1,403,407");
    wisp_status status = cli_open(&capsule, operands[0], false, &report);
    if (status == WISP_OK) status = cli_start(&session, capsule, (uint32_t)chunk, &report);
    if (status == WISP_OK) {
        char *request = make_request();
        status = cli_ask(session, request, &answer, &size, &report);
        free(request);
    }
    if (status == WISP_OK) status = print_answer(answer, size, &report);
    free(answer);
    cli_watch_session(NULL);
    wisp_session_free(session);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_logits = {
    "logits", "Shows the logits after a text, and their digest: equal on every machine and device",
    "FILE",   "  wisp logits story.wasm -p \"Once upon a time\" --top 5 --greedy 16",
    options,  1,
    1,        run,
};
