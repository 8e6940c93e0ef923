/* Recurrent state in place of a cache: short convolutions, shifts by a token, and state that a layer keeps of each
 * sequence. */
#ifndef COMPILE_ARCH_STATE_BLOCKS_H
#define COMPILE_ARCH_STATE_BLOCKS_H
#include "compile/arch/model_blocks.h"

/* f32[sequences, cols], zero at a sequence's beginning, kept between steps. */
wisp_view block_state(blocks *k, uint32_t cols);
/* y = causal convolution of each column of x with the `taps` values of `name`.weight ([taps, columns] in GGUF's order,
 * the last for the token itself), and `name`.bias where the file has one. y is not x. */
void block_conv(blocks *k, wisp_view y, wisp_view x, uint32_t taps, const char *name, uint32_t block);
/* y = the token before, zeros for a sequence's first. */
void block_token_shift(blocks *k, wisp_view y, wisp_view x);
/* y = a + (b - a) * w */
void block_lerp(blocks *k, wisp_view y, wisp_view a, wisp_view b, wisp_view w);
/* x = x * s[row], of which there are as many as rows, or rows in turn. */
void block_row_scale(blocks *k, wisp_view x, wisp_view s);
/* A command over tokens whose last three operands are state, positions and sequences. */
void block_scan(blocks *k, wisp_cmd cmd, int operands, wisp_view state);

#endif
