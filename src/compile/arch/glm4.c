/* GLM-4 (0414): norms before and behind attention and feed-forward; gate and up in one matrix.
 *
 * Details that have caused bugs: half of each head is turned, in pairs (2i, 2i+1); q, k and v may have biases. Layers
 * for predicting several tokens may follow: they are not used.
 */
#include "compile/arch/transformer.h"

static wisp_view layer(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    wisp_view h = block_scratch(k, "h", s->width);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view attended = block_attention_of(k, s, l, h, block);
    block_keep_wanted(k, s, &x, &attended, block);
    const wisp_view y = block_scratch(k, "y", s->width);
    h = block_scratch(k, "h", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_norm(k, BLOCK_RMS, s->epsilon, y, y, "blk.%u.post_attention_norm", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.ffn_norm", block);
    block_ffn_fused(k, y, h, s->ff_width, WISP_ACT_SILU, block);
    block_norm(k, BLOCK_RMS, s->epsilon, y, y, "blk.%u.post_ffw_norm", block);
    block_add(k, x, x, y);
    return x;
}

void compile_glm4(compile_builder *b)
{
    blocks k;
    block_shape s = block_read_shape(b);
    const uint32_t extra = compile_uint_or(b, "nextn_predict_layers", 0, 0, BLOCK_COUNT_MAX);
    if (!b->status && extra >= s.layers)
        compile_fail(b, WISP_E_INPUT, "key '%s.nextn_predict_layers': as many as there are layers", b->architecture);
    if (b->status) return;
    s.layers -= extra;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.angles = block_rope_angles(&k, s.rope_dims)};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = layer(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
