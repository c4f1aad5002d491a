#!/usr/bin/env python3
"""Checks eval/starter.csv: python3 eval/check.py [PACKS] [--dictionary FILE]

PACKS is a folder with the packs' stickers, or a file with a filename a line; "-" reads such lines from standard
input. Without it everything but the filenames' existence is checked. A dictionary has a correct word a line;
/usr/share/dict/words is taken where there is one. Exits 1 and names each fault found.
"""
import argparse
import collections
import csv
import hashlib
import os
import re
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = ["id", "split", "type", "language", "query", "relevant"]
TYPES = ["word", "paraphrase", "situation", "misspelling", "emoji"]
MINIMUM = {"en": 300, "es": 50, "ja": 50, "de": 50, "zh": 50, "ar": 50, "fr": 50, "pt": 50, "ko": 50}
SEED = "peel-eval-1"
MOST_RELEVANT = 40
STICKER = re.compile(r"(openmoji-[^\s:]+\.svg|fluent3d-[^\s:]+\.webp)(:[12])?")


def words(text):
    return re.findall(r"[a-z]+", text.lower())


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, strict=True))
    if not lines or lines[0] != HEADER:
        sys.exit(f"{path}: the header must be {','.join(HEADER)}")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(HEADER):
            sys.exit(f"{path}: record {number} has {len(line)} fields, expected {len(HEADER)}")
    return [dict(zip(HEADER, line)) for line in lines[1:]]


def stickers(source):
    if source is None:
        return None
    if source == "-":
        return set(sys.stdin.read().split())
    if os.path.isdir(source):
        return set(os.listdir(source))
    with open(source, encoding="utf-8") as file:
        return set(file.read().split())


def dictionary(path):
    path = path or "/usr/share/dict/words"
    if not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        return {line.strip().lower() for line in file}


def split_of(rows):
    """40% of each language and type are dev: those whose hash of seed and id is lowest."""
    strata = collections.defaultdict(list)
    for row in rows:
        strata[row["language"], row["type"]].append(row["id"])
    out = {}
    for ids in strata.values():
        ids.sort(key=lambda i: hashlib.sha256(f"{SEED}:{i}".encode()).hexdigest())
        dev = (4 * len(ids) + 5) // 10
        out.update((i, "dev" if at < dev else "test") for at, i in enumerate(ids))
    return out


def check_rows(rows, exist, fault):
    seen = set()
    for number, row in enumerate(rows, 1):
        name = f"{row['id']} ({row['query']})"
        if row["id"] != f"q{number:03d}":
            fault(f"{name}: expected the id q{number:03d}")
        if row["type"] not in TYPES or row["language"] not in MINIMUM:
            fault(f"{name}: unknown type or language: {row['type']}, {row['language']}")
        if not row["query"].strip() or row["query"] != unicodedata.normalize("NFC", row["query"].strip()):
            fault(f"{name}: the query is empty, not NFC, or has spaces around it")
        key = row["language"], row["query"].casefold()
        if key in seen:
            fault(f"{name}: this query is here twice")
        seen.add(key)
        check_relevant(name, row["relevant"].split(" "), exist, fault)


def check_relevant(name, relevant, exist, fault):
    if not 1 <= len(relevant) <= MOST_RELEVANT:
        fault(f"{name}: {len(relevant)} relevant stickers, expected 1 to {MOST_RELEVANT}")
    found = [STICKER.fullmatch(one) for one in relevant]
    for one, match in zip(relevant, found):
        if not match:
            fault(f"{name}: '{one}' is no filename of a pack with a grade of 1 or 2")
        elif exist is not None and match[1] not in exist:
            fault(f"{name}: {match[1]} is not in the packs")
    files = [match[1] for match in found if match]
    if len(set(files)) != len(files):
        fault(f"{name}: a sticker is judged twice")
    if all(one.endswith(":1") for one in relevant):
        fault(f"{name}: no sticker of grade 2")


def check_spelling(rows, known, fault):
    """A misspelling has a word that neither the other queries, the stickers' names nor the dictionary know."""
    known = set(known)
    for row in rows:
        if row["language"] == "en" and row["type"] != "misspelling":
            known.update(words(row["query"]))
        known.update(words(row["relevant"]))
    for row in rows:
        if row["type"] == "misspelling" and all(word in known for word in words(row["query"])):
            fault(f"{row['id']} ({row['query']}): every word of it is spelled correctly")


def main():
    parser = argparse.ArgumentParser(description="Checks eval/starter.csv.")
    parser.add_argument("packs", nargs="?", help="folder of the stickers, file of their names, or -")
    parser.add_argument("--dictionary", help="correct English words, one a line")
    parser.add_argument("--file", default=os.path.join(HERE, "starter.csv"))
    args = parser.parse_args()
    rows, faults = read(args.file), []
    check_rows(rows, stickers(args.packs), faults.append)
    check_spelling(rows, dictionary(args.dictionary), faults.append)
    splits = split_of(rows)
    for row in rows:
        if row["split"] != splits[row["id"]]:
            faults.append(f"{row['id']}: split {row['split']}, but the rule gives {splits[row['id']]}")
    count = collections.Counter((row["language"], row["type"]) for row in rows)
    print("language " + " ".join(f"{kind:>11}" for kind in TYPES) + "    all  dev test")
    for language, least in MINIMUM.items():
        every = sum(count[language, kind] for kind in TYPES)
        dev = sum(row["split"] == "dev" for row in rows if row["language"] == language)
        numbers = " ".join(f"{count[language, kind]:11}" for kind in TYPES)
        print(f"{language:<8} {numbers} {every:6} {dev:4} {every - dev:4}")
        if every < least:
            faults.append(f"{language}: {every} queries, expected at least {least}")
    for line in faults:
        print(line, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
