#!/bin/sh
# Runs fuzz targets, each FUZZ_SECONDS long, from its committed corpus; what makes one fail is kept in
# build/fuzz/found/.
#   FUZZ_SECONDS=10 sh tests/run_fuzz.sh build/fuzz/tests/fuzz_*
passed=0 failed=0
found=build/fuzz/found
mkdir -p "$found"
log=$(mktemp) || exit 1
new=$(mktemp -d) || exit 1
trap 'rm -rf "$log" "$new"' EXIT
for t in "$@"; do
    name=$(basename "$t")
    name=${name#fuzz_}
    mkdir -p "$new/$name"
    corpus=tests/fuzz/corpus/$name
    [ -d "$corpus" ] || corpus=
    if "$t" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=20 -rss_limit_mb=3000 -artifact_prefix="$found/$name-" \
        -print_final_stats=1 "$new/$name" $corpus >"$log" 2>&1; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "ok   fuzz $name (${runs:-0} runs)"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        echo "FAIL fuzz $name (see $found/)"
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
