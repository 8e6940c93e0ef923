/* Must reach: generate_module, differential_run, wasm_module_new (valid modules only), the interpreter's instructions
 * in both checking schemes. */
#include <stdio.h>
#include <stdlib.h>

#include "differential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    const generate_options options = {.elsewhere = (data[0] & 31) == 31,
                                      .exceptions = data[0] & 1,
                                      .typed_references = data[0] & 2,
                                      .tail_calls = data[0] & 4,
                                      .memory64 = data[0] & 8,
                                      .relaxed = data[0] & 16};
    base_buffer bytes = {0}, transcripts[2] = {{0}, {0}};
    wisp_report report = {0};
    wasm_module *module;
    char text[512];
    if (!generate_module(&bytes, data + 1, size - 1, &options)) abort();
    if (wasm_module_new(&module, (base_span){bytes.data, bytes.size}, NULL, &report) != WISP_OK) {
        fprintf(stderr, "not valid: %s\n", report.text);
        abort();
    }
    for (int i = 0; i < 2; i++)
        differential_run(&transcripts[i], module, &(differential_options){.fuel = 20000, .explicit_checks = i});
    if (differential_first(&transcripts[0], &transcripts[1], text)) {
        fprintf(stderr, "guarded and checked differ: %s\n", text);
        abort();
    }
    wasm_module_free(module);
    for (int i = 0; i < 2; i++)
        base_buffer_fini(&transcripts[i]);
    base_buffer_fini(&bytes);
    return 0;
}
