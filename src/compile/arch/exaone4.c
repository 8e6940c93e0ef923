/* EXAONE 4: norms behind attention and feed-forward, none before them, and of each head of q and k; rotary halves,
 * gated SiLU feed-forward.
 *
 * Details that have caused bugs: the 32B (64 layers) has a sliding window in three layers of four, and the fourth has
 * no rotation; the small models have neither. A layer for predicting several tokens may follow: it is not used.
 */
#include "compile/arch/transformer.h"

enum { LAYERS_32B = 64, WINDOW_32B = 4096 };

void compile_exaone4(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    block_layer l = {.norm = BLOCK_RMS,
                     .halves = true,
                     .prepare = block_norm_then_rotate,
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        const bool windows = s.layers == LAYERS_32B;
        l.attention.window = windows ? block_window(b, i, 4, WINDOW_32B) : 0;
        l.angles = !windows || l.attention.window ? angles : (wisp_view){0};
        x = block_postnorm(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
