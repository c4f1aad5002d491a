#!/bin/sh
# The encoders on ViT-B/32-shaped weights, beside PyTorch and onnxruntime where they are installed for $PYTHON. The
# runtimes take turns, ROUNDS (3) times, and the least of each counts.
#     [PYTHON=python3] bench/model.sh
# THREADS=1 leaves out two threads, which are measured by the clock and say nothing on a busy machine.
# PEERS=0 leaves the others out; bench/peers/clip.py says what they need.
set -eu
make -s build/release/bench/model
. bench/weights.sh
make_weights || exit 0
python=${PYTHON:-python3} out=build/peers/clip peers=no
mkdir -p "$out"
rm -f "$out"/*.txt
if [ "${PEERS:-1}" = 1 ] && $python -c 'import onnx, onnxscript, onnxruntime, torch, transformers' 2>/dev/null; then
    peers=yes
    [ -s "$out/image-int8.onnx" ] || $python bench/peers/clip.py export $weights "$out" >"$out/log" 2>&1
fi
round=0
while [ $((round += 1)) -le "${ROUNDS:-3}" ]; do
    [ $peers = no ] || $python bench/peers/clip.py measure $weights "$out" "${THREADS:-2}" >>"$out/log" 2>&1
    build/release/bench/model measure $weights "$out" "${THREADS:-2}"
done
sed -n 's/^model name[^:]*: */CPU: /p' /proc/cpuinfo | head -1
build/release/bench/model table "$out"
