/* wisp quantize: a model in fewer bits. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const char *output;
cli_quantize_options cli_quantizing;

static bool dry_run, verbose;

static const cli_option options[] = {
    {'o', "output", "FILE", "the GGUF to write (or name it after MODEL)", CLI_TEXT, &output, 0, 0, NULL},
    CLI_QUANTIZE_OPTIONS,
    {0, "threads", "N", "threads (one a CPU); the result is the same", CLI_UINT, &cli_session.threads, 1, 256, NULL},
    {0, "dry-run", NULL, "show what would become of each tensor, write nothing", CLI_FLAG, &dry_run, 0, 0, NULL},
    {'v', "verbose", NULL, "show what becomes of each tensor", CLI_FLAG, &verbose, 0, 0, NULL},
    {0},
};

static void print_tensor(void *context, const wisp_quantize_tensor *t)
{
    char size[32], shape[100] = "";
    (void)context;
    for (uint32_t i = 0; i < t->dims; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), i ? " x %llu" : "%llu",
                 (unsigned long long)t->shape[i]);
    printf("%-18s %-7s -> %-7s %10s  ", shape, t->from, t->to, cli_size(t->to_bytes, size));
    cli_put_clean(stdout, t->name);
    putchar('\n');
}

/* Bits a weight over all tensors, those that stay as they are included. */
static void print_result(const wisp_quantize_result *r)
{
    char from[32], to[32];
    const double elements = r->elements ? (double)r->elements : 1;
    printf("%u of %u tensors %s; %s -> %s, %.2f -> %.2f bits per weight\n", r->changed, r->tensors,
           dry_run ? "would change" : "changed", cli_size(r->from_bytes, from), cli_size(r->to_bytes, to),
           (double)r->from_bytes * 8 / elements, (double)r->to_bytes * 8 / elements);
}

void cli_fill_quantize(wisp_quantize_options *o)
{
    *o = (wisp_quantize_options){.size = sizeof *o,
                                 .type = cli_quantizing.type,
                                 .output_type = cli_quantizing.output_type,
                                 .embedding_type = cli_quantizing.embedding_type,
                                 .imatrix = cli_quantizing.imatrix,
                                 .pure = cli_quantizing.pure,
                                 .requantize = cli_quantizing.requantize,
                                 .threads = (unsigned)cli_session.threads};
}

static int run(int count, char **operands)
{
    wisp_report report = {0};
    wisp_quantize_result result = {.size = sizeof result};
    wisp_quantize_options o;
    cli_progress progress;
    if (count > 1 && output) return cli_usage_error(&cli_quantize, "the output is named twice");
    if (count > 1) output = operands[1];
    if (!cli_quantizing.type) return cli_usage_error(&cli_quantize, "into what? -t TYPE is missing");
    if (!output && !dry_run) return cli_usage_error(&cli_quantize, "where to? -o OUT.gguf is missing");
    cli_fill_quantize(&o);
    o.input = operands[0];
    o.output = output;
    o.dry_run = dry_run;
    o.tensor = dry_run || verbose ? print_tensor : NULL;
    o.progress = cli_progress_step;
    o.progress_context = &progress;
    cli_progress_begin(&progress, "quantizing");
    wisp_status status = wisp_quantize(&o, &result, &report);
    cli_progress_end(&progress);
    if (status != WISP_OK) return cli_fail(&report);
    print_result(&result);
    return EXIT_DONE;
}

const cli_command cli_quantize = {
    "quantize",
    "Writes a model (a GGUF or a Hugging Face folder) as a GGUF in types of fewer bits",
    "MODEL [OUT.gguf]",
    "  wisp quantize model-f16.gguf -t Q4_K_M -o model-q4.gguf\n"
    "  wisp quantize Qwen3-0.6B/ model.gguf -t BF16      a Hugging Face folder becomes a GGUF",
    options,
    1,
    2,
    run,
};
