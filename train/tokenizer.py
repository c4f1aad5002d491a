#!/usr/bin/python3
"""Stage 4: a byte pair encoding of our own, in the form of CLIP's, for the words that stickers are described with.

WORK/tokenizer/vocab.json, merges.txt   as Hugging Face's CLIPTokenizer reads them
"""
import json
import os
import re
from collections import Counter, defaultdict

from common import CONTEXT, VOCABULARY, path, read_json, words_of
from words import nouns

# CLIP's pattern; [^\W\d_] is \p{L} but for a few marks
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+")
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_letters():
    """GPT-2's spelling of the 256 bytes by printable characters, in its order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


LETTERS = byte_letters()


class Tokenizer:
    def __init__(self, folder=None):
        folder = folder or path("tokenizer")
        with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as f:
            self.ids = json.load(f)
        with open(os.path.join(folder, "merges.txt"), encoding="utf-8") as f:
            merges = [tuple(line.split()) for line in f.read().split("\n")[1:] if line]
        self.rank = {m: i for i, m in enumerate(merges)}
        self.known = {}

    def word(self, word):
        if word not in self.known:
            parts = [LETTERS[b] for b in word.encode()]
            parts[-1] += "</w>"
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda p: self.rank.get(p, 1 << 30))
                if best not in self.rank:
                    break
                parts = merged(parts, best)
            self.known[word] = [self.ids[p] for p in parts]
        return self.known[word]

    def encode(self, text):
        ids = [i for w in PIECES.findall(" ".join(text.lower().split())) for i in self.word(w)]
        return [self.ids[START]] + ids[:CONTEXT - 2] + [self.ids[END]]


def merged(parts, pair):
    out, i = [], 0
    while i < len(parts):
        both = i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair
        out.append(parts[i] + parts[i + 1] if both else parts[i])
        i += 2 if both else 1
    return out


def counted():
    """How often each word is worth having whole: those of the stickers most, then common English, then nouns."""
    count = Counter({"sticker": 5000, "stickers": 5000, "emoji": 5000, "picture": 5000})
    for c in read_json("concepts.json"):
        for phrase in [c["name"]] + c["keywords"]:
            for w in words_of(phrase):
                count[w] += 400
                count[w + "s"] += 60
    for p in read_json("pictures.json"):
        for w in p["words"]:
            count[w] += 40
    known = nouns()
    for rank, w in enumerate(read_json("glove.json")[:60000]):
        if rank < 20000 or w in known:
            count[w] += 1 + 200000 // (rank + 100) + (20 if w in known and rank < 20000 else 0)
    return count


def learn(count, merges):
    """Sennrich et al. 2016 (arXiv:1508.07909): the most frequent pair becomes one, again and again."""
    words = {w: [LETTERS[b] for b in w.encode()[:-1]] + [LETTERS[w.encode()[-1]] + "</w>"] for w in sorted(count)}
    pairs, where = Counter(), defaultdict(set)
    for w, parts in words.items():
        for p in zip(parts, parts[1:]):
            pairs[p] += count[w]
            where[p].add(w)
    out = []
    while len(out) < merges:
        best = max(pairs.items(), key=lambda x: (x[1], x[0]))[0]
        out.append(best)
        for w in sorted(where.pop(best)):
            parts = words[w]
            for p in zip(parts, parts[1:]):
                pairs[p] -= count[w]
                where[p].discard(w)
            words[w] = parts = merged(parts, best)
            for p in zip(parts, parts[1:]):
                pairs[p] += count[w]
                where[p].add(w)
        pairs.pop(best, None)
    return out


def main():
    folder = path("tokenizer")
    if os.path.exists(os.path.join(folder, "merges.txt")):
        return
    os.makedirs(folder, exist_ok=True)
    letters = list(LETTERS.values())
    merges = learn(counted(), VOCABULARY - 2 * len(letters) - 2)
    vocabulary = letters + [c + "</w>" for c in letters] + [a + b for a, b in merges] + [START, END]
    assert len(set(vocabulary)) == VOCABULARY
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as f:
        json.dump({t: i for i, t in enumerate(vocabulary)}, f, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


if __name__ == "__main__":
    main()
