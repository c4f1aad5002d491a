#!/bin/sh
# Runs test programs, shows what failed, and adds up. At the same time run as many as there are processors (TEST_JOBS),
# and one unit or API test more, as these often wait.
#   tests/run.sh KIND PROGRAM...
# A program that ends in .py is Python's, and what is called fuzz_* is run by tests/fuzz.sh. Its output says how many
# tests passed: in the last line ("N passed, N failed") or as cmocka does. The last line of ours is
# "KIND: N passed, N failed".
if [ "$1" = --one ]; then # PROGRAM FOLDER: leaves the counts in the folder
    t=$2
    log=$(mktemp "$3/log.XXXXXX") || exit 1
    case $t in
    *.py) run=python3 ;;
    */fuzz_*) run="sh tests/fuzz.sh" ;;
    *) run= ;;
    esac
    began=$(date +%s)
    timeout --kill-after=10 "${PEEL_TEST_SECONDS:-900}" $run "$t" >"$log" 2>&1
    code=$?
    p=$(tail -n 1 "$log" | sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p')
    f=$(tail -n 1 "$log" | sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p')
    if [ -z "$p" ]; then
        p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
        f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    fi
    if [ -z "$p" ] || { [ "$code" -ne 0 ] && [ "${f:-0}" -eq 0 ]; }; then
        f=$((${f:-0} + 1))
        echo "$t ended with status $code" >>"$log"
    fi
    p=${p:-0} f=${f:-0}
    echo "$p $f" >"$log.counts"
    name=$(basename "$t")
    {
        if [ "$f" -gt 0 ]; then
            cat "$log"
            echo "FAIL $name ($p passed, $f failed, $(($(date +%s) - began)) s)"
        else
            grep -E '^(skipped|flaky:|figures:|Done [0-9]* runs)' "$log"
            echo "ok   $name ($p, $(($(date +%s) - began)) s)"
        fi
    } >"$log.words"
    cat "$log.words" # at once, so that the words of two programs do not mix
    exit 0
fi

kind=$1
shift
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
jobs=$(nproc)
case $kind in api | unit) jobs=$((jobs + 1)) ;; esac
printf '%s\n' "$@" | xargs -P "${TEST_JOBS:-$jobs}" -I '{}' sh "$0" --one '{}' "$tmp"
cat "$tmp"/*.counts 2>/dev/null |
    awk -v kind="$kind" -v want=$# '{p += $1; f += $2} END {f += want - NR; print kind ": " p + 0 " passed, " f + 0 " failed"; exit f > 0}'
