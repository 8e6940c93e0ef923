#!/bin/sh
# A long run of every fuzz target: tools/fuzz.sh [SECONDS EACH, default 600]. New inputs go to build-san/corpus/; crashes
# stop it and belong into fuzz/corpus/ as regression files once mended.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
[ -f build-san/build.ninja ] || CC=clang-19 meson setup build-san -Dfuzz=true -Db_sanitize=address,undefined \
    -Ddefault_library=static -Doptimization=1
ninja -C build-san --quiet
for target in build-san/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    mkdir -p "build-san/corpus/$name"
    echo "== $name: $(head -1 "fuzz/$name.c")"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -artifact_prefix=build-san/ \
        "build-san/corpus/$name" "fuzz/corpus/${name#fuzz_}"
done
