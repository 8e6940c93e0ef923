/* Where a model comes from: what it says of itself, as the beginning of a GGUF, and the bytes of its tensors. The
 * compiler sees GGUF's metadata, names and types only, whatever the model was stored in. */
#ifndef COMPILE_SOURCE_H
#define COMPILE_SOURCE_H
#include "compile/gguf.h"

typedef struct compile_source {
    const compile_gguf *gguf;
    uint64_t gguf_bytes; /* of the whole GGUF, data included */
    bool mapped; /* the bytes of tensors are a map of a file: os_map_done may be called for those that were read */
    base_span vocabulary;   /* the block that tokens are cut by; none: made of the keys */
    uint32_t token_count;   /* of it */
    const base_span *files; /* the source's digest is that of all of them; NULL: of gguf->file */
    size_t file_count;
    uint64_t file_bytes;
    void *self;
    /* All bytes of a tensor of `gguf`, in its type; good until the next call. */
    wisp_status (*tensor)(void *self, const compile_gguf_tensor *t, base_span *bytes, wisp_report *report);
} compile_source;

/* A GGUF in memory. */
compile_source compile_source_of(const compile_gguf *g);

#endif
