/* Qwen 3.5 and Qwen3-Next, which began it: three of four layers are gated delta nets, the fourth attends, with a gate
 * of its own on what it gives back.
 *
 * Details that have caused bugs: the attention's q matrix gives query and gate of each head side by side; only the
 * first rope.dimension_count elements of a head turn, in halves (the sections are for images: for text all are the same
 * position); value heads use the key head of their number modulo the key heads, in Qwen3-Next that of their number
 * divided by the value heads a key head; q and k of the delta net are normed to length 1, with epsilon below the root,
 * and q is scaled by 1 / sqrt(its size); Qwen3-Next has rate and decay in one matrix (ssm_ba), and its first files q,
 * k, v and z too (ssm_in): key head by key head, what belongs to each; decay is exp(softplus(alpha + dt) * a), with a
 * stored negative; the second norm of a layer is called post_attention_norm and stands before the feed-forward.
 */
#include <math.h>
#include <stdio.h>

#include "compile/arch/moe_blocks.h"
#include "compile/arch/state_blocks.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_moe moe;
    uint32_t shared_width;
    uint32_t taps, inner, head_dim, key_heads, value_heads, interval;
    bool by_key_head; /* Qwen3-Next's order of value heads, rates and decays */
    wisp_view angles;
} model;

static void read(model *m, compile_builder *b)
{
    m->s = block_read_shape(b);
    m->taps = compile_uint(b, "ssm.conv_kernel", 2, 64);
    m->inner = compile_uint(b, "ssm.inner_size", 1, BLOCK_WIDTH_MAX);
    m->head_dim = compile_uint(b, "ssm.state_size", 1, BLOCK_HEAD_DIM_MAX);
    m->value_heads = compile_uint(b, "ssm.time_step_rank", 1, BLOCK_HEADS_MAX);
    m->key_heads = compile_uint(b, "ssm.group_count", 1, BLOCK_HEADS_MAX);
    m->interval = compile_uint_or(b, "full_attention_interval", 4, 1, BLOCK_COUNT_MAX);
    m->moe = block_read_moe(b, m->s.ff_width, BLOCK_GATE_SOFTMAX, true);
    m->shared_width = compile_uint_or(b, "expert_shared_feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    if (!b->status && (m->value_heads % m->key_heads || m->inner != m->value_heads * m->head_dim))
        compile_fail(b, WISP_E_INPUT, "impossible delta net: %u key heads, %u value heads of %u, %u wide",
                     (unsigned)m->key_heads, (unsigned)m->value_heads, (unsigned)m->head_dim, (unsigned)m->inner);
}

static wisp_view attention(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const block_shape *s = &m->s;
    const uint32_t d = s->key_dim;
    wisp_view both = block_scratch(k, "q and gate", 2 * s->heads * d), q = block_scratch(k, "q", s->heads * d);
    wisp_view key = block_scratch(k, "k", s->kv_heads * d), value = block_scratch(k, "v", s->kv_heads * s->value_dim);
    wisp_view gate = block_scratch(k, "attention gate", s->heads * s->value_dim);
    wisp_view y = block_scratch(k, "mixed", s->heads * s->value_dim);
    block_qkv(k, both, key, value, h, block);
    wisp_view each = block_split(both, s->heads), each_key = block_split(key, s->kv_heads);
    block_norm(k, BLOCK_RMS, s->epsilon, block_split(q, s->heads), block_columns(each, 0, d), "blk.%u.attn_q_norm",
               block);
    block_norm(k, BLOCK_RMS, s->epsilon, each_key, each_key, "blk.%u.attn_k_norm", block);
    block_copy(k, block_split(gate, s->heads), block_columns(each, d, d));
    block_rope(k, q, s->heads, m->angles, true);
    block_rope(k, key, s->kv_heads, m->angles, true);
    const block_attention a = {.heads = s->heads, .kv_heads = s->kv_heads, .scale = (float)(1 / sqrt((double)d))};
    block_self_attention(k, y, q, key, value, &a);
    block_glu(k, gate, y, WISP_ACT_SIGMOID);
    return gate;
}

/* exp's exponent of each value head, and how much of the correction it takes. */
static void decay_and_rate(model *m, wisp_view decay, wisp_view rate, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    if (m->by_key_head) {
        const uint32_t each = m->value_heads / m->key_heads;
        wisp_view both = block_scratch(k, "rate and decay", 2 * m->value_heads);
        wisp_view split = block_split(both, m->key_heads);
        block_linear(k, both, h, "blk.%u.ssm_ba", block);
        block_copy(k, block_split(rate, m->key_heads), block_columns(split, 0, each));
        block_copy(k, block_split(decay, m->key_heads), block_columns(split, each, each));
    } else {
        block_linear(k, rate, h, "blk.%u.ssm_beta", block);
        block_linear(k, decay, h, "blk.%u.ssm_alpha", block);
    }
    block_act(k, rate, WISP_ACT_SIGMOID);
    block_add(k, decay, decay, compile_weight_flat(k->b, decay.cols, "blk.%u.ssm_dt.bias", block));
    block_act(k, decay, WISP_ACT_SOFTPLUS);
    block_mul(k, decay, decay, compile_weight_flat(k->b, decay.cols, "blk.%u.ssm_a", block));
}

/* x / sqrt(sum of x * x + epsilon), by way of the mean. */
static void unit_length(model *m, wisp_view x)
{
    const float n = (float)x.cols;
    block_norm_plain(&m->k, BLOCK_RMS, m->s.epsilon / n, x, x);
    block_scale(&m->k, x, (float)(1 / sqrt((double)n)));
}

/* One part of ssm_in's key heads, in order and without gaps. */
static void gather(model *m, wisp_view y, wisp_view all, uint32_t first)
{
    const uint32_t each = y.cols / m->key_heads;
    block_copy(&m->k, block_split(y, m->key_heads), block_columns(block_split(all, m->key_heads), first, each));
}

/* q, k and v side by side, and the gate z, of the first files of Qwen3-Next. */
static void project_old(model *m, wisp_view qkv, wisp_view z, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t d = m->head_dim, keys = m->key_heads * d, values = m->inner / m->key_heads;
    wisp_view all = block_scratch(k, "qkvz", 2 * keys + 2 * m->inner), part = block_scratch(k, "delta q", keys);
    wisp_view value = block_scratch(k, "mixed", m->inner);
    block_linear(k, all, h, "blk.%u.ssm_in", block);
    gather(m, part, all, 0);
    block_copy(k, block_columns(qkv, 0, keys), part);
    gather(m, part, all, d);
    block_copy(k, block_columns(qkv, keys, keys), part);
    gather(m, value, all, 2 * d);
    block_copy(k, block_columns(qkv, 2 * keys, m->inner), value);
    gather(m, z, all, 2 * d + values);
}

static void project(model *m, wisp_view qkv, wisp_view z, wisp_view h, uint32_t block)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%u.attn_qkv.weight", (unsigned)block);
    if (m->by_key_head && !compile_exists(m->k.b, name)) {
        project_old(m, qkv, z, h, block);
        return;
    }
    block_linear(&m->k, qkv, h, "blk.%u.attn_qkv", block);
    block_linear(&m->k, z, h, "blk.%u.attn_gate", block);
}

static wisp_view delta_net(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t keys = m->key_heads * m->head_dim, mixed = 2 * keys + m->inner;
    wisp_view qkv = block_scratch(k, "qkv", mixed), conv = block_scratch(k, "conv", mixed);
    wisp_view z = block_scratch(k, "z", m->inner), y = block_scratch(k, "mixed", m->inner);
    wisp_view decay = block_scratch(k, "decay", m->value_heads), rate = block_scratch(k, "rate", m->value_heads);
    wisp_view q = block_scratch(k, "delta q", keys), key = block_scratch(k, "delta k", keys);
    project(m, qkv, z, h, block);
    decay_and_rate(m, decay, rate, h, block);
    block_conv(k, conv, qkv, m->taps, "blk.%u.ssm_conv1d", block);
    block_act(k, conv, WISP_ACT_SILU);
    block_copy(k, q, block_columns(conv, 0, keys));
    block_copy(k, key, block_columns(conv, keys, keys));
    unit_length(m, block_split(q, m->key_heads));
    unit_length(m, block_split(key, m->key_heads));
    const wisp_cmd rule = {.op = WISP_OP_DELTA_RULE,
                           .param = {{.u = m->value_heads},
                                     {.u = m->key_heads},
                                     {.f = (float)(1 / sqrt((double)m->head_dim))},
                                     {.u = !m->by_key_head}},
                           .view = {y, q, key, block_columns(conv, 2 * keys, m->inner), decay, rate}};
    block_scan(k, rule, 6, block_state(k, m->inner * m->head_dim));
    wisp_view each = block_split(y, m->value_heads);
    block_norm(k, BLOCK_RMS, m->s.epsilon, each, each, "blk.%u.ssm_norm", block);
    block_glu(k, z, y, WISP_ACT_SILU);
    return z;
}

static bool recurrent(model *m, uint32_t block)
{
    const char *key = "attention.recurrent_layers";
    if (compile_is_array(m->k.b, key)) return compile_uint_at(m->k.b, key, block, 0, 0, 1) == 1;
    return (block + 1) % m->interval != 0;
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const bool attends = !recurrent(m, block);
    wisp_view h = block_scratch(k, "h", m->s.width);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view mixed = attends ? attention(m, h, block) : delta_net(m, h, block);
    if (block + 1 == m->s.layers) {
        x = block_keep(k, x, "x.out");
        mixed = block_keep(k, mixed, "mixed.out");
    }
    h = block_scratch(k, "h", m->s.width);
    wisp_view y = block_scratch(k, "y", m->s.width);
    block_linear(k, y, mixed, attends ? "blk.%u.attn_output" : "blk.%u.ssm_out", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.post_attention_norm", block);
    if (m->moe.experts)
        block_experts(k, y, h, &m->moe, block);
    else
        block_ffn_gated(k, y, h, m->s.ff_width, WISP_ACT_SILU, block);
    if (m->moe.experts && m->shared_width) block_shared_expert(k, y, h, m->shared_width, WISP_ACT_SILU, block);
    block_add(k, x, x, y);
    return x;
}

static void build(compile_builder *b, bool by_key_head)
{
    model m = {.by_key_head = by_key_head};
    read(&m, b);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    m.angles = block_rope_angles(&m.k, m.s.rope_dims);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    wisp_view h = block_scratch(&m.k, "h", m.s.width);
    block_norm(&m.k, BLOCK_RMS, m.s.epsilon, h, x, "output_norm", 0);
    block_logits(&m.k, h, 1, 0);
}

void compile_qwen35(compile_builder *b) /* with experts, too */
{
    build(b, false);
}

void compile_qwen3next(compile_builder *b)
{
    build(b, true);
}
