#!/usr/bin/env python3
"""The layer rule: which folder of src/ may include which. Arrows go one way (docs in README.md, "Layout"). How long files
and functions may be. And that the structs of include/wisp may grow (error.h)."""
import pathlib
import re
import sys

ALLOWED = {
    "base": set(),
    "os": {"base"},
    "tensor": {"base"},
    "wasm": {"base", "os"},
    "wasi": {"base", "os", "wasm"},
    "capsule": {"base"},
    "compile": {"base", "os", "tensor", "capsule"},
    "guest": {"base", "tensor"},
    "host": {"base", "os", "tensor", "wasm", "wasi", "capsule", "compile"},
    "cli": set(),
}
# The guest sees the device through these only: never the native kernels.
GUEST_TENSOR = {"abi.h", "device.h", "program.h", "layout.h", "ops.def"}
EXCEPTIONS_LONG = set()
FUNCTION_MAX = 60
LONG_FUNCTIONS = {"wasm_validate_code"}  # one loop with a body for each instruction

# Public structs that do not begin with their size: elements of arrays or of other structs, which never change; and what
# the library owns, which is only ever reached by a pointer.
FIXED_STRUCTS = {"wisp_report", "wisp_compiled_target", "wisp_key", "wisp_signer", "wisp_stream", "wisp_directory",
                 "wisp_host_function", "wisp_host_module", "wisp_frame"}
OWNED_STRUCTS = {"wisp_extern", "wisp_trap", "wisp_quantize_tensor"}


def public_structs(root):
    """Errors of the public headers, and how many structs they have."""
    errors, seen = [], set()
    for path in sorted((root / "include").rglob("*.h")):
        for name, first in re.findall(r"^typedef struct (\w+) \{\n\s*([^;]*);", path.read_text(), re.M):
            seen.add(name)
            if first != "size_t size" and name not in FIXED_STRUCTS | OWNED_STRUCTS:
                errors.append(f"{path.name}: {name} does not begin with its size")
    errors += [f"{name}: no such public struct" for name in sorted((FIXED_STRUCTS | OWNED_STRUCTS) - seen)]
    return errors, len(seen)


def functions(lines):
    """Each function of a formatted file: its name, the line it starts at, how many lines it has. A body is what stands
    between a { and a } at the start of lines; the declaration before it may take several."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number - 1
            while start > 1 and not re.match(r"\s*$|[#}{/]|.*[;}/\\]\s*$", lines[start - 2]):
                start -= 1
        elif line == "}" and start:
            names = re.findall(r"(\w+)\s*\(", " ".join(lines[start - 1:number]).split("{")[0])
            yield names[0] if names else "?", start, number - start + 1
            start = None


def check(root):
    errors, names, functions_seen = [], {}, 0
    for path in sorted((root / "src").rglob("*.[chd]*")):
        if path.suffix not in {".c", ".h", ".def"}:
            continue
        relative = path.relative_to(root).as_posix()
        folder = relative.split("/")[1]
        if path.name in names and path.suffix != ".def":
            errors.append(f"{relative}: another file has this name: {names[path.name]}")
        names[path.name] = relative
        lines = path.read_text().splitlines()
        if len(lines) > 1000 and relative not in EXCEPTIONS_LONG:
            errors.append(f"{relative}: {len(lines)} lines (at most 1,000)")
        for name, start, length in functions(lines):
            functions_seen += 1
            if length > FUNCTION_MAX and name not in LONG_FUNCTIONS:
                errors.append(f"{relative}:{start}: {name}: {length} lines (at most {FUNCTION_MAX})")
        for number, line in enumerate(lines, 1):
            if re.match(r'\s*#\s*include\s*[<"]llvm', line) and not relative.startswith("src/wasm/native/"):
                errors.append(f"{relative}:{number}: only src/wasm/native/ may include LLVM")
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not match:
                continue
            if match.group(1).startswith("wasm/native/") and not relative.startswith("src/wasm/native/"):
                errors.append(f"{relative}:{number}: native/ is a program of its own: nothing else may include {match.group(1)}")
            target = match.group(1)
            to = target.split("/")[0]
            if "/" not in target:
                continue  # generated tables and neighbours
            if to != folder and to not in ALLOWED[folder]:
                errors.append(f"{relative}:{number}: {folder} may not include {target}")
            if folder == "guest" and to == "tensor" and target.split("/")[-1] not in GUEST_TENSOR:
                errors.append(f"{relative}:{number}: the guest may not include {target}")
    return errors, len(names), functions_seen


def main():
    errors, files, seen = check(pathlib.Path(sys.argv[1]))
    struct_errors, structs = public_structs(pathlib.Path(sys.argv[1]))
    errors += struct_errors
    for error in errors:
        print(error)
    print(f"{files} files, {seen} functions, {structs} public structs, {len(errors)} errors")
    return 1 if errors else 0


sys.exit(main())
