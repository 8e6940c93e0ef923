/* Native code for differential_run, compiled in this process. A file of its own, since only it needs the compiler. */
#include "differential.h"
#include "wasm/native/native_compile.h"
#include "wasm/native_code.h"

static wisp_status attach(wasm_instance *instance, uint32_t target, base_buffer *image)
{
    const wasm_module *module = wasm_instance_module(instance);
    const wasm_compile_job job = {
        .module = module, .options = {.target = target, .flags = wasm_native_flags_of(instance)}, .threads = 1};
    wasm_native_wanted wanted = {.target = job.options.target, .flags = job.options.flags};
    wisp_report report = {0};
    wisp_status status = WISP_OK;
    wasm_module_code_digest(module, NULL, 0, wanted.module);
    if (!image->size) status = wasm_compile(image, &job, &report);
    if (status == WISP_OK) status = wasm_native_use(instance, (base_span){image->data, image->size}, &wanted, &report);
    return status;
}

wisp_status differential_native(void *context, wasm_instance *instance)
{
    const uint32_t *target = context;
    base_buffer image = {0};
    wisp_status status = attach(instance, target ? *target : wasm_native_best_target(), &image);
    base_buffer_fini(&image);
    return status;
}

wisp_status differential_native_again(void *context, wasm_instance *instance)
{
    return attach(instance, wasm_native_best_target(), context);
}
