/* Importance: of each matrix, the mean square of every column's input, measured while a model read a text. Two files
 * are known, both as llama.cpp has them: a GGUF (general.type "imatrix", since 2025) with tensors NAME.in_sum2 (sums of
 * squares, columns x matrices) and NAME.counts (inputs summed, 1 x matrices), and the older .dat. */
#ifndef COMPILE_IMATRIX_H
#define COMPILE_IMATRIX_H
#include "base/bytes.h"
#include "base/err.h"

enum { IMATRIX_ENTRIES_MAX = 1 << 16, IMATRIX_NAME_MAX = 256 };

typedef struct imatrix_entry {
    char *name;       /* of the matrix: "blk.0.attn_q.weight" */
    uint64_t columns; /* of all matrices of the tensor together (it has one for each expert) */
    float *mean;      /* finite, >= 0 */
} imatrix_entry;

typedef struct imatrix {
    imatrix_entry *entries; /* by name, ascending */
    size_t count, capacity;
} imatrix;

/* On failure *m is empty. */
wisp_status imatrix_read(imatrix *m, base_span file, wisp_report *report) WISP_MUST_USE;
void imatrix_fini(imatrix *m);
const imatrix_entry *imatrix_find(const imatrix *m, const char *name); /* NULL: none */

/* ---- writing: the GGUF ---- */
typedef struct imatrix_sums {
    const char *name;
    uint64_t columns, matrices; /* columns: of one */
    const double *squares;      /* columns * matrices */
    const uint64_t *counts;     /* matrices */
} imatrix_sums;

/* `sums` in any order; chunk: tokens that were read at a time. */
wisp_status imatrix_write(base_buffer *out, const imatrix_sums *sums, size_t count, const char *dataset,
                          uint32_t chunks, uint32_t chunk, wisp_report *report) WISP_MUST_USE;

#endif
