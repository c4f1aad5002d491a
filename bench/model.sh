#!/bin/sh
# The encoders on ViT-B/32-shaped weights, beside PyTorch and onnxruntime-node where they are installed.
# PEERS=0 leaves the others out. They come with `apt-get install python3-torch libopenblas0-pthread` (without
# OpenBLAS, Debian's PyTorch is ten times slower) and, in build/peers, `npm install --ignore-scripts onnxruntime-node`.
set -eu
make -s build/release/bench/model
dir=build/clip-base
python=/usr/bin/python3 # Debian's, which is the one that python3-numpy and python3-torch install for
if [ ! -s $dir/model.safetensors ]; then
    if ! $python -c 'import numpy' 2>/dev/null; then
        echo "model: skipped: python3-numpy, which makes the weights, is not installed"
        exit 0
    fi
    $python train/reference.py make base $dir
fi
set --
if [ "${PEERS:-1}" = 1 ] && $python -c 'import torch' 2>/dev/null; then
    mkdir -p build/peers
    $python train/reference.py bench $dir >build/peers/pytorch.txt
    set -- "PyTorch=build/peers/pytorch.txt"
    if [ -d build/peers/node_modules/onnxruntime-node ]; then
        [ -s build/peers/text_77.onnx ] || $python train/reference.py export $dir build/peers
        cp bench/peers/onnxruntime.cjs build/peers/
        node build/peers/onnxruntime.cjs build/peers >build/peers/onnxruntime.txt
        set -- "$@" "onnxruntime=build/peers/onnxruntime.txt"
    fi
fi
build/release/bench/model $dir "$@"
