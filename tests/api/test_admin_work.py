"""Everyday work on the admin pages: lists that keep their place, facets, columns and views; forms by language; the trash;
bulk edits of all that match, and undoing them."""

import csv
import html
import io
import json
import pathlib
import re
import sqlite3
import tempfile
import unittest
import urllib.parse

from peel_testing import main, png, request, wait_until
from test_admin import HOSTILE, AdminTest, Visitor


TOO_MANY = {f"x-{i}": ", ".join(f"longword{k:06}" for k in range(1000)) for i in range(17)}  # keywords of one sticker


class WorkTest(AdminTest):
    def seen(self, name):
        return re.search(r'name="seen" value="(\d+)"', self.admin.get("/admin/stickers/edit?id=" + name).text)[1]

    def save(self, name, **fields):
        return self.admin.post("/admin/stickers/edit?id=" + name, seen=self.seen(name), **fields)

    def row(self, name):
        rows = json.loads(self.admin.get("/admin/stickers/export?format=json").body)
        return next((r for r in rows if r["filename"] == name), None)

    def act(self, action, model="stickers", target="", **fields):
        self.admin.get(f"/admin/{model}/")
        return self.admin.post(f"/admin/{model}/action{target}", action=action, **fields)

    def notes(self, answer):
        """What the list says after an action."""
        self.assertEqual(answer.status, 303, answer.text[-600:])
        page = self.admin.get(answer.headers["Location"]).text
        return re.sub(r"<[^>]+>", "", re.search(r'<(p|div) class="(?:noted|problem)"[^>]*>(.*?)</\1>', page, re.S)[2]).strip()


class Packs(WorkTest):
    """/admin/packs/: what is said of a pack, and the order of its stickers."""

    PACK = "a/b & <i>"
    URL = "/admin/packs/?pack=" + urllib.parse.quote(PACK, safe="")

    def setUp(self):
        super().setUp()
        self.system.sql("UPDATE stickers SET pack = ?, place = 0 WHERE filename IN ('cake.png', 'car.png', 'cat.png', 'dog.png')", self.PACK)
        self.system.sql("DELETE FROM packs")

    def order(self):
        return re.findall(r'name="sticker" value="([^"]+)"', self.admin.get(self.URL).text)

    def save(self, places=(), page=None, seen=None, **texts):
        page = page or self.admin.get(self.URL).text
        seen = re.search(r'name="seen" value="(\d+)"', page)[1] if seen is None else seen
        rows = re.findall(r'name="sticker" value="([^"]+)"><input type="hidden" name="was" value="(\d+)"', page)
        fields = [("csrf", self.admin.csrf), ("seen", seen), *texts.items()]
        for name, was in rows:
            fields += [("sticker", name), ("was", was), ("place", dict(places).get(name, was))]
        return self.admin.ask("POST", self.URL, fields)

    def test_order_and_texts(self):
        self.assertIn(f'href="{self.URL}">a/b &amp; &lt;i&gt;</a>', self.admin.get("/admin/packs/").text)
        before = self.order()
        self.assertEqual(len(before), 4)
        first, second, third, last = before
        answer = self.save({last: "1", first: "3"}, title="Pets <b>", author=" Ann ", license="MIT", source="", cover=third)
        self.assertEqual((answer.status, answer.headers["Location"]), (303, self.URL + "&page=1&done=1"))
        self.assertEqual(self.order(), [last, second, first, third])
        self.assertEqual(self.system.sql("SELECT name, title, author, license, source, cover FROM packs"), [(self.PACK, "Pets <b>", "Ann", "MIT", "", third)])
        page = self.admin.get(answer.headers["Location"]).text
        for part in ("<h1>Pets &lt;b&gt;</h1>", "The pack was saved.", "4 stickers", "Highest rating: g"):
            self.assertIn(part, page)
        [(who, model, was, now)] = self.system.sql("SELECT username, model, before, after FROM history WHERE model = 'packs' ORDER BY row DESC LIMIT 1")
        self.assertEqual((who, json.loads(was)["places"], json.loads(now)["places"]), ("admin", {first: 1, last: 4}, {first: 3, last: 1}))
        self.assertEqual(json.loads(now)["title"], "Pets <b>")
        self.assertEqual(self.save({second: "99"}, title=self.PACK).status, 303)  # behind the end is the end; the name is no title
        self.assertEqual(self.order(), [last, first, third, second])
        self.assertEqual(self.system.sql("SELECT title, cover FROM packs"), [("", "")])
        api = json.loads(request(self.port, "GET", "/api/packs/" + urllib.parse.quote(self.PACK, safe="") + "/").body)
        self.assertEqual(api["stickers"], [last, first, third, second])

    def test_what_is_refused(self):
        before = self.order()
        for wrong, message in (({before[0]: "0"}, "whole number"), ({before[0]: "x"}, "whole number"), ({before[0]: ""}, "whole number")):
            answer = self.save(wrong, title="Typed")
            self.assertEqual((answer.status, message in answer.text, 'value="Typed"' in answer.text), (400, True, True), wrong)
        for texts, message in (({"cover": "none.png"}, "given as cover"), ({"title": "x" * 1001}, "1,000 bytes"), ({"author": "a\tb"}, "control")):
            answer = self.save(**texts)
            self.assertEqual((answer.status, message in answer.text), (400, True), texts)
        self.assertEqual((self.order(), self.system.sql("SELECT * FROM packs")), (before, []))
        self.assertEqual(self.save(title="One").status, 303)
        answer = self.save(seen="1", title="Two")
        self.assertEqual((answer.status, "in the meantime" in answer.text, 'value="Two"' in answer.text), (409, True, True))
        self.assertEqual(self.system.sql("SELECT title FROM packs"), [("One",)])
        self.assertEqual(self.admin.get("/admin/packs/?pack=none").status, 404)

    def test_the_whole_pack_goes(self):
        form = re.search(r'action="(/admin/stickers/action[^"]+)"', self.admin.get(self.URL).text)[1]
        asked = self.admin.post(html.unescape(form), all="1", action="delete")
        self.assertIn("4 stickers", asked.text)
        count = re.search(r'name="count" value="(\d+)"', asked.text)[1]
        self.assertEqual(self.admin.post(html.unescape(form), all="1", action="delete", confirmed="yes", count=count).status, 303)
        self.assertEqual(self.admin.get(self.URL).status, 404)
        self.admin.get("/admin/trash/")
        self.assertEqual(self.admin.post("/admin/trash/action", all="1", action="restore", confirmed="yes", count="4").status, 303)
        self.assertEqual(len(self.order()), 4)


class Lists(WorkTest):
    LIST = "sort=title&order=up&q=cat"

    def test_filter_sort_and_page_are_kept(self):
        page = self.admin.get("/admin/stickers/?" + self.LIST).text
        edit = html.unescape(re.search(r'href="(/admin/stickers/edit\?id=cat.png[^"]*)"', page)[1])
        self.assertEqual(urllib.parse.parse_qs(urllib.parse.urlsplit(edit).query)["list"], [self.LIST])
        form = self.admin.get(edit).text
        self.assertIn(f'<a href="/admin/stickers/?{html.escape(self.LIST)}">Cancel</a>', form)
        seen = re.search(r'name="seen" value="(\d+)"', form)[1]
        saved = self.admin.post(edit, title="Cat", seen=seen)
        self.assertEqual(saved.headers["Location"], f"/admin/stickers/?{self.LIST}&done=changed")
        listed = "?list=" + urllib.parse.quote(self.LIST)
        for action, more in (("reindex", {"id": "cat.png", "confirmed": "yes"}), ("edit", {"id": "cat.png", "confirmed": "yes", "pack": "kept"}),
                             ("edit", {})):
            answer = self.act(action, target=listed, **more)
            self.assertEqual(answer.status, 303, action)
            self.assertTrue(answer.headers["Location"].startswith(f"/admin/stickers/?{self.LIST}&done="), answer.headers["Location"])
        confirm = self.admin.get("/admin/stickers/delete?id=cat.png&list=" + urllib.parse.quote(self.LIST)).text
        self.assertIn(f'href="/admin/stickers/?{html.escape(self.LIST)}">Cancel</a>', confirm)

    def test_a_list_that_is_none_is_left_out(self):
        for odd in ("//example.org", "x\r\nSet-Cookie: a=b", "x#y", "q=" + "a" * 9000, "q=ä"):
            answer = self.act("edit", target="?list=" + urllib.parse.quote(odd))
            self.assertEqual(answer.headers["Location"], "/admin/stickers/?done=nothing")

    def test_facets_count_what_matches(self):
        self.save("dog.png", title="Dog", pack="animals", rating="pg")
        self.save("cat.png", title="Cat", pack="animals")

        def facet(query, name):
            select = re.search(rf'<select id="f-{name}".*?</select>', self.admin.get("/admin/stickers/?" + query).text, re.S)[0]
            return {v: int(n.replace(",", "")) for v, n in re.findall(r'value="([^"]+)"(?: selected)?>[^<(]*\(([\d,]+)\)', select)}

        everything = json.loads(self.admin.get("/admin/stickers/export?format=json").body)
        self.assertEqual(facet("", "pack")["animals"], 2)
        self.assertEqual(facet("", "rating"), {"g": len(everything) - 1, "pg": 1, "pg-13": 0, "r": 0})
        self.assertEqual(facet("rating=pg", "pack"), {"animals": 1})
        self.assertEqual(facet("rating=pg", "rating")["g"], len(everything) - 1, "a filter does not narrow its own facet")
        self.assertEqual(facet("pack=animals", "language")["en"], 2)
        self.assertEqual(facet("q=dog.png", "pack"), {"animals": 1})
        self.assertEqual(sum(facet("", "indexed").values()), len(everything))

    def test_columns_are_chosen(self):
        def heads(query):
            page = self.admin.get("/admin/stickers/?" + query).text
            return [re.sub(r"<[^>]+>|[↑↓]", "", h).strip() for h in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page)][1:], page

        chosen, page = heads("columns=1&c_filename=1&c_words_en=1&c_author=1&q=cat")
        self.assertEqual(chosen, ["Filename", "Keywords (English)", "Author"])
        self.assertIn("kitten", page)
        for link in re.findall(r'href="(/admin/stickers/(?:\?|export)[^"]*)"', page):
            if "export" in link or "sort=" in link:
                self.assertIn("cols=filename%2Cwords_en%2Cauthor", link)
        self.assertEqual(heads("cols=title,nonsense")[0], ["Title"])
        self.assertEqual(heads("cols=nonsense")[0], heads("")[0])

    def test_views_are_saved_for_oneself(self):
        self.admin.get("/admin/stickers/")
        target = "/admin/stickers/views?list=" + urllib.parse.quote("sort=title&order=up&rating=g")
        self.assertEqual(self.admin.post(target, name=HOSTILE).status, 303)
        page = self.admin.get("/admin/stickers/").text
        self.assertNotIn("<script>alert", page)
        self.assertIn(f'href="/admin/stickers/?sort=title&amp;order=up&amp;rating=g">{html.escape(HOSTILE)}</a>', page)
        self.assertRegex(self.admin.get("/admin/stickers/?sort=title&order=up&rating=g").text, r'rating=g" aria-current="page"')
        self.assertNotIn("alert(1)", self.admin.get("/admin/queries/").text, "of this list only")
        other = self.add_user("viewer_of_lists", is_staff="1")
        self.assertNotIn("alert(1)", other.get("/admin/stickers/").text)
        ident = re.search(r'name="delete" value="([^"]+)"', page)[1]
        other.post("/admin/stickers/views", delete=ident)
        self.assertIn("alert(1)", self.admin.get("/admin/stickers/").text, "others cannot delete it")
        self.admin.get("/admin/stickers/")
        self.assertEqual(self.admin.post("/admin/stickers/views", delete=ident).status, 303)
        self.assertNotIn("alert(1)", self.admin.get("/admin/stickers/").text)
        self.assertEqual(self.admin.post("/admin/stickers/views", name="").status, 400)
        for i in range(30):
            self.assertEqual(self.admin.post("/admin/groups/views", name=f"view {i}").status, 303)
        self.assertNotEqual(self.admin.post("/admin/groups/views", name="one too many").status, 303)

    def test_signs_are_found(self):
        self.admin.get("/admin/queries/edit")
        self.assertEqual(self.admin.post("/admin/queries/edit", query="%", usage="1", seen="0").status, 303)
        self.assertIn(">%</a>", self.admin.get("/admin/queries/?q=%25").text)
        self.assertNotIn(">%</a>", self.admin.get("/admin/queries/?q=%26").text)

    def test_times_have_a_zone(self):
        self.assertRegex(self.admin.get("/admin/users/").text, r'<time datetime="[\d-]+T[\d:]+Z" title="[^"]+Z">[\d-]+ [\d:]+ UTC</time>')

    def test_formulas_in_any_width(self):
        queries = ["=1", "'=1", "＝1+1", "＋1", "－1", "＠x"]
        for query in queries:
            self.admin.get("/admin/queries/edit")
            self.admin.post("/admin/queries/edit", query=query, usage="1", seen="0")
        cells = [row[0] for row in csv.reader(io.StringIO(self.admin.get("/admin/queries/export").text))][1:]
        for query in queries:
            self.assertIn("'" + query, cells, "and so each is told apart from the others")
        self.assertFalse(set(queries) - {"'=1"} & set(cells))


class Forms(WorkTest):
    def test_other_languages_stay(self):
        self.assertEqual(self.save("cat.png", title="Cat", language=["en", "de", "fr"], word_title=["", "Katze", "Chat"],
                                   words=["cat, kitten", "Katze", "chat"]).status, 303)
        self.assertEqual(self.save("cat.png", title="Cat", language=["de", "es"], word_title=["Kätzchen", ""], words=["Katze, Mieze", ""]).status, 303)
        entry = json.loads(self.history()[0]["after"])
        self.assertEqual(entry["words"], {"de": "Katze, Mieze", "en": "cat, kitten", "fr": "chat"})
        self.assertEqual(entry["titles"], {"de": "Kätzchen", "fr": "Chat"})
        page = self.admin.get("/admin/stickers/edit?id=cat.png").text
        self.assertIn('value="Kätzchen"', page)
        wrong = self.save("cat.png", title="Cat", language=["de"], word_title=["two\nlines"], words=["Katze"])
        self.assertEqual(wrong.status, 400)
        self.assertIn("A title must be a single line", wrong.text)
        self.system.wait_indexed()
        self.assertIn("cat.png", self.search("Mieze").json()["stickers"])

    def test_many_languages_are_folded(self):
        tags = ["ar", "cs", "da", "de", "el", "es", "fi", "fr", "he", "hu", "it", "ja"]
        self.assertEqual(self.save("cake.png", title="Cake", language=["en", *tags], word_title=[""] * 13, words=["cake"] * 13).status, 303)
        page = self.admin.get("/admin/stickers/edit?id=cake.png").text
        self.assertLess(page.count("<input"), 25)
        self.assertIn("12 more languages", page)
        german = self.admin.ask("GET", "/admin/stickers/edit?id=cake.png", None, **{"Accept-Language": "de-AT, fr;q=0.5"}).text
        self.assertIn("10 more languages", german)
        self.assertIn("11 more languages", self.admin.get("/admin/stickers/edit?id=cake.png&lang=it").text)

    def test_save_and_next(self):
        names = [r["filename"] for r in json.loads(self.admin.get("/admin/stickers/export?format=json&sort=filename&order=up").body)]
        listed = "&list=" + urllib.parse.quote("sort=filename&order=up")
        for name, after in zip(names, names[1:]):
            page = self.admin.get("/admin/stickers/edit?id=" + urllib.parse.quote(name) + listed).text
            self.assertIn(f'name="next" value="{html.escape(after)}"', page)
        page = self.admin.get("/admin/stickers/edit?id=" + urllib.parse.quote(names[-1]) + listed).text
        self.assertNotIn("Save and next", page)
        answer = self.admin.post(f"/admin/stickers/edit?id={names[0]}" + listed, seen=self.seen(names[0]), title="First", then="next", next=names[1])
        self.assertEqual(answer.status, 303)
        self.assertIn("Saved. This is the next one.", self.admin.get(answer.headers["Location"]).text)

    def test_fields_are_edited_in_the_list(self):
        before = self.row("dog.png")
        target = "/admin/stickers/edit?id=dog.png&field="
        seen = self.seen("dog.png")
        answer = self.admin.post(target + "title", only="title", title="A dog, in place", seen=seen)
        self.assertEqual((answer.status, answer.json()["value"]), (200, "A dog, in place"))
        after = self.row("dog.png")
        self.assertEqual({k: v for k, v in after.items() if before[k] != v and k not in ("modified", "indexed")}, {"title": "A dog, in place"})
        stale = self.admin.post(target + "title", only="title", title="late", seen=seen)
        self.assertEqual((stale.status, stale.json()["value"]), (409, "A dog, in place"))
        words = self.admin.post(target + "words", only="words", language="en", words="dog;  puppy", seen=answer.json()["seen"])
        self.assertEqual((words.status, words.json()["value"]), (200, "dog, puppy"))
        self.assertEqual(self.row("dog.png")["title"], "A dog, in place")
        wrong = self.admin.post(target + "title", only="title", title="two\nlines", seen=words.json()["seen"])
        self.assertEqual((wrong.status, wrong.json()["problem"]), (400, "Use a single line without control characters."))

    def test_votes_and_history_stand_on_the_page(self):
        self.search("a voted one")
        self.feedback({"query": "a voted one", "positive": ["cat.png"]})
        self.save("cat.png", title="Voted cat")
        page = self.admin.get("/admin/stickers/edit?id=cat.png").text
        for part in ("a voted one</a>", "View all votes", "Recent changes", "<td>title</td>", 'href="/sticker/cat.png"'):
            self.assertIn(part, page)
        staff = self.add_user("staff_of_forms", is_staff="1")
        self.assertNotIn("Recent changes", staff.get("/admin/stickers/edit?id=cat.png").text)

    def test_what_a_search_finds(self):
        usage = self.analytics("what it finds").status
        answer = self.admin.get("/admin/find?q=what+it+finds+cat").json()
        self.assertEqual(answer["stickers"][0]["filename"], "cat.png")
        self.assertTrue(answer["stickers"][0]["image"].startswith("/media/cat.png?w=64"))
        self.assertEqual(self.analytics("what it finds").status, usage, "nobody searched")
        self.assertEqual(self.admin.get("/admin/find?q=").json()["stickers"], [])
        self.assertEqual(Visitor(self.port).get("/admin/find?q=cat").status, 303)

    def test_words_of_a_query_for_a_sticker(self):
        page = self.admin.get("/admin/stickers/keywords?query=feline+monarch&q=cat")
        self.assertIn('name="id" value="cat.png"', page.text)
        action = html.unescape(re.search(r'action="(/admin/stickers/action[^"]+)"', page.text)[1])
        answer = self.admin.post(action, action="edit", confirmed="yes", how="add", language="en", words="feline monarch", id="cat.png")
        self.assertTrue(answer.headers["Location"].startswith("/admin/queries/?sort=empty&order=down&done=changed"))
        self.system.wait_indexed()
        self.assertEqual(self.search("feline monarch").json()["stickers"][0], "cat.png")


class Trash(WorkTest):
    def media(self, name):
        return request(self.port, "GET", "/media/" + urllib.parse.quote(name)).status

    def trash(self):
        return {r["filename"]: r for r in json.loads(self.admin.get("/admin/trash/export?format=json").body)}

    def in_bucket(self, name):
        return (self.system.data / "bucket" / "media" / name).exists() or (self.system.data / "media" / name).exists()

    def test_deleted_and_restored(self):
        self.save("car.png", title="Car", language=["en", "de"], word_title=["", "Wagen"], words=["car, automobile", "Auto"])
        self.search("red car")
        self.feedback({"query": "red car", "positive": ["car.png"]})
        before, analytics = self.row("car.png"), self.analytics("red car").json()
        asked = self.admin.get("/admin/stickers/delete?id=car.png").text
        for part in ("Delete car.png?", "for 30 days", "1 vote.", "/media/car.png?w=64"):
            self.assertIn(part, asked)
        self.assertEqual(self.notes(self.act("delete", id="car.png", confirmed="yes")), "Moved to the trash.")
        self.system.wait_indexed()
        self.assertEqual(self.media("car.png"), 404)
        self.assertEqual(request(self.port, "GET", "/media/car.png?w=64").status, 404)
        self.assertEqual(request(self.port, "GET", "/sticker/car.png").status, 404)
        self.assertNotIn("car.png", self.search("automobile").json()["stickers"])
        self.assertIsNone(self.row("car.png"))
        self.assertTrue(self.in_bucket("car.png"))
        row = self.trash()["car.png"]
        self.assertEqual((row["title"], row["languages"], row["votes"], row["deleted_by"]), ("Car", 2, 1, "admin"))
        cookies = "; ".join(f"{k}={v}" for k, v in self.admin.cookies.items())
        image = request(self.port, "GET", "/admin/trash/image?id=car.png", headers={"Cookie": cookies})
        self.assertEqual((image.status, image.headers["Content-Type"]), (200, "image/webp"))
        self.assertEqual(request(self.port, "GET", "/admin/trash/image?id=car.png").status, 303, "strangers log in first")

        self.assertEqual(self.act("restore", "trash", id="car.png").status, 200, "asks first")
        self.assertEqual(self.notes(self.act("restore", "trash", id="car.png", confirmed="yes")), "Restored.")
        self.system.wait_indexed()
        after = self.row("car.png")
        self.assertEqual({k: v for k, v in after.items() if k not in ("modified", "indexed")}, {k: v for k, v in before.items() if k not in ("modified", "indexed")})
        self.assertEqual(self.analytics("red car").json(), analytics)
        self.assertIn("car.png", self.search("an automobile").json()["stickers"], "not the answer kept for a second")
        self.assertEqual(self.media("car.png"), 200)
        self.assertEqual(self.trash(), {})
        done = [(e["action"], e["model"]) for e in self.history(changes=False) if e["action"] != "export"]
        self.assertEqual(done[:2], [("restore", "trash"), ("delete", "stickers")])
        self.assertEqual(self.act("restore", "trash", id="car.png", confirmed="yes").status, 404)

    def test_emptied(self):
        self.upload("gone.png")
        self.assertTrue(self.in_bucket("gone.png"))
        self.act("delete", id="gone.png", confirmed="yes")
        asked = self.act("delete", "trash", id="gone.png")
        self.assertIn("This cannot be undone.", asked.text)
        self.assertEqual(self.notes(self.act("delete", "trash", id="gone.png", confirmed="yes")), "Deleted permanently.")
        wait_until(lambda: not self.in_bucket("gone.png"), what="the image to go")
        wait_until(lambda: "gone.png" not in self.trash(), what="the row to go")
        self.assertEqual(self.act("restore", "trash", id="gone.png", confirmed="yes").status, 404)

    def upload(self, name, rgb=(1, 2, 3), **fields):
        """Uploads an image."""
        self.admin.get("/admin/stickers/upload/")
        boundary = "b0undary"
        pairs = [(n, v) for n, values in {"csrf": self.admin.csrf, **fields}.items() for v in ([values] if isinstance(values, str) else values)]
        parts = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in pairs).encode()
        parts += f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode() + png(rgb=rgb) + f"\r\n--{boundary}--\r\n".encode()
        cookies = "; ".join(f"{k}={v}" for k, v in self.admin.cookies.items())
        return request(self.port, "POST", "/admin/stickers/upload/", parts, {"Content-Type": f"multipart/form-data; boundary={boundary}", "Cookie": cookies})

    def test_a_name_is_a_stickers_or_in_the_trash(self):
        self.assertEqual(self.upload("twice.png").status, 303)
        self.act("delete", id="twice.png", confirmed="yes")
        self.assertIn("twice.png", self.trash())
        refused = self.upload("twice.png", rgb=(9, 9, 9))
        self.assertEqual(refused.status, 400)
        self.assertIn("is in the trash", refused.body.decode())
        self.assertEqual(self.upload("twice.png", rgb=(9, 9, 9), replace="1").status, 303)
        self.assertNotIn("twice.png", self.trash())
        self.assertEqual(self.media("twice.png"), 200)

    def test_a_refused_upload_leaves_the_trash_as_it_is(self):
        self.assertEqual(self.upload("refused.png").status, 303)
        self.act("delete", id="refused.png", confirmed="yes")
        image = next(f for f in self.system.data.rglob("refused.png"))
        before = image.read_bytes()
        refused = self.upload("refused.png", rgb=(9, 9, 9), replace="1", language=list(TOO_MANY), words=list(TOO_MANY.values()))
        self.assertEqual(refused.status, 400)
        self.assertIn("Too many keywords.", refused.body.decode())
        self.assertEqual(image.read_bytes(), before)
        self.assertEqual(self.notes(self.act("restore", "trash", id="refused.png", confirmed="yes")), "Restored.")

    def test_who_may(self):
        staff = self.add_user("staff_of_trash", is_staff="1")
        self.assertEqual(staff.get("/admin/trash/").status, 403)
        self.assertEqual(staff.get("/admin/trash/image?id=cat.png").status, 403)
        staff.get("/admin/stickers/")
        for action in ("restore", "delete"):
            self.assertEqual(staff.post("/admin/trash/action", action=action, id="cat.png", confirmed="yes").status, 403)

    def test_a_form_does_not_empty_it(self):
        self.upload("kept.png")
        self.act("delete", id="kept.png", confirmed="yes")
        self.admin.get("/admin/groups/edit")
        self.admin.post("/admin/groups/edit", name="restorers", permissions=["trash.view", "trash.change"], seen="0")
        restorer = self.add_user("restorer", groups=self.row_id("groups", "restorers"))
        restorer.get("/admin/trash/")
        self.assertEqual(restorer.post("/admin/trash/edit?id=kept.png", seen="0").status, 400)
        self.assertEqual(restorer.post("/admin/trash/action", action="delete", id="kept.png", confirmed="yes").status, 403)
        self.assertEqual(self.admin.post("/admin/trash/edit?id=kept.png", seen="0").status, 400)
        self.assertEqual(self.notes(self.act("restore", "trash", id="kept.png", confirmed="yes")), "Restored.")


class Undo(WorkTest):
    def test_a_bulk_edit_is_undone(self):
        names = ["cat.png", "dog.png", "cake.png"]
        before = {n: self.row(n) for n in names}
        answer = self.act("edit", id=names, confirmed="yes", pack="undone", language="en", words="brand new word", how="add")
        page = self.admin.get(answer.headers["Location"]).text
        self.assertIn("3 stickers saved.", page)
        batch = re.search(r'name="batch" value="([0-9a-f-]{36})"', page)[1]
        self.save("dog.png", title="Changed since")
        said = self.notes(self.admin.post("/admin/history/undo", batch=batch))
        self.assertIn("2 stickers changed back.", said)
        self.assertIn("1 sticker was changed again in the meantime", said)
        for name in ("cat.png", "cake.png"):
            self.assertEqual({k: v for k, v in self.row(name).items() if k not in ("modified", "indexed")}, {k: v for k, v in before[name].items() if k not in ("modified", "indexed")})
        self.assertEqual(self.row("dog.png")["title"], "Changed since")
        self.assertEqual(self.admin.post("/admin/history/undo", batch=batch).status, 409, "nothing is left to undo")

    def test_one_change_is_undone(self):
        title = self.row("cake.png")["title"]
        self.save("cake.png", title="Wrong & <b>bad</b>")
        self.admin.get("/admin/history/")
        entry = re.search(r'/admin/history/edit\?id=(\d+)', self.admin.get("/admin/history/?model=stickers&action=change").text)[1]
        page = self.admin.get("/admin/history/edit?id=" + entry).text
        self.assertIn("Undo this change", page)
        rows = re.findall(r'<tr><th scope="row">(.*?)</th><td data-label="Before">(.*?)</td><td data-label="After">(.*?)</td></tr>', page)
        self.assertEqual(rows, [("Title", title, "Wrong &amp; &lt;b&gt;bad&lt;/b&gt;")], "what changed, and nothing else")
        self.assertEqual(self.admin.post("/admin/history/undo", id=entry).status, 303)
        self.assertEqual(self.row("cake.png")["title"], title)
        staff = Visitor(self.port)
        self.assertEqual(staff.ask("POST", "/admin/history/undo", {"id": entry}).status, 303, "to the login")


    def test_says_what_was_undone_before_it_failed(self):
        path = self.system.data / "sticker.db"
        if not path.exists():
            self.skipTest("its history is not in a file")
        with tempfile.TemporaryDirectory() as folder:
            for i in range(110):
                pathlib.Path(folder, f"many-{i}.png").write_bytes(png(rgb=(i, 2, 3)))
            self.system.run("import", folder)
        n = len(json.loads(self.admin.get("/admin/stickers/export?format=json").body))
        page = self.admin.get(self.act("edit", all="1", confirmed="yes", count=str(n), pack="undone in parts").headers["Location"]).text
        batch = re.search(r'name="batch" value="([0-9a-f-]{36})"', page)[1]
        with sqlite3.connect(path, timeout=30) as db:
            entry, before = db.execute("SELECT row, before FROM history WHERE batch = ? ORDER BY row LIMIT 1", (batch,)).fetchone()
            db.execute("UPDATE history SET before = ? WHERE row = ?", (json.dumps({**json.loads(before), "words": TOO_MANY}), entry))
        db.close()
        answer = self.admin.post("/admin/history/undo", batch=batch)
        self.assertEqual(answer.status, 400)
        self.assertIn("100 stickers were changed back before this: Too many keywords.", answer.text)


class AllMatching(WorkTest):
    def test_all_that_match_are_edited(self):
        self.system.run("user", "list")
        for i in range(120):
            self.search(f"matching all {i}")
        listed = urllib.parse.quote("sort=usage&order=down&q=matching")
        wait_until(lambda: "120 queries" in self.admin.get("/admin/queries/?q=matching").text, what="counts to be written")
        self.assertIn("All 120 queries that match", self.admin.get("/admin/queries/?q=matching").text)
        asked = self.act("delete", "queries", "?list=" + listed, all="1")
        self.assertEqual(asked.status, 200)
        self.assertIn("Delete 120 queries?", asked.text)
        self.assertIn("… and 96 more", asked.text)
        self.assertEqual(self.act("delete", "queries", "?list=" + listed, all="1", confirmed="yes", count="119").status, 400, "asks again")
        done = self.act("delete", "queries", "?list=" + listed, all="1", confirmed="yes", count="120")
        self.assertEqual(self.notes(done), "120 queries deleted.")
        self.assertIn("No matching entries.", self.admin.get("/admin/queries/?q=matching").text)

    def test_all_stickers_get_a_pack(self):
        n = len(json.loads(self.admin.get("/admin/stickers/export?format=json").body))
        answer = self.act("edit", all="1", confirmed="yes", count=str(n), pack="everything")
        self.assertIn("stickers saved.", self.notes(answer))
        self.assertEqual({r["pack"] for r in json.loads(self.admin.get("/admin/stickers/export?format=json").body)}, {"everything"})


class Settings(AdminTest):
    def test_what_is_configured_and_from_where(self):
        page = self.admin.get("/admin/settings").text
        self.assertRegex(page, r"<code>port</code></td><td[^>]*><code>0</code></td><td[^>]*><b>--port</b>")
        self.assertRegex(page, r"<code>session-idle-s</code></td><td[^>]*><code>3600</code></td><td[^>]*><span class=\"soft\">default")
        self.assertRegex(page, r"<code>admin-token</code></td><td[^>]*><span class=\"soft\">\((not )?set\)")
        staff = self.add_user("staff_of_settings", is_staff="1")
        self.assertEqual(staff.get("/admin/settings").status, 403)
        self.assertNotIn("/admin/settings", staff.get("/admin/").text)


if __name__ == "__main__":
    main()
