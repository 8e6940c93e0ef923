/* Apertus: Llama's attention with norms of each head of q and k, and a plain feed-forward of xIELU (arXiv 2411.13010).
 *
 * Details that have caused bugs: xIELU's four constants are numbers of each layer in the file's metadata, alpha_p and
 * alpha_n as they were trained: softplus makes them what the formula wants, and beta is added to that of alpha_n; pairs
 * are (i, i + d/2).
 */
#include <math.h>

#include "compile/arch/transformer.h"

static double softplus(double x)
{
    return x > 20 ? x : log1p(exp(x));
}

static void xielu_ffn(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block)
{
    compile_builder *b = k->b;
    const wisp_view up = block_scratch(k, "up", ff_width);
    const double alpha_n = softplus(compile_float_at(b, ":xielu.alpha_n", block, 0));
    const double alpha_p = softplus(compile_float_at(b, ":xielu.alpha_p", block, 0));
    const double beta = compile_float_at(b, ":xielu.beta", block, 0);
    block_linear(k, up, x, "blk.%u.ffn_up", block);
    compile_emit(b, (wisp_cmd){.op = WISP_OP_UNARY,
                               .param = {{.u = kind},
                                         {.f = (float)(alpha_n + beta)},
                                         {.f = (float)alpha_p},
                                         {.f = (float)beta},
                                         {.f = (float)compile_float_at(b, ":xielu.eps", block, 0)}},
                               .view = {up, up}});
    block_linear(k, y, up, "blk.%u.ffn_down", block);
}

void compile_apertus(compile_builder *b)
{
    blocks k;
    const block_shape s = block_read_shape(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    const block_layer l = {.norm = BLOCK_RMS,
                           .angles = block_rope_angles(&k, s.rope_dims),
                           .halves = true,
                           .prepare = block_norm_then_rotate,
                           .ffn = xielu_ffn,
                           .act = WISP_ACT_XIELU};
    for (uint32_t i = 0; i < s.layers && !b->status; i++)
        x = block_prenorm(&k, &s, &l, x, i);
    block_finish(&k, &s, BLOCK_RMS, x, 1, 0);
}
