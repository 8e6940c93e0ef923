/* StarCoder 2: layer norms and biases everywhere, rotary halves, a plain GELU feed-forward.
 *
 * Details that have caused bugs: the sliding window of 4,096 that it was trained with is not in its files, and engines
 * do without it.
 */
#include "compile/arch/transformer.h"

void compile_starcoder2(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_LAYER,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn = block_ffn_plain,
                           .act = WISP_ACT_GELU_TANH};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
