/* RWKV 6: no attention; time mixing keeps a matrix a head as state, and both mixings blend a token with the one before.
 *
 * Details that have caused bugs: the five blends of time mixing (w, k, v, r, g, in this order) depend on the token, by
 * a low-rank map; decay is exp(-exp(w)); the norm of the heads has an epsilon of 64e-5, whatever the file says of
 * others; old files have the five blends' bases as five tensors; the embeddings are normed before the first layer;
 * files of larger models halve the stream every few layers.
 */
#include "compile/arch/state_blocks.h"
#include "compile/arch/transformer.h"

enum { BLENDS = 5 };
static const char *const lerps[BLENDS] = {"blk.%u.time_mix_lerp_w.weight", "blk.%u.time_mix_lerp_k.weight",
                                          "blk.%u.time_mix_lerp_v.weight", "blk.%u.time_mix_lerp_r.weight",
                                          "blk.%u.time_mix_lerp_g.weight"};

typedef struct model {
    blocks k;
    block_shape s;
    uint32_t head_size, heads, blend_rank, decay_rank, rescale;
} model;

static void read(model *m, compile_builder *b)
{
    m->s = block_read_mixed_shape(b);
    m->head_size = compile_uint(b, "wkv.head_size", 1, BLOCK_HEAD_DIM_MAX);
    m->blend_rank = compile_uint(b, "time_mix_extra_dim", 1, BLOCK_WIDTH_MAX);
    m->decay_rank = compile_uint(b, "time_decay_extra_dim", 1, BLOCK_WIDTH_MAX);
    m->rescale = compile_uint_or(b, "rescale_every_n_layers", 0, 0, BLOCK_COUNT_MAX);
    if (!b->status && m->s.width % m->head_size)
        compile_fail(b, WISP_E_INPUT, "key 'rwkv6.wkv.head_size': %u does not divide %u", (unsigned)m->head_size,
                     (unsigned)m->s.width);
    m->heads = b->status ? 1 : m->s.width / m->head_size;
}

/* The blends of h and the token before it, one after the other in a row. */
static wisp_view blends(model *m, wisp_view h, wisp_view before, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t width = m->s.width;
    wisp_view x = block_scratch(k, "blend", width), low = block_scratch(k, "low", BLENDS * m->blend_rank);
    wisp_view all = block_scratch(k, "blends", BLENDS * width);
    block_lerp(k, x, h, before, compile_weight_flat(k->b, width, "blk.%u.time_mix_lerp_x.weight", block));
    block_linear(k, low, x, "blk.%u.time_mix_w1", block);
    block_act(k, low, WISP_ACT_TANH);
    wisp_view up = compile_weight_stack(k->b, BLENDS, width, m->blend_rank, "blk.%u.time_mix_w2.weight", block);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MATMUL_HEADS, .param = {{.u = BLENDS}}, .view = {all, low, up}});
    const bool fused = compile_exists(k->b, "blk.0.time_mix_lerp_fused.weight");
    if (fused)
        block_add(k, all, all, compile_weight_flat(k->b, BLENDS * width, "blk.%u.time_mix_lerp_fused.weight", block));
    for (uint32_t i = 0; i < BLENDS; i++) {
        wisp_view much = block_columns(all, i * width, width);
        if (!fused) block_add(k, much, much, compile_weight_flat(k->b, width, lerps[i], block));
        block_lerp(k, x, h, before, much);
        block_copy(k, much, x);
    }
    return all;
}

/* exp(-exp(w)) of the first blend. */
static wisp_view decay(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view low = block_scratch(k, "decay low", m->decay_rank), w = block_scratch(k, "decay", m->s.width);
    block_linear(k, low, x, "blk.%u.time_mix_decay_w1", block);
    block_act(k, low, WISP_ACT_TANH);
    block_linear(k, w, low, "blk.%u.time_mix_decay_w2", block);
    block_add(k, w, w, compile_weight_flat(k->b, m->s.width, "blk.%u.time_mix_decay.weight", block));
    block_act(k, w, WISP_ACT_EXP);
    block_scale(k, w, -1);
    block_act(k, w, WISP_ACT_EXP);
    return w;
}

/* The heads' norm, with its weights for the whole width. */
static void norm_heads(model *m, wisp_view y, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view w = compile_weight_flat(k->b, m->s.width, "blk.%u.time_mix_ln.weight", block);
    wisp_view bias = compile_weight_flat(k->b, m->s.width, "blk.%u.time_mix_ln.bias", block);
    wisp_view each = block_split(y, m->heads);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_LAYER_NORM,
                                  .param = {{.f = 64e-5f}},
                                  .view = {each, each, block_split(w, m->heads), block_split(bias, m->heads)}});
}

static wisp_view time_mix(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t width = m->s.width;
    wisp_view before = block_scratch(k, "before", width), y = block_scratch(k, "wkv", width);
    wisp_view r = block_scratch(k, "r", width), key = block_scratch(k, "k", width);
    wisp_view value = block_scratch(k, "v", width), g = block_scratch(k, "g", width);
    block_token_shift(k, before, h);
    wisp_view all = blends(m, h, before, block);
    wisp_view w = decay(m, block_columns(all, 0, width), block);
    block_linear(k, key, block_columns(all, width, width), "blk.%u.time_mix_key", block);
    block_linear(k, value, block_columns(all, 2 * width, width), "blk.%u.time_mix_value", block);
    block_linear(k, r, block_columns(all, 3 * width, width), "blk.%u.time_mix_receptance", block);
    block_linear(k, g, block_columns(all, 4 * width, width), "blk.%u.time_mix_gate", block);
    wisp_view first = compile_weight_flat(k->b, width, "blk.%u.time_mix_first.weight", block);
    block_scan(k, (wisp_cmd){.op = WISP_OP_WKV6, .param = {{.u = m->heads}}, .view = {y, r, w, key, value, first}}, 6,
               block_state(k, width * m->head_size));
    norm_heads(m, y, block);
    block_glu(k, g, y, WISP_ACT_SILU);
    return g;
}

static void channel_mix(model *m, wisp_view y, wisp_view h, wisp_view before, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t width = m->s.width;
    wisp_view x = block_scratch(k, "blend", width), inner = block_scratch(k, "inner", m->s.ff_width);
    wisp_view r = block_scratch(k, "r", width);
    block_lerp(k, x, h, before, compile_weight_flat(k->b, width, "blk.%u.channel_mix_lerp_k.weight", block));
    block_linear(k, inner, x, "blk.%u.channel_mix_key", block);
    block_act(k, inner, WISP_ACT_RELU_SQUARED);
    block_lerp(k, x, h, before, compile_weight_flat(k->b, width, "blk.%u.channel_mix_lerp_r.weight", block));
    block_linear(k, r, x, "blk.%u.channel_mix_receptance", block);
    block_linear(k, y, inner, "blk.%u.channel_mix_value", block);
    block_glu(k, r, y, WISP_ACT_SIGMOID);
    block_copy(k, y, r);
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view h = block_scratch(k, "h", m->s.width), y = block_scratch(k, "y", m->s.width);
    wisp_view before = block_scratch(k, "before", m->s.width);
    block_norm(k, BLOCK_LAYER, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view mixed = time_mix(m, h, block);
    block_linear(k, y, mixed, "blk.%u.time_mix_output", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_LAYER, m->s.epsilon, h, x, "blk.%u.attn_norm_2", block);
    block_token_shift(k, before, h);
    if (block + 1 == m->s.layers) {
        x = block_keep(k, x, "x.out");
        h = block_keep(k, h, "h.out");
        before = block_keep(k, before, "before.out");
        y = block_scratch(k, "y", m->s.width);
    }
    channel_mix(m, y, h, before, block);
    block_add(k, x, x, y);
    if (m->rescale && (block + 1) % m->rescale == 0) block_scale(k, x, 0.5f);
    return x;
}

void compile_rwkv6(compile_builder *b)
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
