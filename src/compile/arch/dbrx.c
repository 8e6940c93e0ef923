/* DBRX: layer norms without biases, fused q, k and v, rotary halves, experts.
 *
 * Details that have caused bugs: q, k and v are clamped; the norm before the experts is called attn_output_norm.
 */
#include "compile/arch/transformer.h"

static void clamp_then_rotate(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                              uint32_t block)
{
    (void)block;
    block_clamp_heads(k, h);
    block_rotate(k, s, l, h);
}

void compile_dbrx(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, true);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_LAYER,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .prepare = clamp_then_rotate,
                           .moe = &moe,
                           .ffn_norm = "blk.%u.attn_output_norm"};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
