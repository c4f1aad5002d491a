#!/usr/bin/env python3
"""Other libraries on the nearest 10 of N vectors of 512 dimensions, one thread: faiss, usearch and hnswlib, exact and
approximate. Vectors lie around centres, as those of pictures do: uniform ones say nothing of an approximate index. Times
are the least of many queries, of the process's CPU; recall@10 is against the exact answer.
    vectors.py make FILE N             writes vectors and 100 queries (float32) for Peel and the others
    vectors.py measure FILE N [hnsw]   prints a line for each index; hnswlib's takes minutes to build
Needs numpy, faiss-cpu, usearch and hnswlib."""
import sys
import time

import numpy as np

DIM, QUERIES, K = 512, 100, 10


def make(path, n):
    rng = np.random.default_rng(42)
    centres = rng.standard_normal((max(n // 100, 1), DIM), dtype=np.float32)
    with open(path, "wb") as f:
        for count in [10000] * (n // 10000) + [n % 10000, QUERIES]:
            v = centres[rng.integers(len(centres), size=count)] + rng.standard_normal((count, DIM), dtype=np.float32)
            (v / np.linalg.norm(v, axis=1, keepdims=True)).tofile(f)


def measure(name, search, queries, truth, built):
    least, found = 1e9, 0
    for q, expected in zip(queries, truth):
        t = time.process_time()
        ids = search(q[None])
        least = min(least, time.process_time() - t)
        found += len(set(map(int, np.asarray(ids).ravel())) & set(map(int, expected)))
    print(f"{name:24} {least * 1000:8.2f} ms  recall {found / K / len(queries):.4f}  built in {built:.1f} s", flush=True)


def main(verb, path, n, *more):
    if verb == "make":
        return make(path, int(n))
    import faiss
    import hnswlib
    import usearch.index
    faiss.omp_set_num_threads(1)
    n = int(n)
    data = np.fromfile(path, dtype=np.float32).reshape(-1, DIM)
    vectors, queries = data[:n], data[n:]
    flat = faiss.IndexFlatIP(DIM)
    flat.add(vectors)
    truth = flat.search(queries, K)[1]

    def timed(call):
        t = time.process_time()
        call()
        return time.process_time() - t

    measure("faiss Flat", lambda q: flat.search(q, K)[1], queries, truth, 0)
    sq = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    built = timed(lambda: (sq.train(vectors), sq.add(vectors)))
    measure("faiss SQ8", lambda q: sq.search(q, K)[1], queries, truth, built)
    scale = 127 / abs(vectors).max()
    codes = (vectors * scale).round().astype(np.int8)
    measure("usearch exact i8", lambda q: usearch.index.search(codes, (q * scale).round().clip(-127, 127).astype(np.int8),
                                                               K, metric="ip", exact=True, threads=1).keys, queries, truth, 0)
    if "hnsw" in more:
        h = hnswlib.Index("ip", DIM)
        h.init_index(n, M=16, ef_construction=200)
        h.set_num_threads(1)
        built = timed(lambda: h.add_items(vectors))
        for ef in (50, 200):
            h.set_ef(ef)
            measure(f"hnswlib M=16 ef={ef}", lambda q: h.knn_query(q, K)[0], queries, truth, built)


main(*sys.argv[1:])
