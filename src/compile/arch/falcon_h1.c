/* Falcon-H1: in every layer attention and a Mamba-2 scan side by side on one norm, then a gated SiLU feed-forward.
 *
 * Details that have caused bugs: the norm before the feed-forward is called "blk.N.ffn_norm", without ".weight"; small
 * models have no norm of the scan's groups; the multipliers of the original are folded into the matrices.
 */
#include <stdio.h>

#include "compile/arch/ssm_blocks.h"
#include "compile/arch/transformer.h"

typedef struct model {
    blocks k;
    block_shape s;
    block_ssm ssm;
    block_layer l;
} model;

static void feed_forward_norm(model *m, wisp_view h, wisp_view x, uint32_t block)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%u.ffn_norm.weight", (unsigned)block);
    const bool usual = compile_exists(m->k.b, name);
    wisp_view w = compile_weight_view(m->k.b, COMPILE_VECTOR, 1, m->s.width,
                                      usual ? "blk.%u.ffn_norm.weight" : "blk.%u.ffn_norm", block);
    compile_emit(m->k.b, (wisp_cmd){.op = WISP_OP_RMS_NORM, .param = {{.f = m->s.epsilon}}, .view = {h, x, w}});
}

static wisp_view layer(model *m, wisp_view x, uint32_t block)
{
    blocks *k = &m->k;
    const block_shape *s = &m->s;
    wisp_view h = block_scratch(k, "h", s->width);
    block_norm(k, BLOCK_RMS, s->epsilon, h, x, "blk.%u.attn_norm", block);
    wisp_view attended = block_attention_of(k, s, &m->l, h, block);
    wisp_view scanned = block_mamba2(k, &m->ssm, s->epsilon, h, block);
    if (block + 1 == s->layers) {
        x = block_keep(k, x, "x.out");
        attended = block_keep(k, attended, "attended.out");
        scanned = block_keep(k, scanned, "scanned.out");
    }
    wisp_view y = block_scratch(k, "y", s->width), z = block_scratch(k, "from the scan", s->width);
    h = block_scratch(k, "h", s->width);
    block_linear(k, y, attended, "blk.%u.attn_output", block);
    block_linear(k, z, scanned, "blk.%u.ssm_out", block);
    block_add(k, y, y, z);
    block_add(k, x, x, y);
    feed_forward_norm(m, h, x, block);
    block_ffn_gated(k, y, h, s->ff_width, WISP_ACT_SILU, block);
    block_add(k, x, x, y);
    return x;
}

void compile_falcon_h1(compile_builder *b)
{
    model m = {.s = block_read_shape(b), .ssm = block_read_ssm(b)};
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    m.l = (block_layer){.norm = BLOCK_RMS, .angles = block_rope_angles(&m.k, m.s.rope_dims), .halves = true};
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++)
        x = layer(&m, x, i);
    block_finish(&m.k, &m.s, BLOCK_RMS, x, 1, 0);
}
