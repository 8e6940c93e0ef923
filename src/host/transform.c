/* Packing and unpacking, for embedders. */
#include "compile/compile.h"
#include "host/host.h"
#include "host/quantizing.h"
#include "host/sized.h"

const char *wisp_version(void)
{
    return WISP_VERSION;
}

bool host_same_file(const char *path, const char *other)
{
    os_file_info a, b;
    return os_stat(path, &a) && os_stat(other, &b) && a.inode == b.inode && a.device == b.device;
}

wisp_status wisp_pack(const wisp_pack_options *options, wisp_report *report)
{
    wisp_pack_options own;
    BASE_TRY(host_take_options(&own, sizeof own, options, "wisp_pack_options", report));
    options = &own;
    if (!own.input || !own.output)
        return base_fail(report, WISP_E_USAGE, "wisp_pack: an input and an output are needed");
    if (host_same_file(options->input, options->output))
        return base_fail(report, WISP_E_USAGE, "%s: input and output are the same file", options->output);
    quantize_options quantize;
    imatrix importance = {0};
    if (options->quantize) {
        BASE_TRY(host_quantize_options(&quantize, &importance, options->quantize, report));
        quantize.progress = options->progress;
        quantize.progress_context = options->progress_context;
    }
    compile_pack_options pack = {
        .input = options->input,
        .output = options->output,
        .common = {.name = options->name,
                   .version = options->version,
                   .quantize = options->quantize ? &quantize : NULL,
                   .engine = host_engine(),
                   .engine_version = WISP_VERSION,
                   .progress = options->progress,
                   .progress_context = options->progress_context},
    };
    wisp_status status = compile_pack(&pack, NULL, report);
    imatrix_fini(&importance);
    return status;
}

wisp_status wisp_unpack(const wisp_capsule *capsule, const char *output, wisp_progress progress, void *context,
                        wisp_report *report)
{
    if (!capsule || !output) return base_fail(report, WISP_E_USAGE, "wisp_unpack: a capsule and an output are needed");
    return compile_unpack(&capsule->parsed, output, progress, context, NULL, report);
}

void wisp_abandon_outputs(void)
{
    os_output_abort_all();
}
