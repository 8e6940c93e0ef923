#!/usr/bin/env python3
"""Images of native code into the library, as assembler source: embed_images.py OUTPUT.S IMAGE… The table
host_native_engine holds address and size of each, host_native_engine_count their number."""
import os
import sys

output, *images = sys.argv[1:]
with open(output, "w") as out:
    out.write('    .section .rodata.wisp_native, "a", %progbits\n')
    for i, image in enumerate(images):
        out.write(f'    .balign 64\n.Limage{i}:\n    .incbin "{os.path.abspath(image)}"\n')
    out.write("    .balign 8\n    .globl host_native_engine_count\n    .hidden host_native_engine_count\n")
    out.write(f"host_native_engine_count:\n    .8byte {len(images)}\n")
    out.write('    .section .data.rel.ro.wisp_native, "aw", %progbits\n    .balign 8\n')
    out.write("    .globl host_native_engine\n    .hidden host_native_engine\nhost_native_engine:\n")
    for i, image in enumerate(images):
        out.write(f"    .8byte .Limage{i}, {os.path.getsize(image)}\n")
    out.write('    .8byte 0, 0\n    .section .note.GNU-stack, "", %progbits\n')
