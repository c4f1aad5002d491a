#!/bin/sh
# What grows with the number of stickers: N of them (100,000) with words in three languages and the lexicon (LEXICON,
# else made-up words that mean nothing), one query with votes for 100,000 stickers, and 20,000 other queries. With MODELS,
# a folder of models, stickers also have vectors of the model MODEL in it, with DIM (512) dimensions, around random centres.
# DATA keeps the data folder for the next run. Prints the median, the 99th percentile and both services' processor time.
set -eu
cd "$(dirname "$0")/.."
make -s all build/release/bench/seed
. bench/services.sh
data=${DATA:-$tmp/data}
if [ ! -e "$data/sticker.db" ]; then
    mkdir -p "$data/bucket/words"
    [ -z "${LEXICON:-}" ] || cp "$LEXICON" "$data/bucket/words/english.words"
    build/release/bench/seed "$data" "${N:-100000}" ${MODELS:+"$MODEL" "${DIM:-512}"}
    python3 bench/scale.py fill "$data"
fi
export ADMIN_USERNAME=admin ADMIN_PASSWORD='a long password'
start "$data" --rate-limit 0 ${MODELS:+--models-dir "$MODELS"}
echo "ready: $(sed -n 's/^Ready in \(.*\)/\1/p' "$tmp/serve.log"), $(($(cpu_ticks "$sticker") * tick_us / 1000)) + $(($(cpu_ticks "$search") * tick_us / 1000)) ms of processor time"
python3 bench/scale.py measure "$data" "$url" "$sticker" "$search"
