/* The ways of running the same module, for tests that must find no difference between them. Linked with one of
 * run_modes_interpreted.c and run_modes_native.c. */
#ifndef TESTS_RUN_MODES_H
#define TESTS_RUN_MODES_H
#include "wasm/wasm.h"

typedef struct run_mode {
    const char *name;
    bool explicit_checks; /* for wasm_limits.explicit_checks */
    bool native;
} run_mode;

extern const run_mode run_modes[];
extern const unsigned run_mode_count;

/* After wasm_instance_new, before the first call: compiles the module, where the mode is native. */
wisp_status run_mode_prepare(const run_mode *mode, wasm_instance *instance, wisp_report *report) WISP_MUST_USE;

#endif
