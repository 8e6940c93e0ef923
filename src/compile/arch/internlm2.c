/* InternLM 2 and 2.5: Llama's layers.
 *
 * Details that have caused bugs: GGUF's converter splits the fused wqkv, whose rows go by key/value head, and permutes
 * q and k, so pairs are (2i, 2i+1).
 */
#include "compile/arch/transformer.h"

void compile_internlm2(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = false,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
