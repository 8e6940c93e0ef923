#!/usr/bin/env python3
"""Runs the public WASI test suite's preview 1 programs, if it is there: wasi_suite.py RUNNER [FOLDER].

FOLDER (or $WISP_WASI_TESTSUITE) is a checkout of WebAssembly/wasi-testsuite, branch prod/testsuite-base. Each program
runs on a fresh copy of its folder, once with openat2 and once with the walk that stands in for it. Prints a table."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def run(runner, options, program, spec):
    """What is wrong, or None."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [runner, *options]
        if spec.get("root"):
            root = pathlib.Path(temporary, "root")
            shutil.copytree(program.parent / spec["root"], root)
            command += ["--dir", f"{root}::/"]
        for name, value in spec.get("env", {}).items():
            command += ["--env", f"{name}={value}"]
        command += [program, *spec.get("args", [])]
        try:
            done = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            return "still running after 120 s"
    if done.returncode != spec.get("exit_code", 0):
        return f"exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()}"
    for name, output in (("stdout", done.stdout), ("stderr", done.stderr)):
        if name in spec and not output.decode(errors="replace").startswith(spec[name]):
            return f"{name} is {output!r}"
    return None


def main():
    folder = sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] else os.environ.get("WISP_WASI_TESTSUITE", "")
    programs = sorted(pathlib.Path(folder).glob("tests/*/testsuite/wasm32-wasip1/*.wasm")) if folder else []
    if not programs:
        print("SKIP WASI test suite: -Dwasi_testsuite= or WISP_WASI_TESTSUITE does not name a checkout of it")
        return 77
    table, failed = {}, 0
    for program in programs:
        path = program.with_suffix(".json")
        spec = json.loads(path.read_text()) if path.exists() else {}
        for way, options in (("openat2", []), ("walk", ["--walk"])):
            wrong = run(sys.argv[1], options, program, spec)
            row = table.setdefault((program.parent.parent.parent.name, way), [0, 0])
            row[1 if wrong else 0] += 1
            if wrong:
                failed += 1
                print(f"FAILED ({way}) {program.name}: {wrong}")
    print(f"{'programs':<16}{'paths by':<10}{'passed':>7}{'failed':>7}")
    for (language, way), (good, bad) in sorted(table.items()):
        print(f"{language:<16}{way:<10}{good:>7}{bad:>7}")
    for way in ("openat2", "walk"):
        rows = [row for key, row in table.items() if key[1] == way]
        print(f"{'all':<16}{way:<10}{sum(r[0] for r in rows):>7}{sum(r[1] for r in rows):>7}")
    return 1 if failed else 0


sys.exit(main())
