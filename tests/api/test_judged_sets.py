#!/usr/bin/env python3
"""The programs of eval/: check.py finds what is wrong with the judged queries, fit.py learns what it should."""

import csv
import importlib.util
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from peel_testing import ROOT, ServiceTest, main

HEADER = ["id", "split", "type", "language", "query", "relevant"]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"eval/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fit = load("fit")


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEADER, *rows])


class Check(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-api-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def check(self, *args):
        return subprocess.run(
            [sys.executable, str(ROOT / "eval/check.py"), *map(str, args)], capture_output=True, text=True, timeout=60
        )

    def rows(self, name):
        with open(ROOT / "eval" / name, encoding="utf-8", newline="") as file:
            return list(csv.reader(file))[1:]

    def test_both_sets_are_as_they_should_be(self):
        done = self.check()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        heads = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("language ")]
        self.assertEqual(heads, ["word", "feeling"])
        # eval/README.md says the same.
        readme = (ROOT / "eval/README.md").read_text(encoding="utf-8")
        starter, chat = done.stdout.split("language ")[1:]
        for line in starter.splitlines()[1:]:
            self.assertIn(line, readme)
        english = re.search(r"^en .* (\d+) +(\d+) +(\d+)$", chat, re.M).groups()
        self.assertIn("| English | {} | {} | {} |".format(*english), readme)

    def faults(self, name, change):
        """What is found after change(rows), a line each."""
        rows = self.rows(name)
        change(rows)
        write_csv(self.folder / name, rows)
        done = self.check("--file", self.folder / name)
        self.assertEqual(done.returncode, 1 if done.stderr else 0)
        return done.stderr.splitlines()

    def test_each_fault_is_named(self):
        def put(row, column, value):
            def change(rows):
                rows[row][HEADER.index(column)] = value

            return change

        def swap_split(rows):
            rows[0][1] = {"dev": "test", "test": "dev"}[rows[0][1]]

        def other_grade(rows):
            rows[0][5] = "openmoji-cat-1F408.svg fluent3d-cat-1F408.webp:1"

        same = (
            (put(0, "id", "x001"), "expected the id"),
            (put(0, "type", "poem"), "unknown type or language: poem"),
            (put(0, "language", "xx"), "unknown type or language"),
            (put(0, "query", " early"), "has spaces around it"),
            (put(0, "query", "cafe\u0301"), "not NFC"),
            (lambda rows: put(0, "query", rows[1][4].upper())(rows), "this query is here twice"),
            (swap_split, "but the rule gives"),
            (put(0, "relevant", "cat.png"), "'cat.png' is no filename of a pack"),
            (put(0, "relevant", "openmoji-cat-1F408.svg:3"), "is no filename of a pack"),
            (put(0, "relevant", "openmoji-cat-1F408.svg openmoji-cat-1F408.svg"), "a sticker is judged twice"),
            (other_grade, "has another grade than the same emoji of the other pack"),
            (put(0, "relevant", " ".join(f"openmoji-cat-{i:04X}.svg" for i in range(41))), "41 relevant stickers"),
        )
        starter = (
            (put(0, "relevant", "openmoji-cat-1F408.svg:1"), "no sticker of grade 2"),
            (lambda rows: rows.pop(3), "expected the id q004"),
            (lambda rows: rows.__delitem__(slice(-8, None)), "ko: 48 queries, expected at least 50"),
            (lambda rows: next(r for r in rows if r[2] == "misspelling").__setitem__(4, "cat"), "is spelled correctly"),
        )
        chat = ((lambda rows: rows.pop(3), "expected the id c004"),)
        for name, cases in (("starter.csv", (*same, *starter)), ("chat.csv", (*same, *chat))):
            self.assertEqual(self.faults(name, lambda rows: None), [])
            for change, message in cases:
                with self.subTest(name=name, message=message):
                    found = self.faults(name, change)
                    self.assertTrue(any(message in line for line in found), found)
        self.assertEqual(self.faults("chat.csv", put(0, "relevant", "openmoji-cat-1F408.svg:1")), [])

    def test_files_that_the_packs_do_not_have(self):
        names = [one.removesuffix(":1") for row in self.rows("chat.csv") for one in row[5].split(" ")]
        missing = names.pop(names.index(names[0]))
        (self.folder / "names").write_text("\n".join(name for name in names if name != missing))
        done = self.check(self.folder / "names", "--file", ROOT / "eval/chat.csv")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{missing} is not in the packs", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), names.count(missing) + 1)

    def test_no_set(self):
        (self.folder / "mine.csv").write_text("")
        self.assertEqual(self.check("--file", self.folder / "mine.csv").returncode, 2)
        (self.folder / "chat.csv").write_text("id,query\nc001,cat\n")
        self.assertIn("the header must be", self.check("--file", self.folder / "chat.csv").stderr)


class Fit(unittest.TestCase):
    def test_fused(self):
        values = {
            "lexical": ({"a": 1.0, "b": 0.5}, 0),
            "words": ({"b": 0.5}, 0),
            "sentence": ({"a": 0.25, "c": 0.75, "e": 0.5}, 0.25),
        }
        self.assertEqual(
            fit.fused(values, (0.5, 1, 1)),
            # b is as alike as the least alike, and of equal ones the first by name is first
            [("b", 0.25 + 0.5 + 0.25), ("a", 0.5 + 0.25), ("c", 0.75), ("e", 0.5)],
        )
        many = {leg: ({}, 0) for leg in fit.LEGS} | {"words": ({f"{i:02d}": i / 20 for i in range(20)}, 0)}
        self.assertEqual([name for name, _ in fit.fused(many, (0, 1, 1))], [f"{i:02d}" for i in range(19, 9, -1)])

    def test_the_best_weights_are_chosen(self):
        best = (fit.GRID[2], fit.GRID[3])
        mean, weights = fit.choose(toy_queries(8, lambda i: best))
        self.assertEqual(weights, best)
        self.assertAlmostEqual(mean, 1)
        self.assertEqual(fit.choose([{"ndcg": dict.fromkeys(toy_queries(1, lambda i: best)[0]["ndcg"], 0.5)}])[1], (0, 0))

    def test_what_to_expect_is_measured_on_other_queries(self):
        best = (fit.GRID[2], fit.GRID[3])
        self.assertAlmostEqual(fit.expect(toy_queries(10, lambda i: best)), 1)
        own = toy_queries(fit.FOLDS, lambda i: (fit.GRID[i], fit.GRID[1]))  # each wants something else
        self.assertAlmostEqual(fit.expect(own), 0)
        self.assertAlmostEqual(fit.choose(own)[0], 1 / fit.FOLDS)

    def test_logistic_finds_the_curve(self):
        slope, offset = 4.5, -2.5
        points = []
        for x in (i / 50 for i in range(76)):
            right = round(2000 / (1 + math.exp(-(slope * x + offset))))
            points += [(x, True)] * right + [(x, False)] * (2000 - right)
        found = fit.logistic(points)
        self.assertAlmostEqual(found[0], slope, delta=0.02)
        self.assertAlmostEqual(found[1], offset, delta=0.02)

    def test_logistic_of_points_without_an_error(self):
        slope, offset = fit.logistic([(x / 10, x > 5) for x in range(11)])
        self.assertGreater(slope * 0.6 + offset, 0)
        self.assertLess(slope * 0.5 + offset, 0)
        self.assertLess(slope, 50, "the pull keeps it from growing")
        self.assertEqual(fit.logistic([]), (0, 0))

    def test_the_header_is_written_as_it_is_read(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-api-"))
        self.addCleanup(shutil.rmtree, folder)
        before = fit.HEADER.read_text(encoding="utf-8")
        copy = folder / fit.HEADER.name
        copy.write_text(before, encoding="utf-8")
        fits = read_fits(before)
        self.assertEqual(len(fits), len(fit.KINDS))
        self.assertEqual(float(re.search(r"#define FUSION_SURE (\S+)", before)[1]), fit.SURE)
        with mock.patch.object(fit, "HEADER", copy):
            fit.write_header(fits)
            after = copy.read_text(encoding="utf-8")
            self.assertEqual(after.split(), before.split(), "but for what clang-format breaks")
            other = [((0.05, 0.3), (1.25, -0.5)), ((0, 0.025), (7, -3.125)), ((0.4, 0), (3, -1)), ((0.1, 0.2), (0, 0))]
            fit.write_header(other)
        after = copy.read_text(encoding="utf-8")
        self.assertEqual(read_fits(after), other)
        table = re.compile(r"static const struct.*?^};\n", re.S | re.M)
        self.assertEqual(table.sub("", after), table.sub("", before))


def toy_queries(n, best_of):
    """Queries whose nDCG is 1 with the weights best_of(number), and the less the further the weights are from these."""
    pairs = [(a, b) for a in fit.GRID for b in fit.GRID]
    return [{"ndcg": {pair: max(0, 1 - 100 * math.dist(pair, best_of(i))) for pair in pairs}} for i in range(n)]


def read_fits(header):
    number = r"(-?[\d.]+)"
    rows = re.findall(
        rf"\[LEG_lexical\] = {number}, \[LEG_vector\] = {number}, \[LEG_words\] = {number}, \[LEG_sentence\] = [01]}},"
        rf"\s+\.slope = {number},\s+\.offset = {number}}},",
        header,
    )
    for row in rows:
        assert row[0] == row[1], row
    return [((float(lexical), float(words)), (float(slope), float(offset))) for lexical, _, words, slope, offset in rows]


class FitAndPeel(ServiceTest):
    """Beside `peel eval`, and against a service."""

    QUERIES = (
        ("cat", "cat.png:2"),
        ("park", "cat.png:1 dog.png:1"),
        ("red birthday car", "cake.png:1 car.png:3 dog.png"),
        ("sun, rain", "dog.png:2"),
        ("rain", "dog.png:2 sun%20&%20rain.png:1"),
    )

    def judged(self, queries):
        path = self.system.folder / "judged.csv"
        write_csv(path, [[f"q{i}", "dev", "word", "en", query, relevant] for i, (query, relevant) in enumerate(queries)])
        return path

    def setUp(self):
        self.url = f"http://127.0.0.1:{self.system.search_port}"

    def test_ndcg_is_that_of_peel_eval(self):
        path = self.judged(self.QUERIES)
        done = self.system.run("eval", str(path), "lexical", "--json", "--search-url", self.url)
        service, mine = fit.Service(self.url), []
        for q in fit.read_queries(path, "dev"):
            results = service.search(q["query"], q["language"], "lexical")["results"]
            mine.append(fit.ndcg([r["filename"] for r in results], q["grades"]))
        self.assertAlmostEqual(json.loads(done.stdout)[0]["nDCG@10"]["value"], sum(mine) / len(mine), places=9)
        self.assertGreater(len({round(value, 6) for value in mine}), 3, "of several values")

    def test_from_the_command_line(self):
        """Without a model of sentences: letters alone are weighed."""
        before = fit.HEADER.read_text(encoding="utf-8")
        words, phrases = ["cat", "dog", "cake", "car", "sun"], ["cat park", "dog puppy", "birthday cake", "red car", "sun rain"]
        others = ["el gato negro", "perro de la calle", "feliz cumpleaños amor", "mi coche nuevo", "el sol y la lluvia"]
        names = ["cat.png", "dog.png", "cake.png", "car.png", "cat.png"]
        path = self.judged([*zip(words, names), *zip(phrases, names), *zip(others, names)])
        command = [sys.executable, str(ROOT / "eval/fit.py"), str(path), "--search-url", self.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        for at, kind in enumerate(fit.KINDS):
            count, sentence = (5, 1) if at < 3 else (15, 0)
            said = f"^{kind}: {count} queries, lexical [0-9.]+, words 0, sentence {sentence}$"
            self.assertRegex(lines[2 * at], said)
            self.assertRegex(lines[2 * at + 1], r"nDCG@10 held out \d\.\d+, fitted \d\.\d+$")
        self.assertEqual(fit.HEADER.read_text(encoding="utf-8"), before)
        self.judged(zip(words, names))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout.count("\n")), (1, 2))
        self.assertEqual(done.stderr, "FUSION_ENGLISH: 0 queries, expected at least 5\n")


if __name__ == "__main__":
    main()
