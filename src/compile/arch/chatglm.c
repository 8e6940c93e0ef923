/* ChatGLM 2, 3 and GLM-4 9B (2024): RMS norms, fused q, k and v with biases, gate and up in one matrix.
 *
 * Details that have caused bugs: only half of each head is turned, in pairs (2i, 2i+1); few key/value heads.
 */
#include "compile/arch/transformer.h"

void compile_chatglm(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = false,
                           .ffn = block_ffn_fused,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
