/* DeepSeek 2, 3, R1 and what is built alike (multi-head latent attention, arXiv 2405.04434 §2.1): keys and values are
 * made from one short vector a token, besides a rotated part of the key that all heads share; first layers dense, the
 * others with experts.
 *
 * Details that have caused bugs: files come in two forms. With attn_kv_b keys and values are made for each head and
 * cached; with attn_k_b and attn_v_b the short vector itself is the one cached key and value, q is brought into its
 * space and what was attended is brought back. The rotated part stands last in q and k, its pairs are (2i, 2i+1).
 * YaRN's magnitude goes into attention's scale, squared, not into sines and cosines. The key size of the scale is that
 * of a head (key_length_mla), not of what is cached. Some grow q with its position (attention.temperature_*).
 */
#include <math.h>

#include "compile/arch/transformer.h"

typedef struct latent {
    blocks k;
    block_shape s;
    block_layer l; /* the feed-forward, and attention's scale */
    block_moe moe;
    wisp_view angles;
    uint32_t q_rank, rank;           /* of the short vectors of q (0: none) and of k and v */
    uint32_t key, value, rope, nope; /* of a head: key = nope + rope */
    bool absorbed;                   /* the second form */
    float temperature;               /* of attention, by position; 0: none */
    uint32_t temperature_length;
} latent;

/* YaRN's magnitude for attention, which is on top of what sines and cosines have: 1 without YaRN. */
static double magnitude(compile_builder *b)
{
    const double factor = compile_float_or(b, "rope.scaling.factor", 1);
    const double given = compile_float_or(b, "rope.scaling.attn_factor", 1);
    const double multiplier = compile_float_or(b, "rope.scaling.yarn_log_multiplier", 0);
    if (factor <= 1) return given;
    return multiplier != 0 ? given * (1 + multiplier * log(factor)) : given * (1 + 0.1 * log(factor));
}

static void read(latent *m, compile_builder *b)
{
    m->s = block_read_shape(b);
    m->moe = block_read_moe(b, m->s.ff_width, BLOCK_GATE_SOFTMAX, false);
    m->absorbed = compile_has(b, "attention.key_length_mla");
    m->q_rank =
        compile_exists(b, "blk.0.attn_q_a.weight") ? compile_uint(b, "attention.q_lora_rank", 1, BLOCK_WIDTH_MAX) : 0;
    m->rank = compile_uint(b, "attention.kv_lora_rank", 1, BLOCK_HEAD_DIM_MAX);
    m->rope = compile_uint(b, "rope.dimension_count", 2, BLOCK_HEAD_DIM_MAX);
    m->key = compile_uint_or(b, "attention.key_length_mla", m->s.key_dim, 1, BLOCK_HEAD_DIM_MAX);
    m->value = compile_uint_or(b, "attention.value_length_mla", m->s.value_dim, 1, BLOCK_HEAD_DIM_MAX);
    m->temperature = (float)compile_float_or(b, "attention.temperature_scale", 0);
    if (m->temperature != 0) m->temperature_length = compile_uint(b, "attention.temperature_length", 1, 1 << 30);
    const uint32_t shared = compile_uint_or(b, "expert_shared_count", 0, 0, 64);
    const uint32_t dense = compile_uint_or(b, "leading_dense_block_count", 0, 0, BLOCK_COUNT_MAX);
    const uint32_t extra = compile_uint_or(b, "nextn_predict_layers", 0, 0, BLOCK_COUNT_MAX);
    const double size = magnitude(b);
    if (!b->status && (m->key <= m->rope || m->rope % 2 || extra >= m->s.layers))
        compile_fail(b, WISP_E_INPUT, "impossible attention: keys of %u, %u of them rotated", (unsigned)m->key,
                     (unsigned)m->rope);
    if (b->status) return;
    m->s.layers -= extra;
    m->nope = m->key - m->rope;
    m->l = (block_layer){.norm = BLOCK_RMS,
                         .ffn = block_ffn_gated,
                         .act = WISP_ACT_SILU,
                         .moe = &m->moe,
                         .dense_layers = dense,
                         .shared_width = m->moe.ff_width * shared};
    m->l.attention.scale = (float)(size * size / sqrt((double)m->key));
}

/* q of all heads; the rotated parts of q [tokens, heads * rope]; the normed short vector; the rotated part of k. */
typedef struct parts {
    wisp_view q, q_rope, short_kv, k_rope;
} parts;

static parts project(latent *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t heads = m->s.heads;
    parts p = {.q = block_scratch(k, "q", heads * m->key), .q_rope = block_scratch(k, "q.rope", heads * m->rope)};
    if (m->q_rank) {
        const wisp_view a = block_scratch(k, "q.short", m->q_rank);
        block_linear(k, a, h, "blk.%u.attn_q_a", block);
        block_norm(k, BLOCK_RMS, m->s.epsilon, a, a, "blk.%u.attn_q_a_norm", block);
        block_linear(k, p.q, a, "blk.%u.attn_q_b", block);
    } else {
        block_linear(k, p.q, h, "blk.%u.attn_q", block);
    }
    if (m->temperature != 0)
        compile_emit(k->b, (wisp_cmd){.op = WISP_OP_POSITION_SCALE,
                                      .param = {{.f = m->temperature}, {.u = 0}, {.u = m->temperature_length}},
                                      .view = {p.q, p.q, k->io.positions}});
    const wisp_view both = block_scratch(k, "kv.short", m->rank + m->rope);
    block_linear(k, both, h, "blk.%u.attn_kv_a_mqa", block);
    p.short_kv = block_columns(both, 0, m->rank);
    p.k_rope = block_columns(both, m->rank, m->rope);
    block_norm(k, BLOCK_RMS, m->s.epsilon, p.short_kv, p.short_kv, "blk.%u.attn_kv_a_norm", block);
    block_rope(k, p.k_rope, 1, m->angles, false);
    block_copy(k, block_split(p.q_rope, heads), block_columns(block_split(p.q, heads), m->nope, m->rope));
    block_rope(k, p.q_rope, heads, m->angles, false);
    return p;
}

/* Keys and values of each head. */
static wisp_view attend_expanded(latent *m, const parts *p, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t heads = m->s.heads, pair = m->nope + m->value;
    const wisp_view kv = block_scratch(k, "kv", heads * pair), key = block_scratch(k, "k", heads * m->key);
    const wisp_view value = block_scratch(k, "v", heads * m->value), y = block_scratch(k, "attended", heads * m->value);
    const wisp_view from = block_split(kv, heads), to = block_split(key, heads);
    const wisp_view clean = block_scratch(k, "kv.normed", m->rank);
    block_copy(k, clean, p->short_kv);
    block_linear(k, kv, clean, "blk.%u.attn_kv_b", block);
    block_copy(k, block_columns(to, 0, m->nope), block_columns(from, 0, m->nope));
    block_copy(k, block_columns(to, m->nope, m->rope), p->k_rope);
    block_copy(k, block_split(value, heads), block_columns(from, m->nope, m->value));
    block_copy(k, block_columns(block_split(p->q, heads), m->nope, m->rope), block_split(p->q_rope, heads));
    const block_attention a = {.heads = heads, .kv_heads = heads, .scale = m->l.attention.scale};
    block_self_attention(k, y, p->q, key, value, &a);
    return y;
}

/* One matrix a head. */
static void heads_linear(latent *m, wisp_view y, wisp_view x, const char *name, uint32_t block)
{
    const uint32_t heads = m->s.heads;
    const wisp_view w = compile_weight_stack(m->k.b, heads, y.cols / heads, x.cols / heads, name, block);
    compile_emit(m->k.b, (wisp_cmd){.op = WISP_OP_MATMUL_HEADS, .param = {{.u = heads}}, .view = {y, x, w}});
}

/* One key for all heads, whose first `rank` elements are the value. */
static wisp_view attend_absorbed(latent *m, const parts *p, uint32_t block)
{
    blocks *k = &m->k;
    const uint32_t heads = m->s.heads, wide = m->rank + m->rope;
    const wisp_view plain = block_scratch(k, "q.plain", heads * m->nope),
                    in = block_scratch(k, "q.in", heads * m->rank);
    const wisp_view q = block_scratch(k, "q.wide", heads * wide), found = block_scratch(k, "found", heads * m->rank);
    const wisp_view key = block_scratch(k, "k", wide), y = block_scratch(k, "attended", heads * m->value);
    block_copy(k, block_split(plain, heads), block_columns(block_split(p->q, heads), 0, m->nope));
    heads_linear(m, in, plain, "blk.%u.attn_k_b.weight", block);
    block_copy(k, block_columns(block_split(q, heads), 0, m->rank), block_split(in, heads));
    block_copy(k, block_columns(block_split(q, heads), m->rank, m->rope), block_split(p->q_rope, heads));
    block_copy(k, block_columns(key, 0, m->rank), p->short_kv);
    block_copy(k, block_columns(key, m->rank, m->rope), p->k_rope);
    const block_attention a = {.heads = heads, .kv_heads = 1, .scale = m->l.attention.scale};
    block_cache cache = {.keys = block_one_cache(k, 1, wide)};
    cache.values = cache.keys;
    cache.values.cols = m->rank;
    block_kv_write(k, cache.keys, key, 1);
    block_attend(k, found, q, cache, &a);
    heads_linear(m, y, found, "blk.%u.attn_v_b.weight", block);
    return y;
}

static wisp_view layer(latent *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view h = block_scratch(k, "h", m->s.width);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.attn_norm", block);
    const parts p = project(m, h, block);
    wisp_view attended = m->absorbed ? attend_absorbed(m, &p, block) : attend_expanded(m, &p, block);
    block_keep_wanted(k, &m->s, &x, &attended, block);
    return block_after_attention(k, &m->s, &m->l, x, attended, block);
}

void compile_deepseek2(compile_builder *b)
{
    latent m = {0};
    read(&m, b);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    m.angles = block_rope_angles(&m.k, m.rope);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    block_finish(&m.k, &m.s, BLOCK_RMS, x, 1, 0);
}
