/* Phi-2 and Falcon: attention and feed-forward run side by side on (mostly) one layer norm, and both are added to the
 * stream; rotary halves, a plain GELU feed-forward.
 *
 * Details that have caused bugs: Phi-2 turns only the first rope.dimension_count elements of a head and has biases
 * everywhere, on the output too; Falcon 40B has a second norm, attn_norm_2, which is the one of its attention, while
 * attn_norm is the feed-forward's.
 */
#include "compile/arch/transformer.h"

void compile_parallel(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const bool two = compile_exists(b, "blk.0.attn_norm_2.weight");
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_LAYER,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn = block_ffn_plain,
                           .act = WISP_ACT_GELU_TANH,
                           .attn_norm = two ? "blk.%u.attn_norm_2" : NULL,
                           .ffn_norm = two ? "blk.%u.attn_norm" : NULL};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_parallel(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
