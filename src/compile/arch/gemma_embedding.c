/* EmbeddingGemma: a Gemma 3 (gemma.c) whose tokens see those after them, too.
 *
 * Details that have caused bugs: windows reach half their size to either side; q is scaled by 1 / sqrt(key size)
 * whatever the model's size; dense_2 and dense_3 follow the pooling, without biases or activation, and only files that
 * were converted with them have them; layers with a window turn by 10,000 unless rope.freq_base_swa says otherwise.
 */
#include <math.h>

#include "compile/arch/embedding_blocks.h"

/* What sentence-transformers has after its pooling. */
static void dense_head(blocks *k, uint32_t width)
{
    compile_builder *b = k->b;
    const bool second = compile_exists(b, "dense_2.weight"), third = compile_exists(b, "dense_3.weight");
    if ((!second && !third) || b->pooling == PROGRAM_POOL_RANK || b->status) return;
    wisp_view x = block_head_begin(k);
    if (second) {
        const wisp_view wide = block_scratch(k, "dense", compile_uint(b, "dense_2_feat_out", 1, BLOCK_WIDTH_MAX));
        block_linear(k, wide, x, "dense_2", 0);
        x = wide;
    }
    if (third) {
        const wisp_view y = block_scratch(k, "vector", width);
        block_linear(k, y, x, "dense_3", 0);
        x = y;
    }
    block_head_end(k, x);
}

void compile_gemma_embedding(compile_builder *b)
{
    const block_shape s = block_read_shape(b);
    blocks k;
    if (b->status) return;
    block_open_encoder(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_scale(&k, x, (float)sqrt((double)s.width));
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    const double base = compile_float_or(b, "rope.freq_base_swa", 10000);
    const wisp_view local =
        block_angles(&k, "local angles", compile_rope_plain(b, "wisp.rope_local", s.rope_dims, base, 1), 1);
    block_layer l = {.norm = BLOCK_RMS,
                     .halves = true,
                     .prepare = block_norm_then_rotate,
                     .ffn = block_ffn_gated,
                     .act = WISP_ACT_GELU_TANH};
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.attention.window = block_window(b, i, 6, 0);
        l.attention.mode = l.attention.window ? WISP_ATTEND_SYMMETRIC : WISP_ATTEND_CAUSAL;
        l.angles = l.attention.window ? local : angles;
        x = block_sandwich(&k, &s, &l, x, i);
    }
    const wisp_view h = block_scratch(&k, "h", s.width);
    block_norm(&k, BLOCK_RMS, s.epsilon, h, x, "output_norm", 0);
    block_embedding(&k, h, &(block_classifier){PROGRAM_POOL_CLS, WISP_ACT_TANH, 0, s.epsilon, false});
    dense_head(&k, s.width);
}
