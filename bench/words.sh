#!/bin/sh
# The legs of a hybrid search without vectors, and what they find of hidden keywords: OpenMoji once, and each sticker
# 60 times for the latency over 100,000. Needs what scripts/run.sh gets, in PEEL_DATA (./data).
set -eu
data=${PEEL_DATA:-data}
lexicon=$data/bucket/words/english.words
set -- "$data"/cache/packs/openmoji-*.tgz
if [ ! -f "$lexicon" ] || [ ! -f "$1" ]; then
    echo "skipped: no lexicon or no OpenMoji in $data; sh scripts/run.sh gets them"
    exit 0
fi
make -s build/release/bench/words
words=$(mktemp)
trap 'rm -f "$words"' EXIT
tar -xzOf "$1" package/data/openmoji.json >"$words"
build/release/bench/words "$lexicon" "$words"
echo "each sticker 60 times:"
build/release/bench/words "$lexicon" "$words" 1 60
