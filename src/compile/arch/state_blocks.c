#include "compile/arch/state_blocks.h"

#include <stdio.h>

enum { NAME_BYTES = 96 };

wisp_view block_state(blocks *k, uint32_t cols)
{
    const program_buffer size = {.role = PROGRAM_ROLE_KV, .per_seq = (uint64_t)cols * 4};
    return compile_view(compile_buffer(k->b, size), WISP_F32, PROGRAM_SEQUENCES, cols);
}

/* GGUF has a row a column, the device wants a row a tap. */
static wisp_view transposed(blocks *k, uint32_t taps, uint32_t cols, const char *name, uint32_t block)
{
    char full[NAME_BYTES], made[NAME_BYTES];
    snprintf(full, sizeof full, "%s.weight", name);
    const float *w = compile_weight_values(k->b, (uint64_t)taps * cols, full, block);
    float *turned = compile_keep(k->b, (uint64_t)taps * cols * sizeof *turned);
    if (!k->b->status && !w)
        compile_fail(k->b, WISP_E_INPUT, "tensor '%s' of block %u is missing", full, (unsigned)block);
    if (k->b->status) return (wisp_view){0};
    for (uint32_t c = 0; c < cols; c++)
        for (uint32_t t = 0; t < taps; t++)
            turned[(size_t)t * cols + c] = w[(size_t)c * taps + t];
    snprintf(made, sizeof made, "wisp.conv.%u.%s", (unsigned)block, name);
    wisp_view v = compile_weight_made(k->b, made, WISP_F32, turned, taps * cols);
    return block_split(v, taps);
}

void block_conv(blocks *k, wisp_view y, wisp_view x, uint32_t taps, const char *name, uint32_t block)
{
    char full[NAME_BYTES];
    snprintf(full, sizeof full, "%s.bias", name);
    wisp_view w = transposed(k, taps, x.cols, name, block);
    wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, 1, x.cols, full, block);
    if (k->b->status) return;
    block_scan(k, (wisp_cmd){.op = WISP_OP_CONV, .view = {y, x, w, bias}}, 4, block_state(k, (taps - 1) * x.cols));
}

void block_token_shift(blocks *k, wisp_view y, wisp_view x)
{
    block_scan(k, (wisp_cmd){.op = WISP_OP_TOKEN_SHIFT, .view = {y, x}}, 2, block_state(k, x.cols));
}

void block_lerp(blocks *k, wisp_view y, wisp_view a, wisp_view b, wisp_view w)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_LERP, .view = {y, a, b, w}});
}

void block_row_scale(blocks *k, wisp_view x, wisp_view s)
{
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ROW_SCALE, .view = {x, x, s}});
}

void block_scan(blocks *k, wisp_cmd cmd, int operands, wisp_view state)
{
    cmd.view[operands] = state;
    cmd.view[operands + 1] = k->io.positions;
    cmd.view[operands + 2] = k->io.seqs;
    compile_emit(k->b, cmd);
}
