#!/bin/sh
# Search and feedback through both services under `peel serve`, with 2,500 stickers: rates, latencies, the
# processors' time per request (which other programs on the machine do not change), memory and start-up;
# beside them the bare HTTP server's hello-JSON rate. SECONDS_EACH (default 5) is the length of each run.
set -eu
cd "$(dirname "$0")/.."
make -s all build/release/bench/http_hello
. bench/services.sh

# Made-up words of two to four syllables; each sticker has ten of them.
python3 - "$tmp" <<'PY'
import pathlib, random, sys
sys.path.insert(0, "tests/api")
from peel_testing import png
folder = pathlib.Path(sys.argv[1]) / "stickers"
folder.mkdir()
random.seed(1)
words = set()
while len(words) < 1500:
    words.add("".join(random.choice("bcdfghklmnprstvw") + random.choice("aeiou") for _ in range(random.randint(2, 4))))
words = sorted(words)
random.shuffle(words)
(folder.parent / "words").write_text("\n".join(words) + "\n")
rows = ["filename,title,words,language"]
for i in range(2500):
    (folder / f"s{i}.png").write_bytes(png(8, 8, (i % 256, i // 256, 7)))
    mine = random.sample(words, 10)
    rows.append(f's{i}.png,{" ".join(mine[:3])},"{", ".join(mine[3:])}",en')
(folder / "stickers.csv").write_text("\n".join(rows) + "\n")
PY

now() { date +%s%N; }
began=$(now)
"$peel" import --data "$tmp/data" "$tmp/stickers" >"$tmp/import.log"
echo "import: 2500 stickers in $((($(now) - began) / 1000000)) ms"

start "$tmp/data"
began=$(now)
until curl -fs "$url/readyz" | grep -q '"pending":0'; do sleep 0.05; done
echo "indexing: 2500 documents in at most $((($(now) - began) / 1000000)) ms after ready"
stop
start "$tmp/data"
echo "start-up: $(sed -n 's/^Ready in \(.*\)/\1/p' "$tmp/serve.log") to ready, everything indexed"
echo "memory idle: StickerService $(memory "$sticker" VmRSS), SearchService $(memory "$search" VmRSS)"

heading
mkfifo "$tmp/in"
build/release/bench/http_hello <"$tmp/in" >"$tmp/port" &
hello=$!
exec 3>"$tmp/in"
until [ -s "$tmp/port" ]; do sleep 0.05; done
for conns in 1 64; do
    row "hello (bare server)" "$conns" "http://127.0.0.1:$(cat "$tmp/port")/inline"
done
exec 3>&-
wait "$hello"
for conns in 1 64; do
    row "search, repeated" "$conns" -s bench/search.lua "$url" -- "$tmp/words" repeated
    row "search, all different" "$conns" -s bench/search.lua "$url" -- "$tmp/words" different
    row "feedback, durable" "$conns" -s bench/search.lua "$url" -- "$tmp/words" feedback
done
echo "memory at most: StickerService $(memory "$sticker" VmHWM), SearchService $(memory "$search" VmHWM)"
degraded=$(curl -fs "$url/metrics" | awk '/^peel_sticker_search_degraded_total/ {n += $2} END {print n + 0}')
echo "degraded answers: $degraded"
