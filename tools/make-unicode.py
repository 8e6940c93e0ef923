#!/usr/bin/env python3
"""Writes the general categories of Unicode as a C table: make-unicode.py UnicodeData.txt OUT.c

UnicodeData.txt is the Unicode Character Database's own file (Debian: package unicode-data). The table lists where a
category begins, so that a binary search finds that of any code point.
"""
import sys

NAMES = ("Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs").split()


def categories(path):
    table = ["Cn"] * 0x110000
    first = None
    with open(path, encoding="ascii") as lines:
        for line in lines:
            code, name, category = line.split(";")[:3]
            code = int(code, 16)
            if name.endswith(", First>"):
                first = code
            elif name.endswith(", Last>"):
                table[first : code + 1] = [category] * (code + 1 - first)
            else:
                table[code] = category
    return table


def main():
    source, target = sys.argv[1:]
    table = categories(source)
    starts = [(c, NAMES.index(table[c])) for c in range(0x110000) if c == 0 or table[c] != table[c - 1]]
    with open(target, "w", encoding="ascii") as out:
        out.write("/* Made by tools/make-unicode.py from UnicodeData.txt. */\n")
        out.write('#include "guest/unicode.h"\n\n')
        out.write(f"const uint32_t guest_unicode_count = {len(starts)};\n")
        out.write(f"const uint32_t guest_unicode_starts[{len(starts)}] = {{\n")
        for i in range(0, len(starts), 8):
            out.write("    " + " ".join(f"0x{c << 8 | k:x}," for c, k in starts[i : i + 8]) + "\n")
        out.write("};\n")


main()
