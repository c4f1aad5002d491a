#!/bin/sh
# Exact search at growing sizes; then 100,000 vectors around centres beside faiss, usearch and hnswlib where they are
# installed for $PYTHON, taking turns, ROUNDS (3) times.
#     [PYTHON=python3] bench/vectors.sh
# PEERS=0 leaves the others out; bench/peers/vectors.py says what they need.
set -eu
make -s build/release/bench/vectors
build/release/bench/vectors 328 10000 100000 1000000
python=${PYTHON:-python3} file=build/peers/vectors.f32 hnsw=hnsw
[ "${PEERS:-1}" = 1 ] && $python -c 'import faiss, hnswlib, numpy, usearch' 2>/dev/null || exit 0
mkdir -p build/peers
[ -s $file ] || $python bench/peers/vectors.py make $file 100000
round=0
while [ $((round += 1)) -le "${ROUNDS:-3}" ]; do
    build/release/bench/vectors $file 100000
    $python bench/peers/vectors.py measure $file 100000 $hnsw
    hnsw=
done
