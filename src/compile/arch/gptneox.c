/* GPT-NeoX and Pythia: layer norms and biases everywhere, partial rotary halves, a plain GELU feed-forward.
 *
 * Details that have caused bugs: use_parallel_residual decides whether the feed-forward reads the stream before or
 * after attention was added; side by side, each has a norm of its own. HF's fused q, k and v go by head; the converter
 * has sorted them.
 */
#include "compile/arch/transformer.h"

void compile_gptneox(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const bool parallel = compile_bool_or(b, "use_parallel_residual", true);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_LAYER,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn = block_ffn_plain,
                           .act = WISP_ACT_GELU_TANH,
                           .ffn_norm = "blk.%u.ffn_norm"};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = (parallel ? block_parallel : block_prenorm)(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
