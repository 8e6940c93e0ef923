/** @file quantize.h  Smaller models: a GGUF's matrices in types of fewer bits (docs/quantizing.md).
 *
 * A *mix* is known by name (Q4_K_M, Q8_0, …) and says which tensor gets which type. The result depends on the input
 * and the options only, not on the number of threads.
 */
#ifndef WISP_QUANTIZE_H
#define WISP_QUANTIZE_H
#include <wisp/wisp.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What becomes of a tensor. */
typedef struct wisp_quantize_tensor {
    const char *name, *from, *to; /**< types, "F16" and "Q4_K"; equal: it stays as it is */
    uint32_t dims;
    uint64_t shape[4]; /**< columns first; 1 past dims */
    uint64_t from_bytes, to_bytes;
} wisp_quantize_tensor;

typedef struct wisp_quantize_options {
    size_t size;
    const char *input;          /**< a GGUF, or the folder of a Hugging Face model */
    const char *output;         /**< appears only when it is complete; ignored by a dry run and by wisp_pack */
    const char *type;           /**< a mix; wisp_quantize_mix() lists them */
    const char *output_type;    /**< of output.weight; NULL: the mix's */
    const char *embedding_type; /**< of token_embd.weight; NULL: the mix's */
    const char *imatrix;        /**< an importance matrix, as wisp_imatrix_write or llama.cpp makes them; NULL: none */
    bool pure;                  /**< the mix's main type for all matrices */
    bool requantize;            /**< tensors that are quantized already lose again, instead of being refused */
    bool dry_run;               /**< only say what would become of each tensor */
    unsigned threads;           /**< 0: one a CPU */
    /** Called for each tensor before anything is written; NULL: none. */
    void (*tensor)(void *context, const wisp_quantize_tensor *tensor);
    void *tensor_context;
    wisp_progress progress;
    void *progress_context;
} wisp_quantize_options;

typedef struct wisp_quantize_result {
    size_t size;
    uint64_t from_bytes, to_bytes; /**< of all tensors */
    uint64_t elements;
    uint32_t tensors, changed;
} wisp_quantize_result;

/** WISP_E_USAGE: no such type; WISP_E_INPUT: the file, or it is quantized already. `result` may be NULL. */
WISP_API wisp_status wisp_quantize(const wisp_quantize_options *options, wisp_quantize_result *result,
                                   wisp_report *report) WISP_MUST_USE;
/** The name of mix `index`, from large to small; NULL past the last one. */
WISP_API const char *wisp_quantize_mix(uint32_t index);

/* ---- importance ---------------------------------------------------------------------------------------------------
 */

typedef struct wisp_imatrix wisp_imatrix;

/** From now on every step of the session (WISP_DEVICE_CPU) adds to it: the squares of what each matrix is multiplied
 * with. The session must outlive it. */
WISP_API wisp_status wisp_imatrix_new(wisp_imatrix **imatrix, wisp_session *session, wisp_report *report) WISP_MUST_USE;
WISP_API void wisp_imatrix_free(wisp_imatrix *imatrix);
/** A GGUF as llama.cpp has it. `dataset` names the text; it was read in `chunks` pieces of `chunk` tokens. */
WISP_API wisp_status wisp_imatrix_write(const wisp_imatrix *imatrix, const char *output, const char *dataset,
                                        uint32_t chunks, uint32_t chunk, wisp_report *report) WISP_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
