#!/bin/sh
# Searches while a pack is imported: how long they take, which of them stall, how fast the import is from its start until
# everything is indexed, and what all processes write for each sticker. No query comes twice.
#     sh bench/stalls.sh FOLDER [FILE]
# FOLDER is a data folder whose lexicon and downloaded packs are used (as scripts/run.sh makes it); nothing in it
# changes. FILE has a phrase in each line; without it, titles of the pack that is there first are searched for.
# PACK (openmoji) is imported into a library that has FIRST (fluent3d).
set -eu
cd "$(dirname "$0")/.."
from=${1:?the data folder is missing} phrases=${2:-}
make -s all
. bench/services.sh
mkdir -p "$tmp/data/bucket" "$tmp/data/cache"
cp -r "$from/bucket/words" "$tmp/data/bucket/"
cp -r "$from/cache/packs" "$tmp/data/cache/"
"$peel" import --quiet --data "$tmp/data" --pack "${FIRST:-fluent3d}" >"$tmp/import.log" 2>&1 || { cat "$tmp/import.log"; exit 1; }
start "$tmp/data"
until curl -fs "$url/readyz" | grep -q '"pending":0'; do sleep 0.1; done
python3 bench/stalls.py "$url" "$serve" "$phrases" "$peel" import --quiet --data "$tmp/data" --pack "${PACK:-openmoji}"
