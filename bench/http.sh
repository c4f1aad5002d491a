#!/bin/sh
# The bare server's hello-JSON rate: what every other rate is held against.
set -eu
make -s build/release/bench/http_hello
tmp=$(mktemp -d)
mkfifo "$tmp/in"
build/release/bench/http_hello <"$tmp/in" >"$tmp/port" &
exec 3>"$tmp/in"
while [ ! -s "$tmp/port" ]; do sleep 0.1; done
port=$(cat "$tmp/port")
printf '%-10s %6s %12s %10s %10s\n' route conns requests/s p50 p99
for route in inline worker; do
    for conns in 1 64; do
        wrk -t1 -c$conns -d"${SECONDS_EACH:-4}s" --latency "http://127.0.0.1:$port/$route" |
            awk -v r=$route -v c=$conns '/50%/{p50=$2} /99%/{p99=$2} /Requests\/sec/{printf "%-10s %6d %12.0f %10s %10s\n", r, c, $2, p50, p99}'
    done
done
exec 3>&-
wait
rm -rf "$tmp"
