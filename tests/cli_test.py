#!/usr/bin/env python3
"""The command's manners: help, usage errors (2), failures (1, one line that names file, place and reason), interrupts,
outputs that appear whole or not at all. cli_test.py WISP"""
import json
import os
import pathlib
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

WISP = sys.argv[1]
SOURCE = pathlib.Path(os.environ["WISP_SOURCE"])
SHARED = pathlib.Path(os.environ["WISP_SHARED"])
COMMANDS = ["run", "pack", "compile", "inspect", "unpack", "quantize", "imatrix", "logits", "embed", "eval", "tokenize", "bench", "doctor", "completion",
            "keygen", "sign", "verify", "trust"]

passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def run(*args, **more):
    return subprocess.run([WISP, *map(str, args)], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, **more)


def expect(status, *args, mentions=(), **more):
    result = run(*args, **more)
    what = " ".join(map(str, args))
    check(result.returncode == status, f"`wisp {what}` exits {result.returncode}, not {status}: {result.stderr[-500:]}")
    for word in mentions:
        check(word in result.stderr + result.stdout, f"`wisp {what}` mentions {word!r}: {result.stderr!r}")
    return result


def usage():
    expect(0, "--help", mentions=["Commands:", "Example:"])
    expect(0, "--version", mentions=["wisp 0."])
    for command in COMMANDS:
        text = expect(0, command, "--help", mentions=["Usage:", "Example:"]).stdout
        check(len(text.splitlines()) <= 24, f"help of {command} fits a screen")
        check(max(map(len, text.splitlines())) <= 110, f"help of {command} is not too wide")
        expect(2, command, "--no-such-option", mentions=["--no-such-option", "--help"])
    expect(2, mentions=["--help"])
    expect(2, "frobnicate", mentions=["frobnicate"])
    expect(2, "run", mentions=["FILE"])
    expect(2, "pack", "x.gguf", mentions=["-o"])
    expect(2, "logits", "x.wasm", mentions=["--prompt"])
    expect(2, "logits", "x.wasm", "--tokens", "1,,2")
    for value in ("0", "-1", "1000", "abc", "", "1.5", "99999999999999999999"):
        expect(2, "run", "x.wasm", "--threads", value, mentions=["threads"])
    for option, value in (("--temp", "nan"), ("--temp", "-1"), ("--top-p", "1.1"), ("--top-k", "-1"),
                          ("--repeat-penalty", "0"), ("--device", "gpu"), ("-n", "x"), ("--seed", "-3")):
        expect(2, "run", "x.wasm", option, value, mentions=[value])
    for shell in ("bash", "zsh", "fish"):
        script = expect(0, "completion", shell, mentions=["tokenize"]).stdout
        for command in COMMANDS:
            head = f"from {command}'" if shell == "fish" else f" {command}) words="
            lines = "\n".join(line for line in script.splitlines() if head in line)
            for name in set(re.findall(r"--([a-z][a-z-]+)", run(command, "--help").stdout.split("Example:")[0])) - {"help"}:
                check(re.search(rf"-l {name}\b|--{name} ", lines), f"{shell} completes {command} --{name}")
        if shell == "bash":
            check(subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0, "bash completion parses")
    expect(2, "completion", "csh")
    check("cpu" in expect(0, "doctor", mentions=["kernel"]).stdout, "doctor names the CPU")
    json.loads(expect(0, "doctor", "--json").stdout)
    models = expect(0, "doctor", "--models").stdout
    check_pages([m["name"] for m in json.loads(expect(0, "doctor", "--models", "--json").stdout)])
    check(models in (SOURCE / "README.md").read_text(), "the README's table of families is what doctor --models prints")


def check_pages(families):
    """Every family is in the title of one page of docs/models, and the index names each page."""
    pages = {p.name: p.read_text() for p in (SOURCE / "docs" / "models").glob("*.md")}
    index = pages.pop("README.md")
    titles = [name for text in pages.values() for name in re.findall(r"`([^`]+)`", text.splitlines()[0])]
    for name in families:
        check(titles.count(name) == 1, f"one page of docs/models has {name} in its title")
    for page in pages:
        check(f"]({page})" in index, f"docs/models/README.md names {page}")


def one_line_failure(folder, data, what, words=()):
    path = folder / "bad.gguf"
    path.write_bytes(data)
    for command in (["run", path, "-p", "x"], ["pack", path, "-o", folder / "out.wasm"]):
        result = expect(1, *command, mentions=["bad.gguf", *words])
        check(len(result.stderr.splitlines()) == 1, f"{what}: one line, not {result.stderr!r}")
    check(not (folder / "out.wasm").exists(), f"{what}: no output is left")
    check(list(folder.glob("*.part*")) == [], f"{what}: no temporary file is left")


def bad_models(folder):
    expect(1, "run", folder / "missing.gguf", "-p", "x", mentions=["missing.gguf", "No such file"])
    expect(1, "run", folder, "-p", "x", mentions=[str(folder)])
    one_line_failure(folder, b"", "an empty file")
    one_line_failure(folder, b"not a model at all", "a text file")
    one_line_failure(folder, b"GGUF", "only a magic")
    one_line_failure(folder, b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60), "counts past the end")
    one_line_failure(folder, b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "an unknown version", ["version"])
    one_line_failure(folder, b"\0asm\1\0\0\0", "an empty module")
    boxed = SOURCE / "models" / "wisp-stories.gguf"
    if not boxed.exists():
        print("SKIP truncation of the model in the box: it is not there")
        return
    good = boxed.read_bytes()
    for size in (100, 1000, 5000, len(good) // 2, len(good) - 1):
        one_line_failure(folder, good[:size], f"cut at {size}")


def outputs(folder):
    boxed = SOURCE / "models" / "wisp-stories.gguf"
    if not boxed.exists():
        return
    out = folder / "limited.wasm"

    def limit():  # as a full disk would: writing fails half-way
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    result = expect(1, "pack", boxed, "-o", out, mentions=["limited.wasm"], preexec_fn=limit)
    check(len(result.stderr.splitlines()) == 1, f"a full disk: {result.stderr!r}")
    check(list(folder.glob("limited*")) == [], "a full disk leaves nothing")
    expect(1, "pack", boxed, "-o", folder / "no" / "such" / "folder.wasm", mentions=["folder.wasm"])
    out.write_bytes(b"precious")
    expect(1, "pack", folder / "bad.gguf", "-o", out)
    check(out.read_bytes() == b"precious", "a failed pack leaves an older output alone")
    packed = json.loads(expect(0, "pack", boxed, "-o", out, "--json", "--version", "7").stdout)
    check(packed["bytes"] == out.stat().st_size and packed["output"] == str(out) and packed["version"] == "7" and
          0 < packed["weight_bytes"] < packed["bytes"], f"pack --json: {packed}")
    expect(1, "run", out, "-p", "word " * 3000, mentions=["context"])
    expect(1, "run", out, "-p", "x", "--context", "1000000", mentions=["context"])
    expect(2, "pack", out, "-o", out)
    expect(2, "unpack", out, "-o", out)
    with open("/dev/full", "w") as full:
        for command in (["doctor"], ["inspect", out, "--json"], ["run", out, "-p", "Once", "-n", "4"], ["--version"]):
            result = subprocess.run([WISP, *command], stdout=full, stderr=subprocess.PIPE, text=True)
            check(result.returncode == 1 and "standard output" in result.stderr, f"{command} to a full device")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        interrupt(out, number)
    prompts(out, folder)


def interrupt(capsule, number):
    """A signal ends a run at once, and its output stays whole."""
    process = subprocess.Popen([WISP, "run", capsule, "-p", "Once", "--device", "portable", "--context", "512"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1)
    begin = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    check(process.returncode == 130, f"{number}: exit {process.returncode}, {errors!r}")
    check(time.monotonic() - begin < 5, f"{number}: ends soon")
    check(errors == b"", f"{number}: says nothing: {errors!r}")


def prompts(capsule, folder):
    """-p, -f and standard input are the same prompt."""
    options = ["-n", "8", "--temp", "0"]
    first = run("run", capsule, "-p", "Once upon a time", *options).stdout
    check(len(first) > 8, "a run writes text")
    file = folder / "prompt.txt"
    file.write_text("Once upon a time\n")
    check(run("run", capsule, "-f", file, *options).stdout == first, "-f gives the same text")
    piped = subprocess.run([WISP, "run", capsule, *options], input="Once upon a time\n", capture_output=True, text=True)
    check(piped.stdout == first, "standard input gives the same text")
    expect(2, "run", capsule, "-p", "a", "-f", file)
    expect(1, "run", capsule, "-f", folder / "nothing.txt", mentions=["nothing.txt"])
    stats = run("run", capsule, "-p", "Once", "--stats", "--seed", "5", *options).stderr
    check("tokens at" in stats and "seed 5" in stats, f"--stats: {stats!r}")
    ids = run("tokenize", capsule, "Once upon a time").stdout.split()
    check(json.loads(run("tokenize", capsule, "--json", "Once upon a time").stdout) == list(map(int, ids)),
          "tokenize --json agrees")
    check(json.loads(run("inspect", capsule, "--json").stdout)["architecture"] == "llama", "inspect --json")
    bench = json.loads(run("bench", capsule, "-p", 16, "-g", 8, "-r", 2, "--json").stdout)
    check(len(bench["ratio"]) == 2 and bench["ratio"][0] > 0, "bench --json")


def vocabularies():
    folder = SHARED / "models" / "vocab"
    if not folder.is_dir():
        print("SKIP models/vocab: no shared data folder")
        return
    for name in ("llama-spm", "llama-bpe", "gpt-2"):
        model = folder / f"ggml-vocab-{name}.gguf"
        texts = (folder / f"ggml-vocab-{name}.gguf.inp").read_text().split("\n__ggml_vocab_test__\n")
        wanted = (folder / f"ggml-vocab-{name}.gguf.out").read_text().split("\n")
        for text, ids in list(zip(texts, wanted))[:12]:
            got = subprocess.run([WISP, "tokenize", model, "--no-special"], input=text, capture_output=True, text=True)
            check(got.stdout.split() == ids.split(), f"{name}: {text!r}: {got.stdout!r} {got.stderr!r}")


def main():
    with tempfile.TemporaryDirectory() as name:
        usage()
        bad_models(pathlib.Path(name))
        outputs(pathlib.Path(name))
    vocabularies()
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
