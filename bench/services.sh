# Sourced. Both services under `peel serve`, what they use, and wrk's figures beside it.
peel=$PWD/peel
each=${SECONDS_EACH:-5}
tmp=$(mktemp -d)
serve=""
finish() {
    [ -z "$serve" ] || { kill "$serve" && wait "$serve"; } 2>/dev/null || true
    rm -rf "$tmp"
}
trap finish EXIT INT TERM

# Starts them on the data folder; sets serve, url, search_url, sticker and search.
start() { # data folder, more options...
    data=$1
    shift
    : >"$tmp/serve.log"
    ADMIN_TOKEN=0123456789abcdef0123 "$peel" serve --quiet --data "$data" --port 0 --search-port 0 "$@" >"$tmp/serve.log" 2>&1 &
    serve=$!
    until grep -q '^Ready in' "$tmp/serve.log"; do
        kill -0 "$serve" || { cat "$tmp/serve.log"; exit 1; }
        sleep 0.05
    done
    url=$(sed -n 's/^Gallery: \(.*\)\/$/\1/p' "$tmp/serve.log")
    sticker=$(pgrep -P "$serve" -f sticker-service)
    search=$(pgrep -P "$serve" -f search-service)
}
stop() {
    kill "$serve"
    wait "$serve" || true
    serve=""
}
memory() { awk -v what="$2" '$1 == what ":" {printf "%.0f MiB", $2 / 1024}' "/proc/$1/status"; }
cpu_ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
tick_us=$((1000000 / $(getconf CLK_TCK)))

heading() { printf '%-28s %5s %11s %9s %9s %12s %12s\n' "" conns requests/s p50 p99 sticker-us search-us; }
# One line of figures; the last two are the processors' time per request, which other programs do not change.
row() { # name, connections, wrk's arguments...
    name=$1 conns=$2
    shift 2
    a=$(cpu_ticks "$sticker") b=$(cpu_ticks "$search")
    wrk -t"$((conns == 1 ? 1 : 2))" -c"$conns" -d"${each}s" --latency "$@" >"$tmp/wrk"
    a=$((($(cpu_ticks "$sticker") - a) * tick_us)) b=$((($(cpu_ticks "$search") - b) * tick_us))
    awk -v name="$name" -v c="$conns" -v a="$a" -v b="$b" '/ 50% /{p50 = $2} / 99% /{p99 = $2}
        /requests in/{n = $1} /Requests\/sec/{rate = $2} /Non-2xx/{bad = $NF}
        END {printf "%-28s %5d %11.0f %9s %9s %12.0f %12.0f%s\n", name, c, rate, p50, p99, n ? a / n : 0, n ? b / n : 0,
                    bad ? "  " bad " NOT 2xx" : ""}' "$tmp/wrk"
}
