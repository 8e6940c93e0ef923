#include "compile/arch/moe_blocks.h"

#include <stdio.h>

enum { NAME_BYTES = 96, EXPERTS_MAX = 4096 };

/* Sums below the smallest normal number of F16 do not divide. */
static const float least_sum = 0x1p-14f;

block_moe block_read_moe(compile_builder *b, uint32_t ff_width, block_gating gating, bool normalize)
{
    block_moe m = {.kind = WISP_ACT_SILU};
    m.experts = compile_uint_or(b, "expert_count", 0, 0, EXPERTS_MAX);
    if (m.experts == 0) return m;
    m.used = compile_is_array(b, "expert_used_count") ? compile_uint_at(b, "expert_used_count", 0, 0, 0, m.experts)
                                                      : compile_uint(b, "expert_used_count", 1, m.experts);
    const uint32_t least = compile_is_array(b, "expert_feed_forward_length") ? 0 : 1; /* a layer without experts */
    m.ff_width = compile_uint_at(b, "expert_feed_forward_length", 0, ff_width, least, BLOCK_WIDTH_MAX);
    m.gating = (block_gating)compile_uint_or(b, "expert_gating_func", 0, 0, BLOCK_GATE_SOFTMAX_CHOSEN);
    if (m.gating == 0) m.gating = gating;
    m.normalize = compile_bool_or(b, "expert_weights_norm", normalize);
    m.scale = (float)compile_float_or(b, "expert_weights_scale", 1);
    if (m.scale == 0) m.scale = 1;
    m.groups = compile_uint_or(b, "expert_group_count", 0, 0, 64);
    m.kept = compile_uint_or(b, "expert_group_used_count", 0, 0, 64);
    if (m.groups <= 1) m.groups = m.kept = 0;
    return m;
}

static wisp_view ints(wisp_view v)
{
    v.type = WISP_I32;
    return v;
}

static void unary(blocks *k, uint32_t op, wisp_view x)
{
    compile_emit(k->b, (wisp_cmd){.op = op, .view = {x, x}});
}

/* The numbers of the chosen experts, and their weights. */
static void route(blocks *k, wisp_view x, const block_moe *m, uint32_t block, wisp_view *chosen, wisp_view *weights)
{
    wisp_view logits = block_scratch(k, "router", m->experts);
    *chosen = ints(block_scratch(k, "chosen experts", m->used));
    *weights = block_scratch(k, "expert weights", m->used);
    block_linear(k, logits, x, "blk.%u.ffn_gate_inp", block);
    if (m->gating == BLOCK_GATE_SOFTMAX) unary(k, WISP_OP_SOFTMAX, logits);
    if (m->gating == BLOCK_GATE_SIGMOID) block_act(k, logits, WISP_ACT_SIGMOID);
    wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, 1, m->experts, "blk.%u.exp_probs_b.bias", block);
    compile_emit(
        k->b,
        (wisp_cmd){.op = WISP_OP_TOPK, .param = {{.u = m->groups}, {.u = m->kept}}, .view = {*chosen, logits, bias}});
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_PICK, .view = {*weights, logits, *chosen}});
    if (m->gating == BLOCK_GATE_SOFTMAX_CHOSEN) unary(k, WISP_OP_SOFTMAX, *weights);
    if (m->gating == BLOCK_GATE_SIGMOID_CHOSEN) block_act(k, *weights, WISP_ACT_SIGMOID);
    if (m->normalize)
        compile_emit(k->b, (wisp_cmd){.op = WISP_OP_NORM_SUM,
                                      .param = {{.f = least_sum}, {.f = m->scale}},
                                      .view = {*weights, *weights}});
    else
        block_scale(k, *weights, m->scale);
}

/* y, a row for each chosen expert, from x's rows for each of them or for all. */
static void expert_linear(blocks *k, wisp_view y, wisp_view x, wisp_view chosen, const block_moe *m, const char *name,
                          uint32_t block)
{
    char full[NAME_BYTES];
    snprintf(full, sizeof full, "%s.weight", name);
    wisp_view w = compile_weight_stack(k->b, m->experts, y.cols, x.cols, full, block);
    snprintf(full, sizeof full, "%s.bias", name);
    wisp_view bias = compile_weight_optional(k->b, COMPILE_VECTOR, m->experts, y.cols, full, block);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_MATMUL_ID, .view = {y, x, w, chosen, bias}});
}

static void activate(blocks *k, wisp_view gate, wisp_view up, const block_moe *m, bool gated)
{
    const wisp_cmd glu = {
        .op = WISP_OP_GLU, .param = {{.u = m->kind}, {.f = m->a}, {.f = m->b}}, .view = {gate, gate, up}};
    const wisp_cmd plain = {
        .op = WISP_OP_UNARY, .param = {{.u = m->kind}, {.f = m->a}, {.f = m->b}}, .view = {gate, gate}};
    compile_emit(k->b, gated ? glu : plain);
}

/* Rows of each chosen expert, active: what its second matrix reads. */
static wisp_view expert_inner(blocks *k, wisp_view x, wisp_view chosen, const block_moe *m, uint32_t block)
{
    if (block_has(k, "blk.%u.ffn_gate_up_exps.weight", block)) {
        wisp_view both = block_split(block_scratch(k, "expert gate", 2 * m->used * m->ff_width), m->used);
        wisp_view gate = block_columns(both, 0, m->ff_width), up = block_columns(both, m->ff_width, m->ff_width);
        expert_linear(k, both, x, chosen, m, "blk.%u.ffn_gate_up_exps", block);
        activate(k, gate, up, m, true);
        return gate;
    }
    wisp_view up = block_split(block_scratch(k, "expert up", m->used * m->ff_width), m->used);
    expert_linear(k, up, x, chosen, m, "blk.%u.ffn_up_exps", block);
    if (!block_has(k, "blk.%u.ffn_gate_exps.weight", block)) {
        activate(k, up, up, m, false);
        return up;
    }
    wisp_view gate = block_split(block_scratch(k, "expert gate", m->used * m->ff_width), m->used);
    expert_linear(k, gate, x, chosen, m, "blk.%u.ffn_gate_exps", block);
    activate(k, gate, up, m, true);
    return gate;
}

/* x for each chosen expert, times its weight; the weights become 1. */
static wisp_view weigh_first(blocks *k, wisp_view x, wisp_view weights, const block_moe *m)
{
    wisp_view each = block_split(block_scratch(k, "expert input", m->used * x.cols), m->used);
    block_copy(k, each, x);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ROW_SCALE, .view = {each, each, block_split(weights, m->used)}});
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_AFFINE, .param = {{.f = 0}, {.f = 1}}, .view = {weights, weights}});
    return each;
}

void block_experts_routed_by(blocks *k, wisp_view y, wisp_view x, wisp_view router_input, const block_moe *m,
                             uint32_t block)
{
    wisp_view chosen, weights;
    if (!k->b->status && (m->experts == 0 || m->used == 0 || m->ff_width == 0))
        compile_fail(k->b, WISP_E_INPUT, "key '%s.expert_%s' is missing or 0", k->b->architecture,
                     m->experts == 0 ? "count"
                     : m->used == 0  ? "used_count"
                                     : "feed_forward_length");
    if (k->b->status) return;
    route(k, router_input, m, block, &chosen, &weights);
    if (m->weight_first) x = weigh_first(k, x, weights, m);
    wisp_view inner = expert_inner(k, x, chosen, m, block);
    wisp_view each = block_split(block_scratch(k, "expert output", m->used * y.cols), m->used);
    expert_linear(k, each, inner, chosen, m, "blk.%u.ffn_down_exps", block);
    compile_emit(k->b, (wisp_cmd){.op = WISP_OP_COMBINE, .view = {y, weights, each}});
}

void block_experts(blocks *k, wisp_view y, wisp_view x, const block_moe *m, uint32_t block)
{
    block_experts_routed_by(k, y, x, x, m, block);
}

void block_shared_expert(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block)
{
    wisp_view gate = block_scratch(k, "gate", ff_width), up = block_scratch(k, "up", ff_width);
    wisp_view shared = block_scratch(k, "shared", y.cols);
    block_linear(k, up, x, "blk.%u.ffn_up_shexp", block);
    if (block_has(k, "blk.%u.ffn_gate_shexp.weight", block)) {
        block_linear(k, gate, x, "blk.%u.ffn_gate_shexp", block);
        block_glu(k, gate, up, kind);
    } else {
        gate = up;
        block_act(k, gate, kind);
    }
    block_linear(k, shared, gate, "blk.%u.ffn_down_shexp", block);
    if (block_has(k, "blk.%u.ffn_gate_inp_shexp.weight", block)) {
        wisp_view much = block_scratch(k, "shared weight", 1);
        block_linear(k, much, x, "blk.%u.ffn_gate_inp_shexp", block);
        block_act(k, much, WISP_ACT_SIGMOID);
        compile_emit(k->b, (wisp_cmd){.op = WISP_OP_ROW_SCALE, .view = {shared, shared, much}});
    }
    block_add(k, y, y, shared);
}
