/* Arcee AFM: Llama's attention with a plain feed-forward of squared ReLU: there is no ffn_gate.
 *
 * Details that have caused bugs: pairs are (2i, 2i+1), and YaRN's scaling is used.
 */
#include "compile/arch/transformer.h"

void compile_arcee(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = false,
                           .ffn = block_ffn_plain,
                           .act = WISP_ACT_RELU_SQUARED};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
