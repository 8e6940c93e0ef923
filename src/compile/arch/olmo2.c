/* OLMo 2 and 3: norms behind attention and feed-forward, none before them; rotary halves, gated SiLU feed-forward.
 *
 * Details that have caused bugs: q and k are normed as a whole, over all heads together; OLMo 3 has a sliding window in
 * three layers of four, and these turn without the scaling that the others have.
 */
#include "compile/arch/transformer.h"

void compile_olmo2(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const double base = compile_float_or(b, "rope.freq_base", 10000);
    const double local_base = compile_float_or(b, "rope.freq_base_swa", base);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    wisp_view local_angles = angles;
    if (compile_uint_or(b, "attention.sliding_window", 0, 0, UINT32_MAX)) {
        const wisp_view local = compile_rope_plain(b, "wisp.rope_local", s.rope_dims, local_base, 1);
        local_angles = block_angles(&k, "local angles", local, 1);
    }
    block_layer l = {.norm = BLOCK_RMS,
                     .halves = true,
                     .prepare = block_norm_whole_then_rotate,
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.attention.window = block_window(b, i, 4, 0);
        l.angles = l.attention.window ? local_angles : angles;
        x = block_postnorm(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
