/* Of a build without the native compiler. */
#include "run_modes.h"

const run_mode run_modes[] = {
    {"interpreted, guard pages", false, false},
    {"interpreted, explicit checks", true, false},
};
const unsigned run_mode_count = sizeof run_modes / sizeof *run_modes;

wisp_status run_mode_prepare(const run_mode *mode, wasm_instance *instance, wisp_report *report)
{
    (void)mode, (void)instance, (void)report;
    return WISP_OK;
}
