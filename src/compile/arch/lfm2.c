/* LFM2: short gated convolutions, and attention in the layers that have key/value heads; gated SiLU feed-forward, or a
 * mixture of experts past the first dense layers.
 *
 * Details that have caused bugs: attention.head_count_kv is an array, 0 marks a convolution; the last norm is called
 * token_embd_norm; the projection into a convolution gives b, c and x in that order, b * x is convolved, c gates it.
 */
#include <math.h>

#include "compile/arch/moe_blocks.h"
#include "compile/arch/state_blocks.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_moe moe;
    uint32_t taps, dense_layers;
    wisp_view angles;
} model;

static wisp_view attention(model *m, wisp_view h, uint32_t kv_heads, uint32_t block)
{
    blocks *k = &m->k;
    const block_shape *s = &m->s;
    wisp_view q = block_scratch(k, "q", s->heads * s->key_dim), key = block_scratch(k, "k", kv_heads * s->key_dim);
    wisp_view value = block_scratch(k, "v", kv_heads * s->key_dim);
    wisp_view y = block_scratch(k, "mixed", s->heads * s->key_dim);
    block_qkv(k, q, key, value, h, block);
    wisp_view each = block_split(q, s->heads), each_key = block_split(key, kv_heads);
    block_norm(k, BLOCK_RMS, s->epsilon, each, each, "blk.%u.attn_q_norm", block);
    block_norm(k, BLOCK_RMS, s->epsilon, each_key, each_key, "blk.%u.attn_k_norm", block);
    block_rope(k, q, s->heads, m->angles, true);
    block_rope(k, key, kv_heads, m->angles, true);
    const block_attention a = {.heads = s->heads,
                               .kv_heads = kv_heads,
                               .scale = (float)(1 / sqrt((double)s->key_dim)),
                               .window = compile_uint_or(k->b, "attention.sliding_window", 0, 0, 1 << 30)};
    block_self_attention(k, y, q, key, value, &a);
    return y;
}

static wisp_view convolution(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t width = m->s.width;
    wisp_view all = block_scratch(k, "bcx", 3 * width), gated = block_scratch(k, "bx", width);
    wisp_view y = block_scratch(k, "mixed", width);
    block_linear(k, all, h, "blk.%u.shortconv.in_proj", block);
    block_mul(k, gated, block_columns(all, 0, width), block_columns(all, 2 * width, width));
    block_conv(k, y, gated, m->taps, "blk.%u.shortconv.conv", block);
    block_mul(k, y, y, block_columns(all, width, width));
    return y;
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t kv_heads = compile_uint_at(k->b, "attention.head_count_kv", block, 0, 0, m->s.heads);
    wisp_view h = block_scratch(k, "h", m->s.width);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view mixed = kv_heads ? attention(m, h, kv_heads, block) : convolution(m, h, block);
    if (block + 1 == m->s.layers) {
        x = block_keep(k, x, "x.out");
        mixed = block_keep(k, mixed, "mixed.out");
    }
    h = block_scratch(k, "h", m->s.width);
    wisp_view y = block_scratch(k, "y", m->s.width);
    block_linear(k, y, mixed, kv_heads ? "blk.%u.attn_output" : "blk.%u.shortconv.out_proj", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.ffn_norm", block);
    if (m->moe.experts && block >= m->dense_layers)
        block_experts(k, y, h, &m->moe, block);
    else
        block_ffn_gated(k, y, h, m->s.ff_width, WISP_ACT_SILU, block);
    block_add(k, x, x, y);
    return x;
}

void compile_lfm2(compile_builder *b)
{
    model m = {.s = block_read_mixed_shape(b)};
    m.taps = compile_uint(b, "shortconv.l_cache", 2, 64);
    m.moe = block_read_moe(b, m.s.ff_width, BLOCK_GATE_SIGMOID, true);
    m.dense_layers = compile_uint_or(b, "leading_dense_block_count", 0, 0, BLOCK_COUNT_MAX);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    m.angles = block_rope_angles(&m.k, m.s.rope_dims);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    wisp_view h = block_scratch(&m.k, "h", m.s.width);
    block_norm(&m.k, BLOCK_RMS, m.s.epsilon, h, x, "token_embd_norm", 0);
    block_logits(&m.k, h, 1, 0);
}
