/* What model families are composed of: each function emits the commands of one piece of a model. A family is a file
 * that reads its parameters, then says the block in order with these; nothing here knows a family's name.
 *
 * Weight names are printf formats without ".weight" ("blk.%u.attn_q") and the block's number; a bias of that name is
 * used where the file has one. Failure is sticky (compile/builder.h).
 */
#ifndef COMPILE_ARCH_MODEL_BLOCKS_H
#define COMPILE_ARCH_MODEL_BLOCKS_H
#include "compile/arch/arch.h"

enum {
    BLOCK_WIDTH_MAX = 1 << 20,
    BLOCK_HEADS_MAX = 4096,
    BLOCK_HEAD_DIM_MAX = 1 << 14,
    BLOCK_COUNT_MAX = 1024,
    BLOCK_SCRATCH_MAX = 48
};

/* A model under construction. */
typedef struct blocks {
    compile_builder *b;
    compile_io io;
    uint32_t rows; /* of scratch that is asked for: PROGRAM_TOKENS, PROGRAM_OUTPUTS once block_keep was called */
    wisp_type kv_type;
    bool bidirectional;                   /* tokens see those after them: attention.causal is false */
    wisp_view shared_keys, shared_values; /* the cache of every layer then: no step sees another's */
    uint32_t scratch_count;
    struct {
        const char *name;
        uint32_t buffer;
    } scratch[BLOCK_SCRATCH_MAX];
} blocks;

/* The numbers that nearly all families have, by GGUF's names; those that may be given per layer are of layer 0. */
typedef struct block_shape {
    uint32_t width, ff_width, layers, heads, kv_heads;
    uint32_t key_dim, value_dim; /* of a head */
    uint32_t rope_dims;
    float epsilon; /* of RMS or layer norms, whichever the file has */
} block_shape;

/* Reads them, checks that they fit together, and tells the builder what people want to know of a model. */
block_shape block_read_shape(compile_builder *b);
/* The same of models that may do without attention, in layer 0 or in all: heads or kv_heads may be 0. */
block_shape block_read_mixed_shape(compile_builder *b);
void blocks_open(blocks *k, compile_builder *b);

/* Is there such a tensor, and how many rows has it (0: none)? Formats as compile_weight_view's. */
bool block_has(const blocks *k, const char *format, uint32_t block);
uint64_t block_rows(const blocks *k, const char *format, uint32_t block);

/* ---- views ---- */
/* f32[rows of now, cols]; the same name is the same memory, as large as the widest asked for. */
wisp_view block_scratch(blocks *k, const char *name, uint32_t cols);
/* [rows, heads * d] -> [rows * heads, d] of a view without gaps, and back. */
wisp_view block_split(wisp_view v, uint32_t heads);
wisp_view block_join(wisp_view v, uint32_t heads);
/* Columns [first, first + count). */
wisp_view block_columns(wisp_view v, uint32_t first, uint32_t count);

/* ---- input and output ---- */
/* Rows of token_embd into scratch "x". */
wisp_view block_embed(blocks *k, uint32_t width);
/* x = x + rows of position_embd, a table of `rows` positions. */
void block_add_positions(blocks *k, wisp_view x, uint32_t rows);
/* Of the rows of `v` those whose logits are wanted, in scratch `name`; call it for each view that goes on after the
 * last block's attention. Afterwards scratch has rows of outputs only. */
wisp_view block_keep(blocks *k, wisp_view v, const char *name);
/* Logits from normed x: output.weight, or token_embd's where there is none; times `scale`; softcap 0: none. And x as
 * the tokens' vectors (embedding_blocks.h). */
void block_logits(blocks *k, wisp_view x, float scale, float softcap);

/* ---- norms, products, elementwise ---- */
typedef enum block_norm_kind { BLOCK_RMS, BLOCK_LAYER } block_norm_kind;
/* A bias too where the file has one. */
void block_norm(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x, const char *name, uint32_t block);
/* Weights of their own for each of `heads` heads: x and y are block_split views, the weight is [heads, d]. */
void block_norm_heads(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x, uint32_t heads,
                      const char *name, uint32_t block);
void block_norm_plain(blocks *k, block_norm_kind kind, float eps, wisp_view y, wisp_view x); /* no weight */
void block_linear(blocks *k, wisp_view y, wisp_view x, const char *name, uint32_t block);
/* With rows [first, first + y.cols) of a matrix of `total` rows. */
void block_linear_slice(blocks *k, wisp_view y, wisp_view x, uint32_t first, uint32_t total, const char *name,
                        uint32_t block);
void block_add(blocks *k, wisp_view y, wisp_view a, wisp_view b); /* y may be a */
void block_mul(blocks *k, wisp_view y, wisp_view a, wisp_view b);
void block_scale(blocks *k, wisp_view x, float scale); /* in place; nothing for 1 */
void block_copy(blocks *k, wisp_view y, wisp_view x);
void block_act(blocks *k, wisp_view x, wisp_act kind);              /* in place */
void block_glu(blocks *k, wisp_view g, wisp_view u, wisp_act kind); /* g = act(g) * u */
void block_softcap(blocks *k, wisp_view x, float cap);              /* in place */

/* ---- attention ---- */
/* Sines and cosines of this step's positions for the file's rope.* keys, in scratch "angles". */
wisp_view block_rope_angles(blocks *k, uint32_t dims);
/* The same for frequencies made another way (compile_rope_frequencies), in scratch `name`. */
wisp_view block_angles(blocks *k, const char *name, wisp_view frequencies, float scale);
/* In place; halves: pairs are (i, i + dims / 2), as in GPT-NeoX. */
void block_rope(blocks *k, wisp_view x, uint32_t heads, wisp_view angles, bool halves);
/* q, k and v of a fused or of three matrices: "blk.%u.attn_qkv" or attn_q, attn_k, attn_v. */
void block_qkv(blocks *k, wisp_view q, wisp_view key, wisp_view value, wisp_view x, uint32_t block);

/* The sliding window of a layer, 0 for none: attention.sliding_window (`fallback` where it is absent) in the layers
 * that attention.sliding_window_pattern says, an array or a number; else in all but the last of every `pattern` ones.
 */
uint32_t block_window(compile_builder *b, uint32_t layer, uint32_t pattern, uint32_t fallback);

typedef struct block_attention {
    uint32_t heads, kv_heads;
    float scale, softcap;
    uint32_t window;
    wisp_attend mode;
    wisp_view sinks, slopes; /* absent: zero */
} block_attention;
typedef struct block_cache {
    wisp_view keys, values;
} block_cache;
/* A cache of rows of `dim` elements. */
wisp_view block_one_cache(blocks *k, uint32_t kv_heads, uint32_t dim);
/* The caches of one layer. */
block_cache block_kv_cache(blocks *k, uint32_t kv_heads, uint32_t key_dim, uint32_t value_dim);
void block_kv_write(blocks *k, wisp_view cache, wisp_view x, uint32_t kv_heads);
/* y = attention of q over the caches as they are. */
void block_attend(blocks *k, wisp_view y, wisp_view q, block_cache cache, const block_attention *a);
/* Writes key and value into caches (of this layer's own, if the model is causal), then attends. */
void block_self_attention(blocks *k, wisp_view y, wisp_view q, wisp_view key, wisp_view value,
                          const block_attention *a);
/* ALiBi's slopes of the heads, for a bias of at most `bias_max` (8), as a tensor of the capsule. */
wisp_view block_alibi_slopes(blocks *k, uint32_t heads, float bias_max);

/* ---- feed-forward: y = down(…) of x; scratch "gate" and "up" ---- */
void block_ffn_gated(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block);
/* Gate and up are the two halves of ffn_up. */
void block_ffn_fused(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block);
void block_ffn_plain(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block);

#endif
