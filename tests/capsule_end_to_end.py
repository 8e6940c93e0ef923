#!/usr/bin/env python3
"""Models as capsules, from the command's side: the same text and the same digest of the logits natively, by the portable
code in the sandbox, and in Node; for any number of threads and any split of the prompt; equal to reference results made by
other engines within stated tolerances; damage is refused. capsule_end_to_end.py WISP"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

WISP = sys.argv[1]
SHARED = pathlib.Path(os.environ["WISP_SHARED"])
SOURCE = pathlib.Path(os.environ["WISP_SOURCE"])
NODE = shutil.which("node")
SANITIZED = os.environ.get("WISP_SANITIZED") == "yes"

# Against the exact result in binary32 (activations and cache too): summation order and the exponential function differ.
TOLERANCE_F32 = 1e-3
# Against llama.cpp's own runs with F16 activations and cache.
TOLERANCE_F16 = 0.05
# 8-bit activations against the exact result: the reference engine itself strays this far (quants/tolerance.md).
TOLERANCE_QUANT = 0.36

TOLERANCE = {"f32": TOLERANCE_F32, "f16": TOLERANCE_F16, "F16": TOLERANCE_F16, "BF16": TOLERANCE_F16,
             "Q8_0": TOLERANCE_QUANT, "Q4_0": TOLERANCE_QUANT, "Q5_0": TOLERANCE_QUANT, "IQ4_NL": TOLERANCE_QUANT}

passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def run(*args, status=0, text=True, **more):
    result = subprocess.run([WISP, *map(str, args)], capture_output=True, text=text, timeout=600, **more)
    if status is not None and result.returncode != status:
        check(False, f"exit {result.returncode}, not {status}: wisp {' '.join(map(str, args))}: {result.stderr[-600:]}")
    return result


def node(capsule, *args):
    script = SOURCE / "examples" / "node" / "run.mjs"
    return subprocess.run([NODE, "--no-warnings", script, capsule, *map(str, args)], capture_output=True, text=True,
                          timeout=600).stdout


def logits(file, prompt, *more):
    return json.loads(run("logits", file, "-p", prompt, "--top", 20, "--json", *more).stdout or "{}")


def largest_difference(got, want):
    mine = dict(map(tuple, got["top"]))
    shared = [(mine[i], value) for i, value in want["top20"] if i in mine]
    return max((abs(a - b) for a, b in shared), default=float("inf")) if len(shared) >= 15 else float("inf")


def greedy_agrees(got, want, tolerance):
    """Equal ids, up to the first place where the reference itself was undecided within the tolerance."""
    for mine, theirs, gap in zip(got["greedy_ids"], want["greedy_ids"], want["greedy_gaps"]):
        if gap <= 2 * tolerance:
            return True
        if mine != theirs:
            return False
    return True


def digests_agree(capsule, prompt, label, everything):
    """One digest, whatever runs it and however the prompt is split."""
    base = logits(capsule, prompt, "--greedy", 8)
    variants = [("--threads", 1), ("--threads", 2), ("--threads", 3), ("--chunk", 7), ("--chunk", 1), ("--chunk", 2)]
    if everything:
        variants += [("--device", "portable"), ("--device", "portable", "--chunk", 7)]
    for more in variants:
        got = logits(capsule, prompt, "--greedy", 8, *more)
        check(got.get("sha256") == base.get("sha256"), f"{label}: digest with {more}")
    if NODE and everything:
        got = json.loads(node(capsule, "--logits", "-p", prompt, "--top", 20, "--greedy", 8) or "{}")
        check(got.get("sha256") == base.get("sha256"), f"{label}: digest in Node")
        check(got.get("top") == base.get("top"), f"{label}: logits in Node")


def stories(folder):
    for reference in sorted((SHARED / "models" / "stories").glob("*.jsonl")):
        name = reference.name.removesuffix(".jsonl").removesuffix(".dequant")
        model = reference.with_name(name + ".gguf")
        kind = name.split("-")[-1]
        if not model.exists() or kind not in TOLERANCE:
            continue
        capsule = folder / (name + ".wasm")
        if not capsule.exists():
            run("pack", model, "-o", capsule)
        tolerance = TOLERANCE[kind]
        cases = [json.loads(line) for line in reference.read_text().splitlines()]
        for case in cases:
            prompt, count = case["prompt"], len(case["greedy_ids"])
            got = logits(capsule, prompt, "--greedy", count)
            check(got.get("prompt_ids") == case["prompt_ids"], f"{reference.name}: ids of {prompt!r}")
            difference = largest_difference(got, case)
            check(difference <= tolerance, f"{reference.name}: {prompt!r}: logits differ by {difference}")
            if kind in ("f32", "f16"):
                check(got["greedy_ids"] == case["greedy_ids"], f"{reference.name}: greedy ids of {prompt!r}")
                text = run("run", capsule, "-p", prompt, "-n", count, "--temp", 0).stdout
                check(text == case["greedy_text"] + "\n", f"{reference.name}: text of {prompt!r}: {text!r}")
        if "dequant" not in reference.name:
            digests_agree(capsule, cases[0]["prompt"], name, True)
            if kind in ("f32", "f16") and not SANITIZED:
                texts(capsule, cases[0]["prompt"], name)


def texts(capsule, prompt, name):
    """The text too is one, sampled or not."""
    for more in (["--temp", 0], ["--temp", 0.9, "--seed", 7], ["--temp", 1.5, "--top-k", 0, "--seed", 11],
                 ["--repeat-penalty", 1.3, "--temp", 0]):
        args = ["-p", prompt, "-n", 32, *more]
        here = run("run", capsule, *args).stdout
        check(here == run("run", capsule, "--device", "portable", *args).stdout, f"{name}: portable text with {more}")
        if NODE:
            check(here == node(capsule, *args), f"{name}: Node's text with {more}")


def quantized(folder):
    for kind in ("Q4_0", "Q8_0", "Q4_K", "Q6_K", "Q2_K", "Q5_0", "Q5_K", "IQ4_NL", "IQ4_XS", "TQ1_0"):
        model = SHARED / "models" / "quants" / f"llama-{kind}.gguf"
        if not model.exists():
            continue
        capsule = folder / f"llama-{kind}.wasm"
        run("pack", model, "-o", capsule)
        reference = model.with_name(f"llama-{kind}.dequant.jsonl")
        for line in reference.read_text().splitlines():
            case = json.loads(line)
            got = logits(capsule, case["prompt"])
            difference = largest_difference(got, case)
            check(difference <= TOLERANCE_QUANT, f"llama-{kind}: logits differ by {difference}")
        digests_agree(capsule, "The quick brown fox", f"llama-{kind}", not SANITIZED)
        unpacked_equals(model, capsule, folder)


def family(folder):
    """Random models with the family's variants: tied output, RoPE factors, biases; weights exact in every float type."""
    expand = SHARED / "models" / "arch" / "expand.py"
    names = ["llama", "llama-tied", "llama3-ropefreqs"]
    for kind in ("f32", "f16", "bf16"):
        for interpreter in (sys.executable, "/usr/bin/python3"):  # Debian's has python3-numpy, another may not
            made = subprocess.run([interpreter, expand, "--type", kind, folder, *names], capture_output=True, text=True)
            if made.returncode == 0:
                break
        if made.returncode:
            print("SKIP models/arch: expand.py does not run here (python3-numpy missing?)")
            return
        for name in names:
            model = next(iter(sorted(folder.glob(f"{name}*{kind}*.gguf"), key=lambda p: len(p.name))), None)
            model = model or folder / f"{name}.gguf"
            capsule = folder / f"{name}-{kind}.wasm"
            run("pack", model, "-o", capsule)
            tolerance = TOLERANCE_F32 if kind == "f32" else 0.01
            for line in (expand.parent / f"{name}.f32.jsonl").read_text().splitlines():
                case = json.loads(line)
                got = logits(capsule, case["prompt"], "--greedy", len(case["greedy_ids"]))
                difference = largest_difference(got, case)
                check(difference <= tolerance, f"{name} {kind}: logits differ by {difference}")
                check(greedy_agrees(got, case, tolerance), f"{name} {kind}: greedy ids of {case['prompt']!r}")
            model.unlink()


def unpacked_equals(model, capsule, folder):
    back = folder / "back.gguf"
    run("unpack", capsule, "-o", back)
    check(back.read_bytes() == model.read_bytes(), f"{model.name}: unpacked file is equal")
    back.unlink()


def raw_model(model):
    """A GGUF runs as it is: compiled once into the cache."""
    first = logits(model, "Once upon a time")
    check(first.get("sha256") and first == logits(model, "Once upon a time"), f"{model.name}: runs without packing")


def damage(capsule, folder):
    """Any damaged byte of what is not weights is refused (or traps); nothing crashes. Damage to the manifest's name leaves
    a program that does not say it is a capsule: options of models are refused for it."""
    good = capsule.read_bytes()
    manifest = json.loads(run("inspect", capsule, "--json").stdout)
    weights = min(t["offset"] for t in manifest["tensors"])
    start = good.index(b"WISPMODL")
    end = start + weights
    name_end = good.index(b"wisp.manifest") + len("wisp.manifest")
    rng = random.Random(1)
    offsets = sorted({rng.randrange(end) for _ in range(40 if SANITIZED else 150)} | set(range(0, 64, 3)) |
                     set(range(start - 16, start + 200, 11)))
    broken = folder / "broken.wasm"
    for offset in offsets:
        bad = bytearray(good)
        bad[offset] ^= 1 << rng.randrange(8)
        broken.write_bytes(bad)
        result = run("run", "-p", "Once", "-n", 2, "--temp", 0, broken, status=None)
        program = 8 <= offset < name_end and "is a program" in result.stderr
        check(result.returncode == (2 if program else 1) and (program or len(result.stderr.splitlines()) == 1),
              f"damage at {offset} of {end}: exit {result.returncode}, {result.stderr[-300:]!r}")
    # The first 8 bytes alone are a valid module.
    for size in sorted({rng.randrange(len(good)) for _ in range(30)} | {0, 1, 7, 9, start, end, len(good) - 1}):
        broken.write_bytes(good[:size])
        result = run("inspect", broken, status=None)
        check(result.returncode == 1 and len(result.stderr.splitlines()) == 1, f"cut at {size}: {result.returncode}")
    bad = bytearray(good)
    bad[-100] ^= 1
    broken.write_bytes(bad)
    run("inspect", broken, "--check", status=1)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        boxed = SOURCE / "models" / "wisp-stories.gguf"
        if boxed.exists():
            capsule = folder / "boxed.wasm"
            run("pack", boxed, "-o", capsule)
            digests_agree(capsule, "Once upon a time", "the model in the box", not SANITIZED)
            unpacked_equals(boxed, capsule, folder)
            raw_model(boxed)
            texts(capsule, "Once upon a time", "the model in the box")
            damage(capsule, folder)
        else:
            print("SKIP the model in the box is not there")
        if (SHARED / "models" / "stories").is_dir():
            stories(folder)
            model = SHARED / "models" / "stories" / "stories260K-pad192-Q8_0.gguf"
            unpacked_equals(model, folder / "stories260K-pad192-Q8_0.wasm", folder)
            damage(folder / "stories260K-pad192-Q4_0.wasm", folder)
            quantized(folder)
            family(folder)
        else:
            print("SKIP models/stories, models/quants, models/arch: no shared data folder")
        if not NODE:
            print("SKIP Node: not installed")
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
