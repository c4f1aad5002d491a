#!/bin/sh
# Checks what the Makefile promises and no other test would miss: each mode's compiler and warnings, that a changed header
# builds again what includes it, and compile_commands.json.
#   make makefile-check
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT
bad=0
complain() {
    echo "check_makefile: $*" >&2
    bad=1
}
unset WERROR MODE MAKEFLAGS MFLAGS MAKEOVERRIDES # of the make that runs this
make -s build/release/tests/test_text || exit 1
command_of() { # MODE [VARIABLE=VALUE]: how make would compile src/base/buf.c
    mode=$1
    shift
    make -s -n -B "MODE=$mode" "$@" "build/$mode/src/base/buf.o" | grep -- ' -c .*src/base/buf\.c$'
}
expect() { # MODE PATTERN [VARIABLE=VALUE]
    mode=$1 pattern=$2
    shift 2
    command_of "$mode" "$@" | grep -q -e "$pattern" || complain "MODE=$mode $*: expected $pattern in: $(command_of "$mode" "$@")"
}
refuse() { # MODE PATTERN
    ! command_of "$1" | grep -q -e "$2" || complain "MODE=$1: expected no $2 in: $(command_of "$1")"
}

for mode in release tsan; do
    expect $mode ' -Wall -Wextra '
    expect $mode ' -Werror ' WERROR=1
    refuse $mode ' -Werror '
done
expect asan '^clang .*-fsanitize=address,undefined,fuzzer-no-link'
refuse asan ' -W' # another compiler's warnings
case $(gcc -dumpversion) in
12 | 12.*) expect analyze '^gcc .*-fanalyzer -Werror ' ;;
*) expect analyze '^gcc .*-fanalyzer ' ;;
esac
refuse analyze ' -Wall '

# make says what it would build if a header were newer.
make -s -n -W tests/unit/cm.h build/release/tests/test_text | grep -q ' tests/unit/test_text\.c ' ||
    complain "a change of tests/unit/cm.h does not build tests/unit/test_text.c again"
make -s -n -W src/base/status.h build/release/tools/embed | grep -q ' tools/embed\.c ' ||
    complain "a change of src/base/status.h does not build tools/embed.c again"

make -s compile_commands.json && python3 - >"$tmp" 2>&1 <<'END' || complain "$(cat "$tmp")"
import glob, json, os
known = {entry["file"]: entry for entry in json.load(open("compile_commands.json"))}
wanted = [f for pattern in ("src/*/*.c", "src/*/*/*.c", "tests/unit/*.c", "tests/fuzz/*.c", "bench/*.c", "tools/*.c")
          for f in glob.glob(pattern)]
missing = sorted(f for f in wanted if f not in known)
assert len(wanted) > 200, "only %d files found" % len(wanted)
assert not missing, "compile_commands.json has no command for " + " ".join(missing)
for file, entry in known.items():
    assert entry["directory"] == os.getcwd(), entry
    assert file in entry["command"].split(), entry
END
[ "$bad" -eq 0 ] && echo "Makefile: flags, headers and compile_commands.json are right"
exit "$bad"
