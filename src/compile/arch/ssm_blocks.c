#include "compile/arch/ssm_blocks.h"

#include <stdio.h>

enum { STATE_MAX = 4096, NAME_BYTES = 96 };

block_ssm block_read_ssm(compile_builder *b)
{
    return (block_ssm){.taps = compile_uint(b, "ssm.conv_kernel", 2, 64),
                       .inner = compile_uint(b, "ssm.inner_size", 1, BLOCK_WIDTH_MAX),
                       .state = compile_uint(b, "ssm.state_size", 1, STATE_MAX),
                       .rank = compile_uint(b, "ssm.time_step_rank", 1, BLOCK_WIDTH_MAX),
                       .groups = compile_uint_or(b, "ssm.group_count", 1, 1, BLOCK_HEADS_MAX),
                       .plain_norms = compile_bool_or(b, "ssm.dt_b_c_rms", false)};
}

/* y + x * D, gated by silu(z): in z. */
static void gate(blocks *k, wisp_view z, wisp_view y, wisp_view x, wisp_view skip)
{
    block_mul(k, x, x, skip);
    block_add(k, y, y, x);
    block_glu(k, z, y, WISP_ACT_SILU);
}

static bool has_norm(const blocks *k, uint32_t block)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "blk.%u.ssm_dt_norm.weight", (unsigned)block);
    return compile_exists(k->b, name);
}

/* Jamba norms step sizes, B and C with weights, FalconMamba without. */
static void norm_each(blocks *k, const block_ssm *m, float eps, wisp_view rank, wisp_view from, wisp_view to,
                      uint32_t block)
{
    if (has_norm(k, block)) {
        block_norm(k, BLOCK_RMS, eps, rank, rank, "blk.%u.ssm_dt_norm", block);
        block_norm(k, BLOCK_RMS, eps, from, from, "blk.%u.ssm_b_norm", block);
        block_norm(k, BLOCK_RMS, eps, to, to, "blk.%u.ssm_c_norm", block);
    } else if (m->plain_norms) {
        block_norm_plain(k, BLOCK_RMS, eps, rank, rank);
        block_norm_plain(k, BLOCK_RMS, eps, from, from);
        block_norm_plain(k, BLOCK_RMS, eps, to, to);
    }
}

wisp_view block_mamba(blocks *k, const block_ssm *m, float eps, wisp_view h, uint32_t block)
{
    wisp_view xz = block_scratch(k, "xz", 2 * m->inner), x = block_scratch(k, "conv", m->inner);
    wisp_view z = block_columns(xz, m->inner, m->inner), dbc = block_scratch(k, "dbc", m->rank + 2 * m->state);
    wisp_view rank = block_columns(dbc, 0, m->rank), from = block_columns(dbc, m->rank, m->state);
    wisp_view to = block_columns(dbc, m->rank + m->state, m->state);
    wisp_view step = block_scratch(k, "step", m->inner), y = block_scratch(k, "scanned", m->inner);
    block_linear(k, xz, h, "blk.%u.ssm_in", block);
    block_conv(k, x, block_columns(xz, 0, m->inner), m->taps, "blk.%u.ssm_conv1d", block);
    block_act(k, x, WISP_ACT_SILU);
    block_linear(k, dbc, x, "blk.%u.ssm_x", block);
    norm_each(k, m, eps, rank, from, to, block);
    block_linear(k, step, rank, "blk.%u.ssm_dt", block);
    block_act(k, step, WISP_ACT_SOFTPLUS);
    wisp_view a = compile_weight_view(k->b, COMPILE_VECTOR, m->inner, m->state, "blk.%u.ssm_a", block);
    block_scan(k, (wisp_cmd){.op = WISP_OP_SSM_SCAN, .view = {y, x, step, a, from, to}}, 6,
               block_state(k, m->inner * m->state));
    gate(k, z, y, x, compile_weight_flat(k->b, m->inner, "blk.%u.ssm_d", block));
    return z;
}

/* The norm of each group, which not all models have. */
static void norm_groups(blocks *k, const block_ssm *m, float eps, wisp_view z, uint32_t block)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "blk.%u.ssm_norm.weight", (unsigned)block);
    if (!compile_exists(k->b, name)) return;
    wisp_view grouped = block_split(z, m->groups);
    block_norm_heads(k, BLOCK_RMS, eps, grouped, grouped, m->groups, "blk.%u.ssm_norm", block);
}

wisp_view block_mamba2(blocks *k, const block_ssm *m, float eps, wisp_view h, uint32_t block)
{
    const uint32_t heads = m->rank, mixed = m->inner + 2 * m->groups * m->state;
    wisp_view all = block_scratch(k, "xz", m->inner + mixed + heads), conv = block_scratch(k, "conv", mixed);
    wisp_view z = block_scratch(k, "z", m->inner), step = block_scratch(k, "step", heads);
    wisp_view x = block_columns(conv, 0, m->inner), y = block_scratch(k, "scanned", m->inner);
    wisp_view from = block_columns(conv, m->inner, m->groups * m->state);
    wisp_view to = block_columns(conv, m->inner + m->groups * m->state, m->groups * m->state);
    block_linear(k, all, h, "blk.%u.ssm_in", block);
    block_conv(k, conv, block_columns(all, m->inner, mixed), m->taps, "blk.%u.ssm_conv1d", block);
    block_act(k, conv, WISP_ACT_SILU);
    block_add(k, step, block_columns(all, m->inner + mixed, heads),
              compile_weight_flat(k->b, heads, "blk.%u.ssm_dt.bias", block));
    block_act(k, step, WISP_ACT_SOFTPLUS);
    block_scan(k,
               (wisp_cmd){.op = WISP_OP_SSD_SCAN,
                          .param = {{.u = heads}, {.u = m->groups}},
                          .view = {y, x, step, compile_weight_flat(k->b, heads, "blk.%u.ssm_a", block), from, to}},
               6, block_state(k, m->inner * m->state));
    wisp_view skipped = block_scratch(k, "skipped", m->inner);
    wisp_view skip = block_split(compile_weight_flat(k->b, heads, "blk.%u.ssm_d", block), heads);
    block_copy(k, skipped, x);
    block_row_scale(k, block_split(skipped, heads), skip);
    block_add(k, y, y, skipped);
    block_copy(k, z, block_columns(all, 0, m->inner));
    block_glu(k, z, y, WISP_ACT_SILU);
    norm_groups(k, m, eps, z, block);
    return z;
}
