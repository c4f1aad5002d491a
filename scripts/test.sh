#!/bin/sh
# Runs the tests, on a fresh Debian or Ubuntu too. The last line is "N passed, N failed".
#   sh scripts/test.sh            everything
#   sh scripts/test.sh NAME...    only these suites or programs; `sh scripts/test.sh help` lists them
set -u
cd "$(dirname "$0")/.."
. scripts/deps.sh

passed=0 failed=0
jobs=-j$(nproc)
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

usage() {
    cat <<'END'
sh scripts/test.sh [NAME...]

Suites, in the order in which all of them run when no name is given:
  includes   who includes whom under src/
  format     clang-format
  build      the program, warnings are errors
  makefile   the Makefile's flags and tracked headers
  unit       unit tests
  api        API tests, which start the program on free ports, but for the slow ones
  gallery    browser tests of the gallery (Chromium)
  slow       slow API tests: PostgreSQL, faults, uploads, models from PyPI, starter packs
  pages      browser and docs, side by side
  browser    browser tests of the admin pages
  docs       every command of README.md and docs/, as an ordinary user
  instructions  instructions of fixed pieces of work (bench/instructions.sh)
  analyze    gcc -fanalyzer
  asan       unit and the main API tests with the address and undefined behaviour sanitizers
  tsan       unit tests of what has threads and the main API tests with the thread sanitizer
  torture    failing allocations, some of each unit test and request
  fuzz       each fuzz target for a few seconds (FUZZ_SECONDS)
`fast` is everything before slow.

One program: its file's name, with or without folder and ending, such as test_text, tests/api/test_serve.py or fuzz_text.
All programs of that name run. MODE=asan or MODE=tsan runs unit and API tests with that sanitizer.
END
    programs | sed 's|.*/||; s|\.[a-z]*$||' | sort -u | xargs | fold -s -w 116 | sed 's/^/  /; s/ *$//'
}

programs() {
    ls tests/unit/test_*.c tests/api/test_*.py tests/browser/test_*.py tests/docs/test_*.py tests/fuzz/fuzz_*.c
}

# The programs that NAME stands for.
programs_named() {
    programs | awk -v name="$1" '{
        short = file = $0
        sub(/.*\//, "", file)
        sub(/\.[a-z]*$/, "", short)
        bare = file
        sub(/\.[a-z]*$/, "", bare)
        if (name == $0 || name == short || name == file || name == bare)
            print
    }'
}

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

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

pages() { # WHAT KIND FILE...
    what=$1 kind=$2
    shift 2
    step "build" make -s "$jobs" MODE=release
    step "$what" env PEEL="$PWD/build/release/peel" PEEL_TEST_SLOW=3 sh tests/run.sh "$kind" "$@"
}

sanitized() { # MODE WORDS
    step "unit tests, $2" make -s "$jobs" MODE="$1" unit
    step "API tests, $2" make -s MODE="$1" api
}

admin_pages() {
    ls tests/browser/test_*.py | grep -v test_gallery
}

suite() { # NAME
    case $1 in
    includes) step "include directions" make -s includes ;;
    format) step "format" make -s format-check ;;
    build) step "build, warnings are errors" make -s "$jobs" WERROR=1 ;;
    makefile) step "Makefile" make -s makefile-check ;;
    unit) step "unit tests" make -s "$jobs" unit ;;
    api) step "API tests" make -s api API='$(FAST)' ;;
    slow) step "slow API tests" make -s api API='$(SLOW)' ;;
    gallery) pages "browser tests" browser tests/browser/test_gallery.py ;;
    browser) pages "browser tests" browser $(admin_pages) ;;
    docs) pages "documentation" docs tests/docs/test_*.py ;;
    pages) pages "browser tests and documentation" pages $(admin_pages) tests/docs/test_*.py ;;
    instructions) step "instructions of fixed pieces of work" sh bench/instructions.sh ;;
    analyze) step "analyzer" make -s "$jobs" analyze ;;
    asan) sanitized asan "address and undefined behaviour sanitizers" ;;
    tsan) sanitized tsan "thread sanitizer" ;;
    torture) step "failing allocations" make -s "$jobs" torture PEEL_TORTURE_RUNS="${PEEL_TORTURE_RUNS:-4}" ;;
    fuzz) step "fuzzing, a few seconds each" make -s "$jobs" fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-2}" ;;
    fast)
        for early in includes format build makefile; do suite $early; done
        [ "$failed" -eq 0 ] || finish
        for late in unit api gallery; do suite $late; done
        ;;
    all)
        suite fast
        for later in slow pages instructions analyze asan tsan torture fuzz; do suite $later; done
        ;;
    *) return 1 ;;
    esac
}

program() { # FILE
    bare=$(basename "${1%.*}")
    case $1 in
    tests/unit/*) step "$1" make -s "$jobs" unit UNIT="build/${MODE:-release}/tests/$bare" ;;
    tests/api/*) step "$1" make -s "$jobs" api API="$1" ;;
    tests/browser/*) pages "$1" browser "$1" ;;
    tests/docs/*) pages "$1" docs "$1" ;;
    tests/fuzz/*) step "$1" make -s "$jobs" fuzz FUZZ="build/asan/tests/$bare" FUZZ_SECONDS="${FUZZ_SECONDS:-2}" ;;
    esac
}

[ $# -gt 0 ] || set -- all
for wanted in "$@"; do # before anything runs
    case $wanted in
    help | -h | --help)
        usage
        exit 0
        ;;
    includes | format | build | makefile | unit | api | gallery | slow | pages | browser | docs | instructions | analyze) ;;
    asan | tsan | torture | fuzz | fast | all) ;;
    *)
        if [ -z "$(programs_named "$wanted")" ]; then
            echo "test.sh: there is no suite and no program \"$wanted\"" >&2
            usage >&2
            exit 2
        fi
        ;;
    esac
done

need $BUILD_PACKAGES $TEST_PACKAGES
need_heif_codecs
need_npm
need_pip
for wanted in "$@"; do
    suite "$wanted" || for file in $(programs_named "$wanted"); do program "$file"; done
done
finish
