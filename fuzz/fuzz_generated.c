/* Must reach: generate_module, differential_run, wasm_module_new (valid modules only), the interpreter's instructions
 * in both checking schemes; as fuzz_generated_native, wasm_compile and native code.
 *
 * Compiling a module takes some 30 ms, a call some microseconds: the one that compiles makes one image an input, and
 * compares many calls of it, under two budgets of fuel. */
#include <stdio.h>
#include <stdlib.h>

#include "differential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t calls; /* compared with another way's */

static void compare(const wasm_module *module, const differential_options *a, const differential_options *b)
{
    base_buffer transcripts[2] = {{0}};
    char text[512];
    differential_run(&transcripts[0], module, a);
    calls += differential_run(&transcripts[1], module, b);
    if (differential_first(&transcripts[0], &transcripts[1], text)) {
        fprintf(stderr, "fuel %u%s: %s\n", (unsigned)b->fuel, b->explicit_checks ? ", explicit checks" : "", text);
        abort();
    }
    base_buffer_fini(&transcripts[0]);
    base_buffer_fini(&transcripts[1]);
}

#ifdef WITH_NATIVE
/* The interpreter (with guard pages) against native code: `how` chooses in which scheme, and whether with fuel. */
static void compare_ways(const wasm_module *module, uint8_t how)
{
    base_buffer image = {0};
    const uint64_t budgets[] = {how % 3 == 2 ? 0 : 20000, 1 + how / 3 * 5};
    for (int i = 0; i < 2 && (i == 0 || budgets[0]); i++) {
        const differential_options interpreted = {.fuel = budgets[i], .rounds = 16};
        differential_options native = interpreted;
        native.explicit_checks = how % 3 == 1;
        native.prepare = differential_native_again;
        native.context = &image;
        compare(module, &interpreted, &native);
    }
    base_buffer_fini(&image);
}
#else
static void compare_ways(const wasm_module *module, uint8_t how)
{
    const differential_options guarded = {.fuel = how & 1 ? 20000 : 1 + how * 2};
    differential_options checked = guarded;
    checked.explicit_checks = true;
    compare(module, &guarded, &checked);
}
#endif

static void tell(void)
{
    fprintf(stderr, "calls compared: %llu\n", (unsigned long long)calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool telling;
    if (size < 2) return 0;
    if (!telling) telling = atexit(tell) == 0;
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
    compare_ways(module, data[1]);
    wasm_module_free(module);
    base_buffer_fini(&bytes);
    return 0;
}
