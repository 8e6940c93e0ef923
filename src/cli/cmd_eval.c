/* wisp eval and wisp imatrix. Perplexity of a text: The text is cut into windows of --ctx tokens, the first token of
 * each replaced by the beginning-of-text token where the model wants one; scored is the second half of each window,
 * given all before it, so that every token scored has at least half a window of context. That is how llama.cpp counts,
 * and published numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

enum { WINDOW_DEFAULT = 512 };

static uint64_t window, windows_max;
static bool as_json;

static const cli_option options[] = {
    {'c', "ctx", "N", "tokens a window (512, or what the model allows)", CLI_UINT, &window, 4, 1 << 24, NULL},
    {0, "windows", "N", "stop after N windows", CLI_UINT, &windows_max, 1, 1 << 24, NULL},
    CLI_SESSION_OPTIONS,
    {0, "json", NULL, "perplexity, error, windows, tokens as JSON", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

typedef struct evaluation {
    wisp_session *session;
    const char *label;
    uint64_t from; /* the first token of a window that is scored */
    uint32_t *ids;
    size_t count;
    bool begins; /* every window begins with ids[0] */
    uint64_t windows, scored;
    double nll, squares;
} evaluation;

/* The answer to a request, which is freed. */
static wisp_status ask(wisp_session *session, char *request, wisp_json **doc, wisp_report *report)
{
    char *answer = NULL;
    size_t size;
    wisp_status status = cli_ask(session, request, &answer, &size, report);
    if (status == WISP_OK) status = wisp_json_parse(doc, answer, size, report);
    free(answer);
    free(request);
    return status;
}

static wisp_status tokenize(evaluation *e, const char *text, size_t size, uint32_t **ids, size_t *count,
                            wisp_report *report)
{
    char *request = NULL;
    wisp_json *doc;
    cli_append(&request, "{\"object\":\"tokenize\",\"special\":false,\"add_special\":true,\"text\":");
    cli_append_quoted(&request, text, size);
    cli_append(&request, "}");
    wisp_status status = ask(e->session, request, &doc, report);
    if (status != WISP_OK) return status;
    const wisp_json_value *tokens = wisp_json_get(wisp_json_root(doc), "tokens");
    *count = 0;
    *ids = malloc((wisp_json_count(tokens) + 1) * sizeof **ids);
    const wisp_json_value *id = *ids ? wisp_json_first(tokens) : NULL;
    for (; id; id = wisp_json_next(id))
        (*ids)[(*count)++] = (uint32_t)wisp_json_int(id, 0);
    wisp_json_free(doc);
    return *ids ? WISP_OK : (report->status = WISP_E_MEMORY);
}

/* All tokens, and whether a text begins with a token of its own: what an empty text gives begins this one, too. */
static wisp_status read_tokens(evaluation *e, const char *text, size_t size, wisp_report *report)
{
    uint32_t *none = NULL;
    size_t none_count = 0;
    wisp_status status = tokenize(e, text, size, &e->ids, &e->count, report);
    if (status == WISP_OK) status = tokenize(e, "", 0, &none, &none_count, report);
    if (status == WISP_OK) e->begins = none_count > 0 && e->count > 0 && none[0] == e->ids[0];
    free(none);
    return status;
}

static wisp_status score_window(evaluation *e, const uint32_t *ids, wisp_report *report)
{
    char *request = NULL;
    wisp_json *doc;
    cli_append(&request, "{\"object\":\"score\",\"from\":%llu,\"tokens\":[", (unsigned long long)e->from);
    for (uint64_t i = 0; i < window; i++)
        cli_append(&request, i ? ",%u" : "%u", (unsigned)(i == 0 && e->begins ? e->ids[0] : ids[i]));
    cli_append(&request, "]}");
    wisp_status status = ask(e->session, request, &doc, report);
    if (status != WISP_OK) return status;
    const wisp_json_value *root = wisp_json_root(doc);
    e->windows++;
    e->scored += (uint64_t)wisp_json_int(wisp_json_get(root, "scored"), 0);
    e->nll += wisp_json_double(wisp_json_get(root, "nll"), NAN);
    e->squares += wisp_json_double(wisp_json_get(root, "nll_squares"), NAN);
    wisp_json_free(doc);
    return WISP_OK;
}

static wisp_status score(evaluation *e, const char *path, wisp_report *report)
{
    cli_progress progress;
    wisp_status status = WISP_OK;
    uint64_t count = e->count / window;
    if (count == 0) {
        report->status = WISP_E_INPUT;
        snprintf(report->text, sizeof report->text, "%.300s: %zu tokens do not fill a window of %llu (--ctx)", path,
                 e->count, (unsigned long long)window);
        return report->status;
    }
    if (windows_max && count > windows_max) count = windows_max;
    cli_progress_begin(&progress, e->label);
    progress.unit = "tokens";
    for (uint64_t i = 0; i < count && status == WISP_OK; i++) {
        if (!cli_progress_step(&progress, i * window, count * window)) status = report->status = WISP_E_CANCELLED;
        if (status == WISP_OK) status = score_window(e, e->ids + i * window, report);
    }
    cli_progress_end(&progress);
    return status;
}

/* The standard error of the mean of -ln p, carried over to its exponential. */
static void print_result(const evaluation *e)
{
    double n = (double)e->scored, mean = e->nll / n, variance = e->squares / n - mean * mean;
    double perplexity = exp(mean), error = n > 1 && variance > 0 ? perplexity * sqrt(variance / (n - 1)) : 0;
    if (as_json)
        printf("{\"perplexity\":%.6f,\"error\":%.6f,\"ctx\":%llu,\"windows\":%llu,\"scored\":%llu}\n", perplexity,
               error, (unsigned long long)window, (unsigned long long)e->windows, (unsigned long long)e->scored);
    else
        printf("perplexity %.4f ± %.4f  (%llu tokens scored, second halves of %llu windows of %llu)\n", perplexity,
               error, (unsigned long long)e->scored, (unsigned long long)e->windows, (unsigned long long)window);
}

static void choose_window(const wisp_capsule *capsule)
{
    size_t size;
    wisp_json *doc;
    wisp_report report = {0};
    const char *manifest = wisp_capsule_manifest(capsule, &size);
    if (!window) {
        window = WINDOW_DEFAULT;
        if (wisp_json_parse(&doc, manifest, size, &report) == WISP_OK) {
            int64_t most = wisp_json_int(wisp_json_get(wisp_json_root(doc), "context_length"), 0);
            if (most >= 4 && most < WINDOW_DEFAULT) window = (uint64_t)most;
            wisp_json_free(doc);
        }
    }
    if (cli_session.context < window) cli_session.context = window;
}

/* Opens both files and begins a session. */
static wisp_status begin(evaluation *e, wisp_capsule **capsule, char **operands, wisp_report *report)
{
    size_t size = 0;
    char *text = cli_read_all(operands[1], &size, report);
    wisp_status status = text ? cli_open(capsule, operands[0], false, report) : report->status;
    if (status == WISP_OK) {
        choose_window(*capsule);
        status = cli_start(&e->session, *capsule, 0, report);
    }
    if (status == WISP_OK) status = read_tokens(e, text, size, report);
    free(text);
    return status;
}

static void end(evaluation *e, wisp_capsule *capsule)
{
    free(e->ids);
    cli_watch_session(NULL);
    wisp_session_free(e->session);
    wisp_close(capsule);
}

static int run(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    evaluation e = {.label = "evaluating"};
    wisp_status status = begin(&e, &capsule, operands, &report);
    e.from = window / 2 + 1;
    if (status == WISP_OK) status = score(&e, operands[1], &report);
    if (status == WISP_OK) print_result(&e);
    end(&e, capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_eval = {
    "eval",      "Measures a model's perplexity on a text (TEXT: a file, or - for standard input)",
    "FILE TEXT", "  wisp eval model.gguf wiki.test.raw --ctx 512",
    options,     2,
    2,           run,
};

/* ---- wisp imatrix: the same reading, every token scored, so that the last matrices see all of them, too ---- */

static const char *output;

static const cli_option imatrix_options[] = {
    {'o', "output", "FILE", "the importance matrix to write (a GGUF, as llama.cpp has it)", CLI_TEXT, &output, 0, 0,
     NULL},
    {'c', "ctx", "N", "tokens read at a time (512, or what the model allows)", CLI_UINT, &window, 4, 1 << 24, NULL},
    {0, "windows", "N", "stop after so many times", CLI_UINT, &windows_max, 1, 1 << 24, NULL},
    {0, "threads", "N", "threads (one a CPU)", CLI_UINT, &cli_session.threads, 1, 256, NULL},
    {0},
};

static int run_imatrix(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    wisp_imatrix *imatrix = NULL;
    evaluation e = {.label = "measuring", .from = 1};
    if (!output) return cli_usage_error(&cli_imatrix, "where to? -o FILE.gguf is missing");
    wisp_status status = begin(&e, &capsule, operands, &report);
    if (status == WISP_OK) status = wisp_imatrix_new(&imatrix, e.session, &report);
    if (status == WISP_OK) status = score(&e, operands[1], &report);
    if (status == WISP_OK)
        status = wisp_imatrix_write(imatrix, output, operands[1], (uint32_t)e.windows, (uint32_t)window, &report);
    if (status == WISP_OK)
        printf("%llu times %llu tokens\n", (unsigned long long)e.windows, (unsigned long long)window);
    wisp_imatrix_free(imatrix);
    end(&e, capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_imatrix = {
    "imatrix",
    "Measures which columns of a model's matrices matter for a text",
    "FILE TEXT",
    "  wisp imatrix model-f16.gguf calibration.txt -o imatrix.gguf\n"
    "  wisp quantize model-f16.gguf -t IQ4_XS --imatrix imatrix.gguf -o small.gguf",
    imatrix_options,
    2,
    2,
    run_imatrix,
};
