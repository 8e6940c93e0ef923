#!/usr/bin/env python3
"""Native code end to end: compiling into files, the cache, tier-up, what is never executed, life without the compiler.
native_test.py WISP LIBRARY"""
import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

WISP = sys.argv[1]
LIBRARY = sys.argv[2]
SOURCE = pathlib.Path(os.environ["WISP_SOURCE"])
HAS_COMPILER = os.environ["WISP_NATIVE"] == "yes"
CANCELLED = 10  # WISP_E_CANCELLED
TARGETS = ["x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64"]
passed = failed = 0
environment = dict(os.environ)


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def run(*args, wisp=WISP, **more):
    return subprocess.run([str(wisp), *map(str, args)], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, env=environment, **more)


def expect(status, *args, mentions=(), **more):
    result = run(*args, **more)
    what = " ".join(map(str, args))
    check(result.returncode == status, f"`wisp {what}` exits {result.returncode}, not {status}: {result.stderr[-500:]}")
    for word in mentions:
        check(word in result.stderr + result.stdout, f"`wisp {what}` mentions {word!r}: {result.stderr + result.stdout!r}")
    return result


# ---- modules ----

def leb(n):
    out = bytearray()
    while True:
        out.append(n & 0x7F | (0x80 if n > 0x7F else 0))
        n >>= 7
        if not n:
            return bytes(out)


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


def vector(items):
    return leb(len(items)) + b"".join(items)


def module(salt=0):
    """fib(n); repeat(n, times): fib(n) over and over, the last one's result; load(address): may trap."""
    fib = bytes.fromhex("00 2000 4102 49 047f 2000 05 2000 4101 6b 1000 2000 4102 6b 1000 6a 0b 0b".replace(" ", ""))
    repeat = bytes.fromhex("01 01 7f 03 40 2000 1000 2102 2001 4101 6b 2201 0d00 0b 2002 0b".replace(" ", ""))
    load = bytes.fromhex("00 2000 280200 0b".replace(" ", ""))
    different = bytes([0, 0x41]) + leb(salt) + b"\x0b" if salt < 64 else b""
    bodies = [fib, repeat, load, different]
    types = [b"\x60\1\x7f\1\x7f", b"\x60\2\x7f\x7f\1\x7f", b"\x60\0\1\x7f"]
    exports = [leb(len(n)) + n + bytes([0, i]) for i, n in enumerate([b"fib", b"repeat", b"load", b"salt"])]
    return (b"\0asm\1\0\0\0" + section(1, vector(types)) + section(3, vector([b"\0", b"\1", b"\0", b"\2"]))
            + section(5, b"\1\0\1") + section(7, vector(exports))
            + section(10, vector([leb(len(b)) + b for b in bodies])))


def sections(data):
    at, found = 8, []
    while at < len(data):
        number, start = data[at], at
        at += 1
        size = shift = 0
        while True:
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        name = data[at + 1:at + 1 + data[at]] if number == 0 else b""
        found.append((number, name.decode(errors="replace"), start, at + (1 + len(name) if number == 0 else 0), at + size))
        at += size
    return found


# ---- how code runs ----

def invoke(path, native, *call, status=0, wisp=WISP):
    result = expect(status, "run", "--native", native, "--stats", "--invoke", call[0], path, *call[1:], wisp=wisp)
    code = re.search(r"^code: (.*)$", result.stderr, re.M)
    check(code is not None, f"--stats says how code ran: {result.stderr!r}")
    return result.stdout, code.group(1) if code else ""


def fresh(folder):
    """Settings and a cache of their own."""
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    environment["XDG_CONFIG_HOME"] = str(folder / "config")
    environment["XDG_STATE_HOME"] = str(folder / "state")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return folder / "cache" / "wisp" / "native"


def images(cache):
    return sorted(cache.glob("*.image"))


def equality(folder):
    cache = fresh(folder)
    path = folder / "a.wasm"
    path.write_bytes(module())
    for native, kind in (("off", "interpreter"), ("cached", "interpreter"), ("now", "native, compiled now"),
                         ("now", "native, from the cache"), ("cached", "native, from the cache"),
                         ("auto", "native, from the cache")):
        out, code = invoke(path, native, "fib", 20)
        check(out == "6765\n", f"--native {native}: {out!r}")
        check(code.startswith(kind), f"--native {native} is {kind!r}: {code!r}")
        _, code = invoke(path, native, "load", 65532)
        result = run("run", "--native", native, "--invoke", "load", path, "65533")
        check(result.returncode != 0 and "out of bounds memory access" in result.stderr,
              f"--native {native}: a trap stays one: {result.returncode} {result.stderr!r}")
    check(len(images(cache)) == 1, "one image in the cache")
    check(stat.S_IMODE(cache.stat().st_mode) == 0o700 and stat.S_IMODE(images(cache)[0].stat().st_mode) == 0o600,
          "the cache is private")
    out, code = invoke(path, "now", "repeat", 5, 3)
    check(out == "5\n", "another function")
    result = expect(0, "run", "--native", "now", "--stats", "--fuel", "100000", "--invoke", "fib", path, "10")
    check(result.stdout == "55\n" and len(images(cache)) == 2, "with fuel it is other code")


# ---- the cache ----

def bad_caches(folder):
    cache = fresh(folder)
    path, other = folder / "a.wasm", folder / "b.wasm"
    path.write_bytes(module())
    other.write_bytes(module(7))

    def refused(what):
        out, code = invoke(path, "cached", "fib", 15)
        check(out == "610\n" and code.startswith("interpreter"), f"{what} is not used: {out!r} {code!r}")

    def good_again(what):
        out, code = invoke(path, "now", "fib", 15)
        check(out == "610\n" and code.startswith("native, compiled now"), f"{what} is replaced: {code!r}")
        _, code = invoke(path, "cached", "fib", 15)
        check(code.startswith("native, from the cache"), f"{what}: good again: {code!r}")

    invoke(path, "now", "fib", 15)
    image = images(cache)[0]
    good = image.read_bytes()
    for at in (0, 9, 41, 60, 140, 4096 + 40, 4096 + 45, len(good) - 1):
        image.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        refused(f"an image with a bit flipped at {at}")
    good_again("a flipped bit")
    for size in (0, 7, 39, 40, 100, len(good) // 2, len(good) - 1):
        image.write_bytes(good[:size])
        refused(f"an image cut to {size} bytes")
    good_again("a cut image")
    image.write_bytes(good + b"\0")
    refused("an image with a byte more")
    invoke(other, "now", "salt")
    foreign = [i for i in images(cache) if i != image][0]
    image.write_bytes(foreign.read_bytes())
    refused("another module's image")
    good_again("a foreign image")
    os.chmod(image, 0o666)
    refused("an image that others may write to")
    os.remove(image)
    image.symlink_to(foreign)
    refused("a link")
    os.remove(image)
    os.mkfifo(image)
    refused("a FIFO")
    os.remove(image)
    good_again("nothing")
    os.chmod(cache, 0o777)
    refused("a cache that others may write to")
    expect(0, "doctor", mentions=["others may write"])
    os.chmod(cache, 0o700)
    if os.geteuid() == 0:
        os.chown(cache, 65534, 65534)
        refused("a cache of someone else's")
        os.chown(cache, 0, 0)
    # The same files under another installation's key.
    good_again_code = invoke(path, "cached", "fib", 15)[1]
    check(good_again_code.startswith("native"), f"the cache is in order: {good_again_code!r}")
    environment["XDG_CONFIG_HOME"] = str(folder / "elsewhere")
    environment["XDG_STATE_HOME"] = str(folder / "elsewhere-state")
    refused("an image of another installation")
    environment["XDG_CACHE_HOME"] = "/proc/no/such"
    out, code = invoke(path, "now", "fib", 15)
    check(out == "610\n" and code.startswith("native, compiled now"), f"without a cache it works: {code!r}")


def at_once_and_killed(folder):
    cache = fresh(folder)
    path = folder / "a.wasm"
    path.write_bytes(module())
    command = [WISP, "run", "--native", "now", "--invoke", "fib", str(path), "15"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(3)]
    outputs = [p.communicate(timeout=300)[0] for p in both]
    check(outputs == [b"610\n"] * 3, f"several at once: {outputs}")
    check(len(images(cache)) == 1 and len(list(cache.iterdir())) == 1, f"one image: {list(cache.iterdir())}")
    for delay in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
        shutil.rmtree(cache)
        victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        time.sleep(delay)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        out, code = invoke(path, "now", "fib", 15)
        check(out == "610\n" and code.startswith("native"), f"after being killed: {code!r}")
    left = cache / "a.image.part-1-0123"
    left.write_bytes(b"half")
    os.utime(left, (time.time() - 7200, time.time() - 7200))
    young = cache / "a.image.part-2-0123"
    young.write_bytes(b"half")
    expect(0, "doctor")
    check(not left.exists() and young.exists(), "what was left half-written goes after an hour")


def tier_up(folder):
    fresh(folder)
    path = folder / "a.wasm"
    path.write_bytes(module())
    started = time.monotonic()
    out, code = invoke(path, "auto", "fib", 5)
    check(code.startswith("interpreter"), f"a short program ends in the interpreter: {code!r}")
    times = 2000
    while True:
        out, code = invoke(path, "auto", "repeat", 18, times)
        check(out == "2584\n", f"a long program: {out!r}")
        if code == "native, compiled now" or time.monotonic() - started > 120:
            break
        if code.startswith("native"):
            fresh(folder)
        times *= 3
    check(code == "native, compiled now", f"a long program moves to native code: {code!r}")
    out, code = invoke(path, "auto", "repeat", 18, 3)
    check(code == "native, from the cache", f"and the next one starts there: {code!r}")


# ---- in files ----

def in_files(folder):
    cache = fresh(folder)
    plain, fast, again = folder / "a.wasm", folder / "fast.wasm", folder / "again.wasm"
    plain.write_bytes(module())
    expect(0, "compile", plain, "-o", fast, "--target", ",".join(TARGETS), "--threads", 1, mentions=["4 functions"])
    data = fast.read_bytes()
    check(data.startswith(plain.read_bytes()), "what was there stays where it was")
    found = {name: data[start:end] for _, name, _, start, end in sections(data) if name.startswith("wisp.aot.")}
    check(sorted(found) == sorted("wisp.aot." + t for t in TARGETS), f"sections of all targets: {list(found)}")
    for number, target in enumerate(TARGETS, 1):
        image = found["wisp.aot." + target]
        check(image[:8] == b"WISPAOT\0" and image[12:16] == bytes([number, 0, 0, 0]), f"{target}: the header names it")
        check(int.from_bytes(image[64:72], "little") == len(image), f"{target}: the header knows its size")
    expect(0, "compile", fast, "-o", again, "-t", "x86-64-v2", "-t", "x86-64-v3", "-t", "x86-64-v4,aarch64",
           "--threads", 2)
    check(again.read_bytes() == data, "the same bytes whatever the threads, sections replaced")
    made = json.loads(expect(0, "compile", plain, "-o", again, "--target", "x86-64-v2,aarch64", "--json").stdout)
    check(made["output"] == str(again) and made["functions"] == 4 and
          [(t["name"], t["bytes"]) for t in made["targets"]] ==
          [(name, len(found["wisp.aot." + name])) for name in ("x86-64-v2", "aarch64")], f"compile --json: {made}")
    expect(0, "compile", plain, "-o", again)
    check(len([s for s in sections(again.read_bytes()) if s[1].startswith("wisp.aot.")]) == 1, "native: one target")
    for arguments, words in (((plain,), ["-o"]), ((plain, "-o", again, "-t", "vax"), ["vax", "x86-64-v3"]),
                             ((folder / "none.wasm", "-o", again), ["none.wasm"])):
        result = run("compile", *arguments)
        check(result.returncode != 0 and all(w in result.stderr for w in words), f"compile {arguments}: {result.stderr!r}")
    broken = folder / "broken.wasm"
    broken.write_bytes(plain.read_bytes()[:-3])
    result = run("compile", broken, "-o", again)
    check(result.returncode == 1 and "broken.wasm" in result.stderr, f"a broken module: {result.stderr!r}")
    trust(folder, fast)
    check(not images(cache), "nothing of this is in the cache")


def trust(folder, fast):
    signed = folder / "signed.wasm"

    def ignored(path, what):
        out, code = invoke(path, "cached", "fib", 15)
        check(out == "610\n" and code.startswith("interpreter"), f"{what}: not executed, and the program runs: {code!r}")

    ignored(fast, "code in an unsigned file")
    expect(0, "keygen", "-o", folder / "me")
    shutil.copy(fast, signed)
    expect(0, "sign", "--key", folder / "me.key", signed)
    ignored(signed, "code in a file signed by an unknown key")
    expect(0, "trust", "add", folder / "me.pub")
    out, code = invoke(signed, "cached", "fib", 15)
    check(out == "610\n" and code == "native, from the file", f"code in a file signed by a trusted key runs: {code!r}")
    ignored(fast, "the unsigned file, still")
    data = signed.read_bytes()
    for _, name, _, start, end in sections(data):
        for at in ((start + 4096, start + 4100, end - 1) if name.startswith("wisp.aot.") else ()):
            damaged = folder / "damaged.wasm"
            damaged.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])
            ignored(damaged, f"{name} with a bit flipped at {at}")
    result = run("compile", signed, "-o", folder / "x.wasm")
    check(result.returncode == 1 and "signed" in result.stderr, f"a signed file is not compiled: {result.stderr!r}")


def capsules(folder):
    fresh(folder)
    story, fast = folder / "story.wasm", folder / "fast-story.wasm"
    expect(0, "pack", SOURCE / "models" / "wisp-stories.gguf", "-o", story)
    generate = ("-p", "Once upon a time", "-n", 12, "--temp", 0, "--stats")
    texts = {}
    for native in ("off", "auto"):
        for device in ("cpu", "portable"):
            result = expect(0, "run", "--native", native, "--device", device, story, *generate)
            texts[result.stdout] = True
            words = "native, made with WISP" if native == "auto" and HAS_COMPILER else "interpreter"
            check(f"code: {words}" in result.stderr, f"{native}, {device}: {words}: {result.stderr!r}")
    check(len(texts) == 1, f"one text however it is made: {list(texts)}")
    if not HAS_COMPILER:
        return
    expect(0, "compile", story, "-o", fast, "-t", "x86-64-v3,aarch64")
    check(fast.read_bytes().startswith(story.read_bytes()), "the capsule stays where it was, its weights aligned")
    expect(0, "inspect", "--check", fast)
    check(run("run", fast, *generate).stdout in texts, "and gives the same text")
    expect(0, "sign", "--key", folder / "me.key", fast)
    expect(0, "verify", fast)
    check(run("run", fast, *generate).stdout in texts, "signed too")
    own_code(folder, story, generate, texts)
    data = fast.read_bytes()
    name = [s for s in sections(data) if s[1] == "wisp.aot.aarch64"][0]
    moved = folder / "moved.wasm"
    moved.write_bytes(story.read_bytes() + data[name[2]:name[4]] + b"\0\5\4none")
    result = run("run", moved, *generate)
    check(result.returncode == 1, "a section that nobody lists, behind native code, is refused")


def own_code(folder, story, generate, texts):
    """A capsule's own code counts where the library's does not fit: here, without address space for guard pages."""
    if os.environ.get("WISP_SANITIZED") == "yes":
        print("SKIP native code without guard pages: AddressSanitizer cannot start under ulimit -v")
        return
    def little_space():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    def code(path, native):
        result = expect(0, "run", "--native", native, path, *generate, preexec_fn=little_space)
        check(result.stdout in texts, f"one text, {native}: {result.stdout!r}")
        return re.search(r"^code: (.*)$", result.stderr, re.M).group(1)

    checked = folder / "checked-story.wasm"
    expect(0, "compile", story, "-o", checked, "--explicit-checks")
    check(code(checked, "cached").startswith("interpreter"), "an unsigned capsule's code is not executed")
    expect(0, "sign", "--key", folder / "me.key", checked)
    check(code(checked, "cached") == "native, from the file", "a signed capsule's code is")
    check(code(checked, "off") == "interpreter", "unless it is not wanted")
    check(code(story, "now") == "native, compiled now", "--native now is for capsules too")
    check(code(story, "cached") == "native, from the cache", "and the cache is")


# ---- without the compiler ----

def alone(folder):
    fresh(folder)
    path, wisp = folder / "a.wasm", folder / "bin" / "wisp"
    path.write_bytes(module())
    wisp.parent.mkdir()
    shutil.copy(WISP, wisp)
    for native in ("now", "auto", "cached", "off"):
        out, code = invoke(path, native, "fib", 15, wisp=wisp)
        check(out == "610\n" and code.startswith("interpreter"), f"without the compiler, {native}: {code!r}")
        if native in ("now", "auto"):
            check("not installed" in code and "on its way" not in code, f"without the compiler, {native}: {code!r}")
    expect(1, "compile", path, "-o", folder / "x.wasm", wisp=wisp, mentions=["(wisp-native)", "llvm-19-dev", "interpreter"])
    expect(0, "doctor", wisp=wisp, mentions=["not installed"])
    for linked in (WISP, LIBRARY):
        needed = subprocess.run(["ldd", linked], capture_output=True, text=True).stdout
        check("libc.so" in needed and "LLVM" not in needed, f"{linked} is not linked with LLVM: {needed}")


def progress(folder):
    """What `wisp compile` shows on a terminal while it works for longer than a second."""
    fresh(folder)
    path = folder / "many.wasm"
    turn = bytes.fromhex("2000 2001 6c 2000 41e507 6d 6a 2101 2001 4103 6f 0440 2000 2001 73 2100 0b".replace(" ", ""))
    body = b"\0" + turn * 40 + b"\x20\0\x0b"
    path.write_bytes(b"\0asm\1\0\0\0" + section(1, vector([b"\x60\2\x7f\x7f\1\x7f"])) +
                     section(3, vector([b"\0"] * 200)) + section(10, vector([leb(len(body)) + body] * 200)))
    ours, theirs = os.openpty()
    child = subprocess.Popen([WISP, "compile", path, "-o", folder / "out.wasm", "--target", ",".join(TARGETS)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # nobody holds the other end
        pass
    os.close(ours)
    check(child.wait() == 0, "many functions are compiled")
    check(b"compiling [" in shown and b" functions/s" in shown, f"progress counts functions: {shown[-200:]!r}")


# ---- the compiler as a process ----

def stand_in(folder, script):
    """A copy of `wisp` beside which something else is called wisp-native."""
    fresh(folder)
    wisp, child = folder / "stand" / "wisp", folder / "stand" / "wisp-native"
    wisp.parent.mkdir(exist_ok=True)
    if not wisp.exists():
        shutil.copy(WISP, wisp)
    child.unlink(missing_ok=True)
    child.write_text("#!/bin/sh\n" + script)
    child.chmod(0o755)
    return wisp


def crashing(root):
    """Whatever happens to the compiler does not happen to `wisp`."""
    path, out = root / "a.wasm", root / "compiled.wasm"
    path.write_bytes(module())
    ends = (("kill -SEGV $$", ["signal 11", "Segmentation fault", "report"]),
            ("exit 3", ["status 3", "this build"]),
            ("exit 127", ["libllvm19"]),
            ("kill -XCPU $$", ["processor time"]),
            ("cat >/dev/null; echo this is no answer at all", ["this build"]),
            ("printf '\\002\\0\\0\\0\\377\\0\\0\\0\\0\\0\\0\\0half of it'", ["before it was done"]),
            ("printf '\\002\\0\\0\\0\\4\\0\\0\\0\\0\\0\\0\\0none'", ["native"]))
    for script, words in ends:
        wisp = stand_in(root, script)
        # Whatever cannot be started counts as a compiler that is not installed: `now` is then the interpreter, too.
        missing = "127" in script
        result = run("run", "--native", "now", "--stats", "--invoke", "fib", path, "15", wisp=wisp)
        check(result.returncode == (0 if missing else 1), f"now, {script}: {result.returncode}, {result.stderr!r}")
        check(all(w in result.stderr for w in words), f"now, {script}: says why: {result.stderr!r}")
        check(result.stdout == ("610\n" if missing else ""), f"now, {script}: {result.stdout!r}")
        result = run("run", "--native", "auto", "--stats", "--invoke", "repeat", path, "18", "6000", wisp=wisp)
        check(result.returncode == 0 and result.stdout == "2584\n", f"auto, {script}: {result.returncode} {result.stderr!r}")
        check("code: interpreter (" in result.stderr and all(w in result.stderr for w in words),
              f"auto, {script}: the interpreter, and why: {result.stderr!r}")
        expect(1, "compile", path, "-o", out, wisp=wisp, mentions=[*words, "a.wasm"])
        check(not out.exists(), f"compile, {script}: no file")


def descriptors(root):
    """The compiler has its two streams, and /dev/null: nothing that this process has open."""
    seen = root / "seen"
    wisp = stand_in(root, f"ls -l /proc/$$/fd > {seen}\n")
    with open(root / "secret", "w") as secret:
        run("run", "--native", "now", "--invoke", "fib", root / "a.wasm", "15", wisp=wisp, pass_fds=[secret.fileno()])
    links = [line.split(" -> ") for line in seen.read_text().splitlines() if " -> " in line]
    open_files = {left.split()[-1]: to for left, to in links}
    check("secret" not in seen.read_text() and "a.wasm" not in seen.read_text(), f"nothing of ours: {open_files}")
    check(open_files.get("0", "").startswith("socket:") and open_files.get("2") == "/dev/null", f"streams: {open_files}")
    check(all(to in (open_files.get("0"), "/dev/null", str(seen)) or to.endswith("/wisp-native") for to in open_files.values()),
          f"nothing else: {open_files}")


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def cancelled(root):
    """Ctrl-C and deadlines end a compilation, wherever it is."""
    path, out, pid_file = root / "a.wasm", root / "compiled.wasm", root / "pid"
    slow = f"echo $$ > {pid_file}\nexec sleep 100\n"
    deaf = f"echo $$ > {pid_file}\ncat > /dev/null\nwhile :; do :; done\n"
    for script in (slow, deaf):
        for command, signals in ((("run", "--native", "now", "--invoke", "fib", path, 15), True),
                                 (("compile", path, "-o", out), True),
                                 (("compile", path, "-o", out, "-t", ",".join(TARGETS)), True),
                                 (("run", "--native", "now", "--deadline", "200ms", "--invoke", "fib", path, 15), False)):
            wisp = stand_in(root, script)
            pid_file.unlink(missing_ok=True)
            victim = subprocess.Popen([str(wisp), *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True, env=environment)
            while not (pid_file.exists() and pid_file.read_text().endswith("\n")):
                time.sleep(0.01)
            started = time.monotonic()
            if signals:
                victim.send_signal(signal.SIGINT)
            error = victim.communicate(timeout=60)[1]
            took, status = time.monotonic() - started, victim.returncode
            check(status == (130 if signals else 134) and took < 5, f"{command[0]}: exit {status} after {took:.2f} s: {error!r}")
            check(signals or "deadline" in error, f"a deadline: {error!r}")
            for _ in range(200):
                if not is_alive(pid_file.read_text().strip()):
                    break
                time.sleep(0.01)
            check(not is_alive(pid_file.read_text().strip()), f"{command[0]}: the compiler is gone")
            check(not out.exists(), f"{command[0]}: no file")


class EngineOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("native", ctypes.c_int), ("instances", ctypes.c_uint32)]


class Report(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 512)]


class Embedder:
    """The library in this process, with a stand-in for the compiler beside it."""

    def __init__(self, folder, script, native):
        stand_in(folder, script)
        path = folder / "stand" / "libwisp.so"
        if not path.exists():
            shutil.copy(LIBRARY, path)
        for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[variable] = environment[variable]
        self.lib = ctypes.CDLL(str(path))
        self.lib.wisp_instance_code.restype = ctypes.c_char_p
        self.report = Report()
        self.engine = ctypes.c_void_p()
        options = EngineOptions(ctypes.sizeof(EngineOptions), native, 0)
        self.must(self.lib.wisp_engine_new(ctypes.byref(self.engine), ctypes.byref(options), ctypes.byref(self.report)))

    def must(self, status):
        if status:
            raise RuntimeError(self.report.text.decode())

    def module(self, data):
        result = ctypes.c_void_p()
        self.must(self.lib.wisp_module_new(ctypes.byref(result), self.engine, data, ctypes.c_size_t(len(data)),
                                           ctypes.byref(self.report)))
        return result

    def instance(self, of):
        result = ctypes.c_void_p()
        self.must(self.lib.wisp_instance_new(ctypes.byref(result), of, None, ctypes.byref(self.report)))
        return result

    def repeat(self, instance, n, times):
        report, result = Report(), ctypes.c_int32()
        status = self.lib.wisp_call(instance, ctypes.byref(report), b"repeat", b"(ii)i", ctypes.c_int32(n),
                                    ctypes.c_int32(times), ctypes.byref(result))
        return status, result.value, report.text.decode()

    def code(self, instance):
        return self.lib.wisp_instance_code(instance).decode()

    def close(self, modules, instances):
        for instance in instances:
            self.lib.wisp_instance_free(instance)
        for one in modules:
            self.lib.wisp_module_free(one)
        self.lib.wisp_engine_free(self.engine)


def embedded(root):
    if os.environ.get("WISP_SANITIZED") == "yes":
        print("SKIP the library in this process: a sanitized one cannot be loaded here")
        return
    log = root / "started"
    real = pathlib.Path(WISP).resolve().parent / "wisp-native"
    count_script = f"echo one >> {log}\nsleep 0.3\nexec {real}\n"
    for native, kind in ((2, "in the background"), (3, "first")):
        log.unlink(missing_ok=True)
        shared(root, native, kind, count_script, log)
    refused_once(root, log)
    interrupted(root)


def shared(root, native, kind, script, log):
    """However many instances want a module's code at once, of one handle or of several: one compilation."""
    e = Embedder(root, script, native)
    modules = [e.module(module()) for _ in range(2)]
    instances = [e.instance(m) for m in modules for _ in range(3)]
    answers = []

    def work(instance):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            answers.append(e.repeat(instance, 18, 300)[:2])
            if e.code(instance).startswith("native"):
                break

    threads = [threading.Thread(target=work, args=(i,)) for i in instances]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(set(answers) == {(0, 2584)}, f"{kind}: the same results: {set(answers)}")
    codes = [e.code(i) for i in instances]
    check(all(c.startswith("native") for c in codes), f"{kind}: all have native code: {codes}")
    started = log.read_text().split()
    check(len(started) == 1, f"{kind}: one compilation for six instances: {len(started)}")
    e.close(modules, instances)


def refused_once(root, log):
    """A module that the compiler cannot compile is not tried with every instance."""
    log.unlink(missing_ok=True)
    e = Embedder(root, f"echo one >> {log}\nkill -ABRT $$\n", 2)
    one = e.module(module())
    instances = []
    for _ in range(3):
        instances.append(e.instance(one))
        until = time.monotonic() + 60
        while time.monotonic() < until and "crashed" not in e.code(instances[-1]):
            check(e.repeat(instances[-1], 18, 300)[:2] == (0, 2584), "the interpreter goes on")
    codes = [e.code(i) for i in instances]
    check(all(c.startswith("interpreter (") and "crashed" in c for c in codes), f"refused: {codes}")
    check(len(log.read_text().split()) == 1, f"refused once: {log.read_text().split()}")
    e.close([one], instances)


def interrupted(root):
    e = Embedder(root, "exec sleep 100\n", 3)
    one = e.module(module())
    instance = e.instance(one)
    for _ in range(2):
        timer = threading.Timer(0.3, e.lib.wisp_instance_interrupt, (instance,))
        started = time.monotonic()
        timer.start()
        status, _, text = e.repeat(instance, 5, 1)
        took = time.monotonic() - started - 0.3
        timer.join()
        check(status == CANCELLED and took < 2, f"interrupted: {status} {text!r} after {took:.3f} s")
        e.lib.wisp_instance_resume(instance)
    (root / "stand" / "wisp-native").write_text("#!/bin/sh\nkill -SEGV $$\n")
    status, _, text = e.repeat(instance, 5, 1)
    check(status != 0 and "crashed" in text, f"tried again after that: {status} {text!r}")
    e.close([one], [instance])


def without_memory(root):
    """Native code is interrupted by a fault, also where no memory has made anybody prepare for faults."""
    fresh(root / "without")
    path = root / "loop.wasm"
    body = bytes([0, 3, 0x40, 0x0c, 0, 0x0b, 0x0b])
    path.write_bytes(b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0") + section(3, b"\1\0")
                     + section(7, b"\1\6_start\0\0") + section(10, vector([leb(len(body)) + body])))
    expect(134, "run", "--native", "now", "--deadline", "300ms", path, mentions=["deadline"])


with tempfile.TemporaryDirectory() as name:
    root = pathlib.Path(name)
    parts = [alone, capsules]
    if HAS_COMPILER:
        parts = [equality, without_memory, crashing, descriptors, cancelled, embedded, progress, bad_caches, at_once_and_killed, tier_up, in_files, capsules, alone]
    else:
        print("SKIP native code compiled here: the build has no LLVM 19")
    for part in parts:
        part(root)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
