/* Qwen 2 VL and 2.5 VL, the text part: Qwen 2's layers.
 *
 * Details that have caused bugs: rope.dimension_sections share a head between three axes of an image; of text all three
 * are the same position, so the rotation is the ordinary one, in halves.
 */
#include "compile/arch/transformer.h"

void compile_qwen2vl(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
