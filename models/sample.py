#!/usr/bin/env python3
"""Reads the finished GGUF and writes with it: a check of the file itself, apart from the trainer's own model.

Needs NumPy. The forward pass here is written from the format's description, not from the trainer.
"""

import argparse
import itertools
import math
from pathlib import Path

import numpy as np

import gguf
import tokenizer
from tasks import TASKS


class Model:
    def __init__(self, path):
        self.meta, self.tensors = gguf.read(path)
        get = self.meta.get
        self.layers = get("llama.block_count")
        self.heads, self.kv_heads = get("llama.attention.head_count"), get("llama.attention.head_count_kv")
        self.head = get("llama.embedding_length") // self.heads
        self.context = get("llama.context_length")
        self.epsilon = get("llama.attention.layer_norm_rms_epsilon")
        count = get("llama.rope.dimension_count")
        self.frequencies = get("llama.rope.freq_base") ** (-np.arange(0, count, 2, dtype=np.float32) / count)
        tables = (get(f"tokenizer.ggml.{name}") for name in ("tokens", "scores", "token_type"))
        self.vocabulary = tokenizer.Vocabulary(*tables)
        self.clear()

    def clear(self):
        self.past = [None] * self.layers

    def norm(self, x, name):
        scale = 1 / np.sqrt(np.mean(x * x, -1, keepdims=True) + self.epsilon)
        return x * scale * self.tensors[name + ".weight"]

    def rotate(self, x, positions):
        """[tokens, heads, head]; element 2i turns with element 2i+1."""
        angles = positions[:, None, None] * self.frequencies
        turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape).astype(np.float32)

    def attend(self, layer, x):
        def project(name, heads):
            return (x @ self.tensors[f"blk.{layer}.attn_{name}.weight"].T).reshape(len(x), heads, self.head)

        begin = 0 if self.past[layer] is None else len(self.past[layer][0])
        positions = np.arange(begin, begin + len(x))
        q = self.rotate(project("q", self.heads), positions)
        k, v = self.rotate(project("k", self.kv_heads), positions), project("v", self.kv_heads)
        if begin:
            k, v = (np.concatenate(pair) for pair in zip(self.past[layer], (k, v)))
        self.past[layer] = k, v
        group = self.heads // self.kv_heads
        k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
        scores = np.einsum("qhd,khd->hqk", q, k, optimize=True) / math.sqrt(self.head)
        scores[:, positions[:, None] < np.arange(len(k))] = -np.inf
        weights = softmax(scores)
        mixed = np.einsum("hqk,khd->qhd", weights, v, optimize=True).reshape(len(x), -1)
        return mixed @ self.tensors[f"blk.{layer}.attn_output.weight"].T

    def forward(self, tokens):
        """Logits [tokens, vocabulary] after what was fed before."""
        t = self.tensors
        x = t["token_embd.weight"][tokens]
        for i in range(self.layers):
            x = x + self.attend(i, self.norm(x, f"blk.{i}.attn_norm"))
            inner = self.norm(x, f"blk.{i}.ffn_norm")
            gate = inner @ t[f"blk.{i}.ffn_gate.weight"].T
            up = inner @ t[f"blk.{i}.ffn_up.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ t[f"blk.{i}.ffn_down.weight"].T
        return self.norm(x, "output_norm") @ t.get("output.weight", t["token_embd.weight"]).T


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def pick(logits, rng, options):
    """Temperature 0 takes the likeliest; else top-p over the tempered distribution."""
    if options.temperature == 0:
        return int(logits.argmax())
    p = softmax(logits / options.temperature)
    order = np.argsort(-p)
    kept = order[:np.searchsorted(np.cumsum(p[order]), options.top_p) + 1]
    return int(rng.choice(kept, p=p[kept] / p[kept].sum()))


def write(model, prompt, rng, options):
    model.clear()
    tokens = [tokenizer.BOS, *model.vocabulary.encode(prompt)]
    logits = model.forward(np.array(tokens))[-1]
    while len(tokens) < min(options.tokens, model.context):
        token = pick(logits, rng, options)
        if token == tokenizer.EOS:
            break
        tokens.append(token)
        logits = model.forward(np.array([token]))[-1]
    return model.vocabulary.decode(tokens)


def perplexity(model, texts):
    total = count = 0
    for text in texts:
        tokens = np.array([tokenizer.BOS, *model.vocabulary.encode(text), tokenizer.EOS])[:model.context]
        model.clear()
        p = softmax(model.forward(tokens[:-1]))
        total -= np.log(p[np.arange(len(tokens) - 1), tokens[1:]]).sum()
        count += len(tokens) - 1
    return math.exp(total / count)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", nargs="*", default=["Once upon a time"])
    parser.add_argument("--model", type=Path, default=Path(__file__).with_name("wisp-stories.gguf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--tokens", type=int, default=512, help="at most so many, the prompt's included")
    parser.add_argument("--perplexity", type=int, metavar="N", help="measure over N held-out documents instead")
    parser.add_argument("--task", choices=TASKS, default="stories")
    options = parser.parse_args()
    model = Model(options.model)
    if options.perplexity:
        texts = itertools.islice(TASKS[options.task](1, "held-out"), options.perplexity)
        print(f"held-out perplexity: {perplexity(model, texts):.4f}")
        return
    rng = np.random.default_rng(options.seed)
    for prompt in options.prompts:
        print(write(model, prompt, rng, options) + "\n")


if __name__ == "__main__":
    main()
