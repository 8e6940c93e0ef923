/* BLOOM and MPT: layer norms, fused q, k and v, a plain GELU feed-forward, and ALiBi in place of positions.
 *
 * Details that have caused bugs: BLOOM norms its embeddings; its largest ALiBi bias is 8, MPT's is in the file, and 0
 * says that there is none. MPT may clamp q, k and v, may norm q and k as a whole, and has few biases or none.
 */
#include "compile/arch/transformer.h"

/* MPT. */
static void clamp_and_norm(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h, uint32_t block)
{
    (void)l;
    block_clamp_heads(k, h);
    if (!compile_exists(k->b, "blk.0.attn_q_norm.weight")) return;
    block_norm(k, BLOCK_LAYER, s->epsilon, h->q, h->q, "blk.%u.attn_q_norm", block);
    block_norm(k, BLOCK_LAYER, s->epsilon, h->k, h->k, "blk.%u.attn_k_norm", block);
}

static void build(blocks *k, const block_shape *s, wisp_view x, block_layer l, float bias_max)
{
    l.norm = BLOCK_LAYER;
    l.ffn = block_ffn_plain;
    l.act = WISP_ACT_GELU_TANH;
    if (bias_max > 0) l.attention.slopes = block_alibi_slopes(k, s->heads, bias_max);
    for (uint32_t i = 0; i < s->layers && !k->b->status; i++)
        x = block_prenorm(k, s, &l, x, i);
    block_finish(k, s, BLOCK_LAYER, x, 1, 0);
}

void compile_bloom(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    const wisp_view x = block_embed(&k, s.width);
    block_norm(&k, BLOCK_LAYER, s.epsilon, x, x, "token_embd_norm", 0);
    build(&k, &s, x, (block_layer){0}, 8);
}

void compile_mpt(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const float bias_max = (float)compile_float_or(b, "attention.max_alibi_bias", 0);
    if (b->status) return;
    blocks_open(&k, b);
    const wisp_view x = block_embed(&k, s.width);
    if (compile_exists(b, "position_embd.weight")) block_add_positions(&k, x, b->context_length);
    build(&k, &s, x, (block_layer){.prepare = clamp_and_norm}, bias_max);
}
