#!/usr/bin/env python3
"""wisp embed from the user's end: texts from everywhere, shapes of output, limits, what it refuses. embed_test.py WISP"""
import hashlib
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import tiny_encoders
import tiny_models

WISP = sys.argv[1]
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print(f"FAILED {what}")


def run(*args, stdin=""):
    return subprocess.run([WISP, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=120)


def refused(words, *args, stdin=""):
    r = run(*args, stdin=stdin)
    check(r.returncode == 1 and all(w in r.stderr for w in words) and r.stderr.count("\n") == 1, f"{args}: {r.stderr}")


def write(folder, label, change=lambda entry: entry):
    entry = tiny_models.MODELS[label]
    tiny_models.MODELS[label] = change(entry)
    file, capsule = folder / f"{label}.gguf", folder / f"{label}.wasm"
    file.write_bytes(tiny_models.gguf(label))
    tiny_models.MODELS[label] = entry
    return file, capsule, run("pack", file, "-o", capsule)


def texts(folder, capsule):
    lines = folder / "lines.txt"
    lines.write_text("first\r\nlast")
    got = json.loads(run("embed", capsule, "-p", "first", "-f", lines, "--json").stdout)
    check([d["index"] for d in got["data"]] == [0, 1, 2], "texts of -p and a file")
    check(got["data"][0]["embedding"] == got["data"][1]["embedding"] != got["data"][2]["embedding"], "lines are texts")
    check(got["usage"]["prompt_tokens"] == sum(d["tokens"] for d in got["data"]), "usage is the sum")
    check(got["dimensions"] == 64 and got["model"] == "tiny" and got["normalized"] is True, "what the answer is about")
    plain = run("embed", capsule, "-p", "first").stdout.split()
    check([float(x) for x in plain] == got["data"][0]["embedding"], "the same numbers as text")
    check(abs(math.hypot(*got["data"][0]["embedding"]) - 1) < 1e-6, "of length 1")
    check(run("embed", capsule, stdin="first\n").stdout.split() == plain, "standard input")
    short = [float(x) for x in run("embed", capsule, "-p", "first", "--dimensions", 8).stdout.split()]
    check(len(short) == 8 and abs(math.hypot(*short) - 1) < 1e-6, "--dimensions")
    rows = run("embed", capsule, "--tokens", "1,2,3", "--pooling", "none", "--normalize", "off").stdout.splitlines()
    mean = [float(x) for x in run("embed", capsule, "--tokens", "1,2,3", "--normalize", "off").stdout.split()]
    sums = [sum(map(float, column)) / 3 for column in zip(*(r.split() for r in rows))]
    check(len(rows) == 3 and max(abs(a - b) for a, b in zip(mean, sums)) < 1e-6, "the mean of --pooling none")


def unsound(folder):
    """Weights so large that sums overflow: no vector at all rather than one of zeros."""
    file, capsule, _ = write(folder, "bert")
    norm = next(data for name, _, _, data in tiny_models.tensors("bert", tiny_models.MODELS["bert"], False)
                if name == "token_embd_norm.weight")
    file.write_bytes(file.read_bytes().replace(norm, b"\xff\xff\x7f\x7f" * (len(norm) // 4), 1))
    check(run("pack", file, "-o", capsule).returncode == 0, "finite weights are packed")
    for normalize in ("on", "off"):
        refused(["not finite"], "embed", capsule, "-p", "x", "--normalize", normalize)
    refused(["not finite"], "embed", capsule, "-p", "x", "--pooling", "none")


def limits(capsule):
    ids = ",".join(["7"] * 513)
    check(run("embed", capsule, "--tokens", ids[2:]).returncode == 0, "as many tokens as the context has")
    refused(["513 tokens", "at most 512"], "embed", capsule, "--tokens", ids)
    refused(["text 2", "at most 512"], "embed", capsule, "--tokens", "1", "--tokens", ids)
    refused(["context of 64", "up to 512"], "embed", capsule, "--tokens", ids, "--context", 64)
    refused(["no tokens"], "embed", capsule, "-p", "")
    refused(["no texts"], "embed", capsule)
    refused(["/dev/zero", "MiB of text"], "embed", capsule, "-f", "/dev/zero")
    check("from 1 to 16777216," in run("embed", capsule, "-p", "x", "--context", 0).stderr, "whole bounds of whole numbers")
    refused(["scores"], "embed", capsule, "-p", "x", "--pooling", "rank")
    for args in (["run"], ["logits"]):
        refused(["embeddings, not text"], *args, capsule, "-p", "x")
    refused(["embeddings, not text"], "bench", capsule)
    check(run("embed", capsule, "--tokens", "1,,2").returncode == 2, "a wrong list of ids")
    check(run("embed", capsule, "--normalize", "maybe").returncode == 2, "a wrong choice")


def sections(module):
    """Of each: its id, and where it begins, with its header, and ends."""
    at = 8
    while at < len(module):
        begin, size, shift, more = at, 0, 0, True
        while more:
            at += 1
            size, shift, more = size | (module[at] & 127) << shift, shift + 7, module[at] & 128
        at += 1 + size
        yield module[begin], begin, at


def older_engine(folder, capsule):
    """A capsule whose engine knows no kv_type, as those packed before there was one: it is asked for one only if the
    user does. All digests of what changed are made anew."""
    def sha(*parts):
        return hashlib.sha256(b"".join(parts)).hexdigest().encode()

    data = capsule.read_bytes()
    known = data.rindex(b"kv_type\0")
    changed = data[:known] + b"kv_typf" + data[known + 7:]
    size, model, digest = re.search(rb'"data","size":(\d+),"model":(\d+),.*?"segments_sha256":"(\w+)"', data).groups()
    first = len(data) - int(size) + int(model)  # the engine's segments follow the model's, in the last section
    segments = next(at for at in range(first, first + 64) if sha(data[at:]) == digest)
    code = b"".join(data[begin:end] for kind, begin, end in sections(data) if kind not in (0, 11))
    for old, new in ((digest, sha(changed[segments:])), (sha(code, data[segments:]), sha(code, changed[segments:]))):
        check(changed.count(old) == 1, "a digest to replace")
        changed = changed.replace(old, new)
    text, own = changed.index(b'{"wisp":1'), changed.index(b'"self":"') + len(b'"self":"')
    changed = changed[:own] + sha(changed[text:own]) + changed[own + 64:]
    older = folder / "older.wasm"
    older.write_bytes(changed)
    check(run("embed", older, "-p", "x").stdout == run("embed", capsule, "-p", "x").stdout != "", "an older engine")
    refused(["kv_type"], "embed", older, "-p", "x", "--kv-type", "q8_0")


def missing(folder):
    """A tensor that is not there is named, with the shape expected."""
    for label, word, name, shape in (("bert", "position_embd", "position_embd.weight", "[64, 512]"),
                                     ("bert", "token_embd_norm+", "token_embd_norm.weight", "[64, 1]"),
                                     ("gemma-embedding-dense", "dense_2", "dense_3.weight", ""),
                                     ("bert-rank", "cls+ cls.output+", "cls.output.weight", "")):
        _, _, packed = write(folder, label, lambda e: {**e, "ends": e["ends"].replace(word, "").replace("  ", " ")})
        check(packed.returncode == 1 and name in packed.stderr and shape in packed.stderr, f"{label}: {packed.stderr}")
    _, _, packed = write(folder, "modern-bert", lambda e: {**e, "keys": {**e["keys"], "pooling_type": 9}})
    check(packed.returncode == 1 and "pooling_type" in packed.stderr, f"pooling_type 9: {packed.stderr}")


def main():
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        _, capsule, packed = write(folder, "bert")
        check(packed.returncode == 0, packed.stderr)
        texts(folder, capsule)
        limits(capsule)
        older_engine(folder, capsule)
        unsound(folder)
        missing(folder)
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
