/* RWKV 7: no attention; time mixing keeps a matrix a head as state, which forgets along one vector and learns along
 * another; both mixings blend a token with the one before.
 *
 * Details that have caused bugs: the six blends (r, w, k, v, a, g, in this order) are fixed, not of the token as in
 * RWKV 6; decay is exp(-exp(-1/2) * sigmoid(w)); the first layer's values go into those of all others, and its own
 * time_mix_v0 to v2 are in the file without use; the bonus is the sum over a head of r * k * r_k, with k as the state
 * sees it; the norm of the heads has an epsilon of 64e-5, whatever the file says of others; the embeddings are normed
 * before the first layer.
 */
#include "compile/arch/state_blocks.h"
#include "compile/arch/transformer.h"

enum { BLEND_R, BLEND_W, BLEND_K, BLEND_V, BLEND_A, BLEND_G, BLENDS };
enum { LINEAR = -1 };

static const float decay_scale = -0.606531f, head_epsilon = 64e-5f, unit_epsilon = 1e-12f;

typedef struct model {
    blocks k;
    block_shape s;
    uint32_t head_size, heads, decay_rank, rate_rank, value_rank, gate_rank;
    wisp_view first; /* values of layer 0 */
} model;

static void read(model *m, compile_builder *b)
{
    m->s = block_read_mixed_shape(b);
    m->head_size = compile_uint(b, "wkv.head_size", 1, BLOCK_HEAD_DIM_MAX);
    m->decay_rank = compile_uint(b, "attention.decay_lora_rank", 1, BLOCK_WIDTH_MAX);
    m->rate_rank = compile_uint(b, "attention.iclr_lora_rank", 1, BLOCK_WIDTH_MAX);
    m->value_rank = compile_uint(b, "attention.value_residual_mix_lora_rank", 1, BLOCK_WIDTH_MAX);
    m->gate_rank = compile_uint(b, "attention.gate_lora_rank", 1, BLOCK_WIDTH_MAX);
    if (!b->status && m->s.width % m->head_size)
        compile_fail(b, WISP_E_INPUT, "key '%s.wkv.head_size': %u does not divide %u", b->architecture,
                     (unsigned)m->head_size, (unsigned)m->s.width);
    m->heads = b->status ? 1 : m->s.width / m->head_size;
}

static wisp_view vector(model *m, const char *name, uint32_t block)
{
    return compile_weight_flat(m->k.b, m->s.width, name, block);
}

/* Blend number i of h and the token before it. */
static wisp_view blend(model *m, wisp_view h, wisp_view before, uint32_t i, uint32_t block)
{
    const uint32_t width = m->s.width;
    wisp_view x = block_scratch(&m->k, "blend", width);
    wisp_view all = compile_weight_flat(m->k.b, BLENDS * width, "blk.%u.time_mix_lerp_fused.weight", block);
    if (m->k.b->status) return x;
    block_lerp(&m->k, x, h, before, block_columns(all, i * width, width));
    return x;
}

/* y = up(act(down(x))) */
static void low_rank(model *m, wisp_view y, wisp_view x, uint32_t rank, const char *down, int act, const char *up,
                     uint32_t block)
{
    wisp_view low = block_scratch(&m->k, "low", rank);
    block_linear(&m->k, low, x, down, block);
    if (act != LINEAR) block_act(&m->k, low, (wisp_act)act);
    block_linear(&m->k, y, low, up, block);
}

static wisp_view decay(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view w = block_scratch(k, "decay", m->s.width);
    low_rank(m, w, x, m->decay_rank, "blk.%u.time_mix_w1", WISP_ACT_TANH, "blk.%u.time_mix_w2", block);
    block_add(k, w, w, vector(m, "blk.%u.time_mix_w0.weight", block));
    block_act(k, w, WISP_ACT_SIGMOID);
    block_scale(k, w, decay_scale);
    block_act(k, w, WISP_ACT_EXP);
    return w;
}

/* sigmoid(name0 + up(down(x))) */
static wisp_view soft_switch(model *m, const char *scratch, wisp_view x, uint32_t rank, const char *down,
                             const char *up, const char *bias, uint32_t block)
{
    wisp_view y = block_scratch(&m->k, scratch, m->s.width);
    low_rank(m, y, x, rank, down, LINEAR, up, block);
    block_add(&m->k, y, y, vector(m, bias, block));
    block_act(&m->k, y, WISP_ACT_SIGMOID);
    return y;
}

static wisp_view values(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view v = block_scratch(k, block ? "v" : "first v", m->s.width);
    block_linear(k, v, x, "blk.%u.time_mix_value", block);
    if (block == 0) {
        m->first = v;
        return v;
    }
    wisp_view much = soft_switch(m, "much", x, m->value_rank, "blk.%u.time_mix_v1", "blk.%u.time_mix_v2",
                                 "blk.%u.time_mix_v0.weight", block);
    block_lerp(k, v, v, m->first, much);
    return v;
}

/* Of the keys: the direction that the state forgets (negative) and the one that it learns in its place, from the rate
 * a; then the keys themselves, k + (a * k_a * k - k_a * k). */
static void turn_keys(model *m, wisp_view key, wisp_view rate, wisp_view forget, wisp_view learn, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view each = block_split(forget, m->heads), part = block_scratch(k, "part", m->s.width);
    block_mul(k, forget, key, vector(m, "blk.%u.time_mix_k_k.weight", block));
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_L2_NORM, .param = {{.f = unit_epsilon}}, .view = {each, each}});
    block_mul(k, learn, forget, rate);
    block_scale(k, forget, -1);
    block_mul(k, part, key, vector(m, "blk.%u.time_mix_k_a.weight", block));
    block_mul(k, rate, rate, part);
    block_scale(k, part, -1);
    block_add(k, rate, rate, part);
    block_add(k, key, key, rate);
}

/* The norm of each head, with its weights for the whole width. */
static void norm_heads(model *m, wisp_view y, uint32_t block)
{
    wisp_view w = vector(m, "blk.%u.time_mix_ln.weight", block), bias = vector(m, "blk.%u.time_mix_ln.bias", block);
    wisp_view each = block_split(y, m->heads);
    compile_emit(m->k.b, (wisp_cmd){.op = WISP_OP_LAYER_NORM,
                                    .param = {{.f = head_epsilon}},
                                    .view = {each, each, block_split(w, m->heads), block_split(bias, m->heads)}});
}

/* y = y + v * (sum over a head of k * r * r_k); r is spent. */
static void add_bonus(model *m, wisp_view y, wisp_view r, wisp_view key, wisp_view v, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view sums = block_scratch(k, "bonus", m->heads), part = block_scratch(k, "part", m->s.width);
    wisp_view weights = block_split(vector(m, "blk.%u.time_mix_r_k.weight", block), m->heads);
    block_mul(k, r, r, key);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MATMUL_HEADS, .param = {{.u = m->heads}}, .view = {sums, r, weights}});
    block_copy(k, part, v);
    block_row_scale(k, block_split(part, m->heads), block_split(sums, m->heads));
    block_add(k, y, y, part);
}

static wisp_view time_mix(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t width = m->s.width;
    wisp_view before = block_scratch(k, "before", width), y = block_scratch(k, "wkv", width);
    wisp_view r = block_scratch(k, "r", width), key = block_scratch(k, "k", width), g = block_scratch(k, "g", width);
    wisp_view forget = block_scratch(k, "forget", width), learn = block_scratch(k, "learn", width);
    block_token_shift(k, before, h);
    block_linear(k, r, blend(m, h, before, BLEND_R, block), "blk.%u.time_mix_receptance", block);
    wisp_view w = decay(m, blend(m, h, before, BLEND_W, block), block);
    block_linear(k, key, blend(m, h, before, BLEND_K, block), "blk.%u.time_mix_key", block);
    wisp_view v = values(m, blend(m, h, before, BLEND_V, block), block);
    wisp_view rate = soft_switch(m, "rate", blend(m, h, before, BLEND_A, block), m->rate_rank, "blk.%u.time_mix_a1",
                                 "blk.%u.time_mix_a2", "blk.%u.time_mix_a0.weight", block);
    low_rank(m, g, blend(m, h, before, BLEND_G, block), m->gate_rank, "blk.%u.time_mix_g1", WISP_ACT_SIGMOID,
             "blk.%u.time_mix_g2", block);
    turn_keys(m, key, rate, forget, learn, block);
    block_scan(k, (wisp_cmd){.op = WISP_OP_WKV7, .param = {{.u = m->heads}}, .view = {y, r, w, key, v, forget, learn}},
               7, block_state(k, width * m->head_size));
    norm_heads(m, y, block);
    add_bonus(m, y, r, key, v, block);
    block_mul(k, y, y, g);
    return y;
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view h = block_scratch(k, "h", m->s.width), y = block_scratch(k, "y", m->s.width);
    wisp_view before = block_scratch(k, "before", m->s.width);
    block_norm(k, BLOCK_LAYER, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    block_linear(k, y, time_mix(m, h, block), "blk.%u.time_mix_output", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_LAYER, m->s.epsilon, h, x, "blk.%u.attn_norm_2", block);
    block_token_shift(k, before, h);
    if (block + 1 == m->s.layers) {
        x = block_keep(k, x, "x.out");
        h = block_keep(k, h, "h.out");
        before = block_keep(k, before, "before.out");
    }
    y = block_scratch(k, "y", m->s.width);
    wisp_view inner = block_scratch(k, "inner", m->s.ff_width), blended = block_scratch(k, "blend", m->s.width);
    block_lerp(k, blended, h, before, vector(m, "blk.%u.channel_mix_lerp_k.weight", block));
    block_linear(k, inner, blended, "blk.%u.channel_mix_key", block);
    block_act(k, inner, WISP_ACT_RELU_SQUARED);
    block_linear(k, y, inner, "blk.%u.channel_mix_value", block);
    block_add(k, x, x, y);
    return x;
}

void compile_rwkv7(compile_builder *b)
{
    model m = {0};
    read(&m, b);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    block_norm(&m.k, BLOCK_LAYER, m.s.epsilon, x, x, "token_embd_norm", 0);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    block_finish(&m.k, &m.s, BLOCK_LAYER, x, 1, 0);
}
