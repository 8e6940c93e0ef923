/* DeepSeek 1 with experts: Llama's layers, the first ones dense, the others with experts and two that all tokens share.
 *
 * Details that have caused bugs: expert_shared_count experts are stored as one of their widths together; the weights of
 * the chosen ones do not add up to 1. Pairs are (2i, 2i+1).
 */
#include "compile/arch/transformer.h"

void compile_deepseek(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, false);
    const uint32_t shared = compile_uint_or(b, "expert_shared_count", 0, 0, 64);
    const uint32_t dense = compile_uint_or(b, "leading_dense_block_count", 0, 0, BLOCK_COUNT_MAX);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .attention = {.scale = (float)compile_float_or(b, "attention.scale", 0)},
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU,
                           .moe = &moe,
                           .dense_layers = dense,
                           .shared_width = moe.ff_width * shared};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
