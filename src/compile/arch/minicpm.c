/* Granite 3 and 4, dense and with experts, and MiniCPM: Llama's layers with four constants, for embeddings, attention,
 * what is added to the stream, and logits.
 *
 * Details that have caused bugs: logits are divided by logit_scale; old files of MiniCPM say none of the constants:
 * they are 12, 1.4 / sqrt(layers) and width / 256 then. Pairs are (2i, 2i+1). Granite with experts has the same
 * constants; the weights of the chosen experts add up to 1. Granite has no positions where rope.scaling.finetuned is
 * false.
 */
#include <math.h>

#include "compile/arch/transformer.h"

typedef struct constants {
    double embedding, residual, logits, attention; /* 0: none, of attention 1 / sqrt(key size) */
    bool rotates;
} constants;

static void build(compile_builder *b, const block_shape *s, const constants *c)
{
    blocks k;
    const block_moe moe = block_read_moe(b, s->ff_width, BLOCK_GATE_SOFTMAX, true);
    const uint32_t shared = compile_uint_or(b, "expert_shared_feed_forward_length", 0, 0, BLOCK_WIDTH_MAX);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s->width);
    if (c->embedding != 0) block_scale(&k, x, (float)c->embedding);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = c->rotates ? block_rope_angles(&k, s->rope_dims) : (wisp_view){0},
                           .attention = {.scale = (float)c->attention},
                           .ffn = block_ffn_gated,
                           .act = WISP_ACT_SILU,
                           .moe = moe.experts ? &moe : NULL,
                           .shared_width = shared,
                           .residual = (float)c->residual};
    for (uint32_t i = 0; i < s->layers && !b->status; i++)
        x = block_prenorm(&k, s, &l, x, i);
    block_finish(&k, s, BLOCK_RMS, x, (float)(c->logits != 0 ? 1 / c->logits : 1), 0);
}

void compile_granite(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    const constants c = {.embedding = compile_float_or(b, "embedding_scale", 0),
                         .residual = compile_float_or(b, "residual_scale", 0),
                         .attention = compile_float_or(b, "attention.scale", 0),
                         .logits = compile_float_or(b, "logit_scale", 1),
                         .rotates = compile_bool_or(b, "rope.scaling.finetuned", true)};
    if (!b->status) build(b, &s, &c);
}

void compile_minicpm(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    const constants c = {.embedding = compile_float_or(b, "embedding_scale", 12),
                         .residual = compile_float_or(b, "residual_scale", 1.4 / sqrt((double)s.layers)),
                         .logits = compile_float_or(b, "logit_scale", s.width / 256.0),
                         .rotates = true};
    if (!b->status) build(b, &s, &c);
}
