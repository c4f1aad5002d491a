"""The search console of the admin: what it shows of a search, and what is decided there."""

import html
import os
import re
import signal
import urllib.parse

from peel_testing import ADMIN_TOKEN, main, request, stop, wait_until
from test_admin import AdminTest, Visitor


class Console(AdminTest):
    def page(self, **params):
        return self.admin.get("/admin/search/?" + urllib.parse.urlencode(params))

    def decide(self, **fields):
        return self.admin.post("/admin/search/", **{"lang": "", **fields})

    def rows(self, kind):
        return self.get(f"/api/{kind}/", Authorization=f"Token {ADMIN_TOKEN}").json()[kind]

    def column(self, page, title):
        """The filenames of one column, by its links."""
        part = page.text[page.text.index(f">{title}</h2>") :]
        part = part[: part.index("</section>") if "</section>" in part else None]
        return [urllib.parse.unquote(html.unescape(n)) for n in re.findall(r'href="/admin/search/\?query=[^"]*&amp;sticker=([^"&]+)"', part.split("</ol>")[0])]

    def test_each_leg_side_by_side(self):
        page = self.page(query="kitten")
        self.assertEqual(page.status, 200)
        for title in ("What people see", "Hybrid: all legs together", "Lexical: by terms"):
            self.assertEqual(self.column(page, title), ["cat.png"], title)
        self.assertIn("Detected language: en", page.text)
        self.assertIn("no model is installed", html.unescape(page.text), "the leg of images says what is missing")
        self.assertNotIn("Hybrid with these weights", page.text)
        self.assertIn("Hybrid with these weights", self.page(query="kitten", lexical="0.5").text)
        self.assertEqual(self.page().status, 200)
        self.assertIn('href="/admin/search/"', self.admin.get("/admin/").text)

    def test_why(self):
        page = html.unescape(self.page(query="kitten", sticker="cat.png").text)
        self.assertIn("Hybrid finds it at position 1", page)
        self.assertIn("“kitten” in words", page)
        page = html.unescape(self.page(query="kitten", sticker="dog.png").text)
        self.assertIn("no leg finds it", page)
        self.assertIn("none of the query’s terms", page)
        self.assertIn("It is not in the search index", self.page(query="kitten", sticker="none.png").text)

    def test_pins_are_made_and_removed(self):
        self.page(query="kitten")
        self.assertEqual(self.decide(query="Kitten", first="dog.png").status, 303)
        page = self.page(query="kitten", done="pinned", sticker="dog.png")
        self.assertIn("Pinned for this query.", page.text)
        self.assertIn("For this query it is pinned at place 1.", page.text)
        self.assertEqual(self.column(page, "What people see"), ["dog.png", "cat.png"])
        self.assertEqual(self.column(page, "Hybrid: all legs together"), ["cat.png"], "SearchService knows no pins")
        self.assertEqual(self.decide(query="kitten", hide="cat.png").status, 303)
        self.assertEqual(self.search("kitten").json()["stickers"], ["dog.png"])
        self.assertEqual(self.decide(query="kitten", pin="car.png", position="2", lang="de", only="1").status, 303)
        self.assertEqual(
            self.rows("pins"),
            [
                {"query": "kitten", "language": "", "sticker": "dog.png", "position": 1},
                {"query": "kitten", "language": "", "sticker": "cat.png", "position": 0},
                {"query": "kitten", "language": "de", "sticker": "car.png", "position": 2},
            ],
        )
        for name in ("dog.png", "cat.png", "car.png"):
            self.assertEqual(self.decide(query="kitten", unpin=name).status, 303)
        self.assertEqual(self.rows("pins"), [])
        self.assertEqual(self.search("kitten").json()["stickers"], ["cat.png"])
        for fields, why in (({"pin": "none.png", "position": "1"}, "There is no sticker"), ({"pin": "cat.png", "position": "101"}, "from 0 to 100"), ({"pin": "", "position": "1"}, "This is needed")):
            refused = self.decide(query="kitten", **fields)
            self.assertEqual(refused.status, 400, fields)
            self.assertIn(why, html.unescape(refused.text))
            self.assertIn("What people see", refused.text, "the page stays")
        self.assertEqual(self.rows("pins"), [])

    def test_synonyms_add_up(self):
        self.page(query="moggy")
        for more in ("cat", "Kitten", "cat"):
            self.assertEqual(self.decide(query="moggy", add="1", synonym=more).status, 303)
        self.assertEqual(self.rows("synonyms"), [{"term": "moggy", "language": "", "synonyms": ["cat", "kitten"], "two_way": False}])
        wait_until(lambda: self.search("moggy").json()["stickers"] == ["cat.png"], 10, "a cat by a synonym")
        self.assertIn("(a synonym) in", self.page(query="moggy", sticker="cat.png").text)
        refused = self.decide(query="moggy", add="1", synonym="one two three four")
        self.assertIn("at most 3 words", refused.text)
        request(self.port, "DELETE", "/api/synonyms/?term=moggy", headers={"Authorization": f"Token {ADMIN_TOKEN}"})

    def test_wrong_input(self):
        for params, why in (({"query": "x" * 256}, "too long"), ({"query": "cat", "lang": "no tag"}, "lang must be")):
            page = self.page(**params)
            self.assertEqual(page.status, 400, params)
            self.assertIn(why, page.text)
        page = self.page(query="cat", lexical="lots")
        self.assertEqual(page.status, 200)
        self.assertIn("weights must be like", html.unescape(page.text))
        self.assertNotIn("<script>alert", self.page(query="<script>alert(1)</script>", sticker="<script>alert(1)</script>", lexical="<script>alert(1)").text)
        self.assertEqual(self.decide(query="<script>", pin="<script>", position="1").status, 400)
        self.assertEqual(self.admin.ask("POST", "/admin/search/", {"csrf": "wrong", "query": "cat", "first": "dog.png"}).status, 403)

    def test_without_search_service(self):
        stop(self.system.search.child.pid)
        try:
            page = self.page(query="park", sticker="cat.png")  # no other test asks for that, so no answer is kept
            self.assertEqual(page.status, 200)
            self.assertIn("SearchService did not answer in time", page.text)
            self.assertIn("SearchService cannot explain this search", page.text)
            self.assertEqual(self.column(page, "What people see"), ["cat.png"])
        finally:
            os.kill(self.system.search.child.pid, signal.SIGCONT)

    def test_who_may(self):
        self.system.run("user", "create", "viewer", stdin="a long password\n")
        self.admin.get("/admin/groups/edit")
        self.assertEqual(self.admin.post("/admin/groups/edit", name="lookers", permissions="stickers.view", seen="0").status, 303)
        group = re.search(r'href="/admin/groups/edit\?id=([^"&]+)["&]', self.admin.get("/admin/groups/?q=lookers").text)[1]
        user = re.search(r'href="/admin/users/edit\?id=([^"&]+)["&]', self.admin.get("/admin/users/?q=viewer").text)[1]
        seen = re.search(r'name="seen" value="(\d+)"', self.admin.get("/admin/users/edit?id=" + user).text)[1]
        self.assertEqual(self.admin.post("/admin/users/edit?id=" + user, username="viewer", password="", is_active="1", groups=group, seen=seen).status, 303)
        viewer = Visitor(self.port)
        self.assertEqual(viewer.log_in("viewer", "a long password").status, 303)
        page = viewer.get("/admin/search/?query=cat")
        self.assertEqual(page.status, 200)
        self.assertNotIn("Pin first", page.text)
        self.assertNotIn("Add a synonym", page.text)
        self.assertEqual(viewer.post("/admin/search/", query="cat", lang="", first="dog.png").status, 403)
        self.assertEqual(viewer.post("/admin/search/", query="cat", lang="", add="1", synonym="dog").status, 403)
        self.assertEqual((self.rows("pins"), self.rows("synonyms")), ([], []))
        self.admin.get("/admin/groups/edit?id=" + group)
        pins = [f"pins.{right}" for right in ("view", "add", "change", "delete")]
        seen = re.search(r'name="seen" value="(\d+)"', self.admin.get("/admin/groups/edit?id=" + group).text)[1]
        self.assertEqual(self.admin.post("/admin/groups/edit?id=" + group, name="lookers", permissions=pins, seen=seen).status, 303)
        self.assertEqual(viewer.get("/admin/search/?query=cat").status, 403)
        for fields in ({"pin": "none.png", "position": "1"}, {"pin": "dog.png", "position": "1"}):
            self.assertEqual(viewer.post("/admin/search/", query="cat", lang="", **fields).status, 403, "the page shows stickers")
        self.assertEqual(self.rows("pins"), [])


if __name__ == "__main__":
    main()
