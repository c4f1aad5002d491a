#!/usr/bin/env python3
"""peel export --format ...: data to train models with, read by other programs: by Python's own, by webdataset, and with PEEL_TEST_ML, the
path of a Python that has them, by sentence-transformers, datasets and open_clip (training_readers.py)."""

import csv
import hashlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import unittest
import urllib.parse

from peel_testing import PEEL, ROOT, ServiceTest, main, request

sys.path.insert(0, str(ROOT / "tests"))
import python_tools  # noqa: E402

READERS = pathlib.Path(__file__).parent / "training_readers.py"
HOSTILE = [
    'cat "quoted", \\ and \'so\'', "dog\there\nand there", "cake \U0001f382\ufe0f </script>", "=car+1", "sun;rain|park",
    "  Cat   KITTEN ", "gr\u00fc\u00dfe \u202e hello", "red \x7f car",
]  # fmt: skip
PLAIN = ["cat", "dog", "cake", "car", "sun", "kitten", "birthday cake", "park", "red car", "weather", "party", "drawing", "cat dog cake car sun"]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="32"><rect width="64" height="32" fill="red"/></svg>'
SPLITS = ("train", "dev", "test")


def split_of(query):
    n = int(hashlib.sha256(query.encode()).hexdigest()[:16], 16) % 10
    return "test" if n == 0 else "dev" if n == 1 else "train"


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


class Export(ServiceTest):
    arguments = ("--explore", "0")  # every search of a query shows the same
    numbers = itertools.count()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.system.folder / "more"
        folder.mkdir()
        (folder / "drawing.svg").write_text(SVG)
        (folder / "stickers.csv").write_text(
            "filename,title,words,language,author,license\n"
            "drawing.svg,A drawn car,\"car, drawing\",en,Ann,CC BY-SA 4.0\n"
        )
        cls.system.run("import", str(folder))
        cls.system.wait_indexed()
        cls.folded = {}
        for query in HOSTILE + PLAIN:
            cls.visit(query, range(6))
        cls.visit("rare cat", range(4))
        for query in ("dog",) * 3:  # nobody knows whose votes these are
            request(cls.port, "POST", "/api/feedback/", json.dumps({"feedback": [{"query": query, "positive": ["dog.png"]}]}))

    @classmethod
    def visit(cls, query, clients):
        """Each client sees all results, chooses the last one, and votes for the first and against the second one."""
        events = []
        for client in clients:
            answer = request(cls.port, "GET", "/api/search/?" + urllib.parse.urlencode({"query": query})).json()
            shown = answer["stickers"]
            actions = [("impression", name) for name in shown]
            if shown:
                actions += [("click", shown[-1]), ("vote_up", shown[0]), *(("vote_down", name) for name in shown[1:2])]
            for action, name in actions:
                events.append({"event_id": f"e{next(cls.numbers)}", "action_name": action, "query_id": answer["query_id"],
                               "object_id": name, "client_id": f"client {client}"})  # fmt: skip
        for start in range(0, len(events), 500):
            got = request(cls.port, "POST", "/api/events/", json.dumps({"events": events[start : start + 500]})).json()
            assert not got["failed"], got
        if events:
            cls.folded[" ".join(query.lower().replace("\ufe0f", "").split())] = shown

    def export(self, kind, name, *args, check=True, **more):
        folder = self.system.folder / name
        done = self.system.run("export", "--format", kind, "--out", str(folder), "--json", *map(str, args), check=check, **more)
        return folder, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def read_by(self, kind, folder, python=os.environ.get("PEEL_TEST_ML"), **env):
        """What the real libraries read, if there are any."""
        if python:
            done = subprocess.run([python, str(READERS), kind, str(folder)], capture_output=True, text=True, cwd=folder, env={**os.environ, **env})
            self.assertEqual(done.returncode, 0, done.stderr[-3000:])
            return json.loads(done.stdout.splitlines()[-1])
        return None

    def test_pairs(self):
        folder, manifest = self.export("pairs", "pairs")
        rows = {split: lines(folder / f"{split}.jsonl") for split in SPLITS}
        self.assertEqual({split: len(rows[split]) for split in SPLITS}, manifest["rows"])
        for split in SPLITS:
            for row in rows[split]:
                self.assertEqual(list(row), ["anchor", "positive"])
                self.assertEqual(split_of(row["anchor"]), split)
        pairs = {(row["anchor"], row["positive"]) for split in SPLITS for row in rows[split]}
        self.assertLessEqual({query for query, _ in pairs}, set(self.folded) - {"rare cat"})
        self.assertIn('cat "quoted", \\ and \'so\'', {query for query, _ in pairs})
        self.assertIn(("birthday cake", "Birthday cake"), pairs)
        self.assertEqual(manifest["read"]["searches_of_too_few_clients"], 1)
        self.assertEqual(sum(manifest["queries"].values()), len({query for query, _ in pairs}))
        self.assertEqual(list(manifest["rankings"].values()), [manifest["read"]["events"] - 3])  # three votes are of no search
        credits = list(csv.reader(open(folder / "credits.tsv", encoding="utf-8"), delimiter="\t"))
        self.assertEqual(credits[0], ["sticker", "author", "license", "source"])
        self.assertEqual(len(credits) - 1, sum(manifest["licenses"].values()))
        if read := self.read_by("pairs", folder):
            self.assertEqual(read, {"rows": manifest["rows"], "columns": ["anchor", "positive"]})

    def test_triplets_and_tuples(self):
        folder, manifest = self.export("triplets", "triplets", "--negatives", 2)
        titles = {"cat.png": "Cat in a park", "dog.png": "Dog", "cake.png": "Birthday cake", "car.png": "Red car",
                  "sun & rain, 100%.png": "Sun and rain", "grüße.png": "Grüße", "drawing.svg": "A drawn car"}  # fmt: skip
        rows = [row for split in SPLITS for row in lines(folder / f"{split}.jsonl")]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(list(row), ["anchor", "positive", "negative"])
            shown = [titles[name] for name in self.folded[row["anchor"]]]
            self.assertIn(row["positive"], [shown[0], *shown[2:][-1:]])  # voted for, or clicked
            self.assertIn(row["negative"], shown[1:-1] or shown[1:])  # voted against, or passed over above a click
        if read := self.read_by("triplets", folder):
            self.assertEqual(read, {"rows": manifest["rows"], "columns": ["anchor", "positive", "negative"]})
        folder, manifest = self.export("ntuples", "ntuples", "--negatives", 2)
        for split in SPLITS:
            for row in lines(folder / f"{split}.jsonl"):
                self.assertEqual(list(row), ["anchor", "positive", "negative_1", "negative_2"])

    def test_skipped_above(self):
        """Only what was seen above something chosen, and was itself not chosen, is a negative that nobody voted for."""
        query = next(q for q, shown in self.folded.items() if len(shown) > 3)
        shown = self.folded[query]
        folder, _ = self.export("qrels", "skipped")
        grades = {row[2]: int(row[3]) for split in SPLITS for row in map(str.split, (folder / f"{split}.qrels").open()) if row[0] == hashlib.sha256(query.encode()).hexdigest()[:16]}
        wanted = {shown[0]: 2, shown[-1]: 1} | {name: 0 for name in shown[1:-1]}
        self.assertEqual(grades, {name: grade for name, grade in wanted.items() if " " not in name})

    def test_judgements_are_read_by_eval(self):
        folder, manifest = self.export("qrels", "qrels")
        for split in SPLITS:
            if manifest["queries"][split]:
                done = self.system.run("eval", str(folder / f"{split}.topics.tsv"), "lexical", "--qrels", str(folder / f"{split}.qrels"), "--json",
                                       "--search-url", f"http://127.0.0.1:{self.system.search_port}")  # fmt: skip
                self.assertEqual(json.loads(done.stdout)[0]["queries"], manifest["queries"][split])

    def test_ubi(self):
        folder, manifest = self.export("ubi", "ubi")
        queries, events = lines(folder / "ubi_queries.ndjson"), lines(folder / "ubi_events.ndjson")
        self.assertEqual(len(events), sum(manifest["rows"].values()))
        by_id = {query["query_id"]: query for query in queries}
        self.assertEqual(len(by_id), len(queries))
        self.assertEqual({event["query_id"] for event in events}, set(by_id))
        for event in events:
            query, what = by_id[event["query_id"]], event["event_attributes"]
            self.assertEqual(query["user_query"], event["user_query"])
            if "position" in what:  # else it is a vote without a receipt
                self.assertEqual(query["query_response_hit_ids"][what["position"]["ordinal"] - 1], what["object"]["object_id"])
                self.assertEqual(what["propensity"], 1)
            self.assertLessEqual(len(event["query_id"]), 100)
            self.assertRegex(event["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertNotIn("rare cat", {query["user_query"] for query in queries})
        self.assertIn("rare cat", {query["user_query"] for query in lines(self.export("ubi", "ubi4", "--min-clients", 4)[0] / "ubi_queries.ndjson")})
        folder, _ = self.export("opensearch", "bulk")
        for name in ("ubi_queries", "ubi_events"):
            bulk, plain = lines(folder / f"{name}.ndjson"), lines(self.system.folder / "ubi" / f"{name}.ndjson")
            self.assertEqual(bulk[1::2], plain)
            self.assertEqual({line["index"]["_index"] for line in bulk[::2]}, {name})
            self.assertEqual(len({line["index"]["_id"] for line in bulk[::2]}), len(plain))

    def test_a_watermark_gives_the_same_bytes(self):
        _, manifest = self.export("ubi", "before")
        mark = manifest["watermark"]
        self.visit("cat", range(2))
        again, _ = self.export("ubi", "again", "--until", mark)
        self.assertEqual(tree(again), tree(self.system.folder / "before"))
        later, _ = self.export("ubi", "later", "--after", mark, "--min-clients", 2)
        self.assertEqual({event["user_query"] for event in lines(later / "ubi_events.ndjson")}, {"cat"})
        for kind in ("pairs", "webdataset"):
            one, two = (self.export(kind, f"{kind} {i}", "--until", mark)[0] for i in (1, 2))
            self.assertEqual(tree(one), tree(two))

    def test_webdataset(self):
        folder, manifest = self.export("webdataset", "shards", "--shard", 4)
        samples = {}
        for path in sorted(folder.glob("*.tar")):
            with tarfile.open(path) as tar:
                names = tar.getnames()
                self.assertLessEqual(len(names), 12)
                for key, group in itertools.groupby(names, lambda name: name.split(".")[0]):
                    sample = {name.split(".")[1]: tar.extractfile(name).read() for name in group}
                    samples[path.name.split("-")[0], key] = sample
                    facts = json.loads(sample["json"])
                    query = sample["txt"].decode()
                    self.assertEqual(facts["query"], query)
                    self.assertEqual(split_of(query), path.name.split("-")[0])
                    shown = self.folded[query]
                    self.assertEqual(facts["sticker"], shown[0])
                    self.assertLessEqual({n["sticker"]: n["kind"] for n in facts["negatives"]}.items(),
                                         ({shown[1]: "voted"} if len(shown) > 1 else {} | {}).items() | {name: "skipped_above" for name in shown[2:-1]}.items())  # fmt: skip
                    if facts["sticker"] == "drawing.svg":
                        self.assertEqual(sample["webp"][8:12], b"WEBP")
                        self.assertEqual((facts["author"], facts["license"]), ("Ann", "CC BY-SA 4.0"))
        self.assertEqual(len(samples), sum(manifest["rows"].values()))
        if read := self.read_by("open_clip", folder):
            self.assertEqual(read, {"rows": manifest["rows"]})
        if missing := python_tools.ensure():
            self.skipTest(missing)
        read = self.read_by("webdataset", folder, sys.executable, PYTHONPATH=str(python_tools.MODULES))
        self.assertEqual(read, {"rows": manifest["rows"], "captions": sorted(sample["txt"].decode() for sample in samples.values())})

    def test_tables_of_images(self):
        folder, manifest = self.export("tsv", "tsv")
        rows = []
        for split in SPLITS:
            with open(folder / f"{split}.tsv", encoding="utf-8", newline="") as file:
                found = list(csv.DictReader(file, delimiter="\t"))
            self.assertEqual(len(found), manifest["rows"][split])
            rows += found
        for row in rows:
            self.assertTrue((folder / row["filepath"]).read_bytes())
            self.assertIn(row["title"].replace("\x7f", " "), {query.replace("\x7f", " ") for query in self.folded})
        if read := self.read_by("tsv", folder):
            self.assertEqual(read["captions"], sorted(row["title"] for row in rows))
        folder, manifest = self.export("imagefolder", "imagefolder")
        stickers = set()
        for split in SPLITS:
            found = lines(folder / split / "metadata.jsonl")
            self.assertEqual(len(found), manifest["rows"][split])
            self.assertEqual({row["file_name"] for row in found} | {"metadata.jsonl"}, {p.name for p in (folder / split).iterdir()})
            for row in found:
                self.assertEqual(row["captions"][0], row["text"])
                self.assertEqual({self.folded[query][0] for query in row["captions"]}, {row["sticker"]})
                stickers.add(row["sticker"])
        self.assertEqual(stickers, {row[0] for row in csv.reader(open(folder / "credits.tsv", encoding="utf-8"), delimiter="\t")} - {"sticker"})
        if read := self.read_by("imagefolder", folder):
            self.assertEqual(read["rows"], manifest["rows"])

    def killed(self):
        """The folder of an export that was killed after its first shard."""
        for i in range(50):
            folder = self.system.folder / f"killed {i}"
            args = [PEEL, "export", "--format", "webdataset", "--shard", "1", "--out", str(folder), "--data", str(self.system.data)]
            child = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while child.poll() is None and not list(folder.glob("*.tar")):
                pass
            child.kill()
            if child.wait() == -signal.SIGKILL and (folder / ".unfinished").exists():
                return folder
        self.fail("it was never killed in time")

    def test_a_killed_one_goes_on(self):
        whole, _ = self.export("webdataset", "whole", "--shard", 1)
        folder = self.killed()
        self.assertFalse((folder / "manifest.json").exists())
        shards = {p.name: p.stat().st_ino for p in folder.glob("*.tar")}
        self.visit("dog", range(1))  # comes too late
        self.assertIn("unfinished export with other options", self.export("pairs", folder.name, check=False)[1])
        self.export("webdataset", folder.name, "--shard", 1)
        self.assertEqual(tree(folder), tree(whole))
        self.assertLessEqual(shards.items(), {p.name: p.stat().st_ino for p in folder.glob("*.tar")}.items())  # not written again
        self.assertIn("has an export already", self.export("webdataset", folder.name, "--shard", 1, check=False)[1])

    def test_what_cannot_be(self):
        taken = self.system.folder / "taken"
        taken.mkdir()
        (taken / "file").touch()
        for args, why in (
            (("--format", "pairs"), "name it with --out"),
            (("--format", "parquet", "--out", "x"), "parquet"),
            (("--out", "x"), "written to standard output"),
            (("--format", "pairs", "--out", str(taken)), "is not empty"),
            (("--format", "pairs", "--out", "x", "--since", "2026-01-01"), "--after"),
            (("--format", "pairs", "--out", "/proc/none/x"), "/proc/none"),
            (("--format", "pairs", "--out", "x", "--min-clients", "0"), "min-clients"),
        ):
            done = self.system.run("export", *args, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)

    def test_a_voter_who_is_forgotten_is_in_no_export(self):
        self.visit("forget me cat", range(100, 106))
        person = lambda folder: {event["client_id"] for event in lines(folder / "ubi_events.ndjson")}  # noqa: E731
        before, _ = self.export("ubi", "with")
        self.system.run("forget", "--voter", "client 100", "--yes")
        after, _ = self.export("ubi", "without")
        self.assertEqual(len(person(before) - person(after)), 1)
        pairs, _ = self.export("pairs", "five left")
        self.assertIn("forget me cat", {row["anchor"] for split in SPLITS for row in lines(pairs / f"{split}.jsonl")})


if __name__ == "__main__":
    main()
