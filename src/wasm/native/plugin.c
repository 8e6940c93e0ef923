/* The compiler's one function. */
#include <string.h>

#include "base/mem.h"
#include "wasm/native/native_compile.h"
#include "wasm/native_plugin.h"

static wisp_status compile(wisp_native_request *request, wisp_report *report)
{
    if (request->version != WISP_NATIVE_REQUEST ||
        memcmp(request->build, wasm_native_build(), sizeof request->build) != 0)
        return base_fail(report, WISP_E_UNSUPPORTED, "the native compiler is of another build of WISP");
    wasm_module *module;
    BASE_TRY(wasm_module_new(&module, (base_span){request->module, request->module_size}, NULL, report));
    wasm_compile_job job = {.module = module,
                            .options = {.target = request->target,
                                        .flags = request->flags,
                                        .replaceable = request->replaceable,
                                        .replaceable_count = request->replaceable_count},
                            .threads = request->threads,
                            .progress = request->progress,
                            .context = request->context};
    base_buffer image = {0};
    wisp_status status = wasm_compile(&image, &job, report);
    wasm_module_free(module);
    if (status != WISP_OK) {
        base_buffer_fini(&image);
        return status;
    }
    request->image = image.data;
    request->image_size = image.size;
    request->release = base_free;
    return WISP_OK;
}

__attribute__((visibility("default"))) int wisp_native_compile(wisp_native_request *request)
{
    wisp_report report = {0};
    wisp_status status = compile(request, &report);
    memcpy(request->text, report.text, sizeof request->text);
    return (int)status;
}
