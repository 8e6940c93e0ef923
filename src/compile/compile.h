/* The compiler: a model file becomes a capsule, and back. */
#ifndef COMPILE_COMPILE_H
#define COMPILE_COMPILE_H
#include "base/bytes.h"
#include "base/err.h"
#include "capsule/capsule.h"
#include <stdbool.h>

typedef struct compile_options {
    const char *name, *version, *license;    /* NULL: what the model's metadata say; version "1" */
    const struct quantize_options *quantize; /* NULL: the tensors stay as they are. Tells the progress, if there is */
    base_span engine;                        /* wisp-engine.wasm */
    const char *engine_version;
    bool vocabulary_only;      /* leave the weights and the program out */
    uint64_t segment_limit;    /* weights past so many bytes go to the next section; 0: what a section holds (tests) */
    capsule_progress progress; /* bytes of the input done, total; false stops with WISP_E_CANCELLED; NULL is allowed */
    void *progress_context;
} compile_options;

typedef struct compile_pack_options {
    const char *input;  /* a GGUF, or the folder of a Hugging Face model */
    const char *output; /* appears only when complete */
    compile_options common;
} compile_pack_options;

typedef struct compile_result {
    uint8_t source_sha256[32];
    uint64_t input_bytes, output_bytes;
    uint32_t tensor_count, unused_count; /* tensors of the source that the program does not use (kept for unpacking) */
} compile_result;

/* Does the file begin like something that compile_pack takes? */
bool compile_probe(base_span head);

/* `result` may be NULL. Leaves nothing behind on failure. */
wisp_status compile_pack(const compile_pack_options *options, compile_result *result,
                         wisp_report *report) WISP_MUST_USE;

/* The same from memory to memory, for small models and for vocabularies without tensors (a capsule whose model segment
 * holds a vocabulary only). `out` must be empty; the caller frees it in any case. `source_name` may be NULL. */
wisp_status compile_to_memory(base_buffer *out, base_span gguf, const char *source_name, const compile_options *options,
                              wisp_report *report) WISP_MUST_USE;

/* Writes the GGUF that the capsule was made from: metadata bytes verbatim, tensors bit for bit. *identical (NULL is
 * allowed) says whether the whole file has the source's digest (bytes between tensors are written as zeros). */
wisp_status compile_unpack(const capsule *c, const char *output, capsule_progress progress, void *progress_context,
                           bool *identical, wisp_report *report) WISP_MUST_USE;

/* Is this tensor of the directory used by the program? For inspect. */
bool compile_tensor_used(const capsule *c, const capsule_tensor *t);

#endif
