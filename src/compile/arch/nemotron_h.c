/* Nemotron-H, dense and with experts (Nemotron 3): a layer is one thing only, a Mamba-2 scan, attention or a
 * feed-forward with squared ReLU, behind one norm.
 *
 * Details that have caused bugs: which it is, two arrays say: a layer with feed_forward_length is a feed-forward, else
 * one with attention.head_count_kv attends, else it scans; nothing is rotated; the norms are RMS norms, though old
 * files give their epsilon as attention.layer_norm_epsilon; experts have no gate, are chosen by sigmoids with a bias,
 * and in the largest models work on a narrower copy of the stream (ffn_latent_down, ffn_latent_up) while router and
 * shared expert see it whole; the width and number of experts may be given for each layer.
 */
#include <stdio.h>

#include "compile/arch/ssm_blocks.h"
#include "compile/arch/transformer.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_ssm ssm;
    block_moe moe;
    uint32_t shared_width, latent;
} model;

/* What of the experts may be this layer's own. */
static block_moe experts_of(model *m, uint32_t ff_width, uint32_t block)
{
    block_moe e = m->moe;
    e.used = compile_uint_at(m->k.b, "expert_used_count", block, 0, 0, e.experts);
    e.ff_width = compile_uint_at(m->k.b, "expert_feed_forward_length", block, 0, 0, BLOCK_WIDTH_MAX);
    if (e.ff_width == 0 && e.used) e.ff_width = ff_width / e.used;
    return e;
}

static bool has_latent(const model *m, uint32_t block)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%u.ffn_latent_down.weight", (unsigned)block);
    return compile_exists(m->k.b, name);
}

static void experts(model *m, wisp_view y, wisp_view h, uint32_t ff_width, uint32_t block)
{
    blocks *k = &m->k;
    const block_moe e = experts_of(m, ff_width, block);
    if (has_latent(m, block)) {
        wisp_view down = block_scratch(k, "latent", m->latent), up = block_scratch(k, "latent output", m->latent);
        block_linear(k, down, h, "blk.%u.ffn_latent_down", block);
        block_experts_routed_by(k, up, down, h, &e, block);
        block_linear(k, y, up, "blk.%u.ffn_latent_up", block);
    } else {
        block_experts(k, y, h, &e, block);
    }
    block_shared_expert(k, y, h, m->shared_width, WISP_ACT_RELU_SQUARED, block);
}

/* What a layer adds of the kinds that look at other tokens: before its last matrix. */
static wisp_view mix(model *m, wisp_view h, bool attends, uint32_t block)
{
    block_shape s = m->s;
    if (!attends) return block_mamba2(&m->k, &m->ssm, s.epsilon, h, block);
    const block_layer l = {.norm = BLOCK_RMS};
    s.heads = compile_uint_at(m->k.b, "attention.head_count", block, s.heads, 0, BLOCK_HEADS_MAX);
    s.kv_heads = compile_uint_at(m->k.b, "attention.head_count_kv", block, s.heads, 0, s.heads);
    return block_attention_of(&m->k, &s, &l, h, block);
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t ff_width = compile_uint_at(k->b, "feed_forward_length", block, 0, 0, BLOCK_WIDTH_MAX);
    const bool attends =
        compile_uint_at(k->b, "attention.head_count_kv", block, m->s.heads, 0, BLOCK_HEADS_MAX) && m->s.heads;
    wisp_view h = block_scratch(k, "h", m->s.width);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    if (ff_width == 0) h = mix(m, h, attends, block);
    block_keep_wanted(k, &m->s, &x, &h, block);
    wisp_view y = block_scratch(k, "y", m->s.width);
    if (ff_width == 0)
        block_linear(k, y, h, attends ? "blk.%u.attn_output" : "blk.%u.ssm_out", block);
    else if (m->moe.experts)
        experts(m, y, h, ff_width, block);
    else
        block_ffn_plain(k, y, h, ff_width, WISP_ACT_RELU_SQUARED, block);
    block_add(k, x, x, y);
    return x;
}

void compile_nemotron_h(compile_builder *b)
{
    model m = {.s = block_read_mixed_shape(b), .ssm = block_read_ssm(b)};
    m.moe = block_read_moe(b, BLOCK_WIDTH_MAX, BLOCK_GATE_SIGMOID, false);
    m.moe.gating = BLOCK_GATE_SIGMOID;
    m.moe.kind = WISP_ACT_RELU_SQUARED;
    m.shared_width = compile_uint_or(b, "expert_shared_feed_forward_length", 0, m.moe.experts ? 1 : 0, BLOCK_WIDTH_MAX);
    m.latent = compile_uint_or(b, "moe_latent_size", m.s.width, 0, BLOCK_WIDTH_MAX);
    if (m.latent == 0) m.latent = m.s.width;
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    block_finish(&m.k, &m.s, BLOCK_RMS, x, 1, 0);
}
