#include "compile/source.h"

static wisp_status tensor_bytes(void *self, const compile_gguf_tensor *t, base_span *bytes, wisp_report *report)
{
    const compile_gguf *g = self;
    (void)report;
    *bytes = (base_span){g->file.data + t->offset, (size_t)t->size};
    return WISP_OK;
}

compile_source compile_source_of(const compile_gguf *g)
{
    return (compile_source){
        .gguf = g, .gguf_bytes = g->file.size, .self = (void *)(uintptr_t)g, .tensor = tensor_bytes};
}
