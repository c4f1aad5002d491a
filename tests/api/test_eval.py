#!/usr/bin/env python3
"""peel eval against a running SearchService: its numbers are those that another implementation, here, gets from
the same answers."""

import csv
import json
import math
import unittest
import urllib.parse

from peel_testing import ServiceTest, main, request

QUERIES = [
    ("q1", "dev", "word", "en", "cat", {"cat.png": 2}),
    ("q2", "dev", "word", "en", "park", {"cat.png": 1, "dog.png": 1}),
    ("q3", "test", "phrase", "en", "red birthday car", {"cake.png": 1, "car.png": 3}),
    ("q4", "test", "phrase", "de", "sun, or \"rain\"", {"dog.png": 2}),
    ("q5", "test", "phrase", "de", "zzzz", {"dog.png": 2}),
]


def expected(filenames, relevant):
    """Järvelin and Kekäläinen, with gain = grade as trec_eval has it."""

    def dcg(grades):
        return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades[:10]))

    grades = [relevant.get(name, 0) for name in filenames]
    found = sum(grade > 0 for grade in grades[:10])
    first = next((rank for rank, grade in enumerate(grades, 1) if grade), math.inf)
    return {
        "recall@1": float(first == 1),
        "recall@10": found / min(10, len(relevant)),
        "hit@10": float(found > 0),
        "MRR": 1 / first,
        "nDCG@10": dcg(grades) / dcg(sorted(relevant.values(), reverse=True)),
        "nothing found": float(not filenames),
    }


class Eval(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = cls.system.folder / "judged.csv"
        with open(cls.csv, "w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["id", "split", "type", "language", "query", "relevant"])
            for *row, relevant in QUERIES:
                writer.writerow([*row, " ".join(f"{name}:{grade}" for name, grade in relevant.items())])
        cls.topics, cls.qrels = cls.system.folder / "topics.tsv", cls.system.folder / "qrels"
        cls.topics.write_text("".join(f"{q[0]}\t{q[4]}\n" for q in QUERIES), encoding="utf-8")
        cls.qrels.write_text("".join(f"{q[0]} 0 {name} {grade}\n" for q in QUERIES for name, grade in q[5].items()))

    def run_eval(self, *args, check=True):
        return self.system.run("eval", *map(str, args), "--search-url", f"http://127.0.0.1:{self.system.search_port}", check=check)

    def reference(self, algorithm, queries, send_language=True):
        rows = []
        for _, _, _, language, query, relevant in queries:
            target = {"query": query, "algorithm": algorithm, "limit": 100}
            if send_language:
                target["lang"] = language
            answer = request(self.system.search_port, "GET", "/api/search/?" + urllib.parse.urlencode(target))
            rows.append(expected(answer.json()["filenames"], relevant))
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def assert_row(self, row, algorithm, queries, send_language=True):
        self.assertEqual((row["algorithm"], row["queries"]), (algorithm, len(queries)))
        for name, value in self.reference(algorithm, queries, send_language).items():
            self.assertAlmostEqual(row[name]["value"], value, places=9, msg=name)
            self.assertLessEqual(row[name]["low"], value + 1e-9)
            self.assertGreaterEqual(row[name]["high"], value - 1e-9)

    def test_numbers(self):
        rows = json.loads(self.run_eval(self.csv, "lexical", "hybrid", "--json").stdout)
        groups = {"": QUERIES}
        for name in ("word", "phrase"):
            groups[name] = [q for q in QUERIES if q[2] == name]
        for name in ("en", "de"):
            groups[name] = [q for q in QUERIES if q[3] == name]
        self.assertEqual([(r["name"], r["algorithm"]) for r in rows], [(g, a) for g in groups for a in ("lexical", "hybrid")])
        for row in rows:
            self.assert_row(row, row["algorithm"], groups[row["name"]])
        first, second = rows[0], rows[1]
        self.assertEqual(first["nDCG@10 gain"]["value"], 0)
        self.assertAlmostEqual(second["nDCG@10 gain"]["value"], second["nDCG@10"]["value"] - first["nDCG@10"]["value"])
        self.assertAlmostEqual(second["nDCG@10 ratio"], second["nDCG@10"]["value"] / first["nDCG@10"]["value"])
        self.assertGreater(first["nothing found"]["value"], 0)
        self.assertGreater(first["recall@1"]["value"], 0)

    def test_split_and_trec(self):
        rows = json.loads(self.run_eval(self.csv, "lexical", "--split", "dev", "--json").stdout)
        self.assertEqual(len(rows), 1)
        self.assert_row(rows[0], "lexical", QUERIES[:2])
        rows = json.loads(self.run_eval(self.topics, "lexical", "--qrels", self.qrels, "--json").stdout)
        self.assert_row(rows[0], "lexical", QUERIES, send_language=False)

    def test_table(self):
        lines = self.run_eval(self.csv).stdout.splitlines()
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        self.assertEqual({len(row) for row in cells}, {len(cells[0])})
        self.assertEqual([row[2] for row in cells[2:5]], ["lexical", "words", "hybrid"])
        self.assertEqual([row[0] for row in cells[2::3]], ["all", "type word", "type phrase", "language en", "language de"])

    def test_what_is_refused(self):
        for args, message in (
            ([self.csv, "magic"], 'algorithm "magic" is unknown'),
            ([self.csv, "vector:none/such"], 'model "none/such" is unknown'),
            ([self.csv, "vector"], "no model is installed"),
            ([self.csv, "--split", "train"], "no queries in split train"),
            ([self.csv, "--split", "dev", "--qrels", self.qrels], "either --qrels or --split"),
            ([self.qrels], "judged"),
            (["/does/not/exist.csv"], "/does/not/exist.csv"),
            ([self.topics, "--qrels", self.topics], 'expected "id 0 filename grade"'),
        ):
            with self.subTest(args=args):
                done = self.run_eval(*args, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                if message != "judged":
                    self.assertIn(message, done.stderr)
                self.assertEqual(done.stdout, "")
        done = self.system.run("eval", str(self.csv), "--search-url", "http://127.0.0.1:1", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("q1", done.stderr)


if __name__ == "__main__":
    main()
