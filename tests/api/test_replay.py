#!/usr/bin/env python3
"""peel replay and peel model use --gate: what is better, worse and the same, from searches, votes and choices that are known."""

import hashlib
import json
import unittest
import urllib.parse

from peel_testing import ServiceTest, main, request, wait_until
from test_embeddings import GOLDEN, add_model

THINGS = ("apple bridge candle desert engine flower guitar hammer island jacket kettle ladder mirror needle orange pencil quartz "
          "rocket saddle teapot umbrella violin window zebra").split()  # fmt: skip
WORSE = "min_score=1000"  # finds nothing


class Replay(ServiceTest):
    arguments = ("--explore", "0")  # every search of a query shows the same

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.system.add({f"{thing}.png": (thing.title(), thing) for thing in THINGS})
        cls.system.wait_indexed()
        events, voters = [], 0
        for thing in THINGS:
            answer = request(cls.port, "GET", "/api/search/?" + urllib.parse.urlencode({"query": f"What {thing.upper()} is it?"})).json()
            assert answer["stickers"][0] == f"{thing}.png", answer
            for i in range(6):
                events += [{"event_id": f"{thing} {i} {action}", "action_name": action, "query_id": answer["query_id"], "object_id": f"{thing}.png",
                            "client_id": f"client {i}"} for action in (("impression", "click") if i < 4 else ("impression",))]  # fmt: skip
        while not cls.some_are_held_out():  # which depends on the database's key
            cls.vote(THINGS[0], range(voters, voters := voters + 60))
        for thing in THINGS[1:]:
            cls.vote(thing, range(voters))
        answer = request(cls.port, "POST", "/api/events/", json.dumps({"events": events}))
        assert answer.json()["accepted"] == len(events), answer.body
        cls.judged = cls.system.folder / "judged.csv"
        cls.judged.write_text("query,relevant,split\n" + "".join(f"what {thing} is it?,{thing}.png,dev\n" for thing in THINGS) + "none,cat.png,test\n")

    @classmethod
    def vote(cls, thing, voters):
        feedback = [{"query": f"What {thing.upper()} is it?", "voter": f"voter {i}", "positive": [f"{thing}.png"]} for i in voters]
        for start in range(0, len(feedback), 100):
            answer = request(cls.port, "POST", "/api/feedback/", json.dumps({"feedback": feedback[start : start + 100]}))
            assert answer.status == 200, answer.body

    @classmethod
    def some_are_held_out(cls):
        return any(int(hashlib.sha256(voter.encode()).hexdigest()[:16], 16) % 10 == 0 for voter, in cls.system.sql("SELECT voter FROM votes"))

    def replay(self, *args, status=0, command="replay"):
        done = self.system.run(command, *map(str, args), "--search-url", f"http://127.0.0.1:{self.system.search_port}", check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def numbers(self, *args, status=0):
        found = json.loads(self.replay(*args, "--json", status=status).stdout)
        return found, {measure["measure"].split(",")[-1].strip(): measure for measure in found["measures"]}

    def test_a_ranking_that_loses(self):
        found, by = self.numbers("--b", WORSE, "--judged", self.judged, "--split", "dev", status=3)
        self.assertEqual((found["verdict"], found["changed"], found["overlap"]), ("worse", 1, 0))
        self.assertEqual((found["searches"], found["replayed"]), (len(THINGS), len(THINGS)))
        for name in ("judged queries", "votes held out"):
            self.assertEqual((by[name]["queries"], by[name]["verdict"]), (len(THINGS), "worse"))
            self.assertEqual((by[name]["a"]["value"], by[name]["b"]["value"], by[name]["gain"]["high"]), (1, 0, -1))
        self.assertEqual((by["chosen of seen"]["queries"], by["chosen of seen"]["verdict"]), (0, "undecided"))
        text = self.replay("--b", WORSE, status=3).stdout
        self.assertIn("A: (that of all searches)\nB: min_score=1000\n", text)
        self.assertRegex(text, r"\| nDCG@10, votes held out \| 24 \| 1\.000 .* \| -1\.000 \(-1\.000\.\.-1\.000\) \| worse \|")

    def test_one_that_wins_and_one_that_is_the_same(self):
        self.assertEqual(self.numbers("--a", WORSE)[0]["verdict"], "better")
        found, by = self.numbers("--b", "algorithm=lexical")
        self.assertEqual((found["verdict"], found["changed"], found["overlap"]), ("undecided", 0, 1))
        snips = by["chosen of seen"]
        self.assertEqual(snips["queries"], len(THINGS))
        self.assertAlmostEqual(snips["a"]["value"], 4 / 6, places=6)
        self.assertEqual(snips["gain"], {"value": 0, "low": 0, "high": 0})

    def test_samples_and_people(self):
        self.assertEqual(self.numbers("--b", WORSE, "--sample", 5)[0]["replayed"], 5)  # too few to conclude anything
        self.assertEqual(self.numbers("--b", WORSE, "--sample", 5)[0]["verdict"], "undecided")
        self.assertIn("nothing to compare by: no search of at least 1000 people", self.replay("--b", WORSE, "--min-clients", 1000, status=1).stderr)

    def test_what_cannot_be(self):
        for args, status, why in (
            ((), 2, "both rankings are the same"),
            (("--b", "colour=red"), 1, 'ranking B: a ranking is described like "algorithm=hybrid'),
            (("--b", "algorithm=best"), 1, "ranking B, query"),
            (("--b", "algorithm=best", "--min-clients", 1000), 1, "ranking B, query"),
            (("--b", "model=a/none"), 1, 'model "a/none" is unknown'),
            (("--b", WORSE, "--judged", "/nonexistent"), 1, "/nonexistent"),
        ):
            self.assertIn(why, self.replay(*args, status=status).stderr)

    def test_a_model_that_loses_is_refused(self):
        for name, weight in (("good--base", 0.0001), ("odd--noise", 1)):
            config = add_model(self.system, name, GOLDEN / "bert/bert", "uncased") / "config.json"
            config.write_text(json.dumps(json.loads(config.read_text()) | {"peel": {"hybrid_weight": weight}}))
        use = lambda *args, **more: self.replay("use", *args, command="model", **more)  # noqa: E731
        self.assertIn("does not know odd--noise: restart it", use("odd/noise", "--gate", status=1).stderr)
        other = self.system.start_process("search2", "search-service", "--search-port", "0", "--sentence-weight", "1000")
        before, self.system.search_port = self.system.search_port, int(other.wait_for(r"listening on \S+ port (\d+)")[1])
        models = lambda: {m["id"]: m for m in request(self.system.search_port, "GET", "/api/models").json()["models"]}  # noqa: E731
        try:
            wait_until(lambda: all(m["state"] == "ready" and not m["phrases"]["pending"] for m in models().values()), 60, "models")
            use("good/base")
            self.assertIn("odd--noise is significantly worse", use("odd/noise", "--gate", status=3).stderr)
            self.assertIn("worse |", use("odd/noise", "--gate", "--judged", self.judged, status=3).stdout)
            self.assertTrue(models()["good/base"]["default"])
            for unknown in (("--min-clients", 1000), ("--sample", 5)):
                use("odd/noise", "--gate", *unknown, status=1)
            self.assertIn("cannot be told", use("odd/noise", "--gate", "--sample", 5, status=1).stderr)
            self.assertTrue(models()["good/base"]["default"])
            use("odd/noise", "--gate", "--force")
            self.assertTrue(models()["odd/noise"]["default"])
            use("good/base", "--gate")  # it wins
            self.assertTrue(models()["good/base"]["default"])
        finally:
            self.system.search_port = before


if __name__ == "__main__":
    main()
