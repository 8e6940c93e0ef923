#!/usr/bin/env python3
"""Folders as Hugging Face's models come in, packed; and the same models as GGUFs, made here by the known rules: the logits
are the same to the last bit. hf_folder_test.py WISP"""
import json
import os
import pathlib
import random
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


def gated(plan, hf, gg, ff=FF, names=("gate_proj", "up_proj", "down_proj"), to=("ffn_gate", "ffn_up", "ffn_down")):
    for name, target, shape in zip(names, to, ([ff, WIDTH], [ff, WIDTH], [WIDTH, ff])):
        plan += [(hf + name, gg + target, shape)]


def experts(plan, hf, gg, where, names):
    plan += [(f"{hf}{where}.gate", gg + "ffn_gate_inp", [EXPERTS, WIDTH])]
    for e in range(EXPERTS):
        gated(plan, f"{hf}{where}.experts.{e}.", gg, EXPERT_FF, names,
              tuple(f"ffn_{k}_exps#{e}" for k in ("gate", "up", "down")))


def plan_of(family, tied):
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
PAIRS = ("llama", "mistral", "mixtral", "smollm3", "granite")


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
    if family.startswith("gemma") and "norm" in gguf:
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
            norm = "norm" in gguf and not family.startswith("gemma")
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
            kind = "F32" if len(shape) == 1 or "ffn_gate_inp" in gguf else self.gguf_type.get(hf, self.matrix)
            name, _, expert = full(gguf).replace(".weight", "").partition("#") if "#" in gguf else (full(gguf), "", "")
            if expert:
                name = gguf.split("#")[0] + ".weight"
                old = tensors.get(name, (kind, [EXPERTS] + shape, []))
                tensors[name] = (kind, [EXPERTS] + shape, old[2] + values)
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
                         ("granite", True), ("smollm3", True)):
        for matrix in ("BF16", "F16", "F32") if family == "llama" else ("BF16",):
            m = Model(family, tied, matrix)
            what = f"{family} {matrix}"
            same(m.folder(base / what.replace(" ", "-")), m.gguf(base / (what.replace(" ", "-") + ".gguf")), what)


def main():
    with tempfile.TemporaryDirectory() as name:
        base = pathlib.Path(name)
        families(base)
        for part in MORE:
            part(base)
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


MORE = []
if __name__ == "__main__":
    sys.exit(main())
