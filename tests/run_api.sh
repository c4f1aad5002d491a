#!/bin/sh
# Runs test programs that end with a line "N passed, N failed", shows what failed, and adds up.
#   PEEL=build/release/peel sh tests/run_api.sh tests/api/test_*.py ...
passed=0 failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for t in "$@"; do
    [ -e "$t" ] || continue
    case $t in
    *.py) run=python3 ;;
    *) run=sh ;;
    esac
    timeout --kill-after=10 "${PEEL_TEST_SECONDS:-900}" "$run" "$t" >"$log" 2>&1
    code=$?
    last=$(tail -n 1 "$log")
    p=$(printf '%s\n' "$last" | sed -n 's/^\([0-9][0-9]*\) passed, [0-9][0-9]* failed$/\1/p')
    f=$(printf '%s\n' "$last" | sed -n 's/^[0-9][0-9]* passed, \([0-9][0-9]*\) failed$/\1/p')
    if [ -z "$p" ] || { [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; }; then
        p=${p:-0} f=$((${f:-0} + 1))
        echo "$t ended with status $code" >>"$log"
    fi
    passed=$((passed + p)) failed=$((failed + f))
    if [ "$f" -gt 0 ]; then
        cat "$log"
        echo "FAIL $t ($p passed, $f failed)"
    else
        grep -i '^skipped' "$log"
        echo "ok   $t ($p)"
    fi
done
echo "api: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
