#!/bin/sh
# Search and feedback through both services under `peel serve`, with 2,500 stickers: rates, latencies, the
# processors' time per request (which other programs on the machine do not change), memory and start-up;
# beside them the bare HTTP server's hello-JSON rate. SECONDS_EACH (default 5) is the length of each run.
set -eu
cd "$(dirname "$0")/.."
make -s all build/release/bench/http_hello
peel=$PWD/peel
each=${SECONDS_EACH:-5}
tmp=$(mktemp -d)
serve=""
finish() {
    [ -z "$serve" ] || { kill "$serve" && wait "$serve"; } 2>/dev/null || true
    rm -rf "$tmp"
}
trap finish EXIT INT TERM

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

start() {
    : >"$tmp/serve.log"
    ADMIN_TOKEN=0123456789abcdef0123 "$peel" serve --quiet --data "$tmp/data" --port 0 --search-port 0 >"$tmp/serve.log" 2>&1 &
    serve=$!
    until grep -q '^Ready in' "$tmp/serve.log"; do
        kill -0 "$serve" || { cat "$tmp/serve.log"; exit 1; }
        sleep 0.05
    done
    url=$(sed -n 's/^Gallery: \(.*\)\/$/\1/p' "$tmp/serve.log")
    sticker=$(pgrep -P "$serve" -f sticker-service)
    search=$(pgrep -P "$serve" -f search-service)
}
memory() { awk -v what="$2" '$1 == what ":" {printf "%.0f MiB", $2 / 1024}' "/proc/$1/status"; }
cpu_ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
tick_us=$((1000000 / $(getconf CLK_TCK)))

start
began=$(now)
until curl -fs "$url/readyz" | grep -q '"pending":0'; do sleep 0.05; done
echo "indexing: 2500 documents in at most $((($(now) - began) / 1000000)) ms after ready"
kill "$serve"
wait "$serve" || true
start
echo "start-up: $(sed -n 's/^Ready in \(.*\)/\1/p' "$tmp/serve.log") to ready, everything indexed"
echo "memory idle: StickerService $(memory "$sticker" VmRSS), SearchService $(memory "$search" VmRSS)"

row() { # name, connections, wrk's arguments...
    name=$1 conns=$2
    shift 2
    a=$(cpu_ticks "$sticker") b=$(cpu_ticks "$search")
    wrk -t"$((conns == 1 ? 1 : 2))" -c"$conns" -d"${each}s" --latency "$@" >"$tmp/wrk"
    a=$((($(cpu_ticks "$sticker") - a) * tick_us)) b=$((($(cpu_ticks "$search") - b) * tick_us))
    awk -v name="$name" -v c="$conns" -v a="$a" -v b="$b" '/ 50% /{p50 = $2} / 99% /{p99 = $2}
        /requests in/{n = $1} /Requests\/sec/{rate = $2} /Non-2xx/{bad = $NF}
        END {printf "%-22s %5d %11.0f %9s %9s %12.0f %12.0f%s\n", name, c, rate, p50, p99, n ? a / n : 0, n ? b / n : 0,
                    bad ? "  " bad " NOT 2xx" : ""}' "$tmp/wrk"
}
printf '%-22s %5s %11s %9s %9s %12s %12s\n' "" conns requests/s p50 p99 sticker-us search-us
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
degraded=$(curl -fs "$url/metrics" | sed -n 's/^peel_sticker_search_degraded_total //p')
echo "degraded answers: $degraded"
