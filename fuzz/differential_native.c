/* Native code for differential_run, compiled in this process. A file of its own, since only it needs the compiler. */
#include "differential.h"
#include "wasm/native/native_compile.h"
#include "wasm/native_code.h"

wisp_status differential_native(void *context, wasm_instance *instance)
{
    const uint32_t *target = context;
    const wasm_module *module = wasm_instance_module(instance);
    wasm_compile_job job = {
        .module = module,
        .options = {.target = target ? *target : wasm_native_best_target(), .flags = wasm_native_flags_of(instance)},
        .threads = 1};
    wasm_native_wanted wanted = {.target = job.options.target, .flags = job.options.flags};
    base_buffer image = {0};
    wisp_report report = {0};
    wasm_module_code_digest(module, NULL, 0, wanted.module);
    wisp_status status = wasm_compile(&image, &job, &report);
    if (status == WISP_OK) status = wasm_native_use(instance, (base_span){image.data, image.size}, &wanted, &report);
    base_buffer_fini(&image);
    return status;
}
