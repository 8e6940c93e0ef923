#include "run_modes.h"
#include "wasm/native/native_compile.h"

const run_mode run_modes[] = {
    {"interpreted, guard pages", false, false},
    {"interpreted, explicit checks", true, false},
    {"native, guard pages", false, true},
    {"native, explicit checks", true, true},
};
const unsigned run_mode_count = sizeof run_modes / sizeof *run_modes;

wisp_status run_mode_prepare(const run_mode *mode, wasm_instance *instance, wisp_report *report)
{
    if (!mode->native) return WISP_OK;
    const wasm_module *module = wasm_instance_module(instance);
    wasm_native_wanted wanted = {.target = wasm_native_best_target(), .flags = wasm_native_flags_of(instance)};
    wasm_module_code_digest(module, NULL, 0, wanted.module);
    wasm_compile_job job = {
        .module = module, .options = {.target = wanted.target, .flags = wanted.flags}, .threads = 2};
    base_buffer image = {0};
    wisp_status status = wasm_compile(&image, &job, report);
    if (status == WISP_OK) status = wasm_native_use(instance, (base_span){image.data, image.size}, &wanted, report);
    base_buffer_fini(&image);
    return status;
}
