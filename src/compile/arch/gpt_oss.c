/* gpt-oss: RMS norms, biases everywhere, rotary halves with YaRN, a learned sink for each head's attention, experts
 * with a clamped SwiGLU.
 *
 * Details that have caused bugs: every other layer, beginning with the first, has a sliding window; the largest logits
 * of the router are chosen first and softmax goes over those alone; SwiGLU is min(g, 7) * sigmoid(1.702 min(g, 7))
 * times clamp(u, -7, 7) + 1; the norm before the experts is called post_attention_norm; heads times key size is not the
 * width.
 */
#include "compile/arch/transformer.h"

static const float alpha = 1.702f, limit = 7;

void compile_gpt_oss(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX_CHOSEN, false);
    if (b->status) return;
    moe.kind = WISP_ACT_SWIGLU_OAI;
    moe.a = alpha;
    moe.b = limit;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_layer l = {.norm = BLOCK_RMS,
                     .angles = block_rope_angles(&k, s.rope_dims),
                     .halves = true,
                     .moe = &moe,
                     .ffn_norm = "blk.%u.post_attention_norm"};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.attention.window = block_window(b, i, 2, 0);
        l.attention.sinks = compile_weight_view(b, COMPILE_VECTOR, 1, s.heads, "blk.%u.attn_sinks.weight", i);
        x = block_prenorm(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
