/* OLMoE: Llama's layers with experts, rotary halves, q and k normed as a whole.
 *
 * Details that have caused bugs: the norms of q and k go over all heads together; the weights of the chosen experts are
 * used as softmax gave them, they do not add up to 1.
 */
#include "compile/arch/transformer.h"

void compile_olmoe(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, false);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .prepare = block_norm_whole_then_rotate,
                           .moe = &moe};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
