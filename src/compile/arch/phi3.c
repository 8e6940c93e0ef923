/* Phi-3, 3.5 and 4: like Llama, with q, k and v in one matrix, gate and up in one, and rotary halves; Phi-3.5 with
 * experts (phimoe), with biases everywhere.
 *
 * Details that have caused bugs: long-context models have two sets of divisors of the angles, and which one holds is
 * decided by the context that is asked for, for all positions alike; attention.sliding_window is in the files of models
 * that were not trained with one: it is left out here, as in the engines that these files are made for; Phi-4 mini ties
 * its output to the embeddings and turns only part of a head; the norms of the model with experts are RMS norms, in
 * spite of their biases, and the weights of its chosen experts add up to 1.
 */
#include <math.h>

#include "compile/arch/moe_blocks.h"

static wisp_view layer(blocks *k, const block_shape *s, const block_moe *moe, wisp_view angles, wisp_view x,
                       uint32_t block)
{
    wisp_view h = block_scratch(k, "h", s->width), q = block_scratch(k, "q", s->heads * s->key_dim);
    wisp_view key = block_scratch(k, "k", s->kv_heads * s->key_dim);
    wisp_view value = block_scratch(k, "v", s->kv_heads * s->value_dim);
    wisp_view attended = block_scratch(k, "attended", s->heads * s->value_dim);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.attn_norm", block);
    block_qkv(k, q, key, value, h, block);
    block_rope(k, q, s->heads, angles, true);
    block_rope(k, key, s->kv_heads, angles, true);
    const block_attention a = {
        .heads = s->heads, .kv_heads = s->kv_heads, .scale = (float)(1 / sqrt((double)s->key_dim))};
    block_self_attention(k, attended, q, key, value, &a);
    if (block + 1 == s->layers) {
        x = block_keep(k, x, "x.out");
        attended = block_keep(k, attended, "attended.out");
    }
    h = block_scratch(k, "h", s->width);
    wisp_view y = block_scratch(k, "y", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.ffn_norm", block);
    if (moe)
        block_experts(k, y, h, moe, block);
    else
        block_ffn_fused(k, y, h, s->ff_width, WISP_ACT_SILU, block);
    block_add(k, x, x, y);
    return x;
}

static void build(compile_builder *b, const block_moe *moe)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    wisp_view angles = block_rope_angles(&k, s.rope_dims);
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = layer(&k, &s, moe, angles, x, i);
    wisp_view h = block_scratch(&k, "h", s.width);
    block_norm(&k, BLOCK_RMS, s.epsilon, h, x, "output_norm", 0);
    block_logits(&k, h, 1, 0);
}

void compile_phi3(compile_builder *b)
{
    build(b, NULL);
}

void compile_phimoe(compile_builder *b)
{
    const uint32_t width = compile_uint(b, "feed_forward_length", 1, BLOCK_WIDTH_MAX);
    block_moe moe = block_read_moe(b, width, BLOCK_GATE_SOFTMAX, true);
    moe.ff_width = width;
    build(b, &moe);
}
