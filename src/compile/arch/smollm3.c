/* SmolLM 3: Llama's layers, where every fourth has no rotation.
 *
 * Details that have caused bugs: no key of the file says which layers: the fourth, the eighth, …; pairs are (2i, 2i+1).
 */
#include "compile/arch/transformer.h"

enum { UNTURNED = 4 };

void compile_smollm3(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const wisp_view angles = block_rope_angles(&k, s.rope_dims);
    block_layer l = {.norm = BLOCK_RMS, .ffn = block_ffn_gated, .act = WISP_ACT_SILU};
    l.attention.scale = (float)compile_float_or(b, "attention.scale", 0);
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        l.angles = (i + 1) % UNTURNED ? angles : (wisp_view){0};
        x = block_prenorm(&k, &s, &l, x, i);
    }
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
