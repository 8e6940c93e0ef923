/* Packing and unpacking, for embedders. */
#include "compile/compile.h"
#include "host/host.h"

const char *wisp_version(void)
{
    return WISP_VERSION;
}

wisp_status wisp_pack(const wisp_pack_options *options, wisp_report *report)
{
    if (!options || !options->input || !options->output)
        return base_fail(report, WISP_E_USAGE, "wisp_pack: an input and an output are needed");
    os_file_info from, to;
    if (os_stat(options->input, &from) && os_stat(options->output, &to) && from.inode == to.inode &&
        from.device == to.device)
        return base_fail(report, WISP_E_USAGE, "%s: input and output are the same file", options->output);
    compile_pack_options pack = {
        .input = options->input,
        .output = options->output,
        .common = {.name = options->name,
                   .version = options->version,
                   .engine = host_engine(),
                   .engine_version = WISP_VERSION,
                   .progress = options->progress,
                   .progress_context = options->progress_context},
    };
    return compile_pack(&pack, NULL, report);
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
