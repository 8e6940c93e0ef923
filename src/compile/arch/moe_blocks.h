/* Mixtures of experts: a router, the experts it chooses for each token, an expert that all share. */
#ifndef COMPILE_ARCH_MOE_BLOCKS_H
#define COMPILE_ARCH_MOE_BLOCKS_H
#include "compile/arch/model_blocks.h"

typedef enum block_gating {
    BLOCK_GATE_SOFTMAX = 1, /* GGUF's expert_gating_func; softmax over all experts */
    BLOCK_GATE_SIGMOID = 2,
    BLOCK_GATE_SOFTMAX_CHOSEN = 3,   /* the largest logits are chosen, then softmax over those */
    BLOCK_GATE_SIGMOID_CHOSEN = 100, /* the largest logits are chosen, then their sigmoids; not one of GGUF's */
} block_gating;

typedef struct block_moe {
    uint32_t experts, used, ff_width;
    block_gating gating;
    bool normalize;        /* weights of the chosen ones add up to 1 */
    float scale;           /* of the weights after that */
    uint32_t groups, kept; /* experts are chosen from the best groups only; 0: no groups */
    wisp_act kind;
    float a, b;        /* of the activation */
    bool weight_first; /* the weight scales the expert's input (Llama 4), not its output */
} block_moe;

/* From expert_count, expert_used_count, expert_feed_forward_length (else `ff_width`), expert_gating_func (else
 * `gating`), expert_weights_norm (else `normalize`), expert_weights_scale, expert_group_count and
 * expert_group_used_count; those that may be given per layer are of layer 0. experts is 0 for a model without any. */
block_moe block_read_moe(compile_builder *b, uint32_t ff_width, block_gating gating, bool normalize);

/* y = what the experts make of x: blk.%u.ffn_gate_inp (the router), exp_probs_b (a bias for choosing only),
 * ffn_gate_exps and ffn_up_exps (or both in ffn_gate_up_exps; up alone without a gate), ffn_down_exps; biases where
 * there are some. */
void block_experts(blocks *k, wisp_view y, wisp_view x, const block_moe *m, uint32_t block);
/* The same with the router looking at something else than the experts do. */
void block_experts_routed_by(blocks *k, wisp_view y, wisp_view x, wisp_view router_input, const block_moe *m,
                             uint32_t block);
/* y = y + the shared expert's result (ffn_*_shexp), times the sigmoid of ffn_gate_inp_shexp where the file has that. */
void block_shared_expert(blocks *k, wisp_view y, wisp_view x, uint32_t ff_width, wisp_act kind, uint32_t block);

#endif
