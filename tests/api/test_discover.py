#!/usr/bin/env python3
"""What an app needs to show stickers, and the ways to find them without typing a whole phrase."""

import json
import pathlib
import tempfile
import unittest

from peel_testing import System, main, png, request, wait_until

TABLE = """filename,title,words,language,author,license,source,rating,animated
cat.png,Cat in a park,"cat, kitten, park",en,Ann Example,CC BY 4.0,https://art.example/cat,g,false
cat.png,Gato en un parque,"gato, parque",es,,,,,
dog.png,Dog,"dog, puppy",en,Bob,CC0-1.0,,pg,true
dog.png,Perro,perro,es,,,,,
cake.png,Birthday cake,"cake, birthday, party",en,,,,pg-13,
car.png,Red car,"car, vehicle, red",en,,,,r,
plain.png,,nothing,en,,,,,
"""
ALL = {"filename", "rank", "score", "url", "thumbnail", "title", "alt", "rating", "animated", "mime", "width", "height",
       "author", "license", "source", "pack"}  # fmt: skip


def begin():
    """Both services with the stickers of the table, the first two in the pack "pets"."""
    system = System()
    folder = pathlib.Path(tempfile.mkdtemp(dir=system.folder))
    for i, name in enumerate(sorted({line.split(",")[0] for line in TABLE.splitlines()[1:]})):
        (folder / name).write_bytes(png(8 + i, 8, (40 * i, 80, 20)))
    (folder / "stickers.csv").write_text(TABLE, encoding="utf-8")
    system.run("import", str(folder))
    system.sql("UPDATE stickers SET pack = 'pets' WHERE filename IN ('cat.png', 'dog.png')")
    system.start_search()
    return system


class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = begin()
        cls.addClassCleanup(cls.system.close)
        cls.system.start_sticker()
        cls.system.wait_indexed()
        cls.port = cls.system.port

    def get(self, target, **headers):
        return request(self.port, "GET", target, headers=headers)

    def first(self, query):
        answer = self.get(f"/api/search/?query={query}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["results"][0]

    def test_a_result_says_what_an_app_must_show(self):
        cat = self.first("kitten")
        self.assertEqual(set(cat) - {"confidence"}, ALL)
        self.assertEqual((cat["author"], cat["license"], cat["source"]), ("Ann Example", "CC BY 4.0", "https://art.example/cat"))
        self.assertEqual((cat["pack"], cat["mime"], cat["width"], cat["height"]), ("pets", "image/png", 10, 8))
        self.assertEqual((cat["rank"], cat["rating"], cat["animated"]), (1, "g", False))
        dog = self.first("puppy")
        self.assertEqual((dog["rating"], dog["animated"], dog["source"]), ("pg", True, ""))

    def test_alt_is_in_the_asked_language(self):
        self.assertEqual((self.first("gato")["title"], self.first("gato")["alt"]), ("Cat in a park", "Cat in a park"))
        for lang in ("es", "es-MX"):
            self.assertEqual(self.first(f"gato&lang={lang}")["alt"], "Gato en un parque")
        self.assertEqual(self.first("gato&lang=de")["alt"], "Cat in a park")
        self.assertEqual(self.first("nothing")["alt"], "plain")

    def test_fields(self):
        self.assertEqual(list(self.first("puppy&fields=alt,rank,width,filename")), ["filename", "rank", "alt", "width"])
        self.assertEqual(list(self.first("puppy&fields=")), list(self.first("puppy")))
        wrong = self.get("/api/search/?query=puppy&fields=alt,colour")
        self.assertEqual(wrong.status, 400)
        self.assertRegex(wrong.json()["message"], r'^fields has "colour", .*: filename, rank, .*pack$')

    def test_whole_addresses(self):
        for yes in ("1", "true"):
            found = self.first(f"puppy&absolute={yes}")
            self.assertTrue(found["url"].startswith(f"http://127.0.0.1:{self.port}/media/dog.png?v="), found["url"])
            self.assertTrue(found["thumbnail"].startswith(f"http://127.0.0.1:{self.port}/media/dog.png?w="))
        other = self.get("/api/search/?query=puppy&absolute=1", Host=f"localhost:{self.port}").json()["results"][0]
        self.assertTrue(other["url"].startswith(f"http://localhost:{self.port}/media/"), "not the kept one of another host")
        self.assertTrue(self.first("puppy&absolute=0")["url"].startswith("/media/"))
        self.assertEqual(self.get("/api/search/?query=puppy&absolute=yes").status, 400)


    def test_one_sticker(self):
        cat = self.get("/api/stickers/cat.png").json()
        self.assertEqual(set(cat), ALL - {"rank", "score"} | {"keywords"})
        self.assertEqual((cat["keywords"], cat["author"], cat["alt"]), (["cat", "kitten", "park"], "Ann Example", "Cat in a park"))
        spanish = self.get("/api/stickers/cat.png?lang=es&fields=alt").json()
        self.assertEqual(spanish, {"filename": "cat.png", "alt": "Gato en un parque", "keywords": ["gato", "parque"]})
        self.assertTrue(self.get("/api/stickers/cat.png?absolute=1").json()["url"].startswith("http://127.0.0.1"))
        for name in ("none.png", "..%5C", "x" * 300):
            answer = self.get(f"/api/stickers/{name}")
            self.assertEqual((answer.status, answer.json()["message"]), (404, "Sticker not found."), name)

    def test_similar(self):
        found = self.get("/api/stickers/cat.png/similar?limit=2").json()
        self.assertNotIn("cat.png", found["stickers"])
        self.assertEqual([r["rank"] for r in found["results"]], list(range(1, len(found["results"]) + 1)))
        self.assertEqual(self.get("/api/stickers/none.png/similar").status, 404)
        self.assertEqual(self.get("/api/stickers/cat.png/similar?limit=0").status, 400)

    def test_at_random(self):
        drawn = [self.get("/api/random/").json() for _ in range(5)]
        for found in drawn:
            self.assertEqual(sorted(found["stickers"]), ["cake.png", "car.png", "cat.png", "dog.png", "plain.png"])
            self.assertFalse({"rank", "score"} & set(found["results"][0]))
        self.assertGreater(len({tuple(found["stickers"]) for found in drawn}), 1)
        self.assertEqual(len(self.get("/api/random/?limit=2").json()["stickers"]), 2)
        self.assertEqual(self.get("/api/random/?pack=pets&rating=g").json()["stickers"], ["cat.png"])
        self.assertEqual(self.get("/api/random/?animated=true&lang=es&fields=alt").json()["results"], [{"filename": "dog.png", "alt": "Perro"}])
        self.assertEqual(self.get("/api/random/?pack=none").json(), {"stickers": [], "results": []})

    def test_packs(self):
        packs = wait_until(lambda: self.get("/api/packs/").json()["packs"], what="packs")
        cover = packs[0].pop("cover")
        self.assertEqual(packs, [{"name": "pets", "title": "pets", "stickers": 2, "animated": 1, "rating": "pg"}])
        self.assertTrue(cover.startswith("/media/cat.png?w=256"), cover)
        self.assertEqual(self.get(cover).headers["Content-Type"], "image/webp")

    def test_a_pack(self):
        page = self.get("/api/packs/pets/?limit=1&fields=alt&lang=es").json()
        cover = page["pack"].pop("cover")
        self.assertTrue(cover.startswith("/media/cat.png?w=256"), cover)
        self.assertEqual(page["pack"], {"name": "pets", "title": "pets", "stickers": 2, "animated": 1, "rating": "pg",
                                        "authors": ["Ann Example", "Bob"], "licenses": ["CC BY 4.0", "CC0-1.0"]})  # fmt: skip
        self.assertEqual(page["results"], [{"filename": "cat.png", "alt": "Gato en un parque"}])
        rest = self.get(f"/api/packs/pets?limit=1&cursor={page['next']}").json()
        self.assertEqual((rest["stickers"], rest.get("next")), (["dog.png"], None))
        self.assertEqual(self.get("/api/packs/pets/?limit=2").json().get("next"), None)
        self.assertEqual(self.get("/api/packs/pets/?rating=g&pack=other").json()["stickers"], ["cat.png"])
        self.assertEqual(self.get("/api/packs/pets/?animated=true&limit=1").json()["stickers"], ["dog.png"])
        for name in ("none", "x" * 1001, "pets%2Fmore"):
            answer = self.get(f"/api/packs/{name}/")
            self.assertEqual((answer.status, answer.json()["message"]), (404, "Pack not found."), name)
        for cursor in ("x", "0", "-1", "99999999999999999999"):
            self.assertIn("cursor", self.get(f"/api/packs/pets/?cursor={cursor}").json()["message"])

    def test_categories(self):
        self.assertEqual(self.get("/api/categories/").json()["categories"], [])
        self.system.sql("UPDATE stickers SET rating = 1 WHERE filename = 'cake.png'")
        categories = lambda q="": [(c["id"], c["name"], c["query"]) for c in self.get("/api/categories/" + q).json()["categories"]]  # noqa: E731
        self.system.run("import", str(self.food()))
        self.system.wait_indexed()
        self.assertEqual(categories("?lang=de"), [("animals", "Tiere & Natur", "Tier"), ("food", "Essen & Trinken", "Essen")])
        self.assertEqual(categories("?lang=xx"), [("animals", "Animals & Nature", "animal"), ("food", "Food & Drink", "food")])
        self.assertEqual(categories("?lang=de&rating=g"), [("food", "Essen & Trinken", "Essen")])

    def food(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.system.folder))
        lines = ["filename,title,words,language,rating", "bread.png,Bread,food,en,g", "bread.png,,Essen,de,", "fox.png,Fox,animal,en,r", "fox.png,,Tier,de,"]
        (folder / "stickers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for i, name in enumerate(("bread.png", "fox.png")):
            (folder / name).write_bytes(png(20, 20, (i, 9, 9)))
        return folder

    def test_a_typing_mistake(self):
        suggest = lambda q: [x["text"] for x in self.get(f"/api/suggest/?prefix={q}").json()["suggestions"]]  # noqa: E731
        wait_until(lambda: suggest("birt"), what="suggestions")
        self.assertEqual(suggest("brithd"), suggest("birthd"))
        self.assertEqual(suggest("brithdya"), [])


class Trending(unittest.TestCase):
    def test_what_is_used_and_searched_for(self):
        system = begin()
        self.addCleanup(system.close)
        arguments = ("--trusted-proxies", "127.0.0.1", "--query-clients", "3", "--usage-flush-ms", "50", "--search-cache-ms", "0")
        system.start_sticker(*arguments)
        system.wait_indexed()
        get = lambda target, client="192.0.2.1": request(system.port, "GET", target, headers={"X-Forwarded-For": client}).json()  # noqa: E731
        everything = get("/api/trending/")
        self.assertEqual(len(everything["stickers"]), 5, "others at random, while nothing is used")
        self.assertEqual(everything["stickers"], get("/api/trending/")["stickers"], "the same ones for a day")
        pages = [get(f"/api/trending/?limit=2&offset={offset}")["stickers"] for offset in (0, 2, 4, 6)]
        self.assertEqual(sum(pages, []), everything["stickers"])
        found = get("/api/search/?query=cake")
        for i in range(9):  # of three clients; two are not enough
            event = {"event_id": str(i), "action_name": "click", "query_id": found["query_id"], "object_id": "cake.png"}
            self.assertEqual(request(system.port, "POST", "/api/events/", json.dumps({"events": [event]}), {"X-Forwarded-For": f"192.0.2.{i // 3}"}).json()["accepted"], 1)
            if i < 6:
                self.assertEqual(get("/api/trending/")["stickers"], everything["stickers"])
        self.assertEqual(get("/api/trending/")["stickers"][0], "cake.png")
        self.assertNotIn("cake.png", get("/api/trending/?rating=g")["stickers"])
        self.assertEqual(get("/api/trending/?rating=g&lang=es&fields=alt&limit=1&pack=pets")["results"], [{"filename": "cat.png", "alt": "Gato en un parque"}])
        # "kitten" by three clients, two of which share a network; "puppy" by two, often; "dog" by three
        for query, clients in (("kitten", ("192.0.2.1", "2001:db8::1", "2001:db8::2")), ("puppy", ("192.0.2.1", "192.0.2.2") * 3), ("dog", ("192.0.2.1", "192.0.2.2", "2001:db8::1"))):
            for client in clients:
                get(f"/api/search/?query={query}", client)
        wait_until(lambda: system.sql("SELECT usage FROM queries WHERE query = 'dog'") == [(3,)], what="counts")
        system.sticker.stop()
        system.start_sticker(*arguments)
        wait_until(lambda: get("/api/trending/")["queries"], what="popular queries")
        self.assertEqual(get("/api/trending/")["queries"], ["dog"])
        self.assertEqual([x["text"] for x in get("/api/suggest/?prefix=pupp")["suggestions"] if x["kind"] == "query"], [])
        self.assertEqual(request(system.port, "GET", "/api/trending/?offset=500").status, 400)


class PublicUrl(unittest.TestCase):
    def test_answers_have_it(self):
        system = begin()
        self.addCleanup(system.close)
        system.start_sticker("--public-url", "https://peel.example")
        system.wait_indexed()
        get = lambda target: request(system.port, "GET", target).json()["results"][0]["url"]  # noqa: E731
        self.assertTrue(get("/api/search/?query=puppy").startswith("https://peel.example/media/dog.png?v="))
        self.assertTrue(get("/api/search/?query=puppy&absolute=false").startswith("/media/"))
        wrong = system.start_process("wrong", "sticker-service", "--port", "0", "--public-url", "peel.example/")
        wait_until(lambda: wrong.child.poll() is not None, 20, "a refused option")
        self.assertIn("public-url: expected an origin", wrong.log())
        system.processes.remove(wrong)


if __name__ == "__main__":
    main()
