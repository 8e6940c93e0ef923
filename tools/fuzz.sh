#!/bin/sh
# A long run of every fuzz target: tools/fuzz.sh [SECONDS EACH, default 600], or RUNS=1000000 tools/fuzz.sh. New inputs go
# to build-san/corpus/; crashes stop it and belong into fuzz/corpus/ as regression files once mended.
set -eu
cd "$(dirname "$0")/.."
limit=-max_total_time=${1:-600}
[ -z "${RUNS:-}" ] || limit=-runs=$RUNS
[ -f build-san/build.ninja ] || CC=clang-19 meson setup build-san -Dfuzz=true -Db_sanitize=address,undefined \
    -Ddefault_library=static -Doptimization=1
ninja -C build-san --quiet
# A small quarantine keeps memory in the cache: some targets are twice as fast.
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=8:thread_local_quarantine_size_kb=256
for target in build-san/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    about=${name#fuzz_} about=${about%_native} # the same input, compared with native code
    mkdir -p "build-san/corpus/$name"
    echo "== $name: $(head -1 "fuzz/fuzz_$about.c")"
    "$target" $limit -timeout=20 -rss_limit_mb=4096 -artifact_prefix=build-san/ -print_final_stats=1 \
        "build-san/corpus/$name" "fuzz/corpus/$about"
done
