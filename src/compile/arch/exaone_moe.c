/* EXAONE with experts (K-EXAONE): norms before attention and feed-forward and of each head of q and k; the first layers
 * dense, the others with experts and one that all tokens share; three layers of four have a sliding window and turn, in
 * halves, the fourth sees all and does not turn.
 *
 * Details that have caused bugs: where EXAONE 4 norms behind a part, this norms before it; the layers for predicting
 * several tokens are not used.
 */
#include "compile/arch/transformer.h"

enum { PATTERN = 4, WINDOW = 128 };

void compile_exaone_moe(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SIGMOID, false);
    const uint32_t shared = compile_uint_or(b, "expert_shared_feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    const uint32_t dense = compile_uint_or(b, "leading_dense_block_count", 0, 0, BLOCK_COUNT_MAX);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    block_layer l = {.norm = BLOCK_RMS,
                     .halves = true,
                     .prepare = block_norm_then_rotate,
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_SILU,
                     .moe = &moe,
                     .dense_layers = dense,
                     .shared_width = shared ? shared : moe.ff_width};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.attention.window = block_window(b, i, PATTERN, WINDOW);
        l.angles = l.attention.window ? angles : (wisp_view){0};
        x = block_prenorm(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
