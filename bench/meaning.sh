#!/bin/sh
# Search by meaning over 100,000 stickers (N), with weights in the shape of ViT-B/32: hybrid through both services, then
# each algorithm from SearchService alone. No query comes twice, so each is encoded.
set -eu
cd "$(dirname "$0")/.."
. bench/weights.sh
make_weights || exit 0
make -s all build/release/bench/seed
. bench/services.sh
data=$tmp/data
mkdir -p "$data/bucket/models"
cp -r $weights "$data/bucket/models/clip-base"
python3 - "$data/bucket/models/clip-base" <<'PY'
# A tokenizer that makes two tokens of each of the seed's words, so that a query has eight with both ends.
import json, pathlib, sys
syllables = [c + v for c in "bcdfghklmnprstvw" for v in "aeiou"]
printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
merges = [f"{s[0]} {s[1]}" for s in syllables] + [f"{s[0]} {s[1]}</w>" for s in syllables]
merges += [f"{a} {b}" for a in syllables for b in syllables]
tokens = letters + [c + "</w>" for c in letters] + [m.replace(" ", "") for m in merges]
vocabulary = {token: i for i, token in enumerate(tokens)} | {"<|startoftext|>": 49406, "<|endoftext|>": 49407}
folder = pathlib.Path(sys.argv[1])
(folder / "vocab.json").write_text(json.dumps(vocabulary))
(folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
PY
build/release/bench/seed "$data" "${N:-100000}" clip-base 512
start "$data"
search_url=$(sed -n 's/.*search-service: listening on \(.*\) port \(.*\)/http:\/\/\1:\2/p' "$tmp/serve.log")
until curl -fs "$search_url/api/models" | grep -q '"state":"ready"'; do sleep 0.1; done
echo "precision: $(curl -fs "$search_url/api/models" | sed -n 's/.*"precision":"\([a-z0-9]*\)".*/\1/p')"
heading
for conns in 1 8; do
    row "hybrid, both services" "$conns" -s bench/search.lua "$url" -- "$data/words" "/api/search/?query="
done
for algorithm in lexical vector hybrid; do
    row "$algorithm, SearchService" 1 -s bench/search.lua "$search_url" -- "$data/words" "/api/search/?algorithm=$algorithm&query="
done
echo "memory: StickerService $(memory "$sticker" VmRSS), SearchService $(memory "$search" VmRSS)"
echo "degraded answers: $(curl -fs "$url/metrics" | awk '/^peel_sticker_search_degraded_total/ {n += $2} END {print n + 0}')"
