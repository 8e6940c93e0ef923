#!/usr/bin/env python3
"""Reference results of the tiny models by another engine: make_family_references.py ENGINE [NAME ...]

ENGINE is a program, outside this tree, that is called as `ENGINE MODEL --ids I,J,… --greedy N --ctx C` and prints a JSON
object with top20, greedy_ids and greedy_gaps; with `--embed`, with embedding. What it must be: family_references/README.md."""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import tiny_encoders  # noqa: F401: adds its models
import tiny_models

FOLDER = pathlib.Path(__file__).parent / "family_references"
GREEDY = 8


def reference(engine, label, folder):
    data = tiny_models.gguf(label)
    file = folder / "model.gguf"
    file.write_bytes(data)
    lines = []
    context = str(min(512, tiny_models.MODELS[label]["size"]["context"]))
    for ids in tiny_models.prompts(label):
        embeds = "embeds" in tiny_models.MODELS[label]
        out = subprocess.run([engine, file, "--ids", ",".join(map(str, ids)), "--greedy", str(GREEDY), "--ctx", context] +
                             ["--embed"] * embeds,
                             capture_output=True, text=True)
        if out.returncode:
            return out.stderr.strip()[-300:]
        got = json.loads(out.stdout)
        case = {"model": hashlib.sha256(data).hexdigest()} if not lines else {}
        case.update({k: got[k] for k in (("embedding",) if embeds else ("top20", "greedy_ids", "greedy_gaps"))})
        lines.append(json.dumps(case))
    (FOLDER / f"{label}.jsonl").write_text("\n".join(lines) + "\n")
    return None


def main():
    with tempfile.TemporaryDirectory() as place:
        for label in sys.argv[2:] or tiny_models.MODELS:
            error = reference(sys.argv[1], label, pathlib.Path(place))
            if error:
                print(f"{label}: {error}")


main()
