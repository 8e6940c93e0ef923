#!/usr/bin/env python3
"""Measuring and making smaller models: perplexities against those of llama.cpp. quantize_test.py WISP"""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

WISP = sys.argv[1]
SHARED = pathlib.Path(os.environ["WISP_SHARED"])
STORIES = SHARED / "models" / "stories"
SANITIZED = os.environ.get("WISP_SANITIZED") == "yes"
TEXT = STORIES / "ppl.txt"

passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def run(*args, status=0):
    result = subprocess.run([WISP, *map(str, args)], capture_output=True, text=True, timeout=600)
    check(status in (None, result.returncode), f"exit {result.returncode}, not {status}: wisp {' '.join(map(str, args))}: "
          f"{result.stderr[-600:]}")
    return result


def perplexity(model, *more):
    return json.loads(run("eval", model, TEXT, "--ctx", 128, "--json", *more).stdout or '{"perplexity":0}')


def runs(model):
    errors = run("eval", model, TEXT, "--ctx", 128, status=None).stderr
    return "not supported" not in errors and "cannot be" not in errors


def references():
    """What llama.cpp measured: "NAME Final estimate: PPL = 3.5332 +/- 0.35380" a line."""
    for line in (STORIES / "ppl-reference.txt").read_text().splitlines():
        words = line.split()
        yield words[0], float(words[5])


def evaluation(folder):
    for name, expected in references():
        model = STORIES / f"{name}.gguf"
        if not model.exists():
            continue
        if not runs(model):
            print(f"SKIP {name}: its type has no kernel yet")
            continue
        got = perplexity(model)
        check(abs(got["perplexity"] / expected - 1) <= 0.005, f"{name}: perplexity {got}, not {expected}")
        check(got["windows"] == 4 and got["scored"] == 4 * 63 and got["error"] > 0.3, f"{name}: {got}")
    model = STORIES / "stories260K-f32.gguf"
    whole = perplexity(model)
    check(perplexity(model, "--device", "portable") == whole, "perplexity: the portable code gives the same")
    check(perplexity(model, "--threads", 1) == whole, "perplexity: one thread gives the same")
    check("perplexity 3.53" in run("eval", model, TEXT, "--ctx", 128).stdout, "perplexity as text")
    short = folder / "short.txt"
    short.write_text("Once upon a time")
    check("--ctx" in run("eval", model, short, status=1).stderr, "a text shorter than a window")
    check(perplexity(model, "--windows", 2)["windows"] == 2, "--windows")
    run("eval", model, folder / "missing.txt", status=1)
    run("eval", model, TEXT, "--ctx", 100000, status=1)


def quantizing(folder):
    """Perplexity of the dequantized model (the weights alone) and, where there are kernels, of the model as it is: no
    more than 0.5 % above what llama.cpp's quantization of the same type gives."""
    source = STORIES / "stories260K-pad192-f32.gguf"
    expected = dict(references())
    print("type     bits  weights only  as run    llama.cpp")
    for kind in ("F16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "IQ4_NL"):
        made, plain = folder / f"{kind}.gguf", folder / "plain.gguf"
        bits = run("quantize", source, "-t", kind, "--pure", "-o", made).stdout.split("->")[-1].split()[0]
        again = folder / "again.gguf"
        run("quantize", source, again, "-t", kind.lower(), "--pure", "--threads", 3)
        check(made.read_bytes() == again.read_bytes(), f"{kind}: other threads, other bytes")
        run("quantize", made, "-t", "F32", "--allow-requantize", "-o", plain)
        golden = expected[f"stories260K-pad192-{kind}"]
        weights = perplexity(plain)["perplexity"]
        check(weights <= golden * 1.005, f"{kind}: perplexity of the weights {weights}, llama.cpp's {golden}")
        result = run("eval", made, TEXT, "--ctx", 128, "--json", status=None)
        whole = json.loads(result.stdout)["perplexity"] if result.returncode == 0 else None
        check(whole is None or whole <= golden * 1.005, f"{kind}: perplexity {whole}, llama.cpp's {golden}")
        print(f"{kind:8} {bits:5} {weights:12.4f}  {whole or '-':8}  {golden:8}")
    packing(folder, source)
    importance(folder, source)
    memory(folder)


def read_gguf(path):
    """Keys and F32 tensors."""
    data, at = path.read_bytes(), 24
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    sizes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def text():
        size = take("Q")
        return take(f"{size}s").decode(errors="replace") if size else ""

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            element, count = take("IQ")
            return [value(element) for _ in range(count)]
        return take(sizes[kind])

    said = {}
    for _ in range(keys):
        name = text()
        said[name] = value(take("I"))
    infos = []
    for _ in range(tensors):
        name = text()
        shape = [take("Q") for _ in range(take("I"))]
        infos.append((name, shape, *take("IQ")))
    start = (at + 31) // 32 * 32
    return said, {name: (shape, struct.unpack_from(f"<{math.prod(shape)}f", data, start + offset))
                  for name, shape, kind, offset in infos if kind == 0}


def importance(folder, source):
    """The first matrices' inputs can be worked out: norms of embeddings. And importance lowers the perplexity."""
    file, small, plain = folder / "im.gguf", folder / "small.gguf", folder / "plain.gguf"
    run("imatrix", source, TEXT, "--ctx", 128, "-o", file)
    said, sums = read_gguf(file)
    check(said["general.type"] == "imatrix" and said["imatrix.chunk_count"] == 4 and said["imatrix.chunk_size"] == 128,
          f"keys of the importance matrix: {said}")
    keys, weights = read_gguf(source)
    columns, embeddings = weights["token_embd.weight"][0][0], weights["token_embd.weight"][1]
    scale, epsilon = weights["blk.0.attn_norm.weight"][1], keys["llama.attention.layer_norm_rms_epsilon"]
    ids = list(map(int, subprocess.run([WISP, "tokenize", source], input=TEXT.read_text(), capture_output=True,
                                       text=True).stdout.split()))
    expected = [0.0] * columns
    for window in range(4):
        for token in [ids[0], *ids[window * 128 + 1:window * 128 + 127]]:
            row = embeddings[token * columns:(token + 1) * columns]
            factor = 1 / (sum(v * v for v in row) / columns + epsilon)
            for i, v in enumerate(row):
                expected[i] += v * v * factor * scale[i] * scale[i]
    for name in ("attn_q", "attn_k", "attn_v"):
        got = sums[f"blk.0.{name}.weight.in_sum2"][1]
        check(all(abs(a / b - 1) < 1e-4 for a, b in zip(got, expected)), f"{name}: {got[:4]}, not {expected[:4]}")
        check(sums[f"blk.0.{name}.weight.counts"][1] == (4 * 127.0,), f"{name}: inputs counted")
    check({f"{name}.in_sum2" for name in weights if len(weights[name][0]) == 2} - set(sums) ==
          {"token_embd.weight.in_sum2"}, f"every matrix is there but the embeddings: {sorted(sums)}")
    for kind in ("Q4_0", "IQ4_NL", "Q4_1"):
        results = []
        for more in ([], ["--imatrix", file]):
            run("quantize", source, "-t", kind, "--pure", "-o", small, *more)
            run("quantize", small, "-t", "F32", "--allow-requantize", "-o", plain)
            results.append(perplexity(plain)["perplexity"])
        check(results[1] < results[0], f"{kind}: importance does not help: {results}")
        print(f"{kind:8} with importance {results[1]:.4f}, without {results[0]:.4f}")
    run("quantize", source, "-t", "Q4_0", "--imatrix", TEXT, "-o", small, status=1)
    run("pack", source, "-t", "Q8_0", "--imatrix", file, "-o", folder / "im.wasm")
    run("imatrix", source, TEXT, "--ctx", 128, "-o", folder / "no" / "such", status=1)


def memory(folder):
    """A model of 16 matrices, read and made piece by piece: far less than the file is in memory at any time."""
    def text(t):
        return struct.pack("<Q", len(t)) + t.encode()

    side, count, infos = 1024, 16, b""
    for i in range(count):
        infos += text(f"blk.{i}.attn_q.weight") + struct.pack("<IQQIQ", 2, side, side, 0, i * side * side * 4)
    head = (b"GGUF" + struct.pack("<IQQ", 3, count, 1) + text("general.architecture") + struct.pack("<I", 8) +
            text("llama") + infos)
    big, small = folder / "big.gguf", folder / "small.gguf"
    row = struct.pack(f"<{side}f", *((i * 37 % 101 - 50) / 1000 for i in range(side)))
    big.write_bytes(head + bytes(-len(head) % 32) + row * (side * count))
    process = subprocess.Popen([WISP, "quantize", big, "-t", "Q4_K_M", "-o", small], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:  # rusage would count this process, from before exec
        said = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak] + [int(line.split()[1]) for line in said.splitlines() if line.startswith("VmHWM")])
        time.sleep(0.005)
    check(process.returncode == 0 and 0 < peak < 32 << 10 or SANITIZED, f"peak memory: {peak} kB for 64 MB")
    big.unlink()


def packing(folder, source):
    """pack -t is quantize, then pack."""
    for more in (["-t", "Q4_K_M"], ["-t", "Q8_0", "--pure"], ["-t", "Q4_0", "--output-tensor-type", "F16"]):
        file, capsule, back = folder / "q.gguf", folder / "q.wasm", folder / "back.gguf"
        run("quantize", source, "-o", file, *more)
        if not runs(file):
            print(f"SKIP pack {more}: a type has no kernel yet")
            continue
        run("pack", source, "-o", capsule, *more)
        run("unpack", capsule, "-o", back)
        check(back.read_bytes() == file.read_bytes(), f"pack {more}: unpacked, it is what quantize writes")
        manifest = json.loads(run("inspect", capsule, "--json").stdout)
        check(manifest["source"]["bytes"] == source.stat().st_size, "the manifest names the file that was packed")
        check(perplexity(capsule) == perplexity(file), f"pack {more}: the same perplexity")
    listed = run("quantize", source, "-t", "Q6_K", "--dry-run").stdout
    check("blk.0.attn_q.weight" in listed and "F32     -> Q8_0" in listed, f"--dry-run: {listed}")
    for bad in (["-t", "Q4_9", "-o", "x.gguf"], ["-t", "Q4_0"], ["-o", "x.gguf"], ["-t", "Q4_0", "-o", source]):
        run("quantize", source, *bad, status=2)
    run("quantize", folder / "q.gguf", "-t", "Q5_1", "-o", folder / "x.gguf", status=1)
    check(not (folder / "x.gguf").exists(), "a refusal leaves no output")


def main():
    if not TEXT.exists():
        print("SKIP models/stories: no shared data folder")
        return 0
    with tempfile.TemporaryDirectory() as name:
        evaluation(pathlib.Path(name))
        quantizing(pathlib.Path(name))
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
