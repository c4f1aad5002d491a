#!/bin/sh
# Makes docs/images/gallery.webp, the moving picture of the README, of a Peel that is running on the starter packs.
#   sh tests/browser/film.sh http://127.0.0.1:8000        (needs chromium, node and Debian's package webp)
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
python3 -c 'import sys; sys.path.insert(0, "tests"); import node_tools; sys.exit(node_tools.ensure())'
BASE=$1 OUT=$out NODE_PATH=tests/node_modules node tests/browser/film.mjs
set --
while read -r name milliseconds; do
    set -- "$@" -d "$milliseconds" "$out/$name"
done <"$out/frames"
img2webp -loop 0 -mixed -q 80 -m 6 "$@" -o docs/images/gallery.webp
ls -l docs/images/gallery.webp
