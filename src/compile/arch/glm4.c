/* GLM-4 (0414): norms before and behind attention and feed-forward; gate and up in one matrix.
 *
 * Details that have caused bugs: half of each head is turned, in pairs (2i, 2i+1); q, k and v may have biases. Layers
 * for predicting several tokens may follow: they are not used.
 */
#include "compile/arch/transformer.h"

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
    const block_layer l = {
        .norm = BLOCK_RMS, .angles = block_rope_angles(&k, s.rope_dims), .ffn = block_ffn_fused, .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_sandwich(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
