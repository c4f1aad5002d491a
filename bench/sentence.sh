#!/bin/sh
# A model of texts on one thread, beside PyTorch and onnxruntime where they are installed for $PYTHON.
#     MODEL=FOLDER [PYTHON=python3] bench/sentence.sh     such as data/bucket/models/sentence-transformers--all-MiniLM-L6-v2
# PEERS=0 leaves the others out; bench/peers/sentence.py says what they need.
set -eu
if [ ! -s "${MODEL:-}/model.safetensors" ]; then
    echo "skipped: MODEL names no folder with a model of texts; peel model pull sentence-transformers/all-MiniLM-L6-v2"
    exit 0
fi
make -s build/release/bench/sentence
python=${PYTHON:-python3} out=build/peers/sentence
set --
if [ "${PEERS:-1}" = 1 ] && $python -c 'import onnx, onnxscript, onnxruntime, torch, transformers' 2>/dev/null; then
    mkdir -p $out
    $python bench/peers/sentence.py "$MODEL" $out >$out/log 2>&1
    set -- "PyTorch=$out/torch.txt" "onnxruntime=$out/onnx.txt" "onnxruntime-int8=$out/onnx-int8.txt"
fi
build/release/bench/sentence "$MODEL" "$@"
