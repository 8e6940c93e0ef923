/* Seed-OSS: Llama's layers with rotary halves and biases on q, k and v.
 *
 * Details that have caused bugs: the norm before the feed-forward is called post_attention_norm, though it is no
 * post-norm; heads times key size is not the width.
 */
#include "compile/arch/transformer.h"

void compile_seed_oss(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn_norm = "blk.%u.post_attention_norm",
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
