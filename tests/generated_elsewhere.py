#!/usr/bin/env python3
"""Generated modules here and in Node.js: generated_elsewhere.py GENERATED_TEST [COUNT]. What is seen of them is equal."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

count = sys.argv[2] if len(sys.argv) > 2 else "800"
node = shutil.which("node")
if not node:
    print("SKIP generated modules elsewhere: no node on PATH")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], "--write", folder, "0", count], check=True)
    sys.exit(subprocess.run([node, pathlib.Path(__file__).parent / "generated.mjs", folder]).returncode)
