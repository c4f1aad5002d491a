"""StickerService's endpoints, as API.md describes them, one by one."""

import concurrent.futures
import csv
import gzip
import io
import json
import socket
import time
import unittest
import urllib.parse

from peel_testing import ADMIN_TOKEN, STICKERS, ServiceTest, System, figures, main, request, wait_until

BODY = json.dumps({"feedback": [{"query": "crash", "positive": ["cat.png"]}]})


class Search(ServiceTest):
    def test_shape(self):
        answer = self.search("cat in a park")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("application/json"))
        found = answer.json()
        self.assertEqual(found["stickers"][0], "cat.png")
        self.assertEqual(found["query"], "cat in a park")
        self.assertGreaterEqual(found["total"], len(found["stickers"]))
        self.assertNotIn("degraded", found)
        self.assertEqual([r["filename"] for r in found["results"]], found["stickers"])
        first = found["results"][0]
        self.assertEqual(list(first), ["filename", "rank", "score", "url", "thumbnail", "title", "alt", "rating", "animated", "mime", "width", "height",
                                       "author", "license", "source", "pack"])  # fmt: skip
        self.assertEqual((first["rating"], first["animated"]), ("g", False))
        self.assertEqual(first["title"], "Cat in a park")
        self.assertEqual(self.get(first["url"]).status, 200)
        self.assertEqual(self.get(first["thumbnail"]).headers["Content-Type"], "image/webp")

    def test_with_and_without_slash(self):
        self.assertEqual(self.get("/api/search?query=dog").json()["stickers"], ["dog.png"])

    def test_trimmed_and_stored_as_given(self):
        self.assertEqual(self.search(" \t\u3000 Birthday  CAKE\u00a0\n").json()["query"], "Birthday  CAKE")
        self.assertEqual(self.analytics("Birthday  CAKE").json()["query"]["usage"], 1)

    def test_limit_and_offset(self):
        every = self.search("cat dog cake car sun greeting", limit=100).json()["stickers"]
        self.assertEqual(len(every), len(STICKERS))
        pages = [self.search("cat dog cake car sun greeting", limit=2, offset=o).json()["stickers"] for o in (0, 2, 4)]
        self.assertEqual(sum(pages, []), every)
        self.assertEqual(self.search("cat", offset=50).json()["stickers"], [])

    def test_awkward_filenames_have_working_addresses(self):
        for query, name in (("weather", "sun & rain, 100%.png"), ("greeting", "grüße.png")):
            result = self.search(query).json()["results"][0]
            self.assertEqual(result["filename"], name)
            self.assertEqual(self.get(result["url"]).status, 200)
            self.assertEqual(self.get(result["thumbnail"]).status, 200)

    def test_nothing_found(self):
        found = self.search("xylophone zeppelin").json()
        self.assertEqual((found["stickers"], found["results"]), ([], []))
        self.assertEqual(self.search("!!!").status, 200)

    def test_filters_from_end_to_end(self):
        """With a real SearchService, and the answers that are kept for a moment kept apart."""
        self.assertEqual(self.search("cat").json()["stickers"][0], "cat.png")
        for said, there in (("&rating=g", True), ("&animated=true", False), ("&animated=false", True), ("&pack=none", False), ("&pack=", True)):
            found = self.get("/api/search/?query=cat&limit=10" + said)
            self.assertEqual(("cat.png" in found.json()["stickers"], found.status), (there, 200), said)
            self.assertNotIn("degraded", found.json())
        self.assert_problem(self.get("/api/search/?query=cat&animated=2"), 400, 'animated must be true or false, found "2"')

    def test_length_is_counted_in_code_points(self):
        self.assertEqual(self.search("🐱" * 255).status, 200)
        self.assert_problem(self.search("🐱" * 256), 400, "Query is too long.")
        self.assertEqual(self.search(" " * 50 + "x" * 255 + " " * 50).status, 200)

    def test_messages(self):
        self.assert_problem(self.get("/api/search/"), 400, "Please provide a query.")
        self.assert_problem(self.get("/api/search/?query="), 400, "Please provide a query.")
        self.assert_problem(self.search("x" * 256), 400, "Query is too long.")

    def test_request_id_is_echoed_if_sane(self):
        self.assertEqual(self.get("/api/search/?query=dog", **{"X-Request-Id": "abc-1"}).headers["X-Request-Id"], "abc-1")
        odd = self.get("/api/search/?query=dog", **{"X-Request-Id": "a b<c>"}).headers["X-Request-Id"]
        self.assertTrue(odd and odd != "a b<c>")

    def test_injections_are_only_text(self):
        for query in (
            "'; DROP TABLE queries; --",
            "<script>alert(1)</script>",
            "=cmd|' /C calc'!A0",
            "a\r\nSet-Cookie: x=1",
            '"cat" OR "dog" NEAR(*',
            "%s%n%d",
            "${7*7}",
        ):
            answer = self.search(query)
            self.assertEqual(answer.status, 200, query)
            self.assertEqual(answer.json()["query"], query.strip())
            self.assertNotIn("Set-Cookie", answer.headers)
            self.assertEqual(self.analytics(query).json()["query"], {"query": query.strip(), "usage": 1})


class Feedback(ServiceTest):
    def test_counts(self):
        self.search("votes")
        entry = {"query": "votes", "positive": ["cat.png", "dog.png"], "negative": ["cake.png"]}
        for _ in range(3):
            answer = self.feedback(entry)
            self.assertEqual((answer.status, answer.json()), (200, {"failed": []}))
        scores = self.analytics(" votes ").json()["feedback scores"]
        self.assertEqual(
            scores,
            [
                {"sticker": "cat.png", "positives": 3, "negatives": 0},
                {"sticker": "dog.png", "positives": 3, "negatives": 0},
                {"sticker": "cake.png", "positives": 0, "negatives": 3},
            ],
        )

    def test_unknown_stickers_are_listed_once_and_the_rest_counts(self):
        self.search("part")
        self.search("part two")
        answer = self.feedback(
            {"query": "part", "positive": ["nope.png", "car.png"]},
            {"query": "part two", "negative": ["../../etc/passwd", "nope.png"]},
        )
        self.assertEqual((answer.status, answer.json()), (200, {"failed": ["nope.png", "../../etc/passwd"]}))
        self.assertEqual(
            self.analytics("part").json()["feedback scores"], [{"sticker": "car.png", "positives": 1, "negatives": 0}]
        )

    def test_a_query_never_searched_undoes_everything(self):
        self.search("known")
        answer = self.feedback({"query": "known", "positive": ["cat.png"]}, {"query": "never", "positive": ["dog.png"]})
        self.assert_problem(answer, 404, "Query not found.")
        self.assertEqual(self.analytics("known").json()["feedback scores"], [])
        self.assert_problem(self.analytics("never"), 404, "Query not found.")

    def test_a_voter_has_one_vote(self):
        self.search("one vote")

        def send(**entry):
            answer = self.feedback({"query": "one vote", **entry})
            self.assertEqual((answer.status, answer.json()), (200, {"failed": []}))
            return [(s["positives"], s["negatives"]) for s in self.analytics("one vote").json()["feedback scores"]]

        self.assertEqual(send(voter="ü" * 128, positive=["cat.png"]), [(1, 0)])
        self.assertEqual(send(voter="ü" * 128, positive=["cat.png"]), [(1, 0)])
        self.assertEqual(send(voter="somebody else", positive=["cat.png"]), [(2, 0)])
        self.assertEqual(send(voter="ü" * 128, negative=["cat.png"]), [(1, 1)])
        self.assertEqual(send(voter="ü" * 128, withdrawn=["cat.png"]), [(1, 0)])
        self.assertEqual(send(voter="ü" * 128, withdrawn=["cat.png"]), [(1, 0)])
        self.assertEqual(send(positive=["cat.png"]), [(2, 0)])
        answer = self.feedback({"query": "one vote", "voter": "v", "withdrawn": ["none.png"]})
        self.assertEqual(answer.json(), {"failed": ["none.png"]})

    def test_lists_may_be_missing_or_empty_and_unknown_members_are_ignored(self):
        self.search("bare")
        self.assertEqual(self.feedback({"query": "bare"}).status, 200)
        self.assertEqual(self.feedback({"query": "bare", "positive": [], "negative": [], "note": 1}).status, 200)
        self.assertEqual(self.feedback().json(), {"failed": []})

    def test_query_is_trimmed_as_in_search(self):
        self.search("trim me")
        self.assertEqual(self.feedback({"query": "  trim me\n", "positive": ["cat.png"]}).status, 200)
        self.assertEqual(len(self.analytics("trim me").json()["feedback scores"]), 1)

    def test_limits_themselves_are_allowed(self):
        self.search("limits")
        entries = [{"query": "limits", "positive": [f"no-{i}-{k}.png" for k in range(10)]} for i in range(100)]
        self.assertEqual(len(self.feedback(*entries).json()["failed"]), 1000)

    def send(self, key, query, **headers):
        body = json.dumps({"feedback": [{"query": query, "positive": ["cat.png", "no such.png"]}]})
        return request(self.port, "POST", "/api/feedback/", body, {"Idempotency-Key": key, **headers})

    def test_a_key_counts_once(self):
        self.search("keyed")
        self.search("keyed too")
        first, again = self.send("k-1", "keyed"), self.send("k-1", "keyed")
        self.assertEqual((first.status, first.json()), (200, {"failed": ["no such.png"]}))
        self.assertEqual((again.status, again.body), (200, first.body))
        self.assertNotIn("Idempotency-Replayed", first.headers)
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        self.assert_problem(self.send("k-1", "keyed too"), 422, "This Idempotency-Key was used for another body.")
        self.assertEqual(self.analytics("keyed too").json()["feedback scores"], [])
        self.assertEqual(self.analytics("keyed").json()["feedback scores"], [{"sticker": "cat.png", "positives": 1, "negatives": 0}])
        other = self.send("k-1", "keyed", Authorization="Token somebody")
        self.assertEqual((other.status, other.headers["Idempotency-Replayed"]), (200, None))

    def test_a_refused_request_keeps_no_key(self):
        self.assert_problem(self.send("k-2", "asked later"), 404, "Query not found.")
        self.search("asked later")
        answer = self.send("k-2", "asked later")
        self.assertEqual((answer.status, answer.headers["Idempotency-Replayed"]), (200, None))

    def test_keys_that_are_none(self):
        for key in ("", "x" * 256, "a b", "a\tb", "\xe9"):
            self.assert_problem(self.send(key, "keyed"), 400)
        self.search("long key")
        self.assertEqual(self.send("~" * 255, "long key").status, 200)

    def test_of_a_crowd_with_one_key_one_counts(self):
        self.search("crowd")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: self.send("k-3", "crowd"), range(20)))
        self.assertEqual({a.status for a in answers}, {200})
        self.assertEqual(sum(a.headers["Idempotency-Replayed"] is None for a in answers), 1)
        self.assertEqual(self.analytics("crowd").json()["feedback scores"][0]["positives"], 1)


class FeedbackThroughACrash(unittest.TestCase):
    """A service that is killed has both or neither of a vote and its key, so that sending it again counts it once."""

    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.system.add(STICKERS)
        self.start()
        self.assertEqual(request(self.system.port, "GET", "/api/search/?query=crash").status, 200)

    def start(self):
        self.system.start_sticker(search_port=1)

    def kill(self):
        self.system.sticker.child.kill()
        self.system.sticker.child.wait()

    def send(self, key):
        return request(self.system.port, "POST", "/api/feedback/", BODY, {"Idempotency-Key": key})

    def send_and_kill(self, key, seconds):
        """Nobody reads the answer, if there is one."""
        head = f"POST /api/feedback/ HTTP/1.1\r\nHost: peel\r\nIdempotency-Key: {key}\r\nContent-Length: {len(BODY)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.system.port)) as connection:
            connection.sendall((head + BODY).encode())
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass
            self.kill()

    def expect_votes(self, n):
        answer = request(self.system.port, "GET", "/api/analytics/?query=crash", headers={"Authorization": f"Token {ADMIN_TOKEN}"})
        self.assertEqual([(s["sticker"], s["positives"]) for s in answer.json()["feedback scores"]], [("cat.png", n)])

    def test_killed_after_the_answer_and_before(self):
        first = self.send("answered")
        self.assertEqual((first.status, first.headers["Idempotency-Replayed"]), (200, None))
        self.kill()
        self.start()
        again = self.send("answered")
        self.assertEqual((again.status, again.body, again.headers["Idempotency-Replayed"]), (200, first.body, "true"))
        self.expect_votes(1)
        replayed = []
        for n, milliseconds in enumerate((0, 0.3, 1, 2, 4, 50), 2):
            self.send_and_kill(f"cut-{n}", milliseconds / 1000)
            self.start()
            answer = self.send(f"cut-{n}")
            self.assertEqual(answer.status, 200)
            replayed.append(answer.headers["Idempotency-Replayed"] == "true")
            self.expect_votes(n)
        figures(f"feedback cut off by kill -9: {replayed.count(True)} of {len(replayed)} were counted before, all once")


class Analytics(ServiceTest):
    def test_pending_counts_are_included_at_once(self):
        for i in range(1, 8):
            self.search("counted")
            self.assertEqual(self.analytics("counted").json()["query"], {"query": "counted", "usage": i})

    def test_tokens(self):
        self.search("secret")
        target = "/api/analytics/?query=secret"
        for header in (None, "Token", "Token ", "Bearer " + ADMIN_TOKEN, "Token wrong", ADMIN_TOKEN, "Token \xe9"):
            answer = self.get(target, **({"Authorization": header} if header is not None else {}))
            self.assert_problem(answer, 401)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Token")
        self.assert_problem(self.get(target, Authorization="Token \x7f"), 400)
        self.assertEqual(self.get(target, Authorization="token " + ADMIN_TOKEN).status, 200)

    def test_a_user_who_is_not_staff_and_a_revoked_token(self):
        self.search("secret")
        self.system.run("user", "create", "bob", "--no-staff", stdin="another long password\n")
        key = self.system.run("token", "create", "bob").stdout.split()[-1]
        self.assert_problem(self.analytics("secret", key), 403)
        self.system.run("user", "create", "eve", "--staff", stdin="another long password\n")
        key = self.system.run("token", "create", "eve").stdout.split()[-1]
        self.assertEqual(self.analytics("secret", key).status, 200)
        listed = [line.split() for line in self.system.run("token", "list").stdout.splitlines()]
        self.system.run("token", "revoke", next(words[0] for words in listed if words[1] == "eve"))
        wait_until(lambda: self.analytics("secret", key).status == 401, 1, "the revocation")

    def test_an_analyst_reads_analytics_and_nothing_else(self):
        self.search("secret")
        made = self.system.run("user", "create", "ana", "--analytics", stdin="another long password\n").stdout
        self.assertIn("dashboard.view queries.view scores.view", made)
        key = self.system.run("token", "create", "ana").stdout.split()[-1]
        self.assertEqual(self.analytics("secret", key).status, 200)
        self.assertEqual(self.get("/api/analytics/export?format=csv", Authorization="Token " + key).status, 200)
        again = self.system.run("user", "create", "bea", "--analytics", "--staff", stdin="another long password\n", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("--analytics is for users without --staff", again.stderr)
        self.assertIn("exists already", self.system.run("user", "create", "ana", "--analytics", stdin="another long password\n", check=False).stderr)

    def test_unknown_query(self):
        self.assert_problem(self.analytics("who asked"), 404, "Query not found.")
        self.assert_problem(self.analytics(""), 400, "Please provide a query.")


class Export(ServiceTest):
    awkward = ["=1+1", "+a", "-b", "@c", 'say "hi"', "comma, separated", "two\nlines", "ümlaut 🐱"]

    def export(self, **params):
        answer = self.get("/api/analytics/export?" + urllib.parse.urlencode(params), Authorization=f"Token {ADMIN_TOKEN}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def setUp(self):
        for i, query in enumerate(self.awkward):
            self.search(query)
            self.feedback({"query": query, "positive": ["cat.png"], "negative": ["sun & rain, 100%.png"]})

    def test_round_trip(self):
        answer = self.export(format="ndjson")
        self.assertRegex(answer.headers["Content-Disposition"], r'^attachment; filename="peel-feedback-[\d-]+\.ndjson"$')
        rows = [json.loads(line) for line in answer.body.splitlines()]
        self.assertEqual({r["query"] for r in rows}, set(self.awkward))
        self.assertEqual([(r["query"], r["sticker"]) for r in rows], sorted((r["query"], r["sticker"]) for r in rows))
        for row in rows:
            truth = self.analytics(row["query"]).json()
            score = next(s for s in truth["feedback scores"] if s["sticker"] == row["sticker"])
            self.assertEqual((row["positives"], row["negatives"]), (score["positives"], score["negatives"]))
            self.assertEqual(row["usage"], truth["query"]["usage"])
        answer = self.export(format="csv")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/csv"))
        table = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
        self.assertEqual(len(table), len(rows))
        for cells, row in zip(table, rows):
            prefix = "'" if row["query"][0] in "=+-@" else ""
            self.assertEqual(cells["query"], prefix + row["query"])
            self.assertEqual(cells["sticker"], row["sticker"])
            for name in ("usage", "positives", "negatives"):
                self.assertEqual(cells[name], str(row[name]))
            self.assertEqual((cells["created"], cells["modified"]), (row["created"], row["modified"]))

    def test_the_command_writes_the_same(self):
        web = self.export(format="ndjson").body.decode()
        self.assertEqual(self.system.run("export", "--format", "ndjson").stdout, web)

    def test_since(self):
        self.assertEqual(self.export(format="ndjson", since="2999-01-01T00:00:00Z").body, b"")
        self.assertGreater(len(self.export(format="ndjson", since="2020-01-01").body), 0)


class Counter(ServiceTest):
    def counter(self, **params):
        return self.get("/api/counter/?" + urllib.parse.urlencode(params))

    def test_contract(self):
        self.assertEqual(self.counter(digit=7, n=1000).json(), {"answer": 300, "digit": 7, "n": 1000, "numbers": 271})
        self.assertEqual(self.counter(n=1000).json()["answer"], 300)
        self.assertEqual(self.counter(n=0).json(), {"answer": 0, "digit": 7, "n": 0, "numbers": 0})

    def test_against_counting(self):
        for n in (1, 9, 10, 99, 100, 101, 1234):
            for digit in range(10):
                texts = [str(i) for i in range(1, n + 1)]
                want = sum(t.count(str(digit)) for t in texts), sum(str(digit) in t for t in texts)
                got = self.counter(digit=digit, n=n).json()
                self.assertEqual((got["answer"], got["numbers"]), want, (n, digit))

    def test_big_numbers_are_strings(self):
        self.assertEqual(self.counter(digit=1, n=2**53).json()["n"], 2**53)
        self.assertEqual(self.counter(digit=1, n=2**53 + 1).json()["n"], str(2**53 + 1))
        huge = self.counter(digit=3, n="1" + "0" * 1000).json()
        self.assertEqual(huge["answer"], "1" + "0" * 1002)
        self.assertEqual(huge["numbers"], str(10**1000 - 9**1000))

    def test_messages(self):
        self.assert_problem(self.counter(), 400, "n must be a whole number from 0 to 10^1000")
        self.assert_problem(self.counter(n=5, digit=10), 400, "digit must be a whole number from 0 to 9")


class Health(ServiceTest):
    def test_alive_and_ready(self):
        self.assertEqual(self.get("/healthz").status, 200)
        ready = self.get("/readyz")
        self.assertEqual(ready.status, 200)
        checks = wait_until(lambda: (c := self.get("/readyz").json()["checks"])["index"]["status"] != "pending" and c, what="a settled index")
        self.assertEqual({name: check["status"] for name, check in checks.items()},
                         {"database": "ok", "search_service": "ok", "outbox": "ok", "index": "ok"})
        self.assertEqual(checks["database"]["stickers"], len(STICKERS))
        self.assertEqual(checks["index"]["documents"], len(STICKERS))

    def test_metrics(self):
        self.search("metric")
        self.search("metric")
        answer = self.get("/metrics")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        values = dict(
            line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if line and not line.startswith("#")
        )
        for name in ('search_degraded_total{reason="timeout"}', "search_breaker_state", "outbox_pending", "usage_pending", "stickers"):
            self.assertIn(f"peel_sticker_{name}", values)
        self.assertTrue(any(name.startswith("peel_build_info{") for name in values))
        self.assertTrue(any(name.startswith("peel_sticker_http_requests_total{") for name in values))
        self.assertGreaterEqual(float(values["peel_sticker_search_cache_hits_total"]), 1)
        self.assertGreater(float(values["process_resident_memory_bytes"]), 0)

    def test_documents_and_pages(self):
        spec = self.get("/api/openapi.json").json()
        self.assertTrue(spec["openapi"].startswith("3.1"))
        for path in ("/api/search", "/api/feedback", "/api/analytics", "/api/counter"):
            self.assertIn(path, spec["paths"])
        for target in ("/", "/api/docs"):
            page = self.get(target)
            self.assertEqual(page.status, 200)
            self.assertTrue(page.headers["Content-Type"].startswith("text/html"))

    def test_answers_are_packed_and_not_cached(self):
        target = "/api/search/?query=cat+dog+birthday+car"
        plain = self.get(target)
        self.assertEqual((plain.headers["Cache-Control"], plain.headers["Content-Encoding"]), ("no-store", None))
        packed = self.get(target, **{"Accept-Encoding": "gzip"})
        self.assertEqual((packed.headers["Content-Encoding"], packed.headers["Vary"]), ("gzip", "Accept-Encoding"))
        self.assertEqual(json.loads(gzip.decompress(packed.body))["results"], plain.json()["results"])
        short = self.get("/api/search/?query=cat&limit=1", **{"Accept-Encoding": "gzip"})
        self.assertIsNone(short.headers["Content-Encoding"])

    def test_methods(self):
        answer = request(self.port, "DELETE", "/api/search/")
        self.assert_problem(answer, 405)
        self.assertIn("GET", answer.headers["Allow"])
        answer = self.get("/api/feedback/")
        self.assert_problem(answer, 405)
        self.assertEqual(answer.headers["Allow"], "POST")
        head = request(self.port, "HEAD", "/api/search/?query=dog")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assert_problem(self.get("/api/nothing/"), 404)


if __name__ == "__main__":
    main()
