/* wisp embed: texts as vectors. One request a text, so that a long list of them streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static cli_list prompts, tokens;
static const char *file;
static unsigned pooling, normalize;
static uint64_t dimensions;
static bool as_json;

static const char *const poolings[] = {NULL, "none", "mean", "cls", "last", "rank"};

static const cli_option options[] = {
    {'p', "prompt", "TEXT", "a text (repeatable); without any, standard input, a text a line", CLI_LIST, &prompts, 0, 0,
     NULL},
    {'f', "file", "FILE", "texts, one a line; - is standard input", CLI_TEXT, &file, 0, 0, NULL},
    {0, "tokens", "I,J,…", "a text as token ids, special ones included (repeatable)", CLI_LIST, &tokens, 0, 0, NULL},
    {0, "pooling", "auto|none|mean|cls|last|rank", "how tokens' vectors become one (as the model says)", CLI_CHOICE,
     &pooling, 0, 0, NULL},
    {0, "normalize", "on|off", "vectors of length 1 (on)", CLI_CHOICE, &normalize, 0, 0, NULL},
    {0, "dimensions", "N", "only the first N numbers (all)", CLI_UINT, &dimensions, 1, INT32_MAX, NULL},
    CLI_SESSION_OPTIONS,
    {0, "json", NULL, "one object as OpenAI's API has it: data, model, usage; and dimensions", CLI_FLAG, &as_json, 0, 0,
     NULL},
    {0},
};

typedef struct embedding {
    wisp_session *session;
    uint64_t index, tokens;
    uint64_t dimensions;
    char *model, *pooling;
    bool normalized;
} embedding;

/* `ids`: the text is a list of token ids. */
static char *make_request(const char *text, size_t size, bool ids)
{
    char *request = NULL;
    cli_append(&request, "{\"object\":\"embeddings\",\"normalize\":%s", normalize == 0 ? "true" : "false");
    if (poolings[pooling]) cli_append(&request, ",\"pooling\":\"%s\"", poolings[pooling]);
    if (dimensions) cli_append(&request, ",\"dimensions\":%llu", (unsigned long long)dimensions);
    cli_append(&request, ",\"input\":");
    if (ids)
        cli_append_tokens(&request, text);
    else
        cli_append_quoted(&request, text, size);
    cli_append(&request, "}");
    return request;
}

/* The numbers of one vector, as the engine wrote them: "null" is none. */
static void print_numbers(const wisp_json_value *vector)
{
    for (const wisp_json_value *x = wisp_json_first(vector); x; x = wisp_json_next(x)) {
        const char *text = wisp_json_text(x);
        if (x != wisp_json_first(vector)) putchar(as_json ? ',' : ' ');
        fputs(text ? text : as_json ? "null" : "nan", stdout);
    }
}

/* A vector; or one a token, a line each. */
static void print_vectors(const wisp_json_value *embedding)
{
    const wisp_json_value *first = wisp_json_first(embedding);
    if (as_json) putchar('[');
    if (!wisp_json_first(first)) print_numbers(embedding);
    for (const wisp_json_value *one = wisp_json_first(first) ? first : NULL; one; one = wisp_json_next(one)) {
        if (as_json) putchar('[');
        print_numbers(one);
        if (as_json) putchar(']');
        if (wisp_json_next(one)) putchar(as_json ? ',' : '\n');
    }
    putchar(as_json ? ']' : '\n');
}

static char *copy_text(const wisp_json_value *text)
{
    const char *from = wisp_json_text(text);
    char *copy = NULL;
    cli_append(&copy, "%s", from ? from : "");
    return copy;
}

static void print_answer(embedding *e, const wisp_json_value *root)
{
    const wisp_json_value *one = wisp_json_first(wisp_json_get(root, "data")), *own = wisp_json_get(root, "wisp");
    const uint64_t tokens = (uint64_t)wisp_json_int(wisp_json_get(one, "tokens"), 0);
    if (e->index == 0) {
        e->model = copy_text(wisp_json_get(root, "model"));
        e->pooling = copy_text(wisp_json_get(own, "pooling"));
        e->dimensions = (uint64_t)wisp_json_int(wisp_json_get(own, "dimensions"), 0);
        e->normalized = normalize == 0 && strcmp(e->pooling, "rank") != 0;
        if (as_json) printf("{\"object\":\"list\",\"data\":[");
    }
    if (as_json)
        printf("%s{\"object\":\"embedding\",\"index\":%llu,\"tokens\":%llu,\"embedding\":", e->index ? "," : "",
               (unsigned long long)e->index, (unsigned long long)tokens);
    print_vectors(wisp_json_get(one, "embedding"));
    if (as_json) putchar('}');
    e->tokens += tokens;
    e->index++;
}

static wisp_status embed(embedding *e, const char *text, size_t size, bool ids, wisp_report *report)
{
    char *request = make_request(text, size, ids), *answer = NULL;
    size_t answer_size;
    wisp_json *doc = NULL;
    wisp_status status = cli_ask(e->session, request, &answer, &answer_size, report);
    if (status == WISP_OK) status = wisp_json_parse(&doc, answer, answer_size, report);
    if (status == WISP_OK) print_answer(e, wisp_json_root(doc));
    wisp_json_free(doc);
    free(answer);
    free(request);
    return status;
}

/* What follows the last newline is a text only if there is something. */
static wisp_status embed_lines(embedding *e, const char *path, wisp_report *report)
{
    size_t size = 0;
    char *text = cli_read_all(path, &size, report);
    wisp_status status = text ? WISP_OK : report->status;
    for (size_t at = 0; status == WISP_OK && at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - (text + at)) : size - at;
        const size_t next = at + n + 1;
        if (n && text[at + n - 1] == '\r') n--;
        status = embed(e, text + at, n, false, report);
        at = next;
    }
    free(text);
    return status;
}

static wisp_status embed_all(embedding *e, wisp_report *report)
{
    wisp_status status = WISP_OK;
    for (size_t i = 0; i < prompts.count && status == WISP_OK; i++)
        status = embed(e, prompts.items[i], strlen(prompts.items[i]), false, report);
    for (size_t i = 0; i < tokens.count && status == WISP_OK; i++)
        status = embed(e, tokens.items[i], 0, true, report);
    if (status == WISP_OK && (file || prompts.count + tokens.count == 0))
        status = embed_lines(e, file ? file : "-", report);
    if (status == WISP_OK && e->index == 0) {
        report->status = status = WISP_E_INPUT;
        snprintf(report->text, sizeof report->text, "%.300s: no texts",
                 file && strcmp(file, "-") ? file : "standard input");
    }
    return status;
}

static void print_end(const embedding *e)
{
    char *model = NULL;
    if (!as_json) return;
    cli_append_quoted(&model, e->model, strlen(e->model));
    printf("],\"model\":%s,\"dimensions\":%llu,\"pooling\":\"%s\",\"normalized\":%s,\"usage\":{\"prompt_tokens\":%llu,"
           "\"total_tokens\":%llu}}\n",
           model, (unsigned long long)e->dimensions, e->pooling, e->normalized ? "true" : "false",
           (unsigned long long)e->tokens, (unsigned long long)e->tokens);
    free(model);
}

static int fail(const embedding *e, const wisp_report *report)
{
    char advice[64];
    if (e->index == 0 || report->status != WISP_E_INPUT) return cli_fail(report);
    if (as_json) putchar('\n');
    fflush(stdout);
    snprintf(advice, sizeof advice, "text %llu", (unsigned long long)e->index + 1);
    return cli_fail_with(report, advice);
}

static int run(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    embedding e = {0};
    for (size_t i = 0; i < tokens.count; i++)
        if (!cli_is_token_list(tokens.items[i]))
            return cli_usage_error(&cli_embed, "--tokens is a list like 1,403,407");
    wisp_status status = cli_open(&capsule, operands[0], false, &report);
    if (status == WISP_OK) status = cli_start(&e.session, capsule, 0, &report);
    if (status == WISP_OK) status = embed_all(&e, &report);
    if (status == WISP_OK) print_end(&e);
    const int code = status == WISP_OK ? EXIT_DONE : fail(&e, &report);
    free(e.model);
    free(e.pooling);
    cli_watch_session(NULL);
    wisp_session_free(e.session);
    wisp_close(capsule);
    return code;
}

const cli_command cli_embed = {
    "embed",
    "Turns texts into vectors (or, with a reranking model, into scores)",
    "FILE",
    "  wisp embed bge.wasm -p \"How do capsules work?\" -p \"One file holds all\" --json\n"
    "  wisp embed bge.wasm -f sentences.txt > vectors.txt",
    options,
    1,
    1,
    run,
};
