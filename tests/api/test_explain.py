"""`peel explain`: why a search finds a sticker where it does, in sentences and as JSON."""

import json
import unittest

from peel_testing import ADMIN_TOKEN, STICKERS, ServiceTest, System, main, request


class Explain(ServiceTest):
    def explain(self, query, sticker, *args, **more):
        return self.system.run("explain", query, sticker, "--search-url", f"http://127.0.0.1:{self.system.search_port}", *args, **more)

    def test_a_found_sticker_in_sentences(self):
        said = self.explain("kitten", "cat.png").stdout
        self.assertIn('The query "kitten" is taken to be in "en".', said)
        self.assertIn("cat.png is found at place 1, with score ", said)
        self.assertIn('lexical: place 1 of its own results', said)
        self.assertIn('It has "kitten" (words).', said)
        self.assertIn("Title and keywords: 4 in English, 1 language in all.", said)

    def test_a_sticker_that_is_not_found(self):
        said = self.explain("kitten", "dog.png").stdout
        self.assertIn("dog.png is indexed, but this search does not find it.", said)
        self.assertIn("None of the query's terms is in its title, words or filename.", said)

    def test_the_same_as_the_search(self):
        for query in ("cat dog cake car sun greeting", "birthday"):
            found = self.search(query, limit=100).json()
            for place, result in enumerate(found["results"], 1):
                why = json.loads(self.explain(query, result["filename"], "--json").stdout)
                self.assertEqual((why["documents"][0]["rank"], why["total"]), (place, found["total"]))
                self.assertAlmostEqual(why["documents"][0]["score"], result["score"], 4)
                self.assertEqual(why["sticker"], {"exists": True, "sent": True, "pins": []})

    def test_searchservice_says_the_same_in_lines(self):
        for path in ("/api/search/?query=cat+dog&limit=2", "/api/search/?query=cat%0Adgo", "/api/search/?query=xyzzy", "/api/search/?like=cat.png"):
            found = request(self.system.search_port, "GET", path).json()
            answer = request(self.system.search_port, "GET", path, headers={"Accept": "text/plain"})
            remarks, results = (part.decode().splitlines() for part in answer.body.split(b"\n\n", 1))
            said = dict(line.split(" ", 1) for line in remarks)
            lines = [line.split(" ", 2) for line in results]
            self.assertEqual((int(said["total"]), said["language"], said["ranking"], said["legs"].split()),
                             (found["total"], found["language"], found["ranking"], found["legs"]))  # fmt: skip
            self.assertEqual(json.loads(said.get("corrected", "null")), found.get("corrected"))
            self.assertEqual([(float(score), float(confidence), name) for score, confidence, name in lines],
                             [(r["score"], r.get("confidence", 0), r["filename"]) for r in found["results"]])  # fmt: skip

    def test_pins_are_told(self):
        pins = {"pins": [{"query": "kitten", "sticker": "dog.png", "position": 3}, {"query": "kitten", "sticker": "cat.png", "position": 0, "language": "de"}]}
        token = {"Authorization": f"Token {ADMIN_TOKEN}"}
        self.assertEqual(request(self.port, "POST", "/api/pins/", json.dumps(pins), token).status, 200)
        self.assertIn("dog.png is put at place 3 by a pin.", self.explain(" KITTEN", "dog.png").stdout)
        self.assertIn('cat.png is hidden from this query by a pin for searches in "de".', self.explain("kitten", "cat.png").stdout)
        self.assertEqual(json.loads(self.explain("kitten", "dog.png", "--json").stdout)["sticker"]["pins"], [{"language": "", "position": 3}])
        self.assertEqual(request(self.port, "POST", "/api/pins/?replace=true", '{"pins":[]}', token).status, 200)

    def test_the_service_on_this_data_folder_is_found(self):
        self.assertIn("cat.png is found at place 1", self.system.run("explain", "kitten", "cat.png").stdout)

    def test_what_is_wrong_is_said(self):
        done = self.explain("kitten", "none.png", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, 'peel: there is no sticker "none.png"\n')
        done = self.explain("kitten", "cat.png", "--lang", "not a tag", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("lang must be a language tag", done.stderr)
        done = self.system.run("explain", "kitten", "cat.png", "--search-url", "http://127.0.0.1:1", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("127.0.0.1:1", done.stderr)


class NotSent(unittest.TestCase):
    def test_a_sticker_that_waits_in_the_outbox(self):
        system = System()
        self.addCleanup(system.close)
        system.add(STICKERS)
        system.start_search()
        done = system.run("explain", "cat", "cat.png", "--search-url", f"http://127.0.0.1:{system.search_port}")
        self.assertIn("it waits in the outbox", done.stdout)
        self.assertIn("cat.png is not indexed yet.", done.stdout)


if __name__ == "__main__":
    main()
