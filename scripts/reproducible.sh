#!/bin/sh
# Two releases of the newest commit, built from nothing in folders of different names, have the same bytes.
set -eu
cd "$(dirname "$0")/.."
commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in one the-second; do
    mkdir -p "$work/$folder/build"
    TMPDIR=$work/$folder/build CCACHE_DISABLE=1 sh scripts/release.sh "$work/$folder/files" "$commit" >/dev/null
done
diff -r "$work/one/files" "$work/the-second/files"
cat "$work/one/files/SHA256SUMS"
echo "reproducible: $(ls "$work/one/files" | wc -l) files are the same"
