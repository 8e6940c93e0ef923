/* Llama 1 to 3.x and what is built alike: RMS norms, grouped-query attention with rotary positions, gated SiLU
 * feed-forward, or a mixture of such experts. Mistral, Mixtral, Yi, SmolLM and others say "llama" in their files; Qwen
 * 2 and 3, dense and with experts, have names of their own.
 *
 * Details that have caused bugs: GGUF's converter permutes Q and K of "llama" so that pairs are (2i, 2i+1), Qwen's stay
 * in halves; head size comes from attention.key_length where it is there, not from embedding / heads;
 * rope.dimension_count may be less than it; a model without output.weight multiplies with token_embd.weight; Qwen 2 has
 * biases on q, k and v only; Qwen 3 norms each head of q and k before the rotation; the weights of the chosen experts
 * are made to add up to 1 in Mixtral and Qwen 3, not in Qwen 2, which has an expert that all tokens share instead,
 * behind a gate of its own.
 */
#include <math.h>

#include "compile/arch/moe_blocks.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_moe moe;
    uint32_t shared_width; /* of the expert that all share; 0: none */
    bool halves;           /* rotary pairs (i, i + d/2) */
    bool head_norms;       /* of q and k */
    wisp_view angles;
} model;

static void head_norm(model *m, wisp_view x, uint32_t heads, const char *name, uint32_t block)
{
    wisp_view each = block_split(x, heads);
    block_norm(&m->k, BLOCK_RMS, m->s.epsilon, each, each, name, block);
}

/* x -> what its attention adds, before the output projection. */
static wisp_view attention(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const block_shape *s = &m->s;
    wisp_view h = block_scratch(k, "h", s->width), q = block_scratch(k, "q", s->heads * s->key_dim);
    wisp_view key = block_scratch(k, "k", s->kv_heads * s->key_dim);
    wisp_view value = block_scratch(k, "v", s->kv_heads * s->value_dim);
    wisp_view y = block_scratch(k, "attended", s->heads * s->value_dim);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.attn_norm", block);
    block_qkv(k, q, key, value, h, block);
    if (m->head_norms) {
        head_norm(m, q, s->heads, "blk.%u.attn_q_norm", block);
        head_norm(m, key, s->kv_heads, "blk.%u.attn_k_norm", block);
    }
    block_rope(k, q, s->heads, m->angles, m->halves);
    block_rope(k, key, s->kv_heads, m->angles, m->halves);
    const block_attention a = {
        .heads = s->heads, .kv_heads = s->kv_heads, .scale = (float)(1 / sqrt((double)s->key_dim))};
    block_self_attention(k, y, q, key, value, &a);
    return y;
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view attended = attention(m, x, block);
    if (block + 1 == m->s.layers) { /* only the rows whose logits are wanted go on: the same numbers, less work */
        x = block_keep(k, x, "x.out");
        attended = block_keep(k, attended, "attended.out");
    }
    wisp_view h = block_scratch(k, "h", m->s.width), y = block_scratch(k, "y", m->s.width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, m->s.epsilon, h, x, "blk.%u.ffn_norm", block);
    if (m->moe.experts)
        block_experts(k, y, h, &m->moe, block);
    else
        block_ffn_gated(k, y, h, m->s.ff_width, WISP_ACT_SILU, block);
    if (m->shared_width) block_shared_expert(k, y, h, m->shared_width, WISP_ACT_SILU, block);
    block_add(k, x, x, y);
    return x;
}

static void build(compile_builder *b, model m, bool normalize)
{
    m.s = block_read_shape(b);
    m.moe = block_read_moe(b, m.s.ff_width, BLOCK_GATE_SOFTMAX, normalize);
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

void compile_llama(compile_builder *b)
{
    build(b, (model){0}, true);
}

void compile_qwen2(compile_builder *b)
{
    build(b, (model){.halves = true}, false);
}

void compile_qwen2moe(compile_builder *b)
{
    model m = {.halves = true};
    const uint32_t width = compile_uint_or(b, "feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    m.shared_width = compile_uint_or(b, "expert_shared_feed_forward_length", width, 1, BLOCK_WIDTH_MAX);
    build(b, m, false);
}

void compile_qwen3(compile_builder *b) /* with experts, too */
{
    build(b, (model){.halves = true, .head_norms = true}, true);
}
