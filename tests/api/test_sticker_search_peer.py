"""StickerService when its SearchService is slow, silent, gone or talks rubbish: the answer comes in time, from
its own words, and says so."""

import contextlib
import json
import os
import signal
import sqlite3
import threading
import time
import unittest
import urllib.parse

from peel_testing import SLOW, STICKERS, FakeSearch, ServiceTest, System, main, request, stop, wait_until

DEADLINE = 2.0  # seconds, the default
NOTICED = 0.1  # until searches notice what somebody else has changed in the database


class Fake(ServiceTest):
    """A SearchService that says what each test wants it to say."""

    arguments = ("--search-cache-ms", "0", "--breaker-failures", "1000")

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        cls.fake = cls.system.fake = FakeSearch()
        cls.system.start_sticker(*cls.arguments, search_port=cls.fake.port)
        cls.port = cls.system.port
        cls.system.wait_indexed()

    def setUp(self):
        self.fake.seen.clear()

    def answers(self, content, status=200):
        self.fake.answer = lambda handler: (status, content)

    def assert_degraded(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        found = answer.json()
        self.assertIs(found["degraded"], True)
        self.assertEqual(found["stickers"][:1], ["cat.png"])
        self.assertEqual(found["results"][0]["title"], "Cat in a park")

    def last_search(self):
        """As SearchService saw it, which StickerService also asks other things, at any time."""
        return next(seen for seen in reversed(self.fake.seen) if seen[1].startswith("/api/search/"))

    def test_what_is_asked_and_passed_on(self):
        self.answers({"filenames": ["dog.png"], "results": [{"filename": "dog.png", "score": 0.5}],
                      "algorithm": "x", "model": "", "total": 7, "corrected": "d\"og", "legs": ["lexical"]})
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        answer = self.get("/api/search/?query=d%C3%B6g+%26+%3D&limit=3&offset=4", **{"X-Request-Id": "id-1", "traceparent": trace})
        found = answer.json()
        self.assertEqual(found["stickers"], ["dog.png"])
        self.assertEqual((found["total"], found["corrected"], found["legs"]), (7, 'd"og', ["lexical"]))
        self.assertEqual(found["results"][0]["score"], 0.5)
        method, path, headers, _ = self.last_search()
        parts = urllib.parse.urlsplit(path)
        self.assertEqual((method, parts.path), ("GET", "/api/search/"))
        self.assertEqual(urllib.parse.parse_qs(parts.query), {"query": ["dög & ="], "limit": ["3"], "offset": ["4"]})
        self.assertEqual(headers["X-Request-Id"], "id-1")
        passed = headers.get("traceparent") or headers.get("Traceparent")
        self.assertRegex(passed, "^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$")
        self.assertNotEqual(passed, trace)  # the span is StickerService's
        bad = ["", "00-" + "0" * 32 + "-b7ad6b7169203331-01", trace + "-1", "ff" + trace[2:], trace.upper(), "x" * 4000]
        for i, header in enumerate(bad):
            self.get(f"/api/search/?query=trace{i}", traceparent=header, tracestate="a=1")
            headers = {k.lower(): v for k, v in self.last_search()[2].items()}
            self.assertRegex(headers["traceparent"], "^00-[0-9a-f]{32}-[0-9a-f]{16}-00$")
            self.assertNotIn("0af7651916cd43dd8448eb211c80319c", headers["traceparent"])
            self.assertNotIn("tracestate", headers)
        self.get("/api/search/?query=trace", traceparent="01" + trace[2:] + "-more", tracestate="a=1,b=2")
        headers = {k.lower(): v for k, v in self.last_search()[2].items()}
        self.assertEqual(headers["traceparent"][3:35], trace[3:35])
        self.assertEqual(headers["tracestate"], "a=1,b=2")

    def label(self):
        """cat.png is for all and moves; dog.png is pg-13, in a pack."""
        with contextlib.closing(sqlite3.connect(self.system.data / "sticker.db", timeout=10)) as db:
            db.execute("UPDATE stickers SET animated = 1, title = 'Cat and dog in a park' WHERE filename = 'cat.png'")
            db.execute("UPDATE stickers SET rating = 2, pack = 'A & B' WHERE filename = 'dog.png'")
            db.commit()
        time.sleep(NOTICED)
        self.addCleanup(self.unlabel)

    def unlabel(self):
        with contextlib.closing(sqlite3.connect(self.system.data / "sticker.db", timeout=10)) as db:
            db.execute("UPDATE stickers SET animated = 0, rating = 0, pack = ''")
            db.execute("UPDATE stickers SET title = 'Cat in a park' WHERE filename = 'cat.png'")
            db.commit()
        time.sleep(NOTICED)

    def test_filters_are_passed_on(self):
        self.answers({"results": [{"filename": "dog.png", "score": 0.5}], "total": 1})
        # What SearchService answers although it does not pass here, since it has not heard of a change yet, is left out.
        for said, asked, passes in (("", {}, True), ("&pack=", {}, True), ("&rating=r", {}, True), ("&pack=A+%26+B", {"pack": ["A & B"]}, False),
                                    ("&rating=pg-13", {"rating": ["pg-13"]}, True), ("&animated=true&rating=g", {"rating": ["g"], "animated": ["true"]}, False),
                                    ("&animated=false", {"animated": ["false"]}, True)):
            self.assertEqual(self.get("/api/search/?query=pet" + said).json()["stickers"], ["dog.png"] if passes else [], said)
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.last_search()[1]).query)
            self.assertEqual(query, {"query": ["pet"], "limit": ["10"], "offset": ["0"], **asked}, said)
        self.fake.seen.clear()
        for said, problem in (("rating=pg13", 'rating must be g, pg, pg-13 or r, found "pg13"'), ("animated=yes", 'animated must be true or false, found "yes"'),
                              ("pack=" + "x" * 1001, "pack must have at most 1000 bytes, found 1001")):
            self.assert_problem(self.get("/api/search/?query=pet&" + said), 400, problem)
        self.assertEqual(self.fake.seen, [])

    def test_own_words_are_filtered_too(self):
        self.label()
        self.answers({"error": "sorry"}, 500)
        for said, found in (("", {"cat.png", "dog.png"}), ("&rating=pg", {"cat.png"}), ("&rating=pg-13", {"cat.png", "dog.png"}), ("&animated=true", {"cat.png"}),
                            ("&animated=false", {"dog.png"}), ("&pack=A+%26+B", {"dog.png"}), ("&pack=a+%26+b", set()), ("&pack=A+%26+B&rating=g", set())):
            answer = self.get("/api/search/?query=park+dog" + said).json()
            self.assertIs(answer["degraded"], True)
            self.assertEqual({name for name in answer["stickers"] if name in ("cat.png", "dog.png")}, found, said)
            self.assertEqual(answer["total"], len(answer["stickers"]), said)
        for result in self.get("/api/search/?query=park+dog").json()["results"]:
            self.assertEqual((result["rating"], result["animated"]), ("pg-13" if result["filename"] == "dog.png" else "g", result["filename"] == "cat.png"))

    def test_stickers_that_are_gone_are_dropped(self):
        self.answers({"results": [{"filename": n, "score": 1} for n in ("gone.png", "cat.png", "lost.png")], "filenames": []})
        found = self.search("anything").json()
        self.assertEqual(found["stickers"], ["cat.png"])
        self.assertNotIn("degraded", found)

    def test_rubbish(self):
        hit = {"filename": "cat.png", "score": 1}
        for rubbish in (
            b"", b"<html>", b"{", b"[]", b"null", b"\xff\xfe", b'{"results":{}}', b'{"results":[1]}', b"[" * 100000,
            b'{"results":[{"filename":7}]}', b'{"results":[{"filename":"../x"}]}', b'{"results":[{"filename":"a\\u0000b"}]}',
            json.dumps({"results": [hit] * 11}).encode(), b" " * (3 << 20),
        ):
            self.answers(rubbish)
            self.assert_degraded(self.search("cat"))
        for status in (400, 404, 500, 503):
            self.answers({"results": [hit]}, status)
            self.assert_degraded(self.search("cat"))
        self.assertIn("answering from keyword search", self.system.sticker.log())

    def test_degraded_answers_count_as_usage(self):
        self.answers(b"rubbish")
        self.search("cat counted")
        self.assertEqual(self.analytics("cat counted").json()["query"]["usage"], 1)

    def test_slow(self):
        def late(handler):
            time.sleep(DEADLINE * 2)
            return 200, {"results": []}

        self.fake.answer = late
        began = time.monotonic()
        self.assert_degraded(self.search("cat"))
        self.assertLess(time.monotonic() - began, DEADLINE * SLOW)

    def test_documents_that_are_refused_do_not_hold_up_others(self):
        def picky(handler):
            return (400 if "bad" in handler.path else 200), {}

        self.fake.answer = picky
        self.system.add({"bad.png": ("Bad", "bad"), "good.png": ("Good \"quoted\"", "good, fine")})
        wait_until(lambda: any("good.png" in path for _, path, _, _ in self.fake.seen), what="the good document")
        wait_until(lambda: self.get("/readyz").json()["checks"]["outbox"]["pending"] == 1, what="one left")
        self.assertIn("400", self.get("/readyz").json()["checks"]["outbox"]["last_error"])
        body = next(json.loads(body) for method, path, _, body in self.fake.seen if method == "PUT" and "good.png" in path)
        self.assertEqual(body["title"], 'Good "quoted"')
        self.assertEqual(body["words"], [{"language": "en", "words": "good, fine"}])


class Turns(unittest.TestCase):
    """Two StickerServices on one database, and SearchService hears of each sticker once and in order."""

    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.fake = self.system.fake = FakeSearch()
        self.arrived = []  # (filename, title), as SearchService would have stored them
        self.fake.answer = self.put
        self.system.run("migrate", "sticker")
        self.ports = [self.system.start_sticker(search_port=self.fake.port) for _ in range(2)]

    def put(self, handler):
        if handler.command == "PUT":
            title = next(json.loads(body)["title"] for *_, path, _, body in reversed(self.fake.seen) if path == handler.path)
            time.sleep(1.0 if title == "Old" else 0.02)
            self.arrived.append((urllib.parse.unquote(handler.path.rpartition("/")[2]), title))
        return 200, {}

    def test_each_once_and_the_newest_last(self):
        names = [f"s{i:02}.png" for i in range(40)]
        self.system.add({name: (f"Title {name}", "word") for name in names})
        self.system.wait_indexed()
        self.assertEqual(sorted(name for name, _ in self.arrived), names)
        self.arrived.clear()
        for title in ("Old", "New"):
            with contextlib.closing(sqlite3.connect(self.system.data / "sticker.db")) as db, db:
                db.execute("UPDATE stickers SET title = ? WHERE filename = 's07.png'", (title,))
                db.execute("INSERT OR REPLACE INTO outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
                           " VALUES ('s07.png', 'put', 0, '', 0, 1, 1)")
            wait_until(lambda: any(b'"%s"' % title.encode() in body for *_, body in self.fake.seen), 10, title)
        self.system.wait_indexed()
        self.assertEqual(self.arrived, [("s07.png", "Old"), ("s07.png", "New")])


class Breaker(ServiceTest):
    """The real SearchService, stopped in the middle of it."""

    arguments = ("--search-cache-ms", "0")

    def test_stopped_and_continued(self):
        self.assertNotIn("degraded", self.search("cat").json())
        child = self.system.search.child.pid
        stop(child)
        try:
            took, answers = [], []

            def ask():
                began = time.monotonic()
                answers.append(self.search("cat"))
                took.append(time.monotonic() - began)

            threads = [threading.Thread(target=ask) for _ in range(24)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertTrue(all(a.status == 200 and a.json()["degraded"] for a in answers))
            self.assertLess(max(took), DEADLINE * SLOW + 0.5)
            began = time.monotonic()
            for _ in range(5):  # the breaker is open: at once, but for one trial a second
                self.assertTrue(self.search("cat").json()["degraded"])
            self.assertLess(time.monotonic() - began, 2 * DEADLINE * SLOW)
            wait_until(lambda: self.get("/readyz").status == 503, 5, "not ready")
            self.assertEqual(self.get("/healthz").status, 200)
        finally:
            os.kill(child, signal.SIGCONT)
        wait_until(lambda: "degraded" not in self.search("cat").json(), 10, "recovery")
        wait_until(lambda: self.get("/readyz").status == 200, 5, "ready again")


class Absent(ServiceTest):
    """Import works while SearchService is down; nothing is lost when it comes."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.start_search()
        search_port = cls.system.search_port
        cls.system.search.stop()
        cls.system.start_sticker(search_port=search_port)
        cls.port = cls.system.port

    def test_outbox_waits(self):
        self.system.add(STICKERS)
        ready = wait_until(lambda: self.get("/readyz"), what="readyz")
        self.assertEqual(ready.status, 503)
        self.assertEqual(ready.json()["checks"]["outbox"]["pending"], len(STICKERS))
        self.assertTrue(self.search("cat").json()["degraded"])
        self.system.start_search(self.system.search_port)
        self.system.wait_indexed()
        wait_until(lambda: "degraded" not in self.search("cat").json(), what="recovery")
        self.assertEqual(self.search("cat").json()["stickers"], ["cat.png"])
        status = request(self.system.search_port, "GET", "/api/status").json()
        self.assertEqual(status["documents"], len(STICKERS))


if __name__ == "__main__":
    main()
