#!/usr/bin/env python3
"""What an embedder does: installs WISP into a folder, builds examples/c/*.c with pkg-config's flags alone, against the
shared and the static library, and runs them. install_test.py"""
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["WISP_SOURCE"])
BUILD = pathlib.Path(os.environ["WISP_BUILD"])


EMBED_SAYS = """1.5 to the 4th is 5.0625
the guest says: HELLO
trap: out of bounds memory access, in shout
interrupted
out of fuel
"""


def run(*command, **more):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **more)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def main():
    model = SOURCE / "models" / "wisp-stories.gguf"
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root)
        config = next(root.rglob("wisp.pc")).parent
        env = dict(os.environ, PKG_CONFIG_PATH=str(config), PKG_CONFIG_SYSROOT_DIR=str(root))
        flags = run("pkg-config", "--cflags", "--libs", "wisp", env=env).split()
        library = next(root.rglob("libwisp.so")).parent
        archive = library / "libwisp.a"
        capsule = root / "story.wasm"
        run(next(root.rglob("bin/wisp")), "pack", model, "-o", capsule)
        program = root / "story"
        example = SOURCE / "examples" / "c" / "story.c"
        texts = []
        static = [f for f in flags if not f.startswith("-l")] + [str(archive), "-lsodium", "-lm", "-pthread"]
        for libraries in (flags, static):
            run("cc", "-Wall", "-Werror", example, *libraries, "-o", program)
            texts.append(run(program, capsule, "Once upon a time", env=dict(env, LD_LIBRARY_PATH=str(library))))
        if len(texts[0]) < 50 or texts[0] != texts[1]:
            sys.exit(f"unexpected text: {texts}")
        embed = root / "embed"
        for libraries in (flags, static):
            run("cc", "-Wall", "-Wextra", "-Werror", SOURCE / "examples" / "c" / "embed.c", *libraries, "-pthread", "-o", embed)
            text = run(embed, os.environ["WISP_EMBED_GUEST"], env=dict(env, LD_LIBRARY_PATH=str(library)))
            if text != EMBED_SAYS:
                sys.exit(f"unexpected text: {text!r}")
        symbols = run("nm", "-D", "--defined-only", library / "libwisp.so").split("\n")
        stray = [s for s in symbols if s and not s.split()[-1].startswith("wisp_")]
        if stray:
            sys.exit(f"the shared library exports more than wisp_*: {stray[:5]}")
    print("installed, built against, run")


main()
