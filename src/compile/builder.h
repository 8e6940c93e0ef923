/* What an architecture's front end builds on: hyper-parameters, weights, buffers, commands.
 *
 * Failure is sticky: after the first error (in the report) every call is harmless and returns zeros, so a front end
 * reads like the model and checks once at its end. Weights are named in views as they are used; where they lie in the
 * capsule is decided at the end, in the order of their first use.
 */
#ifndef COMPILE_BUILDER_H
#define COMPILE_BUILDER_H
#include "capsule/capsule.h"
#include "compile/source.h"
#include "tensor/program.h"

typedef enum compile_use {
    COMPILE_MATMUL, /* w of MATMUL: packed where its type has a packed layout */
    COMPILE_ROWS,   /* w of GET_ROWS: stays as in the source, unless it is multiplied with as well */
    COMPILE_VECTOR, /* f32[rows, d]: a copy is made if it is stored in another type */
} compile_use;

/* A tensor of the capsule. */
typedef struct compile_weight {
    const compile_gguf_tensor *source; /* NULL: made here */
    const char *name;
    uint32_t source_type, layout; /* layout: wisp_type, or GGUF's number as it is */
    uint32_t dims;
    uint64_t shape[4], size;
    bool used;
    uint8_t *made; /* content of one made here */
} compile_weight;

typedef struct compile_builder {
    const compile_source *source;
    const compile_gguf *gguf; /* the source's; its data may be elsewhere: compile_tensor_bytes */
    wisp_report *report;
    wisp_status status;
    char architecture[64];

    uint32_t vocab_size, context_length, embedding_length, block_count, kv_heads; /* of the program */
    uint32_t pooling, rank_pooling, vector_length;
    bool whole;

    compile_weight *weights; /* the source's, in its order, then those made here */
    uint32_t weight_count;
    size_t weight_capacity;
    program_buffer *buffers;
    uint32_t buffer_count;
    size_t buffer_capacity;
    wisp_cmd *cmds; /* views of weights have COMPILE_WEIGHT + index in place of the buffer */
    uint32_t cmd_count;
    size_t cmd_capacity;
    void **kept; /* memory that lives as long as the builder */
    size_t kept_count, kept_capacity;
} compile_builder;

#define COMPILE_WEIGHT 0x80000000u

/* `source` must outlive the builder. */
wisp_status compile_builder_init(compile_builder *b, const compile_source *source, wisp_report *report) WISP_MUST_USE;
void compile_builder_fini(compile_builder *b);
/* base_fail that sticks. */
void compile_fail(compile_builder *b, wisp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Zeroed memory that lives as long as the builder; NULL (and a sticky failure) if there is none. */
void *compile_keep(compile_builder *b, size_t size);
const char *compile_keep_text(compile_builder *b, base_span text);

/* ---- hyper-parameters: "attention.head_count" stands for "<architecture>.attention.head_count", ":xielu.beta" for
 * "xielu.beta" ---- */
bool compile_has(const compile_builder *b, const char *key);
bool compile_is_array(const compile_builder *b, const char *key);
/* In [least, most]. */
uint32_t compile_uint(compile_builder *b, const char *key, uint32_t least, uint32_t most);
uint32_t compile_uint_or(compile_builder *b, const char *key, uint32_t fallback, uint32_t least, uint32_t most);
double compile_float_or(compile_builder *b, const char *key, double fallback);
/* Of one layer: the key's element `layer` where it is an array (of integers or booleans), else the key. */
uint32_t compile_uint_at(compile_builder *b, const char *key, uint32_t layer, uint32_t fallback, uint32_t least,
                         uint32_t most);
double compile_float_at(compile_builder *b, const char *key, uint32_t layer, double fallback);
bool compile_bool_or(compile_builder *b, const char *key, bool fallback);
base_span compile_string_or(compile_builder *b, const char *key, const char *fallback);

/* ---- weights ---- */
bool compile_exists(const compile_builder *b, const char *name);
/* GGUF's type of a tensor, WISP_F32 if there is none. */
uint32_t compile_type_of(const compile_builder *b, const char *name);
/* A view of rows x cols; names are printf formats ("blk.%u.attn_q.weight") with the block's number. */
wisp_view compile_weight_view(compile_builder *b, compile_use use, uint32_t rows, uint32_t cols, const char *format,
                              uint32_t block);
/* The same, but the absent operand if there is no such tensor. */
wisp_view compile_weight_optional(compile_builder *b, compile_use use, uint32_t rows, uint32_t cols, const char *format,
                                  uint32_t block);
/* Rows [first, first + rows) of a matrix of `total` rows (fused QKV, gate and up). Packed only if every slice begins on
 * a group of 16 rows. */
wisp_view compile_weight_slice(compile_builder *b, uint32_t first, uint32_t rows, uint32_t total, uint32_t cols,
                               const char *format, uint32_t block);
/* `count` matrices of rows x cols (experts, heads), one after the other: [count * rows, cols]. Packed only if rows is a
 * multiple of 16. */
wisp_view compile_weight_stack(compile_builder *b, uint32_t count, uint32_t rows, uint32_t cols, const char *format,
                               uint32_t block);
/* All `count` elements of a tensor of any shape, as f32[1, count]. */
wisp_view compile_weight_flat(compile_builder *b, uint32_t count, const char *format, uint32_t block);
/* All of a tensor's bytes, until the next call; NULL: a failure. */
const uint8_t *compile_tensor_bytes(compile_builder *b, const compile_gguf_tensor *t);
/* A tensor's values as floats, for what is folded into the program: NULL if it is absent, or of another size (a
 * failure) or not of floats (a failure). Lives as long as the builder. */
const float *compile_weight_values(compile_builder *b, uint64_t count, const char *format, uint32_t block);
/* A tensor made by the compiler: one row, copied. */
wisp_view compile_weight_made(compile_builder *b, const char *name, wisp_type type, const void *data, uint32_t cols);

/* ---- buffers and commands ---- */
/* The number that views carry (index + 1). */
uint32_t compile_buffer(compile_builder *b, program_buffer buffer);
/* Of one row a token, f32. */
uint32_t compile_scratch(compile_builder *b, uint32_t cols);
/* A view of a whole buffer of that many columns; sizes may be symbols. With symbolic columns the stride is 0: it is
 * columns times element size once they are known. */
wisp_view compile_view(uint32_t buffer, wisp_type type, uint32_t rows, uint32_t cols);
void compile_emit(compile_builder *b, wisp_cmd cmd);

/* What the engine fills in, for every model. */
typedef struct compile_io {
    wisp_view token_ids, positions, seqs, pages, out_rows;
} compile_io;
compile_io compile_declare_io(compile_builder *b);
/* What it reads of one that makes text: f32[outputs, vocab_size], i32[outputs, 1]. */
wisp_view compile_declare_logits(compile_builder *b);
wisp_view compile_declare_argmax(compile_builder *b);

/* ---- result ---- */
/* The weights in the capsule's order; names and types are borrowed from the builder. *order: index into b->weights of
 * each. Both live as long as the builder. */
wisp_status compile_order_weights(compile_builder *b, capsule_tensor **tensors, uint32_t **order) WISP_MUST_USE;
/* Appends the program for weights placed as given. */
wisp_status compile_write_program(compile_builder *b, base_buffer *out, const capsule_tensor *tensors,
                                  const uint32_t *order, uint32_t segment_count) WISP_MUST_USE;

#endif
