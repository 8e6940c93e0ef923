/* Phi-2 and Falcon: attention and feed-forward run side by side on (mostly) one layer norm, and both are added to the
 * stream; rotary halves, a plain GELU feed-forward.
 *
 * Details that have caused bugs: Phi-2 turns only the first rope.dimension_count elements of a head and has biases
 * everywhere, on the output too; Falcon 40B has a second norm, attn_norm_2, which is the one of its attention, while
 * attn_norm is the feed-forward's.
 */
#include <math.h>
#include <stdio.h>

#include "compile/arch/model_blocks.h"

typedef struct model {
    blocks k;
    block_shape s;
    wisp_view angles;
} model;

static wisp_view attention(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const block_shape *s = &m->s;
    wisp_view q = block_scratch(k, "q", s->heads * s->key_dim), key = block_scratch(k, "k", s->kv_heads * s->key_dim);
    wisp_view value = block_scratch(k, "v", s->kv_heads * s->value_dim);
    wisp_view y = block_scratch(k, "attended", s->heads * s->value_dim);
    block_qkv(k, q, key, value, h, block);
    block_rope(k, q, s->heads, m->angles, true);
    block_rope(k, key, s->kv_heads, m->angles, true);
    const block_attention a = {
        .heads = s->heads, .kv_heads = s->kv_heads, .scale = (float)(1 / sqrt((double)s->key_dim))};
    block_self_attention(k, y, q, key, value, &a);
    return y;
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    char second[64];
    snprintf(second, sizeof second, "blk.%u.attn_norm_2.weight", (unsigned)block);
    wisp_view h = block_scratch(k, "h", m->s.width), other = h;
    block_norm(k, BLOCK_LAYER, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    if (compile_exists(k->b, second)) {
        other = block_scratch(k, "h2", m->s.width);
        block_norm(k, BLOCK_LAYER, m->s.epsilon, other, x, "blk.%u.attn_norm_2", block);
    }
    wisp_view attended = attention(m, other, block);
    if (block + 1 == m->s.layers) {
        x = block_keep(k, x, "x.out");
        h = block_keep(k, h, "h.out");
        attended = block_keep(k, attended, "attended.out");
    }
    wisp_view y = block_scratch(k, "y", m->s.width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_add(k, x, x, y);
    block_ffn_plain(k, y, h, m->s.ff_width, WISP_ACT_GELU_TANH, block);
    block_add(k, x, x, y);
    return x;
}

void compile_parallel(compile_builder *b)
{
    model m = {.s = block_read_shape(b)};
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    m.angles = block_rope_angles(&m.k, m.s.rope_dims);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    wisp_view h = block_scratch(&m.k, "h", m.s.width);
    block_norm(&m.k, BLOCK_LAYER, m.s.epsilon, h, x, "output_norm", 0);
    block_logits(&m.k, h, 1, 0);
}
