/* Reaches: capsule_read_sections, capsule_manifest_read, capsule_open's checks of sections and tensors, capsule_probe,
 * capsule_engine_digest, compile_unpack's checks of layouts (by compile_tensor_used). Input: a whole capsule, or,
 * after a byte '{', the members of a manifest, which is sealed with a right digest and put into a good capsule. */
#include "../tests/model_fixture.h"
#include "compile/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static capsule good;

static void make_good(void)
{
    static base_buffer out;
    base_buffer engine = fixture_engine();
    base_buffer model = fixture_model(&(fixture_llama){
        .matrix_type = 2, .width = 32, .ff_width = 32, .heads = 2, .kv_heads = 1, .blocks = 1, .vocab = 262});
    const compile_options options = {.engine = fixture_span(&engine), .segment_limit = 30000};
    BASE_ASSERT(compile_to_memory(&out, fixture_span(&model), "x.gguf", &options, NULL) == WISP_OK);
    BASE_ASSERT(capsule_open(&good, fixture_span(&out), NULL) == WISP_OK);
    base_buffer_fini(&engine);
    base_buffer_fini(&model);
}

static void open_it(base_span file)
{
    capsule c;
    wisp_report report = {0};
    (void)!capsule_probe(file);
    if (capsule_open(&c, file, &report) != WISP_OK) {
        BASE_ASSERT(report.status != WISP_OK && report.text[0] && !c.file.data);
        return;
    }
    (void)!capsule_verify_weights(&c, NULL, NULL, &report);
    for (uint32_t i = 0; i < c.tensor_count; i++) {
        BASE_ASSERT(capsule_find_tensor(&c, c.tensors[i].name) == &c.tensors[i]);
        (void)!compile_tensor_used(&c, &c.tensors[i]);
    }
    capsule_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!good.file.data) make_good();
    if (size == 0 || data[0] != '{') {
        uint8_t digest[32];
        open_it((base_span){data, size});
        (void)!capsule_engine_digest((base_span){data, size}, digest, NULL);
        return 0;
    }
    base_buffer text = {0};
    base_put(&text, data, size);
    fixture_seal(&text);
    base_buffer file = fixture_rebuild(&good, fixture_span(&text), (base_span){NULL, 0});
    open_it(fixture_span(&file));
    base_buffer_fini(&file);
    base_buffer_fini(&text);
    return 0;
}
