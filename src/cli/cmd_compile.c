/* wisp compile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char *output;
static cli_list targets;
static bool fuel, explicit_checks, as_json;
static uint64_t threads;

static const cli_option options[] = {
    {'o', "output", "FILE", "the file to write", CLI_TEXT, &output, 0, 0, NULL},
    {'t', "target", "LIST", "x86-64-v2, x86-64-v3, x86-64-v4, aarch64, native (the default), or several", CLI_LIST,
     &targets, 0, 0, NULL},
    {0, "fuel", NULL, "for runs with --fuel: the code counts", CLI_FLAG, &fuel, 0, 0, NULL},
    {0, "explicit-checks", NULL, "for systems without address space for guard pages: the code compares", CLI_FLAG,
     &explicit_checks, 0, 0, NULL},
    {0, "threads", "N", "threads (default: one a CPU)", CLI_UINT, &threads, 1, 256, NULL},
    {0, "json", NULL, "what was made, as JSON", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

static void print_result(const wisp_compile_result *result)
{
    for (uint32_t i = 0; i < result->target_count; i++) {
        char size[32];
        printf("%s: %u functions, %s in %.2f s\n", result->targets[i].name, (unsigned)result->functions,
               cli_size(result->targets[i].bytes, size), (double)result->targets[i].ns / 1e9);
    }
}

static void print_json(const wisp_compile_result *result)
{
    char *text = NULL;
    cli_append(&text, "{\"output\":");
    cli_append_quoted(&text, output, strlen(output));
    cli_append(&text, ",\"functions\":%u,\"targets\":[", (unsigned)result->functions);
    for (uint32_t i = 0; i < result->target_count; i++)
        cli_append(&text, "%s{\"name\":\"%s\",\"bytes\":%llu,\"seconds\":%.3f}", i ? "," : "", result->targets[i].name,
                   (unsigned long long)result->targets[i].bytes, (double)result->targets[i].ns / 1e9);
    printf("%s]}\n", text);
    free(text);
}

static int run(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_compile_result result = {.size = sizeof result};
    cli_progress progress;
    if (!output) return cli_usage_error(&cli_compile, "where to? -o FILE.wasm is missing");
    char *list = NULL;
    for (size_t i = 0; i < targets.count; i++)
        cli_append(&list, "%s%s", i ? "," : "", targets.items[i]);
    cli_progress_begin(&progress, "compiling");
    progress.unit = "functions";
    const wisp_compile_options job = {.size = sizeof job,
                                      .input = operands[0],
                                      .output = output,
                                      .targets = list,
                                      .fuel = fuel,
                                      .explicit_checks = explicit_checks,
                                      .threads = (unsigned)threads,
                                      .progress = cli_progress_step,
                                      .progress_context = &progress};
    wisp_status status = wisp_compile(&job, &result, &report);
    cli_progress_end(&progress);
    free(list);
    if (status != WISP_OK) return cli_fail(&report);
    if (as_json)
        print_json(&result);
    else
        print_result(&result);
    return EXIT_DONE;
}

const cli_command cli_compile = {
    "compile",   "Adds native code to a module or capsule (which counts once it is signed by a trusted key)",
    "FILE.wasm", "  wisp compile model.wasm -o fast.wasm --target x86-64-v3,aarch64 && wisp sign fast.wasm",
    options,     1,
    1,           run,
};
