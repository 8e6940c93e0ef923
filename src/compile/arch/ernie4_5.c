/* ERNIE 4.5, dense and with experts: Llama's layers; with experts, the first layers are dense, the others have experts
 * chosen by softmax with a bias, and one that all tokens share.
 *
 * Details that have caused bugs: pairs are (2i, 2i+1); the output is tied to the embeddings in the small models;
 * exp_probs_b moves the choice of experts, not their weights, which add up to 1; the shared expert is missing where
 * expert_shared_feed_forward_length is 0.
 */
#include "compile/arch/transformer.h"

/* every: each so many layers has experts; 0: none has. */
static void build(compile_builder *b, const block_shape *s, const block_moe *moe, uint32_t dense, uint32_t every)
{
    blocks k;
    const uint32_t shared = compile_uint_or(b, "expert_shared_feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s->width);
    block_layer l = {.norm = BLOCK_RMS,
                     .angles = block_rope_angles(&k, s->rope_dims),
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_SILU,
                     .shared_width = shared};
    for (uint32_t i = 0; i < s->layers && !b->status; i++) {
        l.moe = every && i >= dense && (i + 1) % every == 0 ? moe : NULL;
        x = block_prenorm(&k, s, &l, x, i);
    }
    block_finish(&k, s, BLOCK_RMS, x, 1, 0);
}

void compile_ernie4_5(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    build(b, &s, NULL, 0, 0);
}

void compile_ernie4_5_moe(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, true);
    const uint32_t dense = compile_uint_or(b, "leading_dense_block_count", 0, 0, BLOCK_COUNT_MAX);
    const uint32_t every = compile_uint(b, "interleave_moe_layer_step", 1, BLOCK_COUNT_MAX);
    build(b, &s, &moe, dense, every);
}
