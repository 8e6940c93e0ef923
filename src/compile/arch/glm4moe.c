/* GLM-4.5 and 4.6: partial rotary halves, biases on q, k and v, first layers dense, the others with experts chosen by
 * sigmoids and one that all tokens share.
 *
 * Details that have caused bugs: the norm before the feed-forward is called post_attention_norm; exp_probs_b moves the
 * choice of experts, not their weights; only the large model norms each head of q and k. The last layer, for predicting
 * several tokens, is not used.
 */
#include "compile/arch/transformer.h"

void compile_glm4moe(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SIGMOID, false);
    const uint32_t shared = compile_uint_or(b, "expert_shared_count", 0, 0, 64);
    const uint32_t dense = compile_uint_or(b, "leading_dense_block_count", 0, 0, BLOCK_COUNT_MAX);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .prepare = compile_exists(b, "blk.0.attn_q_norm.weight") ? block_norm_then_rotate : NULL,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU,
                           .moe = &moe,
                           .dense_layers = dense,
                           .shared_width = moe.ff_width * shared,
                           .ffn_norm = "blk.%u.post_attention_norm"};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
