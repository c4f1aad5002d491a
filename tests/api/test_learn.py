"""Votes and clicks teach which stickers fit a query, and a few people or one busy address do not."""

import json
import random
import re
import signal
import threading

from peel_testing import ADMIN_TOKEN, SLOW, ServiceTest, System, main, request, wait_until
from test_admin import Visitor

CATS = {f"cat{i}.png": ("Cat", "cat") for i in range(1, 9)}


class Learning(ServiceTest):
    """Eight stickers that nothing but votes can tell apart."""

    arguments = ("--trusted-proxies", "127.0.0.1")

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(CATS | {"dog.png": ("Dog", "dog"), "hound.png": ("Dog", "dog")})
        cls.system.start_search()
        cls.start()
        cls.system.wait_indexed()

    @classmethod
    def start(cls):
        cls.system.start_sticker(*cls.arguments, "--rate-limit", "0")
        cls.port = cls.system.port

    def setUp(self):
        self.system.run("learn", "reset", "--yes")
        self.begun = self.system.sql("SELECT coalesce(max(rowno), 0) FROM events")[0][0]
        self.learnt()

    def order(self, query="cat", **more):
        return [r["filename"] for r in self.search(query, **more).json()["results"]]

    def vote(self, query="cat", address="192.0.2.1", token=None, **entry):
        headers = {"Content-Type": "application/json", "X-Forwarded-For": address}
        if token:
            headers["Authorization"] = f"Token {token}"
        answer = request(self.port, "POST", "/api/feedback/", json.dumps({"feedback": [{"query": query} | entry]}), headers)
        self.assertEqual((answer.status, answer.json().get("failed")), (200, []), answer.body)

    def explain(self, query="cat", sticker="cat1.png"):
        return json.loads(self.system.run("learn", "explain", query, sticker, "--json").stdout)

    def learnt(self):
        """Waits until all votes were learnt and SearchService has them."""

        def done():
            status = json.loads(self.system.run("learn", "status", "--json").stdout)
            last = self.system.sql("SELECT coalesce(max(rowno), 0) FROM events")[0][0]
            there = request(self.system.search_port, "GET", "/api/priors/version").json()
            told = {"epoch": status["epoch"], "version": status["version"]}
            return status["watermark"] == last and status["due"] == 0 and (there == told or not there["epoch"])

        wait_until(done, 10 * SLOW, "everything to be learnt")

    def test_a_crowd_moves_a_sticker_and_learning_can_be_stopped(self):
        before = self.order()
        ranking = self.search("cat").json()["ranking"]
        first = before[0]
        for i in range(60):
            self.vote(address=f"192.0.{i % 30}.{i}", voter=f"person {i}", negative=[first])
        wait_until(lambda: self.order()[-1] == first, 5 * SLOW, "the order to change")
        self.assertEqual(self.order(), before[1:] + before[:1], "the others keep their order")
        self.assertNotEqual(self.search("cat").json()["ranking"], ranking)
        self.assertEqual(self.order(limit=3, offset=6), [before[-1], first], "pages fit together")
        found = request(self.system.search_port, "GET", "/api/search/?query=cat&priors=0").json()
        self.assertEqual([r["filename"] for r in found["results"]], before)
        self.assertEqual(self.order("Cats"), before[1:] + before[:1], "other forms of the words are alike")
        self.assertEqual(self.order(" CAT "), before[1:] + before[:1])
        self.learnt()
        x = self.explain(sticker=first)
        self.assertEqual((x["own"]["voters"], x["own"]["networks"], x["from"]), (60, 30, "query"))
        self.assertAlmostEqual(x["gain"], 0.7 * -0.83, delta=0.03)

        self.system.run("learn", "freeze")
        for i in range(40):
            self.vote(address=f"198.51.{i}.1", voter=f"other {i}", positive=[before[3]])
        self.assertEqual(self.order(), before[1:] + before[:1])
        self.system.run("learn", "unfreeze")
        wait_until(lambda: self.order()[0] == before[3], 5 * SLOW, "votes that were collected meanwhile to count")
        self.system.run("learn", "reset", "--yes")
        wait_until(lambda: self.order() == before, 8 * SLOW, "everything to be forgotten")
        self.system.run("learn", "rebuild")
        wait_until(lambda: self.order()[0] == before[3] and self.order()[-1] == first, 8 * SLOW, "it to be learnt again")
        actions = [row[0] for row in self.system.sql("SELECT object FROM history WHERE model = 'learning' ORDER BY at_us")]
        self.assertEqual(actions[-4:], ["freeze", "unfreeze", "reset", "rebuild"])

    def test_one_voter_one_address_and_one_network_do_not(self):
        before = self.order()
        for i in range(20):
            self.vote(address=f"192.0.{i}.1", voter="the same", negative=[before[0]])
        for i in range(20):
            self.vote(address="192.0.2.7", negative=[before[1]])
        for i in range(20):
            self.vote(address=f"192.0.2.{i}", voter=f"neighbour {i}", negative=[before[2]])
        self.learnt()
        self.assertEqual(self.order(), before)
        self.assertEqual(self.explain(sticker=before[0])["own"]["voters"], 1)
        self.assertEqual(self.explain(sticker=before[1])["own"]["voters"], 1)
        self.assertEqual([self.explain(sticker=before[2])["own"][k] for k in ("voters", "networks")], [20, 1])

    def test_a_token_vouches_for_voters_who_may_change_their_minds(self):
        before = self.order()
        for i in range(10):
            self.vote(token=ADMIN_TOKEN, voter=f"app user {i}", negative=[before[0]])
        wait_until(lambda: self.order()[-1] == before[0], 5 * SLOW, "vouched votes to count")
        for i in range(10):
            self.vote(token=ADMIN_TOKEN, voter=f"app user {i}", positive=[before[0]])
        self.learnt()
        x = self.explain(sticker=before[0])
        self.assertEqual(x["own"]["voters"], 10)
        self.assertAlmostEqual(x["own"]["ups"], 10, delta=0.5)
        self.assertEqual(x["own"]["downs"], 0)
        for i in range(10):
            self.vote(token=ADMIN_TOKEN, voter=f"app user {i}", withdrawn=[before[0]])
        wait_until(lambda: self.order() == before, 5 * SLOW, "votes to be taken back")

    def test_nobody_votes_as_somebody_a_token_vouches_for(self):
        self.order()
        for i in range(10):
            self.vote(token=ADMIN_TOKEN, voter=str(i), positive=["cat1.png"])
        for i in range(10):
            self.vote(address=f"198.51.{i}.1", voter=str(i), negative=["cat1.png"])
            self.vote(address=f"198.51.{i}.1", voter=str(i), withdrawn=["cat1.png"])
        self.learnt()
        own = self.explain()["own"]
        self.assertEqual((own["voters"], round(own["ups"])), (10, 10))
        erased = json.loads(self.system.run("forget", "--voter", "3", "--yes", "--json").stdout)
        self.assertEqual(erased["votes"], 1)
        self.assertEqual(erased["events"], 3, "those without a token too")
        self.learnt()
        self.assertEqual(self.explain()["own"]["voters"], 9)

    def test_a_search_is_forgotten_everywhere_even_while_learning_is_frozen(self):
        secret = "my phone number"
        for query in (secret, "number of my phone", "dog"):
            self.order(query)
            for i in range(12):
                self.vote(query, token=ADMIN_TOKEN, voter=f"somebody {i}", positive=["cat1.png"])
        self.learnt()
        self.assertEqual(self.explain(secret)["from"], "query")
        self.system.run("learn", "freeze")
        self.addCleanup(self.system.run, "learn", "unfreeze")
        for query in (secret, "number of my phone"):
            self.system.run("forget", query, "--yes")
        places = {
            "sticker": ("queries.query", "searches.query", "ballots.query", "lessons.query", "lessons.terms", "vote_hours.query"),
            "search": ("priors.query", "prior_versions.query"),
        }

        def left():
            found = []
            for which, columns in places.items():
                for table, column in (name.split(".") for name in columns):
                    found += [
                        f"{table}: {row[0]}" for row in self.system.sql(f"SELECT {column} FROM {table}", which=which) if "phone" in row[0]
                    ]
            return found

        wait_until(lambda: not left(), 8 * SLOW, "the search to be gone")
        self.assertEqual(self.explain("dog")["from"], "query")

    def test_what_the_log_no_longer_has_is_not_forgotten_unasked(self):
        self.system.sql("DELETE FROM events")  # of other tests
        self.order()
        for i in range(5):
            self.vote(address=f"198.51.{i}.1", voter=str(i), positive=["cat1.png"])
        self.learnt()
        self.system.run("learn", "rebuild")  # it loses nothing
        self.learnt()
        self.system.sql("DELETE FROM events")  # as retention does
        done = self.system.run("learn", "rebuild", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("confirm with --yes", done.stderr)
        self.assertEqual(self.explain()["own"]["voters"], 5)
        self.system.run("learn", "rebuild", "--yes")
        self.assertEqual(self.explain()["own"]["voters"], 0)

    def test_what_cannot_be_explained(self):
        for query, sticker, why in (
            (" ", "cat1.png", "the query must not be empty"),
            ("cat", "cat0.png", 'sticker "cat0.png" does not exist'),
        ):
            done = self.system.run("learn", "explain", query, sticker, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(why, done.stderr)

    def test_bursts_are_held_until_somebody_decides(self):
        before = self.order("dog")
        for i in range(130):
            self.vote("dog", address=f"192.{i % 100}.0.1", voter=f"bot {i}", negative=[before[0]])
        self.learnt()
        self.assertEqual(self.order("dog"), before)
        self.assertEqual(json.loads(self.system.run("learn", "status", "--json").stdout)["held_bursts"], 1)
        admin = Visitor(self.port)
        admin.log_in()
        page = admin.get("/admin/learning/").text
        self.assertIn('<td class="name">dog</td>', page)
        hour = re.search(r'name="hour" value="(\d+)"', page)[1]
        self.assertEqual(admin.post("/admin/learning/", query="dog", hour=hour, decision="release").status, 303)
        wait_until(lambda: self.order("dog")[-1] == before[0], 5 * SLOW, "released votes to count")
        self.assertEqual(admin.post("/admin/learning/", query="dog", hour=hour, decision="drop").status, 303)
        wait_until(lambda: self.order("dog") == before, 5 * SLOW, "dropped votes to be forgotten")
        self.assertEqual(admin.post("/admin/learning/", query="cat", hour="1", decision="drop").status, 404)
        self.assertEqual(admin.post("/admin/learning/", query="dog", hour=hour, decision="maybe").status, 400)
        self.assertEqual(Visitor(self.port).get("/admin/learning/").status, 303)
        history = json.loads(admin.get("/admin/history/export?format=json").body)
        self.assertEqual(len([e for e in history if e["model"] == "learning" and e["object"] == "dog"]), 2)

    def test_nothing_is_learnt_twice_when_services_are_killed(self):
        self.system.sql("DELETE FROM events")  # of other tests, which a rebuild would learn
        before = self.order()
        stop, sent = threading.Event(), []

        receipt = self.search("cat").json()["query_id"]

        def click(i):
            event = {"event_id": f"click {i}", "action_name": "click", "query_id": receipt, "object_id": before[1]}
            headers = {"Content-Type": "application/json", "X-Forwarded-For": f"198.51.{i % 7}.1"}  # the same people again and again
            self.assertEqual(request(self.port, "POST", "/api/events/", json.dumps({"events": [event]}), headers).status, 202)

        def people():
            while not stop.is_set():
                i = len(sent)
                try:
                    self.vote(token=ADMIN_TOKEN, voter=f"v{i}", negative=[before[0]])
                    click(i)
                    sent.append(i)
                except (OSError, AssertionError):
                    stop.wait(0.05)

        thread = threading.Thread(target=people)
        thread.start()
        for _ in range(2):
            stop.wait(0.3 + random.random() / 2)
            port = self.port
            self.system.sticker.child.send_signal(signal.SIGKILL)
            self.system.sticker.child.wait()
            self.system.start_sticker(*self.arguments, "--rate-limit", "0", port=port)
        stop.set()
        thread.join()
        self.learnt()
        voters, ballots = self.system.sql("SELECT count(DISTINCT voter), count(*) FROM ballots")[0]
        told = self.system.sql("SELECT count(DISTINCT client) FROM events WHERE action = 6 AND rowno > ?", self.begun)[0][0]
        self.assertEqual((voters, ballots), (told, told))
        self.assertGreaterEqual(told, len(sent), "acknowledged votes are there")
        seen = self.system.sql("SELECT votes FROM vote_hours WHERE state >= 0")
        self.assertEqual(sum(row[0] for row in seen), told, "and were counted once")
        self.assertEqual(self.system.sql("SELECT seen, clicked FROM click_ranks"), [(7, 7)], "as was each person's click")

        def learnt():
            return [self.system.sql(f"SELECT {what} ORDER BY 1, 2, 3") for what in (
                "query, sticker_id, voter, vote, weight, at_us FROM ballots", "query, hour, votes, state FROM vote_hours",
                "query, sticker_id, networks, seen, clicked, at_us FROM clicks", "query, gains, terms FROM lessons WHERE gains <> ''")]  # fmt: skip

        live = learnt()
        self.system.run("learn", "rebuild")  # while the service runs
        self.learnt()
        self.assertEqual(learnt(), live, "learning from the whole log comes to the same")


if __name__ == "__main__":
    main()
