#!/bin/sh
# Configures (once) and builds into build/; the command ends up at build/wisp.
set -eu
cd "$(dirname "$0")/.."
[ -f build/build.ninja ] || meson setup build >/tmp/wisp-setup.$$ 2>&1 || { cat /tmp/wisp-setup.$$; rm -f /tmp/wisp-setup.$$; exit 1; }
rm -f /tmp/wisp-setup.$$
ninja -C build --quiet
