/* A model in smaller types: a source made of another one, its matrices quantized when they are asked for. */
#ifndef COMPILE_QUANTIZE_H
#define COMPILE_QUANTIZE_H
#include "compile/imatrix.h"
#include "compile/quantize_mix.h"
#include "compile/source.h"

typedef bool (*quantize_progress)(void *context, uint64_t done, uint64_t total); /* bytes of the input */

typedef struct quantize_options {
    quantize_choice choice;
    bool again;                /* tensors that are quantized already, too */
    const imatrix *importance; /* NULL: none */
    unsigned threads;          /* 0: one a CPU */
    quantize_progress progress;
    void *progress_context;
} quantize_options;

typedef struct quantizer quantizer;

/* Decides on the types and makes the new GGUF's head; `from` must outlive the quantizer. */
wisp_status quantizer_new(quantizer **q, const compile_source *from, const quantize_options *options,
                          wisp_report *report) WISP_MUST_USE;
void quantizer_free(quantizer *q);

/* It holds one tensor of the result at a time, and a row for each thread. */
compile_source quantizer_source(quantizer *q);
/* The new GGUF's beginning. */
base_span quantizer_head(const quantizer *q);
const quantize_mix *quantizer_mix(const quantizer *q);

/* Writes it; the output appears only when it is complete. */
wisp_status quantizer_write(quantizer *q, const char *output, wisp_report *report) WISP_MUST_USE;

#endif
