#!/bin/sh
# The encoders on ViT-B/32-shaped weights, beside PyTorch and onnxruntime-node where they are installed.
# PEERS=0 leaves the others out. They come with `apt-get install python3-torch libopenblas0-pthread` (without
# OpenBLAS, Debian's PyTorch is ten times slower) and, in build/peers, `npm install --ignore-scripts onnxruntime-node`.
set -eu
make -s build/release/bench/model
. bench/weights.sh
make_weights || exit 0
set --
if [ "${PEERS:-1}" = 1 ] && $python -c 'import torch' 2>/dev/null; then
    mkdir -p build/peers
    $python train/reference.py bench $weights >build/peers/pytorch.txt
    set -- "PyTorch=build/peers/pytorch.txt"
    if [ -d build/peers/node_modules/onnxruntime-node ]; then
        [ -s build/peers/text_77.onnx ] || $python train/reference.py export $weights build/peers
        cp bench/peers/onnxruntime.cjs build/peers/
        node build/peers/onnxruntime.cjs build/peers >build/peers/onnxruntime.txt
        set -- "$@" "onnxruntime=build/peers/onnxruntime.txt"
    fi
fi
build/release/bench/model $weights "$@"
