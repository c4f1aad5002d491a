#!/usr/bin/env python3
"""Learns how hybrid search weighs its legs, and what a score says about being right, from judged queries.

    python3 eval/fit.py eval/starter.csv --split dev [--search-url http://127.0.0.1:8118] [--write]

Asks a running SearchService for the results of each leg, adds up their scores as src/rank/fuse.c does, and tries all
weights of a grid for the best mean nDCG@10; the sentence leg weighs 1. Weights are chosen on four fifths of the queries and
measured on the last one, five times over, before they are chosen on all: the first number is what to expect, the
second one what was fitted. Then a logistic curve (Platt, 1999) is fitted from the fused score of each of the first ten
results to whether it is relevant. --write puts both into src/rank/fusion_weights.h. Needs nothing but Python.
"""
import argparse
import csv
import http.client
import itertools
import json
import math
import pathlib
import urllib.parse

LEGS = ("lexical", "words", "sentence")
GRID = (0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
KINDS = ("FUSION_WORD", "FUSION_ENGLISH", "FUSION_PHRASE", "FUSION_LETTERS")
DEPTH = 300
FOLDS = 5
PULL = 1e-3  # of the curve's numbers to 0, so that they are finite where scores tell right from wrong without an error
SURE = 0.9  # a higher score says no more, as in fuse.c: it is of what was asked for to the letter
HEADER = pathlib.Path(__file__).parent.parent / "src/rank/fusion_weights.h"


def read_queries(path, split):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if split and row.get("split") != split:
                continue
            grades = {}
            for item in row["relevant"].split():
                name, colon, grade = item.rpartition(":")
                grades[name if colon and grade.isdigit() else item] = int(grade) if colon and grade.isdigit() else 2
            yield {"id": row["id"], "query": row["query"], "language": row.get("language", ""), "grades": grades}


class Service:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port or 80)

    def search(self, query, language, algorithm):
        ask = {"query": query, "algorithm": algorithm, "limit": DEPTH, **({"lang": language} if language else {})}
        self.connection.request("GET", "/api/search/?" + urllib.parse.urlencode(ask))
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{algorithm}: {answer.get('detail')}")
        return answer


def values_of(service, query):
    """What each leg says of each document, as fuse.c adds it up: {leg: ({filename: value}, value of all others)}. Also
    sets query["asked"], what the legs searched by, with its spelling corrected, and query["said"], the language that it was
    taken for."""
    values = {}
    hybrid = service.search(query["query"], query["language"], "hybrid")
    text = query["asked"] = hybrid.get("corrected", query["query"])
    query["said"] = hybrid["language"]
    for leg in LEGS:
        if leg not in hybrid["legs"]:
            values[leg] = ({}, 0)
            continue
        results = service.search(text, query["language"], leg)["results"]
        scores = {r["filename"]: r["score"] for r in results}
        if leg == "lexical":
            best = max(scores.values(), default=0)
            scores = {name: score / best for name, score in scores.items()} if best > 0 else {}
        values[leg] = (scores, min(scores.values(), default=0) if leg == "sentence" else 0)
    return values


def fused(values, weights):
    names = set().union(*(scores for scores, _ in values.values()))
    total = {n: sum(w * values[leg][0].get(n, values[leg][1]) for leg, w in zip(LEGS, weights)) for n in names}
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))[:10]


def ndcg(names, grades):
    def gain(list_of_grades):
        return sum(grade / math.log2(i + 2) for i, grade in enumerate(list_of_grades[:10]))

    return gain([grades.get(n, 0) for n in names]) / gain(sorted(grades.values(), reverse=True))


def choose(queries):
    """The weights with the best mean, of equal ones the smallest."""
    best = None
    for weights in itertools.product(GRID, GRID):
        mean = sum(q["ndcg"][weights] for q in queries) / len(queries)
        if best is None or mean > best[0] + 1e-9:
            best = (mean, weights)
    return best


def expect(queries):
    """The mean over queries that the weights were not chosen on."""
    held_out = []
    for fold in range(FOLDS):
        _, weights = choose([q for i, q in enumerate(queries) if i % FOLDS != fold])
        held_out += [q["ndcg"][weights] for i, q in enumerate(queries) if i % FOLDS == fold]
    return sum(held_out) / len(held_out)


def logistic(points):
    """slope, offset of 1 / (1 + exp(-(slope * x + offset))), by Newton's method, with a little pull to 0."""
    slope = offset = 0.0
    for _ in range(50):
        g0, g1, h01 = PULL * slope, PULL * offset, 0.0
        h00 = h11 = PULL
        for x, y in points:
            p = 1 / (1 + math.exp(-max(-30, min(30, slope * x + offset))))
            g0, g1 = g0 + (p - y) * x, g1 + (p - y)
            h00, h01, h11 = h00 + p * (1 - p) * x * x, h01 + p * (1 - p) * x, h11 + p * (1 - p)
        det = h00 * h11 - h01 * h01
        slope, offset = slope - (h11 * g0 - h01 * g1) / det, offset - (h00 * g1 - h01 * g0) / det
    return slope, offset


def show_calibration(points, slope, offset):
    bins = {}
    for x, y in points:
        p = 1 / (1 + math.exp(-(slope * x + offset)))
        bins.setdefault(min(int(p * 5), 4), []).append((p, y))
    for _, items in sorted(bins.items()):
        said, right = (sum(i[k] for i in items) / len(items) for k in (0, 1))
        print(f"    confidence {said:.2f}: {right:.2f} of {len(items)} results are right")


def write_header(fits):
    text = HEADER.read_text(encoding="utf-8")
    start, end = text.index("static const struct"), text.index("#endif", text.index("static const struct"))
    rows = ""
    for kind, (weights, curve) in zip(KINDS, fits):
        lexical, words = weights
        rows += (
            f"    [{kind}] = {{.weights = {{[LEG_lexical] = {lexical:g}, [LEG_vector] = {lexical:g}, "
            f"[LEG_words] = {words:g}, [LEG_sentence] = {int(kind != KINDS[3])}}},\n"
            f"{' ' * (len(kind) + 10)}.slope = {curve[0]:.3f},\n{' ' * (len(kind) + 10)}.offset = {curve[1]:.3f}}},\n"
        )
    table = "static const struct fusion_fit fusion_fits[FUSION_KINDS] = {\n" + rows + "};\n\n"
    HEADER.write_text(text[:start] + table + text[end:], encoding="utf-8")


def is_of(query, kind):
    """As in fuse.c: one word, an English phrase, a phrase in another language; any without the leg of sentences."""
    several = " " in query["asked"].strip()
    return kind == 3 or kind == (0 if not several else 1 if query["said"] == "en" else 2)


def fit_kind(queries, kind):
    """(weights, curve) of a kind of query, and prints how good they are."""
    sentence = int(kind != 3)
    ours = [q for q in queries if is_of(q, kind)]
    if len(ours) < FOLDS:
        raise SystemExit(f"{KINDS[kind]}: {len(ours)} queries, expected at least {FOLDS}")
    for q in ours:
        grid = itertools.product(GRID, GRID)
        q["ndcg"] = {w: ndcg([n for n, _ in fused(q["values"], (*w, sentence))], q["grades"]) for w in grid}
    mean, weights = choose(ours)
    print(f"{KINDS[kind]}: {len(ours)} queries, lexical {weights[0]:g}, words {weights[1]:g}, sentence {sentence}")
    print(f"    nDCG@10 held out {expect(ours):.4f}, fitted {mean:.4f}")
    if not sentence:
        return weights, (0, 0)
    points = [
        (min(score, SURE), q["grades"].get(n, 0) > 0)
        for q in ours
        if q["values"]["sentence"][0]
        for n, score in fused(q["values"], (*weights, 1))
    ]
    curve = logistic(points)
    show_calibration(points, *curve)
    return weights, curve


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("judged", nargs="+")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--search-url", default="http://127.0.0.1:8118")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    service = Service(args.search_url)
    queries = [q for path in args.judged for q in read_queries(path, args.split)]
    for q in queries:
        q["values"] = values_of(service, q)
    fits = [fit_kind(queries, kind) for kind in range(len(KINDS))]
    if args.write:
        write_header(fits)


if __name__ == "__main__":
    main()
