/* Granite 4, hybrid: Mamba-2's scans, and attention in the layers that have key/value heads; Granite's four constants
 * (minicpm.c); gated SiLU feed-forward, or a mixture of experts beside one that all tokens share.
 *
 * Details that have caused bugs: attention.head_count_kv is an array, 0 marks a scan; rope.scaling.finetuned says
 * whether attention turns at all (yes where it is absent), and Granite 4's hybrids say no; logits are divided by
 * logit_scale; the weights of the chosen experts add up to 1.
 */
#include "compile/arch/ssm_blocks.h"
#include "compile/arch/transformer.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_ssm ssm;
    block_moe moe;
    block_layer l;
} model;

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    block_shape s = m->s;
    s.kv_heads = compile_uint_at(k->b, "attention.head_count_kv", block, s.heads, 0, s.heads);
    s.ff_width = compile_uint_at(k->b, "feed_forward_length", block, 0, 0, BLOCK_WIDTH_MAX);
    wisp_view h = block_scratch(k, "h", s.width);
    block_norm(k, BLOCK_RMS, s.epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view mixed =
        s.kv_heads ? block_attention_of(k, &s, &m->l, h, block) : block_mamba2(k, &m->ssm, s.epsilon, h, block);
    block_keep_wanted(k, &s, &x, &mixed, block);
    return block_after_mixing(k, &s, &m->l, x, mixed, s.kv_heads ? "blk.%u.attn_output" : "blk.%u.ssm_out", block);
}

void compile_granite_hybrid(compile_builder *b)
{
    model m = {.s = block_read_mixed_shape(b), .ssm = block_read_ssm(b)};
    m.moe = block_read_moe(b, m.s.ff_width, BLOCK_GATE_SOFTMAX, true);
    const double embedding = compile_float_or(b, "embedding_scale", 0), logits = compile_float_or(b, "logit_scale", 0);
    m.l = (block_layer){.norm = BLOCK_RMS, .ffn = block_ffn_gated, .act = WISP_ACT_SILU};
    m.l.moe = m.moe.experts ? &m.moe : NULL;
    m.l.shared_width = compile_uint_or(b, "expert_shared_feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    m.l.residual = (float)compile_float_or(b, "residual_scale", 0);
    m.l.attention.scale = (float)compile_float_or(b, "attention.scale", 0);
    const bool turns = m.s.heads && m.s.kv_heads && compile_bool_or(b, "rope.scaling.finetuned", true);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    if (embedding != 0) block_scale(&m.k, x, (float)embedding);
    if (turns) m.l.angles = block_rope_angles(&m.k, m.s.rope_dims);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    block_finish(&m.k, &m.s, BLOCK_RMS, x, logits != 0 ? (float)(1 / logits) : 1, 0);
}
