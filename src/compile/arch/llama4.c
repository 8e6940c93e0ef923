/* Llama 4, text: Llama's layers, every so many with experts and one that all tokens share; three layers of four attend
 * within chunks and turn, the fourth sees all and does not turn.
 *
 * Details that have caused bugs: chunks are of 8192 tokens, whatever attention.sliding_window says, unless it says 0:
 * then no layer has chunks, and all but the last turn; layers that turn norm each head of q and k after the rotation,
 * without weights, except in the model of 128 experts; where nothing turns, q grows with the logarithm of the position;
 * experts are chosen by the router's numbers as they are, then their sigmoids scale the experts' inputs, not their
 * outputs.
 */
#include "compile/arch/transformer.h"

enum { CHUNK = 8192, PATTERN = 4, EXPERTS_WITHOUT_NORMS = 128 };

static const float temperature = 0.1f;

static void norm_plain(blocks *k, const block_shape *s, wisp_view x, uint32_t heads)
{
    wisp_view each = block_split(x, heads);
    block_norm_plain(k, BLOCK_RMS, s->epsilon, each, each);
}

static void rotate_then_norm(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                             uint32_t block)
{
    (void)block;
    block_rotate(k, s, l, h);
    if (l->moe->experts == EXPERTS_WITHOUT_NORMS) return;
    norm_plain(k, s, h->q, s->heads);
    norm_plain(k, s, h->k, s->kv_heads);
}

static void scale_by_position(blocks *k, const block_shape *s, const block_layer *l, const block_heads *h,
                              uint32_t block)
{
    (void)s, (void)l, (void)block;
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_POSITION_SCALE,
                                  .param = {{.f = temperature}, {.u = 1}, {.u = CHUNK}},
                                  .view = {h->q, h->q, k->io.positions}});
}

/* Whether a layer has chunks; those of a list have its word for it. */
static bool has_chunks(compile_builder *b, uint32_t block)
{
    const char *key = "attention.sliding_window_pattern";
    if (compile_is_array(b, key)) return compile_uint_at(b, key, block, 0, 0, 1) == 1;
    const uint32_t pattern = compile_uint_or(b, key, PATTERN, 0, BLOCK_COUNT_MAX);
    return pattern == 0 || block % pattern < pattern - 1;
}

void compile_llama4(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    block_moe moe = block_read_moe(b, s.ff_width, BLOCK_GATE_SIGMOID_CHOSEN, false);
    const uint32_t every = compile_uint(b, "interleave_moe_layer_step", 0, BLOCK_COUNT_MAX);
    const bool chunks = compile_uint_or(b, "attention.sliding_window", CHUNK, 0, 1 << 30) > 0;
    if (!b->status && moe.experts == 0) compile_fail(b, WISP_E_INPUT, "key 'llama4.expert_count' is missing or 0");
    if (b->status) return;
    moe.gating = BLOCK_GATE_SIGMOID_CHOSEN;
    moe.weight_first = true;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    const uint32_t still = chunks ? PATTERN : s.layers; /* every so many layers do not turn */
    block_layer l = {.norm = BLOCK_RMS, .ffn = block_ffn_gated, .act = WISP_ACT_SILU, .moe = &moe};
    l.shared_width = moe.ff_width;
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        const bool turns = (i + 1) % still != 0;
        l.angles = turns ? angles : (wisp_view){0};
        l.prepare = turns ? rotate_then_norm : chunks ? scale_by_position : NULL;
        l.attention.window = chunks && has_chunks(b, i) ? CHUNK : 0;
        l.attention.mode = l.attention.window ? WISP_ATTEND_CHUNK : WISP_ATTEND_CAUSAL;
        l.dense_layers = every && (i + 1) % every == 0 ? 0 : s.layers;
        x = block_prenorm(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
