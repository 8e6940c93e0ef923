/* wisp pack and wisp unpack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static const char *output, *name, *version;
static bool as_json;

static const cli_option pack_options[] = {
    {'o', "output", "FILE", "the capsule to write", CLI_TEXT, &output, 0, 0, NULL},
    {0, "name", "NAME", "name in the manifest (default: the model's own)", CLI_TEXT, &name, 0, 0, NULL},
    {0, "version", "VERSION", "version in the manifest", CLI_TEXT, &version, 0, 0, NULL},
    CLI_QUANTIZE_OPTIONS,
    {0, "threads", "N", "threads that quantize (one a CPU)", CLI_UINT, &cli_session.threads, 1, 256, NULL},
    {0, "json", NULL, "say as JSON what was written", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

static void add_text(char **json, const char *label, const char *text)
{
    cli_append(json, "\"%s\":", label);
    cli_append_quoted(json, text, strlen(text));
    cli_append(json, ",");
}

static wisp_status describe(const wisp_capsule *capsule, wisp_report *report)
{
    char *json = NULL;
    wisp_json *doc;
    size_t size;
    const char *manifest = wisp_capsule_manifest(capsule, &size);
    wisp_status status = wisp_json_parse(&doc, manifest, size, report);
    if (status != WISP_OK) return status;
    const wisp_json_value *root = wisp_json_root(doc);
    cli_append(&json, "{");
    add_text(&json, "output", output);
    add_text(&json, "name", wisp_json_text(wisp_json_get(root, "name")));
    add_text(&json, "version", wisp_json_text(wisp_json_get(root, "version")));
    cli_append(&json, "\"bytes\":%llu,\"weight_bytes\":%llu}", (unsigned long long)wisp_capsule_file_bytes(capsule),
               (unsigned long long)wisp_capsule_weight_bytes(capsule));
    puts(json);
    free(json);
    wisp_json_free(doc);
    return WISP_OK;
}

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
    wisp_capsule *capsule = NULL;
    if (status == WISP_OK && as_json) status = cli_open(&capsule, output, false, &report);
    if (status == WISP_OK && as_json) status = describe(capsule, &report);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_pack = {
    "pack",
    "Compiles a model (a GGUF or a Hugging Face folder) and the engine into one capsule",
    "MODEL", /* a GGUF or a folder */
    "  wisp pack model.gguf -o model.wasm\n  wisp pack model-f16.gguf -t Q4_K_M -o model.wasm\n"
    "  wisp pack Qwen3-0.6B/ -t Q4_K_M -o model.wasm     a Hugging Face folder: config.json, tokenizer, safetensors",
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
