/* BERT (also RoBERTa and XLM-R, as converted), Nomic-BERT 1 and 2, Jina-BERT 2 and 3: encoders that norm after
 * attention and feed-forward. What differs is how a position is told (a table, rotary halves, ALiBi) and the
 * feed-forward.
 *
 * Details that have caused bugs: GELU is the tanh approximation, as in llama.cpp; Jina-BERT 2 norms queries and keys
 * over all heads at once (with biases), may have a second norm after attention, which adds the layer's input once more,
 * and has gate and up in one matrix or in two, or no gate; its cls is one score followed by tanh; Nomic-BERT 2 has
 * experts in layers 1, 1 + n, …, whose weights do not add up to 1.
 */
#include "compile/arch/embedding_blocks.h"

typedef enum where { TABLE, ROTARY, ALIBI } where; /* how positions are told */

static void norm_all_heads(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h, uint32_t block)
{
    (void)l;
    if (block_has(k, "blk.%u.attn_q_norm.weight", block))
        block_norm(k, BLOCK_LAYER, s->epsilon, h->q, h->q, "blk.%u.attn_q_norm", block);
    if (block_has(k, "blk.%u.attn_k_norm.weight", block))
        block_norm(k, BLOCK_LAYER, s->epsilon, h->k, h->k, "blk.%u.attn_k_norm", block);
}

static void jina_ffn(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block)
{
    if (block_has(k, "blk.%u.ffn_gate.weight", block))
        block_ffn_gated(k, y, x, ff_width, kind, block);
    else if (block_rows(k, "blk.%u.ffn_up.weight", block) == ff_width)
        block_ffn_plain(k, y, x, ff_width, kind, block);
    else
        block_ffn_fused(k, y, x, ff_width, kind, block);
}

/* Experts are in layers 1, 1 + every, …; 0: in none. `hidden`: block_classifier. */
static void build(compile_builder *b, block_layer l, where positions, uint32_t every, uint32_t hidden)
{
    const block_shape s = block_read_shape(b);
    blocks k;
    if (b->status) return;
    block_open_encoder(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_add_first_type(&k, x);
    if (positions == TABLE) block_add_positions(&k, x, b->context_length);
    if (positions == ROTARY) l.angles = block_rope_angles(&k, s.rope_dims);
    if (positions == ALIBI) l.attention.slopes = block_alibi_slopes(&k, s.heads, 8);
    block_norm(&k, BLOCK_LAYER, s.epsilon, x, x, "token_embd_norm", 0);
    block_moe moe = {0};
    if (every) moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, false);
    moe.kind = l.act;
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.moe = every && i % every == 1 ? &moe : NULL;
        x = block_encoder(&k, &s, &l, x, i);
    }
    block_embedding(&k, x, &(block_classifier){PROGRAM_POOL_CLS, WISP_ACT_TANH, hidden, s.epsilon, false});
}

void compile_bert(compile_builder *b)
{
    build(b, (block_layer){.norm = BLOCK_LAYER, .ffn = block_ffn_plain, .act = WISP_ACT_GELU_TANH}, TABLE, 0, 0);
}

void compile_nomic_bert(compile_builder *b)
{
    build(b, (block_layer){.norm = BLOCK_LAYER, .halves = true, .ffn = block_ffn_gated, .act = WISP_ACT_SILU}, ROTARY,
          0, 0);
}

/* Nomic-BERT 2, and without moe_every_n_layers Jina-BERT 3 */
void compile_nomic_bert_moe(compile_builder *b)
{
    const uint32_t every = compile_uint_or(b, "moe_every_n_layers", 0, 0, BLOCK_COUNT_MAX);
    build(b, (block_layer){.norm = BLOCK_LAYER, .halves = true, .ffn = block_ffn_plain, .act = WISP_ACT_GELU_TANH},
          ROTARY, every, 0);
}

void compile_jina_bert_v2(compile_builder *b)
{
    build(b, (block_layer){.norm = BLOCK_LAYER, .prepare = norm_all_heads, .ffn = jina_ffn, .act = WISP_ACT_GELU_TANH},
          ALIBI, 0, 1);
}
