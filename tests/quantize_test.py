#!/usr/bin/env python3
"""Measuring and making smaller models: perplexities equal to published ones. quantize_test.py WISP"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

WISP = sys.argv[1]
SHARED = pathlib.Path(os.environ["WISP_SHARED"])
STORIES = SHARED / "models" / "stories"
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
        if "not supported" in run("eval", model, TEXT, "--ctx", 128, status=None).stderr:
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


def main():
    if not TEXT.exists():
        print("SKIP models/stories: no shared data folder")
        return 0
    with tempfile.TemporaryDirectory() as name:
        evaluation(pathlib.Path(name))
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
