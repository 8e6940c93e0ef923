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


def compiler(root, env):
    """The native compiler is found from the installed programs, wherever they lie, and nothing names the build's folder."""
    command = next(root.rglob("bin/wisp"))
    libraries = [p for p in root.rglob("libwisp.so*") if not p.is_symlink()]
    for program in [command, *libraries, *root.rglob("wisp-native")]:
        loaded = run("strings", "--data", program) + run("readelf", "-d", program)
        if str(BUILD) in loaded or "src/wasm/native/wisp-native" in loaded:
            sys.exit(f"{program} names the build's folder")
    if os.environ["WISP_NATIVE"] != "yes":
        return
    own = next(root.rglob("libexec/wisp/wisp-native"))
    said = [line for line in run(command, "doctor", env=env).splitlines() if line.startswith("native compiler")]
    if len(said) != 1 or not os.path.samefile(said[0].split()[-1], own):
        sys.exit(f"not the installed compiler: {said}")
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        env[variable] = str(root / variable)
    answer = root / "answer.wasm"
    answer.write_bytes(b"\0asm\1\0\0\0\1\5\1\x60\0\1\x7f\3\2\1\0\7\5\1\1f\0\0\x0a\6\1\4\0\x41\x2a\x0b")
    result = subprocess.run([command, "run", "--native", "now", "--stats", "--invoke", "f", answer], capture_output=True,
                            text=True, timeout=300, env=env)
    if result.stdout != "42\n" or "code: native, compiled now" not in result.stderr:
        sys.exit(f"the installed compiler does not compile: {result.stderr}")


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
        compiler(root, env)
        symbols = run("nm", "-D", "--defined-only", library / "libwisp.so").split("\n")
        stray = [s for s in symbols if s and not s.split()[-1].startswith("wisp_")]
        if stray:
            sys.exit(f"the shared library exports more than wisp_*: {stray[:5]}")
    print("installed, built against, run")


main()
