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

#include "compile/arch/transformer.h"

enum { LAYERS_27B_2 = 46, LAYERS_27B_3 = 62, WINDOW_2 = 4096 };

/* What the generations differ in. */
typedef struct variant {
    bool sandwich;       /* norms behind attention and feed-forward, too */
    uint32_t layers_27b; /* of the model with another scale of q */
    uint32_t pattern;    /* one layer of so many sees everything */
    uint32_t window;     /* where the file says none */
    double score_cap, logit_cap;
    bool head_norms, local_base; /* of q and k; layers with a window turn by a base of their own */
} variant;

static void build(compile_builder *b, const variant *v)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    const uint32_t size = s.layers == v->layers_27b ? s.width / s.heads : s.key_dim;
    const float score_cap = v->sandwich ? (float)compile_float_or(b, "attn_logit_softcapping", v->score_cap) : 0;
    const float logit_cap = v->sandwich ? (float)compile_float_or(b, "final_logit_softcapping", v->logit_cap) : 0;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_scale(&k, x, (float)sqrt((double)s.width));
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    wisp_view local = angles;
    if (v->local_base) {
        const double base = compile_float_or(b, "rope.freq_base_swa", 10000);
        local = block_angles(&k, "local angles", compile_rope_plain(b, "wisp.rope_local", s.rope_dims, base, 1), 1);
    }
    block_layer l = {.norm = BLOCK_RMS,
                     .halves = true,
                     .prepare = v->head_norms ? block_norm_then_rotate : NULL,
                     .attention = {.scale = (float)(1 / sqrt((double)size)), .softcap = score_cap},
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_GELU_TANH};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.attention.window = block_window(b, i, v->pattern, v->window);
        l.angles = l.attention.window ? local : angles;
        x = (v->sandwich ? block_sandwich : block_prenorm)(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, logit_cap);
}

void compile_gemma(compile_builder *b)
{
    build(b, &(variant){.pattern = 1});
}

void compile_gemma2(compile_builder *b)
{
    build(b, &(variant){.sandwich = true,
                        .layers_27b = LAYERS_27B_2,
                        .pattern = 2,
                        .window = WINDOW_2,
                        .score_cap = 50,
                        .logit_cap = 30});
}

void compile_gemma3(compile_builder *b)
{
    build(b, &(variant){
                 .sandwich = true, .layers_27b = LAYERS_27B_3, .pattern = 6, .head_norms = true, .local_base = true});
}
