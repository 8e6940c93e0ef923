/* wisp inspect: what a capsule says about itself. */
#include <stdio.h>
#include <string.h>
#include <wisp/json.h>

#include "cli/cli.h"

static bool as_json, with_tensors, check;

static const cli_option options[] = {
    {0, "json", NULL, "the whole manifest; of a module, its imports and exports", CLI_FLAG, &as_json, 0, 0, NULL},
    {0, "tensors", NULL, "list the tensors too", CLI_FLAG, &with_tensors, 0, 0, NULL},
    {0, "check", NULL, "read all weights and compare their digests", CLI_FLAG, &check, 0, 0, NULL},
    {0},
};

static void print_text(const char *label, const wisp_json_value *value)
{
    const char *text = wisp_json_text(value);
    if (!*text) return;
    printf("%-16s", label);
    cli_put_clean(stdout, text);
    putchar('\n');
}

static void print_tensors(const wisp_json_value *tensors)
{
    for (const wisp_json_value *t = wisp_json_first(tensors); t; t = wisp_json_next(t)) {
        char shape[100] = "";
        for (const wisp_json_value *d = wisp_json_first(wisp_json_get(t, "shape")); d; d = wisp_json_next(d))
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%.20s", *shape ? " x " : "",
                     wisp_json_text(d));
        char line[200];
        snprintf(line, sizeof line, "  %-36.60s %-5.12s %-9.12s %-18s %12.20s bytes",
                 wisp_json_text(wisp_json_get(t, "name")), wisp_json_text(wisp_json_get(t, "type")),
                 wisp_json_text(wisp_json_get(t, "layout")), shape, wisp_json_text(wisp_json_get(t, "size")));
        cli_put_clean(stdout, line);
        putchar('\n');
    }
}

static void print_summary(const wisp_capsule *capsule, const wisp_json_value *root)
{
    char size[32], weights[32];
    const wisp_json_value *source = wisp_json_get(root, "source"), *engine = wisp_json_get(root, "engine");
    print_text("name", wisp_json_get(root, "name"));
    print_text("version", wisp_json_get(root, "version"));
    print_text("licence", wisp_json_get(root, "license"));
    print_text("architecture", wisp_json_get(root, "architecture"));
    print_text("parameters", wisp_json_get(root, "parameters"));
    print_text("quantization", wisp_json_get(root, "quantization"));
    print_text("context", wisp_json_get(root, "context_length"));
    print_text("source", wisp_json_get(source, "file"));
    print_text("source sha256", wisp_json_get(source, "sha256"));
    print_text("engine", wisp_json_get(engine, "version"));
    print_text("engine sha256", wisp_json_get(engine, "sha256"));
    printf("%-16s%u\n%-16s%s, weights %s\n", "tensors", wisp_json_count(wisp_json_get(root, "tensors")), "size",
           cli_size(wisp_capsule_file_bytes(capsule), size), cli_size(wisp_capsule_weight_bytes(capsule), weights));
    if (with_tensors) print_tensors(wisp_json_get(root, "tensors"));
}

static wisp_status check_weights(const wisp_capsule *capsule, wisp_report *report)
{
    cli_progress progress;
    cli_progress_begin(&progress, "checking");
    wisp_status status = wisp_capsule_verify(capsule, cli_progress_step, &progress, report);
    cli_progress_end(&progress);
    if (status == WISP_OK && !as_json) printf("%-16sall digests are right\n", "weights");
    return status;
}

static int run(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_capsule *capsule = NULL;
    wisp_json *doc = NULL;
    size_t size;
    if (wisp_probe(operands[0]) == WISP_FILE_MODULE) {
        if (with_tensors || check)
            return cli_usage_error(&cli_inspect, "--%s is for models", check ? "check" : "tensors");
        return cli_inspect_module(operands[0], as_json);
    }
    wisp_status status = cli_open(&capsule, operands[0], false, &report);
    if (status == WISP_OK) {
        const char *manifest = wisp_capsule_manifest(capsule, &size);
        status = wisp_json_parse(&doc, manifest, size, &report);
        if (status == WISP_OK && as_json)
            fwrite(manifest, 1, size, stdout);
        else if (status == WISP_OK)
            print_summary(capsule, wisp_json_root(doc));
    }
    if (status == WISP_OK && check) status = check_weights(capsule, &report);
    wisp_json_free(doc);
    wisp_close(capsule);
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_inspect = {
    "inspect", "Shows what a capsule holds, or what a module imports and exports",
    "FILE",    "  wisp inspect model.wasm --check",
    options,   1,
    1,         run,
};
