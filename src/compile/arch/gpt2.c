/* GPT-2: learned positions added to the embeddings, layer norms, fused q, k and v with biases, plain GELU feed-forward.
 *
 * Details that have caused bugs: position_embd has as many rows as the context, so nothing lies past it; no rotation.
 */
#include <math.h>

#include "compile/arch/model_blocks.h"

static wisp_view layer(blocks *k, const block_shape *s, wisp_view x, uint32_t block)
{
    wisp_view h = block_scratch(k, "h", s->width), q = block_scratch(k, "q", s->heads * s->key_dim);
    wisp_view key = block_scratch(k, "k", s->kv_heads * s->key_dim);
    wisp_view value = block_scratch(k, "v", s->kv_heads * s->value_dim);
    wisp_view attended = block_scratch(k, "attended", s->heads * s->value_dim);
    block_norm(k, BLOCK_LAYER, s->epsilon, h, x, "blk.%u.attn_norm", block);
    block_qkv(k, q, key, value, h, block);
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
    block_norm(k, BLOCK_LAYER, s->epsilon, h, x, "blk.%u.ffn_norm", block);
    block_ffn_plain(k, y, h, s->ff_width, WISP_ACT_GELU_TANH, block);
    block_add(k, x, x, y);
    return x;
}

void compile_gpt2(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_add_positions(&k, x, b->context_length);
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = layer(&k, &s, x, i);
    wisp_view h = block_scratch(&k, "h", s.width);
    block_norm(&k, BLOCK_LAYER, s.epsilon, h, x, "output_norm", 0);
    block_logits(&k, h, 1, 0);
}
