#!/usr/bin/env python3
"""Unpacks the official WebAssembly suite, if it is there, and runs it: spec_suite.py RUNNER."""
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

archives = sorted(pathlib.Path(os.environ["WISP_SHARED"], "conformance", "wasm-spec").glob("*.tar.gz"))
if not archives:
    print("SKIP wasm spec: no conformance/wasm-spec in the shared data folder")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(archives[-1]) as archive:
        archive.extractall(folder)
    sys.exit(subprocess.run([sys.argv[1], folder]).returncode)
