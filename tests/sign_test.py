#!/usr/bin/env python3
"""Signing end to end: keys, signatures inside and beside, trust, minisign in both directions. sign_test.py WISP"""
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

WISP = sys.argv[1]
SOURCE = pathlib.Path(os.environ["WISP_SOURCE"])
MODULE = b"\0asm\1\0\0\0" + b"\1\4\1\x60\0\0" + b"\0\x0a\4notehello"
passed = failed = 0
environment = dict(os.environ)


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def run(*args, **more):
    return subprocess.run([*map(str, args)], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
                          env=environment, **more)


def expect(status, *args, mentions=(), **more):
    result = run(WISP, *args, **more)
    what = " ".join(map(str, args))
    check(result.returncode == status, f"`wisp {what}` exits {result.returncode}, not {status}: {result.stderr[-500:]}")
    for word in mentions:
        check(word in result.stderr + result.stdout, f"`wisp {what}` mentions {word!r}: {result.stderr + result.stdout!r}")
    return result


def secret_of(path):
    return path.read_text().split("\n")[1]


def keys(folder):
    made = expect(0, "keygen", "-o", folder / "me", mentions=["minisign -P"]).stdout
    check(stat.S_IMODE((folder / "me.key").stat().st_mode) == 0o600, "the secret key is for its owner only")
    check(secret_of(folder / "me.key") not in made, "the secret key is not printed")
    before = (folder / "me.key").read_bytes()
    expect(1, "keygen", "-o", folder / "me", mentions=["exists"])
    (folder / "half.key").write_text("precious")
    expect(1, "keygen", "-o", folder / "half", mentions=["half.key"])
    check((folder / "half.key").read_text() == "precious" and not (folder / "half.pub").exists(), "no half a pair")
    check((folder / "me.key").read_bytes() == before, "existing keys are left alone")
    other = json.loads(expect(0, "keygen", "-o", folder / "other", "--json").stdout)
    check(len(other["key"]) == 24 and other["minisign"] in (folder / "other.pub").read_text(), f"keygen --json: {other}")
    check((folder / "other.key").read_bytes() != before, "two keys differ")
    expect(0, "keygen", mentions=[environment["XDG_CONFIG_HOME"] + "/wisp/sign.key"])
    expect(1, "keygen", mentions=["exists"])
    (folder / "open.key").write_bytes(before)
    (folder / "open.key").chmod(0o644)
    (folder / "x.wasm").write_bytes(MODULE)
    expect(1, "sign", folder / "x.wasm", "--key", folder / "open.key", mentions=["chmod 600"])
    expect(1, "sign", folder / "x.wasm", "--key", folder / "me.pub", mentions=["me.pub"])
    expect(1, "sign", folder / "x.wasm", "--key", folder / "none.key", mentions=["none.key"])
    check((folder / "x.wasm").read_bytes() == MODULE, "a failed signing leaves the file alone")
    expect(0, "sign", folder / "x.wasm")  # by the default key


def inside(folder):
    module = folder / "m.wasm"
    module.write_bytes(MODULE)
    module.chmod(0o640)
    expect(1, "verify", module, mentions=["not signed"])
    expect(0, "sign", module, "--key", folder / "me.key")
    check(stat.S_IMODE(module.stat().st_mode) == 0o640, "signing in place keeps the permissions")
    expect(1, "verify", module, mentions=["no key is trusted"])
    expect(0, "verify", module, "--key", folder / "me.pub", mentions=["signed by", "inside", "to the end of the file"])
    expect(1, "verify", module, "--key", folder / "other.pub", mentions=["not signed by the given key"])
    verdict = json.loads(expect(0, "verify", module, "--key", folder / "me.pub", "--json").stdout)
    check(verdict["trusted"] and verdict["signers"][0]["valid"] and verdict["reason"] is None, f"--json: {verdict}")
    check(verdict["file_bytes"] - verdict["covered_bytes"] == 8 + 2 + 1 + 129, f"--json covers: {verdict}")
    verdict = json.loads(expect(1, "verify", module, "--json").stdout)
    check(not verdict["trusted"] and not verdict["signers"][0]["valid"] and verdict["reason"], f"--json: {verdict}")
    changed = folder / "changed.wasm"
    changed.write_bytes(module.read_bytes()[:-1] + b"O")
    expect(1, "verify", changed, "--key", folder / "me.pub", mentions=["changed since"])
    expect(0, "sign", changed, "--key", folder / "other.key")
    expect(1, "verify", changed, "--key", folder / "me.pub", mentions=["not signed by"])
    link = folder / "link.wasm"
    link.symlink_to(module)
    expect(0, "sign", link, "--key", folder / "other.key", mentions=["1 other signature kept"])
    check(link.is_symlink(), "the file behind a link is replaced, not the link")
    for key in ("me", "other"):
        expect(0, "verify", module, "--key", folder / f"{key}.pub")
    out = folder / "out.wasm"
    expect(0, "sign", module, "--key", folder / "me.key", "--replace", "-o", out)
    expect(1, "verify", out, "--key", folder / "other.pub")
    for name, data in (("empty", b""), ("text", b"hello"), ("cut", MODULE[:-1])):
        bad = folder / f"{name}.wasm"
        bad.write_bytes(data)
        expect(1, "sign", bad, "--key", folder / "me.key", mentions=[bad.name])
        check(bad.read_bytes() == data, f"{name}: left alone")
        expect(1, "verify", bad, "--key", folder / "me.pub", mentions=[bad.name])
    check(list(folder.glob("*.part*")) == [], "no temporary file is left")


def trust(folder):
    module, config = folder / "m.wasm", pathlib.Path(environment["XDG_CONFIG_HOME"]) / "wisp" / "trust"
    check(expect(0, "trust", "list").stdout == "", "nothing is trusted at first")
    expect(0, "trust", "add", folder / "me.pub", "--name", "author", mentions=["author"])
    expect(0, "verify", module, mentions=["author"])
    expect(2, "trust", "add", folder / "me.pub", "--name", "again", mentions=["already"])
    expect(2, "trust", "add", folder / "other.pub", "--name", "../x")
    expect(1, "trust", "add", folder / "me.key", mentions=["secret"])
    expect(2, "trust", "frobnicate")
    check("author" in expect(0, "trust", "list").stdout, "trust list")
    listed = json.loads(expect(0, "trust", "list", "--json").stdout)
    check([k["name"] for k in listed] == ["author"] and listed[0]["minisign"] in (folder / "me.pub").read_text(),
          f"trust list --json: {listed}")
    expect(0, "trust", "remove", "author")
    check(json.loads(expect(0, "trust", "list", "--json").stdout) == [], "an empty list as JSON")
    added = json.loads(expect(0, "trust", "add", folder / "me.pub", "--name", "author", "--json").stdout)
    check(added == listed[0], f"trust add --json: {added}")
    copy = folder / "signed-json.wasm"
    copy.write_bytes(MODULE)
    made = json.loads(expect(0, "sign", copy, "--key", folder / "me.key", "--json").stdout)
    check(made == {"output": str(copy), "detached": False, "kept": 0}, f"sign --json: {made}")
    made = json.loads(expect(0, "sign", copy, "--key", folder / "other.key", "--json").stdout)
    check(made["kept"] == 1, f"sign --json counts what it kept: {made}")
    made = json.loads(expect(0, "sign", "--detached", copy, "--key", folder / "me.key", "--json").stdout)
    check(made["output"] == str(copy) + ".minisig" and pathlib.Path(made["output"]).exists(), f"detached: {made}")
    config.chmod(0o777)
    expect(1, "verify", module, mentions=["others may write"])
    config.chmod(0o700)
    (config / "author.pub").chmod(0o666)
    expect(1, "verify", module, mentions=["author.pub", "others may write"])
    (config / "author.pub").chmod(0o644)
    config.parent.chmod(0o770)
    expect(1, "verify", module, mentions=["others may write"])
    config.parent.chmod(0o700)
    (config / "junk.pub").write_text("junk")
    expect(1, "verify", module, mentions=["junk.pub"])
    (config / "junk.pub").unlink()
    expect(0, "verify", module)
    expect(1, "trust", "remove", "nobody", mentions=["nobody"])
    expect(0, "trust", "remove", "author")
    expect(1, "verify", module)
    identity = expect(0, "trust", "add", folder / "me.pub").stdout.split()[0]
    expect(0, "trust", "remove", identity)


def minisign(folder):
    if not shutil.which("minisign"):
        print("SKIP minisign: it is not installed")
        return
    file = folder / "data.bin"
    file.write_bytes(bytes(range(256)) * 5000)
    expect(0, "sign", "--detached", file, "--key", folder / "me.key", "--comment", "release 7")
    public = (folder / "me.pub").read_text().split("\n")[1]
    for option in (["-p", folder / "me.pub"], ["-P", public]):
        result = run("minisign", "-Vm", file, *option)
        check(result.returncode == 0 and "release 7" in result.stdout, f"minisign verifies: {result}")
    check(run("minisign", "-HVm", file, "-p", folder / "me.pub").returncode == 0, "the digest's form")
    expect(0, "verify", file, "--key", folder / "me.pub", mentions=["release 7", "minisign"])
    expect(1, "verify", file, "--key", folder / "other.pub")
    check(run("minisign", "-G", "-W", "-p", folder / "mini.pub", "-s", folder / "mini.key").returncode == 0, "minisign -G")
    for key, name in (("mini", "theirs"), ("me", "ours")):  # their program with their key, and with ours
        signature = folder / f"{name}.minisig"
        result = run("minisign", "-S", "-W", "-s", folder / f"{key}.key", "-m", file, "-x", signature, "-t", "theirs")
        check(result.returncode == 0, f"minisign -S: {result}")
        expect(0, "verify", file, "--signature", signature, "--key", folder / f"{key}.pub", mentions=["theirs"])
    expect(0, "sign", "--detached", file, "--key", folder / "mini.key")  # our program with their key
    check(run("minisign", "-Vm", file, "-p", folder / "mini.pub").returncode == 0, "a signature with minisign's key")
    result = run("minisign", "-S", "-l", "-W", "-s", folder / "mini.key", "-m", file, "-x", folder / "old.minisig")
    expect(1, "verify", file, "--signature", folder / "old.minisig", "--key", folder / "mini.pub", mentions=["without -l"])
    text = (folder / "data.bin.minisig").read_text()
    (folder / "data.bin.minisig").write_text(text.replace("trusted comment: timestamp", "trusted comment: Timestamp"))
    expect(1, "verify", file, "--key", folder / "mini.pub")
    check(run("minisign", "-Vm", file, "-p", folder / "mini.pub").returncode != 0, "minisign refuses it as well")
    (folder / "data.bin.minisig").write_text(text)
    file.write_bytes(file.read_bytes()[:-1])
    expect(1, "verify", file, "--key", folder / "mini.pub", mentions=["changed since"])


def capsule(folder):
    """A signed capsule runs, is aligned, and keeps its manifest; signing that is stopped leaves the old one."""
    model = SOURCE / "models" / "wisp-stories.gguf"
    if not model.exists():
        print("SKIP signing a capsule: the model in the box is not there")
        return
    plain, signed = folder / "plain.wasm", folder / "signed.wasm"
    expect(0, "pack", model, "-o", plain)
    expect(0, "sign", plain, "--key", folder / "me.key", "-o", signed)
    expect(0, "verify", signed, "--key", folder / "me.pub")
    weights = plain.read_bytes().find(b"WISPMODL")
    check(weights % 4096 == 0 and signed.read_bytes().find(b"WISPMODL") % 4096 == 0, "the model data are aligned")
    options = ["-p", "Once upon a time", "-n", 12, "--temp", 0]
    check(expect(0, "run", signed, *options).stdout == expect(0, "run", plain, *options).stdout, "it runs as before")
    expect(0, "inspect", signed, "--check", mentions=["all digests are right"])
    check(run(WISP, "inspect", signed, "--json").stdout == run(WISP, "inspect", plain, "--json").stdout, "the manifest")
    expect(1, "sign", signed, "--key", folder / "other.key", mentions=["--replace"])
    expect(0, "sign", plain, "--key", folder / "me.key", "--key", folder / "other.key")
    for key in ("me", "other"):
        expect(0, "verify", plain, "--key", folder / f"{key}.pub", "--json")
    expect(2, "sign", "--detached", plain, "--key", folder / "me.key", "--key", folder / "other.key")
    expect(0, "verify", signed, "--key", folder / "me.pub")

    big = folder / "big.wasm"  # 400 MB of zeros behind a module: long enough to be stopped
    size = 400 << 20
    with big.open("wb") as out:
        length = bytes((size >> 7 * i & 127) | (128 if i < 4 else 0) for i in range(5))
        out.write(b"\0asm\1\0\0\0" + b"\0" + length + b"\0")
        out.truncate(8 + 1 + 5 + size)
    before = os.stat(big)
    for number in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen([WISP, "sign", big, "--key", folder / "me.key"], env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not list(folder.glob("big.wasm.part*")) and process.poll() is None:
            time.sleep(0.001)
        check(process.poll() is None, "signing was still under way")
        process.send_signal(number)
        process.wait(60)
        after = os.stat(big)
        check((before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns),
              f"{number}: the old file is left")
        for left in folder.glob("big.wasm.part*"):
            check(number == signal.SIGKILL, f"{number}: no temporary file is left")
            left.unlink()
    big.unlink()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment["XDG_CONFIG_HOME"] = str(folder / "config")
        keys(folder)
        inside(folder)
        trust(folder)
        minisign(folder)
        capsule(folder)
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
