/* wisp pack and wisp unpack. */
#include <stdio.h>

#include "cli/cli.h"

static const char *output, *name, *version;

static const cli_option pack_options[] = {
    {'o', "output", "FILE", "the capsule to write", CLI_TEXT, &output, 0, 0, NULL},
    {0, "name", "NAME", "name in the manifest (default: the model's own)", CLI_TEXT, &name, 0, 0, NULL},
    {0, "version", "VERSION", "version in the manifest", CLI_TEXT, &version, 0, 0, NULL},
    CLI_QUANTIZE_OPTIONS,
    {0, "threads", "N", "threads that quantize (one a CPU)", CLI_UINT, &cli_session.threads, 1, 256, NULL},
    {0},
};

static int run_pack(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    cli_progress progress;
    if (!output) return cli_usage_error(&cli_pack, "where to? -o FILE.wasm is missing");
    cli_progress_begin(&progress, "packing");
    wisp_quantize_options quantize;
    cli_fill_quantize(&quantize);
    wisp_pack_options options = {.size = sizeof options,
                                 .input = operands[0],
                                 .output = output,
                                 .name = name,
                                 .version = version,
                                 .quantize = cli_quantizing.type ? &quantize : NULL,
                                 .progress = cli_progress_step,
                                 .progress_context = &progress};
    wisp_status status = wisp_pack(&options, &report);
    cli_progress_end(&progress);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_pack = {
    "pack",
    "Compiles a model and the engine into one capsule",
    "MODEL.gguf",
    "  wisp pack model.gguf -o model.wasm\n  wisp pack model-f16.gguf -t Q4_K_M -o model.wasm",
    pack_options,
    1,
    1,
    run_pack,
};

static const cli_option unpack_options[] = {
    {'o', "output", "FILE", "the GGUF to write", CLI_TEXT, &output, 0, 0, NULL},
    {0},
};

static int run_unpack(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    cli_progress progress;
    if (!output) return cli_usage_error(&cli_unpack, "where to? -o MODEL.gguf is missing");
    if (cli_same_file(operands[0], output))
        return cli_usage_error(&cli_unpack, "%s: input and output are the same file", output);
    cli_progress_begin(&progress, "unpacking");
    wisp_status status = cli_open(&capsule, operands[0], false, &report);
    if (status == WISP_OK) status = wisp_unpack(capsule, output, cli_progress_step, &progress, &report);
    cli_progress_end(&progress);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_unpack = {
    "unpack",
    "Writes the GGUF that a capsule was made of, tensors bit for bit",
    "FILE.wasm",
    "  wisp unpack model.wasm -o model.gguf",
    unpack_options,
    1,
    1,
    run_unpack,
};
