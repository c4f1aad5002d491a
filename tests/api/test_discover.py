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
