"""The gallery's pages as the server writes them: what SearchService is asked for them, and what they make of its
answers. How they behave in a browser is tests/browser/gallery.mjs."""

import html
import json
import pathlib
import re
import tempfile
import urllib.parse

from peel_testing import STICKERS, FakeSearch, ServiceTest, System, main, png, request


def hits(*names):
    return {"results": [{"filename": n, "score": 1} for n in names], "filenames": list(names), "total": len(names)}


class Asked(ServiceTest):
    """With a SearchService that says what each test wants it to say."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        folder = pathlib.Path(tempfile.mkdtemp(dir=cls.system.folder))
        (folder / "bear.png").write_bytes(png(8, 8, (9, 9, 9)))
        (folder / "stickers.csv").write_text(
            "filename,title,words,language,author,license,source\n"
            'bear.png,Bear,"bear, animal",en,Ada,CC BY 4.0,https://example.org/bear\n'
            'bear.png,Bär,"Bär, Tier",de,,,\nbear.png,,דוב,he,,,\n', encoding="utf-8")
        cls.system.run("import", str(folder))
        cls.fake = cls.system.fake = FakeSearch()
        cls.system.start_sticker("--search-cache-ms", "0", "--breaker-failures", "1000", search_port=cls.fake.port)
        cls.port = cls.system.port
        cls.system.wait_indexed()

    def setUp(self):
        self.fake.seen.clear()

    def page(self, target, status=200, **headers):
        answer = self.get(target, **headers)
        self.assertEqual(answer.status, status)
        return answer.body.decode()

    def asked(self):
        """The searches that SearchService was asked for, as dictionaries of their parameters."""
        paths = [urllib.parse.urlsplit(path) for _, path, _, _ in self.fake.seen]
        return [dict(urllib.parse.parse_qsl(p.query)) for p in paths if p.path == "/api/search/"]

    def test_more_like_this(self):
        self.fake.answer = lambda handler: (200, hits("dog.png", "gone.png", "cat.png"))
        page = self.page("/sticker/bear.png")
        self.assertEqual(self.asked(), [{"like": "bear.png", "limit": "12", "offset": "0"}])
        row = page[page.index('id="similar"'):]
        self.assertIn("More like this", row)
        self.assertEqual(re.findall(r'data-filename="([^"]+)"', row), ["dog.png", "cat.png"])

    def test_no_row_without_likes(self):
        for status, content in ((200, hits()), (404, {}), (500, {}), (503, {}), (200, b"rubbish"), (200, hits("../x"))):
            self.fake.answer = lambda handler: (status, content)
            self.assertNotIn("More like this", self.page("/sticker/bear.png"))

    def test_a_sticker_is_complete(self):
        page = self.page("/sticker/bear.png?q=bear")
        for part in (">Bear<", ">Ada<", 'href="https://creativecommons.org/licenses/by/4.0/"', ">CC BY 4.0<",
                     'href="https://example.org/bear"', 'download="bear.png"', 'id="copy-image"', 'id="copy-link"',
                     ">bear.png<", "PNG, 8 × 8 pixels", 'href="/?q=bear"'):
            self.assertIn(part, page)

    def test_words_in_the_readers_language(self):
        for accept, language, words in ((None, "en", ["bear", "animal"]), ("de-AT,en;q=0.5", "de", ["Bär", "Tier"]),
                                        ("fr", "en", ["bear", "animal"]), ("en;q=0.1, he", "he", ["דוב"])):
            page = self.page("/sticker/bear.png", **({"Accept-Language": accept} if accept else {}))
            chips = re.findall(r'<a href="/\?q=[^"]*" lang="([^"]*)" dir="auto">([^<]*)<', page)
            self.assertEqual(chips, [(language, w) for w in words])

    def test_the_language_asked_for(self):
        self.fake.answer = lambda handler: (200, hits("cat.png"))
        for accept, lang in ((None, None), ("es", "es"), ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"), ("en;q=0.2, de ;q=0.7,fr;q=0.65", "de"),
                             ("*", None), ("", None), ("es;q=0", None), ("es;q=0.000, fr;q=0.001", "fr"), ("es;q=x, de;q=2", None),
                             (",,;q=1, <script>, fr", "fr"), ("x" * 4000 + ",fr", "fr"), ("a&limit=1,it", "it"), ("ja;Q=1.0", "ja")):
            self.fake.seen.clear()
            answer = self.get("/?q=cat", **({} if accept is None else {"Accept-Language": accept}))
            self.assertEqual(answer.status, 200)
            self.assertIn("Accept-Language", answer.headers["Vary"])
            asked = {"query": "cat", "limit": "24", "offset": "0"}
            self.assertEqual(self.asked(), [asked if lang is None else {**asked, "lang": lang}], accept)

    def test_corrected(self):
        self.fake.answer = lambda handler: (200, {**hits("cake.png"), "corrected": "birthday <b>"})
        page = self.page("/?q=birtday")
        self.assertIn("Showing results for <q>birthday &lt;b&gt;</q>", page)
        self.fake.answer = lambda handler: (200, hits("cake.png"))
        self.assertNotIn("Showing results for", self.page("/?q=birthday"))

    def test_degraded(self):
        self.fake.answer = lambda handler: (500, {})
        page = self.page("/?q=cat")
        self.assertIn("Search is resting", page)
        self.assertIn('data-filename="cat.png"', page)

    def test_nothing_of_a_request_becomes_markup(self):
        attack = "\"'><img src=x onerror=alert(1)>{{x}}"
        quoted = urllib.parse.quote(attack, safe="")
        self.fake.answer = lambda handler: (200, {**hits("cat.png"), "corrected": attack})
        for target, status in ((f"/?q={quoted}", 200), (f"/?q={quoted}&part=results", 200), (f"/sticker/cat.png?q={quoted}&as={quoted}", 200),
                               (f"/?q=cat&voted={quoted}&as={quoted}", 200), (f"/?q=cat&page={quoted}", 400), (f"/sticker/{quoted}?q={quoted}", 404)):
            self.assertNotIn("<img src=x", html.unescape(re.sub(r'"[^"]*"|&[a-z0-9#]+;', "", self.page(target, status))), target)
        form = urllib.parse.urlencode({"q": attack, "positive": attack})
        answer = request(self.port, "POST", "/vote", form, headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertIn(answer.status, (400, 404))
        self.assertNotIn(b"<img src=x", answer.body)


class Alike(ServiceTest):
    """With the real SearchService."""

    def test_what_shares_words_is_alike_and_itself_is_not_there(self):
        self.system.add({"cat2.png": ("Cat again", "cat, kitten, park")})
        self.system.wait_indexed()
        page = self.get("/sticker/cat.png").body.decode()
        row = page[page.index('id="similar"'):]
        self.assertEqual(re.findall(r'data-filename="([^"]+)"', row)[0], "cat2.png")
        self.assertNotIn('data-filename="cat.png"', row)

    def test_votes_of_several_queries_in_one_request(self):
        for query in ("cat", "dog"):
            self.assertEqual(self.get(f"/?q={query}").status, 200)
        body = {"feedback": [{"query": "cat", "positive": ["cat.png"], "negative": ["dog.png"]}, {"query": "dog", "positive": ["dog.png"], "negative": []}]}
        answer = request(self.port, "POST", "/api/feedback/", json.dumps(body))
        self.assertEqual((answer.status, answer.json()), (200, {"failed": []}))
        self.assertEqual(len(self.analytics("cat").json()["feedback scores"]), 2)


if __name__ == "__main__":
    main()
