/* GPT-2: learned positions added to the embeddings, layer norms, fused q, k and v with biases, plain GELU feed-forward.
 *
 * Details that have caused bugs: position_embd has as many rows as the context, so nothing lies past it; no rotation.
 */
#include "compile/arch/transformer.h"

void compile_gpt2(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    block_add_positions(&k, x, b->context_length);
    const block_layer l = {.norm = BLOCK_LAYER, .ffn = block_ffn_plain, .act = WISP_ACT_GELU_TANH};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_LAYER, x, 1, 0);
}
