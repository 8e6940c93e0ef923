#include "compile/hf_families.h"

#include <string.h>

#include "compile/arch/arch.h"

const hf_name hf_model_names[] = {
    {"embed_tokens", "token_embd", 0},
    {"norm", "output_norm", HF_NORM},
    {"final_layernorm", "output_norm", HF_NORM}, /* Phi-2 */
    {NULL, NULL, 0},
};

const hf_name hf_layer_names[] = {
    {"input_layernorm", "attn_norm", HF_NORM},
    {"self_attn.q_proj", "attn_q", HF_QUERY},
    {"self_attn.k_proj", "attn_k", HF_KEY},
    {"self_attn.v_proj", "attn_v", 0},
    {"self_attn.qkv_proj", "attn_qkv", 0},
    {"self_attn.q_norm", "attn_q_norm", HF_NORM},
    {"self_attn.k_norm", "attn_k_norm", HF_NORM},
    {"self_attn.q_layernorm.norms.%u", "attn_q_norm", HF_STACK}, /* StableLM 2 12B */
    {"self_attn.k_layernorm.norms.%u", "attn_k_norm", HF_STACK},
    {"self_attn.o_proj", "attn_output", 0},
    {"self_attn.dense", "attn_output", 0}, /* Phi-2 */
    {"post_attention_layernorm", "ffn_norm", HF_NORM},
    {"mlp.gate_proj", "ffn_gate", 0},
    {"mlp.up_proj", "ffn_up", 0},
    {"mlp.gate_up_proj", "ffn_up", 0},
    {"mlp.down_proj", "ffn_down", 0},
    {"mlp.fc1", "ffn_up", 0}, /* Phi-2 */
    {"mlp.fc2", "ffn_down", 0},
    {"mlp.c_fc", "ffn_up", 0}, /* StarCoder 2 */
    {"mlp.c_proj", "ffn_down", 0},
    {"mlp.gate", "ffn_gate_inp", HF_WIDE},
    {"mlp.experts.%u.gate_proj", "ffn_gate_exps", HF_STACK},
    {"mlp.experts.%u.up_proj", "ffn_up_exps", HF_STACK},
    {"mlp.experts.%u.down_proj", "ffn_down_exps", HF_STACK},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp", HF_WIDE},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp", 0},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp", 0},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp", 0},
    {"block_sparse_moe.gate", "ffn_gate_inp", HF_WIDE}, /* Mixtral */
    {"block_sparse_moe.experts.%u.w1", "ffn_gate_exps", HF_STACK},
    {"block_sparse_moe.experts.%u.w3", "ffn_up_exps", HF_STACK},
    {"block_sparse_moe.experts.%u.w2", "ffn_down_exps", HF_STACK},
    {NULL, NULL, 0},
};

/* Norms behind attention and feed-forward, with or without some before them. */
static const hf_name norms_behind[] = {
    {"post_attention_layernorm", "post_attention_norm", HF_NORM},
    {"pre_feedforward_layernorm", "ffn_norm", HF_NORM},
    {"post_feedforward_layernorm", "post_ffw_norm", HF_NORM},
    {NULL, NULL, 0},
};

static const hf_name glm4_names[] = {
    {"post_self_attn_layernorm", "post_attention_norm", HF_NORM},
    {"post_mlp_layernorm", "post_ffw_norm", HF_NORM},
    {NULL, NULL, 0},
};

static const hf_name seed_oss_names[] = {
    {"post_attention_layernorm", "post_attention_norm", HF_NORM}, /* the feed-forward's, all the same */
    {NULL, NULL, 0},
};

/* Files of the larger Gemma 3 say only what differs from the 4B's. */
static const hf_default gemma3_defaults[] = {
    {"num_attention_heads", 8}, {"num_key_value_heads", 4}, {"head_dim", 256},
    {"rms_norm_eps", 1e-6},     {"rope_theta", 1e6},        {"max_position_embeddings", 131072},
    {"hidden_size", 2304},      {"sliding_window", 4096},   {NULL, 0},
};
static const hf_default gemma_defaults[] = {{"head_dim", 256}, {"rms_norm_eps", 1e-6}, {NULL, 0}};
static const hf_default gemma2_defaults[] = {{"head_dim", 256},
                                             {"rms_norm_eps", 1e-6},
                                             {"sliding_window", 4096},
                                             {"attn_logit_softcapping", 50},
                                             {"final_logit_softcapping", 30},
                                             {NULL, 0}};
static const hf_default stablelm_defaults[] = {{"partial_rotary_factor", 0.25}, {"layer_norm_eps", 1e-5}, {NULL, 0}};
static const hf_default phi2_defaults[] = {{"partial_rotary_factor", 0.5}, {"layer_norm_eps", 1e-5}, {NULL, 0}};
static const hf_default glm4_defaults[] = {{"partial_rotary_factor", 0.5}, {NULL, 0}};
static const hf_default nemotron_defaults[] = {{"partial_rotary_factor", 0.5}, {"norm_eps", 1e-5}, {NULL, 0}};
static const hf_default olmoe_defaults[] = {{"rms_norm_eps", 1e-5}, {NULL, 0}};
static const hf_default smollm3_defaults[] = {{"rope_theta", 2e6}, {"rms_norm_eps", 1e-6}, {NULL, 0}};
static const hf_default qwen_defaults[] = {{"rms_norm_eps", 1e-6}, {NULL, 0}};

/* Activations, by the names of config.json. */
#define HF_SILU "silu swish"
#define HF_RELU2 "relu2"
#define HF_GELU_TANH "gelu_new gelu_fast gelu_pytorch_tanh"
#define HF_GELU_ANY "gelu " HF_GELU_TANH /* Gemma's files say gelu and mean tanh's */

static const hf_family families[] = {
    {"arcee", "arcee", HF_PAIRS, NULL, NULL, HF_RELU2},
    {"cohere", "command-r", HF_TIED | HF_MAX_LENGTH, NULL, NULL, HF_SILU},
    {"cohere2", "cohere2", HF_TIED | HF_WINDOW, NULL, NULL, HF_SILU},
    {"exaone4", "exaone4", HF_WINDOW, norms_behind, NULL, HF_SILU},
    {"gemma", "gemma", HF_NORM_LESS_ONE | HF_TIED, NULL, gemma_defaults, HF_GELU_ANY},
    {"gemma2", "gemma2", HF_NORM_LESS_ONE | HF_TIED | HF_WINDOW, norms_behind, gemma2_defaults, HF_GELU_ANY},
    {"gemma3", "gemma3", HF_NORM_LESS_ONE | HF_TIED | HF_WINDOW, norms_behind, gemma3_defaults, HF_GELU_ANY},
    {"gemma3_text", "gemma3", HF_NORM_LESS_ONE | HF_TIED | HF_WINDOW, norms_behind, gemma3_defaults, HF_GELU_ANY},
    {"glm4", "glm4", 0, glm4_names, glm4_defaults, HF_SILU},
    {"granite", "granite", HF_PAIRS | HF_NO_HEAD_DIM, NULL, NULL, HF_SILU},
    {"llama", "llama", HF_PAIRS, NULL, NULL, HF_SILU},
    {"mistral", "llama", HF_PAIRS, NULL, NULL, HF_SILU},
    {"mixtral", "llama", HF_PAIRS, NULL, NULL, HF_SILU},
    {"nemotron", "nemotron", HF_NORM_LESS_ONE, NULL, nemotron_defaults, HF_RELU2},
    {"olmo2", "olmo2", 0, norms_behind, NULL, HF_SILU},
    {"olmo3", "olmo2", HF_WINDOW, norms_behind, NULL, HF_SILU},
    {"olmoe", "olmoe", 0, NULL, olmoe_defaults, HF_SILU},
    {"phi", "phi2", 0, NULL, phi2_defaults, HF_GELU_TANH},
    {"phi3", "phi3", HF_WINDOW, NULL, NULL, HF_SILU},
    {"qwen2", "qwen2", 0, NULL, qwen_defaults, HF_SILU},
    {"qwen2_moe", "qwen2moe", 0, NULL, qwen_defaults, HF_SILU},
    {"qwen3", "qwen3", 0, NULL, qwen_defaults, HF_SILU},
    {"qwen3_moe", "qwen3moe", 0, NULL, qwen_defaults, HF_SILU},
    {"seed_oss", "seed_oss", 0, seed_oss_names, NULL, HF_SILU},
    {"smollm3", "smollm3", HF_PAIRS, NULL, smollm3_defaults, HF_SILU},
    {"stablelm", "stablelm", 0, NULL, stablelm_defaults, HF_SILU},
    {"starcoder2", "starcoder2", HF_TIED, NULL, NULL, HF_GELU_TANH},
};

const hf_key hf_keys[] = {
    {"model_max_length", "context_length", HF_UINT}, /* HF_MAX_LENGTH */
    {"max_position_embeddings", "context_length", HF_UINT},
    {"hidden_size", "embedding_length", HF_UINT},
    {"num_hidden_layers", "block_count", HF_UINT},
    {"intermediate_size", "feed_forward_length", HF_UINT},
    {"num_attention_heads", "attention.head_count", HF_UINT},
    {"num_key_value_heads", "attention.head_count_kv", HF_UINT},
    {"head_dim", "attention.key_length", HF_UINT},
    {"head_dim", "attention.value_length", HF_UINT},
    {"rms_norm_eps", "attention.layer_norm_rms_epsilon", HF_FLOAT},
    {"layer_norm_eps", "attention.layer_norm_epsilon", HF_FLOAT},
    {"layer_norm_epsilon", "attention.layer_norm_epsilon", HF_FLOAT},
    {"norm_epsilon", "attention.layer_norm_epsilon", HF_FLOAT},
    {"norm_eps", "attention.layer_norm_epsilon", HF_FLOAT},
    {"num_local_experts", "expert_count", HF_UINT},
    {"num_experts", "expert_count", HF_UINT},
    {"num_experts_per_tok", "expert_used_count", HF_UINT},
    {"moe_intermediate_size", "expert_feed_forward_length", HF_UINT},
    {"shared_expert_intermediate_size", "expert_shared_feed_forward_length", HF_UINT},
    {"norm_topk_prob", "expert_weights_norm", HF_BOOL},
    {"attn_logit_softcapping", "attn_logit_softcapping", HF_FLOAT},
    {"final_logit_softcapping", "final_logit_softcapping", HF_FLOAT},
    {"attention_multiplier", "attention.scale", HF_FLOAT},
    {"embedding_multiplier", "embedding_scale", HF_FLOAT},
    {"residual_multiplier", "residual_scale", HF_FLOAT},
    {"logits_scaling", "logit_scale", HF_FLOAT},
    {"logit_scale", "logit_scale", HF_FLOAT},
    {"use_parallel_residual", "use_parallel_residual", HF_BOOL},
    {"rope_local_base_freq", "rope.freq_base_swa", HF_FLOAT},
    {"vocab_size", "vocab_size", HF_UINT},
    {NULL, NULL, HF_UINT},
};

const hf_family *hf_family_at(size_t index)
{
    return index < sizeof families / sizeof *families ? &families[index] : NULL;
}

const hf_family *hf_family_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].model_type, model_type) == 0) return &families[i];
    return NULL;
}

const hf_family *hf_family_nearest(const char *model_type)
{
    const hf_family *best = &families[0];
    for (size_t i = 1; i < sizeof families / sizeof *families; i++)
        if (compile_likeness(model_type, families[i].model_type) > compile_likeness(model_type, best->model_type))
            best = &families[i];
    return best;
}
