/* Jamba: Mamba's scans, and attention in the layers that have key/value heads; gated SiLU feed-forward in every layer,
 * or a mixture of experts where the layer has a router.
 *
 * Details that have caused bugs: attention.head_count_kv is an array, 0 marks a scan; there is no rotation and no other
 * position; step size, B and C of a scan are normed, with weights; the weights of the chosen experts do not add up to
 * 1, and experts are as wide as the dense feed-forward.
 */
#include <stdio.h>

#include "compile/arch/ssm_blocks.h"
#include "compile/arch/transformer.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_ssm ssm;
    block_moe moe;
} model;

static bool has_router(const model *m, uint32_t block)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%u.ffn_gate_inp.weight", (unsigned)block);
    return compile_exists(m->k.b, name);
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    block_shape s = m->s;
    s.kv_heads = compile_uint_at(k->b, "attention.head_count_kv", block, s.heads, 0, s.heads);
    const block_layer l = {
        .norm = BLOCK_RMS, .ffn = block_ffn_gated, .act = WISP_ACT_SILU, .moe = has_router(m, block) ? &m->moe : NULL};
    wisp_view h = block_scratch(k, "h", s.width);
    block_norm(k, BLOCK_RMS, s.epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view mixed =
        s.kv_heads ? block_attention_of(k, &s, &l, h, block) : block_mamba(k, &m->ssm, s.epsilon, h, block);
    block_keep_wanted(k, &s, &x, &mixed, block);
    return block_after_mixing(k, &s, &l, x, mixed, s.kv_heads ? "blk.%u.attn_output" : "blk.%u.ssm_out", block);
}

void compile_jamba(compile_builder *b)
{
    model m = {.s = block_read_mixed_shape(b), .ssm = block_read_ssm(b)};
    m.moe = block_read_moe(b, m.s.ff_width, BLOCK_GATE_SOFTMAX, false);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    block_finish(&m.k, &m.s, BLOCK_RMS, x, 1, 0);
}
