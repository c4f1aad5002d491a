#!/usr/bin/env python3
"""Other libraries on the nearest 10 and 200 of N vectors of 512 dimensions, one thread: faiss, usearch and hnswlib, exact
and approximate. Vectors lie around centres that lie around others, and vary in some directions more than in others, as those
of pictures do (about 46 of 512 dimensions count): uniform ones say nothing of an approximate index.
Times are of the process's CPU, the least and the median of the queries; recall is against the exact answer.
    vectors.py make FILE N                  write vectors, 100 queries (float32) and their exact answers
    vectors.py measure FILE N INDEX ...     print lines for each index: flat sq usearch-exact ivf usearch hnswlib
An approximate index is built once, which takes minutes, and kept beside FILE; of its settings for a search, the first one
that reaches the recall counts. Needs numpy, faiss-cpu, usearch and hnswlib."""
import json
import os
import statistics
import sys
import time

import numpy as np

DIM, QUERIES, RECALL = 512, 100, 0.95
DEPTHS = (10, 200)


def make(path, n):
    import faiss
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(42)
    spread = (np.arange(1, DIM + 1) ** -0.45).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0].astype(np.float32)

    def noise(count):
        return rng.standard_normal((count, DIM), dtype=np.float32) * spread

    themes = noise(max(n // 5000, 1))
    centres = themes[rng.integers(len(themes), size=max(n // 50, 1))] + noise(max(n // 50, 1))
    with open(path, "wb") as f:
        for count in [10000] * (n // 10000) + [n % 10000, QUERIES]:
            v = (centres[rng.integers(len(centres), size=count)] + noise(count)) @ turn
            (v / np.linalg.norm(v, axis=1, keepdims=True)).tofile(f)
    data = np.memmap(path, dtype=np.float32, mode="r").reshape(-1, DIM)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(np.ascontiguousarray(data[:n]))
    flat.search(np.ascontiguousarray(data[n:]), DEPTHS[-1])[1].astype(np.int64).tofile(path + ".truth")


def report(name, search, queries, truth, depth, more=""):
    """Prints the line of one setting; returns the recall."""
    times, found = [], 0
    for q, expected in zip(queries, truth):
        t = time.process_time()
        ids = search(q[None], depth)
        times.append(1000 * (time.process_time() - t))
        found += len(set(map(int, np.asarray(ids).ravel())) & set(map(int, expected[:depth])))
    recall = found / depth / len(queries)
    print(f"{name:28} best {depth:3}  {min(times):7.2f} ms  median {statistics.median(times):7.2f}  recall {recall:.4f}{more}",
          flush=True)
    return recall


def kept(path, build, save, load):
    """The index in `path`, built if it is not there, and how many seconds of CPU that took."""
    if not os.path.exists(path):
        t = time.process_time()
        index = build()
        seconds = time.process_time() - t
        save(index, path)
        with open(path + ".json", "w") as f:
            json.dump(seconds, f)
    with open(path + ".json") as f:
        return load(path), f", built in {json.load(f):.0f} s, {os.path.getsize(path) >> 20} MiB"


def sweep(name, settings, set_one, search, queries, truth, more):
    for depth in DEPTHS:
        for value in settings:
            set_one(value)
            if report(f"{name} {value}", search, queries, truth, depth, more) >= RECALL:
                break


def int8(v, scale):
    return (v * scale).round().clip(-127, 127).astype(np.int8)


def flat(path, vectors, queries, truth):
    import faiss
    index = faiss.IndexFlatIP(DIM)
    index.add(vectors)
    report("faiss Flat", lambda q, k: index.search(q, k)[1], queries, truth, 10)


def sq(path, vectors, queries, truth):
    import faiss
    index = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:100000])
    index.add(vectors)
    report("faiss SQ8", lambda q, k: index.search(q, k)[1], queries, truth, 10)


def usearch_exact(path, vectors, queries, truth):
    import usearch.index
    scale = 127 / abs(vectors[:10000]).max()
    codes = int8(vectors, scale)
    report("usearch exact i8",
           lambda q, k: usearch.index.search(codes, int8(q, scale), k, metric="ip", exact=True, threads=1).keys, queries,
           truth, 10)


def ivf(path, vectors, queries, truth):
    import faiss

    def build():
        lists = int(4 * len(vectors) ** 0.5)
        index = faiss.index_factory(DIM, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = 64
        index.train(vectors)
        index.add(vectors)
        return index

    index, more = kept(path + ".ivf", build, faiss.write_index, faiss.read_index)
    sweep("faiss IVF-SQ8 nprobe", (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024),
          lambda n: setattr(index, "nprobe", n), lambda q, k: index.search(q, k)[1], queries, truth, more)


def usearch(path, vectors, queries, truth):
    import usearch.index
    index, more = usearch.index.Index(ndim=DIM, metric="ip", dtype="i8"), ""

    def build():
        index.add(np.arange(len(vectors)), vectors, threads=1)
        return index

    index, more = kept(path + ".usearch", build, lambda i, p: i.save(p), lambda p: usearch.index.Index.restore(p))
    sweep("usearch HNSW i8 expansion", (16, 32, 64, 128, 256, 512, 1024),
          lambda n: setattr(index, "expansion_search", n), lambda q, k: index.search(q[0], k, threads=1).keys, queries,
          truth, more)


def hnsw(path, vectors, queries, truth):
    import hnswlib

    def build():
        h = hnswlib.Index("ip", DIM)
        h.init_index(len(vectors), M=16, ef_construction=200)
        h.set_num_threads(1)
        h.add_items(vectors)
        return h

    def load(p):
        h = hnswlib.Index("ip", DIM)
        h.load_index(p)
        h.set_num_threads(1)
        return h

    h, more = kept(path + ".hnswlib", build, lambda i, p: i.save_index(p), load)
    sweep("hnswlib M=16 ef", (200, 400, 800, 1600), h.set_ef, lambda q, k: h.knn_query(q, k)[0], queries, truth, more)


INDEXES = {"flat": flat, "sq": sq, "usearch-exact": usearch_exact, "ivf": ivf, "usearch": usearch, "hnswlib": hnsw}


def main(verb, path, n, *names):
    n = int(n)
    if verb == "make":
        return make(path, n)
    try:
        import faiss
        faiss.omp_set_num_threads(1)
    except ImportError:
        pass
    data = np.memmap(path, dtype=np.float32, mode="r").reshape(-1, DIM)
    truth = np.fromfile(path + ".truth", dtype=np.int64).reshape(QUERIES, -1)
    for name in names:
        INDEXES[name](path, np.ascontiguousarray(data[:n]), np.ascontiguousarray(data[n:]), truth)


main(*sys.argv[1:])
