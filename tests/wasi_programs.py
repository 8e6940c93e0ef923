#!/usr/bin/env python3
"""Our own WASI programs (tests/wasi), each in a tree made for it: wasi_programs.py RUNNER FOLDER_OF_WASM [NAME...].

What touches paths runs twice, with openat2 and with the walk that stands in for it. After every program the files beside
the granted directory must be as they were."""
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

RUNNER, WASM, ONLY = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
SLOW = 20 if os.environ.get("WISP_SANITIZED") == "yes" else 1
WAYS = (("openat2", []), ("walk", ["--walk"]))


class Failure(Exception):
    pass


CHILDREN = []


def too_late(signum, frame):
    for child in CHILDREN:
        child.kill()
    raise Failure("it hangs")


def require(condition, message):
    if not condition:
        raise Failure(message)


class Tree:
    """base/root is granted; base/secret and base/outside must stay as they are, and base must gain nothing."""

    def __init__(self, base):
        self.base, self.root = pathlib.Path(base), pathlib.Path(base, "root")
        self.root.mkdir()
        (self.base / "outside").mkdir()
        (self.base / "secret").write_text("a secret")
        (self.base / "outside" / "secret").write_text("another secret")
        for path in (self.base / "secret", self.base / "outside" / "secret"):
            os.utime(path, ns=(1, 10**18))
        self.before = self.state()

    def state(self):
        found = {}
        for path in [self.base / "secret", *sorted((self.base / "outside").rglob("*"))]:
            info = path.lstat()
            text = path.read_text() if path.is_file() else None
            os.utime(path, ns=(1, 10**18))
            found[str(path)] = (info.st_ino, info.st_nlink, info.st_size, info.st_mode, info.st_mtime_ns, info.st_atime_ns,
                                text)
        return found, sorted(path.name for path in self.base.iterdir())

    def check(self):
        after = self.state()
        require(after == self.before, f"the outside has changed: {self.before} became {after}")


def run(name, *arguments, options=(), stdin=b"", code=0, **more):
    command = [RUNNER, *options, WASM / f"{name}.wasm", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60 * SLOW, **more)
    require(done.returncode == code, f"exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done


def start(name, *arguments, options=(), **more):
    command = [RUNNER, *options, WASM / f"{name}.wasm", *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    CHILDREN.append(child)
    return child


def finish(process):
    out, error = process.communicate(timeout=60 * SLOW)
    require(process.returncode == 0, f"exit code {process.returncode}: {error.decode(errors='replace').strip()}")
    return out


def granted(tree, way, mode=""):
    return [*way, "--dir", f"{tree.root}::/{mode}"]


# ---- one function a program; `way` is empty where paths do not matter ----

def files(tree, way):
    run("files", options=granted(tree, way))


def directories(tree, way):
    run("directories", options=granted(tree, way))


def links(tree, way):
    run("links", options=granted(tree, way))


def hostile(tree, way):
    run("hostile", options=granted(tree, way))


def escapes(tree, way):
    (tree.root / "d").mkdir()
    (tree.root / "d" / "f").write_text("inside")
    for name, target in {
        "absolute": tree.base / "outside", "absolute_file": tree.base / "secret", "relative": "../outside",
        "relative_file": "../secret", "chain1": "chain2", "chain2": "d/up/chain3", "chain3": "../outside",
        "chain_file": "chain1/secret", "d/up": "..", "self": ".", "root_link": "/", "proc_cwd": "/proc/self/cwd",
        "back": "../root",
    }.items():
        (tree.root / name).symlink_to(target)
    before = sorted(str(path) for path in tree.root.rglob("*"))
    run("escapes", options=granted(tree, way))
    require(before == sorted(str(path) for path in tree.root.rglob("*")), "something was made or moved inside")


def readonly(tree, way):
    (tree.root / "d").mkdir()
    (tree.root / "f").write_text("kept")
    writable = tree.base / "root" / ".." / "outside"  # any other directory
    os.utime(tree.root / "f", ns=(1, 1))
    run("readonly", options=[*granted(tree, way, "::ro"), "--dir", f"{writable}::/w"])
    require(sorted(os.listdir(tree.root)) == ["d", "f"] and os.listdir(tree.root / "d") == [], "something was made")
    require((tree.root / "f").stat().st_mtime_ns == 1, "a time was set")
    (writable / "w").unlink()


def clocks(tree, way):
    process = start("clocks", options=granted(tree, way))
    require(process.stdout.readline() == b"close it\n", "no sign of life")
    time.sleep(0.05)
    finish(process)  # closes standard input


def receive_all(connection, size):
    parts = []
    while size and (part := connection.recv(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def sockets(tree, way):
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = start("sockets", options=["--listen", str(server.fileno())], pass_fds=[server.fileno()])
        require(process.stdout.readline() == b"listening\n", "no sign of life")
        address = server.getsockname()
    with socket.create_connection(address) as client:
        client.sendall(b"hello ")
        time.sleep(0.03)
        client.sendall(b"again!")
        require(receive_all(client, 15) == b"answer and more", "not the answer")
        client.sendall(b"bye")
        require(client.recv(10) == b"", "more than the answer")
    with socket.create_connection(address) as client:
        sent = int(process.stdout.readline())
        require(sent > 0 and len(receive_all(client, sent)) == sent, "not all that was sent")
        client.sendall(b"ok")
    finish(process)


def process(tree, way):
    out = run("process", "print", "two words", "", options=["--env", "A=1", "--env", "B=a=b\nc"]).stdout.decode()
    lines = ["[print]", "[two words]", "[]"]
    for number, line in enumerate(lines, 1):
        require(f"argument {number}: {line}\n" in out, out)
    require("environment: [A=1]\nenvironment: [B=a=b\nc]\n" in out and out.count("environment") == 2, out)
    os.environ["NOT_GRANTED"] = "1"
    run("process", "nothing")
    for code in (0, 1, 42, 255):
        run("process", "exit", str(code), code=code)
    run("process", "raise", code=128 + 15)
    done = run("process", "trap", code=124)
    require(b"unreachable" in done.stderr, done.stderr)
    run("process", "many", options=[*granted(tree, []), "--files", "12"])
    done = run("process", "streams", stdin=b"input")
    require((done.stdout, done.stderr) == (b"out", b"err"), f"{done.stdout} {done.stderr}")
    child = start("process", "closed")
    child.stdout.close()
    child.stdin.write(b"x")
    child.stdin.close()
    require((child.stderr.read(), child.wait(60)) == (b"alive", 0), "a closed pipe ended the host")
    child.stderr.close()


def waiting(tree, way):
    """Every kind of waiting ends soon after the interruption: the best of three within 10 ms."""
    os.mkfifo(tree.root / "pipe")
    for what in ("sleep", "poll", "read", "write", "accept", "receive", "pipe", "random", "yield"):
        best = None
        for _ in range(3):
            with socket.create_server(("127.0.0.1", 0)) as server:
                child = start("waiting", what, pass_fds=[server.fileno()],
                              options=[*granted(tree, []), "--interrupt", "50", "--listen", str(server.fileno())])
                with socket.create_connection(server.getsockname()) if what == "receive" else server:
                    out = child.stderr.read()
                    code = child.wait(60)
            for pipe in (child.stdin, child.stdout, child.stderr):
                pipe.close()
            require(code == 125, f"{what}: exit code {code}: {out.decode(errors='replace')}")
            best = min(best or int(out), int(out))
        require(best <= 10000 * SLOW, f"{what}: ended {best} us after the interruption")
        print(f"  {what}: ended {best} us after the interruption")


def race(tree, way):
    """root/swap is a directory and, as often, a link to the outside."""
    (tree.root / "swap").mkdir()
    (tree.root / "swap" / "f").write_text("inside")
    (tree.root / "other").symlink_to(tree.base / "outside")
    # what the guest may try to write, read or remove
    (tree.base / "outside" / "f").write_text("outside")
    os.utime(tree.base / "outside" / "f", ns=(1, 10**18))
    tree.before = tree.state()
    libc, stop, exchange = ctypes.CDLL(None, use_errno=True), threading.Event(), 2
    names = [os.fsencode(tree.root / name) for name in ("swap", "other")]
    exchanges = 0

    def swap():
        nonlocal exchanges
        while not stop.is_set():
            require(libc.renameat2(-100, names[0], -100, names[1], exchange) == 0, "renameat2")
            exchanges += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        out = run("race", "1500", options=granted(tree, way)).stdout.decode().strip()
    finally:
        stop.set()
        thread.join()
    print(f"  race: {exchanges} exchanges, {out}")
    require("0 inside" != out.split(",")[0] and ", 0 refused" not in out, f"no race: {out}")
    require(not (tree.root / "stolen").exists(), "a link to the outside was made")


TESTS = {files: True, directories: True, links: True, escapes: True, readonly: True, hostile: True, clocks: False,
         sockets: False, process: False, waiting: False, race: True}


def main():
    failed = 0
    signal.signal(signal.SIGALRM, too_late)
    for test, twice in TESTS.items():
        if ONLY and test.__name__ not in ONLY:
            continue
        for name, way in WAYS if twice else WAYS[:1]:
            with tempfile.TemporaryDirectory() as base:
                tree = Tree(base)
                signal.alarm(90 * SLOW)
                try:
                    test(tree, way)
                    tree.check()
                    print(f"ok {test.__name__} ({name})")
                except Failure as failure:
                    failed += 1
                    print(f"FAILED {test.__name__} ({name}): {failure}")
    return 1 if failed else 0


sys.exit(main())
