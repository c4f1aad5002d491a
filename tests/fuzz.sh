#!/bin/sh
# Runs one fuzz target FUZZ_SECONDS (10) long from its committed corpus; what makes it fail is kept in build/asan/found/.
#   FUZZ_SECONDS=600 sh tests/fuzz.sh build/asan/tests/fuzz_image
name=$(basename "$1")
name=${name#fuzz_}
found=build/asan/found
corpus=tests/fuzz/corpus/$name
[ -d "$corpus" ] || corpus=
new=$(mktemp -d) || exit 1
trap 'rm -rf "$new"' EXIT
mkdir -p "$found"
if "$1" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=20 -rss_limit_mb=3000 -artifact_prefix="$found/$name-" \
    -print_final_stats=1 "$new" $corpus; then # one folder or none
    echo "1 passed, 0 failed"
else
    echo "kept in $found/"
    echo "0 passed, 1 failed"
fi
