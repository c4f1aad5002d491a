#!/bin/sh
# Runs each unit test program, prints cmocka's words for those that fail, and adds up the counts.
passed=0 failed=0
for t in "$@"; do
    if out=$("$t" 2>&1); then
        n=$(printf '%s\n' "$out" | sed -n 's/.*\[  PASSED  \] \([0-9]*\) test.*/\1/p' | tail -n 1)
        passed=$((passed + ${n:-0}))
        echo "ok   $(basename "$t") (${n:-0})"
    else
        failed=$((failed + 1))
        printf '%s\n' "$out"
        echo "FAIL $(basename "$t")"
    fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
