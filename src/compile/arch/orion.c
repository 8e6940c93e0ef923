/* Orion 14B: Llama's layers with layer norms, which have biases.
 *
 * Details that have caused bugs: pairs are (i, i + d/2).
 */
#include "compile/arch/transformer.h"

void compile_orion(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_LAYER,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
