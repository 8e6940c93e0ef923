/* ModernBERT, NeoBERT, EuroBERT: encoders that norm before attention and feed-forward, with rotary positions, and norm
 * once more at the end.
 *
 * Details that have caused bugs: ModernBERT has no attn_norm in layer 0; every third layer, beginning with the first,
 * sees everything, the others a window of half its size to either side and turn by a base of their own (10,000 unless
 * rope.freq_base_swa says so) without scaling; gate and up are one matrix, gate first; the activation is what
 * hidden_activation names, else GELU (tanh). NeoBERT rotates neighbours, the others halves.
 */
#include <string.h>

#include "compile/arch/embedding_blocks.h"

typedef struct modern {
    wisp_view angles, local_angles;
    uint32_t window, pattern;
} modern;

static wisp_act read_activation(compile_builder *b)
{
    const base_span text = compile_string_or(b, "hidden_activation", "gelu");
    static const char *const silu[] = {"silu", "swish", "swiglu"};
    for (size_t i = 0; i < sizeof silu / sizeof *silu; i++)
        if (text.size == strlen(silu[i]) && memcmp(text.data, silu[i], text.size) == 0) return WISP_ACT_SILU;
    if (text.size == 5 && memcmp(text.data, "reglu", 5) == 0) return WISP_ACT_RELU;
    return WISP_ACT_GELU_TANH;
}

static void read_window(blocks *k, const block_shape *s, modern *m)
{
    compile_builder *b = k->b;
    m->angles = block_rope_angles(k, s->rope_dims);
    m->window = compile_uint_or(b, "attention.sliding_window", 0, 0, 1 << 30);
    if (m->window == 0) return;
    if (!compile_is_array(b, "attention.sliding_window_pattern"))
        m->pattern = compile_uint_or(b, "attention.sliding_window_pattern", 3, 0, BLOCK_COUNT_MAX);
    const double base = compile_float_or(b, "rope.freq_base_swa", 10000);
    m->local_angles =
        block_angles(k, "local angles", compile_rope_plain(b, "wisp.rope_local", s->rope_dims, base, 1), 1);
}

static bool is_local(compile_builder *b, const modern *m, uint32_t layer)
{
    if (m->window == 0) return false;
    if (compile_is_array(b, "attention.sliding_window_pattern"))
        return compile_uint_at(b, "attention.sliding_window_pattern", layer, 0, 0, 1);
    return m->pattern == 0 || layer % m->pattern != 0;
}

static wisp_view modern_layer(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    if (block > 0 || block_has(k, "blk.%u.attn_norm.weight", 0)) return block_prenorm(k, s, l, x, block);
    wisp_view attended = block_attention_of(k, s, l, x, block);
    block_keep_wanted(k, s, &x, &attended, block);
    return block_after_attention(k, s, l, x, attended, block);
}

void compile_modern_bert(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    modern m = {0};
    blocks k;
    if (b->status) return;
    block_open_encoder(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_norm(&k, BLOCK_LAYER, s.epsilon, x, x, "token_embd_norm", 0);
    read_window(&k, &s, &m);
    block_layer l = {.norm = BLOCK_LAYER, .halves = true, .ffn = block_ffn_fused, .act = read_activation(b)};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        const bool local = is_local(b, &m, i);
        l.angles = local ? m.local_angles : m.angles;
        l.attention.window = local ? m.window : 0;
        l.attention.mode = local ? WISP_ATTEND_SYMMETRIC : WISP_ATTEND_CAUSAL;
        x = modern_layer(&k, &s, &l, x, i);
    }
    block_norm(&k, BLOCK_LAYER, s.epsilon, x, x, "output_norm", 0);
    block_embedding(&k, x, &(block_classifier){PROGRAM_POOL_MEAN, WISP_ACT_GELU_TANH, 0, s.epsilon, false});
}

static void build(compile_builder *b, block_layer l, const char *last_norm)
{
    const block_shape s = block_read_shape(b);
    blocks k;
    if (b->status) return;
    block_open_encoder(&k, b);
    wisp_view x = block_embed(&k, s.width);
    l.angles = block_rope_angles(&k, s.rope_dims);
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_norm(&k, BLOCK_RMS, s.epsilon, x, x, last_norm, 0);
    block_embedding(&k, x, &(block_classifier){PROGRAM_POOL_CLS, WISP_ACT_TANH, 0, s.epsilon, false});
}

void compile_neo_bert(compile_builder *b)
{
    build(b, (block_layer){.norm = BLOCK_RMS, .ffn = block_ffn_fused, .act = WISP_ACT_SILU}, "enc.output_norm");
}

void compile_eurobert(compile_builder *b)
{
    build(b, (block_layer){.norm = BLOCK_RMS, .halves = true, .ffn = block_ffn_gated, .act = WISP_ACT_SILU},
          "output_norm");
}
