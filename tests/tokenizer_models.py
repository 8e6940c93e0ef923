#!/usr/bin/env python3
"""Tokenizers of the tiny models: tokenizer_models.py WISP SHARED

Every model under SHARED/models/arch has reference prompts with their token ids. Only the header of a model is needed (a
sparse file stands for its weights), so families that cannot run yet are tokenized all the same. Prompts are also cut
into ids and back. Exit status 77: the data is not there.
"""
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

WEIGHTS = 64 << 20  # more than any of them has; a hole, not bytes


def tokenize(wisp, model, text, *options):
    done = subprocess.run([wisp, "tokenize", *options, "--json", model], input=text.encode(), capture_output=True)
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def main():
    wisp, shared = sys.argv[1], pathlib.Path(sys.argv[2]) / "models" / "arch"
    headers = sorted(shared.glob("*.hdr.gz"))
    if not headers:
        print(f"skipped: nothing under {shared}")
        return 77
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for header in headers:
            name = header.name.removesuffix(".hdr.gz")
            model = pathlib.Path(folder, name + ".gguf")
            model.write_bytes(gzip.decompress(header.read_bytes()))
            with model.open("r+b") as file:
                file.truncate(model.stat().st_size + WEIGHTS)
            for line in (shared / f"{name}.f32.jsonl").read_text().splitlines():
                case = json.loads(line)
                ids = tokenize(wisp, str(model), case["prompt"])
                if ids == case["prompt_ids"]:
                    passed += 1
                else:
                    failed += 1
                    print(f"{name}: {case['prompt']!r}\n  want {case['prompt_ids']}\n  have {ids}")
            model.unlink()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
