/* The steps of packing that stand alone: the vocabulary, the values of tensors, their layout. */
#ifndef COMPILE_CONVERT_H
#define COMPILE_CONVERT_H
#include "compile/builder.h"
#include "compile/source.h"

/* Appends the vocabulary block (base/vocab.h) made from the tokenizer.* keys. *count: its tokens. */
wisp_status compile_vocabulary(base_buffer *out, uint32_t *count, const compile_gguf *g,
                               wisp_report *report) WISP_MUST_USE;

/* Refuses NaN in plain types, NaN and infinity in the scales of block types: they would poison every result. `bytes`
 * begins `block` blocks (or elements) into the tensor and holds whole ones. */
wisp_status compile_check_values(const char *tensor, uint32_t gguf_type, base_span bytes, uint64_t block,
                                 wisp_report *report) WISP_MUST_USE;

/* Hands a weight's bytes in its layout to `put`, in order, in pieces. */
typedef struct compile_put {
    void *self;
    wisp_status (*put)(void *self, const void *data, size_t size, uint64_t source_bytes, wisp_report *report);
} compile_put;
wisp_status compile_stream_weight(const compile_source *source, const compile_weight *w, const compile_put *to,
                                  wisp_report *report) WISP_MUST_USE;

#endif
