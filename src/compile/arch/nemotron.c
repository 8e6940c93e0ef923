/* Nemotron (Minitron): layer norms with biases, partial rotary halves, a plain feed-forward of squared ReLU.
 *
 * Details that have caused bugs: the norms' weights have the 1 added by the converter already.
 */
#include "compile/arch/transformer.h"

void compile_nemotron(compile_builder *b)
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
                           .act = WISP_ACT_RELU_SQUARED};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
