"""Tiny random models that make vectors: entries of tiny_models.MODELS, whose references have an embedding a prompt."""
from tiny_models import GEMMA, HEAD_NORMS, LAYER, LLAMA, MODELS, QKV_BIAS, RMS, SHAPES, model, vocabulary

SHAPES.update({"token_types": "d,2", "layer_output_norm": "d", "cls": "d,d", "cls.output": "d,labels", "cls.norm": "d",
               "enc.output_norm": "d", "dense_2": "d,3*d", "dense_3": "3*d,d"})
MEAN, CLS, LAST, RANK = 1, 2, 3, 4


def encoder(family, blocks, ends, pooling=MEAN, keys=(), eps=LAYER, types=True, **size):
    entry = model(family, blocks, ends, {"attention.causal": False, "pooling_type": pooling, **dict(keys)}, eps,
                  **{"kv": 4, "labels": 1, **size})
    if types:
        entry["vocabulary"] = {**vocabulary(), "tokenizer.ggml.token_type_count": 2}
    return {**entry, "embeds": True}


def without(entry, key):
    return {**entry, "keys": {k: v for k, v in entry["keys"].items() if k != key}}


AROUND = " attn_output+ attn_output_norm+ "
BERT = "attn_q+ attn_k+ attn_v+" + AROUND + "ffn_up+ ffn_down+ layer_output_norm+"
FUSED = "attn_qkv+" + AROUND + "ffn_up+ ffn_down+ layer_output_norm+"
NOMIC = "attn_qkv attn_output attn_output_norm+ ffn_up ffn_gate ffn_down layer_output_norm+"
NOMIC_EXPERTS = ("attn_qkv+" + AROUND + "ffn_gate_inp ffn_up_exps[d,f,experts] ffn_down_exps[f,d,experts] "
                 "layer_output_norm+")
JINA = "attn_q+ attn_k+ attn_v+" + AROUND + "{} ffn_down+ layer_output_norm+"
NORMED = "attn_q_norm[d]+ attn_k_norm[d]+ attn_norm_2+ ffn_up+"
MODERN = "attn_norm attn_qkv attn_output ffn_norm ffn_up[d,2*f] ffn_down"
FIRST = MODERN.replace("attn_norm ", "", 1)
NAMED = "token_types token_embd_norm+"
PLACED = "token_types position_embd token_embd_norm+"
WINDOW = {"attention.sliding_window": 12, "rope.freq_base": 160000.0}
PATTERN = {"attention.sliding_window_pattern": [False, True, False, True], "rope.freq_base_swa": 5000.0}
EXPERTS = {"moe_every_n_layers": 2, "expert_count": 4, "expert_used_count": 2}
EMBEDDING_GEMMA = {"attention.sliding_window": 12, "rope.freq_base": 1000000.0}
DENSE = {"dense_2_feat_in": 64, "dense_2_feat_out": 192, "dense_3_feat_in": 192, "dense_3_feat_out": 64}
QWEN3 = LLAMA + HEAD_NORMS

MODELS.update({
    "bert": encoder("bert", BERT, PLACED),
    "bert-cls": without(encoder("bert", FUSED, PLACED, CLS), "attention.causal"),
    "bert-no-types": encoder("bert", BERT, "position_embd token_embd_norm+", LAST),
    "bert-rank": encoder("bert", BERT, PLACED + " cls+ cls.output+", RANK),
    "bert-rank-single": encoder("bert", BERT, PLACED + " cls.output+", RANK),
    "nomic-bert": encoder("nomic-bert", NOMIC, NAMED, keys={"rope.freq_base": 1000.0}),
    "nomic-bert-moe": encoder("nomic-bert-moe", [FUSED, NOMIC_EXPERTS] * 2, NAMED, keys=EXPERTS, layers=4),
    "jina-bert-v2": encoder("jina-bert-v2", JINA.format("ffn_up ffn_gate"), NAMED),
    "jina-bert-v2-6heads": encoder("jina-bert-v2", JINA.format("ffn_up[d,2*f]"), NAMED, heads=6, kv=6, d=96),
    "jina-bert-v2-norms": encoder("jina-bert-v2", JINA.format(NORMED), NAMED, CLS),
    "jina-bert-v2-rank": encoder("jina-bert-v2", JINA.format("ffn_up[d,2*f]+"), NAMED + " cls[d,1]+", RANK),
    "jina-bert-v3": encoder("jina-bert-v3", FUSED, NAMED, keys={"rope.freq_base": 20000.0}),
    "modern-bert": encoder("modern-bert", [FIRST] + [MODERN] * 4, "token_embd_norm output_norm", CLS, WINDOW, types=False,
                           layers=5),
    "modern-bert-silu": encoder("modern-bert", MODERN, "token_embd_norm output_norm",
                                keys={"hidden_activation": "silu"}, types=False),
    "modern-bert-pattern": encoder("modern-bert", [FIRST] + [MODERN] * 3, "token_embd_norm output_norm", LAST,
                                   {**WINDOW, **PATTERN}, types=False, layers=4),
    "modern-bert-rank": encoder("modern-bert", [FIRST] + [MODERN] * 3, "token_embd_norm output_norm cls cls.norm "
                                "cls.output+", RANK, WINDOW, types=False, layers=4),
    "neo-bert": encoder("neo-bert", MODERN, "enc.output_norm", CLS, eps=RMS, types=False),
    "eurobert": encoder("eurobert", LLAMA, "output_norm", eps=RMS, types=False),
    "gemma-embedding": encoder("gemma-embedding", GEMMA + HEAD_NORMS, "output_norm", keys=EMBEDDING_GEMMA, eps=RMS,
                               types=False, kv=2, layers=7),
    "gemma-embedding-dense": encoder("gemma-embedding", GEMMA + HEAD_NORMS, "output_norm dense_2 dense_3",
                                     keys={**EMBEDDING_GEMMA, **DENSE}, eps=RMS, types=False, kv=2, layers=7),
    "llama-embed": encoder("llama-embed", LLAMA, "output_norm output", eps=RMS, types=False, kv=2),
    "qwen2-bidirectional": encoder("qwen2", QKV_BIAS, "output_norm output", LAST, eps=RMS, types=False, kv=2),
    "qwen3-embedding": without(encoder("qwen3", QWEN3, "output_norm", LAST, eps=RMS, types=False, kv=2),
                               "attention.causal"),
    "qwen3-rank": without(encoder("qwen3", QWEN3, "output_norm cls.output", RANK, {"classifier.output_labels":
                                  ["yes", "no"]}, eps=RMS, types=False, kv=2, labels=2), "attention.causal"),
})
