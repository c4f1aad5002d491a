"""Pins and synonyms from end to end: through the API, in searches, in degraded answers, over restarts."""

import csv
import io
import json
import os
import signal
import unittest
import urllib.parse

from peel_testing import ADMIN_TOKEN, STICKERS, ServiceTest, System, main, request, stop, wait_until

TOKEN = {"Authorization": f"Token {ADMIN_TOKEN}"}


class Curation(ServiceTest):
    arguments = ("--search-cache-ms", "60000")  # so that a cache that is not emptied shows

    def setUp(self):
        for kind in ("pins", "synonyms"):
            self.post(kind, [], replace="true")
        wait_until(lambda: self.at_search()["count"] == 0, 10, "no synonyms at SearchService")

    def post(self, kind, rows, status=200, token=TOKEN, **params):
        answer = request(self.port, "POST", f"/api/{kind}/?" + urllib.parse.urlencode(params), json.dumps({kind: rows}), {"Content-Type": "application/json", **token})
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def rows(self, kind):
        return self.get(f"/api/{kind}/", **TOKEN).json()[kind]

    def delete(self, kind, **key):
        return request(self.port, "DELETE", f"/api/{kind}/?" + urllib.parse.urlencode(key), headers=TOKEN).status

    def at_search(self):
        return request(self.system.search_port, "GET", "/api/synonyms/version").json()

    def found(self, query, **more):
        return self.search(query, **more).json()

    # --- pins ---

    def test_a_pin_is_at_its_place_at_once(self):
        before = self.found("cat")
        self.assertEqual(before["stickers"], ["cat.png"])
        self.post("pins", [{"query": "  CAT ", "sticker": "car.png"}])
        found = self.found("cat")
        self.assertEqual((found["stickers"], found["total"]), (["car.png", "cat.png"], 2))
        first, second = found["results"]
        self.assertEqual((first["filename"], first["pinned"], first["title"]), ("car.png", True, "Red car"))
        self.assertNotIn("pinned", second)
        self.assertEqual(second, {**before["results"][0], "rank": 2})
        self.assertEqual(self.found("Cat")["stickers"], ["car.png", "cat.png"])
        self.assertEqual(self.found("cat in a park")["stickers"], self.found("Cat in a  park")["stickers"])
        self.assertNotIn("car.png", self.found("kitten")["stickers"])
        self.assertEqual(self.delete("pins", query="cat", sticker="car.png"), 204)
        self.assertEqual(self.found("cat")["stickers"], ["cat.png"])
        self.assertEqual(self.delete("pins", query="cat", sticker="car.png"), 404)

    def test_hidden_stickers_and_languages(self):
        every = self.found("cat dog cake car", limit=100)
        self.assertEqual(sorted(every["stickers"]), ["cake.png", "car.png", "cat.png", "dog.png"])
        self.post("pins", [{"query": "cat dog cake car", "sticker": "dog.png", "position": 0}, {"query": "cat dog cake car", "sticker": "car.png", "position": 0, "language": "de"}])
        found = self.found("cat dog cake car", limit=100)
        self.assertEqual((found["total"], sorted(found["stickers"])), (3, ["cake.png", "car.png", "cat.png"]))
        german = self.found("cat dog cake car", lang="de")
        self.assertEqual("car.png" in german["stickers"], request(self.system.search_port, "GET", "/api/search/?query=cat+dog+cake+car&lang=de").json()["language"] != "de")

    def test_pages_and_filters(self):
        self.post("pins", [{"query": "cat dog cake", "sticker": "grüße.png", "position": 3}, {"query": "cat dog cake", "sticker": "cake.png", "position": 1}])
        every = self.found("cat dog cake", limit=100)
        self.assertEqual((every["total"], every["stickers"][0], every["stickers"][2]), (4, "cake.png", "grüße.png"))
        for size in (1, 2, 3):
            pages = [self.found("cat dog cake", limit=size, offset=o) for o in range(0, 6, size)]
            self.assertEqual(sum((p["stickers"] for p in pages), []), every["stickers"])
            self.assertEqual({p["total"] for p in pages}, {4})
        self.assertEqual(self.get("/api/search/?query=cat+dog+cake&pack=none").json()["stickers"], [])  # a pin must pass the filter

    def test_also_in_degraded_answers(self):
        self.post("pins", [{"query": "cat", "sticker": "car.png"}, {"query": "pupper", "sticker": "cake.png", "position": 2}])
        self.post("synonyms", [{"term": "pupper", "synonyms": ["dog"]}])
        stop(self.system.search.child.pid)
        try:
            found = self.found("cat")
            self.assertEqual((found["degraded"], found["stickers"], found["total"]), (True, ["car.png", "cat.png"], 2))
            self.assertTrue(found["results"][0]["pinned"])
            self.assertEqual(self.found("pupper")["stickers"], ["dog.png", "cake.png"])
        finally:
            os.kill(self.system.search.child.pid, signal.SIGCONT)
        wait_until(lambda: "degraded" not in self.found("cat"), 20, "an answer of SearchService")
        self.assertEqual(self.found("cat")["stickers"], ["car.png", "cat.png"])

    # --- synonyms ---

    def test_synonyms_reach_searches(self):
        self.assertEqual(self.found("moggy")["stickers"], [])
        self.post("synonyms", [{"term": "Moggies", "synonyms": ["Cat", "kitten"]}, {"term": "puppy", "synonyms": ["doggo"], "two_way": True}])
        wait_until(lambda: self.at_search()["count"] == 2, 10, "synonyms at SearchService")
        wait_until(lambda: self.found("moggy")["stickers"] == ["cat.png"], 10, "a cat by a synonym")
        self.assertEqual(self.found("doggo")["stickers"], ["dog.png"])
        wait_until(lambda: "\npeel_sticker_synonyms_delivered 1\n" in self.get("/metrics").body.decode(), 10, "the metric")
        self.assertEqual(self.delete("synonyms", term="moggies"), 204)
        wait_until(lambda: self.found("moggy")["stickers"] == [], 10, "no cat")

    def test_a_new_search_database_gets_them_again(self):
        self.post("synonyms", [{"term": "moggy", "synonyms": ["cat"]}])
        wait_until(lambda: self.at_search()["count"] == 1, 10, "synonyms at SearchService")
        answer = request(self.system.search_port, "PUT", "/api/synonyms", '{"synonyms":[]}', {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200)
        wait_until(lambda: self.at_search()["count"] == 1, 30, "synonyms at SearchService again")

    # --- files ---

    def test_export_and_import(self):
        pins = [
            {"query": "=1+1", "language": "", "sticker": "cat.png", "position": 100},
            {"query": 'a "b", c', "language": "pt-BR", "sticker": "grüße.png", "position": 0},
            {"query": "cat", "language": "", "sticker": "car.png", "position": 1},
        ]
        synonyms = [
            {"term": "gelato", "language": "it", "synonyms": ["ice cream"], "two_way": True},
            {"term": "pupper", "language": "", "synonyms": ["dog", "puppy"], "two_way": False},
        ]
        for kind, rows in (("pins", pins), ("synonyms", synonyms)):
            self.assertEqual(self.post(kind, rows), {"added": len(rows), "changed": 0, "deleted": 0, "same": 0})
            self.assertEqual(self.rows(kind), rows)
            text = self.get(f"/api/{kind}/?format=csv", **TOKEN)
            self.assertTrue(text.headers["Content-Type"].startswith("text/csv"))
            self.assertEqual(len(list(csv.reader(io.StringIO(text.body.decode())))), len(rows) + 1)
            self.assertEqual(self.post(kind, [], replace="true")["deleted"], len(rows))
            self.assertEqual(self.rows(kind), [])
            back = request(self.port, "POST", f"/api/{kind}/?replace=true", text.body, {"Content-Type": "text/csv", **TOKEN})
            self.assertEqual((back.status, back.json()["added"]), (200, len(rows)))
            self.assertEqual(self.rows(kind), rows)
            again = request(self.port, "POST", f"/api/{kind}/?replace=true", text.body, {"Content-Type": "text/csv", **TOKEN})
            self.assertEqual(again.json(), {"added": 0, "changed": 0, "deleted": 0, "same": len(rows)})

    def test_csv_keeps_what_a_spreadsheet_would_run(self):
        queries = ["'", "''cat", "'=1", "'cat", "+1", "-1", "=1", "@x", "\uff0b1", "\uff1d1"]
        self.post("pins", [{"query": q, "sticker": "cat.png"} for q in queries], replace="true")
        kept = self.rows("pins")
        self.assertEqual(sorted(r["query"] for r in kept), sorted(queries))
        text = self.get("/api/pins/?format=csv", **TOKEN).body
        again = request(self.port, "POST", "/api/pins/?replace=true", text, {"Content-Type": "text/csv", **TOKEN})
        self.assertEqual(again.json(), {"added": 0, "changed": 0, "deleted": 0, "same": len(queries)})
        self.assertEqual(self.rows("pins"), kept)
        self.post("pins", [], replace="true")

    def test_what_is_wrong_is_named(self):
        pin = {"query": "cat", "sticker": "cat.png"}
        for kind, row, message in (
            ("pins", {**pin, "sticker": "none.png"}, 'pins[0]: There is no sticker "none.png".'),
            ("pins", {**pin, "position": 101}, "pins[0].position: This must be a whole number from 0 to 100."),
            ("pins", {**pin, "position": -1}, "pins[0].position"),
            ("pins", {**pin, "position": "1"}, "pins[0].position: This must be a whole number."),
            ("pins", {**pin, "query": "   "}, "pins[0].query: This is needed."),
            ("pins", {**pin, "query": "x" * 256}, "pins[0].query"),
            ("pins", {**pin, "language": "no tag"}, "pins[0].language: Use a language tag"),
            ("pins", {"query": "cat"}, "pins[0].sticker: This is needed."),
            ("pins", {**pin, "more": 1}, "pins[0] may have query, language, sticker and position, and nothing else"),
            ("pins", 1, "pins[0] must be an object"),
            ("synonyms", {"term": "cat", "synonyms": []}, "synonyms[0].synonyms: There must be 1 to 20 synonyms"),
            ("synonyms", {"term": "cat", "synonyms": "a"}, "synonyms[0].synonyms"),
            ("synonyms", {"term": "cat", "synonyms": ["a,b"]}, "synonyms[0].synonyms"),
            ("synonyms", {"term": "one two three four", "synonyms": ["a"]}, "at most 3 words"),
            ("synonyms", {"term": "!", "synonyms": ["a"]}, "synonyms[0]"),
            ("synonyms", {"term": "a", "synonyms": ["b"], "two_way": 1}, "synonyms[0].two_way"),
        ):
            problem = self.post(kind, [row], status=400)
            self.assertIn(message, problem["message"], row)
        for body, message in (("", "not JSON"), ("[]", 'the body must be {"pins":[...]}'), ('{"pins":[],"x":1}', "the body must be")):
            answer = request(self.port, "POST", "/api/pins/", body, {"Content-Type": "application/json", **TOKEN})
            self.assert_problem(answer, 400, message)
        answer = request(self.port, "POST", "/api/pins/", "query,position\ncat,1\n", {"Content-Type": "text/csv", **TOKEN})
        self.assert_problem(answer, 400, "line 1: there is no column sticker")
        answer = request(self.port, "POST", "/api/pins/", "query,sticker,position\ncat,cat.png,1\ncat,dog.png,x\n", {"Content-Type": "text/csv", **TOKEN})
        self.assert_problem(answer, 400, "line 3: pins[1].position")
        self.assert_problem(request(self.port, "POST", "/api/pins/?replace=1", "{}", TOKEN), 400, "replace must be true or false")
        self.assert_problem(self.get("/api/pins/?format=xml", **TOKEN), 400, "format must be json or csv")
        self.assertEqual(self.rows("pins"), [])

    def test_who_may(self):
        self.assert_problem(self.get("/api/pins/"), 401)
        self.system.run("user", "create", "nobody", check=False, stdin="a long password\n")
        made = self.system.run("token", "create", "nobody").stdout.split()
        token = {"Authorization": "Token " + next(w for w in made if len(w) == 40)}
        self.assert_problem(self.get("/api/pins/", **token), 403, "This token's user may not view pins.")
        self.post("pins", [], status=403, token=token)
        self.assertEqual(request(self.port, "DELETE", "/api/synonyms/?term=a", headers=token).status, 403)


class Restart(unittest.TestCase):
    def test_all_of_it_outlasts_a_kill(self):
        system = System()
        self.addCleanup(system.close)
        system.add(STICKERS)
        system.start_search()
        system.start_sticker()
        system.wait_indexed()
        for kind, row in (("pins", {"query": "cat", "sticker": "car.png"}), ("synonyms", {"term": "moggy", "synonyms": ["cat"]})):
            self.assertEqual(request(system.port, "POST", f"/api/{kind}/", json.dumps({kind: [row]}), TOKEN).status, 200)
        system.sticker.child.kill()
        system.search.child.kill()
        system.sticker.child.wait()
        system.search.child.wait()
        system.start_search()
        system.start_sticker()
        self.assertEqual(request(system.port, "GET", "/api/search/?query=cat").json()["stickers"], ["car.png", "cat.png"])
        wait_until(lambda: request(system.port, "GET", "/api/search/?query=moggy").json()["stickers"] == ["cat.png"], 20, "a synonym")


if __name__ == "__main__":
    main()
