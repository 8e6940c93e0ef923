#!/usr/bin/env python3
"""Names a build of the native compiler: build-id.py OUTPUT.h DEPFILE TEXT FOLDER writes the SHA-256 of the text and of all
sources under the folder, so that images made by other sources are not taken for this build's."""
import hashlib
import pathlib
import sys

output, depfile, text, folder = sys.argv[1:]
files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix in (".c", ".h", ".def", ".build"))
digest = hashlib.sha256(text.encode())
for path in files:
    digest.update(hashlib.sha256(path.read_bytes()).digest())
with open(output, "w") as out:
    out.write(f'#define WASM_NATIVE_BUILD "{digest.hexdigest()}"\n')
with open(depfile, "w") as out:
    out.write(f"{output}: {' '.join(map(str, files))}\n")
