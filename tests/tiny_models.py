#!/usr/bin/env python3
"""Tiny random GGUF models, one or several a family. tiny_models.py FOLDER [--type f32|f16] [NAME ...]; --list: the names.

An entry of MODELS says what a file of that family has: hyper-parameters and tensors. Bytes are the same everywhere:
weights are drawn from SHAKE-128 of the model's and the tensor's name, a byte a weight, and are exact in F32, F16 and
BF16, so that one reference serves all types.

A tensor is written NAME, NAME+ (a bias, too), NAME.bias alone, or NAME[d,f] where its shape is not the one that SHAPES
says; sizes are expressions of the entry's `size`. `blocks` is one string for all layers or a list of strings, one each.
"""
import array
import hashlib
import pathlib
import struct
import sys

VOCAB, PROMPT = 288, 48
SIZE = {"d": 64, "heads": 4, "kv": 2, "hd": 16, "f": 96, "layers": 2, "experts": 4, "used": 2, "ef": 32, "sf": 48,
        "context": 512, "vocab": VOCAB}
SHAPES = {
    "token_embd": "d,vocab", "output": "d,vocab", "position_embd": "d,context", "output_norm": "d", "token_embd_norm": "d",
    "rope_freqs": "hd//2", "attn_norm": "d", "attn_norm_2": "d", "attn_qkv": "d,(heads+2*kv)*hd", "attn_q": "d,heads*hd",
    "attn_k": "d,kv*hd", "attn_v": "d,kv*hd", "attn_output": "heads*hd,d", "attn_q_norm": "hd", "attn_k_norm": "hd",
    "attn_sinks": "heads", "attn_sub_norm": "d", "post_attention_norm": "d", "attn_output_norm": "d", "ffn_norm": "d",
    "post_ffw_norm": "d", "ffn_sub_norm": "f", "ffn_gate": "d,f", "ffn_up": "d,f", "ffn_down": "f,d",
    "ffn_gate_inp": "d,experts", "exp_probs_b": "experts", "ffn_gate_exps": "d,ef,experts", "ffn_up_exps": "d,ef,experts",
    "ffn_down_exps": "ef,d,experts", "ffn_gate_inp_shexp": "d", "ffn_gate_shexp": "d,sf", "ffn_up_shexp": "d,sf",
    "ffn_down_shexp": "sf,d",
}
ATTENTION = "attn_norm attn_q attn_k attn_v attn_output"
GATED = " ffn_norm ffn_gate ffn_up ffn_down"
EXPERTS = " ffn_gate_inp ffn_gate_exps ffn_up_exps ffn_down_exps"
SHARED = " ffn_gate_shexp ffn_up_shexp ffn_down_shexp"
HEAD_NORMS = " attn_q_norm attn_k_norm"
LLAMA = ATTENTION + GATED
RMS, LAYER = {"attention.layer_norm_rms_epsilon": 1e-5}, {"attention.layer_norm_epsilon": 1e-5}
MOE = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 32}
YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 128}
LINEAR = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
TIED, UNTIED = "output_norm", "output_norm output"


def model(family, blocks, ends=UNTIED, keys=(), eps=RMS, **size):
    return {"family": family, "blocks": blocks, "ends": ends, "keys": {**eps, **dict(keys)}, "size": {**SIZE, **size}}


def fused(blocks):
    return blocks.replace("attn_q attn_k attn_v", "attn_qkv").replace("attn_q+ attn_k+ attn_v+", "attn_qkv+")


def biased(blocks, *names):
    return " ".join(t + "+" if t in names else t for t in blocks.split())


QKV_BIAS = biased(LLAMA, "attn_q", "attn_k", "attn_v")
ALL_BIAS = biased(fused(ATTENTION) + " ffn_norm ffn_up ffn_down", "attn_norm", "attn_qkv", "attn_output", "ffn_norm",
                  "ffn_up", "ffn_down")
SPLIT_BIAS = biased(ATTENTION + " ffn_norm ffn_up ffn_down", "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
                    "ffn_norm", "ffn_up", "ffn_down")
POSTNORM = "attn_q attn_k attn_v attn_output post_attention_norm ffn_gate ffn_up ffn_down post_ffw_norm"
GEMMA = LLAMA + " post_attention_norm post_ffw_norm"
FUSED_UP = " ffn_norm ffn_up[d,2*f] ffn_down"
XIELU = {"xielu.alpha_n": [0.5, 0.75], "xielu.alpha_p": [0.9, 0.6], "xielu.beta": [0.5, 0.4], "xielu.eps": [-1e-6, -1e-6]}

MLA = "attn_norm attn_kv_a_mqa[d,24] attn_kv_a_norm[16] attn_output[heads*16,d]"
MLA_WHOLE, MLA_SHORT = " attn_q[d,heads*24]", " attn_q_a[d,32] attn_q_a_norm[32] attn_q_b[32,heads*24]"
MLA_EXPANDED, MLA_ABSORBED = " attn_kv_b[16,heads*32]", " attn_k_b[16,16,heads] attn_v_b[16,16,heads]"
MLA_KEYS = {**MOE, "attention.kv_lora_rank": 16, "rope.dimension_count": 8, "leading_dense_block_count": 1,
            "expert_shared_count": 1}
MLA_PLAIN = {**MLA_KEYS, "attention.key_length": 24, "attention.value_length": 16}
MLA_LATENT = {**MLA_KEYS, "attention.key_length": 24, "attention.value_length": 16, "attention.key_length_mla": 24,
              "attention.value_length_mla": 16, "attention.q_lora_rank": 32}
MLA_EXPERTS = " ffn_norm" + EXPERTS + " ffn_gate_shexp[d,ef] ffn_up_shexp[d,ef] ffn_down_shexp[ef,d]"

MAMBA = ("attn_norm ssm_in[d,256] ssm_conv1d[4,128]+ ssm_x[128,4+2*16] ssm_dt[4,128]+ ssm_a*[16,128] ssm_d*[128] "
         "ssm_out[128,d]")
MAMBA2 = ("attn_norm ssm_in[d,2*128+2*2*16+4] ssm_conv1d[4,128+2*2*16]+ ssm_dt.bias[4] ssm_a*[1,4] ssm_d*[1,4] "
          "ssm_norm[64,2] ssm_out[128,d]")
MAMBA_KEYS = {"ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 16, "ssm.time_step_rank": 4}
CONVOLUTION = "attn_norm shortconv.in_proj[d,3*d] shortconv.conv[3,d] shortconv.out_proj[d,d]"
LFM2_KEYS = {"shortconv.l_cache": 3, "attention.head_count_kv": [0, 2, 0]}
DELTA = ("attn_norm post_attention_norm attn_qkv[d,2*32+64] attn_gate[d,64] ssm_conv1d[4,128] ssm_dt.bias[4] ssm_a*[4] "
         "ssm_beta[d,4] ssm_alpha[d,4] ssm_norm[16] ssm_out[64,d]")
GATED_ATTENTION = ("attn_norm post_attention_norm attn_q[d,2*heads*hd] attn_k attn_v attn_output attn_q_norm attn_k_norm")
DELTA_KEYS = {"ssm.conv_kernel": 4, "ssm.inner_size": 64, "ssm.state_size": 16, "ssm.time_step_rank": 4,
              "ssm.group_count": 2, "full_attention_interval": 2, "rope.dimension_count": 8,
              "rope.dimension_sections": [2, 1, 1, 0]}
RWKV6 = ("attn_norm+ attn_norm_2+ time_mix_w1[d,5*8] time_mix_w2[8,d,5] time_mix_lerp_x[d,1,1] {lerp} "
         "time_mix_first[16,4] time_mix_decay[d] time_mix_decay_w1[d,8] time_mix_decay_w2[8,d] time_mix_key[d,d] "
         "time_mix_value[d,d] time_mix_receptance[d,d] time_mix_gate[d,d] time_mix_ln[d]+ time_mix_output[d,d] "
         "channel_mix_lerp_k[d,1,1] channel_mix_lerp_r[d,1,1] channel_mix_key[d,f] channel_mix_value[f,d] "
         "channel_mix_receptance[d,d]")
RWKV6_KEYS = {"wkv.head_size": 16, "time_mix_extra_dim": 8, "time_decay_extra_dim": 8, "rescale_every_n_layers": 2,
              "token_shift_count": 2, "attention.head_count": 0}
RWKV6_ENDS = "token_embd_norm+ output_norm+ output"

NEXT = DELTA.replace("ssm_beta[d,4] ssm_alpha[d,4]", "ssm_ba[d,8]")
NEXT_OLD = NEXT.replace("attn_qkv[d,2*32+64] attn_gate[d,64]", "ssm_in[d,2*32+2*64]")
NEXT_EXPERTS = EXPERTS + " ffn_gate_inp_shexp" + SHARED
NEXT_KEYS = {**{k: v for k, v in DELTA_KEYS.items() if "sections" not in k}, **MOE, "expert_shared_feed_forward_length": 48}
EXTRA_LAYER = " nextn.eh_proj[2*d,d] nextn.enorm[d] nextn.hnorm[d]"
WIDE_EXPERTS = " ffn_norm ffn_gate_inp ffn_gate_exps[d,f,experts] ffn_up_exps[d,f,experts] ffn_down_exps[f,d,experts]"
MOE_ANY_WIDTH = {"expert_count": 4, "expert_used_count": 2}
MAMBA2_KEYS = {**MAMBA_KEYS, "ssm.group_count": 2}
JAMBA = MAMBA + " ssm_dt_norm[4] ssm_b_norm[16] ssm_c_norm[16]"
NARROW_MAMBA2 = "ssm_in[d,2*96+2*16+4] ssm_conv1d[4,96+2*16]+ ssm_dt.bias[4] ssm_a*[1,4] ssm_d*[1,4] ssm_out[96,d]"
RELU_EXPERTS = ("attn_norm ffn_gate_inp exp_probs_b.bias ffn_up_exps[{d},{e},experts] ffn_down_exps[{e},{d},experts] "
                "ffn_up_shexp ffn_down_shexp")
LATENT_EXPERTS = RELU_EXPERTS.format(d=32, e=32) + " ffn_latent_down[d,32] ffn_latent_up[32,d]"
NEMOTRON_MOE = {**MAMBA2_KEYS, **MOE_ANY_WIDTH, "attention.head_count_kv": [0, 0, 2, 0], "expert_weights_norm": True,
                "feed_forward_length": [0, 64, 0, 64], "expert_shared_feed_forward_length": 48, "expert_weights_scale": 2.5}
GRANITE_HYBRID = {**MAMBA2_KEYS, "attention.head_count_kv": [0, 2, 0], "logit_scale": 0.5, "residual_scale": 0.75,
                  "embedding_scale": 3.0, "attention.scale": 0.125}
RWKV7 = ("attn_norm+ attn_norm_2+ time_mix_w0[d] time_mix_w1[d,8] time_mix_w2[8,d] time_mix_a0[d] time_mix_a1[d,6] "
         "time_mix_a2[6,d] time_mix_v0[d] time_mix_v1[d,{v}] time_mix_v2[{v},d] time_mix_g1[d,10] time_mix_g2[10,d] "
         "time_mix_lerp_fused[d,1,1,6] time_mix_k_k[d] time_mix_k_a[d] time_mix_r_k[d] time_mix_key[d,d] "
         "time_mix_value[d,d] time_mix_receptance[d,d] time_mix_output[d,d] time_mix_ln[d]+ channel_mix_lerp_k[d,1,1] "
         "channel_mix_key[d,f] channel_mix_value[f,d]")
RWKV7_KEYS = {"wkv.head_size": 64, "token_shift_count": 2, "attention.head_count": 0, "attention.decay_lora_rank": 8,
              "attention.iclr_lora_rank": 6, "attention.value_residual_mix_lora_rank": 4, "attention.gate_lora_rank": 10}
LLAMA4_EXPERTS = ATTENTION + " ffn_norm" + EXPERTS + " ffn_gate_shexp[d,ef] ffn_up_shexp[d,ef] ffn_down_shexp[ef,d]"
EXAONE_MOE = ATTENTION + HEAD_NORMS + " ffn_norm" + EXPERTS + " exp_probs_b.bias" + SHARED
EXAONE_MOE_KEYS = {**MOE, "attention.sliding_window": 12, "leading_dense_block_count": 1, "expert_gating_func": 2,
                   "expert_weights_norm": True, "expert_weights_scale": 2.5, "expert_shared_feed_forward_length": 48}

MODELS = {
    "apertus": model("apertus", ATTENTION + HEAD_NORMS + " ffn_norm ffn_up ffn_down", keys=XIELU),
    "apertus-ropefreqs": model("apertus", ATTENTION + HEAD_NORMS + " ffn_norm ffn_up ffn_down", UNTIED + " rope_freqs",
                               XIELU),
    "arcee": model("arcee", ATTENTION + " ffn_norm ffn_up ffn_down", keys=YARN),
    "arcee-tied": model("arcee", ATTENTION + " ffn_norm ffn_up ffn_down", TIED),
    "bitnet": model("bitnet", LLAMA + " attn_sub_norm ffn_sub_norm", TIED),
    "bitnet-scales": model("bitnet", LLAMA + " attn_sub_norm ffn_sub_norm " + " ".join(
        f"{n}.scale[1]" for n in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")), TIED),
    "bloom": model("bloom", ALL_BIAS, "token_embd_norm+ output_norm+", eps=LAYER, kv=4),
    "bloom-6heads": model("bloom", ALL_BIAS, "token_embd_norm+ output_norm+ output", eps=LAYER, heads=6, kv=6, d=96),
    "chatglm": model("chatglm", biased(fused(ATTENTION), "attn_qkv") + FUSED_UP, keys={"rope.dimension_count": 8}),
    "chatglm-split": model("chatglm", biased(ATTENTION, "attn_q", "attn_k", "attn_v") + FUSED_UP, TIED,
                           {"rope.dimension_count": 8}),
    "cohere2": model("cohere2", ATTENTION + " ffn_gate ffn_up ffn_down", TIED,
                     {"attention.sliding_window": 12, "logit_scale": 0.25}, LAYER, layers=4),
    "command-r-64layers": model("command-r", "attn_norm attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down "
                                "attn_q_norm[hd,heads] attn_k_norm[hd,kv]", TIED, {"logit_scale": 2.0}, LAYER,
                                layers=64, d=32, hd=8, f=32),
    "dbrx": model("dbrx", fused(ATTENTION) + " attn_output_norm" + EXPERTS, keys={**MOE, "attention.clamp_kqv": 0.75},
                  eps=LAYER, f=32),
    "deepseek": model("deepseek", [LLAMA, ATTENTION + " ffn_norm" + EXPERTS + " ffn_gate_shexp[d,2*ef] "
                                   "ffn_up_shexp[d,2*ef] ffn_down_shexp[2*ef,d]"],
                      keys={**MOE, "leading_dense_block_count": 1, "expert_shared_count": 2, "expert_weights_scale": 1.5}),
    "deepseek2-26layers": model("deepseek2", [MLA + MLA_WHOLE + MLA_EXPANDED + GATED] +
                                [MLA + MLA_WHOLE + MLA_EXPANDED + MLA_EXPERTS] * 25,
                                keys={**MLA_PLAIN, **YARN, "rope.scaling.yarn_log_multiplier": 0.0707}, d=32, layers=26,
                                kv=4),
    "deepseek2-absorbed-26layers": model("deepseek2", [MLA + MLA_WHOLE + MLA_ABSORBED + GATED] +
                                         [MLA + MLA_WHOLE + MLA_ABSORBED + MLA_EXPERTS] * 25,
                                         keys={k: v for k, v in MLA_LATENT.items() if "q_lora" not in k}, d=32, layers=26,
                                         kv=1),
    "deepseek2-qlora": model("deepseek2", [MLA + MLA_SHORT + MLA_EXPANDED + GATED, MLA + MLA_SHORT + MLA_EXPANDED +
                                           MLA_EXPERTS], keys={**MLA_PLAIN, "attention.q_lora_rank": 32,
                                                               "expert_weights_scale": 2.5}, kv=4),
    "deepseek2-v3": model("deepseek2", [MLA + MLA_SHORT + MLA_ABSORBED + GATED,
                                        MLA + MLA_SHORT + MLA_ABSORBED + MLA_EXPERTS + " exp_probs_b.bias[experts]"],
                          keys={**MLA_LATENT, **YARN, "rope.scaling.yarn_log_multiplier": 0.1, "expert_count": 8,
                                "expert_used_count": 3, "expert_group_count": 4, "expert_group_used_count": 2,
                                "expert_gating_func": 2, "expert_weights_norm": True, "expert_weights_scale": 2.5},
                          experts=8, used=3, kv=1),
    "deepseek2-temperature": model("deepseek2", [MLA + MLA_SHORT + MLA_ABSORBED + GATED,
                                                 MLA + MLA_SHORT + MLA_ABSORBED + MLA_EXPERTS],
                                   keys={**MLA_LATENT, "attention.temperature_scale": 0.25,
                                         "attention.temperature_length": 16, "rope.scaling.original_context_length": 16},
                                   kv=1),
    "ernie4_5": model("ernie4_5", LLAMA),
    "ernie4_5-tied": model("ernie4_5", QKV_BIAS, TIED),
    "ernie4_5-moe": model("ernie4_5-moe", [LLAMA, ATTENTION + " ffn_norm" + EXPERTS + " exp_probs_b.bias" + SHARED], TIED,
                          {**MOE, "leading_dense_block_count": 1, "interleave_moe_layer_step": 1,
                           "expert_shared_feed_forward_length": 48}),
    "ernie4_5-moe-plain": model("ernie4_5-moe", [LLAMA, ATTENTION + " ffn_norm" + EXPERTS],
                                keys={**MOE, "leading_dense_block_count": 1, "interleave_moe_layer_step": 1}),
    "exaone": model("exaone", LLAMA, UNTIED + " rope_freqs"),
    "exaone4": model("exaone4", POSTNORM + HEAD_NORMS, TIED),
    "exaone4-64layers": model("exaone4", POSTNORM + HEAD_NORMS, UNTIED + " rope_freqs",
                              {"attention.sliding_window": 12}, d=32, hd=8, f=32, layers=64),
    "exaone-moe": model("exaone-moe", [LLAMA + HEAD_NORMS] + [EXAONE_MOE] * 3 + [LLAMA + HEAD_NORMS + EXTRA_LAYER],
                        keys={**EXAONE_MOE_KEYS, "nextn_predict_layers": 1}, layers=5),
    "exaone-moe-pattern": model("exaone-moe", [LLAMA + HEAD_NORMS] + [EXAONE_MOE] * 2, layers=3, keys={
        **EXAONE_MOE_KEYS, "attention.sliding_window_pattern": [True, False, True]}),
    "falcon-40b": model("falcon", "attn_norm+ attn_norm_2+ attn_qkv attn_output ffn_up ffn_down", "output_norm+ output",
                        eps=LAYER),
    "falcon-h1": model("falcon-h1", ATTENTION + MAMBA2.removeprefix("attn_norm") + " ffn_norm*[d] ffn_gate ffn_up "
                       "ffn_down", TIED, {**MAMBA2_KEYS, "rope.freq_base": 1e11}),
    "falcon-h1-no-norm": model("falcon-h1", f"{ATTENTION} {NARROW_MAMBA2} ffn_norm*[d] ffn_gate ffn_up ffn_down",
                               keys={**MAMBA2_KEYS, "ssm.group_count": 1, "ssm.inner_size": 96}),
    "gemma": model("gemma", LLAMA, TIED, {"attention.key_length": 32, "attention.value_length": 32}, hd=32, kv=1),
    "gemma2-46layers": model("gemma2", GEMMA, TIED, {"attention.sliding_window": 12, "attn_logit_softcapping": 50.0,
                                                     "final_logit_softcapping": 30.0, "attention.key_length": 16,
                                                     "attention.value_length": 16}, d=32, f=32, layers=46),
    "gemma2": model("gemma2", GEMMA, TIED, {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0,
                                           "attention.sliding_window": 12}),
    "gemma3-windows": model("gemma3", GEMMA + HEAD_NORMS, TIED, {"attention.sliding_window": 12, **LINEAR,
                                                                "rope.freq_base": 1e6}, layers=6),
    "gemma3-no-windows": model("gemma3", GEMMA + HEAD_NORMS, TIED, {"final_logit_softcapping": 4.0}),
    "gemma3-untied": model("gemma3", GEMMA + HEAD_NORMS, UNTIED, {"attention.sliding_window": 12,
                                                                  "attention.sliding_window_pattern": 2}),
    "glm4": model("glm4", fused(ATTENTION) + FUSED_UP + " post_attention_norm post_ffw_norm",
                  keys={"rope.dimension_count": 8}),
    "glm4-biases": model("glm4", biased(ATTENTION, "attn_q", "attn_k", "attn_v") + FUSED_UP +
                         " post_attention_norm post_ffw_norm", TIED, {"rope.dimension_count": 8}),
    "glm4moe": model("glm4moe", [QKV_BIAS.replace("ffn_norm", "post_attention_norm"),
                                 biased(ATTENTION, "attn_q", "attn_k", "attn_v") + " post_attention_norm" + EXPERTS +
                                 " exp_probs_b.bias" + SHARED],
                     keys={**MOE, "leading_dense_block_count": 1, "expert_shared_count": 1, "expert_weights_scale": 1.5,
                           "expert_weights_norm": True, "rope.dimension_count": 8}, sf=32),
    "glm4moe-headnorms": model("glm4moe", [QKV_BIAS.replace("ffn_norm", "post_attention_norm") + HEAD_NORMS,
                                           biased(ATTENTION, "attn_q", "attn_k", "attn_v") + " post_attention_norm" +
                                           EXPERTS + " exp_probs_b.bias" + SHARED + HEAD_NORMS],
                               keys={**MOE, "leading_dense_block_count": 1, "expert_shared_count": 1,
                                     "expert_gating_func": 2}, sf=32),
    "glm4moe-extra-layer": model("glm4moe", [biased(ATTENTION, "attn_q", "attn_k", "attn_v") + " post_attention_norm" +
                                             EXPERTS + " exp_probs_b.bias" + SHARED + more for more in
                                             ("", " nextn.eh_proj[2*d,d] nextn.enorm[d] nextn.hnorm[d]")],
                                 keys={**MOE, "expert_shared_count": 1, "expert_weights_norm": True,
                                       "nextn_predict_layers": 1}, sf=32),
    "gpt-oss": model("gpt-oss", "attn_norm attn_q+ attn_k+ attn_v+ attn_output+ attn_sinks post_attention_norm "
                     "ffn_gate_inp+ ffn_gate_exps+ ffn_up_exps+ ffn_down_exps+",
                     keys={**MOE, **YARN, "attention.sliding_window": 12, "attention.key_length": 32,
                           "attention.value_length": 32}, hd=32),
    "gpt2": model("gpt2", ALL_BIAS, "position_embd output_norm+", eps=LAYER, kv=4, context=128),
    "gptneox": model("gptneox", ALL_BIAS, "output_norm+ output", {"use_parallel_residual": True,
                                                                 "rope.dimension_count": 4}, LAYER, kv=4),
    "gptneox-sequential": model("gptneox", ALL_BIAS, "output_norm+ output", {"use_parallel_residual": False}, LAYER, kv=4),
    "granite": model("granite", biased(LLAMA, "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up",
                                       "ffn_down"), TIED,
                     {"logit_scale": 0.5, "residual_scale": 0.75, "embedding_scale": 3.0, "attention.scale": 0.125}),
    "granite-no-rope": model("granite", LLAMA, UNTIED, {"logit_scale": 0.5, "rope.scaling.finetuned": False}),
    "granitehybrid": model("granitehybrid", [MAMBA2 + GATED, LLAMA, MAMBA2 + GATED], TIED,
                           {**GRANITE_HYBRID, "rope.scaling.finetuned": False}, layers=3),
    "granitehybrid-moe": model("granitehybrid", [t + WIDE_EXPERTS + SHARED for t in (MAMBA2, ATTENTION, MAMBA2)], TIED,
                               {**GRANITE_HYBRID, **MOE_ANY_WIDTH, "expert_shared_feed_forward_length": 48}, layers=3),
    "granitemoe": model("granitemoe", ATTENTION + " ffn_norm" + EXPERTS, TIED,
                        {**MOE, "logit_scale": 0.5, "residual_scale": 0.75, "embedding_scale": 3.0,
                         "attention.scale": 0.125}, f=32),
    "granitemoe-shared": model("granitemoe", ATTENTION + " ffn_norm" + EXPERTS + SHARED, UNTIED,
                               {**MOE, "logit_scale": 0.5, "expert_shared_feed_forward_length": 48}, f=32),
    "hunyuan-dense": model("hunyuan-dense", LLAMA + HEAD_NORMS, TIED),
    "hunyuan-dense-alpha": model("hunyuan-dense", LLAMA + HEAD_NORMS, UNTIED, {"rope.scaling.alpha": 50.0}),
    "hunyuan-moe": model("hunyuan-moe", ATTENTION + HEAD_NORMS + WIDE_EXPERTS + " ffn_gate_shexp[d,f] ffn_up_shexp[d,f] "
                         "ffn_down_shexp[f,d]", TIED, {**MOE_ANY_WIDTH, "expert_feed_forward_length": 96}),
    "hunyuan-moe-shared": model("hunyuan-moe", ATTENTION + HEAD_NORMS + WIDE_EXPERTS + SHARED, keys={
        **MOE_ANY_WIDTH, "expert_feed_forward_length": 32, "expert_shared_feed_forward_length": 48}),
    "internlm2": model("internlm2", LLAMA),
    "jamba": model("jamba", [JAMBA + GATED, ATTENTION + WIDE_EXPERTS, JAMBA + WIDE_EXPERTS], layers=3, keys={
        **MAMBA_KEYS, **MOE_ANY_WIDTH, "attention.head_count_kv": [0, 2, 0]}),
    "lfm2": model("lfm2", [CONVOLUTION + GATED, LLAMA + HEAD_NORMS, CONVOLUTION + GATED], "token_embd_norm", LFM2_KEYS,
                  layers=3),
    "lfm2-windows": model("lfm2", [CONVOLUTION + GATED, LLAMA + HEAD_NORMS, CONVOLUTION + GATED], "token_embd_norm output",
                          {**LFM2_KEYS, "attention.sliding_window": 12}, layers=3),
    "lfm2moe": model("lfm2moe", [CONVOLUTION + GATED, ATTENTION + HEAD_NORMS + " ffn_norm" + EXPERTS +
                                 " exp_probs_b.bias", CONVOLUTION + " ffn_norm" + EXPERTS + " exp_probs_b.bias"],
                     "token_embd_norm", {**LFM2_KEYS, **MOE, "leading_dense_block_count": 1, "expert_gating_func": 2},
                     layers=3),
    "llama-biases": model("llama", biased(LLAMA, "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up",
                                          "ffn_down"), keys=YARN),
    "llama-fused": model("llama", fused(LLAMA) + " attn_q.bias[heads*hd] attn_k.bias[kv*hd] attn_v.bias[kv*hd]",
                         keys=LINEAR),
    "llama-experts": model("llama", ATTENTION + " ffn_norm" + EXPERTS, TIED, {"expert_count": 4, "expert_used_count": 2,
                                                                             "rope.freq_base": 1e6}, f=32),
    "llama-wide-heads": model("llama", LLAMA, TIED, {"attention.key_length": 32, "attention.value_length": 32}, hd=32),
    "llama4": model("llama4", [LLAMA, LLAMA4_EXPERTS] * 2, UNTIED + " rope_freqs",
                    {**MOE, "interleave_moe_layer_step": 2, "rope.freq_base": 5e5}, layers=4),
    "llama4-128experts": model("llama4", LLAMA4_EXPERTS, TIED, {
        "expert_count": 128, "expert_used_count": 1, "expert_feed_forward_length": 8, "interleave_moe_layer_step": 1},
                               layers=4, d=32, hd=8, experts=128, ef=8),
    "mamba": model("mamba", MAMBA, TIED, MAMBA_KEYS, heads=0),
    "falcon-mamba": model("mamba", MAMBA, UNTIED, {**MAMBA_KEYS, "ssm.dt_b_c_rms": True}, heads=0),
    "mamba2": model("mamba2", MAMBA2, TIED, {**MAMBA_KEYS, "ssm.group_count": 2}, heads=0),
    "minicpm": model("minicpm", LLAMA, TIED, {"embedding_scale": 3.0, "residual_scale": 0.5, "logit_scale": 0.5}),
    "minicpm-longrope": model("minicpm", LLAMA, UNTIED + " rope_factors_long[hd//2] rope_factors_short[hd//2]",
                              {"logit_scale": 2.0, "rope.scaling.type": "longrope", "rope.scaling.original_context_length": 512,
                               "rope.scaling.attn_factor": 1.25}),
    "mistral3": model("mistral3", LLAMA, UNTIED, {**YARN, "rope.scaling.original_context_length": 16,
                                                  "rope.scaling.yarn_log_multiplier": 0.5, "rope.scaling.yarn_beta_fast": 8.0,
                                                  "attention.temperature_scale": 0.25}),
    "mistral3-experts": model("mistral3", ATTENTION + " ffn_norm" + EXPERTS, TIED, {
        **MOE, **YARN, "rope.scaling.yarn_log_multiplier": 1.0}, f=32),
    "mpt": model("mpt", fused(ATTENTION) + " ffn_norm ffn_up ffn_down", "output_norm",
                 {"attention.max_alibi_bias": 8.0, "attention.clamp_kqv": 0.75}, LAYER, kv=4),
    "mpt-biases": model("mpt", ALL_BIAS, "position_embd output_norm+ output", (),
                        LAYER, kv=4),
    "nemotron": model("nemotron", SPLIT_BIAS, "output_norm+ output", {"rope.dimension_count": 8}, LAYER),
    "nemotron-plain": model("nemotron", "attn_norm+ attn_q attn_k attn_v attn_output ffn_norm+ ffn_up ffn_down",
                            "output_norm+ output", {"rope.dimension_count": 8, **LINEAR}, LAYER),
    "nemotron_h": model("nemotron_h", [MAMBA2, "attn_norm ffn_up ffn_down", ATTENTION,
                                       "attn_norm ffn_up[d,48] ffn_down[48,d]"], eps=LAYER, layers=4, keys={
        **MAMBA2_KEYS, "attention.head_count_kv": [0, 0, 2, 0], "feed_forward_length": [0, 96, 0, 48]}),
    "nemotron_h_moe": model("nemotron_h_moe", [MAMBA2, RELU_EXPERTS.format(d="d", e=32), ATTENTION,
                                               RELU_EXPERTS.format(d="d", e=16)], layers=4, keys={
        **NEMOTRON_MOE, **LAYER, "expert_used_count": [0, 2, 0, 1], "expert_feed_forward_length": [0, 32, 0, 16]}),
    "nemotron_h_moe-latent": model("nemotron_h_moe", [MAMBA2, LATENT_EXPERTS, ATTENTION, LATENT_EXPERTS], eps=LAYER,
                                   layers=4, keys={**NEMOTRON_MOE, "moe_latent_size": 32}),
    "olmo2": model("olmo2", POSTNORM + " attn_q_norm[heads*hd] attn_k_norm[kv*hd]"),
    "olmo3": model("olmo2", POSTNORM + " attn_q_norm[heads*hd] attn_k_norm[kv*hd]",
                   keys={"attention.sliding_window": 12, **YARN, "rope.scaling.attn_factor": 1.25}, layers=4),
    "olmoe": model("olmoe", ATTENTION + " attn_q_norm[d] attn_k_norm[d] ffn_norm" + EXPERTS, keys=MOE, kv=4, f=32),
    "orion": model("orion", "attn_norm+ attn_q attn_k attn_v attn_output ffn_norm+ ffn_gate ffn_up ffn_down",
                   "output_norm+ output", eps=LAYER),
    "phi2-split": model("phi2", "attn_norm+ attn_q+ attn_k+ attn_v+ attn_output+ ffn_up+ ffn_down+", "output_norm+ output+",
                        {"rope.dimension_count": 8}, LAYER),
    "phi3": model("phi3", fused(ATTENTION) + FUSED_UP, keys={"attention.sliding_window": 12}),
    "phi3-longrope": model("phi3", fused(ATTENTION) + FUSED_UP, UNTIED + " rope_factors_long[hd//4] rope_factors_short[hd//4]",
                           {"rope.scaling.original_context_length": 512, "rope.scaling.attn_factor": 1.25,
                            "rope.dimension_count": 8}),
    "phi3-split": model("phi3", biased(ATTENTION, "attn_q", "attn_k", "attn_v") + FUSED_UP, TIED),
    "phimoe": model("phimoe", biased(ATTENTION, *ATTENTION.split()) + WIDE_EXPERTS.replace("ffn_norm", "ffn_norm+"),
                    "output_norm+ output+", MOE_ANY_WIDTH),
    "qwen2": model("qwen2", QKV_BIAS, "output_norm output+"),
    "qwen2-yarn": model("qwen2", QKV_BIAS, TIED, YARN),
    "qwen2moe": model("qwen2moe", biased(ATTENTION, "attn_q", "attn_k", "attn_v") + " ffn_norm" + EXPERTS +
                      " ffn_gate_inp_shexp" + SHARED, keys={**MOE, "expert_shared_feed_forward_length": 48}),
    "qwen2vl": model("qwen2vl", QKV_BIAS, UNTIED, {"rope.dimension_sections": [2, 3, 3, 0], "rope.freq_base": 1e6}),
    "qwen3": model("qwen3", LLAMA + HEAD_NORMS, TIED, {"attention.key_length": 32, "attention.value_length": 32}, hd=32),
    "qwen3moe": model("qwen3moe", ATTENTION + HEAD_NORMS + " ffn_norm" + EXPERTS, keys=MOE),
    "qwen3next": model("qwen3next", [NEXT + NEXT_EXPERTS, GATED_ATTENTION + NEXT_EXPERTS], keys=NEXT_KEYS),
    "qwen3next-old": model("qwen3next", [GATED_ATTENTION + NEXT_EXPERTS, NEXT_OLD + NEXT_EXPERTS, GATED_ATTENTION +
                                         NEXT_EXPERTS + EXTRA_LAYER], TIED, {
        **NEXT_KEYS, "attention.recurrent_layers": [False, True, False], "nextn_predict_layers": 1}, layers=3),
    "qwen35": model("qwen35", [DELTA + " ffn_gate ffn_up ffn_down", GATED_ATTENTION + " ffn_gate ffn_up ffn_down"],
                    keys=DELTA_KEYS),
    "qwen35moe": model("qwen35moe", [DELTA + EXPERTS + " ffn_gate_inp_shexp" + SHARED,
                                     GATED_ATTENTION + EXPERTS + " ffn_gate_inp_shexp" + SHARED],
                       keys={**DELTA_KEYS, **MOE, "expert_shared_feed_forward_length": 48}),
    "qwen35moe-fused": model("qwen35moe", [t + " ffn_gate_inp ffn_gate_up_exps[d,2*ef,experts] ffn_down_exps "
                                           "ffn_gate_inp_shexp" + SHARED for t in (DELTA, GATED_ATTENTION)], TIED,
                             {**DELTA_KEYS, **MOE, "expert_shared_feed_forward_length": 48}),
    "rwkv6": model("rwkv6", RWKV6.format(lerp="time_mix_lerp_fused[d,1,1,5]"), RWKV6_ENDS, RWKV6_KEYS, LAYER, heads=0),
    "rwkv6-lerps": model("rwkv6", RWKV6.format(lerp=" ".join(f"time_mix_lerp_{c}[d,1,1]" for c in "wkvrg")), RWKV6_ENDS,
                         {**RWKV6_KEYS, "rescale_every_n_layers": 0}, LAYER, heads=0),
    "rwkv7": model("rwkv7", [RWKV7.format(v=6), RWKV7.format(v=4)], RWKV6_ENDS, RWKV7_KEYS, LAYER, heads=0, d=128),
    "seed_oss": model("seed_oss", QKV_BIAS.replace("ffn_norm", "post_attention_norm"),
                      keys={"attention.key_length": 32, "attention.value_length": 32}, hd=32),
    "smollm3": model("smollm3", LLAMA, TIED, {"rope.freq_base": 5e6}, layers=4),
    "stablelm": model("stablelm", "attn_norm+ attn_q+ attn_k+ attn_v+ attn_output ffn_norm+ ffn_gate ffn_up ffn_down",
                      "output_norm+ output", {"rope.dimension_count": 4}, LAYER),
    "stablelm-12b": model("stablelm", "attn_norm+ attn_q attn_k attn_v attn_output attn_q_norm[hd,heads] "
                          "attn_k_norm[hd,kv] ffn_gate ffn_up ffn_down", "output_norm+ output",
                          {"rope.dimension_count": 4}, LAYER),
    "starcoder": model("starcoder", ALL_BIAS, "position_embd output_norm+ output", eps=LAYER, kv=1, context=128),
    "starcoder2": model("starcoder2", SPLIT_BIAS, "output_norm+", eps=LAYER),
}


def noise(name, count):
    return hashlib.shake_128(name.encode()).digest(count)


def spread(name, kind, shape, ends):
    """(centre, size): weights are centre + size * k / 256 for odd k between -255 and 255."""
    stem = name.split(".")[-1] if name.count(".") == 2 else name.split(".", 2)[-1]
    if kind == "scale":
        return 0.5, 0.25
    if kind == "bias":
        return (-2.0, 1.0) if "ssm_dt" in name else (0.0, 0.25)
    if stem == "ssm_a":
        return -2.0, 1.0
    if stem == "ssm_d" or "norm" in stem or stem == "time_mix_ln":
        return 1.0, 0.25
    if stem.startswith("rope_f"):
        return 3.0, 2.0 if "long" in stem else 1.0
    if "lerp" in stem:
        return 0.5, 0.25
    if stem == "time_mix_decay":
        return -1.0, 1.0
    if stem in ("attn_sinks", "time_mix_first", "position_embd", "ssm_conv1d") or "shortconv.conv" in name:
        return 0.0, 1.0
    if stem == "token_embd":
        return 0.0, 1.0 if "output" in ends.split() else 0.5
    gain = 4.0 if stem == "output" else 2.0 if stem in ("ffn_gate_inp", "attn_output", "ffn_down") else 1.0
    scale = 1.0
    while scale * scale * shape[0] > 3 * gain * gain:
        scale /= 2
    return 0.0, scale


KEEP_F32 = ("norm", "ssm_", "shortconv.conv", "time_mix_l", "time_mix_f", "time_mix_decay.", "channel_mix_l", "position",
            "gate_inp", "rope_f", "sinks", "time_mix_w", "scale", "bias")


def tensor_data(label, name, kind, shape, ends, half):
    centre, size = spread(name, kind, shape, ends)
    count = 1
    for n in shape:
        count *= n
    table = [centre + size * (2 * b - 255) / 256 for b in range(256)]
    if centre:  # so many bits that BF16 holds them, too
        table = [round(v * 64) / 64 for v in table]
    full = f"{name}.{kind}" if kind else name
    raw = noise(f"{label} {full}", count)
    half = half and len(shape) > 1 and not any(k in full for k in KEEP_F32)
    if half:
        halves = [struct.unpack("<H", struct.pack("<e", v))[0] for v in table]
        data = array.array("H", map(halves.__getitem__, raw))
    else:
        data = array.array("f", map(table.__getitem__, raw))
    if sys.byteorder == "big":
        data.byteswap()
    return full, shape, int(half), data.tobytes()


def parse(text, size):
    """Names, kinds and shapes of a list of tensors. NAME*: the name as it is, without ".weight"."""
    for word in text.split():
        both = word.endswith("+")
        name, _, shape = word.rstrip("+").partition("[")
        name, bare = name.rstrip("*"), name.endswith("*")
        stem, kind = name, "" if bare else "weight"
        for other in ("bias", "scale"):
            if name.endswith("." + other):
                stem, kind = name[:-len(other) - 1], other
        expression = shape.rstrip("]") or SHAPES[stem]
        dims = tuple(eval(expression + ",", {}, size))
        yield stem, kind, dims
        if both:
            yield stem, "bias", dims[1:] or dims


def tensors(label, entry, half):
    size, ends = entry["size"], "token_embd " + entry["ends"]
    blocks = entry["blocks"] if isinstance(entry["blocks"], list) else [entry["blocks"]] * size["layers"]
    assert len(blocks) == size["layers"], label
    for stem, kind, shape in parse(ends, size):
        yield tensor_data(label, stem, kind, shape, ends, half)
    for i, text in enumerate(blocks):
        for stem, kind, shape in parse(text, size):
            yield tensor_data(label, f"blk.{i}.{stem}", kind, shape, ends, half)


def vocabulary():
    """Byte-level BPE: the 256 bytes, a few pairs, an end."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {b: chr(b) for b in plain}
    for i, b in enumerate(b for b in range(256) if b not in letters):
        letters[b] = chr(256 + i)
    pairs = ["t h", "th e", "i n", "a n", "e r", "o u", letters[32] + " a"]
    tokens = [letters[b] for b in range(256)] + [p.replace(" ", "") for p in pairs] + ["<|end|>"]
    tokens += [f"<|{i}|>" for i in range(VOCAB - len(tokens))]
    types = [1] * (256 + len(pairs)) + [3] * (VOCAB - 256 - len(pairs))
    return {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": pairs,
            "tokenizer.ggml.bos_token_id": 256 + len(pairs), "tokenizer.ggml.eos_token_id": 256 + len(pairs),
            "tokenizer.ggml.add_bos_token": False}


def string(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def scalar(v):
    """GGUF's type and bytes."""
    if isinstance(v, bool):
        return 7, struct.pack("<B", v)
    if isinstance(v, str):
        return 8, string(v)
    return (6, struct.pack("<f", v)) if isinstance(v, float) else (4, struct.pack("<I", v))


def value(v):
    if not isinstance(v, list):
        kind, data = scalar(v)
        return struct.pack("<I", kind) + data
    items = [scalar(x) for x in v]
    kind = 5 if items[0][0] == 4 else items[0][0]
    return struct.pack("<IIQ", 9, kind, len(v)) + b"".join(data for _, data in items)


def keys_of(label, entry):
    family, size = entry["family"], entry["size"]
    keys = {"context_length": size["context"], "embedding_length": size["d"], "block_count": size["layers"],
            "feed_forward_length": size["f"], "attention.head_count": size["heads"]}
    if size["heads"]:
        keys["attention.head_count_kv"] = size["kv"]
    if size["heads"] and not family.startswith("mamba"):
        keys["rope.dimension_count"] = size["hd"]
    keys.update(entry["keys"])
    out = {"general.architecture": family, "general.name": "tiny", "general.alignment": 32}
    out.update({k if k.startswith("xielu") else f"{family}.{k}": v for k, v in keys.items()})
    out.update(entry.get("vocabulary") or vocabulary())
    return out


def gguf(label, kind="f32"):
    """The bytes of a model."""
    entry = MODELS[label]
    keys = keys_of(label, entry)
    table, blobs, offset, count = b"", [], 0, 0
    for name, shape, half, data in tensors(label, entry, kind == "f16"):
        table += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, half, offset)
        blobs.append(data + b"\0" * (-len(data) % 32))
        offset += len(blobs[-1])
        count += 1
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(keys))
    head += b"".join(string(k) + value(v) for k, v in keys.items()) + table
    return head + b"\0" * (-len(head) % 32) + b"".join(blobs)


def prompts(label):
    """Token ids: one that is longer than any window here, and a short one."""
    return [list(noise(label + " prompt", PROMPT)), list(noise(label + " short prompt", 5))]


def main(args):
    if args and args[0] == "--list":
        print("\n".join(MODELS))
        return 0
    if not args:
        sys.exit(__doc__)
    folder, kind, names = pathlib.Path(args[0]), "f32", args[1:]
    if names and names[0] == "--type":
        kind, names = names[1], names[2:]
    folder.mkdir(exist_ok=True)
    for label in names or MODELS:
        (folder / f"{label}-{kind}.gguf").write_bytes(gguf(label, kind))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
