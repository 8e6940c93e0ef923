#!/usr/bin/env python3
"""Folders as Hugging Face's models come in, packed; and the same models as GGUFs, made here by the known rules: the logits
are the same to the last bit. hf_folder_test.py WISP"""
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

WISP = sys.argv[1]
WIDTH, FF, HEADS, KV, DIM, LAYERS = 64, 96, 4, 2, 16, 2
EXPERTS, EXPERT_FF = 4, 32
PROMPT = "Hello there, wide world of 1234 things!"

passed = failed = 0


def check(condition, what):
    global passed, failed
    passed += bool(condition)
    failed += not condition
    if not condition:
        print(f"FAILED {what}")
    return condition


def run(*args, status=0):
    r = subprocess.run([WISP, *map(str, args)], capture_output=True, text=True, timeout=300)
    check(status in (None, r.returncode), f"exit {r.returncode}, not {status}: wisp {' '.join(map(str, args))[:300]}: {r.stderr[-500:]}")
    return r


# ---- numbers ----
def f32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def bf16_bits(v):
    u = struct.unpack("<I", struct.pack("<f", v))[0]
    return (u + 0x7fff + (u >> 16 & 1)) >> 16


def bf16(v):
    return struct.unpack("<f", struct.pack("<I", bf16_bits(v) << 16))[0]


def f16(v):
    return struct.unpack("<e", struct.pack("<e", v))[0]


def encode(values, kind):
    if kind == "F32":
        return struct.pack(f"<{len(values)}f", *values)
    if kind == "F16":
        return struct.pack(f"<{len(values)}e", *values)
    if kind == "BF16":
        return struct.pack(f"<{len(values)}H", *map(bf16_bits, values))
    return bytes(values) if kind in ("F8_E4M3", "U8") else struct.pack(f"<{len(values)}I", *values)


def e4m3(b):
    e, m = b >> 3 & 15, b & 7
    v = (8 + m) * 2.0 ** (e - 10) if e else m * 2.0 ** -9
    return -v if b & 128 else v


# ---- files ----
def write_safetensors(path, tensors):
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (kind, shape, values) in tensors.items():
        raw = encode(values, kind)
        head[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def gguf_value(v):
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + text(v)
    kind = {bool: 7, int: 5, float: 6, str: 8}[type(v[0])]
    form = {7: "<?", 5: "<i", 6: "<f"}.get(kind)
    return struct.pack("<IIQ", 9, kind, len(v)) + b"".join(text(e) if kind == 8 else struct.pack(form, e) for e in v)


def write_gguf(path, keys, tensors):
    infos, data = b"", b""
    for name, (kind, shape, values) in tensors.items():
        raw = encode(values, kind)
        infos += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape))
        infos += b"".join(struct.pack("<Q", d) for d in reversed(shape))
        infos += struct.pack("<IQ", {"F32": 0, "F16": 1, "BF16": 30}[kind], len(data))
        data += raw + bytes(-len(raw) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(struct.pack("<Q", len(k)) + k.encode() + gguf_value(v) for k, v in keys.items()) + infos
    path.write_bytes(head + bytes(-len(head) % 32) + data)


# ---- a vocabulary: bytes, some merges, special tokens ----
def byte_letters():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return {b: chr(b) if b in plain else chr(256 + sum(x not in plain for x in range(b))) for b in range(256)}


LETTERS = byte_letters()
MERGES = ["t h", "h e", "th e", "Ġ t", "l l", "e r", "1 2"]
TOKENS = [LETTERS[b] for b in range(256)] + [m.replace(" ", "") for m in MERGES]
SPECIAL = ["<|begin|>", "<|end_of_text|>", "<|stop|>"]
ROWS = 280  # of the embeddings: more than there are tokens
BOS, EOS, STOP = len(TOKENS), len(TOKENS) + 1, len(TOKENS) + 2


def tokenizer_json():
    added = [{"id": len(TOKENS) + i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, t in enumerate(SPECIAL)]
    return {"version": "1.0", "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": {"type": "TemplateProcessing", "single": [
                {"SpecialToken": {"id": SPECIAL[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]},
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {t: i for i, t in enumerate(TOKENS)}, "merges": MERGES}}


def vocabulary_keys():
    tokens = TOKENS + SPECIAL
    return {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
            "tokenizer.ggml.tokens": tokens + [f"[PAD{i}]" for i in range(len(tokens), ROWS)],
            "tokenizer.ggml.token_type": [1] * len(TOKENS) + [3] * 3 + [5] * (ROWS - len(tokens)),
            "tokenizer.ggml.merges": MERGES, "tokenizer.ggml.bos_token_id": BOS, "tokenizer.ggml.eos_token_id": EOS,
            "tokenizer.ggml.eot_token_id": STOP, "tokenizer.ggml.add_bos_token": True}


# ---- models ----
def layer(i, plan, p):
    """What a layer has: (Hugging Face's name, GGUF's, shape)."""
    q, kv = HEADS * DIM, KV * DIM
    hf, gg = f"{p}layers.{i}.", f"blk.{i}."
    plan += [(hf + "input_layernorm", gg + "attn_norm", [WIDTH])]
    return hf, gg, q, kv


def attention(plan, hf, gg, q, kv, bias=False, norms=None):
    for a, b, rows in (("q", "attn_q", q), ("k", "attn_k", kv), ("v", "attn_v", kv)):
        plan += [(f"{hf}self_attn.{a}_proj", gg + b, [rows, WIDTH])]
        if bias:
            plan += [(f"{hf}self_attn.{a}_proj.bias", gg + b + ".bias", [rows])]
    plan += [(hf + "self_attn.o_proj", gg + "attn_output", [WIDTH, q])]
    if norms:
        plan += [(hf + f"self_attn.{a}_norm", gg + f"attn_{a}_norm", [n]) for a, n in zip("qk", norms)]


def gated(plan, hf, gg, ff=None, names=("gate_proj", "up_proj", "down_proj"), to=("ffn_gate", "ffn_up", "ffn_down")):
    ff = ff or FF
    for name, target, shape in zip(names, to, ([ff, WIDTH], [ff, WIDTH], [WIDTH, ff])):
        plan += [(hf + name, gg + target, shape)]


def experts(plan, hf, gg, where, names):
    plan += [(f"{hf}{where}.gate", gg + "ffn_gate_inp", [EXPERTS, WIDTH])]
    for e in range(EXPERTS):
        gated(plan, f"{hf}{where}.experts.{e}.", gg, EXPERT_FF, names,
              tuple(f"ffn_{k}_exps#{e}" for k in ("gate", "up", "down")))


# Families beside Llama's: norms of a layer, how its matrices are called, and where biases are.
SANDWICH = {"input_layernorm": "attn_norm", "post_self_attn_layernorm": "post_attention_norm",
            "post_attention_layernorm": "ffn_norm", "post_mlp_layernorm": "post_ffw_norm"}
BEHIND = {"post_attention_layernorm": "post_attention_norm", "post_feedforward_layernorm": "post_ffw_norm"}
BEFORE = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
PARALLEL = {"input_layernorm": "attn_norm"}
PLAIN = {"mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
GATED = {"mlp.gate_proj": "ffn_gate"} | PLAIN
NORMS = {"glm4": SANDWICH, "exaone4": BEHIND, "olmo3": BEHIND, "phi": PARALLEL, "cohere": PARALLEL, "cohere2": PARALLEL,
         "seed_oss": {"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm"},
         "stablelm": PARALLEL}
FORWARD = {"phi": {"mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}, "starcoder2": {"mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"},
           "glm4": {"mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}, "nemotron": PLAIN, "arcee": PLAIN,
           "olmoe": {}, "qwen2_moe": {}}
BIASED_NORMS = ("phi", "stablelm", "starcoder2", "nemotron")
BIASED_ALL = ("phi", "starcoder2")
BIASED_QKV = ("glm4", "seed_oss", "qwen2_moe", "stablelm") + BIASED_ALL
OTHERS = ("arcee", "cohere", "cohere2", "exaone4", "glm4", "nemotron", "olmo3", "olmoe", "phi", "qwen2_moe", "seed_oss",
          "stablelm", "starcoder2")
TIED = ("cohere", "cohere2", "starcoder2")


def head_norms(family, i):
    q, kv = HEADS * DIM, KV * DIM
    hf, gg = f"model.layers.{i}.self_attn.", f"blk.{i}.attn_"
    if family in ("exaone4", "olmo3", "olmoe", "cohere"):
        shapes = {"exaone4": ([DIM], [DIM]), "cohere": ([HEADS, DIM], [KV, DIM])}.get(family, ([q], [kv]))
        return [(f"{hf}{a}_norm", f"{gg}{a}_norm", shape) for a, shape in zip("qk", shapes)]
    return [(f"{hf}{a}_layernorm.norms.{h}", f"{gg}{a}_norm#{h}", [DIM])
            for a, n in (("q", HEADS), ("k", KV)) for h in range(n if family == "stablelm" else 0)]


def plan_of_other(family, tied):
    def add(hf, gguf, shape, bias=False):
        plan.append((hf, gguf, shape))
        if bias:
            plan.append((hf + ".bias", gguf + ".bias", shape[:1]))
    plan = [("model.embed_tokens", "token_embd", [ROWS, WIDTH])]
    add("model.final_layernorm" if family == "phi" else "model.norm", "output_norm", [WIDTH], family in BIASED_NORMS)
    if not tied:
        add("lm_head", "output", [ROWS, WIDTH], family == "phi")
    for i in range(LAYERS):
        hf, gg = f"model.layers.{i}.", f"blk.{i}."
        for a, b in NORMS.get(family, BEFORE).items():
            add(hf + a, gg + b, [WIDTH], family in BIASED_NORMS)
        for a, b, rows in (("q", "attn_q", HEADS * DIM), ("k", "attn_k", KV * DIM), ("v", "attn_v", KV * DIM)):
            add(f"{hf}self_attn.{a}_proj", gg + b, [rows, WIDTH], family in BIASED_QKV)
        add(hf + ("self_attn.dense" if family == "phi" else "self_attn.o_proj"), gg + "attn_output", [WIDTH, HEADS * DIM],
            family in BIASED_ALL)
        plan += head_norms(family, i)
        for a, b in FORWARD.get(family, GATED).items():
            rows = 2 * FF if "gate_up" in a else FF
            add(hf + a, gg + b, [WIDTH, FF] if b == "ffn_down" else [rows, WIDTH], family in BIASED_ALL)
        if family in ("olmoe", "qwen2_moe"):
            experts(plan, hf, gg, "mlp", ("gate_proj", "up_proj", "down_proj"))
        if family == "qwen2_moe":
            add(hf + "mlp.shared_expert_gate", gg + "ffn_gate_inp_shexp", [1, WIDTH])
            gated(plan, hf + "mlp.shared_expert.", gg, FF, to=("ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"))
    return plan


def config_of_other(family, tied):
    """What differs from Llama's: members of config.json (None: there is none), and keys."""
    a = {"cohere": "command-r", "olmo3": "olmo2", "phi": "phi2", "qwen2_moe": "qwen2moe"}.get(family, family)
    c, k = {"head_dim": None}, {}
    layer = {"attention.layer_norm_epsilon": 1e-5, "attention.layer_norm_rms_epsilon": None}
    windows = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
    half = {"rope.dimension_count": DIM // 2}
    if family in ("cohere", "cohere2"):
        c |= {"logit_scale": 0.25, "layer_norm_eps": 1e-5, "rms_norm_eps": None, "model_max_length": 1024}
        k |= layer | {"logit_scale": 0.25} | ({"context_length": 1024} if family == "cohere" else {})
    if family in ("phi", "stablelm", "nemotron", "starcoder2"):
        c |= {"rms_norm_eps": None, {"nemotron": "norm_eps", "starcoder2": "norm_epsilon"}.get(family, "layer_norm_eps"): 1e-5}
        k |= layer
    if family in ("phi", "stablelm", "glm4"):
        c |= {"partial_rotary_factor": 0.5}
        k |= half
    if family == "nemotron":
        c |= {"rope_percent": 0.25}
        k |= {"rope.dimension_count": DIM // 4}
    if family in ("olmo3", "cohere2"):
        c |= windows
        k |= {"attention.sliding_window": 8, "attention.sliding_window_pattern": [True, False]}
    if family in ("olmo3", "arcee"):
        c |= {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.25 if family == "arcee" else None,
                               "original_max_position_embeddings": 16, "beta_fast": 32.0, "beta_slow": 1.0}}
        k |= {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16,
              "rope.scaling.yarn_beta_fast": 32.0, "rope.scaling.yarn_beta_slow": 1.0}
    if family == "arcee":
        k |= {"rope.scaling.attn_factor": f32(1.25 / (1 + 0.1 * math.log(4)))}
    if family in ("olmoe", "qwen2_moe"):
        c |= {"num_experts": EXPERTS, "num_experts_per_tok": 2}
        k |= {"expert_count": EXPERTS, "expert_used_count": 2}
        c |= {"intermediate_size": EXPERT_FF} if family == "olmoe" else {
            "moe_intermediate_size": EXPERT_FF, "shared_expert_intermediate_size": FF}
        k |= {"feed_forward_length": EXPERT_FF} if family == "olmoe" else {
            "expert_feed_forward_length": EXPERT_FF, "expert_shared_feed_forward_length": FF}
    if family in ("seed_oss", "exaone4"):
        c |= {"head_dim": DIM, "rope_theta": None, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}
        k |= {"attention.key_length": DIM, "attention.value_length": DIM, "rope.freq_base": 5e5}
    return a, c, k


def plan_of(family, tied):
    if family in OTHERS:
        return plan_of_other(family, tied)
    p = "language_model.model." if family == "gemma3" else "model."
    plan = [(p + "embed_tokens", "token_embd", [ROWS, WIDTH]), (p + "norm", "output_norm", [WIDTH])]
    if not tied:
        plan += [("lm_head", "output", [ROWS, WIDTH])]
    for i in range(LAYERS):
        hf, gg, q, kv = layer(i, plan, p)
        if family == "phi3":
            plan += [(hf + "self_attn.qkv_proj", gg + "attn_qkv", [q + 2 * kv, WIDTH]),
                     (hf + "self_attn.o_proj", gg + "attn_output", [WIDTH, q]),
                     (hf + "mlp.gate_up_proj", gg + "ffn_up", [2 * FF, WIDTH]),
                     (hf + "mlp.down_proj", gg + "ffn_down", [WIDTH, FF])]
        else:
            norms = {"qwen3": (DIM, DIM), "qwen3_moe": (DIM, DIM), "gemma3": (DIM, DIM), "olmo2": (q, kv)}.get(family)
            attention(plan, hf, gg, q, kv, family == "qwen2", norms)
            if family == "mixtral":
                experts(plan, hf, gg, "block_sparse_moe", ("w1", "w3", "w2"))
            elif family == "qwen3_moe":
                experts(plan, hf, gg, "mlp", ("gate_proj", "up_proj", "down_proj"))
            else:
                gated(plan, hf + "mlp.", gg)
        behind = family in ("gemma2", "gemma3", "olmo2")
        plan += [(hf + "post_attention_layernorm", gg + ("post_attention_norm" if behind else "ffn_norm"), [WIDTH])]
        if behind:
            plan += [(hf + "post_feedforward_layernorm", gg + "post_ffw_norm", [WIDTH])]
        if family in ("gemma2", "gemma3"):
            plan += [(hf + "pre_feedforward_layernorm", gg + "ffn_norm", [WIDTH])]
        if family == "olmo2":
            plan.remove((hf + "input_layernorm", gg + "attn_norm", [WIDTH]))
    return plan


ARCHITECTURES = {"mistral": "llama", "mixtral": "llama", "qwen3_moe": "qwen3moe"}
PAIRS = ("llama", "mistral", "mixtral", "smollm3", "granite", "arcee")


def config_of(family, tied):
    c = {"model_type": family, "hidden_size": WIDTH, "intermediate_size": FF, "num_hidden_layers": LAYERS,
         "num_attention_heads": HEADS, "num_key_value_heads": KV, "max_position_embeddings": 512,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": ROWS, "tie_word_embeddings": tied,
         "eos_token_id": EOS, "bos_token_id": BOS}
    a = ARCHITECTURES.get(family, family)
    k = {f"{a}.embedding_length": WIDTH, f"{a}.feed_forward_length": FF, f"{a}.block_count": LAYERS,
         f"{a}.attention.head_count": HEADS, f"{a}.attention.head_count_kv": KV, f"{a}.context_length": 512,
         f"{a}.attention.layer_norm_rms_epsilon": 1e-5, f"{a}.rope.freq_base": 10000.0,
         f"{a}.rope.dimension_count": DIM, f"{a}.vocab_size": ROWS}
    if family in OTHERS:
        other, differs, keys = config_of_other(family, tied)
        c = {n: v for n, v in (c | differs).items() if v is not None}
        k = {f"{other}.{n.split('.', 1)[1]}": v for n, v in k.items()} | {f"{other}.{n}": v for n, v in keys.items()}
        return c, {"general.architecture": other, "general.name": "x"} | {n: v for n, v in k.items() if v is not None}
    if family.startswith(("gemma", "qwen3")):
        c["head_dim"] = DIM
        k |= {f"{a}.attention.key_length": DIM, f"{a}.attention.value_length": DIM}
    if family in ("mixtral", "qwen3_moe"):
        c |= {"num_local_experts" if family == "mixtral" else "num_experts": EXPERTS, "num_experts_per_tok": 2}
        k |= {f"{a}.expert_count": EXPERTS, f"{a}.expert_used_count": 2}
        if family == "mixtral":
            c["intermediate_size"] = EXPERT_FF
            k[f"{a}.feed_forward_length"] = EXPERT_FF
        else:
            c |= {"moe_intermediate_size": EXPERT_FF, "norm_topk_prob": True}
            k |= {f"{a}.expert_feed_forward_length": EXPERT_FF}
    if family in ("gemma2", "gemma3"):
        c["sliding_window"] = 8
        k[f"{a}.attention.sliding_window"] = 8
    if family == "gemma2":
        c |= {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
        k |= {f"{a}.attn_logit_softcapping": 50.0, f"{a}.final_logit_softcapping": 30.0}
    if family == "gemma3":  # what the text part leaves out
        for gone in ("max_position_embeddings", "rope_theta", "rms_norm_eps", "tie_word_embeddings"):
            del c[gone]
        k |= {f"{a}.context_length": 131072, f"{a}.rope.freq_base": 1e6, f"{a}.attention.layer_norm_rms_epsilon": 1e-6,
              f"{a}.rope.scaling.type": "linear", f"{a}.rope.scaling.factor": 8.0}
        c["rope_scaling"] = {"rope_type": "linear", "factor": 8.0}
        c = {"model_type": "gemma3", "text_config": c | {"model_type": "gemma3_text"}, "vision_config": {"hidden_size": 3}}
    if family == "granite":
        c |= {"attention_multiplier": 0.5, "embedding_multiplier": 3.0, "residual_multiplier": 0.25, "logits_scaling": 2.0}
        k |= {f"{a}.attention.scale": 0.5, f"{a}.embedding_scale": 3.0, f"{a}.residual_scale": 0.25, f"{a}.logit_scale": 2.0}
    return c, {"general.architecture": a, "general.name": "x"} | k


def paired(values, shape, heads):
    rows, cols = shape[0], shape[1] if len(shape) > 1 else 1
    size, out = rows // heads, []
    for h in range(heads):
        for i in range(size // 2):
            for half in (0, 1):
                at = (h * size + half * (size // 2) + i) * cols
                out += values[at:at + cols]
    return out


def rule(family, hf, gguf, shape, values):
    """Values of the GGUF, from those of the folder."""
    if family in PAIRS and (".q_proj" in hf or ".k_proj" in hf):
        return paired(values, shape, HEADS if ".q_proj" in hf else KV)
    if (family.startswith("gemma") or family == "nemotron") and "norm" in gguf and not gguf.endswith(".bias"):
        return [f32(v + 1) for v in values]
    return values


def full(name):
    return name if name.endswith(".bias") else name + ".weight"


class Model:
    def __init__(self, family, tied=False, matrix="BF16", seed=1):
        rng = random.Random(f"{family} {seed}")
        rounded = {"BF16": bf16, "F16": f16, "F32": f32}[matrix]
        self.family, self.tied, self.matrix = family, tied, matrix
        self.plan = plan_of(family, tied)
        self.config, self.keys = config_of(family, tied)
        self.values = {}
        for hf, gguf, shape in self.plan:
            norm = "norm" in gguf and not family.startswith("gemma") and family != "nemotron" and not gguf.endswith(".bias")
            count = shape[0] * (shape[1] if len(shape) > 1 else 1)
            self.values[hf] = [rounded((1 if norm else 0) + rng.gauss(0, 0.15)) for _ in range(count)]
        self.stored = {full(hf): (matrix, shape, self.values[hf]) for hf, _, shape in self.plan}
        self.gguf_type = {}

    def folder(self, path, shards=2):
        path.mkdir()
        (path / "config.json").write_text(json.dumps(self.config))
        (path / "generation_config.json").write_text(json.dumps({"eos_token_id": [EOS, STOP]}))
        (path / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
        (path / "tokenizer_config.json").write_text(json.dumps(
            {"bos_token": SPECIAL[0], "eos_token": {"content": SPECIAL[1]}, "chat_template": "{{ messages[0].content }}"}))
        names, files = list(self.stored), {}
        for i in range(shards):
            name = f"model-{i + 1:05}-of-{shards:05}.safetensors" if shards > 1 else "model.safetensors"
            part = {n: self.stored[n] for n in names[i::shards]}
            write_safetensors(path / name, part)
            files |= {n: name for n in part}
        if shards > 1:
            (path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
        return path

    def gguf(self, path, extra=None):
        tensors = dict(extra or {})
        for hf, gguf, shape in self.plan:
            values = rule(self.family, hf, gguf, shape, self.values[hf])
            kind = "F32" if len(shape) == 1 or "ffn_gate_inp" in gguf or "_norm" in gguf else self.gguf_type.get(hf, self.matrix)
            name, _, expert = full(gguf).replace(".weight", "").partition("#") if "#" in gguf else (full(gguf), "", "")
            if expert:
                name = gguf.split("#")[0] + ".weight"
                old = tensors.get(name, (kind, [], []))[2]
                tensors[name] = (kind, [int(expert) + 1] + shape, old + values)
            else:
                tensors[name] = (kind, shape, values)
        write_gguf(path, self.keys | vocabulary_keys(), tensors)
        return path


def logits(model):
    r = run("logits", model, "-p", PROMPT, "--greedy", 4, "--json")
    return json.loads(r.stdout or "{}")


def same(folder, gguf, what, *more):
    a, b = folder.with_suffix(".wasm"), gguf.with_suffix(".gguf.wasm")
    run("pack", folder, "-o", a, *more)
    run("pack", gguf, "-o", b, *more)
    x, y = logits(a), logits(b)
    check(x and x.get("prompt_ids") == y.get("prompt_ids"), f"{what}: tokens {x.get('prompt_ids')} {y.get('prompt_ids')}")
    return check(x and x.get("sha256") == y.get("sha256") and x.get("greedy_ids") == y.get("greedy_ids"), f"{what}: other logits")


def families(base):
    for family, tied in (("llama", False), ("mistral", False), ("mixtral", False), ("qwen2", True), ("qwen3", True),
                         ("qwen3_moe", False), ("gemma", True), ("gemma2", True), ("gemma3", True), ("phi3", False), ("olmo2", False),
                         ("granite", True), ("smollm3", True), *((f, f in TIED) for f in OTHERS)):
        for matrix in ("BF16", "F16", "F32") if family == "llama" else ("BF16",):
            m = Model(family, tied, matrix)
            what = f"{family} {matrix}"
            same(m.folder(base / what.replace(" ", "-")), m.gguf(base / (what.replace(" ", "-") + ".gguf")), what)


# ---- matrices of fewer bits ----
def words(rows_of_values, bits):
    """Each row's values into words of 32 bits, the low bits first."""
    per = 32 // bits
    return [sum(v << bits * j for j, v in enumerate(row[i:i + per])) for row in rows_of_values for i in range(0, len(row), per)]


def columns(flat, rows, cols):
    return [flat[c::cols] for c in range(cols)]


def fp8(rng, name, rows, cols, block):
    q = [rng.choice([v for v in range(256) if v & 127 < 0x70]) for _ in range(rows * cols)]
    if block:
        br, bc = -(-rows // block), -(-cols // block)
        scale = [f32(rng.uniform(0.01, 0.03)) for _ in range(br * bc)]
        pick, shape = (lambda r, c: scale[r // block * bc + c // block]), [br, bc]
    else:
        scale = [f32(rng.uniform(0.01, 0.03))]
        pick, shape = (lambda r, c: scale[0]), []
    values = [f32(e4m3(q[r * cols + c]) * pick(r, c)) for r in range(rows) for c in range(cols)]
    return values, {f"{name}.weight": ("F8_E4M3", [rows, cols], q), f"{name}.weight_scale_inv": ("F32", shape, scale),
                    f"{name}.input_scale": ("F32", [], [1.0])}


def mlx(rng, name, rows, cols, bits, group=32):
    q = [[rng.randrange(1 << bits) for _ in range(cols)] for _ in range(rows)]
    n = cols // group
    s = [f16(rng.uniform(0.5, 1.5) / (1 << bits)) for _ in range(rows * n)]
    b = [f16(-v * (1 << bits) / 2) for v in s]
    values = [f32(q[r][c] * s[r * n + c // group] + b[r * n + c // group]) for r in range(rows) for c in range(cols)]
    return values, {f"{name}.weight": ("U32", [rows, cols * bits // 32], words(q, bits)),
                    f"{name}.scales": ("F16", [rows, n], s), f"{name}.biases": ("F16", [rows, n], b)}


def gptq(rng, name, rows, cols, order, group=32):
    q = [[rng.randrange(16) for _ in range(cols)] for _ in range(rows)]
    n = cols // group
    z = [[rng.randrange(6, 10) for _ in range(rows)] for _ in range(n)]
    s = [[f16(rng.uniform(0.03, 0.08)) for _ in range(rows)] for _ in range(n)]
    g = [c // group for c in range(cols)]
    if order:
        rng.shuffle(g)
    values = [f32((q[r][c] - z[g[c]][r]) * s[g[c]][r]) for r in range(rows) for c in range(cols)]
    packed = [0] * (cols // 8 * rows)
    for r in range(rows):
        for c in range(cols):
            packed[c // 8 * rows + r] |= q[r][c] << 4 * (c % 8)
    return values, {f"{name}.qweight": ("I32", [cols // 8, rows], packed),
                    f"{name}.qzeros": ("I32", [n, rows // 8], words([[v - 1 for v in row] for row in z], 4)),
                    f"{name}.scales": ("F16", [n, rows], sum(s, [])), f"{name}.g_idx": ("I32", [cols], g)}


def awq(rng, name, rows, cols, _, group=32):
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    q = [[rng.randrange(16) for _ in range(rows)] for _ in range(cols)]
    n = cols // group
    z = [[rng.randrange(6, 10) for _ in range(rows)] for _ in range(n)]
    s = [[f16(rng.uniform(0.03, 0.08)) for _ in range(rows)] for _ in range(n)]
    values = [f32((q[c][r] - z[c // group][r]) * s[c // group][r]) for r in range(rows) for c in range(cols)]
    mixed = lambda lines: [[row[i + o] for i in range(0, len(row), 8) for o in order] for row in lines]
    return values, {f"{name}.qweight": ("I32", [cols, rows // 8], words(mixed(q), 4)),
                    f"{name}.qzeros": ("I32", [n, rows // 8], words(mixed(z), 4)), f"{name}.scales": ("F16", [n, rows], sum(s, []))}


def smaller(m, make, arg, config, kind):
    """The matrices of the layers in fewer bits; in the GGUF they are `kind`."""
    rng = random.Random(m.family)
    for hf, gguf, shape in m.plan:
        if len(shape) == 1 or "layers" not in hf or "ffn_gate_inp" in gguf:
            continue
        m.values[hf], parts = make(rng, hf, *shape, arg)
        del m.stored[hf + ".weight"]
        m.stored |= parts
        m.gguf_type[hf] = kind
    m.config |= config
    return m


def quantized(base):
    gptq_config = {"quant_method": "gptq", "bits": 4, "group_size": 32}
    for name, family, make, arg, config, kind in (
            ("fp8", "llama", fp8, 0, {"quantization_config": {"quant_method": "fp8"}}, "BF16"),
            ("fp8-blocks", "qwen3_moe", fp8, 24, {"quantization_config": {"quant_method": "fp8", "weight_block_size": [24, 24]}}, "BF16"),
            ("mlx4", "qwen3", mlx, 4, {"quantization": {"group_size": 32, "bits": 4}}, "F16"),
            ("mlx8", "llama", mlx, 8, {"quantization": {"group_size": 32, "bits": 8, "mode": "affine"}}, "F16"),
            ("gptq", "llama", gptq, False, {"quantization_config": gptq_config}, "F16"),
            ("gptq-order", "qwen2", gptq, True, {"quantization_config": gptq_config | {"desc_act": True}}, "F16"),
            ("awq", "mistral", awq, 0, {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}}, "F16")):
        m = smaller(Model(family), make, arg, config, kind)
        same(m.folder(base / name), m.gguf(base / f"{name}.gguf"), name)
        m.gguf_type = {k: "F32" for k in m.gguf_type}  # quantized anew: from all the digits there are
        same(base / name, m.gguf(base / f"{name}-whole.gguf"), f"{name} as Q8_0", "-t", "Q8_0", "--name", "x")


# ---- GGUFs made of folders ----
def read_gguf(path):
    data = path.read_bytes()
    at = 24

    def take(form):
        nonlocal at
        v = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return v[0]

    def text():
        nonlocal at
        n = take("Q")
        at += n
        return data[at - n:at].decode()

    def value(kind):
        if kind == 9:
            element, n = take("I"), take("Q")
            return [value(element) for _ in range(n)]
        return text() if kind == 8 else take({0: "B", 1: "b", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q"}[kind])

    tensors, keys = struct.unpack_from("<QQ", data, 8)
    k = {text(): value(take("I")) for _ in range(keys)}
    t = {}
    for _ in range(tensors):
        name = text()
        t[name] = [take("Q") for _ in range(take("I"))], take("I"), take("Q")
    start = -(-at // 32) * 32
    return k, {n: (s, kind, data[start + o:]) for n, (s, kind, o) in t.items()}


def converted(base):
    m = Model("llama", seed=2)
    m.config["rope_scaling"] = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                "original_max_position_embeddings": 64}
    folder, out = m.folder(base / "convert", 1), base / "convert.gguf"
    run("quantize", folder, out, "-t", "BF16")
    keys, tensors = read_gguf(out)
    factors = []
    for i in range(DIM // 2):  # Llama 3.1's rule, in wavelengths
        length = 2 * 3.141592653589793 * 10000 ** (2 * i / DIM)
        smooth = (64 / length - 1) / 3
        factors.append(f32(1 if length < 16 else 8 if length > 64 else 1 / ((1 - smooth) / 8 + smooth)))
    check(len(set(factors)) > 2, "all three parts of the rule are there")
    check(struct.unpack_from(f"<{DIM // 2}f", tensors["rope_freqs.weight"][2]) == tuple(factors), "rope_freqs")
    for key, expected in (m.keys | vocabulary_keys()).items():
        have = keys.get(key)
        expected = "convert" if key == "general.name" else f32(expected) if isinstance(expected, float) else expected
        check(have == expected, f"key {key}: {str(have)[:80]} {str(expected)[:80]}")
    check(keys["tokenizer.chat_template"] == "{{ messages[0].content }}", "the template")
    same(folder, m.gguf(base / "llama3.gguf", {"rope_freqs.weight": ("F32", [DIM // 2], factors)}), "llama3 factors")
    run("pack", out, "-o", base / "c.wasm")
    check(logits(base / "c.wasm")["sha256"] == logits(folder.with_suffix(".wasm"))["sha256"], "a converted GGUF packs alike")
    run("quantize", folder, base / "small.gguf", "-t", "Q4_K_M")
    (folder / "chat_template.jinja").write_text("other {{ x }}")
    m = Model("phi3", seed=2)
    m.config |= {"original_max_position_embeddings": 64, "max_position_embeddings": 1024, "rope_scaling": {
        "type": "longrope", "short_factor": [1.0] * 8, "long_factor": [1.0 + i for i in range(8)]}}
    run("quantize", m.folder(base / "long"), base / "long.gguf", "-t", "F16")
    keys, tensors = read_gguf(base / "long.gguf")
    check(struct.unpack_from("<8f", tensors["rope_factors_long.weight"][2]) == tuple(1.0 + i for i in range(8)), "long factors")
    check(keys["phi3.rope.scaling.original_context_length"] == 64 and keys["phi3.context_length"] == 1024, "long contexts")
    check(abs(keys["phi3.rope.scaling.attn_factor"] - (1 + 4 / 6) ** 0.5) < 1e-6, "the factor of attention")
    run("quantize", Model("cohere", True).folder(base / "command"), base / "command.gguf", "-t", "BF16")
    keys, tensors = read_gguf(base / "command.gguf")
    check(keys["command-r.context_length"] == 1024, "model_max_length is the context")
    check(tensors["blk.0.attn_q_norm.weight"][:2] == ([DIM, HEADS], 0), "norms of two dimensions are F32")


def activations(base):
    """hidden_activation counts before hidden_act; Gemma's gelu is what others call gelu_pytorch_tanh."""
    for family, keys, status in (("llama", {"hidden_act": "silu"}, 0), ("gemma2", {"hidden_act": "gelu"}, 0),
                                 ("gemma2", {"hidden_act": "silu"}, 1), ("gemma2", {"hidden_act": "relu",
                                 "hidden_activation": "gelu_pytorch_tanh"}, 0), ("qwen3", {"hidden_act": "gelu_new"}, 1)):
        m = Model(family, seed=2)
        m.config |= keys
        run("quantize", m.folder(base / "activation"), base / "activation.gguf", "-t", "F16", status=status)
        shutil.rmtree(base / "activation")


def yarn(base):
    """The file's factor of attention is the whole of it: what YaRN makes of the factor itself is taken off."""
    for given, expected in ((None, None), (1.1386294361119891, 1.0), (2.0, 2.0 / 1.1386294361119891)):
        m = Model("qwen3", seed=2)
        m.config["rope_scaling"] = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
                                    "attention_factor": given}
        run("quantize", m.folder(base / "yarn"), base / "yarn.gguf", "-t", "F16")
        keys = read_gguf(base / "yarn.gguf")[0]
        have = keys.get("qwen3.rope.scaling.attn_factor")
        check(keys["qwen3.rope.scaling.factor"] == 4.0, "YaRN's factor")
        check(abs((have or 0) - (expected or 0)) < 1e-6, f"YaRN's factor of attention: {have} for {given}")
        shutil.rmtree(base / "yarn")


# ---- SentencePiece ----
def protobuf(number, value):
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    def varint(v):
        return bytes([v & 127 | 128]) + varint(v >> 7) if v > 127 else bytes([v])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sentencepiece_model(tokens, scores, types, dummy=1):
    pieces = b"".join(protobuf(1, protobuf(1, t.encode()) + protobuf(2, float(s)) + (protobuf(3, k) if k != 1 else b""))
                      for t, s, k in zip(tokens, scores, types))
    trainer = protobuf(3, 2) + protobuf(35, 1) + protobuf(40, 0) + protobuf(41, 1) + protobuf(42, 2)
    return pieces + protobuf(2, trainer) + protobuf(3, protobuf(1, b"identity") + protobuf(3, dummy) + protobuf(4, 0))


def tiny(base, name, rows):
    """A folder whose model is all zeros, for its vocabulary."""
    global WIDTH, FF, LAYERS, ROWS
    before = WIDTH, FF, LAYERS, ROWS
    WIDTH, FF, LAYERS, ROWS = 8, 8, 1, rows
    m = Model.__new__(Model)
    m.family, m.plan = "llama", plan_of("llama", True)
    m.config = config_of("llama", True)[0] | {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8}
    for i, (hf, gguf, shape) in enumerate(m.plan):
        m.plan[i] = (hf, gguf, [8, 8] if "self_attn" in hf else shape)
    m.stored = {full(hf): ("F16", shape, [0.0] * (shape[0] * (shape[1] if len(shape) > 1 else 1))) for hf, _, shape in m.plan}
    WIDTH, FF, LAYERS, ROWS = before
    folder = m.folder(base / name, 1)
    for gone in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / gone).unlink()
    return folder


def tokens_of(model, text):
    return run("tokenize", model, text).stdout


LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
          "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")


def vocabularies(base):
    shared = pathlib.Path(os.environ.get("WISP_SHARED", "none")) / "models" / "vocab"
    spm, bpe = shared / "ggml-vocab-llama-spm.gguf", shared / "ggml-vocab-llama-bpe.gguf"
    if not spm.exists():
        print("SKIP models/vocab: no shared data folder")
        return
    keys, _ = read_gguf(spm)
    tokens = keys["tokenizer.ggml.tokens"]
    folder = tiny(base, "spm", len(tokens))
    (folder / "tokenizer.model").write_bytes(sentencepiece_model(
        tokens, keys["tokenizer.ggml.scores"], keys["tokenizer.ggml.token_type"]))
    keys, _ = read_gguf(bpe)
    tokens, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    other = tiny(base, "bpe", len(tokens))
    (other / "tokenizer.json").write_text(json.dumps(tokenizer_json() | {
        "added_tokens": [{"id": i, "content": t, "special": True} for i, t in enumerate(tokens) if types[i] == 3],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]},
        "model": {"type": "BPE", "ignore_merges": True, "merges": keys["tokenizer.ggml.merges"],
                  "vocab": {t: i for i, t in enumerate(tokens) if types[i] != 3}}}))
    for path, vocabulary in ((folder, spm), (other, bpe)):
        capsule, back = path.with_suffix(".wasm"), path.with_suffix(".back.gguf")
        run("pack", path, "-o", capsule)
        run("unpack", capsule, "-o", back)
        texts = (shared / (vocabulary.name + ".inp")).read_text().split("\n__ggml_vocab_test__\n")
        for text in texts[::7] + ["<s>[INST] hello<|eot_id|> \U0001f680 12345  x"]:
            if not text or text.startswith("-"):
                continue
            expected = tokens_of(vocabulary, text)
            check(tokens_of(capsule, text) == expected, f"{path.name}: {text!r}: {tokens_of(capsule, text)} not {expected}")
            check(tokens_of(back, text) == expected, f"{path.name}, its GGUF: {text!r}")


# ---- what is wrong is said ----
def broken(base):
    m = Model("llama", seed=3)
    m.config["rope_scaling"] = {"type": "linear", "factor": 2.0}
    good = m.folder(base / "good")
    out = base / "none.wasm"

    def attempt(what, words, change):
        folder = base / "bad"
        subprocess.run(["rm", "-rf", folder], check=True)
        subprocess.run(["cp", "-a", good, folder], check=True)
        change(folder)
        r = run("pack", folder, "-o", out, status=1)
        check(all(w in r.stderr for w in words) and "bad" in r.stderr, f"{what}: {r.stderr[-300:]!r} does not say {words}")
        check(not out.exists(), f"{what}: leaves nothing")
        out.unlink(missing_ok=True)

    def config(**members):
        def change(folder):
            c = json.loads((folder / "config.json").read_text())
            for k, v in members.items():
                if v is None:
                    del c[k]
                else:
                    c[k] = v
            (folder / "config.json").write_text(json.dumps(c))
        return change

    def text(name, content):
        return lambda folder: (folder / name).write_text(content)

    def link(name, to):
        def change(folder):
            (folder / name).unlink(missing_ok=True)
            os.symlink(to, folder / name)
        return change

    def tokenizer(edit):
        def change(folder):
            t = json.loads((folder / "tokenizer.json").read_text())
            edit(t)
            (folder / "tokenizer.json").write_text(json.dumps(t))
        return change

    def shard(edit):
        def change(folder):
            path = folder / "model-00001-of-00002.safetensors"
            path.write_bytes(edit(path.read_bytes()))
        return change

    index = "model.safetensors.index.json"
    secret = base / "secret"
    secret.write_text("a secret")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"):
        for v in (0, -1, 2 ** 31, 2 ** 32, 2 ** 63, 1.5, 1e308, "many", [], {}, True):
            attempt(f"{key} {v}", ["config.json", key], config(**{key: v}))
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads"):
        attempt(f"no {key}", ["config.json", key, "missing"], config(**{key: None}))
    attempt("more layers", ["blk.2."], config(num_hidden_layers=3))
    attempt("fewer layers", ["model.layers.1.", "none that a model"], config(num_hidden_layers=1))
    attempt("other width", ["token_embd.weight"], config(hidden_size=32, head_dim=16))
    attempt("no heads of that size", [], config(num_attention_heads=3))
    for v in ("x", -1, [1]):
        attempt(f"rope_scaling {v}", ["config.json", "rope_scaling"], config(rope_scaling=v))
    attempt("kind of rope", ["rope_scaling", "spiral"], config(rope_scaling={"type": "spiral"}))
    attempt("long factors", ["long_factor"], config(rope_scaling={"type": "longrope", "short_factor": [1] * 8, "long_factor": [1] * 7}))
    attempt("no factors", ["long_factor"], config(rope_scaling={"type": "longrope"}))
    attempt("negative factor", ["long_factor"], config(rope_scaling={"type": "longrope", "long_factor": [1] * 7 + [-1], "short_factor": [1] * 8}))
    for v in (0, -1, 1e300):
        attempt(f"linear factor {v}", ["rope_scaling", "factor"], config(rope_scaling={"type": "linear", "factor": v}))
    for v in ("gelu", "silu_", "sil", "", " ", 3, []):
        attempt(f"activation {v}", ["activation", "silu"], config(hidden_act=v))
    attempt("impossible factors", ["rope_scaling"], config(rope_scaling={"rope_type": "llama3", "factor": 0}))
    attempt("family", ["model_type", "qwen9", "nearest", "qwen"], config(model_type="qwen9"))
    attempt("no family", ["model_type"], config(model_type=None))
    attempt("method", ["quant_method", "hqq"], config(quantization_config={"quant_method": "hqq"}))
    attempt("bits", ["bits"], config(quantization_config={"quant_method": "gptq", "bits": 2 ** 40}))
    for content in ("", "{", "[]", "null", "[" * 100, '{"a":1,"a":2}', "\0"):
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", index):
            attempt(f"{name} {content[:9]!r}", [name.removesuffix(".index.json")[:9]] if content else [], text(name, content))
    (good / "notes").write_text("x")
    attempt("no config", ["no config.json"], lambda f: (f / "config.json").unlink())
    attempt("no tokenizer", ["tokenizer.json", "tokenizer.model"], lambda f: (f / "tokenizer.json").unlink())
    attempt("no shard", ["model-00002"], lambda f: (f / "model-00002-of-00002.safetensors").unlink())
    attempt("no weights", ["model.safetensors"], lambda f: [p.unlink() for p in f.glob("model*")])
    for name in ("../secret", "/etc/passwd", "a/b", "..", "", 7):
        attempt(f"index {name}", ["same folder"], text(index, json.dumps({"weight_map": {"x": name}})))
    for name in ("config.json", "tokenizer.json", "chat_template.jinja", index, "model-00001-of-00002.safetensors", "tokenizer.model"):
        attempt(f"link {name}", [name, "leads out"], link(name, secret))
        attempt(f"link {name} to nowhere", [name], link(name, "nowhere"))
    attempt("a pipe", ["config.json"], lambda f: ((f / "config.json").unlink(), os.mkfifo(f / "config.json")))
    attempt("a folder", ["config.json"], lambda f: ((f / "config.json").unlink(), (f / "config.json").mkdir()))
    attempt("truncated", ["model-00001"], shard(lambda b: b[:-1]))
    attempt("bytes of no tensor", ["model-00001", "8 bytes", "no tensor"], shard(lambda b: b + bytes(8)))
    attempt("a tebibyte", ["no tensor"], lambda f: os.truncate(f / "model-00001-of-00002.safetensors", 2 ** 40))
    attempt("header only", ["model-00001"], shard(lambda b: b[:100]))
    attempt("huge header", ["model-00001"], shard(lambda b: struct.pack("<Q", 2 ** 63) + b[8:]))
    attempt("wrong type", ["U16"], shard(lambda b: b.replace(b'"BF16"', b'"U16" ', 1)))
    attempt("far ids", ["tokenizer.json"], tokenizer(lambda t: t["model"]["vocab"].update({"far": 2 ** 30})))
    attempt("negative id", ["tokenizer.json"], tokenizer(lambda t: t["model"]["vocab"].update({"far": -1})))
    attempt("regex", ["tokenizer.json", "pre-tokenizer"], tokenizer(lambda t: t.update(pre_tokenizer={
        "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"})))
    for content in (b"", b"\x08\x01", b"\xff" * 40, protobuf(1, b"\x08\x01")):
        def spm(folder, content=content):
            (folder / "tokenizer.json").unlink()
            (folder / "tokenizer.model").write_bytes(content)
        attempt(f"tokenizer.model {content!r}", ["tokenizer.model"], spm)
    r = run("run", good, status=None)
    check(r.returncode != 0 and "wisp pack" in r.stderr, f"run of a folder: {r.stderr}")
    snapshot = base / "models--a--b" / "snapshots" / "1234"  # as Hugging Face's cache has it
    subprocess.run(["mkdir", "-p", snapshot, base / "models--a--b" / "blobs"], check=True)
    for p in good.iterdir():
        (base / "models--a--b" / "blobs" / p.name).write_bytes(p.read_bytes())
        os.symlink(f"../../blobs/{p.name}", snapshot / p.name)
    run("pack", snapshot, "-o", base / "snapshot.wasm")
    run("pack", good, "-o", base / "plain.wasm", "--name", "1234")
    check(logits(base / "snapshot.wasm") == logits(base / "plain.wasm"), "a snapshot in the cache")


def main():
    with tempfile.TemporaryDirectory() as name:
        base = pathlib.Path(name)
        for part in (families, quantized, converted, yarn, activations, vocabularies, broken):
            part(base)
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
