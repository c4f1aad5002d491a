"""What keeps strangers from taking the service down: rate limits by client and by token, behind a trusted proxy."""

import json
import threading
import time
import unittest
import urllib.parse

from peel_testing import ADMIN_TOKEN, MODE, FakeSearch, ServiceTest, System, main, request, wait_until

BURST = 30


class RateLimits(ServiceTest):
    arguments = ("--trusted-proxies", "127.0.0.1", "--rate-limit", "1", "--rate-burst", str(BURST))
    clients = 0

    def ask(self, target, client, **headers):
        return self.get(target, **{"X-Forwarded-For": client, **headers})

    def new_client(self):
        RateLimits.clients += 1
        return f"192.0.2.{RateLimits.clients}"

    def exhaust(self, target, client, most, **headers):
        """Asks until refused; how often it was not, and the refusal."""
        for n in range(most):
            answer = self.ask(target, client, **headers)
            if answer.status == 429:
                return n, answer
            self.assertEqual(answer.headers["RateLimit-Policy"], f'"client";q={BURST};w={BURST}')
        self.fail(f"{most} requests were answered")

    def test_a_client_is_limited(self):
        client = self.new_client()
        n, refusal = self.exhaust("/api/counter/?n=1", client, 3 * BURST + 60)
        self.assertGreaterEqual(n, BURST)
        self.assert_problem(refusal, 429, "Too many requests")
        self.assertEqual(refusal.headers["Retry-After"], "1")
        self.assertRegex(refusal.headers["RateLimit"], r'^"client";r=0;t=\d+$')
        liar = self.ask("/api/counter/?n=1", f"6.6.6.6, {client}")
        self.assertEqual(liar.status, 429, "what a client says of itself makes it nobody else")
        self.assertEqual(self.ask("/api/counter/?n=1", self.new_client()).status, 200)
        for target in ("/healthz", "/readyz", "/metrics", "/static/nothing"):
            self.assertNotEqual(self.ask(target, client).status, 429)
        self.assertEqual(self.ask("/api/nothing", client).status, 429, "also of what there is not")
        body = json.dumps({"feedback": []})
        vote = request(self.port, "POST", "/api/feedback/", body, {"X-Forwarded-For": client})
        self.assert_problem(vote, 429)
        metrics = self.get("/metrics").body.decode()
        self.assertRegex(metrics, r"(?m)^peel_sticker_http_rate_limited_total [1-9]")

    def test_what_is_dear_costs_ten(self):
        n, refusal = self.exhaust("/api/analytics/export?format=csv", self.new_client(), 40)
        self.assertGreaterEqual(n, BURST // 10)
        self.assertLess(n, BURST)
        self.assertGreaterEqual(int(refusal.headers["Retry-After"]), 1)

    def test_long_queries_cost_more(self):
        client = self.new_client()

        def left(query):
            answer = self.ask("/api/search/?query=" + urllib.parse.quote(query), client)
            self.assertEqual(answer.status, 200)
            return int(answer.headers["RateLimit"].split(";")[1][2:])

        before = left("cat")
        self.assertIn(before - left("cats"), (1, 0))  # a second may pass in between
        before = left("dog")
        self.assertIn(before - left("水" * 255), (4, 3))
        n, refusal = self.exhaust("/api/search/?query=" + urllib.parse.quote("火" * 254), client, BURST)
        self.assertLess(n, BURST // 3)
        self.assert_problem(refusal, 429)

    def vote(self, client, stickers):
        body = json.dumps({"feedback": [{"query": "dear", "positive": [f"no-{i}.png" for i in range(stickers)]}]})
        return request(self.port, "POST", "/api/feedback/", body, {"X-Forwarded-For": client})

    def test_much_feedback_costs_more(self):
        client = self.new_client()
        self.ask("/api/search/?query=dear", client)

        def left(stickers):
            answer = self.vote(client, stickers)
            self.assertEqual(answer.status, 200)
            return int(answer.headers["RateLimit"].split(";")[1][2:])

        before = left(19)
        self.assertIn(before - left(100), (6, 5))  # a second may pass in between
        other = self.new_client()
        self.assertEqual(self.vote(other, 1000).status, 200, "which may cost half of the burst at most")
        self.assertEqual(self.vote(other, 250).status, 200)
        self.assert_problem(self.vote(other, 250), 429)

    def test_guessing_passwords_costs_ten(self):
        client, form = self.new_client(), urllib.parse.urlencode({"username": "x", "password": "y"})
        headers = {"X-Forwarded-For": client, "Content-Type": "application/x-www-form-urlencoded"}
        answers = [request(self.port, "POST", "/admin/login", form, headers) for _ in range(BURST)]
        refused = [a for a in answers if a.headers["Content-Type"] == "application/problem+json" and a.status == 429]
        self.assertGreater(len(refused), 0)

    def test_a_token_is_limited_from_wherever_it_is_used(self):
        token, n = f"Token {ADMIN_TOKEN}", 0
        while n < 4 * BURST:
            answer = self.ask("/api/counter/?n=1", f"198.51.{n // 250}.{n % 250}", Authorization=token)
            if answer.status == 429:
                break
            n += 1
        self.assert_problem(answer, 429)
        self.assertTrue(answer.headers["RateLimit"].startswith('"token";r=0;t='), answer.headers["RateLimit"])
        self.assertGreaterEqual(n, BURST)


class Origins(ServiceTest):
    arguments = ("--cors-origins", "https://a.example, https://b.example:8443")

    def preflight(self, target, origin, method="POST"):
        return request(self.port, "OPTIONS", target, headers={"Origin": origin, "Access-Control-Request-Method": method})

    def test_answers_say_who_may_read_them(self):
        for origin in ("https://a.example", "https://b.example:8443"):
            for target, status in (("/api/counter/?n=1", 200), ("/api/search/", 400), ("/api/analytics/?query=x", 401)):
                answer = self.get(target, Origin=origin)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.headers["Access-Control-Allow-Origin"], origin)
                self.assertIn("Origin", answer.headers["Vary"])
                self.assertNotIn("Access-Control-Allow-Credentials", answer.headers)

    def test_others_may_not(self):
        wrong = "https://a.example.evil", "https://a.exampl", "http://a.example", "null", "", "https://b.example", ", "
        for origin in wrong:
            answer = self.get("/api/counter/?n=1", Origin=origin)
            self.assertEqual(answer.status, 200)
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers, origin)
            self.assertIn("Origin", answer.headers["Vary"], "no cache gives this to those who may")
            self.assert_problem(self.preflight("/api/feedback/", origin), 405)
        for target in ("/", "/admin/login", "/healthz", "/static/gallery.css"):
            self.assertNotIn("Access-Control-Allow-Origin", self.get(target, Origin="https://a.example").headers)

    def test_images_may_be_read(self):
        for origin in ("https://a.example", None):
            answer = self.get("/media/cat.png?w=64", **({"Origin": origin} if origin else {}))
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], origin)
            self.assertEqual(answer.headers["Timing-Allow-Origin"], origin)
            self.assertEqual(answer.headers["Cross-Origin-Resource-Policy"], "cross-origin")
            self.assertEqual(answer.headers.get_all("Vary"), ["Origin, Accept"])

    def test_the_contract_is_for_everybody(self):
        for origin in ("https://a.example", "https://other.example"):
            answer = self.get("/api/openapi.json", Origin=origin)
            self.assertEqual(answer.headers.get_all("Access-Control-Allow-Origin"), ["*"])

    def test_preflight(self):
        answer = self.preflight("/api/feedback/", "https://a.example")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(answer.headers["Access-Control-Allow-Methods"], "POST")
        self.assertIn("Authorization", answer.headers["Access-Control-Allow-Headers"])
        self.assertIn("If-Match", answer.headers["Access-Control-Allow-Headers"])
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://a.example")
        self.assert_problem(self.preflight("/api/nothing/", "https://a.example"), 404)
        self.assert_problem(self.preflight("/vote", "https://a.example"), 405)
        plain = request(self.port, "OPTIONS", "/api/feedback/", headers={"Origin": "https://a.example"})
        self.assert_problem(plain, 405)


@unittest.skipIf(MODE != "release", "how long requests wait says nothing under a sanitizer")
class Overload(ServiceTest):
    """Two workers that wait for a slow SearchService can answer some 20 searches a second; 40 visitors ask all the time."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        fake = cls.system.fake = FakeSearch()
        quick = fake.answer
        fake.answer = lambda handler: (time.sleep(0.05), quick(handler))[1]
        cls.system.start_sticker("--workers", "2", "--shed-wait-ms", "100", search_port=fake.port)
        cls.port = cls.system.port

    def test_who_is_answered_is_answered_in_time(self):
        answers, until = [], time.monotonic() + 3

        def visit(name):
            n = 0
            while time.monotonic() < until:
                began, n = time.monotonic(), n + 1
                answer = self.search(f"visitor {name} asks {n}")
                answers.append((began, time.monotonic() - began, answer))
                time.sleep(0 if answer.status == 200 else 0.2)  # the visitors share a processor with what they visit

        visitors = [threading.Thread(target=visit, args=(i,)) for i in range(40)]
        for v in visitors:
            v.start()
        for v in visitors:
            v.join()
        refused = [a for _, _, a in answers if a.status != 200]
        for answer in refused[:5]:
            self.assert_problem(answer, 503, "wait too long")
            self.assertEqual(answer.headers["Retry-After"], "1")
        took = sorted(t for began, t, a in answers if a.status == 200 and began > until - 2)
        print(f"figures: more is asked than can be done: {len(answers)} requests, {len(refused)} told to come again, "
              f"{len(took)} answered in the last 2 s, p50 {took[len(took) // 2] * 1e3:.0f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.0f} ms")
        self.assertGreater(len(refused), 20)
        self.assertGreater(len(took), 15, "half of what can be done")
        self.assertLess(took[len(took) * 99 // 100], 1, "40 visitors would wait for 2 s each")
        began = time.monotonic()
        wait_until(lambda: self.search(f"afterwards {time.monotonic()}").status == 200, 5, "an answer")
        self.assertLess(time.monotonic() - began, 1)
        self.assertRegex(self.get("/metrics").body.decode(), r"(?m)^peel_sticker_http_rejected_total [1-9]")


if __name__ == "__main__":
    main()
