/* The ways of running the same module, for tests that must find no difference between them. */
#ifndef TESTS_RUN_MODES_H
#define TESTS_RUN_MODES_H
#include "wasm/wasm.h"

typedef struct run_mode {
    const char *name;
    bool explicit_checks; /* wasm_limits.explicit_checks */
    bool native;
} run_mode;

static const run_mode run_modes[] = {
    {"interpreted, guard pages", false, false},
    {"interpreted, explicit checks", true, false},
};
static const unsigned run_mode_count = sizeof run_modes / sizeof *run_modes;

/* After wasm_instance_new, before the first call. */
static inline void run_mode_prepare(const run_mode *mode, wasm_instance *instance)
{
    (void)mode, (void)instance;
}

#endif
