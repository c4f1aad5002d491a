"""Receipts of searches, and the events and votes that carry them."""

import json
import re
import unittest

from peel_testing import ServiceTest, System, main, request


class Events(ServiceTest):
    numbers = iter(range(10**9))

    def asked(self, query="cat", **params):
        return self.search(query, **params).json()

    def event(self, answer, action="click", sticker="cat.png", **members):
        return {"event_id": f"e{next(self.numbers)}", "action_name": action, "query_id": answer["query_id"], "object_id": sticker, **members}

    def send(self, *events, status=202):
        answer = request(self.port, "POST", "/api/events/", json.dumps({"events": events}), {"Content-Type": "application/json"})
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def why_not(self, **members):
        """Why an event with these members is not taken, without the beginning."""
        answer = self.send({name: value for name, value in (self.event(self.asked()) | members).items() if value != "(none)"})
        self.assertEqual((answer["accepted"], answer["failed"][0]["index"]), (0, 0), answer)
        return answer["failed"][0]["detail"].removeprefix("events[0]").removeprefix(".")

    def scores(self, query="cat"):
        return {s["sticker"]: (s["positives"], s["negatives"]) for s in self.analytics(query).json()["feedback scores"]}

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").body.decode(), re.M)[1])

    def test_every_search_has_a_receipt_of_its_own(self):
        first, second = self.asked(), self.asked()  # the second comes from the cache
        self.assertNotEqual(first.pop("query_id"), second.pop("query_id"))
        self.assertEqual(first, second)
        self.assertEqual([r["rank"] for r in first["results"]], list(range(1, len(first["results"]) + 1)))
        self.assertEqual(first["language"], "en")
        self.assertRegex(first["ranking"], r"^[a-z]+-[0-9a-f]{8}$")
        page = self.asked("cat dog cake car sun", limit=2, offset=2)
        self.assertEqual([r["rank"] for r in page["results"]], [3, 4])
        for query in ("nothing like this", "\U0001f63a" * 255):
            self.assertLessEqual(len(self.asked(query)["query_id"]), 1500)

    def test_events_are_taken_once(self):
        taken = self.metric('peel_sticker_events_total{action="click"}')
        click = self.event(self.asked(), client_id="ann", position=1, timestamp="2999-01-01")
        self.assertIn("timestamp is in the future", self.send(click)["failed"][0]["detail"])
        del click["timestamp"]
        self.assertEqual(self.send(click, self.event(self.asked(), "impression")), {"accepted": 2, "duplicates": 0, "failed": []})
        self.assertEqual(self.send(click, click), {"accepted": 0, "duplicates": 2, "failed": []})
        self.assertEqual(self.metric('peel_sticker_events_total{action="click"}'), taken + 1)
        numbered = [self.event(self.asked(), event_id="1") for _ in range(2)]
        self.assertEqual(self.send(*numbered), {"accepted": 2, "duplicates": 0, "failed": []}, "ids are those of a search")
        self.assertEqual(self.send(*numbered), {"accepted": 0, "duplicates": 2, "failed": []})

    def test_votes_count_as_those_of_a_voter(self):
        answer = self.asked("kitten")
        vote = lambda action, **more: self.send(self.event(answer, action, **({"client_id": "ann"} | more)))  # noqa: E731
        self.assertEqual(vote("vote_up")["accepted"], 1)
        vote("vote_up")
        self.assertEqual(self.scores("kitten"), {"cat.png": (1, 0)})
        vote("vote_down")
        self.assertEqual(self.scores("kitten"), {"cat.png": (0, 1)})
        vote("undo")
        self.assertEqual(self.scores("kitten"), {"cat.png": (0, 0)})
        self.feedback({"query": "kitten", "voter": "ann", "positive": ["cat.png"]})  # the same person, by the other way
        vote("vote_up")
        self.assertEqual(self.scores("kitten"), {"cat.png": (1, 0)})
        self.assertIn("needs a client_id", self.why_not(action_name="undo"))

    def test_feedback_may_carry_a_receipt(self):
        answer = self.asked("cat", limit=1)
        shown = answer["stickers"][0]
        before = self.scores().get(shown, (0, 0))
        other = "dog.png"
        got = self.feedback({"query_id": answer["query_id"], "positive": [shown, other]})
        self.assertEqual((got.status, got.json()), (200, {"failed": [other]}))
        self.assertEqual(self.feedback({"query_id": answer["query_id"], "query": " Cat", "negative": [shown]}).status, 200)
        self.assertEqual(self.scores()[shown], (before[0] + 1, before[1] + 1))
        for members, why in (
            ({"query_id": answer["query_id"], "query": "dog"}, "feedback[0].query is not the query of its query_id"),
            ({"query_id": answer["query_id"][:-4] + "AAAA"}, "feedback[0].query_id is not a receipt of this installation"),
            ({"query_id": "x"}, "feedback[0].query_id is not a receipt of a search"),
            ({"query_id": 5}, "feedback[0].query_id must be a string"),
            ({}, "feedback[0].query is missing"),
        ):
            got = self.feedback({"positive": [shown], **members})
            self.assertEqual(got.status, 400)
            self.assertIn(why, got.json()["detail"])

    def test_what_cannot_be_taken_is_named(self):
        failed = self.metric("peel_sticker_events_failed_total")
        foreign = System()
        self.addCleanup(foreign.close)
        foreign.add({"cat.png": ("Cat", "cat")})
        foreign.start_search()
        foreign.start_sticker()
        theirs = request(foreign.port, "GET", "/api/search/?query=cat").json()["query_id"]
        for members, why in (
            ({"query_id": theirs}, "query_id is not a receipt of this installation"),
            ({"query_id": "(none)"}, "query_id is missing"),
            ({"query_id": "A" * 1501}, "query_id must have 1 to 1500 characters"),
            ({"event_id": ""}, "event_id must have 1 to 128 characters"),
            ({"event_id": 7}, "event_id must be a string"),
            ({"event_id": "a\0b"}, "event_id must be UTF-8 text without NUL"),
            ({"action_name": "dance"}, 'action_name "dance" is unknown; known: impression, click,'),
            ({"object_id": "dog.png"}, "object_id is not a sticker that its search showed"),
            ({"object_id": "none.png"}, "object_id is not a sticker that its search showed"),
            ({"position": 0}, "position must be a whole number from 1 to"),
            ({"position": 10**9}, "position must be a whole number from 1 to"),
            ({"position": 1.5}, "position must be a whole number"),
            ({"client_id": "x" * 129}, "client_id must have 1 to 128 characters"),
            ({"timestamp": "yesterday"}, "timestamp must be a time as in ISO 8601"),
            ({"timestamp": "2020-01-01T00:00:00Z"}, "timestamp is before the search"),
        ):
            self.assertIn(why, self.why_not(**members), members)
        answer = self.asked()
        got = self.send(5, self.event(answer), [], self.event(answer, "dance"))
        self.assertEqual((got["accepted"], [f["index"] for f in got["failed"]]), (1, [0, 2, 3]))
        self.assertEqual(self.metric("peel_sticker_events_failed_total"), failed + 18)

    def test_bodies_that_are_no_events(self):
        send = lambda body: request(self.port, "POST", "/api/events/", body, {"Content-Type": "application/json"})  # noqa: E731
        many = json.dumps({"events": [{}] * 501})
        for body in ("", "{", "[]", "{}", '{"events":{}}', '{"events":[]}', many, '{"events":[],"events":[]}', b'{"events":[\xff]}'):
            got = send(body)
            self.assertEqual(got.status, 400, body)
            self.assertTrue(got.json()["detail"])

    def test_they_outlive_the_service(self):
        self.send(click := self.event(self.asked(), client_id="ann"))
        self.system.sticker.child.kill()
        self.system.sticker.stop()
        self.system.start_sticker(port=self.port)
        self.assertEqual(self.send(click)["duplicates"], 1)  # and the receipt is still good


if __name__ == "__main__":
    main()
