#!/bin/sh
# All tests, on a fresh Debian or Ubuntu too. The last line is "N passed, N failed".
#   sh scripts/test.sh            everything
#   sh scripts/test.sh fast       without fuzzing and sanitizers
set -u
cd "$(dirname "$0")/.."
. scripts/deps.sh
need $BUILD_PACKAGES $TEST_PACKAGES
need_npm

passed=0 failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# Runs one step; adds up its lines "KIND: N passed, N failed", or counts it as one test when it prints none.
step() {
    name=$1
    shift
    echo "== $name"
    started=$(date +%s)
    if "$@" >"$log" 2>&1; then code=0; else code=$?; fi
    grep -v -E '^ +(CC|LD|GEN|HOSTCC) ' "$log"
    counts=$(sed -n 's/^[a-z]*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log")
    p=$(echo "$counts" | awk '{n += $1} END {print n + 0}')
    f=$(echo "$counts" | awk '{n += $2} END {print n + 0}')
    if [ "$code" -ne 0 ]; then
        [ "$f" -gt 0 ] || f=1
        echo "FAIL $name (status $code)"
    elif [ "$p" -eq 0 ]; then
        p=1
    fi
    passed=$((passed + p)) failed=$((failed + f))
    echo "== $name: $(($(date +%s) - started)) s"
}

jobs=-j$(nproc)
step "include directions" make -s includes
step "format" make -s format-check
step "build, warnings are errors" make -s "$jobs" WERROR=1
[ "$failed" -eq 0 ] || { echo "$passed passed, $failed failed"; exit 1; }
step "unit tests" make -s "$jobs" unit
step "API tests" make -s api
step "browser tests" env TEST_JOBS=1 PEEL_TEST_SLOW=2 sh tests/run.sh browser tests/browser/test_*.py
if [ "${1:-}" != fast ]; then
    step "unit tests, address and undefined behaviour sanitizers" make -s "$jobs" MODE=asan unit
    step "API tests, address and undefined behaviour sanitizers" make -s MODE=asan api
    step "unit tests, thread sanitizer" make -s "$jobs" MODE=tsan unit
    step "API tests, thread sanitizer" make -s MODE=tsan api
    step "fuzzing, a few seconds each" make -s "$jobs" fuzz FUZZ_SECONDS=4
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
