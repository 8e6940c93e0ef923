/* Phi-3, 3.5 and 4: like Llama, with q, k and v in one matrix, gate and up in one, and rotary halves; Phi-3.5 with
 * experts (phimoe), with biases everywhere.
 *
 * Details that have caused bugs: long-context models have two sets of divisors of the angles (rope.c);
 * attention.sliding_window is in the files of models that were not trained with one: it is left out here, as in the
 * engines that these files are made for; Phi-4 mini ties its output to the embeddings and turns only part of a head;
 * the norms of the model with experts are RMS norms, in spite of their biases, and the weights of its chosen experts
 * add up to 1.
 */
#include "compile/arch/transformer.h"

static void build(compile_builder *b, const block_moe *moe)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .ffn = block_ffn_fused,
                           .act = WISP_ACT_SILU,
                           .moe = moe};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}

void compile_phi3(compile_builder *b)
{
    build(b, NULL);
}

void compile_phimoe(compile_builder *b)
{
    const uint32_t width = compile_uint(b, "feed_forward_length", 1, BLOCK_WIDTH_MAX);
    block_moe moe = block_read_moe(b, width, BLOCK_GATE_SOFTMAX, true);
    moe.ff_width = width;
    build(b, &moe);
}
