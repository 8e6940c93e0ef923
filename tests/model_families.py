#!/usr/bin/env python3
"""Every model family against reference results: tiny random models (tiny_models.py with family_references/, and
shared/models/arch) are packed, and the logits after each prompt, the greedy continuation and the digests compared.
model_families.py WISP [NAME ...]

Weights are exact in F32, F16 and BF16, so one reference in binary32 serves all. A model in F32 has an F32 cache and
differs by the order of sums only; F16 and BF16 models round activations to 13 or 16 bits and the cache to F16."""
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import tiny_encoders  # noqa: F401: adds its models
import tiny_models

WISP = sys.argv[1]
ONLY = sys.argv[2:]
SHARED = pathlib.Path(os.environ.get("WISP_SHARED") or pathlib.Path(__file__).parent / "../../shared")
SOURCE = pathlib.Path(os.environ.get("WISP_SOURCE") or pathlib.Path(__file__).parent.parent)
SANITIZED = os.environ.get("WISP_SANITIZED") == "yes"
NODE = shutil.which("node")
ARCH = SHARED / "models" / "arch"
REFERENCES = pathlib.Path(__file__).parent / "family_references"

TOLERANCE = {"f32": 1e-3, "f16": 0.02, "bf16": 0.05}
# The references for models with GELU come from a table of it in F16: they are off by that much themselves.
LOOSER = {name: {"f32": 5e-3} for name in ("falcon", "gemma2", "gemma3", "gpt2", "phi2", "starcoder2")}
# Models of tiny_models.py, all F32. What the reference computes otherwise is told in family_references/README.md.
TINY_TOLERANCE, TINY_GELU, TINY_SECTIONS, VECTOR_GELU = 3e-5, 6e-3, 2e-4, 2e-3
GELU = {"bloom", "falcon", "gemma", "gemma2", "gemma3", "gpt2", "gptneox", "mpt", "phi2", "starcoder", "starcoder2"}
SECTIONS = {"qwen2vl"}
# What they make are vectors.
ENCODERS = {"bert", "nomic-bert"}

MANIFEST = ARCH / "manifest.json"
SHARED_MODELS = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
SHARED_FAMILIES = {entry["family"] for entry in SHARED_MODELS.values()}

failures = []


def run(*args):
    return subprocess.run([WISP, *map(str, args)], capture_output=True, text=True, timeout=600)


def logits(capsule, prompt, *more):
    result = run("logits", capsule, "-p", prompt, "--top", 20, "--json", *more)
    return json.loads(result.stdout) if result.returncode == 0 else {"error": result.stderr.strip()[-300:]}


def node_logits(capsule, prompt, *more):
    script = SOURCE / "examples" / "node" / "run.mjs"
    out = subprocess.run([NODE, "--no-warnings", script, capsule, "--logits", "-p", prompt, "--top", "20", "--greedy", "4",
                          *more],
                         capture_output=True, text=True, timeout=600).stdout
    return json.loads(out or "{}")


def expand(folder, kind, names):
    for interpreter in (sys.executable, "/usr/bin/python3"):  # Debian's has python3-numpy, another may not
        made = subprocess.run([interpreter, ARCH / "expand.py", "--type", kind, folder, *names], capture_output=True,
                              text=True)
        if made.returncode == 0:
            return True
    return False


def fail(name, text):
    failures.append(name)
    print(f"FAILED {name}: {text}")


def distance(got, case):
    """The largest difference of the reference's top 20 that are here, too; the last ones may have changed places."""
    mine = dict(map(tuple, got["top"]))
    both = [abs(mine[i] - value) for i, value in case["top20"] if i in mine]
    return max(both) if len(both) >= 17 else float("inf")


def greedy_differs(got, case, tolerance):
    """The step at which another token was taken though the reference's first two were further apart than the tolerance."""
    for i, (mine, theirs, gap) in enumerate(zip(got["greedy_ids"], case["greedy_ids"], case["greedy_gaps"])):
        if gap <= 2 * tolerance:
            return None
        if mine != theirs:
            return i
    return None


def compare(name, kind, capsule, cases):
    """The worst distance; failures are told."""
    label, worst = f"{name} {kind}", 0.0
    tolerance = LOOSER.get(name, {}).get(kind, TOLERANCE[kind])
    for case in cases:
        got = logits(capsule, case["prompt"], "--greedy", len(case["greedy_ids"]))
        if "error" in got:
            fail(label, got["error"])
            return float("inf")
        if got["prompt_ids"] != case["prompt_ids"]: # the tokenizer's own test says more
            got = logits_of_ids(capsule, case)
            if "error" in got:
                fail(label, got["error"])
                return float("inf")
        worst = max(worst, distance(got, case))
        step = greedy_differs(got, case, tolerance)
        if step is not None:
            fail(label, f"greedy step {step} of {case['prompt'][:30]!r}")
    if worst > tolerance:
        fail(label, f"logits differ by {worst:.5f}, allowed {tolerance}")
    return worst


def logits_of_ids(capsule, case, *more):
    result = run("logits", capsule, "--tokens", ",".join(map(str, case["prompt_ids"])), "--top", 20, "--json", "--greedy",
                 len(case["greedy_ids"]), *more)
    return json.loads(result.stdout) if result.returncode == 0 else {"error": result.stderr.strip()[-300:]}


def caches(name, capsule, prompt):
    """Keys and values of every type: one digest natively, portably, in chunks and in Node."""
    for kind in ("f32", "f16", "q8_0", "q4_0"):
        base = logits(capsule, prompt, "--greedy", 4, "--kv-type", kind).get("sha256")
        for more in (("--chunk", 3), ("--device", "portable", "--chunk", 7)):
            if logits(capsule, prompt, "--greedy", 4, "--kv-type", kind, *more).get("sha256") != base or not base:
                fail(name, f"keys and values in {kind}: another digest with {' '.join(map(str, more))}")
        if NODE and not SANITIZED and node_logits(capsule, prompt, "--kv-type", kind).get("sha256") != base:
            fail(name, f"keys and values in {kind}: another digest in Node")


def one_digest(name, capsule, prompt):
    """However it runs and however the prompt is split."""
    base = logits(capsule, prompt, "--greedy", 4).get("sha256")
    ways = [("--threads", 1), ("--threads", 3), ("--chunk", 5), ("--chunk", 1), ("--device", "portable", "--chunk", 7)]
    for more in ways:
        if logits(capsule, prompt, "--greedy", 4, *more).get("sha256") != base or not base:
            fail(name, f"another digest with {' '.join(map(str, more))}")
    if NODE and not SANITIZED and node_logits(capsule, prompt).get("sha256") != base:
        fail(name, "another digest in Node")


NONSENSE = (0, 3) if SANITIZED else (0, 1, 3, 0xffffffff)
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8} # bytes of GGUF's scalar types


def numbers(data):
    """Offsets of the hyper-parameters that are 32-bit integers, arrays' elements among them."""
    place, found = 24, []
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        length = struct.unpack_from("<Q", data, place)[0]
        key = data[place + 8:place + 8 + length]
        place += 8 + length
        kind, count = struct.unpack_from("<I", data, place)[0], 1
        place += 4
        if kind == 9:
            kind, count = struct.unpack_from("<IQ", data, place)
            place += 12
        if kind in (4, 5) and count < 100 and not key.startswith((b"tokenizer", b"general")):
            found += [(key.decode(), place + 4 * i) for i in range(count)]
        for _ in range(count if kind == 8 else 0):
            place += 8 + struct.unpack_from("<Q", data, place)[0]
        place += SIZES.get(kind, 0) * count
    return found


def hostile(folder, name, model, *runs, sampled=False):
    """Each hyper-parameter with numbers that make no sense: refused, or packed, but no crash; what was packed is run by
    the command `runs`, if there is one. `sampled`: half of the numbers, taken in turns."""
    data = model.read_bytes()
    bad, out = folder / "bad.gguf", folder / "bad.wasm"
    for i, (key, place) in enumerate(numbers(data)):
        for value in NONSENSE[i % 2::2] if sampled else NONSENSE:
            bad.write_bytes(data[:place] + struct.pack("<I", value) + data[place + 4:])
            result = run("pack", bad, "-o", out)
            if result.returncode == 0 and runs:
                result = run(runs[0], out, *runs[1:])
            if result.returncode not in (0, 1):
                fail(name, f"{key} = {value}: exit {result.returncode}: {result.stderr.strip()[-200:]}")


def family(folder, name):
    cases = [json.loads(line) for line in (ARCH / f"{name}.f32.jsonl").read_text().splitlines()]
    row = {}
    for kind in ("f32", "f16"):
        if not expand(folder, kind, [name]):
            fail(name, "expand.py failed")
            continue
        model, capsule = folder / f"{name}-{kind}.gguf", folder / f"{name}-{kind}.wasm"
        packed = run("pack", model, "-o", capsule)
        if kind == "f16":
            hostile(folder, name, model)
        model.unlink()
        if packed.returncode:
            fail(f"{name} {kind}", packed.stderr.strip()[-300:])
            return None
        row[kind] = (compare_vectors if name in ENCODERS else compare)(name, kind, capsule, cases)
        if kind == "f16" and name not in ENCODERS:
            one_digest(name, capsule, cases[0]["prompt"])
            if name in ("llama", "deepseek2-lite", "lfm2"):
                caches(name, capsule, cases[0]["prompt"])
        capsule.unlink()
    return row


# ---- vectors ----

def embed(capsule, *more):
    result = run("embed", capsule, "--json", *more)
    return json.loads(result.stdout) if result.returncode == 0 else {"error": result.stderr.strip()[-300:]}


def vector(answer):
    return answer["data"][0]["embedding"] if "data" in answer else []


def apart(a, b):
    return max(abs(x - y) for x, y in zip(a, b)) if len(a) == len(b) and a else float("inf")


def node_vector(capsule, prompt):
    script = SOURCE / "examples" / "node" / "run.mjs"
    out = subprocess.run([NODE, "--no-warnings", script, capsule, "--embed", "-p", prompt], capture_output=True, text=True,
                         timeout=600).stdout
    return vector(json.loads(out or "{}"))


def one_vector(name, capsule, prompt):
    base = vector(embed(capsule, "-p", prompt))
    if not base or abs(sum(x * x for x in base) - 1) > 1e-5:
        fail(name, "the vector is not of length 1")
    for more in (("--threads", 1), ("--threads", 3), ("--device", "portable"), ("--context", len(prompt) + 2)):
        if vector(embed(capsule, "-p", prompt, *more)) != base:
            fail(name, f"another vector with {' '.join(map(str, more))}")
    if NODE and not SANITIZED and node_vector(capsule, prompt) != base:
        fail(name, "another vector in Node")


def compare_vectors(name, kind, capsule, cases):
    worst = 0.0
    for case in cases:
        got = embed(capsule, "-p", case["prompt"], "--normalize", "off")
        if got.get("usage", {}).get("prompt_tokens") != len(case["prompt_ids"]) or got["pooling"] != case["pooling"]:
            fail(f"{name} {kind}", f"tokens or pooling: {got.get('error') or got['usage']}")
            return float("inf")
        worst = max(worst, apart(vector(got), case["embedding"]))
    if worst > TOLERANCE[kind]:
        fail(f"{name} {kind}", f"vectors differ by {worst:.5f}, allowed {TOLERANCE[kind]}")
    one_vector(f"{name} {kind}", capsule, cases[0]["prompt"])
    return worst


def tiny_vectors(folder, label, model, capsule, cases):
    entry, worst = tiny_models.MODELS[label], 0.0
    exact = entry["family"] in ("nomic-bert", "neo-bert", "eurobert", "llama-embed", "qwen2", "qwen3") or "silu" in label
    for ids, case in zip(tiny_models.prompts(label), cases):
        tokens = ("--tokens", ",".join(map(str, ids)), "--normalize", "off")
        got = embed(capsule, *tokens)
        if "error" in got:
            return fail(label, got["error"])
        worst = max(worst, apart(vector(got), case["embedding"]))
        if vector(embed(capsule, *tokens, "--device", "portable")) != vector(got):
            fail(label, "another vector by portable code")
    tolerance = TINY_TOLERANCE if exact else VECTOR_GELU
    if worst > tolerance:
        fail(label, f"vectors differ by {worst:.7f}, allowed {tolerance}")
    if label == entry["family"]:
        hostile(folder, label, model, "embed", "--tokens", "1,2,3")
    return worst


# ---- tiny models ----

def tiny_tolerance(entry):
    return TINY_GELU if entry["family"] in GELU else TINY_SECTIONS if entry["family"] in SECTIONS else TINY_TOLERANCE


def tiny(folder, label):
    """The largest difference of a model of tiny_models.py from its reference."""
    entry, data = tiny_models.MODELS[label], tiny_models.gguf(label)
    cases = [json.loads(line) for line in (REFERENCES / f"{label}.jsonl").read_text().splitlines()]
    if hashlib.sha256(data).hexdigest() != cases[0]["model"]:
        return fail(label, "the model is not the one that the reference was made with")
    model, capsule = folder / f"{label}.gguf", folder / f"{label}.wasm"
    model.write_bytes(data)
    packed = run("pack", model, "-o", capsule)
    if packed.returncode:
        return fail(label, packed.stderr.strip()[-300:])
    if "embeds" in entry:
        worst = tiny_vectors(folder, label, model, capsule, cases)
        model.unlink()
        capsule.unlink()
        return worst
    tolerance, worst = tiny_tolerance(entry), 0.0
    for ids, case in zip(tiny_models.prompts(label), cases):
        case["prompt_ids"] = ids
        got = logits_of_ids(capsule, case)
        if "error" in got:
            return fail(label, got["error"])
        worst = max(worst, distance(got, case))
        step = greedy_differs(got, case, tolerance)
        if step is not None:
            fail(label, f"greedy step {step} of {len(ids)} tokens")
    if worst > tolerance:
        fail(label, f"logits differ by {worst:.7f}, allowed {tolerance}")
    portable = logits_of_ids(capsule, cases[-1], "--device", "portable", "--chunk", 2)
    if portable.get("sha256") != got["sha256"]:
        fail(label, f"another digest by portable code: {portable.get('error')}")
    if label == entry["family"] and label not in SHARED_FAMILIES:  # those are tried with the shared model
        hostile(folder, label, model, sampled=True)
    model.unlink()
    capsule.unlink()
    return worst


def compare_tiny(folder):
    rows = {label: tiny(folder, label) for label in tiny_models.MODELS if not ONLY or label in ONLY}
    print(f"{'tiny model':30} {'family':15} largest difference of the 20 largest logits, or of a vector")
    for label, worst in rows.items():
        print(f"{label:30} {tiny_models.MODELS[label]['family']:15} " + ("FAILED" if worst is None else f"{worst:.7f}"))


def check_claims():
    """Every family is tested; what `wisp doctor --models` says that tests it is there, and is of that family."""
    models = {label: entry["family"] for label, entry in tiny_models.MODELS.items()}
    models.update({name: entry["family"] for name, entry in SHARED_MODELS.items()})
    for family in json.loads(run("doctor", "--models", "--json").stdout):
        if not family["tested"]:
            fail(family["name"], "no model tests this family")
        for name in filter(None, family["tested"].split(", ")):
            if models.get(name, "" if ARCH.exists() else family["name"]) != family["name"]:
                fail(family["name"], f"no test model of this family is called {name}")


def main():
    check_claims()
    with tempfile.TemporaryDirectory() as place:
        compare_tiny(pathlib.Path(place))
    if not SHARED_MODELS:
        print("SKIP models/arch: no shared data folder")
        return 1 if failures else 0
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        if not expand(folder, "f32", ["llama"]):
            print("SKIP models/arch: expand.py does not run here (python3-numpy missing?)")
            return 1 if failures else 0
        supported = {a["name"] for a in json.loads(run("doctor", "--models", "--json").stdout)}
        rows, missing = {}, []
        for name in [n for n in ONLY if n in SHARED_MODELS] if ONLY else sorted(SHARED_MODELS):
            if SHARED_MODELS[name]["family"] not in supported and not ONLY:
                missing.append(name)
                continue
            rows[name] = family(folder, name)
    print(f"{'model':20} {'F32':>10} {'F16':>10}   (largest difference of the 20 largest logits, or of a vector)")
    for name, row in rows.items():
        print(f"{name:20} " + (" ".join(f"{row.get(k, float('nan')):10.6f}" for k in ("f32", "f16")) if row else "FAILED"))
    if missing:
        print("not supported yet: " + ", ".join(missing))
    print(f"{len(rows)} models, {len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
