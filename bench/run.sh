#!/bin/sh
# make bench: every benchmark, each with what it is held against. Nothing here is a test with a time limit.
#   bench/run.sh [http|store|images|moving|import|kernels|vectors|model|sentence|search|admin|meaning|words ...]
set -eu
cd "$(dirname "$0")/.."
photos=../shared/coco-val2014

run() {
    case $1 in
    http) sh bench/http.sh ;;
    store) make -s build/release/bench/store && build/release/bench/store ;;
    images)
        make -s build/release/bench/image
        if [ -d "$photos" ]; then build/release/bench/image "$photos"/*.jpg; else echo "skipped: $photos is absent"; fi
        ;;
    moving) make -s build/release/bench/moving && build/release/bench/moving ;;
    import) sh bench/import.sh ;;
    kernels) make -s build/release/bench/kernels && build/release/bench/kernels ;;
    vectors) sh bench/vectors.sh ;;
    model) sh bench/model.sh ;;
    sentence) sh bench/sentence.sh ;;
    search)
        make -s all build/release/bench/http_hello
        python3 bench/search.py "${PEEL_DATA:-data}"
        ;;
    admin) sh bench/admin.sh ;;
    meaning) sh bench/meaning.sh ;;
    words) sh bench/words.sh ;;
    *) echo "bench/run.sh: there is no benchmark $1" >&2 && exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- http store images moving import kernels vectors model sentence search admin meaning words
for name in "$@"; do
    echo "== $name"
    run "$name"
done
