#!/bin/sh
# Configures (once) and builds into build/; the command ends up at build/wisp.
set -eu
cd "$(dirname "$0")/.."
if [ ! -f build/build.ninja ]; then
    log=$(mktemp)
    meson setup build >"$log" 2>&1 || { cat "$log"; rm -f "$log"; exit 1; }
    rm -f "$log"
fi
ninja -C build --quiet
