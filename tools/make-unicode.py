#!/usr/bin/env python3
"""Writes what the tokenizers need of Unicode as C tables: make-unicode.py UnicodeData.txt OUT.c

UnicodeData.txt is the Unicode Character Database's own file, and CompositionExclusions.txt lies beside it (Debian:
package unicode-data). The tables: the general category of every code point in two stages (blocks of 256, equal ones
once), lower case, canonical combining classes, decompositions (canonical and compatible, in full) and primary
composites. Hangul is arithmetic and needs none (Unicode chapter 3.12).
"""
import pathlib
import sys

NAMES = ("Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs").split()
BLOCK = 256


def read(path):
    table, classes, lower, mappings = ["Cn"] * 0x110000, {}, {}, {}
    first = None
    with open(path, encoding="ascii") as lines:
        for line in lines:
            fields = line.rstrip("\n").split(";")
            code, name, category = int(fields[0], 16), fields[1], fields[2]
            if name.endswith(", First>"):
                first = code
            elif name.endswith(", Last>"):
                table[first : code + 1] = [category] * (code + 1 - first)
            else:
                table[code] = category
            if fields[3] != "0":
                classes[code] = int(fields[3])
            if fields[13]:
                lower[code] = int(fields[13], 16)
            if fields[5]:
                words = fields[5].split()
                compatible = words[0].startswith("<")
                mappings[code] = (compatible, [int(w, 16) for w in words[compatible:]])
    return table, classes, lower, mappings


def expand(code, mappings, compatible):
    """The full decomposition of a code point (Unicode definition D68, or D65 with compatible)."""
    if code not in mappings or (mappings[code][0] and not compatible):
        return [code]
    return [c for part in mappings[code][1] for c in expand(part, mappings, compatible)]


def decompositions(mappings):
    """(code << 1 | compatible, text), ascending; the compatible one only where it differs."""
    out = []
    for code in sorted(mappings):
        canonical, compatible = (expand(code, mappings, k) for k in (False, True))
        if canonical != [code]:
            out.append((code << 1, canonical))
        if compatible != canonical:
            out.append((code << 1 | 1, compatible))
    return out


def compositions(mappings, classes, excluded):
    """Primary composites (D114): canonical pairs that are neither excluded nor begin with a nonstarter."""
    out = []
    for code, (compatible, parts) in mappings.items():
        if not compatible and len(parts) == 2 and code not in excluded and not classes.get(code) and not classes.get(parts[0]):
            out.append((parts[0], parts[1], code))
    return sorted(out)


def rows(values, form="0x%x", count=12):
    values = [form % v for v in values]
    return "".join("    " + ", ".join(values[i : i + count]) + ",\n" for i in range(0, len(values), count))


def array(kind, name, values, form="0x%x", count=12):
    return f"const {kind} guest_{name}[{len(values)}] = {{\n{rows(values, form, count)}}};\n"


def two_stages(table):
    blocks, index = [], []
    for at in range(0, len(table), BLOCK):
        block = tuple(NAMES.index(c) for c in table[at : at + BLOCK])
        if block not in blocks:
            blocks.append(block)
        index.append(blocks.index(block))
    return index, [c for block in blocks for c in block]


def main():
    source, target = sys.argv[1:]
    beside = pathlib.Path(source).with_name("CompositionExclusions.txt")
    for path in (pathlib.Path(source), beside):
        if not path.is_file():
            sys.exit(f"{path} is missing: install Debian's package unicode-data (tools/setup.sh does), or say where it is "
                     "with -Dunicode_data=.../UnicodeData.txt")
    table, classes, lower, mappings = read(source)
    excluded = {int(l.split()[0], 16) for l in beside.read_text(encoding="utf8").splitlines() if l and l[0] not in "#\n"}
    index, blocks = two_stages(table)
    parts = decompositions(mappings)
    texts, offsets = b"", [0]
    for _, codes in parts:
        texts += "".join(map(chr, codes)).encode("utf8")
        offsets.append(len(texts))
    pairs = compositions(mappings, classes, excluded)
    with open(target, "w", encoding="ascii") as out:
        out.write(f"/* Made by tools/make-unicode.py from {pathlib.Path(source).name}. */\n#include \"guest/unicode.h\"\n\n")
        out.write(array("uint8_t", "unicode_index", index, "%d", 24))
        out.write(array("uint8_t", "unicode_categories", blocks, "%d", 32))
        out.write(f"const uint32_t guest_lower_count = {len(lower)};\n")
        out.write(array("guest_code_pair", "lower_cases", [(c, lower[c]) for c in sorted(lower)], "{0x%x, 0x%x}", 6))
        out.write(f"const uint32_t guest_class_count = {len(classes)};\n")
        out.write(array("uint32_t", "combining_classes", [c << 8 | classes[c] for c in sorted(classes)]))
        out.write(f"const uint32_t guest_decomposition_count = {len(parts)};\n")
        out.write(array("uint32_t", "decomposition_keys", [k for k, _ in parts]))
        out.write(array("uint16_t", "decomposition_offsets", offsets))
        out.write(array("uint8_t", "decomposition_texts", list(texts), "%d", 24))
        out.write(f"const uint32_t guest_composition_count = {len(pairs)};\n")
        out.write(array("guest_composition", "compositions", pairs, "{0x%x, 0x%x, 0x%x}", 4))


main()
