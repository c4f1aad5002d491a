"""The gallery's pages as the server writes them: what SearchService is asked for them, and what they make of its
answers. How they behave in a browser is tests/browser/gallery.mjs."""

import gzip
import html
import json
import pathlib
import re
import tempfile
import time
import unittest
import urllib.parse

from peel_testing import STICKERS, FakeSearch, ServiceTest, System, main, png, request, wait_until, webp_size


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
        (folder / "tall.png").write_bytes(png(256, 512))
        (folder / "stickers.csv").write_text(
            "filename,title,words,language,author,license,source\n"
            'bear.png,Bear,"bear, animal",en,Ada,CC BY 4.0,https://example.org/bear\n'
            'bear.png,Bär,"Bär, Tier",de,,,\nbear.png,,דוב,he,,,\nbear.png,دب,دب,ar,,,\n', encoding="utf-8")
        cls.system.run("import", str(folder))
        cls.fake = cls.system.fake = FakeSearch()
        cls.system.start_sticker("--search-cache-ms", "0", "--breaker-failures", "1000", "--hosts", "peel.example,127.0.0.1", search_port=cls.fake.port)
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
                     ">bear.png<", "<bdi>PNG</bdi>, 8 × 8 pixels", 'href="/?q=bear"'):
            self.assertIn(part, page)

    def test_packs(self):
        self.system.sql("UPDATE stickers SET pack = 'a/b <i>', author = 'Ann', license = 'MIT', place = -(row % 2) WHERE filename IN ('cat.png', 'dog.png')")
        self.system.sql("INSERT OR REPLACE INTO packs VALUES ('a/b <i>', 'Pets & <b>', '', '', 'https://pets.example', 'dog.png', 1, ?)", int(time.time() * 1e6))
        self.addCleanup(self.system.sql, "UPDATE stickers SET pack = ''")
        page = self.page("/packs/a%2Fb%20%3Ci%3E")
        for part in ('<h1 id="pack" dir="auto">Pets &amp; &lt;b&gt;</h1>', ">2 stickers<", "<dd><bdi>Ann</bdi></dd>", ">MIT</a>",
                     'href="https://pets.example"', "<title>Pets &amp; &lt;b&gt; · Peel</title>", 'src="/media/dog.png?w=256'):
            self.assertIn(part, page)
        order = [name for name, in self.system.sql("SELECT filename FROM stickers WHERE pack <> '' ORDER BY place, row")]
        self.assertEqual(re.findall(r'data-filename="([^"]+)"', page), order)
        self.assertIn("2 Sticker<", self.page("/packs/a%2Fb%20%3Ci%3E?lang=de"))
        link = 'href="/packs/a%2Fb%20%3Ci%3E"'
        wait_until(lambda: link in self.page("/packs/"), what="the pack in the list")
        self.assertIn(">Pets &amp; &lt;b&gt;<", self.page("/packs/"))
        self.fake.answer = lambda handler: (200, hits())
        self.assertIn(f"<dd><a {link}>Pets &amp; &lt;b&gt;</a></dd>", self.page("/sticker/dog.png"))
        self.page("/packs/none", 404, Accept="text/html")
        self.page("/packs/a%2Fb%20%3Ci%3E?cursor=x", 400, Accept="text/html")

    def test_words_in_the_readers_language(self):
        for accept, language, words in ((None, "en", ["bear", "animal"]), ("de-AT,en;q=0.5", "de", ["Bär", "Tier"]),
                                        ("fr", "en", ["bear", "animal"]), ("en;q=0.1, he", "he", ["דוב"])):
            page = self.page("/sticker/bear.png", **({"Accept-Language": accept} if accept else {}))
            chips = re.findall(r'<a href="/\?q=[^"]*" lang="([^"]*)" dir="auto">([^<]*)<', page)
            self.assertEqual(chips, [(language, w) for w in words])

    def test_every_language(self):
        self.fake.answer = lambda handler: (200, hits("bear.png"))
        for tag, direction, title, said in (
                ("en", "ltr", "Bear", "1 sticker for “<bdi>bär</bdi>”"), ("de", "ltr", "Bär", "1 Sticker für „<bdi>bär</bdi>“"),
                ("es", "ltr", "Bear", "1 sticker para «<bdi>bär</bdi>»"), ("fr", "ltr", "Bear", "1 sticker pour «\u00a0<bdi>bär</bdi>\u00a0»"),
                ("pt", "ltr", "Bear", "1 figurinha para “<bdi>bär</bdi>”"), ("ja", "ltr", "Bear", "「<bdi>bär</bdi>」のステッカー 1 件"),
                ("zh", "ltr", "Bear", "“<bdi>bär</bdi>”的 1 张贴纸"), ("ko", "ltr", "Bear", "‘<bdi>bär</bdi>’ 스티커 1개"),
                ("ar", "rtl", "دب", "ملصق واحد لـ «<bdi>bär</bdi>»")):
            page = self.page("/?q=b%C3%A4r", **{"Accept-Language": f"xx;q=0.9, {tag}-XX"})
            self.assertIn(f'<html lang="{tag}" dir="{direction}">', page)
            self.assertIn(said, page)
            self.assertIn(f'<span class="card-title" dir="auto">{title}</span>', page)
            self.assertRegex(page, rf'lang="{tag}" hreflang="{tag}" aria-current="true"')
            self.assertEqual(len(set(re.findall(r'hreflang="(..)"', page))), 9)

    def test_the_picker_speaks_every_language(self):
        english = self.get("/peel-picker.json").json()
        for lang in ("de-AT", "es", "fr", "pt-BR", "ja", "zh-Hant", "ko", "ar"):
            texts = self.get(f"/peel-picker.json?lang={lang}").json()
            self.assertEqual((texts["lang"], texts["dir"]), (lang[:2], "rtl" if lang == "ar" else "ltr"))
            self.assertEqual(texts.keys(), english.keys())
            self.assertNotEqual(texts["start"], english["start"])
        self.assertEqual(self.get("/peel-picker.json?lang=tlh").json(), english)
        self.assert_problem(self.get("/peel-picker.json?lang=!"), 400)
        for script in ("/peel-picker.js", "/peel-parts.js", "/peel-client.js"):
            answer = self.get(script)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/javascript; charset=utf-8"))
            self.assertEqual(self.get(script, **{"If-None-Match": answer.headers["ETag"]}).status, 304)
        self.assertEqual(self.get("/peel-picker.js/").status, 404)

    def test_a_language_is_chosen_and_kept(self):
        answer = self.get("/?q=cat&page=1&lang=de", **{"Accept-Language": "fr"})
        self.assertIn('<html lang="de"', answer.body.decode())
        cookie = answer.headers["Set-Cookie"]
        self.assertRegex(cookie, r"^lang=de; .*Path=/.*HttpOnly.*SameSite=Lax|^lang=de; .*Path=/")
        self.assertIn("Cookie", answer.headers["Vary"])
        kept = self.get("/?q=cat", **{"Accept-Language": "fr", "Cookie": "a=b; lang=de"})
        self.assertIn('<html lang="de"', kept.body.decode())
        self.assertNotIn("Set-Cookie", kept.headers)
        self.assertEqual(self.asked()[-1]["lang"], "de")
        for wrong in ("xx", "", "../de", "de%22%3E", "it"):
            answer = self.get(f"/?lang={wrong}", Cookie="lang=" + wrong)
            self.assertEqual(answer.status, 200)
            self.assertIn('<html lang="en"', answer.body.decode())
            self.assertNotIn("Set-Cookie", answer.headers)
        # the same page in another language
        self.assertIn('href="/?q=cat&amp;page=1&amp;lang=ar"', self.page("/?q=cat&page=1&lang=de"))

    def test_no_page_can_be_framed(self):
        for target in ("/", "/?q=cat", "/sticker/cat.png", "/docs/", "/api/docs", "/demo", "/admin/login", "/none", "/sticker/none.png"):
            answer = self.get(target, Accept="text/html")
            self.assertTrue(answer.headers["Content-Type"].startswith("text/html"), target)
            self.assertIn("frame-ancestors 'none'", answer.headers["Content-Security-Policy"], target)

    def test_pages_are_compressed(self):
        plain = self.get("/?q=cat")
        packed = self.get("/?q=cat", **{"Accept-Encoding": "br, gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertIn("Accept-Encoding", packed.headers["Vary"])
        self.assertNotIn("Content-Encoding", plain.headers)
        same = [re.sub(rb'data-receipt="[^"]*"', b"", body) for body in (gzip.decompress(packed.body), plain.body)]
        self.assertEqual(*same)
        self.assertLess(len(packed.body), len(plain.body) / 2)
        self.assertNotIn("Content-Encoding", self.get("/?q=cat", **{"Accept-Encoding": "gzip;q=0"}).headers)
        for accept, coding, magic in (
            ("gzip, deflate, br, zstd", "zstd", b"\x28\xb5\x2f\xfd"),
            ("zstd;q=0.5, gzip", "gzip", b"\x1f\x8b"),
        ):
            answer = self.get("/?q=cat", **{"Accept-Encoding": accept})
            self.assertEqual((answer.headers["Content-Encoding"], answer.body[: len(magic)]), (coding, magic))

    def test_filters(self):
        self.fake.answer = lambda handler: (200, hits("bear.png"))
        self.page("/?q=bear&pack=&animated=true&rating=pg&page=2")
        self.assertEqual({k: v for k, v in self.asked()[0].items() if k in ("pack", "animated", "rating", "offset")}, {"animated": "true", "rating": "pg", "offset": "24"})
        self.fake.seen.clear()
        self.page("/?q=bear&pack=some+pack")
        self.assertEqual(self.asked()[0]["pack"], "some pack")
        self.page("/?q=bear&animated=perhaps", 400)
        self.fake.answer = lambda handler: (200, hits())
        page = self.page("/?q=bear&pack=nothing")
        self.assertIn("No stickers match these filters.", page)
        self.assertIn('<a class="button" href="/?q=bear">Remove filters</a>', page)

    def test_beyond_the_last_page(self):
        self.fake.answer = lambda handler: (200, {**hits(), "total": 50})
        page = self.page("/?q=cat&page=999")
        self.assertIn("No more stickers for “<bdi>cat</bdi>”.", page)
        self.assertNotIn("23953", page)
        self.assertIn('rel="prev" href="/?q=cat&amp;page=3"', page)
        self.assertNotIn('rel="next"', page)

    def test_open_graph_and_oembed(self):
        page = self.page("/sticker/bear.png", Host="peel.example")
        for part in ('<meta property="og:title" content="Bear">', '<meta property="og:url" content="http://peel.example/sticker/bear.png">',
                     '<link rel="canonical" href="http://peel.example/sticker/bear.png">', '<meta property="og:image" content="http://peel.example/media/bear.png?w=512&amp;v='):
            self.assertIn(part, page)
        link = html.unescape(re.search(r'type="application/json\+oembed" href="([^"]+)"', page)[1])
        self.assertEqual(link, "http://peel.example/oembed?url=http%3A%2F%2Fpeel.example%2Fsticker%2Fbear.png")
        self.assertNotIn(b"og:", self.get("/sticker/bear.png", Host='x"><script>').body)
        answer = self.get(link[len("http://peel.example"):], Host="peel.example")
        said = answer.json()
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json; charset=utf-8"))
        self.assertEqual({k: said[k] for k in said if k not in ("url", "cache_age")}, {
            "version": "1.0", "type": "photo", "width": 8, "height": 8, "title": "Bear", "author_name": "Ada", "license": "CC BY 4.0",
            "provider_name": "Peel", "provider_url": "http://peel.example"})
        self.assertRegex(said["url"], r"^http://peel\.example/media/bear\.png\?w=512&v=[0-9a-f]{16}$")
        self.assertEqual(self.get("/oembed?url=/sticker/bear.png&maxwidth=100&maxheight=600&format=json", **{"Accept-Language": "de"}).json()["title"], "Bär")
        for most, expected in (({}, (512, 256, 512)), ({"maxheight": 511}, (128, 128, 256)), ({"maxwidth": 100, "maxheight": 9999}, (64, 64, 128)),
                               ({"maxwidth": 300, "maxheight": 200}, (64, 64, 128)), ({"maxwidth": 63}, None), ({"maxheight": 127}, None)):
            asked = urllib.parse.urlencode({"url": "/sticker/tall.png", **most})
            answer = self.get("/oembed?" + asked)
            if expected is None:
                self.assertEqual(answer.status, 404, most)
                continue
            said = answer.json()
            self.assertEqual((int(re.search(r"w=(\d+)", said["url"])[1]), said["width"], said["height"]), expected, most)
            self.assertEqual(webp_size(self.get(said["url"][said["url"].index("/media/") :]).body), expected[1:], most)
        for query, status in (("", 400), ("url=", 400), ("url=/sticker/none.png", 404), ("url=http://x/", 404), ("url=http://x/sticker/", 404), ("url=/sticker/..%2525", 404),
                              ("url=/sticker/bear.png&format=xml", 501), ("url=/sticker/bear.png&maxwidth=0", 400), ("url=" + "x" * 5000, 404), ("url=/sticker/%25ff", 404)):
            self.assertEqual(self.get("/oembed?" + query).status, status, query)

    def test_errors_for_people(self):
        html_please = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        answer = self.get("/nowhere/at/all?q=cake", **html_please)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (404, "text/html; charset=utf-8"))
        self.assertIn("Page not found", answer.body.decode())
        self.assertIn('value="cake"', answer.body.decode())
        self.assertIn("Seite nicht gefunden", self.get("/nowhere", **html_please, **{"Accept-Language": "de"}).body.decode())
        for target, headers in (("/nowhere", {}), ("/nowhere", {"Accept": "*/*"}), ("/api/nowhere", html_please), ("/media/none.png", html_please)):
            answer = self.get(target, **headers)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (404, "application/problem+json"), target)
        page = self.page("/?q=" + "x" * 256, 400)
        self.assertIn("That search is too long. Please use at most 255 characters.", page)
        self.assertIn('value="' + "x" * 256 + '"', page)
        self.assertNotIn("y" * 5000, self.page("/?q=" + "y" * 5000, 400))
        self.assertIn("This address is not valid.", self.page("/?q=cat&page=0", 400))
        self.assertIn("This sticker does not exist, or has been removed.", self.page("/sticker/none.png", 404))

    def test_links_of_an_error_stay_here(self):
        answer = self.get("///evil.example/x?q=a", Accept="text/html")
        self.assertEqual(answer.status, 404)
        links = re.findall(r'(?:href|action|src)="([^"]*)"', answer.body.decode())
        self.assertIn("/evil.example/x?q=a&amp;lang=de", links)
        self.assertEqual([l for l in links if l.startswith("//")], [])

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
        self.assertIn("Showing results for “<bdi>birthday &lt;b&gt;</bdi>”.", page)
        self.fake.answer = lambda handler: (200, hits("cake.png"))
        self.assertNotIn("Showing results for", self.page("/?q=birthday"))

    def test_degraded(self):
        self.fake.answer = lambda handler: (500, {})
        page = self.page("/?q=cat")
        self.assertIn("Search is not fully available right now.", page)
        self.assertIn('data-filename="cat.png"', page)

    def test_nothing_of_a_request_becomes_markup(self):
        attack = "\"'><img src=x onerror=alert(1)>{{x}}"
        quoted = urllib.parse.quote(attack, safe="")
        self.fake.answer = lambda handler: (200, {**hits("cat.png"), "corrected": attack})
        for target, status in ((f"/?q={quoted}", 200), (f"/?q={quoted}&part=results", 200), (f"/sticker/cat.png?q={quoted}&as={quoted}", 200),
                               (f"/?q=cat&voted={quoted}&as={quoted}", 200), (f"/?q=cat&page={quoted}", 400), (f"/sticker/{quoted}?q={quoted}", 404)):
            self.assertNotIn("<img src=x", html.unescape(re.sub(r'"[^"]*"|&[a-z0-9#]+;', "", self.page(target, status))), target)
        for target in (f"/oembed?url={quoted}", f"/nowhere/{quoted}?q={quoted}&{quoted}={quoted}"):
            answer = self.get(target, Accept="text/html")
            self.assertEqual(answer.status, 404)
            self.assertNotIn(b"<img src=x", answer.body)
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


class Votes(ServiceTest):
    """Without scripts: a form, and a cookie that tells voters apart."""

    def vote(self, cookie=None, **fields):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **({"Cookie": cookie} if cookie else {})}
        answer = request(self.port, "POST", "/vote", urllib.parse.urlencode(fields), headers=headers)
        self.assertEqual(answer.status, 303, answer.body)
        return answer

    def test_a_vote_from_another_site_is_refused_as_a_page(self):
        self.get("/?q=cat")
        before = self.scores()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site", "Accept-Language": "de"}
        answer = request(self.port, "POST", "/vote", "q=cat&positive=cat.png", headers={**headers, "Accept": "text/html"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (403, "text/html; charset=utf-8"))
        self.assertIn("Bewertungen zählen nur von Peels eigenen Seiten aus.", answer.body.decode())
        answer = request(self.port, "POST", "/vote", "q=cat&positive=cat.png", headers=headers)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (403, "application/problem+json"))
        self.assertEqual(self.scores(), before)

    def pressed(self, cookie, target="/?q=cat"):
        page = self.get(target, Cookie=cookie).body.decode()
        return re.findall(r'data-vote="(\w+)" name="(\w+)" value="cat.png"[^>]*aria-pressed="true"', page)

    def scores(self):
        return [(s["positives"], s["negatives"]) for s in self.analytics("cat").json()["feedback scores"] if s["sticker"] == "cat.png"]

    def test_a_vote_is_shown_changed_and_taken_back(self):
        self.get("/?q=cat")
        first = self.vote(q="cat", positive="cat.png")
        cookie = first.headers["Set-Cookie"].split(";")[0]
        self.assertRegex(cookie, r"^voter=[0-9a-f]{32}$")
        self.assertIn("HttpOnly", first.headers["Set-Cookie"])
        self.assertIn("Thanks! Marked as a good match.", self.get(first.headers["Location"], Cookie=cookie).body.decode())
        self.assertEqual(self.pressed(cookie), [("positive", "withdrawn")])
        self.assertEqual(self.pressed(cookie, "/sticker/cat.png?q=cat"), [("positive", "withdrawn")])
        self.assertEqual(self.pressed("voter=somebody"), [])
        self.assertNotIn("Set-Cookie", self.vote(cookie, q="cat", positive="cat.png").headers)
        self.assertEqual(self.scores(), [(1, 0)])
        self.vote(cookie, q="cat", negative="cat.png")
        self.assertEqual(self.scores(), [(0, 1)])
        self.assertEqual(self.pressed(cookie), [("negative", "withdrawn")])
        self.vote("voter=somebody", q="cat", negative="cat.png")
        back = self.vote(cookie, q="cat", withdrawn="cat.png")
        self.assertIn("Your vote was removed.", self.get(back.headers["Location"], Cookie=cookie).body.decode())
        self.assertEqual(self.scores(), [(0, 1)])
        self.assertEqual(self.pressed(cookie), [])


class Limited(ServiceTest):
    arguments = ("--rate-limit", "1", "--rate-burst", "10")

    def test_too_many_requests_are_told_to_people_as_a_page(self):
        wait_until(lambda: self.get("/", Accept="text/html").status == 429)
        answer = self.get("/?q=cat", Accept="text/html", **{"Accept-Language": "fr"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (429, "text/html; charset=utf-8"))
        self.assertIn("Trop de requêtes", answer.body.decode())
        self.assertIn('value="cat"', answer.body.decode())
        self.assertTrue(answer.headers["Retry-After"])
        self.assertEqual(self.get("/?q=cat").headers["Content-Type"], "application/problem+json")


class Suggested(ServiceTest):
    """Suggestions and popular searches."""

    arguments = ("--query-clients", "1")

    def suggest(self, query, status=200):
        answer = self.get("/api/suggest/?" + query)
        self.assertEqual(answer.status, status, answer.body)
        return [(s["text"], s["kind"]) for s in answer.json()["suggestions"]] if status == 200 else answer.json()["detail"]

    def test_titles_words_and_queries(self):
        wait_until(lambda: self.suggest("prefix=cat"), what="suggestions are there")
        self.assertIn(("Cat in a park", "title"), self.suggest("prefix=CAT&lang=en"))
        self.assertIn(("kitten", "word"), self.suggest("prefix=kit"))
        self.assertIn(("Cat in a park", "title"), self.suggest("prefix=par"))
        self.assertEqual(self.suggest("prefix=zzz"), [])
        self.assertEqual(len(self.suggest("prefix=c&limit=1")), 1)
        self.assertTrue(wait_until(lambda: self.suggest("prefix=cat&lang=de"), what="English after German"))
        for query, detail in (("", "Please provide a prefix."), ("prefix=+", "Please provide a prefix."), ("prefix=" + "x" * 256, "Query is too long."),
                              ("prefix=a&limit=0", "limit must be"), ("prefix=a&limit=21", "limit must be"), ("prefix=a&lang=%3C", "lang must be"), ("prefix=%FF", "prefix")):
            self.assertIn(detail, self.suggest(query, 400))

    def test_popular_searches_are_words_of_stickers(self):
        for query in ("cat", "dog", "kitten park", "buy my watches at evil.example"):
            for _ in range(4):
                self.get("/api/search/?query=" + urllib.parse.quote(query))
        wait_until(lambda: self.analytics("kitten park").json()["query"]["usage"] >= 4)
        time.sleep(1)  # counts are written
        self.system.sticker.stop()
        type(self).port = self.system.start_sticker(*self.arguments)
        page = wait_until(lambda: (p := self.get("/").body.decode()) and "Popular searches" in p and p, what="popular searches")
        chips = re.findall(r'<li><a href="/\?q=[^"]*" dir="auto">([^<]*)<', page[page.index('id="popular"'):])
        self.assertEqual(sorted(chips), ["cat", "dog", "kitten park"])
        self.assertIn(("kitten park", "query"), self.suggest("prefix=kit"))


class StartAlone(unittest.TestCase):
    def test_examples_without_a_search_service(self):
        system = System()
        self.addCleanup(system.close)
        system.add({f"{i}.png": (title, "") for i, title in enumerate(("an abacus", "birthday cake", "panda", "rocket", "unicorn"))})
        system.start_sticker(search_port=1)
        page = request(system.port, "GET", "/", headers={"Accept": "text/html"}).body.decode()
        self.assertEqual(re.findall(r'class="card example" data-filename="([^"]*)"', page), ["1.png", "3.png", "2.png", "4.png"])


if __name__ == "__main__":
    main()
