#!/usr/bin/env python3
"""The routes that are like Tenor's, GIPHY's and KLIPY's: their parameters, members, paging and errors, what their clients tell of
clicks and shares, and the clients themselves, unmodified, from npm (and giphy_client, which PyPI has as source only, where it is
installed)."""

import json
import pathlib
import subprocess
import sys
import unittest
import urllib.parse

import test_discover
import test_openapi
from peel_testing import ROOT, main, png, request, wait_until

sys.path.insert(0, str(ROOT / "tests"))
import node_tools  # noqa: E402

RENDITIONS = ("original", "downsized", "fixed_height", "fixed_width", "fixed_height_small", "preview_gif", "480w_still")


class Compatible(unittest.TestCase):
    """The stickers of test_discover: cat (g), dog (pg, animated), cake (pg-13), car (r), plain; and one with an awkward name."""

    described = set()  # paths of openapi.json whose answers were held against it

    @classmethod
    def tearDownClass(cls):
        paths = {p for p, methods in test_openapi.CONTRACT["paths"].items() if p.split("/")[1] in ("tenor", "giphy", "klipy") and "get" in methods}
        if missing := paths - cls.described:
            raise AssertionError(f"not tried: {sorted(missing)}")

    @classmethod
    def setUpClass(cls):
        cls.system = test_discover.begin()
        cls.addClassCleanup(cls.system.close)
        folder = pathlib.Path(cls.system.folder / "awkward")
        folder.mkdir()
        (folder / "a & b, c.png").write_bytes(png(30, 60))
        (folder / "stickers.csv").write_text('filename,title,words,language,rating\n"a & b, c.png",Awkward,awkward,en,r\n')
        cls.system.run("import", str(folder))
        cls.system.start_sticker("--cors-origins", "https://app.example")
        cls.system.wait_indexed()
        cls.port = cls.system.port
        cls.origin = f"http://127.0.0.1:{cls.port}"

    def get(self, target, status=200, **headers):
        answer = request(self.port, "GET", target, headers=headers)
        self.assertEqual(answer.status, status, (target, answer.body[:500]))
        if path := test_openapi.described_path(target):
            described = test_openapi.CONTRACT["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
            self.assertEqual(test_openapi.mistakes(answer.json(), described), [], target)
            type(self).described.add(path)
        return answer.json()

    def events(self):
        return self.system.sql("SELECT e.action, k.filename, e.rank, s.query, e.client <> '' FROM events e JOIN searches s ON s.id = e.search"
                               " AND s.day = e.day JOIN stickers k ON k.id = e.sticker_id ORDER BY e.rowno")  # fmt: skip

    def image(self, url, kind="image/"):
        self.assertTrue(url.startswith(self.origin + "/media/"), url)
        answer = request(self.port, "GET", url[len(self.origin):])
        self.assertEqual(answer.status, 200, url)
        self.assertTrue(answer.headers["Content-Type"].startswith(kind), url)

    # --- Tenor ---

    def test_tenor_search(self):
        found = self.get("/tenor/v2/search?q=cat&key=k&client_key=c&country=US&locale=en_US&ar_range=all&limit=50")
        post = found["results"][0]
        self.assertEqual((post["id"], post["title"], post["content_description"]), ("cat.png", "Cat in a park", "Cat in a park"))
        self.assertEqual((post["flags"], post["tags"], post["hasaudio"]), (["sticker", "static"], [], False))
        self.assertEqual(post["itemurl"], self.origin + "/sticker/cat.png")
        self.assertIsInstance(post["created"], float)
        for name in ("gif", "tinygif", "webp_transparent", "tinywebp_transparent"):
            media = post["media_formats"][name]
            self.assertEqual((media["dims"], media["duration"]), ([10, 8], 0))
            self.image(media["url"])
        self.assertGreater(post["media_formats"]["gif"]["size"], 0)
        self.assertNotIn("mp4", post["media_formats"])
        self.assertEqual(found["next"], "")
        few = self.get("/tenor/v2/search?q=cat&media_filter=gif,tinygif,mp4")["results"][0]["media_formats"]
        self.assertEqual(set(few), {"gif", "tinygif"})
        spanish = self.get("/tenor/v2/search?q=perro&locale=es_MX")["results"][0]
        self.assertEqual((spanish["title"], spanish["flags"]), ("Perro", ["sticker"]))

    def test_tenor_pages(self):
        pages, pos = [], ""
        while not pages or pos:
            found = self.get(f"/tenor/v2/search?q=cat+dog+cake+car+nothing&limit=2&pos={pos}")
            pages.append([post["id"] for post in found["results"]])
            pos = found["next"]
        self.assertEqual([len(page) for page in pages], [2, 2, 1])
        self.assertEqual(len(set(sum(pages, []))), 5)

    def test_tenor_filters(self):
        ids = lambda target: {post["id"] for post in self.get("/tenor/v2/" + target)["results"]}  # noqa: E731
        everything = "search?q=cat+dog+cake+car+nothing"
        self.assertEqual(ids(everything + "&contentfilter=high"), {"cat.png", "plain.png"})
        self.assertEqual(ids(everything + "&contentfilter=medium"), {"cat.png", "plain.png", "dog.png"})
        self.assertEqual(ids(everything + "&contentfilter=low"), {"cat.png", "plain.png", "dog.png", "cake.png"})
        self.assertEqual(len(ids(everything + "&contentfilter=off&searchfilter=sticker")), 5)
        self.assertEqual(ids(everything + "&searchfilter=sticker,-static"), {"dog.png"})
        self.assertNotIn("dog.png", ids(everything + "&searchfilter=static"))
        self.assertEqual(ids(everything + "&random=true"), ids(everything))
        self.assertEqual(ids("featured?contentfilter=high"), {"cat.png", "plain.png"})
        self.assertEqual(ids("posts?ids=dog.png,none.png,cat.png"), {"dog.png", "cat.png"})
        self.assertNotIn("next", self.get("/tenor/v2/posts?ids=dog.png"))

    def test_tenor_words(self):
        wait_until(lambda: self.get("/tenor/v2/autocomplete?q=kit")["results"] == ["kitten"], what="suggestions")
        self.assertEqual(self.get("/tenor/v2/search_suggestions?q=kit&limit=3")["results"], ["kitten"])
        self.assertEqual(self.get("/tenor/v2/trending_terms"), {"results": []})
        self.assertEqual(self.get("/tenor/v2/categories?type=featured"), {"tags": []})
        self.assertEqual(self.get("/tenor/v2/registershare?id=cat.png"), {"status": "ok"})

    def test_tenor_errors(self):
        for target in ("search", "search?q=", "search?q=" + "x" * 256, "search?q=cat&limit=x", "posts", "autocomplete", "registershare"):
            error = self.get("/tenor/v2/" + target, 400)["error"]
            self.assertEqual((error["code"], error["status"]), (400, "INVALID_ARGUMENT"), target)
            self.assertTrue(error["message"])
        self.assertEqual(self.get("/tenor/v2/nothing", 404)["error"]["status"], "NOT_FOUND")

    # --- GIPHY ---

    def test_giphy_search(self):
        found = self.get("/giphy/v1/stickers/search?api_key=k&q=cat+dog&limit=1&rating=r&lang=es&pingback_id=1&excludeDynamicResults=undefined")
        self.assertEqual(found["pagination"], {"total_count": 2, "count": 1, "offset": 0})
        found = self.get("/giphy/v1/stickers/search?api_key=k&q=kitten&limit=1&rating=r&lang=es&pingback_id=1&excludeDynamicResults=undefined")
        self.assertEqual((found["meta"]["status"], found["meta"]["msg"]), (200, "OK"))
        self.assertTrue(found["meta"]["response_id"])
        gif = found["data"][0]
        self.assertEqual((gif["id"], gif["type"], gif["is_sticker"]), ("cat.png", "sticker", 1))
        self.assertEqual((gif["title"], gif["username"], gif["source"]), ("Gato en un parque", "Ann Example", "https://art.example/cat"))
        self.assertEqual((gif["user"]["display_name"], gif["user"]["profile_url"]), ("Ann Example", "https://art.example/cat"))
        self.assertRegex(gif["import_datetime"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        for name in RENDITIONS:
            image = gif["images"][name]
            for member in ("width", "height", "size"):
                self.assertRegex(image[member], r"^\d+$")
            self.image(image["url"])
        self.assertEqual((gif["images"]["fixed_height"]["height"], gif["images"]["fixed_height"]["width"]), ("200", "250"))
        self.assertEqual((gif["images"]["fixed_width"]["height"], gif["images"]["fixed_width"]["width"]), ("160", "200"))
        self.assertEqual(gif["images"]["original"]["width"], "10")
        dog = self.get("/giphy/v1/gifs/search?q=puppy")["data"][0]
        self.assertEqual(dog["type"], "gif")
        self.assertNotIn("w=", dog["images"]["fixed_height"]["url"], "an animation that is small enough")
        self.assertIn("still=1", dog["images"]["fixed_height_still"]["url"])
        self.assertIn("w=", dog["images"]["fixed_height_still"]["url"])
        awkward = self.get("/giphy/v1/gifs/search?q=awkward&rating=r")["data"][0]
        self.assertEqual(awkward["id"], "a%20%26%20b%2C%20c.png")
        self.assertEqual(self.get(f"/giphy/v1/gifs/{awkward['id']}")["data"]["id"], awkward["id"])
        self.assertEqual(self.get("/giphy/v1/gifs?ids=" + urllib.parse.quote(awkward["id"]))["data"][0]["id"], awkward["id"])

    def test_giphy_the_rest(self):
        get = lambda target, status=200: self.get("/giphy/v1/" + target, status)  # noqa: E731
        self.assertEqual({gif["id"] for gif in get("gifs/trending?rating=g&limit=9")["data"]}, {"cat.png", "plain.png"})
        self.assertEqual(get("gifs/trending?limit=2&offset=4")["pagination"], {"total_count": 6, "count": 2, "offset": 4})
        self.assertEqual(get("gifs/translate?s=kitten")["data"]["id"], "cat.png")
        self.assertEqual(get("gifs/translate?s=qqqq+zzzz")["data"], [])
        self.assertEqual(get("gifs/random?tag=puppy")["data"]["id"], "dog.png")
        self.assertIn("id", get("stickers/random")["data"])
        self.assertEqual(get("gifs/random?tag=qqqq+zzzz")["data"], [])
        self.assertEqual(get("videos/search?q=cat")["data"], [])
        self.assertEqual(get("text/animate?m=cat")["data"], [])
        self.assertEqual(get("gifs/search?q=%40pets+cat+car")["data"][0]["id"], "cat.png")
        self.assertEqual({gif["id"] for gif in get("gifs/search?q=%40pets&rating=r")["data"]}, {"cat.png", "dog.png"})
        wait_until(lambda: get("channels/search?q=pe")["data"], what="packs")
        self.assertEqual(get("channels/search?q=pe")["data"][0]["display_name"], "pets")
        self.assertEqual(get("gifs/search/tags?q=kit")["data"], [{"name": "kitten"}])
        self.assertEqual(get("tags/related/kit")["data"], [{"name": "kitten"}])
        self.assertEqual(get("trending/searches")["data"], [])
        self.assertEqual(get("gifs/categories/animals/kitten")["data"][0]["id"], "cat.png")
        self.assertRegex(get("randomid")["data"]["random_id"], "^[0-9a-f]{32}$")
        self.assertEqual(self.get("/giphy/v2/emoji/cat.png/variations")["data"][0]["id"], "cat.png")
        for emoji in (self.get("/giphy/v2/emoji?limit=1"), get("emoji?limit=1"), get("stickers/trending?limit=1"), get("gifs/related?gif_id=cat.png"), get("stickers/related?gif_id=cat.png")):
            self.assertLessEqual(len(emoji["data"]), 25)
        self.assertEqual(get("stickers/translate?s=kitten")["data"]["type"], "sticker")
        self.assertIn("id", get("gifs/random")["data"])
        self.assertEqual((get("internal/gifs/cat.png")["data"]["id"], get("gifs/cat.png")["data"]["id"]), ("cat.png", "cat.png"))
        self.assertEqual((get("gifs/categories")["data"], get("gifs/categories/animals")["data"]), ([], []))
        self.get("/giphy/v2/pingback_simple")

    def test_giphy_errors(self):
        for target, status in (("gifs/search", 400), ("gifs/search?q=", 400), ("gifs/search?q=" + "x" * 51, 414), ("gifs/none.png", 404),
                               ("gifs", 400), ("gifs/related?gif_id=none.png", 404), ("songs/search?q=cat", 404), ("nothing", 404)):  # fmt: skip
            answer = self.get("/giphy/v1/" + target, status)
            self.assertEqual((answer["data"], answer["meta"]["status"]), ([], status), target)
            self.assertTrue(answer["meta"]["msg"] and answer["meta"]["response_id"])

    def test_giphy_tells_events(self):
        gif = self.get("/giphy/v1/gifs/search?q=awkward+cat&rating=r")["data"][1]
        rank = 2
        name = {"cat.png": "cat.png"}.get(gif["id"], "a & b, c.png")
        before = len(self.events())
        for action in ("onload", "onclick", "onsent", "onsent"):
            url = gif["analytics"][action]["url"]
            self.get(url[len(self.origin):] + "&customer_id=me&ts=1700000000000")
        told = self.events()[before:]
        self.assertEqual([(row[0], row[1], row[2], row[3], row[4]) for row in told],
                         [(action, name, rank, "awkward cat", 1) for action in (0, 1, 3)])  # fmt: skip
        nobody = self.system.sql("SELECT count(*) FROM events WHERE person = 0 OR network = 0")
        self.assertEqual(nobody, [(0,)], "where they come from is known, so they teach")
        payload = gif["analytics_response_payload"]
        good = {"action_type": "FAVORITE", "user_id": "u", "ts": 1, "analytics_response_payload": payload + "&mode=verification"}
        events = [good, good, {**good, "action_type": "HOVER"}, {**good, "analytics_response_payload": "forged.cat.png"}, {}, None, {"ts": "x"}]
        post = lambda body: request(self.port, "POST", "/giphy/v2/pingback?apikey=k", body, {"Content-Type": "application/json"})  # noqa: E731
        self.assertEqual(post(json.dumps({"events": events})).status, 200)
        self.assertEqual([row[0] for row in self.events()[before + 3:]], [4])
        for wrong in ("", "{", "[]", '{"events":1}', json.dumps({"events": [{}] * 501})):
            self.assertEqual((post(wrong).status, post(wrong).json()["meta"]["status"]), (400, 400), wrong[:20])

    # --- KLIPY ---

    def test_klipy(self):
        get = lambda target, status=200: self.get("/klipy/api/v1/any%20key/" + target, status)  # noqa: E731
        found = get("stickers/search?q=cat+dog&per_page=1&page=2&customer_id=c&locale=us&format_filter=gif")
        first = get("stickers/search?q=cat+dog&per_page=1&page=1")["data"]["data"][0]["slug"]
        self.assertTrue(found["result"])
        page = found["data"]
        self.assertEqual((page["current_page"], page["per_page"], page["has_next"]), (2, 1, False))
        item = page["data"][0]
        self.assertEqual((item["slug"], item["type"], item["title"]), ("dog.png", "sticker", "Dog") if first == "cat.png" else ("cat.png", "sticker", "Cat in a park"))
        self.assertIsInstance(item["id"], int)
        for size in ("hd", "sm"):
            for name, kind in (("gif", "image/"), ("webp", "image/"), ("png", "image/png"), ("jpg", "image/jpeg")):
                self.image(item["file"][size][name]["url"], kind)
        self.assertEqual(set(item["file"]), {"hd", "md", "sm", "xs"})
        self.assertTrue(get("gifs/search?q=cat+dog&per_page=1")["data"]["has_next"])
        self.assertEqual({i["slug"] for i in get("gifs/trending?content_filter=high")["data"]["data"]}, {"cat.png", "plain.png"})
        self.assertEqual([i["slug"] for i in get("gifs/items?slugs=dog.png,none,cat.png")["data"]["data"]], ["dog.png", "cat.png"])
        self.assertEqual(get("stickers/cat.png")["data"]["data"][0]["slug"], "cat.png")
        self.assertEqual(get("clips/search?q=cat")["data"]["data"], [])
        self.assertEqual(get("gifs/recent/me")["data"]["data"], [])
        self.assertEqual(get("gifs/categories?locale=de_DE")["data"], {"locale": "de-DE", "categories": []})
        wait_until(lambda: get("autocomplete/kit")["data"] == ["kitten"], what="suggestions")
        self.assertEqual((get("search-suggestions?q=kit")["data"], get("search-suggestions/kit")["data"]), (["kitten"], ["kitten"]))
        self.assertTrue(get("health-check?customer_id=c")["gifs"]["is_alive"])
        for target, status in (("gifs/search", 400), ("gifs/search?q=" + "x" * 256, 422), ("gifs/items?slugs=none", 404), ("songs/search?q=x", 404)):
            answer = get(target, status)
            self.assertFalse(answer["result"])
            self.assertTrue(answer["errors"]["message"][0])

    def test_klipy_tells_events(self):
        send = lambda method, target, body=None: request(self.port, method, "/klipy/api/v1/k/gifs/" + target, body)  # noqa: E731
        before = len(self.events())
        self.assertEqual(send("POST", "share/cat.png", '{"customer_id":"c","q":"kitten"}').json(), {"result": True})
        self.assertEqual(send("POST", "view/cat.png", '{"customer_id":"c"}').status, 200, "without q it is not about a search")
        self.assertEqual(send("POST", "view/car.png", '{"customer_id":"c","q":"kitten"}').status, 200, "not among the results")
        self.assertEqual(send("DELETE", "recent/c?slug=cat.png").json(), {"result": True})
        self.assertEqual([row[:4] for row in self.events()[before:]], [(3, "cat.png", 1, "kitten")])
        for wrong, status in (("{", 400), ('{"q":"a","q":"b"}', 400)):
            self.assertEqual(send("POST", "share/cat.png", wrong).status, status)
        self.assertEqual(send("POST", "share/none.png", "{}").status, 404)
        self.assertEqual(send("POST", "search", "{}").status, 404)

    # --- from other origins ---

    def test_other_origins(self):
        for path in ("/tenor/v2/search?q=cat", "/giphy/v1/gifs/search?q=cat", "/klipy/api/v1/k/gifs/search?q=cat", "/media/cat.png"):
            answer = request(self.port, "GET", path, headers={"Origin": "https://app.example"})
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://app.example", path)
            self.assertIsNone(request(self.port, "GET", path, headers={"Origin": "https://other.example"}).headers["Access-Control-Allow-Origin"])
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-giphy-sdk-name"}
        answer = request(self.port, "OPTIONS", "/giphy/v2/pingback", headers=asked)
        self.assertEqual(answer.status, 204)
        self.assertIn("x-giphy-sdk-name", answer.headers["Access-Control-Allow-Headers"].lower())

    # --- the clients ---

    def test_clients_of_npm(self):
        if missing := node_tools.ensure():
            self.skipTest(missing)
        before = len(self.events())
        done = subprocess.run(["node", str(ROOT / "tests/api/compat_clients.mjs"), self.origin], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        out = json.loads(done.stdout)
        failed = {name: x["error"] for name, x in out.items() if "error" in x}
        self.assertEqual(set(failed), {"fetch.long", "fetch.none", "tenor.wrong"}, failed)
        self.assertEqual((out["fetch.long"]["status"], out["fetch.none"]["status"]), (414, 404))
        self.assertIn("q is longer than 50 characters", out["fetch.long"]["error"])
        cat, awkward = "cat.png", "a%20%26%20b%2C%20c.png"
        for name in ("fetch.search", "fetch.stickers", "fetch.channel", "fetch.gif", "fetch.category", "fetch.emojiVariations", "tenor.search", "api.search", "api.id", "api.translate"):
            self.assertEqual(out[name]["ids"][0], cat, name)
        self.assertEqual(out["fetch.gifs"]["ids"], ["dog.png", awkward, cat])
        self.assertEqual(out["fetch.random"]["ids"], ["dog.png"])
        self.assertEqual(len(out["fetch.random.any"]["ids"]), 1)
        self.assertEqual(len(out["fetch.emoji"]["ids"]), 2)
        self.assertEqual(sorted(out["fetch.paginator"]["ids"]), ["cake.png", cat, "dog.png"])
        self.assertEqual(out["fetch.channels"]["got"]["data"][0]["display_name"], "pets")
        self.assertEqual(out["fetch.animate"]["ids"], [])
        self.assertEqual((out["api.ids"]["ids"], out["tenor.posts"]["ids"]), ([cat, "dog.png"],) * 2)
        self.assertEqual((out["api.stickers"]["ids"], out["api.random"]["ids"], out["api.nothing"]["ids"]), (["dog.png"], ["dog.png"], []))
        self.assertEqual(out["tenor.autocomplete"]["got"]["results"], ["kitten"])
        told = self.events()[before:]
        self.assertEqual(sorted(row[:4] for row in told), [(0, cat, 1, "kitten"), (1, cat, 1, "kitten"), (1, cat, 1, "kitten"), (3, cat, 1, "kitten"), (3, "dog.png", 1, "puppy")])

    def test_giphy_client_of_pypi(self):
        try:
            import giphy_client
        except ImportError:
            self.skipTest("giphy_client is not installed")
        api = giphy_client.DefaultApi(giphy_client.ApiClient(host=self.origin + "/giphy/v1"))
        self.assertEqual(api.gifs_search_get("k", "kitten", limit=1, offset=0, rating="g", lang="en", fmt="json").data[0].id, "cat.png")
        self.assertEqual(api.stickers_search_get("k", "kitten").data[0].images.fixed_height.height, "200")
        self.assertEqual(api.gifs_gif_id_get("k", "cat.png").data.id, "cat.png")
        self.assertEqual([gif.id for gif in api.gifs_get("k", "cat.png,dog.png").data], ["cat.png", "dog.png"])
        self.assertEqual(api.gifs_translate_get("k", "kitten").data.id, "cat.png")
        self.assertEqual(api.stickers_translate_get("k", "kitten").data.id, "cat.png")
        self.assertTrue(api.gifs_random_get("k", tag="puppy").data)
        self.assertTrue(api.stickers_random_get("k", tag="puppy").data)
        self.assertEqual(len(api.gifs_trending_get("k", limit=2).data), 2)
        self.assertEqual(len(api.stickers_trending_get("k", limit=2).data), 2)
        self.assertEqual(api.gifs_categories_get("k").data, [])
        self.assertEqual(api.gifs_categories_category_get("k", "animals").data, [])
        self.assertEqual(api.gifs_categories_category_tag_get("k", "animals", "kitten").data[0].id, "cat.png")


if __name__ == "__main__":
    main()
