#!/bin/sh
# Installs what WISP builds and tests with, from Debian's packages; does nothing when all is there.
# Usage: tools/setup.sh [--list]
set -eu

# package: why
packages='
gcc: the native compiler
libc6-dev: its C library
g++: public headers are compiled as C++ too
clang-19: compiles the guest engine to WebAssembly; sanitizers and fuzzing
lld-19: links the guest engine
libclang-rt-19-dev: sanitizer and fuzzer runtimes
libclang-rt-19-dev-wasm32: compiler runtime of the guest
wasi-libc: C library of the guest
meson: the build
ninja-build: the build
pkg-config: finds libraries
python3: build scripts and tests
libcmocka-dev: unit tests
llvm-19-dev: native code ahead of time (used while compiling only)
libsodium-dev: signatures
minisign: another implementation of detached signatures, for the tests
qemu-user: kernel tests on older CPU models
python3-numpy: expands the random test models
unicode-data: Unicode tables of the tokenizers
nodejs: runs the same capsule in another engine
'
list=$(printf '%s' "$packages" | sed '/^$/d')
[ "${1-}" = --list ] && { printf '%s\n' "$list"; exit 0; }

missing=
for p in $(printf '%s\n' "$list" | cut -d: -f1); do
    # A Node.js from elsewhere serves as well as Debian's package.
    [ "$p" = nodejs ] && command -v node >/dev/null && continue
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -z "$missing" ] && exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || { echo "Missing packages:$missing. Install them as root (there is no sudo here)." >&2; exit 1; }
fi
echo "WISP needs these Debian packages:"
for p in $missing; do printf '%s\n' "$list" | grep "^$p:" | sed 's/^/  /'; done
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
