/* Reaches: hf_config_read, hf_config_put, hf_rope_factors; the keys are a GGUF's. */
#include <stdlib.h>

#include "base/mem.h"
#include "compile/hf_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_keys(const hf_config *c)
{
    static const char *const names[] = {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"};
    gguf_head h;
    base_buffer out = {0};
    compile_gguf g;
    gguf_head_init(&h, 32);
    if (hf_config_put(c, &h, NULL) == WISP_OK) {
        gguf_head_write(&h, &out);
        if (compile_gguf_open(&g, (base_span){out.data, out.size}, out.size, NULL) != WISP_OK) abort();
        compile_gguf_close(&g);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        float *factors;
        if (hf_rope_factors(c, names[i], &factors, NULL) == WISP_OK) base_free(factors);
    }
    base_buffer_fini(&out);
    gguf_head_fini(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_json_doc *doc;
    const base_json *root;
    hf_config c;
    if (base_json_parse(&doc, &root, data, size, NULL) != WISP_OK) return 0;
    if (root->kind == JSON_OBJECT && hf_config_read(&c, root, NULL) == WISP_OK) make_keys(&c);
    base_json_free(doc);
    return 0;
}
