"""Experiments and new stickers that searches try: what is shown, what receipts and the log keep, and who wins. A fake
SearchService has two rankings, of which one is better by what simulated people like."""

import collections
import json
import random
import time
import urllib.parse

from peel_testing import FakeSearch, ServiceTest, System, main, request, wait_until
from test_admin import AdminTest, Visitor

NAMES = [f"s{i:02d}.png" for i in range(60)]
DAY_US = 86400 * 10**6


class Trials(ServiceTest):
    """A SearchService that ranks s00, s01, ... first with algorithm=good, and as the test says with algorithm=bad."""

    arguments = ("--explore", "0")
    numbers = iter(range(10**9))

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add({name: (f"Sticker {name}", "sticker") for name in NAMES})
        cls.fake = cls.system.fake = FakeSearch()
        cls.fake.answer = cls.ranked
        cls.bad = NAMES[::-1]
        cls.broken = set()  # algorithms that fail
        cls.system.start_sticker(*cls.arguments, search_port=cls.fake.port)
        cls.port = cls.system.port
        cls.system.wait_indexed()

    @classmethod
    def ranked(cls, handler):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(handler.path).query))
        algorithm, limit, offset = asked.get("algorithm", "good"), int(asked.get("limit", 10)), int(asked.get("offset", 0))
        if algorithm in cls.broken:
            return 503, {"detail": "no model"}
        names = (cls.bad if algorithm == "bad" else NAMES)[offset : offset + limit]
        return 200, {"filenames": names, "results": [{"filename": n, "score": 1.0} for n in names], "total": len(NAMES), "ranking": f"{algorithm}-00000000", "language": "en", "legs": []}

    def experiment(self, *args, check=True):
        at = ("--search-url", f"http://127.0.0.1:{self.fake.port}") if args[0] == "start" else ()
        done = self.system.run("experiment", *args, *at, "--json", check=check)
        return json.loads(done.stdout) if check else done

    def start(self, name, *args):
        self.experiment("start", name, *args)
        self.addCleanup(self.wait_running, 0)  # or the next test would take it for its own
        self.addCleanup(lambda: self.experiment("stop", check=False))
        self.wait_running(1)

    def wait_running(self, n, port=None):
        running = lambda: request(port or self.port, "GET", "/metrics").body.decode()  # noqa: E731
        wait_until(lambda: f"\npeel_sticker_experiment_running {n}\n" in running(), 10, "the experiment's start or end")

    def found(self, query="cat", port=None, **more):
        return request(port or self.port, "GET", "/api/search/?" + urllib.parse.urlencode({"query": query, **more})).json()

    def tell(self, answer, client, *events):
        body = {"events": [{"event_id": f"x{next(self.numbers)}", "action_name": action, "query_id": answer["query_id"], "object_id": sticker, **({"client_id": client} if client else {})} for action, sticker in events]}
        sent = request(self.port, "POST", "/api/events/", json.dumps(body), {"Content-Type": "application/json"})
        self.assertEqual((sent.status, sent.json()["failed"]), (202, []))

    def compatible(self, target, members):
        """The answer's list, which is at these members, of a route that is like another service's."""
        found = request(self.port, "GET", target)
        self.assertEqual(found.status, 200, found.body[:300])
        found = found.json()
        for member in members:
            found = found[member]
        return found

    def giphy(self, **params):
        return self.compatible("/giphy/v1/stickers/search?" + urllib.parse.urlencode(params), ["data"])

    def click(self, gif, **params):
        url = urllib.parse.urlsplit(gif["analytics"]["onclick"]["url"])
        self.assertEqual(request(self.port, "GET", f"{url.path}?{url.query}&{urllib.parse.urlencode(params)}").status, 200)

    def logged(self, columns, where="1"):
        return self.system.sql(f"SELECT {columns} FROM events WHERE {where}")


class Experiments(Trials):
    def test_interleaving_finds_the_better_one(self):
        chance = random.Random(7)
        self.start("team draft", "--a", "algorithm=bad", "--b", "algorithm=good")
        self.assertIn("another experiment is running", self.experiment("start", "second", "--a", "algorithm=bad", check=False).stderr)
        self.assertEqual(self.found()["ranking"], "bad-00000000+good-00000000")
        for i in range(60):  # who like one of the first twelve stickers, and look at ten results from above
            answer = self.found(f"query {i % 20}", client_id=f"person {i}")
            self.assertEqual(len(set(answer["stickers"])), 10)
            liked = chance.choice(NAMES[:12]) if i % 5 else chance.choice(NAMES)
            self.tell(answer, f"person {i}", ("impression", answer["stickers"][0]), *([("click", liked), ("share", liked)] if liked in answer["stickers"] else []))
        status = self.experiment("status")
        self.assertEqual((status["name"], status["method"], status["stopped"], status["result"]["searches"]), ("team draft", "interleave", None, 60))
        self.assertEqual(status["result"]["better"], "b", status)
        self.assertGreater(status["result"]["won_b"], status["result"]["won_a"])
        self.assertLess(status["result"]["p"], 0.05)
        self.assertEqual(self.logged("count(*)", "experiment = 0 AND team > 0"), [(0,)])
        stopped = self.experiment("stop")
        self.assertEqual(stopped["result"], status["result"])
        self.wait_running(0)
        self.assertEqual(self.found()["ranking"], "good-00000000")
        self.system.sql("DELETE FROM events WHERE experiment > 0")  # as they are after some time
        self.assertEqual(self.experiment("status", "team draft")["result"], status["result"])
        entries = self.system.sql("SELECT action, after FROM history WHERE model = 'experiments' AND object = 'team draft'")
        self.assertEqual([e[0] for e in entries], ["add", "change"])
        self.assertEqual(json.loads(entries[1][1])["won_b"], status["result"]["won_b"])

    def test_lists_are_fair_and_their_pages_fit_together(self):
        self.start("pages", "--a", "algorithm=bad")
        first = collections.Counter()
        for i in range(40):
            who = {"client_id": f"person {i}"}
            every = self.found("cat", limit=60, **who)
            self.assertEqual((every["total"], sorted(every["stickers"])), (60, NAMES))
            pages = [self.found("cat", limit=24, offset=o, **who) for o in (0, 24, 48, 72)]
            self.assertEqual(sum((p["stickers"] for p in pages), []), every["stickers"])
            self.assertEqual([r["rank"] for r in pages[1]["results"]], list(range(25, 49)))
            first[every["stickers"][0]] += 1
        self.assertEqual(set(first), {NAMES[0], NAMES[-1]})
        self.tell(every, None, *(("click", s) for s in every["stickers"]))  # of somebody who is not known
        teams = dict(self.system.sql("SELECT k.filename, e.team FROM events e JOIN stickers k ON k.id = e.sticker_id WHERE e.experiment > 0"))
        self.assertEqual(collections.Counter(teams.values()), {1: 30, 2: 30})
        self.assertEqual((teams[NAMES[0]], teams[NAMES[-1]]), (2, 1))
        self.assertEqual(self.experiment("status")["result"]["tied"], 1)

    def test_one_ranking_serves_when_the_other_fails(self):
        self.start("broken", "--a", "algorithm=bad")
        before = len(self.logged("1", "experiment > 0"))
        self.addCleanup(self.broken.clear)
        for broken, shown in (("bad", NAMES), ("good", NAMES[::-1])):
            self.broken.clear()
            self.broken.add(broken)
            answer = self.found(f"{broken} fails", offset=5, limit=5)
            self.assertEqual((answer["stickers"], answer["ranking"], "degraded" in answer), (shown[5:10], "good-00000000" if broken == "bad" else "bad-00000000", False))
            self.tell(answer, "ann", ("click", answer["stickers"][0]))
        self.assertEqual(len(self.logged("1", "experiment > 0")), before)
        self.assertIn("peel_sticker_experiment_fallbacks_total 2\n", self.get("/metrics").body.decode())
        self.broken.update(("good", "bad"))
        self.assertTrue(self.found("both fail")["degraded"])

    def test_ab_gives_each_person_one_ranking(self):
        self.start("arms", "--method", "ab", "--a", "algorithm=bad", "--share", "80%")
        people = collections.Counter()
        for i in range(60):
            who = {"client_id": f"person {i}"}
            answer = self.found("cat", **who)
            self.assertEqual(answer["stickers"], self.found("cat", **who)["stickers"])
            self.tell(answer, f"person {i}", ("impression", answer["stickers"][0]), *([("copy", NAMES[0])] if NAMES[0] in answer["stickers"] else []))
            people[answer["ranking"]] += 1
        result = self.experiment("stop")["result"]
        self.assertEqual(result["people_a"], people["bad-00000000"])
        self.assertTrue(15 <= result["people_a"] + result["people_b"] - 20 <= 38, result)  # about 80% of 60
        self.assertEqual((result["won_a"], result["won_b"], result["better"]), (0, result["people_b"], "b"))

    def test_clients_of_other_services_take_part(self):
        """GIPHY's clients send back the receipt; those of KLIPY and Tenor say what was searched for."""
        self.start("elsewhere", "--method", "ab", "--a", "algorithm=bad")
        arms = collections.Counter()
        for i in range(20):
            gif = self.giphy(q="cat", limit=25, pingback_id=f"person {i}")[0]
            self.assertIn(gif["id"], (NAMES[0], NAMES[-1]))
            self.click(gif, random_id=f"person {i}")
            arms[gif["id"]] += 1
        result = self.experiment("status")["result"]
        self.assertEqual((result["won_a"], result["won_b"], len(arms)), (arms[NAMES[-1]], arms[NAMES[0]], 2))
        before = self.logged("count(*)", "experiment > 0")[0][0]
        for i in range(20, 30):
            first = self.compatible(f"/klipy/api/v1/k/stickers/search?q=cat&customer_id=p{i}", ["data", "data"])[0]["slug"]
            request(self.port, "POST", f"/klipy/api/v1/k/stickers/share/{first}", json.dumps({"customer_id": f"p{i}", "q": "cat"}))
            arms[first] += 1
        first = self.compatible("/tenor/v2/search?q=cat", ["results"])[0]["id"]
        request(self.port, "GET", f"/tenor/v2/registershare?id={first}&q=cat")
        arms[first] += 1
        self.assertEqual(self.logged("count(*), min(rank), max(rank), min(network <> 0)", "experiment > 0"), [(before + 11, 1, 1, 1)])
        result = self.experiment("status")["result"]
        self.assertEqual((result["won_a"], result["won_b"]), (arms[NAMES[-1]], arms[NAMES[0]]))

    def test_all_instances_run_it(self):
        port = self.port
        other = self.system.start_sticker(search_port=self.fake.port)
        self.system.port = port
        self.start("two", "--a", "algorithm=bad")
        self.wait_running(1, other)
        for i in range(10):
            self.assertEqual(self.found("dog", client_id=f"p{i}")["stickers"], self.found("dog", port=other, client_id=f"p{i}")["stickers"])

    def test_what_cannot_be_started(self):
        for args, why in (
            (("--a", "algorithm=bad", "--b", "algorithm=bad"), "the same"),
            (("--a", "magic=1"), "found \"magic=1\""),
            (("--a", "algorithm"), "a ranking is described like"),
            (("--a", "a" * 501), "--a: expected text"),
            (("--share", "0", "--a", "algorithm=bad"), "--share: expected a whole number from 1 to 100"),
            (("--method", "c", "--a", "algorithm=bad"), "--method: expected one of"),
        ):
            done = self.experiment("start", "wrong", *args, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)
        self.broken.add("bad")
        self.addCleanup(self.broken.clear)
        self.assertIn("ranking B: SearchService answered 503: no model", self.experiment("start", "wrong", "--b", "algorithm=bad", check=False).stderr)
        self.assertIn("no experiment is running", self.experiment("stop", check=False).stderr)
        self.assertIn('there is no experiment "none"', self.experiment("status", "none", check=False).stderr)


class Pages(AdminTest):
    """The admin page, with a real SearchService."""

    def test_start_stop_and_who_may(self):
        page = self.admin.get("/admin/experiments/")
        self.assertIn('href="/admin/experiments/"', page.text)
        fields = {"action": "start", "name": "by <b>", "a": "algorithm=lexical", "b": "", "method": "ab", "share": "5"}
        for wrong, status, why in (({"share": "0"}, 400, "1 to 100 percent"), ({"share": "-1"}, 400, "1 to 100"), ({"name": ""}, 400, "the name"), ({"a": "x=1"}, 400, "found &quot;x=1&quot;"), ({"a": "", "b": ""}, 400, "the same")):
            answer = self.admin.post("/admin/experiments/", **{**fields, **wrong})
            self.assertEqual(answer.status, status)
            self.assertIn(why, answer.text.replace("&#34;", "&quot;"))
        self.assertEqual(self.admin.post("/admin/experiments/", **fields).status, 303)
        self.assertEqual(self.admin.post("/admin/experiments/", **fields).status, 409)
        page = self.admin.get("/admin/experiments/?done=started").text
        self.assertIn("The experiment was started.", page)
        self.assertNotIn("<b>", page.split("<main")[1].split("<figcaption")[0])
        self.assertIn("5% of people", page)
        self.assertEqual(self.admin.ask("POST", "/admin/experiments/", {"csrf": "wrong", "action": "stop", "name": "by <b>"}).status, 403)
        self.system.run("user", "create", "looker", "--analytics", stdin="a long password\n")
        looker = Visitor(self.port)
        self.assertEqual(looker.log_in("looker", "a long password").status, 303)
        self.assertNotIn(">Stop<", looker.get("/admin/experiments/").text)
        self.assertEqual(looker.post("/admin/experiments/", action="stop", name="by <b>").status, 403)
        self.assertEqual(self.admin.post("/admin/experiments/", action="stop", name="by <b>").status, 303)
        self.assertEqual(self.admin.post("/admin/experiments/", action="stop", name="by <b>").status, 404)
        self.assertIn("by &lt;b&gt;", self.admin.get("/admin/history/?model=experiments").text)


class Exploration(Trials):
    arguments = ("--explore", "100%")
    NEW = [NAMES[i] for i in (12, 20, 30, 35, 50)]  # the last one is too far down

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        old = time.time_ns() // 1000 - 100 * DAY_US
        marks = ",".join("?" * len(cls.NEW))
        cls.system.sql(f"UPDATE stickers SET created_us = ? WHERE filename NOT IN ({marks})", old, *cls.NEW)

    def setUp(self):
        wait_until(lambda: self.found("warm up", client_id="x")["stickers"] != NAMES[:10], 10, "new stickers")

    def test_one_place_and_only_there(self):
        for i in range(30):
            who = {"client_id": f"p{i}"}
            shown = self.found("cat", **who)["stickers"]
            moved = [(at, name) for at, name in enumerate(shown) if name != NAMES[at]]
            self.assertEqual(len(moved), 1, shown)
            self.assertIn(moved[0][0], range(3, 10))
            self.assertIn(moved[0][1], self.NEW[:4])
            self.assertEqual(shown, self.found("cat", **who)["stickers"])
            pages = [self.found("cat", limit=12, offset=o, **who)["stickers"] for o in range(0, 60, 12)]
            self.assertEqual(sorted(sum(pages, [])), NAMES)  # each once
            self.assertEqual(pages[0][:10], shown)
        self.assertEqual(self.found("cat", explore=0)["stickers"], NAMES[:10])
        self.assertEqual(self.found("cat", limit=3)["stickers"], NAMES[:3])
        self.assert_problem(self.search("cat", explore="no"), 400, "explore must be 0 or 1")
        self.assert_problem(self.search("cat", client_id="x" * 129), 400, "client_id must have at most 128 characters")

    def test_clients_of_other_services_explore(self):
        pages = {"/giphy/v1/gifs/search?q=cat&random_id=me&limit=24&offset={}": (["data"], "id", (0, 24, 48)),
                 "/tenor/v2/search?q=cat&limit=24&pos={}": (["results"], "id", (0, 24, 48)),
                 "/klipy/api/v1/k/gifs/search?q=cat&customer_id=me&per_page=24&page={}": (["data", "data"], "slug", (1, 2, 3))}  # fmt: skip
        for target, (members, name, numbers) in pages.items():
            shown = [item[name] for number in numbers for item in self.compatible(target.format(number), members)]
            moved = [at for at, name in enumerate(shown[:10]) if name != NAMES[at]]
            self.assertEqual((sorted(shown), len(moved)), (NAMES, 1), target)  # each once
        gifs = self.giphy(q="cat", random_id="me", limit=10)
        tried = next(gif for gif in gifs if gif["id"] in self.NEW)
        before = self.logged("coalesce(max(rowno), 0)")[0][0]
        self.click(tried, random_id="me")
        self.click(gifs[0], random_id="me")
        propensities = [row[0] for row in self.logged("propensity", f"rowno > {before} ORDER BY rank")]
        self.assertEqual(propensities[0], 1000000)
        self.assertLess(propensities[1], 1000000 / 7)
        pages = [self.found("cat", limit=n, offset=o, client_id="me")["stickers"] for o, n in ((0, 25), (25, 25), (50, 2))]
        pages += [self.found("cat", limit=3, offset=o, client_id="me")["stickers"] for o in range(52, 60, 3)]
        self.assertEqual(sorted(sum(pages, [])), NAMES)
        self.assertEqual(sorted(sum((self.found("cat", limit=2, offset=o, client_id="me")["stickers"] for o in range(10, 60, 2)), pages[0][:10])), NAMES)

    def test_a_better_one_is_found(self):
        """People always use s20, and never the other new ones: soon it is shown most."""
        shown = collections.Counter()
        for round in range(3):
            for i in range(25):
                answer = self.found(f"round {round} {i % 5}", client_id=f"p{round} {i}")
                tried = next(n for n in answer["stickers"] if n in self.NEW)
                if round:
                    shown[tried] += 1
                self.tell(answer, f"p{i}", *((("impression", tried), ("click", tried)) if tried == NAMES[20] else (("impression", tried),)))
            time.sleep(2.2 if round < 2 else 0)  # until the service has read the log
        self.assertGreater(shown[NAMES[20]], 40, shown)  # of 50; by chance, 13
        propensities = self.logged("sum(propensity < 1000000), min(propensity), max(CASE WHEN propensity < 1000000 THEN propensity END), count(*)")[0]
        self.assertEqual(propensities[0], propensities[3])
        self.assertTrue(0 < propensities[1] < propensities[2] <= 1000000 / 7, propensities)

    def test_nothing_is_new_where_all_is(self):
        before = self.system.sql("SELECT created_us, filename FROM stickers")
        self.addCleanup(lambda: [self.system.sql("UPDATE stickers SET created_us = ? WHERE filename = ?", *row) for row in before])
        self.system.sql("UPDATE stickers SET created_us = ?", time.time_ns() // 1000)
        wait_until(lambda: self.found("warm up", client_id="x")["stickers"] == NAMES[:10], 10, "no new stickers")


if __name__ == "__main__":
    main()
