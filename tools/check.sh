#!/bin/sh
# Builds and tests: natively, and again with clang under the address and undefined-behaviour sanitizers together with the
# fuzz targets, each of which runs its corpus and a few seconds more. Ends with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.."
status=0 passed=0 failed=0 skipped=0

# Meson's summary lines: "Ok:   12", "Fail:   0", …
add() {
    count() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$2" | tail -1; }
    ok=$(count Ok "$1") bad=$(count Fail "$1") late=$(count Timeout "$1") skip=$(count Skipped "$1")
    passed=$((passed + ${ok:-0})) failed=$((failed + ${bad:-0} + ${late:-0})) skipped=$((skipped + ${skip:-0}))
    [ -n "${ok:-}" ] || failed=$((failed + 1)) # no summary: the tests did not run
}

log=build/check.log
meson test -C build --print-errorlogs >$log 2>&1 || status=1
cat $log
add $log

if [ "${WISP_SANITIZERS:-1}" != 0 ]; then
    if [ ! -f build-san/build.ninja ]; then
        CC=clang-19 meson setup build-san -Dfuzz=true -Db_sanitize=address,undefined -Ddefault_library=static \
            -Doptimization=1 >$log 2>&1 || { cat $log; status=1; }
    fi
    if ninja -C build-san --quiet >$log 2>&1; then
        export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
        meson test -C build-san --print-errorlogs --timeout-multiplier 4 >$log 2>&1 || status=1
        cat $log
        add $log
    else
        cat $log
        failed=$((failed + 1)) status=1
    fi
fi

[ "$failed" = 0 ] || status=1
# What was left out, and why, in the tests' own words.
grep -h '^SKIP' build/meson-logs/testlog.txt 2>/dev/null | sort -u
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
