/* Gemma 1, 2 and 3 (text): RMS norms whose weights GGUF stores with the 1 added, embeddings times sqrt(width), rotary
 * halves, gated GELU (tanh) feed-forward, output tied to the embeddings.
 *
 * Details that have caused bugs: q is scaled by 1 / sqrt(key size), but in the 27B models by 1 / sqrt(width / heads);
 * Gemma 2 and 3 norm what attention and feed-forward give back before it is added, and have layers with a sliding
 * window: in Gemma 2 every other one, beginning with the first, in Gemma 3 five of six, which turn by a base of 10,000
 * without scaling, whatever rope.freq_base says of the others; Gemma 2 soft-caps scores and logits; Gemma 3 norms each
 * head of q and k.
 */
#include <math.h>

#include "compile/arch/model_blocks.h"

enum { LAYERS_27B_2 = 46, LAYERS_27B_3 = 62 };

typedef struct model {
    blocks k;
    block_shape s;
    uint32_t generation; /* 1, 2, 3 */
    uint32_t pattern;    /* one layer of so many sees everything; 1: all do */
    float scale, score_cap, logit_cap;
    wisp_view angles, local_angles; /* of layers that see everything, and of those with a window */
} model;

static void read(model *m, compile_builder *b)
{
    m->s = block_read_shape(b);
    if (b->status) return;
    const uint32_t layers = m->generation == 2 ? LAYERS_27B_2 : m->generation == 3 ? LAYERS_27B_3 : 0;
    const uint32_t size = m->s.layers == layers ? m->s.width / m->s.heads : m->s.key_dim;
    m->scale = (float)(1 / sqrt((double)size));
    m->pattern = m->generation == 2 ? 2 : m->generation == 3 ? 6 : 1;
    if (m->generation > 1) {
        m->score_cap = (float)compile_float_or(b, "attn_logit_softcapping", m->generation == 2 ? 50 : 0);
        m->logit_cap = (float)compile_float_or(b, "final_logit_softcapping", m->generation == 2 ? 30 : 0);
    }
}

static void head_norms(model *m, wisp_view q, wisp_view key, uint32_t block)
{
    wisp_view heads = block_split(q, m->s.heads), kv_heads = block_split(key, m->s.kv_heads);
    block_norm(&m->k, BLOCK_RMS, m->s.epsilon, heads, heads, "blk.%u.attn_q_norm", block);
    block_norm(&m->k, BLOCK_RMS, m->s.epsilon, kv_heads, kv_heads, "blk.%u.attn_k_norm", block);
}

static wisp_view attention(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const block_shape *s = &m->s;
    const uint32_t window = block_window(k->b, block, m->pattern, m->generation == 2 ? 4096 : 0);
    wisp_view h = block_scratch(k, "h", s->width), q = block_scratch(k, "q", s->heads * s->key_dim);
    wisp_view key = block_scratch(k, "k", s->kv_heads * s->key_dim);
    wisp_view value = block_scratch(k, "v", s->kv_heads * s->value_dim);
    wisp_view y = block_scratch(k, "attended", s->heads * s->value_dim);
    wisp_view angles = window && m->generation == 3 ? m->local_angles : m->angles;
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.attn_norm", block);
    block_qkv(k, q, key, value, h, block);
    if (m->generation == 3) head_norms(m, q, key, block);
    block_rope(k, q, s->heads, angles, true);
    block_rope(k, key, s->kv_heads, angles, true);
    const block_attention a = {
        .heads = s->heads, .kv_heads = s->kv_heads, .scale = m->scale, .softcap = m->score_cap, .window = window};
    block_self_attention(k, y, q, key, value, &a);
    return y;
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const float eps = m->s.epsilon;
    wisp_view attended = attention(m, x, block);
    if (block + 1 == m->s.layers) {
        x = block_keep(k, x, "x.out");
        attended = block_keep(k, attended, "attended.out");
    }
    wisp_view h = block_scratch(k, "h", m->s.width), y = block_scratch(k, "y", m->s.width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    if (m->generation > 1) block_norm(k, BLOCK_RMS, eps, y, y, "blk.%u.post_attention_norm", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, eps, h, x, "blk.%u.ffn_norm", block);
    block_ffn_gated(k, y, h, m->s.ff_width, WISP_ACT_GELU_TANH, block);
    if (m->generation > 1) block_norm(k, BLOCK_RMS, eps, y, y, "blk.%u.post_ffw_norm", block);
    block_add(k, x, x, y);
    return x;
}

static void build(compile_builder *b, uint32_t generation)
{
    model m = {.generation = generation};
    read(&m, b);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    block_scale(&m.k, x, (float)sqrt((double)m.s.width));
    m.angles = block_rope_angles(&m.k, m.s.rope_dims);
    if (generation == 3) {
        const double base = compile_float_or(b, "rope.freq_base_swa", 10000);
        wisp_view local = compile_rope_plain(b, "wisp.rope_local", m.s.rope_dims, base, 1);
        m.local_angles = block_angles(&m.k, "local angles", local, 1);
    }
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    wisp_view h = block_scratch(&m.k, "h", m.s.width);
    block_norm(&m.k, BLOCK_RMS, m.s.epsilon, h, x, "output_norm", 0);
    block_logits(&m.k, h, 1, m.logit_cap);
}

void compile_gemma(compile_builder *b)
{
    build(b, 1);
}

void compile_gemma2(compile_builder *b)
{
    build(b, 2);
}

void compile_gemma3(compile_builder *b)
{
    build(b, 3);
}
