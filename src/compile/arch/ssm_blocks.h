/* Selective state spaces: Mamba's scan and Mamba-2's, each with its projections, its short convolution and its gate, up
 * to the last matrix (blk.%u.ssm_out). */
#ifndef COMPILE_ARCH_SSM_BLOCKS_H
#define COMPILE_ARCH_SSM_BLOCKS_H
#include "compile/arch/state_blocks.h"

typedef struct block_ssm {
    uint32_t taps, inner, state;
    uint32_t rank;    /* of step sizes; Mamba-2: heads */
    uint32_t groups;  /* Mamba-2: of B and C */
    bool plain_norms; /* of step sizes, B and C, without weights */
} block_ssm;

/* From ssm.conv_kernel, inner_size, state_size, time_step_rank, group_count and dt_b_c_rms. */
block_ssm block_read_ssm(compile_builder *b);
/* What goes into the last matrix, from the normed input h. eps: of RMS norms inside. */
wisp_view block_mamba(blocks *k, const block_ssm *m, float eps, wisp_view h, uint32_t block);
wisp_view block_mamba2(blocks *k, const block_ssm *m, float eps, wisp_view h, uint32_t block);

#endif
