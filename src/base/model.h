/* The model data of a capsule (content of its passive data segment): a head, then sections, then the weights.
 * Reader (guest, host) and writer (compiler) of the head are in model.c. All offsets from the segment's start.
 *
 *   0    "WISPMODL", u32 version = 1, u32 section count, u64 head bytes (weights begin there; a multiple of 4096),
 *        u64 weights bytes; then 24 bytes a section: u32 kind, u32 0, u64 offset, u64 size
 * Sections are 64-byte aligned. MODEL_SECTION_PROGRAM: tensor/program.h; MODEL_SECTION_VOCAB: base/vocab.h;
 * MODEL_SECTION_INFO: JSON for people and the engine's answers (name, chat template).
 */
#ifndef BASE_MODEL_H
#define BASE_MODEL_H
#include "base/bytes.h"
#include "base/err.h"

enum { MODEL_VERSION = 1, MODEL_ALIGN = 4096, MODEL_HEAD_FIXED = 32, MODEL_SECTIONS_MAX = 8 };
enum { MODEL_SECTION_PROGRAM = 1, MODEL_SECTION_VOCAB = 2, MODEL_SECTION_INFO = 3 };

typedef struct base_model_head {
    uint64_t head_bytes;                   /* weights begin here */
    uint64_t weights_bytes;                /* 0: a vocabulary only */
    base_span section[MODEL_SECTIONS_MAX]; /* by kind; {NULL, 0} if absent */
} base_model_head;

/* Reads the fixed part only: how many bytes of the segment to bring in before base_model_read. */
wisp_status base_model_head_size(const void *first32, uint64_t segment_size, uint64_t *head_bytes,
                                 wisp_report *report) WISP_MUST_USE;
/* `bytes` holds (at least) the head; section spans point into it. */
wisp_status base_model_read(base_model_head *head, base_span bytes, wisp_report *report) WISP_MUST_USE;
/* Appends a whole head for the given sections to an empty buffer, padded to MODEL_ALIGN. */
void base_model_write(base_buffer *out, const base_span section[MODEL_SECTIONS_MAX], uint64_t weights_bytes);

#endif
