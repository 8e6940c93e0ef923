#!/usr/bin/env python3
"""Writes a file's bytes as a C array: embed.py INPUT OUTPUT.c NAME gives NAME_bytes and NAME_size."""
import sys

source, target, name = sys.argv[1:]
data = open(source, "rb").read()
with open(target, "w") as out:
    out.write(f"extern const unsigned char {name}_bytes[];\nextern const unsigned int {name}_size;\n")
    out.write(f"_Alignas(64) const unsigned char {name}_bytes[] = {{\n")
    for i in range(0, len(data), 32):
        out.write(",".join(map(str, data[i : i + 32])) + ",\n")
    out.write(f"}};\nconst unsigned int {name}_size = {len(data)};\n")
