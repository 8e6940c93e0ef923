/* The model as a program: buffers and command templates with symbolic sizes. Written by the compiler, read by the
 * guest; reader and writer share program.c. docs/capsule-format.md describes the bytes.
 *
 * In a template, wisp_view.buffer is an index into `buffers` (plus 1; 0 is an absent operand) and rows may be a symbol.
 * Instantiating replaces both. Positions, sequences and pages are data (i32 buffers), so a step of n tokens is the same
 * list of commands wherever in the context it runs.
 */
#ifndef TENSOR_PROGRAM_H
#define TENSOR_PROGRAM_H
#include "base/bytes.h"
#include "base/err.h"
#include "tensor/abi.h"

enum { PROGRAM_VERSION = 1 };

/* wisp_view.rows or cols at or above PROGRAM_SYMBOL are symbols: sizes known at each step. */
#define PROGRAM_SYMBOL 0xffffff00u
#define PROGRAM_TOKENS (PROGRAM_SYMBOL + 0)    /* tokens in this step */
#define PROGRAM_OUTPUTS (PROGRAM_SYMBOL + 1)   /* tokens whose logits are wanted */
#define PROGRAM_SEQUENCES (PROGRAM_SYMBOL + 2) /* sequences that the engine holds */
#define PROGRAM_SEQ_PAGES (PROGRAM_SYMBOL + 3) /* page-table entries a sequence */
#define PROGRAM_KV_ROWS (PROGRAM_SYMBOL + 4)   /* rows of a KV cache: pages * WISP_KV_PAGE * kv heads */

/* What a buffer is for: the engine fills or reads the named ones. */
typedef enum program_role {
    PROGRAM_ROLE_WEIGHTS = 0, /* bytes ignored; index = wisp_dev_weights(index) */
    PROGRAM_ROLE_SCRATCH = 1,
    PROGRAM_ROLE_TOKEN_IDS = 2, /* i32[1, tokens], written by the engine before a step */
    PROGRAM_ROLE_POSITIONS = 3, /* i32[1, tokens] */
    PROGRAM_ROLE_SEQS = 4,      /* i32[1, tokens] */
    PROGRAM_ROLE_PAGES = 5,     /* i32[sequences, seq_pages] */
    PROGRAM_ROLE_OUT_ROWS = 6,  /* i32[1, outputs]: which tokens of the step give logits */
    PROGRAM_ROLE_KV = 7,        /* kept between steps */
    PROGRAM_ROLE_LOGITS = 8,    /* f32[outputs, vocabulary] */
    PROGRAM_ROLE_ARGMAX = 9,    /* i32[outputs, 1] */
    PROGRAM_ROLE_COUNT
} program_role;

/* Size of a buffer = fixed + per_token * tokens + per_output * outputs + per_page * pages (KV pages of the instance)
 * + per_seq_page * sequences * seq_pages, in bytes, tokens and outputs at their most. */
typedef struct program_buffer {
    uint32_t role, index;
    uint64_t fixed, per_token, per_output, per_page, per_seq_page;
} program_buffer;

typedef struct program {
    uint32_t vocab_size;                              /* logits a token */
    uint32_t context_length;                          /* positions the model was made for */
    uint32_t embedding_length, block_count, kv_heads; /* for people and statistics; kv_heads also sizes KV_ROWS */
    uint32_t buffer_count, cmd_count;
    const program_buffer *buffers;
    const wisp_cmd *cmds;
} program;

/* Checks counts, roles, buffer references and symbols; the views' bounds are the device's to check. On success `p`
 * points into memory that program_fini frees. */
/* Its arrays are one allocation, at `cmds`. */
wisp_status program_read(program *p, base_span bytes, wisp_report *report) WISP_MUST_USE;
void program_write(base_buffer *out, const program *p);
void program_fini(program *p);

#endif
