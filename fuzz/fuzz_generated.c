/* Must reach: generate_module, differential_run, wasm_module_new (valid modules only), the interpreter's instructions
 * in both checking schemes, and with LLVM also wasm_compile and native code, in one input of eight. */
#include <stdio.h>
#include <stdlib.h>

#include "differential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compiling takes some 30 ms, far more than interpreting: the second byte of an input chooses when. What has fuel is
 * compared with the first way, what has none with the first that has none. */
static const struct way {
    const char *name;
    differential_options options;
} ways[] = {
    {"guard pages", {.fuel = 20000}},
    {"explicit checks", {.fuel = 20000, .explicit_checks = true}},
#ifdef WITH_NATIVE
    {"native, guard pages", {.fuel = 20000, .prepare = differential_native}},
    {"native, explicit checks", {.fuel = 20000, .explicit_checks = true, .prepare = differential_native}},
    {"no fuel", {.fuel = 0}},
    {"native, no fuel", {.fuel = 0, .prepare = differential_native}},
#endif
};
enum { WAYS = sizeof ways / sizeof *ways, INTERPRETED = 2 };

static void compare(const wasm_module *module, int count)
{
    base_buffer transcripts[WAYS] = {{0}};
    char text[512];
    for (int i = 0, reference = 0; i < count; i++) {
        if (ways[i].options.fuel != ways[reference].options.fuel) reference = i;
        differential_run(&transcripts[i], module, &ways[i].options);
        if (differential_first(&transcripts[reference], &transcripts[i], text)) {
            fprintf(stderr, "%s; %s: %s\n", ways[reference].name, ways[i].name, text);
            abort();
        }
    }
    for (int i = 0; i < count; i++)
        base_buffer_fini(&transcripts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    const generate_options options = {.elsewhere = (data[0] & 31) == 31,
                                      .exceptions = data[0] & 1,
                                      .typed_references = data[0] & 2,
                                      .tail_calls = data[0] & 4,
                                      .memory64 = data[0] & 8,
                                      .relaxed = data[0] & 16};
    base_buffer bytes = {0};
    wisp_report report = {0};
    wasm_module *module;
    if (!generate_module(&bytes, data + 2, size - 2, &options)) abort();
    if (wasm_module_new(&module, (base_span){bytes.data, bytes.size}, NULL, &report) != WISP_OK) {
        fprintf(stderr, "not valid: %s\n", report.text);
        abort();
    }
    compare(module, (data[1] & 7) == 7 ? WAYS : INTERPRETED);
    wasm_module_free(module);
    base_buffer_fini(&bytes);
    return 0;
}
