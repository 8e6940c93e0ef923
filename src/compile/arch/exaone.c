/* EXAONE 3 and 3.5: Llama's layers with rotary halves.
 *
 * Details that have caused bugs: the converter leaves q and k as they are: pairs are (i, i + d/2); llama3 scaling comes
 * as rope_freqs.weight.
 */
#include "compile/arch/transformer.h"

void compile_exaone(compile_builder *b)
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
