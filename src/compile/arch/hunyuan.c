/* Hunyuan, dense: Llama's layers with rotary halves, and norms of each head of q and k.
 *
 * Details that have caused bugs: these norms come after the rotation, not before it; the converter has worked NTK
 * scaling into rope.freq_base.
 */
#include "compile/arch/transformer.h"

static void rotate_then_norm(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                             uint32_t block)
{
    block_rotate(k, s, l, h);
    block_norm_qk(k, s, BLOCK_RMS, h, block);
}

void compile_hunyuan(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .prepare = rotate_then_norm,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
