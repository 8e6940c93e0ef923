/* Mamba (selective state spaces) and Mamba-2, without attention and feed-forward: a layer is a gated scan behind a
 * short convolution.
 *
 * Details that have caused bugs: GGUF stores ssm_a as it is used (negative), not its logarithm; the softplus of the
 * step size comes after the bias; FalconMamba norms step size, B and C without weights (ssm.dt_b_c_rms); Mamba-2's
 * first matrix gives z, x, B, C and the step sizes in that order, and its gated norm works within groups.
 */
#include "compile/arch/state_blocks.h"

enum { STATE_MAX = 4096 };

typedef struct model {
    blocks k;
    block_shape s;
    uint32_t taps, inner, state, rank, groups; /* rank: of step sizes; Mamba-2: heads */
    bool plain_norms;
} model;

static void read(model *m, compile_builder *b)
{
    m->s = block_read_mixed_shape(b);
    m->taps = compile_uint(b, "ssm.conv_kernel", 2, 64);
    m->inner = compile_uint(b, "ssm.inner_size", 1, BLOCK_WIDTH_MAX);
    m->state = compile_uint(b, "ssm.state_size", 1, STATE_MAX);
    m->rank = compile_uint(b, "ssm.time_step_rank", 1, BLOCK_WIDTH_MAX);
    m->groups = compile_uint_or(b, "ssm.group_count", 1, 1, BLOCK_HEADS_MAX);
    m->plain_norms = compile_bool_or(b, "ssm.dt_b_c_rms", false);
}

/* y + x * D, gated by silu(z): in z. */
static void gate(model *m, wisp_view z, wisp_view y, wisp_view x, wisp_view skip)
{
    block_mul(&m->k, x, x, skip);
    block_add(&m->k, y, y, x);
    block_glu(&m->k, z, y, WISP_ACT_SILU);
}

/* What goes into the layer's last matrix. */
static wisp_view scan1(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
    wisp_view xz = block_scratch(k, "xz", 2 * m->inner), x = block_scratch(k, "conv", m->inner);
    wisp_view z = block_columns(xz, m->inner, m->inner), dbc = block_scratch(k, "dbc", m->rank + 2 * m->state);
    wisp_view rank = block_columns(dbc, 0, m->rank), from = block_columns(dbc, m->rank, m->state);
    wisp_view to = block_columns(dbc, m->rank + m->state, m->state);
    wisp_view step = block_scratch(k, "step", m->inner), y = block_scratch(k, "scanned", m->inner);
    block_linear(k, xz, h, "blk.%u.ssm_in", block);
    block_conv(k, x, block_columns(xz, 0, m->inner), m->taps, "blk.%u.ssm_conv1d", block);
    block_act(k, x, WISP_ACT_SILU);
    block_linear(k, dbc, x, "blk.%u.ssm_x", block);
    if (m->plain_norms) {
        block_norm_plain(k, BLOCK_RMS, m->s.epsilon, rank, rank);
        block_norm_plain(k, BLOCK_RMS, m->s.epsilon, from, from);
        block_norm_plain(k, BLOCK_RMS, m->s.epsilon, to, to);
    }
    block_linear(k, step, rank, "blk.%u.ssm_dt", block);
    block_act(k, step, WISP_ACT_SOFTPLUS);
    wisp_view a = compile_weight_view(k->b, COMPILE_VECTOR, m->inner, m->state, "blk.%u.ssm_a", block);
    block_scan(k, (wisp_cmd){.op = WISP_OP_SSM_SCAN, .view = {y, x, step, a, from, to}}, 6,
               block_state(k, m->inner * m->state));
    gate(m, z, y, x, compile_weight_flat(k->b, m->inner, "blk.%u.ssm_d", block));
    return z;
}

static wisp_view scan2(model *m, wisp_view h, uint32_t block)
{
    blocks *k = &m->k;
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
    wisp_view grouped = block_split(z, m->groups);
    block_norm_heads(k, BLOCK_RMS, m->s.epsilon, grouped, grouped, m->groups, "blk.%u.ssm_norm", block);
    return z;
}

static void build(compile_builder *b, wisp_view (*scan)(model *m, wisp_view h, uint32_t block))
{
    model m = {0};
    read(&m, b);
    if (b->status) return;
    blocks_open(&m.k, b);
    wisp_view x = block_embed(&m.k, m.s.width);
    for (uint32_t i = 0; i < m.s.layers && !b->status; i++) {
        wisp_view h = block_scratch(&m.k, "h", m.s.width);
        block_norm(&m.k, BLOCK_RMS, m.s.epsilon, h, x, "blk.%u.attn_norm", i);
        wisp_view scanned = scan(&m, h, i);
        if (i + 1 == m.s.layers) {
            x = block_keep(&m.k, x, "x.out");
            scanned = block_keep(&m.k, scanned, "scanned.out");
        }
        wisp_view y = block_scratch(&m.k, "y", m.s.width);
        block_linear(&m.k, y, scanned, "blk.%u.ssm_out", i);
        block_add(&m.k, x, x, y);
    }
    wisp_view h = block_scratch(&m.k, "h", m.s.width);
    block_norm(&m.k, BLOCK_RMS, m.s.epsilon, h, x, "output_norm", 0);
    block_logits(&m.k, h, 1, 0);
}

void compile_mamba(compile_builder *b)
{
    build(b, scan1);
}

void compile_mamba2(compile_builder *b)
{
    build(b, scan2);
}
