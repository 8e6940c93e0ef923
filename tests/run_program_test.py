#!/usr/bin/env python3
"""`wisp run` and `wisp inspect` of plain modules: streams, arguments, environment, folders, exit statuses, call stacks,
limits, interrupts, bad files. run_program_test.py WISP"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

WISP = sys.argv[1]
GUEST = os.environ["WISP_WASI_GUEST"]
API_GUEST = os.environ["WISP_API_GUEST"]

passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def run(*args, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    if "input" in more:
        del more["stdin"]
    return subprocess.run([WISP, *map(str, args)], capture_output=True, text=True, timeout=120, **more)


def expect(status, *args, out=None, mentions=(), **more):
    result = run(*args, **more)
    what = "wisp " + " ".join(map(str, args))
    check(result.returncode == status, f"`{what}` exits {result.returncode}, not {status}: {result.stderr[-500:]}")
    if out is not None:
        check(result.stdout == out, f"`{what}` prints {result.stdout!r}, not {out!r}")
    for word in mentions:
        check(word in result.stderr, f"`{what}` mentions {word!r}: {result.stderr!r}")
    return result


def streams():
    expect(0, "run", GUEST, out="hello, world\n")
    expect(0, "run", GUEST, "cat", input="one\ntwo", out="one\ntwo")
    both = expect(0, "run", GUEST, "both", out="to stdout\n")
    check(both.stderr == "to stderr\n", f"standard error passes through: {both.stderr!r}")
    expect(0, "run", GUEST, "args", "--help", "-x", "--", "--fuel", "1",
           out="0: wasi_guest.wasm\n1: args\n2: --help\n3: -x\n4: --\n5: --fuel\n6: 1\n")
    expect(0, "run", "--", GUEST, "args", out="0: wasi_guest.wasm\n1: args\n")


def grants(folder):
    (folder / "in.txt").write_text("from outside\n")
    expect(3, "run", GUEST, "read", folder / "in.txt", out=f"{folder}/in.txt: Capabilities insufficient\n")
    expect(0, "run", "--dir", folder, GUEST, "read", folder / "in.txt", out="from outside\n")
    expect(0, "run", "--dir", f"{folder}:/data", GUEST, "read", "/data/in.txt", out="from outside\n")
    expect(0, "run", "--dir", f"{folder}:/data:ro", GUEST, "read", "/data/in.txt", out="from outside\n")
    expect(3, "run", "--dir", f"{folder}:/data:ro", GUEST, "write", "/data/out.txt")
    expect(3, "run", "--dir", f"{folder}:ro", GUEST, "write", folder / "out.txt")
    check(not (folder / "out.txt").exists(), "nothing is written to a read-only folder")
    expect(3, "run", "--dir", f"{folder}:/data", GUEST, "read", "/data/../../etc/passwd")
    expect(0, "run", "--dir", f"{folder}:/a:ro", "--dir", f"{folder}:/b", GUEST, "write", "/b/out.txt")
    check((folder / "out.txt").read_text() == "written inside\n", "a folder granted can be written")
    expect(1, "run", "--dir", folder / "nothing", GUEST, mentions=["nothing", "No such file"])
    for bad in (":", ":/x", "/x:", ""):
        expect(2, "run", "--dir", bad, GUEST, mentions=["--dir"])
    expect(0, "run", GUEST, "env", "HOME", out="unset\n", env={"HOME": "/root"})
    expect(0, "run", "--env", "A=b=c", GUEST, "env", "A", out="b=c\n")
    expect(0, "run", "--env", "A=", "--env", "B=2", GUEST, "env", "B", out="2\n")
    expect(0, "run", "--env", "HERE", GUEST, "env", "HERE", out="yes\n", env={"HERE": "yes"})
    expect(2, "run", "--env", "NOT_HERE", GUEST, mentions=["NOT_HERE"], env={})
    for bad in ("", "=x"):
        expect(2, "run", "--env", bad, GUEST, mentions=["--env"])


def endings():
    for code in (0, 1, 2, 17, 125):
        expect(code, "run", GUEST, "exit", code, out="")
    expect(125, "run", GUEST, "exit", 126, mentions=["exited with 126"])
    expect(125, "run", GUEST, "exit", -1, mentions=["exited with 4294967295"])
    trap = expect(134, "run", GUEST, "trap").stderr.splitlines()
    check(trap[0] == "wisp: wasi_guest.wasm trapped: integer divide by zero", f"a trap's reason: {trap}")
    for number, name in enumerate(("divide", "middle")):
        check(re.fullmatch(rf"  #{number} {name} at wasi_guest\.wasm:0x[0-9a-f]+", trap[1 + number]), f"a frame: {trap}")
    check(re.match(r"  #\d+ _start", trap[-1]), f"the outermost frame: {trap}")
    if os.environ["WISP_NATIVE"] == "yes":
        names = lambda lines: [re.sub(r" at .*", "", line) for line in lines]
        native = expect(134, "run", "--native", "now", GUEST, "trap").stderr.splitlines()
        check(names(native) == names(trap), f"native code's call stack: {native}")
    expect(134, "run", GUEST, "abort", mentions=["unreachable"])


def limits():
    expect(134, "run", "--fuel", 100000, GUEST, "loop", mentions=["fuel of 100000", "--fuel", "#0 main"])
    expect(0, "run", "--fuel", 10000000, GUEST, out="hello, world\n")
    begin = time.monotonic()
    expect(134, "run", "--deadline", "300ms", GUEST, "loop", mentions=["deadline of 300 ms", "--deadline"])
    expect(134, "run", "--deadline", "300ms", GUEST, "sleep", 60, mentions=["deadline"])
    check(0.6 <= time.monotonic() - begin < 10, "a deadline ends loops and sleep in time")
    expect(0, "run", "--deadline", "1h", GUEST, out="hello, world\n")
    expect(1, "run", "--mem-limit", "64K", GUEST, mentions=["--mem-limit", "limit is 1"])
    expect(5, "run", "--mem-limit", "1M", GUEST, "memory", 8 << 20, out="no memory\n")
    expect(0, "run", "--mem-limit", "16M", GUEST, "memory", 8 << 20, out=f"{8 << 20} bytes\n")
    for option, values in (("--fuel", ("0", "-1", "x", "")), ("--deadline", ("10", "0s", "-1s", "1.5s", "s", "", "10 s")),
                           ("--mem-limit", ("0", "1", "x", "-1M", "16Q", "99999999999G"))):
        for value in values:
            expect(2, "run", option, value, GUEST, mentions=[option])


def interrupt(options, argument, number, wait, environment=None):
    """Seconds from the signal to the end."""
    process = subprocess.Popen([WISP, "run", *options, GUEST, *argument], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    time.sleep(wait)
    begin = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=60)
    spent = time.monotonic() - begin
    errors = process.communicate()[1]
    what = f"{options} {argument}, {number} after {wait} s"
    check(process.returncode == 130, f"{what}: exit {process.returncode}, {errors!r}")
    check(spent < 1, f"{what}: ends after {spent:.3f} s")
    check(errors == b"", f"{what}: says nothing: {errors!r}")
    return spent


def interrupts():
    """In the interpreter, while a compiler runs beside it, and in native code."""
    for argument in (["sleep", "60"], ["cat"]):
        for number in (signal.SIGINT, signal.SIGTERM):
            interrupt([], argument, number, 0.3)
    for native in ("off", "auto", "now"):
        with tempfile.TemporaryDirectory() as cache:  # others need the interpreter's call stacks
            interrupt_loops(native, os.environ | {"XDG_CACHE_HOME": cache})


def interrupt_loops(native, environment):
    loop = [WISP, "run", "--native", native]
    if native == "now":  # compiles here, and not below
        subprocess.run([*loop, GUEST], check=True, env=environment, stdout=subprocess.DEVNULL)
    spent = sorted(interrupt(loop[2:], ["loop"], number, wait, environment)
                   for number in (signal.SIGINT, signal.SIGTERM) for wait in (0.2, 0.5))
    print(f"--native {native}: a signal ends an endless loop after {spent[0] * 1e3:.1f} to {spent[-1] * 1e3:.1f} ms")
    begin = time.monotonic()
    ended = subprocess.run([*loop, "--deadline", "300ms", GUEST, "loop"], env=environment, stderr=subprocess.DEVNULL)
    spent = time.monotonic() - begin
    check(ended.returncode == 134 and spent < 5, f"--native {native}: a deadline: {ended.returncode} after {spent:.3f} s")
    print(f"--native {native}: start to end with a deadline of 300 ms: {spent * 1e3:.1f} ms")


def invoking():
    expect(1, "run", API_GUEST, mentions=["api_guest.wasm", "env"])  # nothing offers its imports
    expect(1, "run", "--invoke", "nothing", GUEST, mentions=["exports no function nothing"])
    expect(2, "run", "--invoke", "_start", GUEST, "1", mentions=["takes 0 arguments"])
    expect(0, "run", "--invoke", "_start", GUEST, out="hello, world\n")


def invoking_numbers(folder):
    """A module with (iI)Ii, which swaps, and (fF)Ff, likewise."""
    code = bytes([6, 0, 0x20, 1, 0x20, 0, 0x0b])
    body = (b"\0asm\1\0\0\0" + bytes([1, 15, 2, 0x60, 2, 0x7f, 0x7e, 2, 0x7e, 0x7f, 0x60, 2, 0x7d, 0x7c, 2, 0x7c, 0x7d])
            + bytes([3, 3, 2, 0, 1]) + bytes([7, 9, 2, 1]) + b"i\0\0" + bytes([1]) + b"f\0\1"
            + bytes([10, 15, 2]) + code + code)
    path = folder / "swap.wasm"
    path.write_bytes(body)
    expect(0, "run", "--invoke", "i", path, "-1", "0x10", out="16\n-1\n")
    expect(0, "run", "--invoke", "i", path, "4294967295", "-9223372036854775808", out="-9223372036854775808\n-1\n")
    expect(0, "run", "--invoke", "f", path, "0.1", "0.1", out="0.10000000000000001\n0.100000001\n")
    for wrong in (("4294967296", "1"), ("-2147483649", "1"), ("1", "18446744073709551616"), ("x", "1"), ("1", "")):
        expect(2, "run", "--invoke", "i", path, *wrong, mentions=["is not of type"])
    expect(2, "run", "--invoke", "i", path, "1", mentions=["takes 2 arguments"])
    expect(1, "run", path, mentions=["swap.wasm", "_start"])
    listing = run("inspect", path).stdout
    check("(fF)Ff" in listing and "imports         0" in listing, f"inspect lists exports: {listing!r}")
    document = json.loads(run("inspect", "--json", path).stdout)
    check(document["exports"][0] == {"kind": "function", "name": "i", "type": "(iI)Ii"}, f"inspect --json: {document}")
    expect(2, "inspect", "--check", path, mentions=["--check"])


def throwing(folder):
    """_start throws; e, too, and x calls proc_exit(200)."""
    wasi = b"\x16wasi_snapshot_preview1\x09proc_exit\0\1"
    module = (b"\0asm\1\0\0\0" + bytes([1, 8, 2, 0x60, 0, 0, 0x60, 1, 0x7f, 0]) + bytes([2, len(wasi) + 1, 1]) + wasi
              + bytes([3, 3, 2, 0, 0]) + bytes([13, 3, 1, 0, 0]) + bytes([7, 18, 3]) + b"\6_start\0\1\1e\0\1\1x\0\2"
              + bytes([10, 14, 2, 4, 0, 8, 0, 0x0b, 7, 0, 0x41, 0xc8, 1, 0x10, 0, 0x0b]))
    path = folder / "throw.wasm"
    path.write_bytes(module)
    for call in ([path], ["--invoke", "e", path]):
        expect(134, "run", *call, mentions=["throw.wasm threw an exception", "#0 function 1 at throw.wasm:0x"])
    expect(125, "run", "--invoke", "x", path, mentions=["exited with 200"])


def inspecting_many_exports(folder):
    """Takes time linear in the file; it once took hours."""
    def leb(n):
        return bytes([n & 0x7f | 0x80]) + leb(n >> 7) if n > 0x7f else bytes([n])

    count = 900000
    exports = leb(count) + b"".join(b"\7%07d\0\0" % i for i in range(count))
    path = folder / "exports.wasm"
    path.write_bytes(b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\7" + leb(len(exports)) + exports + b"\x0a\4\1\2\0\x0b")
    document = json.loads(run("inspect", "--json", path).stdout)
    check(len(document["exports"]) == count, "inspect --json of 900,000 exports")


def with_import(module, name):
    def text(s):
        return bytes([len(s.encode())]) + s.encode()
    content = b"\1" + text(module) + text(name) + b"\0\0"
    return (b"\0asm\1\0\0\0\1\4\1\x60\0\0" + bytes([2, len(content)]) + content)


def bad_files(folder):
    path = folder / "bad.wasm"
    good = pathlib.Path(GUEST).read_bytes()

    def refused(data, *words):
        path.write_bytes(data)
        for command in (["run", path], ["run", "--fuel", "9", path], ["inspect", path]):
            result = expect(1, *command, mentions=["bad.wasm", *words])
            check(len(result.stderr.splitlines()) == 1, f"one line: {result.stderr!r}")
    refused(b"")
    refused(b"just text\n", "WebAssembly")
    for size in (4, 7, 9, 100, len(good) // 2):
        refused(good[:size])
    refused(good[:8] + b"\1\x7f" + good[10:])
    refused(b"\0asm\x0d\0\1\0" + bytes(20), "component")
    path.unlink()
    expect(1, "run", path, mentions=["bad.wasm", "No such file"])
    expect(1, "run", folder, mentions=[str(folder)])
    expect(1, "run", "--fuel", "9", folder, mentions=[str(folder)])
    for module, name, words in (("env", "magic", ['"env" "magic" ()', "there is: wasi_snapshot_preview1"]),
                                ("wasi_snapshot_preview1", "sock_fly", ["sock_fly", "no such function"]),
                                ("wasi_snapshot_preview1", "fd_write", ["as (), but what is offered is (iiii)i"]),
                                ("wasi_unstable", "fd_write", ["before preview 1"]),
                                ("wasi:cli/exit@0.2.0", "exit", ["preview 2"]),
                                ("env", "\x1b[31m", ["?[31m"]),
                                ("env", "a\u202eb\u200bc\u00a9", ["a\\u{202e}b\\u{200b}c\u00a9"])):
        path.write_bytes(with_import(module, name))
        expect(1, "run", path, mentions=["bad.wasm", *words])
    path.write_bytes(with_import("env", "a\u202eb"))
    shown = expect(0, "inspect", path).stdout
    check("a\\u{202e}b" in shown and "\u202e" not in shown, f"no hidden mark reaches the terminal: {shown!r}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(folder):
    """Connections only from where --tcplisten says; the sockets come after the folders."""
    expect(7, "run", GUEST, "serve", "3", out="accept: Bad file descriptor\n")
    for folders in ([], ["--dir", folder]):
        port = free_port()
        process = subprocess.Popen([WISP, "run", *folders, "--tcplisten", f"127.0.0.1:{port}", GUEST, "serve",
                                    str(3 + len(folders) // 2)], stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        with client:
            client.sendall(b"shout")
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(100)
        out, _ = process.communicate(timeout=60)
        check(answer == b"SHOUT" and process.returncode == 0 and out == "5 bytes\n",
              f"a connection: {answer!r} {process.returncode} {out!r}")
    for bad in ("8080", ":8080", "localhost:8080", "127.0.0.1:", "::1:80", "[::1:80", "127.0.0.1:99999", "127.0.0.1:http"):
        expect(2, "run", "--tcplisten", bad, GUEST, mentions=["ADDRESS:PORT", bad])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        expect(1, "run", "--tcplisten", f"127.0.0.1:{taken.getsockname()[1]}", GUEST, mentions=["Address already in use"])


def misuse():
    expect(2, "run", "-p", "x", GUEST, mentions=["--prompt", "is a program"])
    expect(2, "run", "--threads", "2", GUEST, mentions=["--threads"])
    expect(0, "run", "--native", "off", GUEST, out="hello, world\n")
    expect(2, "run", "--native", "off", "--temp", "0", GUEST, mentions=["--temp"])
    expect(0, "run", "--help", GUEST)
    model = pathlib.Path(os.environ["WISP_SOURCE"]) / "models" / "wisp-stories.gguf"
    expect(2, "run", model, "-p", "x", "--dir", ".", mentions=["--dir", "is a model"])
    expect(2, "run", model, "too", "many", mentions=["'too'"])
    expect(0, "run", model, "--help")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        streams()
        grants(folder)
        endings()
        limits()
        interrupts()
        invoking()
        invoking_numbers(folder)
        throwing(folder)
        inspecting_many_exports(folder)
        bad_files(folder)
        listening(folder)
        misuse()
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
