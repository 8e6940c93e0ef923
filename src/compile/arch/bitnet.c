/* BitNet b1.58: ternary weights with one scale a matrix, norms inside attention and feed-forward, before their output
 * projections; rotary halves, gated SiLU feed-forward, output tied to the embeddings.
 *
 * Details that have caused bugs: the scale is a tensor of its own ("attn_q.scale"), a single number, and multiplies the
 * product; files whose weights hold it already have none.
 */
#include "compile/arch/transformer.h"

#include <stdio.h>

/* A product with "NAME.weight", times "NAME.scale" where the file has one. */
static void scaled_linear(blocks *k, wisp_view y, wisp_view x, const char *name, uint32_t block)
{
    char scale[64];
    snprintf(scale, sizeof scale, "%s.scale", name);
    block_linear(k, y, x, name, block);
    const wisp_view by = compile_weight_optional(k->b, COMPILE_VECTOR, 1, 1, scale, block);
    if (by.buffer) block_mul(k, block_split(y, y.cols), block_split(y, y.cols), by);
}

static wisp_view attention(blocks *k, const block_shape *s, const block_layer *l, wisp_view h, uint32_t block)
{
    const block_heads p = {.q = block_scratch(k, "q", s->heads * s->key_dim),
                           .k = block_scratch(k, "k", s->kv_heads * s->key_dim),
                           .v = block_scratch(k, "v", s->kv_heads * s->value_dim)};
    scaled_linear(k, p.q, h, "blk.%u.attn_q", block);
    scaled_linear(k, p.k, h, "blk.%u.attn_k", block);
    scaled_linear(k, p.v, h, "blk.%u.attn_v", block);
    block_rotate(k, s, l, &p);
    return block_attend_heads(k, s, l, &p);
}

static wisp_view layer(blocks *k, const block_shape *s, const block_layer *l, wisp_view x, uint32_t block)
{
    wisp_view h = block_scratch(k, "h", s->width);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view attended = attention(k, s, l, h, block);
    block_keep_wanted(k, s, &x, &attended, block);
    const wisp_view y = block_scratch(k, "y", s->width);
    h = block_scratch(k, "h", s->width);
    const wisp_view gate = block_scratch(k, "gate", s->ff_width), up = block_scratch(k, "up", s->ff_width);
    block_norm(k, BLOCK_RMS, s->epsilon, attended, attended, "blk.%u.attn_sub_norm", block);
    scaled_linear(k, y, attended, "blk.%u.attn_output", block);
    block_add(k, x, x, y);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.ffn_norm", block);
    scaled_linear(k, gate, h, "blk.%u.ffn_gate", block);
    scaled_linear(k, up, h, "blk.%u.ffn_up", block);
    block_glu(k, gate, up, WISP_ACT_SILU);
    block_norm(k, BLOCK_RMS, s->epsilon, gate, gate, "blk.%u.ffn_sub_norm", block);
    scaled_linear(k, y, gate, "blk.%u.ffn_down", block);
    block_add(k, x, x, y);
    return x;
}

void compile_bitnet(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.angles = block_rope_angles(&k, s.rope_dims), .halves = true};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = layer(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
