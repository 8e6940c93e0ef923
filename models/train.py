#!/usr/bin/env python3
"""Trains the model that ships in the box, from nothing but what the tasks write.

Needs PyTorch and NumPy. Neither the build nor the tests run this.
"""

import argparse
import itertools
import math
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

# The two thread pools, OpenMP's and OpenBLAS's, must not spin while the other works: that halves the speed.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import gguf
import tokenizer
from tasks import TASKS


@dataclass
class Shape:
    vocabulary: int = 1024
    width: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 512
    context: int = 512
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self):
        return self.width // self.heads


class Norm(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotations(shape):
    """cos and sin, [context, 1, head/2]."""
    frequencies = shape.rope_base ** (-torch.arange(0, shape.head, 2) / shape.head)
    angles = torch.arange(shape.context)[:, None, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """RoPE over neighbouring pairs, as the "llama" architecture of GGUF has it: no permutation on export."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Block(nn.Module):
    """One layer; matrices that read the same input are one matrix, parted on export."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.attention_norm, self.ffn_norm = Norm(shape), Norm(shape)
        self.qkv = nn.Linear(shape.width, (shape.heads + 2 * shape.kv_heads) * shape.head, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x, cos, sin, mask):
        x = x + self.output(self.attend(self.attention_norm(x), cos, sin, mask))
        gate, up = self.gate_up(self.ffn_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def attend(self, x, cos, sin, mask):
        s, (batch, length, _) = self.shape, x.shape
        heads = self.qkv(x).unflatten(-1, (-1, s.head))
        turning, v = heads.split([s.heads + s.kv_heads, s.kv_heads], 2)
        q, k = rotate(turning, cos, sin).split([s.heads, s.kv_heads], 2)
        group = s.heads // s.kv_heads
        # One product per key head, whose query heads are so many more rows: [batch*kv, group*length, head].
        q = q.reshape(batch, length, s.kv_heads, group, s.head).permute(0, 2, 3, 1, 4)
        q = q.reshape(-1, group * length, s.head)
        k, v = (t.transpose(1, 2).reshape(-1, length, s.head) for t in (k, v))
        scores = torch.baddbmm(mask.repeat(group, 1)[None], q, k.transpose(1, 2), alpha=s.head ** -0.5)
        mixed = torch.bmm(scores.softmax(-1), v).view(batch, s.kv_heads, group, length, s.head)
        return mixed.permute(0, 3, 1, 2, 4).reshape(batch, length, -1)


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape)
        self.cos, self.sin = rotations(shape)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                deep = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * shape.layers) if deep else 0.02)

    def forward(self, tokens):
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        mask = torch.full((length, length), -1e9).triu(1)
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return self.norm(x) @ self.embedding.weight.T  # the output matrix is the embedding


def documents(options, split, count):
    """The same number of documents of each task, in turn."""
    streams = [TASKS[task](options.seed, split) for task in options.tasks]
    return itertools.islice((next(s) for s in itertools.cycle(streams)), count)


class Corpus:
    """Documents as one run of tokens."""

    def __init__(self, vocabulary, texts):
        parts = [[tokenizer.BOS, *vocabulary.encode(text), tokenizer.EOS] for text in texts]
        self.starts = np.cumsum([0] + [len(p) for p in parts])
        self.tokens = np.fromiter(itertools.chain.from_iterable(parts), np.int16)

    def batch(self, rng, rows, length, anywhere):
        """Rows begin where a document does, as every prompt will, but for a share that begins anywhere:
        short rows would else see the ends of documents too seldom."""
        last = len(self.tokens) - length - 1
        starts = [rng.randrange(last) for _ in range(rows)]
        whole = rows - int(rows * anywhere)
        starts[:whole] = [self.starts[np.searchsorted(self.starts, s, "right") - 1] for s in starts[:whole]]
        block = torch.from_numpy(np.stack([self.tokens[s:s + length + 1] for s in starts]).astype(np.int64))
        return block[:, :-1], block[:, 1:]

    def document(self, index, limit):
        return self.tokens[self.starts[index]:self.starts[index + 1]][:limit].astype(np.int64)


def loss_of(model, inputs, targets):
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


@torch.no_grad()
def perplexity(model, corpus, count):
    """Over so many whole documents, each on its own."""
    total = tokens = 0
    for index in range(count):
        row = torch.from_numpy(corpus.document(index, model.shape.context))[None]
        total += loss_of(model, row[:, :-1], row[:, 1:]).item() * (row.shape[1] - 1)
        tokens += row.shape[1] - 1
    return math.exp(total / tokens)


def optimizer_of(model):
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-9)


def rate(step, options):
    """Linear warm-up, then a cosine down to a fiftieth."""
    if step < options.warmup:
        return options.rate * (step + 1) / options.warmup
    progress = (step - options.warmup) / (options.steps - options.warmup)
    return options.rate * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)


def save(model, optimizer, step, path):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def train(model, corpus, held_out, options):
    optimizer, step = optimizer_of(model), 0
    checkpoint = options.work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    began, first, smooth = time.time(), step, None
    while step < (options.stop or options.steps):
        left = 1 - (time.time() - began) / 60 / options.minutes if options.minutes else 1
        if left <= 0:
            break
        # Long rows cost more a token; they come last, when there is something to gain from them.
        length = options.row if step < options.steps * options.short else model.shape.context
        rng = random.Random(f"{options.seed}/{step}")  # by step, so that resuming changes nothing
        for group in optimizer.param_groups:
            group["lr"] = rate(first, options) * max(left, 0.02) if options.minutes else rate(step, options)
        loss = loss_of(model, *corpus.batch(rng, options.batch // length, length, options.anywhere))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
        if step % 20 == 0:
            speed = (step - first) * options.batch / (time.time() - began)
            seconds = time.time() - began
            print(f"{seconds:.0f} s: step {step}/{options.steps} loss {smooth:.4f} {speed:.0f} tokens/s", flush=True)
        if step % 250 == 0:
            save(model, optimizer, step, checkpoint)
            print(f"step {step} held-out perplexity {perplexity(model, held_out, 100):.4f}", flush=True)
    save(model, optimizer, step, checkpoint)


def tensors_of(model):
    """Names and parts as the "llama" architecture of GGUF has them."""
    s = model.shape
    tensors = {"token_embd.weight": model.embedding.weight, "output_norm.weight": model.norm.weight}
    for i, block in enumerate(model.blocks):
        q, k, v = block.qkv.weight.split([s.heads * s.head, s.kv_heads * s.head, s.kv_heads * s.head])
        gate, up = block.gate_up.weight.chunk(2)
        parts = {"attn_norm": block.attention_norm.weight, "attn_q": q, "attn_k": k, "attn_v": v,
                 "attn_output": block.output.weight, "ffn_norm": block.ffn_norm.weight,
                 "ffn_gate": gate, "ffn_up": up, "ffn_down": block.down.weight}
        tensors |= {f"blk.{i}.{name}.weight": weight for name, weight in parts.items()}
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def metadata_of(shape, vocabulary):
    text, number, real, flag = gguf.STRING, gguf.U32, gguf.FLOAT, gguf.BOOL
    return {
        "general.architecture": (text, "llama"),
        "general.name": (text, "WISP Stories"),
        "general.author": (text, "The WISP authors"),
        "general.license": (text, "apache-2.0"),
        "general.description": (text, "Short children's stories, learned only from this project's own generator."),
        "general.file_type": (number, 7),
        "general.quantization_version": (number, 2),
        "general.alignment": (number, gguf.ALIGNMENT),
        "llama.context_length": (number, shape.context),
        "llama.embedding_length": (number, shape.width),
        "llama.block_count": (number, shape.layers),
        "llama.feed_forward_length": (number, shape.hidden),
        "llama.attention.head_count": (number, shape.heads),
        "llama.attention.head_count_kv": (number, shape.kv_heads),
        "llama.attention.layer_norm_rms_epsilon": (real, shape.epsilon),
        "llama.rope.dimension_count": (number, shape.head),
        "llama.rope.freq_base": (real, shape.rope_base),
        "llama.vocab_size": (number, shape.vocabulary),
        "tokenizer.ggml.model": (text, "llama"),
        "tokenizer.ggml.tokens": ((gguf.ARRAY, text), vocabulary.pieces),
        "tokenizer.ggml.scores": ((gguf.ARRAY, real), vocabulary.scores),
        "tokenizer.ggml.token_type": ((gguf.ARRAY, gguf.I32), vocabulary.types),
        "tokenizer.ggml.bos_token_id": (number, tokenizer.BOS),
        "tokenizer.ggml.eos_token_id": (number, tokenizer.EOS),
        "tokenizer.ggml.unknown_token_id": (number, tokenizer.UNKNOWN),
        "tokenizer.ggml.add_bos_token": (flag, True),
        "tokenizer.ggml.add_eos_token": (flag, False),
        "tokenizer.ggml.add_space_prefix": (flag, True),
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints; training resumes from it")
    parser.add_argument("--out", type=Path, required=True, help="the GGUF to write")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["stories"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=40000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=2048, help="tokens a step")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--warmup", type=int, default=150)
    parser.add_argument("--row", type=int, default=256, help="tokens of a row, until rows get as long as the context")
    parser.add_argument("--short", type=float, default=0.8, help="share of steps with such rows")
    parser.add_argument("--anywhere", type=float, default=0.5, help="share of rows that begin inside a document")
    parser.add_argument("--minutes", type=float, help="take the rate down to its end in so much time, and stop then")
    parser.add_argument("--stop", type=int, help="stop at this step, to go on with other options")
    for name, value in asdict(Shape()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    shape = Shape(**{name: getattr(options, name) for name in asdict(Shape())})
    vocabulary = tokenizer.train(documents(options, "train", 5000), shape.vocabulary)
    corpus = Corpus(vocabulary, documents(options, "train", options.documents))
    held_out = Corpus(vocabulary, documents(options, "held-out", 100))
    model = Llama(shape)
    count = sum(p.numel() for p in model.parameters())
    print(f"{len(corpus.tokens)} training tokens, {count} parameters, {shape}", flush=True)
    train(model, corpus, held_out, options)
    gguf.write(options.out, metadata_of(shape, vocabulary), tensors_of(model))
    print(f"{options.out}: {options.out.stat().st_size} bytes", flush=True)
    print(f"held-out perplexity before quantization: {perplexity(model, held_out, 100):.4f}")


if __name__ == "__main__":
    main()
