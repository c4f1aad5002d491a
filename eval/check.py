#!/usr/bin/env python3
"""Checks eval/starter.csv and eval/chat.csv: python3 eval/check.py [PACKS] [--dictionary FILE] [--file FILE]

PACKS is a folder with the packs' stickers, or a file with a filename a line; "-" reads such lines from standard
input. Without it everything but the filenames' existence is checked. A dictionary has a correct word a line;
/usr/share/dict/words is taken where there is one. --file checks one file, whose name says which of the two sets it is.
Exits 1 and names each fault found.
"""
import argparse
import collections.abc
import csv
import dataclasses
import hashlib
import os
import re
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = ["id", "split", "type", "language", "query", "relevant"]
MOST_RELEVANT = 40
STICKER = re.compile(r"((?:openmoji-[^\s:]+?|fluent3d-[^\s:]+?)-([0-9A-F-]+)\.(?:svg|webp))(:[12])?")


@dataclasses.dataclass(frozen=True)
class Rules:
    prefix: str  # of the ids
    types: tuple
    minimum: dict  # by language: queries
    seed: str  # of the split, which is drawn within each
    stratum: collections.abc.Callable
    always_fits: bool  # each query has a sticker of grade 2
    left_out: dict = dataclasses.field(default_factory=dict)  # languages of queries that were left out, by id


SETS = {
    "starter.csv": Rules(
        prefix="q",
        types=("word", "paraphrase", "situation", "misspelling", "emoji"),
        minimum={"en": 300} | dict.fromkeys(("es", "ja", "de", "zh", "ar", "fr", "pt", "ko"), 50),
        seed="peel-eval-1",
        stratum=lambda row: (row["language"], row["type"]),
        always_fits=True,
    ),
    "chat.csv": Rules(
        prefix="c",
        types=("feeling", "greeting", "reaction", "plan", "wish", "complaint", "event", "slang"),
        minimum=dict.fromkeys(
            ("en", "es", "fr", "de", "pt", "it", "ja", "zh", "ko", "ar", "ru", "hi", "tr", "nl", "pl", "id", "vi"), 0
        ),
        seed="peel-chat-1",
        stratum=lambda row: row["language"] == "en",
        always_fits=False,
        left_out={"c096": "fr", "c107": "it", "c118": "ko"},  # no sticker fits; they took part in drawing the split
    ),
}


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


def split_of(rows, rules):
    """40% of each stratum are dev: those whose hash of seed and id is lowest."""
    strata = collections.defaultdict(list)
    for row in rows + [{"id": i, "language": language} for i, language in rules.left_out.items()]:
        strata[rules.stratum(row)].append(row["id"])
    out = {}
    for ids in strata.values():
        ids.sort(key=lambda i: hashlib.sha256(f"{rules.seed}:{i}".encode()).hexdigest())
        dev = (4 * len(ids) + 5) // 10
        out.update((i, "dev" if at < dev else "test") for at, i in enumerate(ids))
    return out


def expected_ids(n, rules):
    numbers = (f"{rules.prefix}{number:03d}" for number in range(1, n + len(rules.left_out) + 1))
    return [i for i in numbers if i not in rules.left_out]


def check_rows(rows, rules, exist, fault):
    seen = set()
    for expected, row in zip(expected_ids(len(rows), rules), rows):
        name = f"{row['id']} ({row['query']})"
        if row["id"] != expected:
            fault(f"{name}: expected the id {expected}")
        if row["type"] not in rules.types or row["language"] not in rules.minimum:
            fault(f"{name}: unknown type or language: {row['type']}, {row['language']}")
        if not row["query"].strip() or row["query"] != unicodedata.normalize("NFC", row["query"].strip()):
            fault(f"{name}: the query is empty, not NFC, or has spaces around it")
        key = row["language"], row["query"].casefold()
        if key in seen:
            fault(f"{name}: this query is here twice")
        seen.add(key)
        check_relevant(name, row["relevant"].split(" "), rules, exist, fault)


def check_relevant(name, relevant, rules, exist, fault):
    if not 1 <= len(relevant) <= MOST_RELEVANT:
        fault(f"{name}: {len(relevant)} relevant stickers, expected 1 to {MOST_RELEVANT}")
    found = [STICKER.fullmatch(one) for one in relevant]
    grades = {}
    for one, match in zip(relevant, found):
        if not match:
            fault(f"{name}: '{one}' is no filename of a pack with a grade of 1 or 2")
            continue
        if exist is not None and match[1] not in exist:
            fault(f"{name}: {match[1]} is not in the packs")
        if grades.setdefault(match[2], match[3]) != match[3]:
            fault(f"{name}: {match[1]} has another grade than the same emoji of the other pack")
    files = [match[1] for match in found if match]
    if len(set(files)) != len(files):
        fault(f"{name}: a sticker is judged twice")
    if rules.always_fits and all(one.endswith(":1") for one in relevant):
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


def show_counts(rows, rules, fault):
    count = collections.Counter((row["language"], row["type"]) for row in rows)
    print("language " + " ".join(f"{kind:>11}" for kind in rules.types) + "    all  dev test")
    for language, least in rules.minimum.items():
        every = sum(count[language, kind] for kind in rules.types)
        dev = sum(row["split"] == "dev" for row in rows if row["language"] == language)
        numbers = " ".join(f"{count[language, kind]:11}" for kind in rules.types)
        print(f"{language:<8} {numbers} {every:6} {dev:4} {every - dev:4}")
        if every < least:
            fault(f"{language}: {every} queries, expected at least {least}")


def check(path, exist, known):
    """Prints how many queries there are of each language and type, and returns the faults."""
    rules, faults = SETS[os.path.basename(path)], []
    rows = read(path)
    check_rows(rows, rules, exist, faults.append)
    if "misspelling" in rules.types:
        check_spelling(rows, known, faults.append)
    splits = split_of(rows, rules)
    for row in rows:
        if row["split"] != splits[row["id"]]:
            faults.append(f"{row['id']}: split {row['split']}, but the rule gives {splits[row['id']]}")
    show_counts(rows, rules, faults.append)
    return faults


def main():
    parser = argparse.ArgumentParser(description="Checks eval/starter.csv and eval/chat.csv.")
    parser.add_argument("packs", nargs="?", help="folder of the stickers, file of their names, or -")
    parser.add_argument("--dictionary", help="correct English words, one a line")
    parser.add_argument("--file", help=f"one file, named {' or '.join(SETS)}; without it both are checked")
    args = parser.parse_args()
    if args.file and os.path.basename(args.file) not in SETS:
        parser.error(f"--file: expected a file named {' or '.join(SETS)}")
    exist, known = stickers(args.packs), dictionary(args.dictionary)
    faults = []
    for path in [args.file] if args.file else [os.path.join(HERE, name) for name in SETS]:
        faults += check(path, exist, known)
    for line in faults:
        print(line, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
