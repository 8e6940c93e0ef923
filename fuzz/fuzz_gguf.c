/* Reaches: compile_gguf_open, compile_vocabulary, compile_arch_llama.build, compile_check_values,
 * compile_stream_weight, capsule_writer_put, capsule_open (on what was written: it must be good). Input: a GGUF file.
 */
#include "../tests/model_fixture.h"
#include "compile/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static base_buffer engine;
    if (!engine.data) engine = fixture_engine();
    const compile_options options = {.engine = fixture_span(&engine), .segment_limit = 16384};
    base_buffer out = {0};
    wisp_report report = {0};
    if (compile_to_memory(&out, (base_span){data, size}, "fuzz.gguf", &options, &report) == WISP_OK) {
        capsule c;
        BASE_ASSERT(capsule_open(&c, fixture_span(&out), &report) == WISP_OK);
        BASE_ASSERT(capsule_verify_weights(&c, NULL, NULL, &report) == WISP_OK);
        for (uint32_t i = 0; i < c.tensor_count; i++)
            (void)!compile_tensor_used(&c, &c.tensors[i]);
        capsule_close(&c);
    } else {
        BASE_ASSERT(report.status != WISP_OK && report.text[0]);
    }
    base_buffer_fini(&out);
    return 0;
}
