#!/usr/bin/env python3
"""Services in which one allocation fails on order, see tests/torture/torture.c: each kind of request again and again, and each time
another allocation of it fails. The answer is a right one, or says that there is no memory, or the connection ends; it is never a
crash or a hang, and a vote is stored once if it was acknowledged. PEEL_TORTURE_RUNS (30) bounds the runs of each request, spread
over its allocations (0: every allocation in turn)."""

import http.client
import json
import os
import pathlib
import sys
import time
import unittest

import peel_testing
from peel_testing import ADMIN_TOKEN, ROOT, STICKERS, System, figures, main, request, wait_until

sys.path.insert(0, str(ROOT / "tests" / "torture"))
from torture import Orders  # noqa: E402

RUNS = int(os.environ.get("PEEL_TORTURE_RUNS", "30"))
PROGRAM = pathlib.Path(peel_testing.PEEL).parent / "torture" / "peel"
TOKEN = {"Authorization": f"Token {ADMIN_TOKEN}"}
VOTE = json.dumps({"feedback": [{"query": "cat", "positive": ["cat.png"], "negative": ["dog.png"]}]})
PIN = json.dumps({"pins": [{"query": "dog", "sticker": "dog.png"}]})
STICKER_REQUESTS = [
    ("GET", "/api/search/?query=red+cat&lang=de&limit=5", None, {}),
    ("POST", "/api/feedback/", VOTE, {}),
    ("GET", "/media/cat.png?w=64", None, {}),
    ("GET", "/api/analytics/?query=cat", None, TOKEN),
    ("GET", "/api/analytics/export?format=csv", None, TOKEN),
    ("GET", "/api/suggest/?prefix=ca", None, {}),
    ("POST", "/api/pins/", PIN, TOKEN),
    ("GET", "/api/synonyms/?format=csv", None, TOKEN),
    ("GET", "/?query=cat", None, {}),
    ("GET", "/sticker/cat.png", None, {}),
    ("POST", "/admin/login", "username=admin&password=x", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("GET", "/metrics", None, {}),
    ("GET", "/docs/API", None, {}),
]
SEARCH_REQUESTS = [
    ("GET", "/api/search/?query=red+cat&limit=5", None, {}),
    ("GET", "/api/explain?query=cat&sticker=cat.png", None, {}),
    ("PUT", "/api/documents/cat.png", json.dumps({"title": "Cat", "words": [{"language": "en", "words": "cat, kitten"}], "sha256": ""}), {}),
    ("GET", "/api/documents/?limit=5", None, {}),
    ("POST", "/v1/embeddings", json.dumps({"model": "none", "input": "cat"}), {}),
]


@unittest.skipUnless(PROGRAM.exists(), f"{PROGRAM} is not built")
class Torture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.search, cls.sticker = Orders(), Orders()
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        normal, peel_testing.PEEL = peel_testing.PEEL, str(PROGRAM)
        try:
            os.environ["PEEL_TORTURE"] = cls.search.name
            cls.system.start_search()
            os.environ["PEEL_TORTURE"] = cls.sticker.name
            cls.system.start_sticker("--search-cache-ms", "0")
        finally:
            del os.environ["PEEL_TORTURE"]
            peel_testing.PEEL = normal
        cls.system.wait_indexed()

    def ask(self, port, method, target, body, headers):
        """The status, or None when the connection ended."""
        headers = {"Content-Type": "application/json", **headers} if body else headers
        try:
            answer = request(port, method, target, body, headers)
        except (http.client.HTTPException, ConnectionError):
            return None
        self.said = answer.body[:300]
        if "json" in answer.headers.get("Content-Type", ""):
            answer.json()
        return answer.status

    def torture(self, orders, port, requests):
        """What each request was answered with, and how often."""
        found = {}
        for method, target, body, headers in requests:
            normal = self.ask(port, method, target, body, headers)  # also fills caches
            orders.order(0)
            normal = self.ask(port, method, target, body, headers)
            count = orders.seen()
            step = max(1, count / RUNS) if RUNS else 1
            for i in range(int(count / step)):
                with self.subTest(request=f"{method} {target}", allocation=int(i * step) + 1):
                    orders.order(int(i * step) + 1)
                    began = time.monotonic()
                    status = self.ask(port, method, target, body, headers)
                    orders.order(0)
                    found.setdefault(target, []).append(status)
                    self.assertTrue(status in (normal, 503, None), (status, self.said))
                    self.assertLess(time.monotonic() - began, 10 * peel_testing.SLOW)
            wait_until(lambda: self.ask(port, method, target, body, headers) == normal, 10, f"{target} as before")  # noqa: B023
        return found

    def test_stickers(self):
        request(self.system.port, "GET", "/api/search/?query=cat")
        wait_until(lambda: self.ask(self.system.port, "POST", "/api/feedback/", VOTE, {}) == 200, 10, "a query that votes are for")
        before = self.votes()
        found = self.torture(self.sticker, self.system.port, STICKER_REQUESTS)
        acknowledged = found["/api/feedback/"].count(200) + 3  # those around the torture
        unclear = found["/api/feedback/"].count(None)
        self.assertTrue(before + acknowledged <= self.votes() <= before + acknowledged + unclear, (before, acknowledged, unclear, self.votes()))
        figures(self.words(found))

    def votes(self):
        answer = request(self.system.port, "GET", "/api/analytics/export?format=csv", headers=TOKEN).body.decode()
        head, *rows = (row.split(",") for row in answer.strip().splitlines())
        return sum(int(row[head.index("positives")]) for row in rows)

    def test_search(self):
        figures(self.words(self.torture(self.search, self.system.search_port, SEARCH_REQUESTS)))

    def words(self, found):
        every = [status for statuses in found.values() for status in statuses]
        return f"{len(every)} failed allocations: {every.count(503)} times 503, {every.count(None)} times no answer"


if __name__ == "__main__":
    main()
