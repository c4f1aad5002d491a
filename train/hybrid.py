#!/usr/bin/python3
"""Stage 12: what the model is worth to the search, by `peel eval` and the judged queries of eval/.

    hybrid.py DATA [MODEL [SPLIT]]     DATA: a data folder of `peel import` with both starter packs; models/starter, test

In a copy of the index half of the stickers, drawn by hash, or all of them lose their words and get names that say
nothing. `lexical`, `hybrid` and `vector` are asked without and with the model. Right are only stickers that lost their
words, or only those that kept them. Intervals are 95 % bootstraps. Writes WORK/hybrid.json.
"""
import csv
import hashlib
import json
import os
import shutil
import sys
import urllib.parse

from common import ROOT, hashed, write_json

os.environ.setdefault("PEEL_TEST_SLOW", "10")  # an index that has just lost all its words is slow
sys.path.insert(0, os.path.join(ROOT, "tests", "api"))
from peel_testing import System, request, wait_until  # noqa: E402

CASES = (("half of all, without words", 0.5, True), ("half of all, with words", 0.5, False), ("all with words", 0.0, False),
         ("all without words", 1.0, True))


def hidden(filename, share):
    return hashed("hidden:" + filename) < share


def nameless(filename):
    return "sticker-" + hashlib.sha256(filename.encode()).hexdigest()[:12] + os.path.splitext(filename)[1]


def judged(folder, share, of_hidden):
    """eval/starter.csv with the right ones of one half only, and the queries that have any left."""
    file = os.path.join(folder, "judged.csv")
    with open(os.path.join(ROOT, "eval", "starter.csv"), newline="") as f, open(file, "w", newline="") as g:
        rows = csv.DictReader(f)
        out = csv.DictWriter(g, rows.fieldnames)
        out.writeheader()
        for row in rows:
            right = [r.partition(":") for r in row["relevant"].split()]
            right = [(nameless(name) if of_hidden else name) + colon + grade for name, colon, grade in right
                     if hidden(name, share) == of_hidden]
            if right:
                out.writerow(row | {"relevant": " ".join(right)})
    return file


def hide(system, share):
    """By the documents' own API: another name, no title, no words; the image is the same."""
    port, after, names = system.search_port, 0, []
    while after is not None:
        page = request(port, "GET", f"/api/documents/?limit=200&after={after}").json()
        names += [(d["filename"], d["sha256"]) for d in page["documents"] if hidden(d["filename"], share)]
        after = page["next"]
    media = os.path.join(system.data, "bucket", "media")
    for name, sha256 in names:
        os.link(os.path.join(media, name), os.path.join(media, nameless(name)))
        body = json.dumps({"title": "", "words": [], "sha256": sha256}).encode()
        put = request(port, "PUT", "/api/documents/" + nameless(name), body, {"Content-Type": "application/json"})
        gone = request(port, "DELETE", "/api/documents/" + urllib.parse.quote(name))
        assert (put.status // 100, gone.status) == (2, 204), (name, put.status, gone.status)


def ask(system, file, algorithms, split):
    done = system.run("eval", file, *algorithms, "--json", "--split", split, "--search-url",
                      f"http://127.0.0.1:{system.search_port}")
    return [r for r in json.loads(done.stdout) if r["kind"] == "all" or (r["kind"], r["name"]) == ("language", "en")]


def use(system, model):
    models = os.path.join(system.data, "bucket", "models")
    os.makedirs(models)
    shutil.copytree(model, os.path.join(models, "starter"))
    system.run("model", "use", "starter", "--search-url", f"http://127.0.0.1:{system.search_port}")

    def indexed():
        m = request(system.search_port, "GET", "/api/models").json()["models"]
        return m and m[0]["state"] == "ready" and m[0]["pending"] == 0
    wait_until(indexed, 900, "an index")


def measure(data, model, split, share, cases):
    system, out = System(), []
    try:
        os.makedirs(os.path.join(system.data, "bucket"))
        shutil.copy(os.path.join(data, "search.db"), system.data)
        shutil.copytree(os.path.join(data, "bucket", "media"), os.path.join(system.data, "bucket", "media"), copy_function=os.link)
        os.symlink(os.path.abspath(os.path.join(data, "bucket", "words")), os.path.join(system.data, "bucket", "words"))
        system.start_search()
        hide(system, share)
        for algorithms in (("lexical", "hybrid"), ("hybrid", "vector")):
            if "vector" in algorithms:
                use(system, model)
            for what, of_hidden in cases:
                for row in ask(system, judged(system.data, share, of_hidden), algorithms, split):
                    v, name = row["nDCG@10"], row["algorithm"] + (", with the model" if "vector" in algorithms else "")
                    queries = "English" if row["name"] == "en" else "all"
                    out.append({"stickers": what, "queries": queries, "n": row["queries"], "algorithm": name, **v})
                    print(f"| {what} | {queries}, {row['queries']} | {name} | {v['value']:.3f} ({v['low']:.3f} to {v['high']:.3f}) |",
                          flush=True)
    finally:
        system.close()
    return out


def main():
    given = sys.argv[1:]
    data = given[0]
    model = given[1] if len(given) > 1 else os.path.join(ROOT, "models", "starter")
    split = given[2] if len(given) > 2 else "test"
    print("| right are stickers of | queries | algorithm | nDCG@10 |\n|---|---|---|---|")
    out = []
    for share in (0.5, 0.0, 1.0):
        cases = [(what, of_hidden) for what, s, of_hidden in CASES if s == share]
        out += measure(data, model, split, share, cases)
    write_json("hybrid.json", out)


if __name__ == "__main__":
    main()
