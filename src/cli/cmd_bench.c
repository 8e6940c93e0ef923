/* wisp bench: speed, beside what reading the weights from memory allows in the same minute. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

enum { ROUNDS_MAX = 100, READS_A_ROUND = 3 };

static uint64_t prefill = 512, generate = 128, rounds = 5;
static bool as_json, prefill_given, generate_given;

static const cli_option options[] = {
    {'p', "prefill", "N", "tokens of the prompt (512)", CLI_UINT, &prefill, 0, 1 << 20, &prefill_given},
    {'g', "generate", "N", "tokens to generate (128)", CLI_UINT, &generate, 0, 1 << 20, &generate_given},
    {'r', "rounds", "N", "repetitions (5)", CLI_UINT, &rounds, 1, ROUNDS_MAX, NULL},
    CLI_SESSION_OPTIONS,
    {0, "json", NULL, "every round as JSON", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

/* Tokens a second of each round; `read` is what a plain reader of the same weights would allow. */
typedef struct samples {
    double prefill[ROUNDS_MAX], generate[ROUNDS_MAX], read[ROUNDS_MAX], ratio[ROUNDS_MAX];
    uint64_t bytes;
} samples;

static double rate(const wisp_json_value *root, const char *tokens, const char *ns)
{
    double count = wisp_json_double(wisp_json_get(root, tokens), 0),
           time = wisp_json_double(wisp_json_get(root, ns), 0);
    return time > 0 ? count * 1e9 / time : 0;
}

/* The reader runs before and after generation, since memory's speed drifts on shared machines. */
static wisp_status one_round(const wisp_capsule *capsule, wisp_session *session, unsigned i, samples *s,
                             wisp_report *report)
{
    wisp_read_speed before = {.size = sizeof before}, after = {.size = sizeof after};
    char *request = NULL, *answer = NULL;
    size_t size;
    wisp_json *doc = NULL;
    unsigned threads = (unsigned)cli_session.threads;
    wisp_status status = wisp_measure_read(capsule, threads, READS_A_ROUND, &before, report);
    cli_append(&request, "{\"object\":\"bench\",\"prefill\":%llu,\"generate\":%llu}",
               (unsigned long long)(prefill ? prefill : 1), /* generation begins with a token */
               (unsigned long long)generate);
    if (status == WISP_OK) status = cli_ask(session, request, &answer, &size, report);
    if (status == WISP_OK) status = wisp_measure_read(capsule, threads, READS_A_ROUND, &after, report);
    if (status == WISP_OK) status = wisp_json_parse(&doc, answer, size, report);
    if (status == WISP_OK) {
        double ns = ((double)before.median_ns + (double)after.median_ns) / 2;
        s->bytes = before.bytes;
        s->prefill[i] = rate(wisp_json_root(doc), "prefill_tokens", "prefill_ns");
        s->generate[i] = rate(wisp_json_root(doc), "decode_tokens", "decode_ns");
        s->read[i] = ns > 0 ? 1e9 / ns : 0;
        s->ratio[i] = s->read[i] > 0 ? s->generate[i] / s->read[i] : 0;
    }
    wisp_json_free(doc);
    free(answer);
    free(request);
    return status;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_row(const char *label, const double *values, const char *unit)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, rounds * sizeof *values);
    qsort(sorted, rounds, sizeof *sorted, compare);
    printf("%-34s %9.2f  (%.2f to %.2f) %s\n", label, sorted[rounds / 2], sorted[0], sorted[rounds - 1], unit);
}

static void print_array(const char *name, const double *values, const char *end)
{
    printf("\"%s\":[", name);
    for (uint64_t i = 0; i < rounds; i++)
        printf("%s%.4f", i ? "," : "", values[i]);
    printf("]%s", end);
}

static void print_samples(const samples *s, const wisp_session *session)
{
    wisp_session_stats stats = {.size = sizeof stats};
    char size[32], label[64];
    if (wisp_session_get_stats(session, &stats, NULL) != WISP_OK) return;
    if (as_json) {
        printf("{\"threads\":%u,\"weight_bytes\":%llu,\"prefill\":%llu,\"generate\":%llu,", stats.threads,
               (unsigned long long)s->bytes, (unsigned long long)prefill, (unsigned long long)generate);
        print_array("prefill_tokens_per_second", s->prefill, ",");
        print_array("generate_tokens_per_second", s->generate, ",");
        print_array("reader_tokens_per_second", s->read, ",");
        print_array("ratio", s->ratio, "}\n");
        return;
    }
    printf("%s of weights a token, %u threads, median of %llu rounds (least to most)\n", cli_size(s->bytes, size),
           stats.threads, (unsigned long long)rounds);
    snprintf(label, sizeof label, "prefill %llu", (unsigned long long)prefill);
    if (prefill) print_row(label, s->prefill, "tokens/s");
    snprintf(label, sizeof label, "generate %llu", (unsigned long long)generate);
    if (generate) print_row(label, s->generate, "tokens/s");
    print_row("plain reading of the weights allows", s->read, "tokens/s");
    if (generate) print_row("generation / reading", s->ratio, "");
}

/* A model of a short context is measured with what fits, unless sizes were asked for: then the engine says what is
 * wrong. */
static void fit_to_context(const wisp_capsule *capsule)
{
    size_t size;
    wisp_json *doc;
    wisp_report report = {0};
    const char *manifest = wisp_capsule_manifest(capsule, &size);
    if (wisp_json_parse(&doc, manifest, size, &report) == WISP_OK) {
        uint64_t most = (uint64_t)wisp_json_int(wisp_json_get(wisp_json_root(doc), "context_length"), 0);
        if (most > 1 && prefill + generate >= most && !prefill_given && !generate_given) {
            prefill = most / 2;
            generate = most / 2 - 1;
        }
        wisp_json_free(doc);
    }
    if (!cli_session.context) cli_session.context = prefill + generate + (prefill == 0);
}

static int run(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    wisp_session *session = NULL;
    samples s = {0};
    if (prefill + generate == 0)
        return cli_usage_error(&cli_bench, "nothing to measure: --prefill and --generate are 0");
    wisp_status status = cli_open(&capsule, operands[0], false, &report);
    if (status == WISP_OK) fit_to_context(capsule);
    if (status == WISP_OK) status = cli_start(&session, capsule, 0, &report);
    cli_progress progress;
    cli_progress_begin(&progress, "measuring");
    for (unsigned i = 0; i < rounds && status == WISP_OK; i++) {
        status = one_round(capsule, session, i, &s, &report);
        if (status == WISP_OK && cli_interrupted()) status = report.status = WISP_E_CANCELLED;
    }
    cli_progress_end(&progress);
    if (status == WISP_OK) print_samples(&s, session);
    cli_watch_session(NULL);
    wisp_session_free(session);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_bench = {
    "bench", "Measures prefill and generation, and plain reading of the weights in the same run",
    "FILE",  "  wisp bench model.wasm -p 512 -g 128 --threads 2",
    options, 1,
    1,       run,
};
