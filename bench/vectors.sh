#!/bin/sh
# Exact search at growing sizes; then N (100000) vectors around centres, exact and in lists, beside faiss, usearch and
# hnswlib where they are installed for $PYTHON, taking turns, ROUNDS (3) times.
#     [PYTHON=python3] [N=1000000 INDEXES="ivf usearch"] bench/vectors.sh
# PEERS=0 leaves the others out; bench/peers/vectors.py says what they need. Of 1,000,000, usearch and hnswlib take an
# hour to build.
set -eu
make -s build/release/bench/vectors
build/release/bench/vectors 328 10000 100000 1000000
python=${PYTHON:-python3} n=${N:-100000}
file=build/peers/vectors-$n.f32
[ "${PEERS:-1}" = 1 ] && $python -c 'import faiss, hnswlib, numpy, usearch' 2>/dev/null || exit 0
mkdir -p build/peers
[ -s "$file.truth" ] || $python bench/peers/vectors.py make "$file" "$n"
round=0
while [ $((round += 1)) -le "${ROUNDS:-3}" ]; do
    build/release/bench/vectors "$file" "$n"
    build/release/bench/vectors lists "$file" "$n" 0.95 0.99
    # shellcheck disable=SC2086
    $python bench/peers/vectors.py measure "$file" "$n" ${INDEXES:-flat sq usearch-exact ivf usearch hnswlib}
done
