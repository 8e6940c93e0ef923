#!/usr/bin/env python3
"""A public header compiles alone, as C and as C++: header_alone.py CC… ROOT TEXT."""
import subprocess
import sys

*compiler, root, text = sys.argv[1:]
for language in ("c", "c++"):
    command = compiler + ["-x", language, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{root}/include", "-"]
    result = subprocess.run(command, input=text, text=True, capture_output=True)
    if language == "c++" and ("cc1plus" in result.stderr or "not found" in result.stderr and "cstd" in result.stderr):
        print("SKIP no C++ compiler here")
        continue
    if result.returncode:
        sys.exit(result.stderr)
