/* Layers of decoder transformers as most families have them; a family whose layers are of another shape composes them
 * of model_blocks.h. What a layer has besides is in its functions, not in further fields here. */
#ifndef COMPILE_ARCH_TRANSFORMER_H
#define COMPILE_ARCH_TRANSFORMER_H
#include "compile/arch/moe_blocks.h"

/* A layer's queries, keys and values: [tokens, heads * size] each, in scratch "q", "k" and "v". */
typedef struct block_heads {
    wisp_view q, k, v;
} block_heads;

typedef struct block_layer block_layer;
/* From the projections to what is attended with: norms of q and k, rotation, clamping. */
typedef void block_prepare_fn(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                              uint32_t block);
typedef void block_ffn_fn(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block);

struct block_layer {
    block_norm_kind norm;
    wisp_view angles;          /* absent: no rotation */
    bool halves;               /* pairs of the rotation */
    block_prepare_fn *prepare; /* NULL: the rotation only */
    block_attention attention; /* heads, kv_heads and scale may be 0: the shape's, 1 / sqrt(key size) */
    block_ffn_fn *ffn;         /* of layers without experts */
    wisp_act act;
    const block_moe *moe;  /* NULL: no layer has experts */
    uint32_t dense_layers; /* the first ones, which have none */
    uint32_t shared_width; /* of the expert that all tokens share; 0: none */
    const char *attn_norm; /* NULL: "blk.%u.attn_norm" */
    const char *ffn_norm;  /* NULL: "blk.%u.ffn_norm" */
    float residual;        /* what attention and feed-forward are multiplied by before they are added; 0: by nothing */
};

/* x = x + output(attention(norm(x))); x = x + ffn(norm(x)). Returns x, which has fewer rows after the last layer. */
wisp_view block_prenorm(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block);
/* x = x + output(attention(norm(x))) + ffn(norm(x)), side by side on one norm; with `ffn_norm` on one each. */
wisp_view block_parallel(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block);
/* x = x + norm(output(attention(x))); x = x + norm(ffn(x)): post_attention_norm and post_ffw_norm. */
wisp_view block_postnorm(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block);

/* x = x + norm(output(attention(norm(x)))); x = x + norm(ffn(norm(x))): with post_attention_norm and post_ffw_norm. */
wisp_view block_sandwich(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block);

/* ---- the parts ---- */
/* blk.%u.attn_q, attn_k, attn_v or attn_qkv of x. */
block_heads block_project(blocks *k, const block_shape *s, wisp_view x, uint32_t block);
void block_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h);
/* attn_q_norm and attn_k_norm of each head, with one weight for all heads. */
void block_norm_qk(blocks *k, const block_shape *s, block_norm_kind kind, const block_heads *h, uint32_t block);
/* The same, then the rotation: a block_prepare_fn, with RMS norms. */
void block_norm_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                            uint32_t block);
/* The same with layer norms whose weights are each head's own. */
void block_norm_each_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                                 uint32_t block);
/* The same with RMS norms over all heads together. */
void block_norm_whole_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                                  uint32_t block);
/* q, k and v between -m and m, which is attention.clamp_kqv; 0: as they are. */
void block_clamp_heads(blocks *k, const block_heads *h);
/* Caches of this layer's own, and attention over them: in scratch "attended". */
wisp_view block_attend_heads(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h);
/* Projection to attention of x: in scratch "attended". */
wisp_view block_attention_of(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block);
/* In the last layer: of x and y only the rows whose logits are wanted. */
void block_keep_wanted(blocks *k, const block_shape *s, wisp_view *x, wisp_view *y, uint32_t block);
/* y = what the layer's feed-forward, or its experts, make of x. */
void block_feed_forward(blocks *k, const block_shape *s, const block_layer *l, wisp_view y, wisp_view x,
                        uint32_t block);
/* The second half of block_prenorm: output projection and feed-forward. */
wisp_view block_after_attention(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, wisp_view attended,
                                uint32_t block);
/* The same behind something else than attention, whose last matrix is `output`. */
wisp_view block_after_mixing(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, wisp_view mixed,
                             const char *output, uint32_t block);
/* output_norm and logits. */
void block_finish(blocks *k, const block_shape *s, block_norm_kind norm, wisp_view x, float scale, float softcap);

#endif
