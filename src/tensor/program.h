/* The model as a program: buffers and command templates with symbolic sizes. Written by the compiler, read by the
 * guest; reader and writer share program.c. docs/capsule-format.md describes the bytes.
 *
 * In a template, wisp_view.buffer is an index into `buffers` (plus 1; 0 is an absent operand) and rows and cols may be
 * symbols. Instantiating replaces both. Positions, sequences and pages are data (i32 buffers), so a step of n tokens is
 * the same list of commands wherever in the context it runs.
 */
#ifndef TENSOR_PROGRAM_H
#define TENSOR_PROGRAM_H
#include "base/bytes.h"
#include "base/err.h"
#include "tensor/abi.h"
#include <stdbool.h>

enum { PROGRAM_VERSION = 2 };

/* wisp_view.rows or cols at or above PROGRAM_SYMBOL are symbols, numbers known at each step, times a factor:
 * PROGRAM_SYMBOL | kind << 24 | factor. */
#define PROGRAM_SYMBOL 0x80000000u
#define PROGRAM_FACTOR_MASK 0x00ffffffu
#define PROGRAM_SIZE(kind, factor) (PROGRAM_SYMBOL | (uint32_t)(kind) << 24 | (uint32_t)(factor))
typedef enum program_size_kind {
    PROGRAM_SIZE_TOKENS = 0,    /* tokens in this step */
    PROGRAM_SIZE_OUTPUTS = 1,   /* tokens whose logits are wanted */
    PROGRAM_SIZE_SEQUENCES = 2, /* sequences that the engine holds: rows of recurrent state */
    PROGRAM_SIZE_SEQ_PAGES = 3, /* page-table entries a sequence */
    PROGRAM_SIZE_KV = 4,        /* positions of all KV pages: rows of a cache, times its heads */
    PROGRAM_SIZE_POOLED = 5,    /* pooled vectors that the head is run on */
    PROGRAM_SIZE_KINDS
} program_size_kind;
#define PROGRAM_TOKENS PROGRAM_SIZE(PROGRAM_SIZE_TOKENS, 1)
#define PROGRAM_OUTPUTS PROGRAM_SIZE(PROGRAM_SIZE_OUTPUTS, 1)
#define PROGRAM_POOLED PROGRAM_SIZE(PROGRAM_SIZE_POOLED, 1)
#define PROGRAM_SEQUENCES PROGRAM_SIZE(PROGRAM_SIZE_SEQUENCES, 1)
#define PROGRAM_SEQ_PAGES PROGRAM_SIZE(PROGRAM_SIZE_SEQ_PAGES, 1)

/* The numbers of one step. */
typedef struct program_sizes {
    uint32_t of[PROGRAM_SIZE_KINDS];
} program_sizes;
/* A size of a template, replaced; what does not fit in 32 bits becomes the largest number, which no buffer holds. */
uint32_t program_size(uint32_t size, const program_sizes *sizes);
/* Is it a symbol of that kind? */
static inline bool program_size_is(uint32_t size, program_size_kind kind)
{
    return size >= PROGRAM_SYMBOL && (size >> 24 & 127) == (uint32_t)kind;
}

/* What a buffer is for: the engine fills or reads the named ones. */
typedef enum program_role {
    PROGRAM_ROLE_WEIGHTS = 0, /* bytes ignored; index = wisp_dev_weights(index) */
    PROGRAM_ROLE_SCRATCH = 1,
    PROGRAM_ROLE_TOKEN_IDS = 2,  /* i32[1, tokens], written by the engine before a step */
    PROGRAM_ROLE_POSITIONS = 3,  /* i32[1, tokens] */
    PROGRAM_ROLE_SEQS = 4,       /* i32[1, tokens] */
    PROGRAM_ROLE_PAGES = 5,      /* i32[sequences, seq_pages] */
    PROGRAM_ROLE_OUT_ROWS = 6,   /* i32[1, outputs]: which tokens of the step give logits, or vectors */
    PROGRAM_ROLE_KV = 7,         /* kept between steps, recurrent state too */
    PROGRAM_ROLE_LOGITS = 8,     /* f32[outputs, vocabulary] */
    PROGRAM_ROLE_ARGMAX = 9,     /* i32[outputs, 1] */
    PROGRAM_ROLE_EMBEDDING = 10, /* f32[outputs, embedding_length]: the tokens' vectors */
    PROGRAM_ROLE_POOLED = 11,    /* f32[pooled, embedding_length], written by the engine: what the head begins with */
    PROGRAM_ROLE_VECTOR = 12,    /* f32[pooled, vector_length]: what the head gives */
    PROGRAM_ROLE_COUNT
} program_role;

/* Size of a buffer = fixed + per_token * tokens + per_output * outputs + per_page * pages (KV pages of the instance)
 * + per_seq_page * sequences * seq_pages + per_seq * sequences, in bytes, tokens and outputs at their most. */
typedef struct program_buffer {
    uint32_t role, index;
    uint64_t fixed, per_token, per_output, per_page, per_seq_page, per_seq;
} program_buffer;

/* How a text's vector is made of its tokens' vectors: GGUF's numbers of pooling_type. */
typedef enum program_pooling {
    PROGRAM_POOL_NONE = 0, /* not at all: a vector a token */
    PROGRAM_POOL_MEAN = 1,
    PROGRAM_POOL_CLS = 2,  /* the first token's */
    PROGRAM_POOL_LAST = 3, /* the last token's */
    PROGRAM_POOL_RANK = 4, /* scores: what the head makes of a vector that is pooled as rank_pooling says */
    PROGRAM_POOLINGS
} program_pooling;

typedef struct program {
    uint32_t vocab_size;                              /* logits a token */
    uint32_t context_length;                          /* positions the model was made for */
    uint32_t embedding_length, block_count, kv_heads; /* of a token's vector; kv_heads: the most of a cache */
    uint32_t buffer_count, cmd_count;
    uint32_t pooling, rank_pooling; /* program_pooling: the model's own; what its scores are made of */
    uint32_t vector_length;         /* of the head's result; 0: the model has no head */
    uint32_t whole;                 /* 1: a sequence comes in one step, as tokens see those after them */
    const program_buffer *buffers;
    const wisp_cmd *cmds;
} program;

/* wisp_cmd.reserved of a template: the command is there only in instances whose context is at most, or above, so many
 * positions (below 2^30). 0: always. */
#define PROGRAM_UP_TO 0x40000000u
#define PROGRAM_ABOVE 0x80000000u
#define PROGRAM_WHEN_MASK 0xc0000000u

/* Checks counts, roles, buffer references and symbols; the views' bounds are the device's to check. On success `p`
 * points into memory that program_fini frees. */
/* Its arrays are one allocation, at `cmds`. */
wisp_status program_read(program *p, base_span bytes, wisp_report *report) WISP_MUST_USE;
void program_write(base_buffer *out, const program *p);
void program_fini(program *p);

/* ---- what an instance decides, once, in a program that was read ---- */
/* Drops the commands that are not for a context of that many positions. */
void program_for_context(program *p, uint32_t context);
/* Keys and values in another type (F32, F16, Q8_0, Q4_0); recurrent state stays as it is. */
wisp_status program_set_cache_type(program *p, uint32_t type, wisp_report *report) WISP_MUST_USE;
/* Bytes of one buffer; false: more than can be counted. */
bool program_buffer_bytes(const program_buffer *b, const program_sizes *sizes, uint64_t *bytes);
/* Bytes of all its buffers but weights. UINT64_MAX: more than can be counted. */
uint64_t program_bytes(const program *p, const program_sizes *sizes);

#endif
