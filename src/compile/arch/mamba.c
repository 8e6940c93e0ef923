/* Mamba (selective state spaces) and Mamba-2, without attention and feed-forward: a layer is a gated scan behind a
 * short convolution.
 *
 * Details that have caused bugs: GGUF stores ssm_a as it is used (negative), not its logarithm; the softplus of the
 * step size comes after the bias; FalconMamba norms step size, B and C without weights (ssm.dt_b_c_rms); Mamba-2's
 * first matrix gives z, x, B, C and the step sizes in that order, and its gated norm works within groups.
 */
#include "compile/arch/ssm_blocks.h"

typedef wisp_view scan_fn(blocks *k, const block_ssm *m, float eps, wisp_view h, uint32_t block);

static void build(compile_builder *b, scan_fn *scan)
{
    blocks k;
    const block_shape s = block_read_mixed_shape(b);
    const block_ssm ssm = block_read_ssm(b);
    if (b->status) return;
    blocks_open(&k, b);
    wisp_view x = block_embed(&k, s.width);
    for (uint32_t i = 0; i < s.layers && !b->status; i++) {
        wisp_view h = block_scratch(&k, "h", s.width);
        block_norm(&k, BLOCK_RMS, s.epsilon, h, x, "blk.%u.attn_norm", i);
        wisp_view scanned = scan(&k, &ssm, s.epsilon, h, i);
        if (i + 1 == s.layers) {
            x = block_keep(&k, x, "x.out");
            scanned = block_keep(&k, scanned, "scanned.out");
        }
        wisp_view y = block_scratch(&k, "y", s.width);
        block_linear(&k, y, scanned, "blk.%u.ssm_out", i);
        block_add(&k, x, x, y);
    }
    wisp_view h = block_scratch(&k, "h", s.width);
    block_norm(&k, BLOCK_RMS, s.epsilon, h, x, "output_norm", 0);
    block_logits(&k, h, 1, 0);
}

void compile_mamba(compile_builder *b)
{
    build(b, block_mamba);
}

void compile_mamba2(compile_builder *b)
{
    build(b, block_mamba2);
}
