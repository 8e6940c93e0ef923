/* Hunyuan, dense and with experts: Llama's layers with rotary halves, and norms of each head of q and k; with experts,
 * every layer has them beside one that all tokens share.
 *
 * Details that have caused bugs: these norms come after the rotation, not before it; the converter has worked NTK
 * scaling into rope.freq_base; experts are as wide as feed_forward_length says, whatever expert_feed_forward_length
 * says, and so is the shared one unless it has a width of its own.
 */
#include "compile/arch/transformer.h"

static void rotate_then_norm(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                             uint32_t block)
{
    block_rotate(k, s, l, h);
    block_norm_qk(k, s, BLOCK_RMS, h, block);
}

static void build(compile_builder *b, const block_shape *s, const block_moe *moe, uint32_t shared)
{
    blocks k;
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s->width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s->rope_dims),
                           .halves = true,
                           .prepare = rotate_then_norm,
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU,
                           .moe = moe,
                           .shared_width = shared};
    for (uint32_t i = 0; i < s->layers && !b->status; i++)
        x = block_prenorm(&k, s, &l, x, i);
    block_finish(&k, s, BLOCK_RMS, x, 1, 0);
}

void compile_hunyuan(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    build(b, &s, NULL, 0);
}

void compile_hunyuan_moe(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, true);
    const uint32_t shared = compile_uint_or(b, "expert_shared_feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    moe.ff_width = s.ff_width;
    build(b, &s, &moe, shared ? shared : s.ff_width);
}
