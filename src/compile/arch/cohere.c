/* Command-R and Command-R7B (Cohere 2): a layer norm without bias, attention and gated SiLU feed-forward side by side
 * on it, logits multiplied by logit_scale, output tied to the embeddings.
 *
 * Details that have caused bugs: pairs are (2i, 2i+1); Command-R+ norms each head of q and k, with weights of their own
 * for each head; Cohere 2 turns only the heads of layers with a sliding window, the fourth of every four sees
 * everything without positions.
 */
#include "compile/arch/transformer.h"

static void build(compile_builder *b, bool windows)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const double given = compile_float_or(b, "logit_scale", 0); /* 0: none */
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    block_layer l = {.norm = BLOCK_LAYER,
                     .angles = angles,
                     .prepare = compile_exists(b, "blk.0.attn_q_norm.weight") ? block_norm_each_then_rotate : NULL,
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_SILU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        if (windows) {
            l.attention.window = block_window(b, i, 4, 0);
            l.angles = l.attention.window ? angles : (wisp_view){0};
        }
        x = block_parallel(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_LAYER, x, given != 0 ? (float)given : 1, 0);
}

void compile_command_r(compile_builder *b)
{
    build(b, false);
}

void compile_cohere2(compile_builder *b)
{
    build(b, true);
}
