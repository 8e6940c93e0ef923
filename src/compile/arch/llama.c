/* Llama 1 to 3.x and what is built alike: RMS norms, grouped-query attention with rotary positions, gated SiLU
 * feed-forward, or a mixture of such experts. Mistral, Mixtral, Yi, SmolLM and others say "llama" in their files; Qwen
 * 2 and 3, dense and with experts, Qwen 2 VL's text part, EXAONE 3, InternLM 2 and Ministral 3 have names of their own.
 *
 * Details that have caused bugs: GGUF's converter permutes Q and K of "llama" so that pairs are (2i, 2i+1), Qwen's stay
 * in halves; head size comes from attention.key_length where it is there, not from embedding / heads;
 * rope.dimension_count may be less than it; a model without output.weight multiplies with token_embd.weight; Qwen 2 has
 * biases on q, k and v only; Qwen 3 norms each head of q and k before the rotation; the weights of the chosen experts
 * are made to add up to 1 in Mixtral and Qwen 3, not in Qwen 2, which has an expert that all tokens share instead,
 * behind a gate of its own. GGUF's converter splits InternLM's fused wqkv, whose rows go by key/value head, and
 * permutes q and k; EXAONE's it leaves in halves. rope.dimension_sections of Qwen 2 VL share a head between three axes
 * of an image: of text all three are the same position, so the rotation is the ordinary one.
 */
#include "compile/arch/transformer.h"

/* q grows with its position. */
static void rotate_then_grow(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                             uint32_t block)
{
    (void)block;
    const float much = (float)compile_float_or(k->b, "attention.temperature_scale", 0);
    const uint32_t length =
        compile_uint_or(k->b, "rope.scaling.original_context_length", k->b->context_length, 1, 1 << 30);
    block_rotate(k, s, l, h);
    if (much != 0)
        compile_emit(k->b, (wisp_cmd){.op = WISP_OP_POSITION_SCALE,
                                      .param = {{.f = much}, {.u = 0}, {.u = length}},
                                      .view = {h->q, h->q, k->io.positions}});
}

static void build(compile_builder *b, block_layer l, bool normalize)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    const block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SOFTMAX, normalize);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    l.norm = BLOCK_RMS;
    l.angles = block_rope_angles(&k, s.rope_dims);
    l.ffn = block_ffn_gated;
    l.act = WISP_ACT_SILU;
    l.moe = moe.experts ? &moe : NULL;
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}

void compile_llama(compile_builder *b) /* InternLM 2, too */
{
    build(b, (block_layer){0}, true);
}

void compile_mistral3(compile_builder *b)
{
    build(b, (block_layer){.prepare = rotate_then_grow}, true);
}

void compile_qwen2(compile_builder *b) /* Qwen 2 VL and EXAONE 3, too */
{
    build(b, (block_layer){.halves = true}, false);
}

void compile_qwen2moe(compile_builder *b)
{
    block_layer l = {.halves = true};
    const uint32_t width = compile_uint_or(b, "feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    l.shared_width = compile_uint_or(b, "expert_shared_feed_forward_length", width, 1, BLOCK_WIDTH_MAX);
    build(b, l, false);
}

void compile_qwen3(compile_builder *b) /* with experts, too */
{
    build(b, (block_layer){.halves = true, .prepare = block_norm_then_rotate}, true);
}
