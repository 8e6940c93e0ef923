#!/usr/bin/env python3
"""Unpacks the official WebAssembly suite, if it is there, and runs it in every mode of the build: spec_suite.py RUNNER."""
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
modes = subprocess.run([sys.argv[1], "--modes"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
failed = not modes
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(archives[-1]) as archive:
        archive.extractall(folder)
    for mode in modes:
        print(f"== {mode}", flush=True)
        failed |= subprocess.run([sys.argv[1], "--mode", mode, folder]).returncode != 0
sys.exit(failed)
