#!/bin/sh
# Counts the instructions of fixed pieces of work (bench/instructions.c) under valgrind's callgrind and compares them
# with bench/instructions.txt: speed is watched without a clock, on a busy machine too.
#     sh bench/instructions.sh            fails where a piece takes 5% more than in the table
#     sh bench/instructions.sh update     writes the table
# valgrind offers programs AVX2 and nothing newer, so that the kernels are the same on every machine that has it.
# Counts belong to the compiler and libraries that the table names at its head; with others, nothing is compared.
set -eu
cd "$(dirname "$0")/.."
table=bench/instructions.txt
skip() {
    echo "skipped: $1"
    exit 0
}
command -v valgrind >/dev/null || skip "valgrind is not installed"
grep -q avx2 /proc/cpuinfo || skip "this CPU has no AVX2"
made_by="$(${CC:-cc} --version | sed '1s/^[^ ]* //;q'), glibc $(getconf GNU_LIBC_VERSION | cut -d' ' -f2), SQLite $(pkg-config --modversion sqlite3)"
if [ "${1:-}" != update ] && [ "$(sed 1q $table)" != "# $made_by" ]; then
    skip "the table is of $(sed '1s/^# //;q' $table), this is $made_by"
fi
make -s build/release/bench/instructions
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
echo "# $made_by" >"$folder/table"
for piece in $(build/release/bench/instructions list); do
    mkdir "$folder/$piece"
    valgrind --tool=callgrind --collect-atstart=no --toggle-collect=measured --callgrind-out-file=/dev/null \
        build/release/bench/instructions "$piece" "$folder/$piece" 2>"$folder/log" || {
        cat "$folder/log" >&2
        exit 1
    }
    count=$(sed -n 's/^.*Collected : //p' "$folder/log")
    before=$(awk -v p="$piece" '$1 == p { print $2 }' $table 2>/dev/null || true)
    echo "$piece $count" >>"$folder/table"
    if [ "${1:-}" != update ] && [ $((count * 100)) -gt $((${before:-0} * 105)) ]; then
        echo "$piece: $count instructions; at most 5% more than ${before:-0} are expected" >&2
        failed=1
    else
        echo "$piece: $count instructions (table: ${before:-none})"
    fi
done
if [ "${1:-}" = update ]; then cp "$folder/table" $table; fi
exit $failed
