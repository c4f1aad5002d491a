"""The admin pages: logging in, roles, lists, forms, deleting, exports, and what people type shown as text."""

import csv
import html
import io
import json
import re
import time
import unittest
import urllib.parse

from peel_testing import ADMIN_TOKEN, ServiceTest, main, request, wait_until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOSTILE = '"><script>alert(1)</script>'
PASSWORD = "a long password"


class Visitor:
    """A browser without scripts: keeps cookies and the last page's CSRF token."""

    def __init__(self, port):
        self.port, self.cookies, self.csrf = port, {}, ""

    def ask(self, method, target, fields=None, **headers):
        cookies = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        body = urllib.parse.urlencode(fields, doseq=True) if fields is not None else None
        answer = request(self.port, method, target, body, {**(FORM if body is not None else {}), "Cookie": cookies, **headers})
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        answer.text = answer.body.decode()
        if found := re.search(r'name="csrf" value="([0-9a-f]{64})"', answer.text):
            self.csrf = found[1]
        return answer

    def get(self, target):
        return self.ask("GET", target)

    def post(self, target, **fields):
        return self.ask("POST", target, {"csrf": self.csrf, **fields})

    def log_in(self, name="admin", password=PASSWORD):
        self.get("/admin/login")
        return self.post("/admin/login", username=name, password=password, next="/admin/stickers/")


class AdminTest(ServiceTest):
    def setUp(self):
        self.admin = Visitor(self.port)
        self.assertEqual(self.admin.log_in().status, 303)

    def add_user(self, name, **flags):
        """A visitor who has logged in as a new user."""
        self.admin.get("/admin/users/edit")
        self.assertEqual(self.admin.post("/admin/users/edit", username=name, password=PASSWORD, is_active="1", seen="0", **flags).status, 303)
        visitor = Visitor(self.port)
        self.assertEqual(visitor.log_in(name).status, 303)
        return visitor

    def row_id(self, model, name):
        page = self.admin.get(f"/admin/{model}/")
        found = re.search(rf'<a href="/admin/{model}/edit\?id=([^"]+)">{re.escape(html.escape(name))}</a>', page.text)
        self.assertTrue(found, f"{name} in {model}")
        return urllib.parse.unquote(found[1])

    def history(self, changes=True):
        """What was changed; or everything, and so who came in and what was exported."""
        entries = json.loads(self.admin.get("/admin/history/export?format=json").body)
        return [e for e in entries if not changes or e["action"] in ("add", "change", "delete", "reindex")]


class Login(AdminTest):
    def test_an_analyst_sees_queries_and_scores_only(self):
        self.system.run("user", "create", "ana", "--analytics", stdin=PASSWORD + "\n")
        visitor = Visitor(self.port)
        self.assertEqual(visitor.log_in("ana").status, 303)
        for page, status in {"": 200, "queries/": 200, "scores/": 200, "scores/export?format=csv": 200, "stickers/": 403,
                             "stickers/upload/": 403, "users/": 403, "documents/": 403, "history/": 403}.items():
            self.assertEqual(visitor.get("/admin/" + page).status, status, page)

    def test_pages_need_a_login(self):
        for page in ("", "stickers/", "queries/edit", "users/export", "tokens/delete?id=x"):
            answer = Visitor(self.port).get("/admin/" + page)
            self.assertEqual(answer.status, 303)
            self.assertTrue(answer.headers["Location"].startswith("/admin/login"))

    def test_wrong_and_unknown_are_answered_alike(self):
        visitor = Visitor(self.port)
        answers = [visitor.log_in(name, "wrong password") for name in ("admin", "nobody")]
        plain = [re.sub(r"[0-9a-f]{64}|admin|nobody", "", a.text) for a in answers]
        self.assertEqual([a.status for a in answers], [401, 401])
        self.assertEqual(plain[0], plain[1])

    def test_attempts_are_delayed_by_account(self):
        visitor = Visitor(self.port)
        statuses = [visitor.log_in("somebody", "wrong password").status for _ in range(7)]
        self.assertIn(429, statuses)
        self.assertEqual(statuses[:5], [401] * 5)
        self.assertEqual(visitor.log_in().status, 303, "another account is not delayed")

    def test_the_session_is_new_and_ends(self):
        before = self.admin.cookies["peel_session"]
        self.admin.log_in()
        self.assertNotEqual(before, self.admin.cookies["peel_session"])
        old = Visitor(self.port)
        old.cookies["peel_session"] = before
        self.assertEqual(old.get("/admin/stickers/").status, 303)
        kept = self.admin.cookies["peel_session"]
        self.admin.get("/admin/password")
        self.assertEqual(self.admin.post("/admin/logout").status, 303)
        old.cookies["peel_session"] = kept
        self.assertEqual(old.get("/admin/stickers/").status, 303)

    def test_a_password_from_the_command_line_ends_sessions(self):
        self.system.run("user", "create", "carl", "--superuser", stdin="another long password\n")
        visitor = Visitor(self.port)
        visitor.log_in("carl", "another long password")
        self.assertEqual(visitor.get("/admin/stickers/").status, 200)
        self.system.run("user", "passwd", "carl", stdin="yet another password\n")
        self.assertEqual(visitor.get("/admin/stickers/").status, 303)

    def test_next_stays_here(self):
        visitor = Visitor(self.port)
        visitor.get("/admin/login")
        for to in ("https://example.org/", "//example.org", "/admin/../x\\y", "javascript:alert(1)"):
            visitor.get("/admin/login")
            answer = visitor.post("/admin/login", username="admin", password=PASSWORD, next=to)
            self.assertTrue(answer.headers["Location"].startswith("/admin/"), answer.headers["Location"])

    def test_forms_from_elsewhere_are_refused(self):
        self.admin.get("/admin/queries/edit")
        fields = {"query": "planted", "usage": "1", "seen": "0"}
        csrf = self.admin.csrf
        for token, headers in (("0" * 64, {}), ("", {}), (csrf, {"Origin": "https://example.org"}),
                               (csrf, {"Sec-Fetch-Site": "cross-site"})):
            answer = self.admin.ask("POST", "/admin/queries/edit", {"csrf": token, **fields}, **headers)
            self.assertEqual(answer.status, 403)
        self.assertNotIn("planted", self.admin.get("/admin/queries/export").text)


class Audit(AdminTest):
    def test_who_came_in_and_what_was_exported(self):
        made = self.system.run("user", "create", "auditor", "--superuser", stdin=PASSWORD).stdout
        self.addCleanup(self.system.run, "user", "delete", "auditor")
        auditor = Visitor(self.port)
        self.assertEqual(auditor.log_in("auditor", "wrong").status, 401, made)
        self.assertEqual(auditor.log_in("auditor").status, 303)
        auditor.get("/admin/stickers/export?format=csv&pack=" + urllib.parse.quote('a "pack"'))
        token = {"Authorization": f"Token {ADMIN_TOKEN}"}
        exported = request(self.port, "GET", "/api/analytics/export?format=ndjson&since=2020-01-02", headers=token)
        self.assertEqual(exported.status, 200, exported.body)
        auditor.get("/admin/password")
        auditor.post("/admin/password", old=PASSWORD, new=PASSWORD + "!", again=PASSWORD + "!")
        auditor.get("/admin/")
        self.assertEqual(auditor.post("/admin/logout").status, 303)
        entries = self.history(changes=False)
        mine = [e for e in reversed(entries) if e["username"] == "auditor"]
        self.assertEqual([(e["action"], e["model"], e["object"]) for e in mine],
                         [("login", "users", "auditor"), ("export", "stickers", "csv"), ("password", "users", "auditor"),
                          ("logout", "users", "auditor")])
        self.assertEqual(json.loads(mine[1]["after"]), {"pack": 'a "pack"', "search": ""})
        self.assertEqual({e["address"] for e in mine}, {"127.0.0.1"})
        api = next(e for e in entries if e["action"] == "export" and e["model"] == "scores")
        self.assertEqual((api["object"], json.loads(api["after"])), ("ndjson", {"since": "2020-01-02"}))
        self.assertNotIn(PASSWORD, json.dumps(entries))
        page = self.admin.get("/admin/history/?action=login&username=auditor").text
        self.assertIn("auditor", page)
        self.assertNotIn(">logout</", page.split("<tbody")[1])


class Models(AdminTest):
    def test_every_list_and_export(self):
        for model in ("stickers", "documents", "queries", "scores", "pins", "synonyms", "users", "groups", "tokens", "sessions", "history"):
            page = self.admin.get(f"/admin/{model}/")
            self.assertEqual(page.status, 200, page.text[-500:])
            self.assertLess(len(page.body), 150_000)
            for target in re.findall(r'<th scope="col"[^>]*><a href="([^"]+)"', page.text):
                self.assertEqual(self.admin.get(html.unescape(target)).status, 200, target)
            self.assertIsInstance(json.loads(self.admin.get(f"/admin/{model}/export?format=json").body), list)
            self.assertTrue(next(csv.reader(io.StringIO(self.admin.get(f"/admin/{model}/export?format=csv").text))))
        self.assertEqual(self.admin.get("/admin/nothing/").status, 404)

    def test_search_and_filters(self):
        self.assertIn("cat.png", self.admin.get("/admin/stickers/?q=kitt").text)
        self.assertNotIn("dog.png", self.admin.get("/admin/stickers/?q=kitt").text)
        self.assertIn("dog.png", self.admin.get("/admin/stickers/?q=dog.png").text)
        for target in ("language=en", "language=xx", "votes=yes", "votes=no", "indexed=no", "words=yes", "since=2020-01-01",
                       "until=2020-01-01", "q=%21%21", "q=" + urllib.parse.quote(HOSTILE)):
            self.assertEqual(self.admin.get("/admin/stickers/?" + target).status, 200, target)
        for target in ("votes=maybe", "since=soon", "sort=author", "at=nonsense"):
            self.assertEqual(self.admin.get("/admin/stickers/?" + target).status, 400, target)

    def test_a_sticker_changes_and_the_index_hears_of_it(self):
        page = self.admin.get("/admin/stickers/edit?id=dog.png")
        seen = re.search(r'name="seen" value="(\d+)"', page.text)[1]
        fields = {"title": HOSTILE, "pack": "mine", "author": "", "license": "", "source": "", "seen": seen,
                  "language": ["en", "de"], "words": ["dog, zebra", "Hund"]}
        self.assertEqual(self.admin.post("/admin/stickers/edit?id=dog.png", **fields).status, 303)
        conflict = self.admin.post("/admin/stickers/edit?id=dog.png", **{**fields, "title": "another"})
        self.assertEqual(conflict.status, 409)
        self.assertIn('value="another"', conflict.text)
        self.assertIn("Current value", conflict.text)
        self.system.wait_indexed()
        self.assertIn("dog.png", self.search("zebra").json()["stickers"])
        for page in ("stickers/", "stickers/edit?id=dog.png", "stickers/delete?id=dog.png", "history/"):
            self.assertNotIn("<script>alert", self.admin.get("/admin/" + page).text)
        entry = self.history()[0]
        self.assertEqual((entry["action"], entry["object"], entry["username"]), ("change", "dog.png", "admin"))
        self.assertEqual(json.loads(entry["after"])["words"], {"en": "dog, zebra", "de": "Hund"})

    def test_rating_and_animated(self):
        page = self.admin.get("/admin/stickers/edit?id=cake.png")
        self.assertIn('<option value="g" selected>g</option>', page.text)
        self.assertRegex(page.text, r'type="checkbox" name="animated" value="1">')
        fields = {"title": "Cake", "seen": re.search(r'name="seen" value="(\d+)"', page.text)[1]}
        refused = self.admin.post("/admin/stickers/edit?id=cake.png", **fields, rating="pg13")
        self.assertEqual(refused.status, 400)
        self.assertIn("Choose g, pg, pg-13 or r.", refused.text)
        self.assertEqual(self.admin.post("/admin/stickers/edit?id=cake.png", **fields, animated="0").status, 303)
        page = self.admin.get("/admin/stickers/edit?id=cake.png").text
        self.assertRegex(page, r'type="checkbox" name="animated" value="1">')
        fields["seen"] = re.search(r'name="seen" value="(\d+)"', page)[1]
        self.assertEqual(self.admin.post("/admin/stickers/edit?id=cake.png", **fields, rating="pg-13", animated="1").status, 303)
        page = self.admin.get("/admin/stickers/edit?id=cake.png").text
        self.assertIn('<option value="pg-13" selected>pg-13</option>', page)
        self.assertRegex(page, r'type="checkbox" name="animated" value="1" checked>')
        entry = self.history()[0]
        self.assertEqual([json.loads(entry[k])["rating"] for k in ("before", "after")], ["g", "pg-13"])
        self.assertEqual([json.loads(entry[k])["animated"] for k in ("before", "after")], ["0", "1"])
        [row] = [r for r in json.loads(self.admin.get("/admin/stickers/export?format=json").body) if r["filename"] == "cake.png"]
        self.assertEqual((row["rating"], row["animated"]), ("pg-13", True))
        for which, there in (("rating=pg-13", True), ("rating=g", False), ("rating=r", False), ("animated=yes", True), ("animated=no", False)):
            found = self.admin.get("/admin/stickers/?" + which)
            self.assertEqual((found.status, ">cake.png</a>" in found.text), (200, there), which)
        self.assertEqual(self.admin.get("/admin/stickers/?rating=x").status, 400)
        self.system.wait_indexed()
        document = request(self.system.search_port, "GET", "/api/documents/cake.png").json()
        self.assertEqual([document[k] for k in ("pack", "rating", "animated")], ["", "pg-13", True])
        [result] = [r for r in self.search("cake").json()["results"] if r["filename"] == "cake.png"]
        self.assertEqual((result["rating"], result["animated"]), ("pg-13", True))
        # Who does not speak of the rating leaves it as it is.
        seen = re.search(r'name="seen" value="(\d+)"', page)[1]
        self.assertEqual(self.admin.post("/admin/stickers/edit?id=cake.png", title="Cake", seen=seen, animated="1").status, 303)
        self.assertIn('<option value="pg-13" selected>', self.admin.get("/admin/stickers/edit?id=cake.png").text)

    def test_mistakes_stay_typed(self):
        self.admin.get("/admin/queries/edit")
        answer = self.admin.post("/admin/queries/edit", query=HOSTILE, usage="many", seen="0")
        self.assertEqual(answer.status, 400)
        self.assertIn("whole number", answer.text)
        self.assertIn(html.escape(HOSTILE, quote=True).replace("&#x27;", "&#39;"), answer.text)

    def test_queries_and_scores(self):
        self.admin.get("/admin/queries/edit")
        self.assertEqual(self.admin.post("/admin/queries/edit", query="=1+1", usage="3", seen="0").status, 303)
        self.admin.get("/admin/scores/edit")
        added = self.admin.post("/admin/scores/edit", query="=1+1", sticker="cake.png", positives="4", negatives="1", seen="0")
        self.assertEqual(added.status, 303)
        for model, name in (("stickers", "cake.png"), ("queries", "=1+1")):
            self.assertIn(name, self.admin.get(f"/admin/{model}/?votes=yes").text)
            self.assertNotIn(f">{name}</a>", self.admin.get(f"/admin/{model}/?votes=no").text)
        self.assertEqual(self.analytics("=1+1").json()["feedback scores"], [{"sticker": "cake.png", "positives": 4, "negatives": 1}])
        self.assertIn("'=1+1", self.admin.get("/admin/queries/export").text)
        ident = self.row_id("queries", "=1+1")
        confirm = self.admin.get("/admin/queries/delete?id=" + ident)
        self.assertIn("5 votes", confirm.text)
        asked = self.admin.post("/admin/queries/action", action="delete", id=ident)
        self.assertEqual(asked.status, 200, "asks first")
        self.assertEqual(self.analytics("=1+1").status, 200)
        self.assertEqual(self.admin.post("/admin/queries/action", action="delete", id=ident, confirmed="yes").status, 303)
        self.assertEqual(self.analytics("=1+1").status, 404)

    def test_pins_and_synonyms(self):
        self.admin.get("/admin/pins/edit")
        pin = {"query": "  Red   CAR ", "language": "", "sticker": "cake.png", "position": "1", "seen": "0"}
        self.assertEqual(self.admin.post("/admin/pins/edit", **pin).status, 303)
        self.assertEqual(self.search("red car").json()["stickers"][0], "cake.png", "at once")
        for wrong, why in (({"sticker": "none.png"}, "There is no sticker"), ({"position": "101"}, "from 0 to 100"), ({"query": " "}, "This field is required"),
                           ({"language": "no tag"}, "Use a language tag"), ({}, "already")):
            answer = self.admin.post("/admin/pins/edit", **{**pin, **wrong})
            self.assertEqual(answer.status, 400, wrong)
            self.assertIn(why, answer.text)
        ident = self.row_id("pins", "red car")
        page = self.admin.get("/admin/pins/edit?id=" + ident)
        seen = re.search(r'name="seen" value="(\d+)"', page.text)[1]
        self.assertEqual(self.admin.post("/admin/pins/edit?id=" + ident, **{**pin, "seen": seen, "sticker": "car.png", "position": "0"}).status, 303)
        found = self.search("red car").json()  # other tests may have given the cake a car
        self.assertNotIn("car.png", found["stickers"])
        self.assertFalse(any(r.get("pinned") for r in found["results"]))
        self.assertIn("red car", self.admin.get("/admin/pins/?hidden=yes").text)
        self.assertNotIn("red car</a>", self.admin.get("/admin/pins/?hidden=no").text)
        self.assertIn("red car,,car.png,0,", self.admin.get("/admin/pins/export").text)
        history = [h for h in self.admin.get("/admin/history/export?format=json&model=pins").json() if h["action"] != "export"]
        self.assertEqual([h["action"] for h in history], ["change", "add"])
        self.assertEqual(json.loads(history[0]["after"]), {"query": "red car", "language": "", "sticker": "car.png", "position": "0"})
        self.assertEqual(self.admin.post("/admin/pins/action", action="delete", id=ident, confirmed="yes").status, 303)
        self.assertIn("car.png", self.search("red car").json()["stickers"], "at once")

        self.admin.get("/admin/synonyms/edit")
        synonym = {"term": "Motor", "language": "", "synonyms": "car; Vehicle,car", "two_way": "1", "seen": "0"}
        self.assertEqual(self.admin.post("/admin/synonyms/edit", **synonym).status, 303)
        self.assertIn("motor,,\"car, vehicle\",1,", self.admin.get("/admin/synonyms/export").text)
        wait_until(lambda: "car.png" in self.search("motor").json()["stickers"], 10, "a car by a synonym")
        for wrong, why in (({"term": "a b c d"}, "at most 3 words"), ({"synonyms": ","}, "1 to 20 synonyms"), ({"term": "!"}, "no words"), ({}, "already")):
            answer = self.admin.post("/admin/synonyms/edit", **{**synonym, **wrong})
            self.assertEqual(answer.status, 400, wrong)
            self.assertIn(why, answer.text)

    def test_users_tokens_and_the_last_superuser(self):
        ident = self.row_id("users", "admin")
        self.admin.get("/admin/users/edit?id=" + ident)
        answer = self.admin.post("/admin/users/action", action="delete", id=ident, confirmed="yes")
        self.assertEqual(answer.status, 400)
        self.admin.get("/admin/tokens/edit")
        made = self.admin.post("/admin/tokens/edit", username="admin", label="test", seen="0")
        key = re.search(r'<code id="token">([0-9a-f]{40})<', made.text)[1]
        self.assertEqual(self.analytics("none", key).status, 404)
        token = self.row_id("tokens", "admin")
        self.assertNotIn(key, self.admin.get("/admin/tokens/export").text)
        self.assertNotIn("password_hash", self.admin.get("/admin/users/export?format=json").text)
        self.assertTrue(token)

    def test_pages_follow_each_other(self):
        for i in range(120):
            self.search(f"paged {i}")
        time.sleep(1.5)
        target, seen = "/admin/queries/?q=paged&sort=query&order=up", []
        while target:
            page = self.admin.get(target).text
            seen += re.findall(r">(paged \d+)</a>", page)
            if len(seen) == 50:
                self.search("paged 0 before")
                time.sleep(1.2)
            found = re.search(r'rel="next" href="([^"]+)"', page)
            target = found and html.unescape(found[1])
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual({s for s in seen if "before" not in s}, {f"paged {i}" for i in range(120)})


class Many(AdminTest):
    def act(self, action, ids, model="stickers", **fields):
        self.admin.get(f"/admin/{model}/")
        return self.admin.post(f"/admin/{model}/action", action=action, id=ids, **fields)

    def words(self, name):
        (row,) = [r for r in json.loads(self.admin.get("/admin/stickers/export?format=json").body) if r["filename"] == name]
        return row

    def test_words_are_added_taken_away_and_replaced(self):
        pair = ["cat.png", "dog.png"]
        before = len(self.history())
        asked = self.act("edit", pair)
        self.assertEqual(asked.status, 200, asked.text)
        self.assertIn("Edit 2 stickers", asked.text)
        self.assertEqual(len(self.history()), before, "asking changes nothing")
        wish = {"confirmed": "yes", "language": ["en", "de"], "words": ["quokka, Quoll", "Beutelmarder"], "pack": "pouched"}
        self.assertEqual(self.act("edit", pair, how="add", **wish).status, 303)
        self.system.wait_indexed()
        self.assertEqual(set(self.search("quokka").json()["stickers"]), set(pair))
        self.assertEqual(set(self.search("Beutelmarder").json()["stickers"]), set(pair))
        entries = self.history()[: len(self.history()) - before]
        self.assertEqual(sorted(e["object"] for e in entries), pair)
        for e in entries:
            was, became = json.loads(e["before"]), json.loads(e["after"])
            self.assertEqual((e["action"], became["pack"], became["title"]), ("change", "pouched", was["title"]))
            self.assertEqual(became["words"]["en"].split(", ")[-2:], ["quokka", "Quoll"])
            self.assertTrue(became["words"]["en"].startswith(was["words"].get("en", "")))
        self.assertEqual(self.act("edit", pair, how="add", **wish).status, 303)
        self.assertEqual(len(self.history()), before + 2, "what is so already is no change")

        self.act("edit", pair, how="remove", confirmed="yes", language="en", words="QUOLL")
        self.assertEqual(self.words("dog.png")["words"].count("Quoll"), 0)
        self.act("edit", ["dog.png"], how="replace", confirmed="yes", language=["en", "de"], words=["numbat", ""])
        self.system.wait_indexed()
        self.assertEqual(self.search("a quokka").json()["stickers"], ["cat.png"], "not the answer kept for a second")
        self.assertEqual(self.search("numbat").json()["stickers"], ["dog.png"])
        self.assertEqual(json.loads(self.history()[0]["after"])["words"], {"en": "numbat"})

    def test_rating_and_animated(self):
        pair = ["cat.png", "dog.png"]
        page = self.act("edit", pair).text
        for name in ("rating", "animated"):
            self.assertRegex(page, rf'<select id="f-{name}" name="{name}"[^>]*><option value="" selected>\(unchanged\)</option>')

        def labels():
            return [(self.words(name)["rating"], self.words(name)["animated"]) for name in pair]
        self.assertEqual(self.act("edit", pair, confirmed="yes", rating="r").status, 303)
        self.assertEqual(labels(), [("r", False)] * 2)
        self.assertEqual(self.act("edit", ["dog.png"], confirmed="yes", animated="1", rating="").status, 303)
        self.assertEqual(labels(), [("r", False), ("r", True)])
        self.assertEqual(self.act("edit", pair, confirmed="yes", animated="0", rating="g").status, 303)
        self.assertEqual(labels(), [("g", False)] * 2)
        for wrong, said in (({"rating": "x"}, "Choose g, pg, pg-13 or r."), ({"animated": "2"}, "Choose 0 or 1.")):
            answer = self.act("edit", pair, confirmed="yes", **wrong)
            self.assertEqual(answer.status, 400)
            self.assertIn(said, answer.text)
        self.assertEqual(labels(), [("g", False)] * 2)

    def test_mistakes_change_nothing(self):
        before = self.admin.get("/admin/stickers/export").body
        for fields, said in (({"language": "en", "words": "", "how": "add"}, None), ({}, "Fill in at least one field"),
                             ({"language": "", "words": "kept typed"}, "language code"), ({"pack": "two\nlines"}, "single line"),
                             ({"language": "en", "words": ", ".join(f"{i:0100}" for i in range(200))}, "Too many keywords")):
            answer = self.act("edit", ["cat.png", "cake.png"], confirmed="yes", **fields)
            self.assertEqual(answer.status, 400 if said else 303, fields)
            self.assertIn(said or "", answer.text)
            if "kept" in fields.get("words", ""):
                self.assertIn('value="kept typed"', answer.text)
        self.assertEqual(self.act("edit", ["cat.png", "gone.png"], confirmed="yes", pack="x").status, 404, "all or none")
        nothing = self.act("edit", [], confirmed="yes", pack="x")
        self.assertEqual((nothing.status, nothing.headers["Location"]), (303, "/admin/stickers/?done=nothing"))
        self.assertIn("Select at least one row first.", self.admin.get(nothing.headers["Location"]).text)
        self.assertEqual(self.act("edit", [f"s{i}.png" for i in range(101)], confirmed="yes", pack="x").status, 413)
        self.assertEqual(self.act("edit", ["x"], "queries").status, 400, "queries have nothing to set for many")
        self.assertEqual(self.admin.get("/admin/stickers/export").body, before)

    def test_the_selected_are_exported(self):
        for action, names in (("csv", lambda t: [r["filename"] for r in csv.DictReader(io.StringIO(t))]),
                              ("json", lambda t: [r["filename"] for r in json.loads(t)])):
            answer = self.act(action, ["dog.png", "gone.png", "cat.png", "dog.png"])
            self.assertEqual(answer.status, 200)
            self.assertIn(f"peel-stickers.{action}", answer.headers["Content-Disposition"])
            self.assertEqual(names(answer.text), ["dog.png", "cat.png"])
        self.assertEqual(json.loads(self.act("json", ["gone.png"]).text), [])
        self.assertNotIn("password_hash", self.act("csv", [self.row_id("users", "admin")], "users").text)

    def test_who_may(self):
        self.admin.get("/admin/groups/edit")
        self.admin.post("/admin/groups/edit", name="readers", permissions="stickers.view", seen="0")
        self.admin.get("/admin/users/edit")
        self.admin.post("/admin/users/edit", username="reader", password=PASSWORD, is_active="1",
                        groups=self.row_id("groups", "readers"), seen="0")
        reader = Visitor(self.port)
        self.assertEqual(reader.log_in("reader").status, 303)
        page = reader.get("/admin/stickers/").text
        self.assertIn("Export as CSV", page)
        for action, label, status in (("edit", "Edit …", 403), ("reindex", "Reindex", 403), ("delete", "Delete …", 403), ("csv", "", 200)):
            answer = reader.post("/admin/stickers/action", action=action, id="cat.png", confirmed="yes", pack="x")
            self.assertEqual(answer.status, status, action)
            self.assertTrue(not label or label not in page, label)


class Roles(AdminTest):
    def test_each_role(self):
        def add(name, **flags):
            self.admin.get("/admin/users/edit")
            self.assertEqual(self.admin.post("/admin/users/edit", username=name, password=PASSWORD, is_active="1", seen="0", **flags).status, 303)
            visitor = Visitor(self.port)
            return visitor, visitor.log_in(name).status

        self.assertEqual(add("plain")[1], 401, "nothing to do here")
        staff, status = add("staff", is_staff="1")
        self.assertEqual(status, 303)
        for page, expected in (("stickers/", 200), ("queries/", 200), ("users/", 403), ("tokens/export", 403), ("history/", 403),
                               ("stickers/delete?id=cat.png", 403), ("queries/edit", 403)):
            self.assertEqual(staff.get("/admin/" + page).status, expected, page)
        staff.get("/admin/stickers/")
        for target in ("/admin/stickers/action", "/admin/users/action"):
            self.assertEqual(staff.post(target, action="delete", id="cat.png", confirmed="yes").status, 403)
        self.assertEqual(staff.post("/admin/users/edit", username="x", password=PASSWORD, seen="0").status, 403)

        self.admin.get("/admin/groups/edit")
        self.admin.post("/admin/groups/edit", name="people", permissions=["users.view", "users.change", "users.add"], seen="0")
        group = self.row_id("groups", "people")
        helper, status = add("helper", groups=group)
        self.assertEqual(status, 303)
        self.assertEqual(helper.get("/admin/stickers/").status, 403)
        boss = self.row_id("users", "admin")
        helper.get("/admin/users/edit?id=" + boss)
        self.assertEqual(helper.post("/admin/users/edit?id=" + boss, username="admin", password="stolen password", seen="0").status, 403)
        helper.get("/admin/users/edit")
        helper.post("/admin/users/edit", username="sneaky", password=PASSWORD, is_active="1", is_superuser="1", is_staff="1", seen="0")
        self.assertEqual(Visitor(self.port).log_in("sneaky").status, 401, "gave himself no rights")


if __name__ == "__main__":
    main()
