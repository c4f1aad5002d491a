#!/bin/sh
# First byte of admin pages over 100,000 stickers (N) and 1,000,000 scores of 100,000 queries: the median and the worst
# of 15 requests each, and the page's size. Held against: 20 ms and 150 KB.
set -eu
cd "$(dirname "$0")/.."
make -s all build/release/bench/seed
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
build/release/bench/seed "$tmp/data" "${N:-100000}"
python3 bench/admin.py "$tmp/data"
