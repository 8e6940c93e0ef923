/* StableLM 3B, 2 1.6B, 2 12B and Zephyr: layer norms, partial rotary halves, gated SiLU feed-forward.
 *
 * Details that have caused bugs: the 12B has no ffn_norm: its feed-forward reads attention's norm, side by side with
 * it; it also norms each head of q and k, with weights of their own for each head and without biases.
 */
#include "compile/arch/transformer.h"

void compile_stablelm(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const bool parallel = !compile_exists(b, "blk.0.ffn_norm.weight");
    const block_layer l = {.norm = BLOCK_LAYER,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .prepare =
                               compile_exists(b, "blk.0.attn_q_norm.weight") ? block_norm_each_then_rotate : NULL,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = (parallel ? block_parallel : block_prenorm)(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
