"""What SearchService has indexed: its own list, the admin's list and page of it, encoding anew, SearchService away."""

import csv
import html
import io
import json
import os
import re
import signal
import sqlite3
import time
import urllib.parse

from peel_testing import SLOW, STICKERS, FakeSearch, System, main, request, stop, wait_until
from test_admin import AdminTest, Visitor

MODEL = "test/tiny"
HOSTILE_NAME = "<img src=x onerror=alert(1)>&'.png"
HOSTILE = '"><script>alert(1)</script>'
DEADLINE = 400  # ms


class Documents(AdminTest):
    """A model that does not load, whose vectors are written here: of each state one document at least."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add({**STICKERS, HOSTILE_NAME: (HOSTILE, "hostile")})
        folder = cls.system.data / "bucket" / "models" / MODEL.replace("/", "--")
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        cls.system.start_search()
        cls.system.start_sticker("--search-timeout-ms", str(int(DEADLINE * SLOW)))
        cls.system.wait_indexed()
        cls.port = cls.system.port
        db = sqlite3.connect(cls.system.data / "search.db", timeout=30)
        db.execute("INSERT INTO models (id, name, generation, created_us, modified_us) VALUES (7, ?, 1, 1, 1)", (MODEL,))
        db.execute("INSERT INTO vectors (model_id, document_id, vector, source_sha256, created_us, modified_us) SELECT 7, id, zeroblob(2048), image_sha256, 1, 1 FROM documents WHERE filename IN ('cat.png', 'dog.png')")
        db.execute("INSERT INTO vector_failures (model_id, document_id, why, source_sha256, created_us, modified_us) SELECT 7, id, ?, image_sha256, 1, 1 FROM documents WHERE filename IN ('cake.png', ?)",
                   (HOSTILE, HOSTILE_NAME))
        db.commit()
        db.close()

    def ask(self, query="", status=200):
        answer = request(self.system.search_port, "GET", "/api/documents/?" + query)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def names(self, query=""):
        return [d["filename"] for d in self.ask(query)["documents"]]

    def listed(self, query=""):
        page = self.admin.get("/admin/documents/?" + query)
        self.assertEqual(page.status, 200, page.text[-600:])
        links = re.findall(r'<a href="/admin/documents/edit\?id=([^"&]+)[&"]', page.text)
        return page.text, [urllib.parse.unquote(html.unescape(t)) for t in links]

    def test_search_service_lists_documents(self):
        everything = self.ask()
        self.assertEqual((everything["model"], everything["next"]), (MODEL, None))
        documents = everything["documents"]
        self.assertEqual({d["filename"] for d in documents}, {*STICKERS, HOSTILE_NAME})
        self.assertEqual([d["id"] for d in documents], sorted(d["id"] for d in documents))
        one = next(d for d in documents if d["filename"] == "cat.png")
        self.assertEqual((one["title"], one["state"], one["dim"], len(one["sha256"])), ("Cat in a park", "indexed", 512, 64))
        self.assertEqual(next(d["why"] for d in documents if d["filename"] == "cake.png"), HOSTILE)
        walked, after = [], 0
        while after is not None:
            page = self.ask(f"limit=2&after={after}")
            walked += page["documents"]
            after = page["next"]
        self.assertEqual(walked, documents)
        self.assertEqual(self.names("order=down"), [d["filename"] for d in reversed(documents)])
        self.assertEqual(set(self.names("state=indexed")), {"cat.png", "dog.png"})
        self.assertEqual(set(self.names("state=failed&model=test--tiny")), {"cake.png", HOSTILE_NAME})
        self.assertEqual(len(self.names("state=pending")), len(documents) - 4)
        self.assertEqual(self.names("q=CAT"), ["cat.png"])
        self.assertEqual(self.names("q=" + urllib.parse.quote("100%")), ["sun & rain, 100%.png"])
        for hostile in ("' OR '1'='1", "%", "_", '"', "\\", HOSTILE):
            expected = [d["filename"] for d in documents if hostile.lower() in d["filename"].lower()]
            self.assertEqual(self.names("q=" + urllib.parse.quote(hostile)), expected, hostile)
        for wrong in ("limit=0", "limit=201", "after=-1", "after=x", "state=maybe", "order=sideways", "model=no/such", "q=" + "x" * 1001,
                      "q=%ff", "limit=1&limit=2"):
            self.assertTrue(self.ask(wrong, 400)["message"], wrong)

    def test_the_list(self):
        text, names = self.listed()
        self.assertEqual(len(names), len(STICKERS) + 1)
        self.assertNotIn("<script>alert", text)
        self.assertNotIn("<img src=x", text)
        self.assertIn(f'<option value="{MODEL}">', text)
        self.assertEqual(self.listed("sort=id&order=up")[1], names[::-1])
        self.assertEqual(set(self.listed("state=indexed")[1]), {"cat.png", "dog.png"})
        self.assertEqual(set(self.listed("state=failed&model=" + urllib.parse.quote(MODEL, ""))[1]), {"cake.png", HOSTILE_NAME})
        self.assertEqual(self.listed("q=kuchen")[1], [])
        self.assertEqual(self.listed("q=CAKE")[1], ["cake.png"])
        ids = [d["id"] for d in self.ask()["documents"]]
        self.assertEqual(self.listed(f"sort=id&order=up&at={ids[3]}")[1], self.names()[4:])
        self.assertEqual(self.listed(f"sort=id&order=up&at={ids[3]}&back=1")[1], self.names()[:3])
        for wrong in ("state=maybe", "model=none", "sort=title", "at=x", "at=-1", "q=" + "x" * 1001):
            self.assertEqual(self.admin.get("/admin/documents/?" + wrong).status, 400, wrong)
        self.assertEqual(self.admin.get("/admin/documents/delete?id=cat.png").status, 404)
        self.admin.get("/admin/documents/")
        self.assertEqual(self.admin.post("/admin/documents/edit", id="cat.png").status, 404)
        for action in ("delete", "reindex", "export", "words"):
            self.assertIn(self.admin.post("/admin/documents/action", action=action, id="cat.png", confirmed="yes").status, (400, 403, 404))

    def test_exports_are_as_filtered(self):
        answer = self.admin.get("/admin/documents/export?format=json&state=failed&sort=id&order=up")
        self.assertIn("attachment", answer.headers["Content-Disposition"])
        rows = json.loads(answer.body)
        self.assertEqual({r["filename"] for r in rows}, {"cake.png", HOSTILE_NAME})
        self.assertEqual({(r["state"], r["why"], r["model"], r["dim"]) for r in rows}, {("failed", HOSTILE, MODEL, 0)})
        self.assertRegex(rows[0]["modified"], r"^20\d\d-")
        table = list(csv.DictReader(io.StringIO(self.admin.get("/admin/documents/export?format=csv&q=cat").text)))
        self.assertEqual([(r["filename"], r["state"], r["dim"]) for r in table], [("cat.png", "indexed", "512")])
        self.assertEqual(json.loads(self.admin.get("/admin/documents/export?format=json&q=kuchen").body), [])
        self.assertEqual(self.admin.get("/admin/documents/export?state=maybe").status, 400)

    def test_a_document_is_indexed_again(self):
        self.assertIn('href="/admin/documents/edit?id=dog.png"', self.admin.get("/admin/stickers/edit?id=dog.png").text)
        page = self.admin.get("/admin/documents/edit?id=dog.png")
        self.assertEqual(page.status, 200)
        for part in (MODEL, ">indexed</td>", ">512<", 'href="/admin/stickers/edit?id=dog.png"', "Up to date in the search index."):
            self.assertIn(part, page.text)
        for name in ("dog.png", HOSTILE_NAME):
            page = self.admin.get("/admin/documents/edit?id=" + urllib.parse.quote(name))
            self.assertEqual(page.status, 200)
            self.assertNotIn("<script>alert", page.text)
            self.assertNotIn("<img src=x", page.text)
            self.assertEqual(self.admin.ask("POST", "/admin/documents/reindex", {"csrf": "0" * 64, "id": name}).status, 403)
            answer = self.admin.post("/admin/documents/reindex", id=name)
            self.assertEqual(answer.status, 303)
            self.assertIn("encoded again", self.admin.get(answer.headers["Location"]).text)
            entry = self.history()[0]
            self.assertEqual((entry["action"], entry["model"], entry["object"]), ("reindex", "stickers", name))
        wait_until(lambda: {"dog.png", HOSTILE_NAME} <= set(self.names("state=pending")), what="both waiting to be encoded")
        self.assertEqual(self.names("state=indexed"), ["cat.png"])
        self.assertEqual(self.admin.post("/admin/documents/reindex", id="none.png").status, 404)
        self.assertEqual(self.admin.get("/admin/documents/edit?id=none.png").status, 404)
        self.assertEqual(self.admin.get("/admin/documents/edit?id=..%2Fx").status, 400)
        self.assertEqual(request(self.system.search_port, "POST", "/api/documents/none.png/reindex").status, 404)
        db = sqlite3.connect(self.system.data / "search.db", timeout=30)
        self.addCleanup(db.close)
        db.execute("INSERT OR IGNORE INTO vectors (model_id, document_id, vector, source_sha256, created_us, modified_us) SELECT 7, id, zeroblob(2048), image_sha256, 1, 1 FROM documents WHERE filename = 'dog.png'")
        db.execute("INSERT OR IGNORE INTO vector_failures (model_id, document_id, why, source_sha256, created_us, modified_us) SELECT 7, id, ?, image_sha256, 1, 1 FROM documents WHERE filename = ?", (HOSTILE, HOSTILE_NAME))
        db.commit()

    def test_rights(self):
        self.assertIn('value="documents.view"', self.admin.get("/admin/groups/edit").text)
        for name, rights in (("lookers", ["documents.view"]), ("others", ["queries.view"])):
            self.admin.get("/admin/groups/edit")
            self.assertEqual(self.admin.post("/admin/groups/edit", name=name, permissions=rights, seen="0").status, 303)
        looker, other = (self.add_user(n, groups=self.row_id("groups", g)) for n, g in (("looker", "lookers"), ("other", "others")))
        page = looker.get("/admin/documents/edit?id=cat.png")
        self.assertEqual((page.status, looker.get("/admin/documents/").status), (200, 200))
        self.assertNotIn("Reindex", page.text)
        self.assertNotIn("/admin/stickers/", page.text)
        self.assertEqual(looker.post("/admin/documents/reindex", id="cat.png").status, 403)
        for target in ("", "export", "edit?id=cat.png"):
            self.assertEqual(other.get("/admin/documents/" + target).status, 403, target)
            self.assertEqual(Visitor(self.port).get("/admin/documents/" + target).status, 303, target)

    def test_the_dashboard_leads_to_what_its_numbers_count(self):
        page = self.admin.get("/admin/")
        links = [html.unescape(t) for t in re.findall(r'<a href="(/admin/[^"]+)">\d', page.text)]
        for state in ("indexed", "pending", "failed"):
            self.assertIn(f"/admin/documents/?state={state}&model=test%2Ftiny", links)
        self.assertIn("/admin/stickers/?indexed=no", links)
        for target in links:
            self.assertEqual(self.admin.get(target).status, 200, target)

    def test_search_service_away(self):
        child = self.system.search.child.pid
        stop(child)
        try:
            for target in ("", "export?format=json", "edit?id=cat.png"):
                began = time.monotonic()
                answer = self.admin.get("/admin/documents/" + target)
                self.assertLess(time.monotonic() - began, (DEADLINE / 1000 + 1) * SLOW)
                self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "2"))
                self.assertIn("SearchService is not responding", answer.text)
            self.assertEqual(self.admin.get("/admin/stickers/edit?id=cat.png").status, 200)
            # What is asked for meanwhile waits, as a list shows, and is done later, even when the sticker changes first.
            answer = self.admin.post("/admin/documents/reindex", id="cat.png")
            self.assertEqual(answer.status, 303)
            self.assertIn("cat.png", self.admin.get("/admin/stickers/?indexed=no").text)
        finally:
            os.kill(child, signal.SIGCONT)
        wait_until(lambda: "cat.png" in self.names("state=pending"), 30, "cat.png waiting to be encoded")
        self.system.wait_indexed()
        self.assertEqual(self.listed("q=cat")[1], ["cat.png"])
        db = sqlite3.connect(self.system.data / "search.db", timeout=30)
        self.addCleanup(db.close)
        db.execute("INSERT OR IGNORE INTO vectors (model_id, document_id, vector, source_sha256, created_us, modified_us) SELECT 7, id, zeroblob(2048), image_sha256, 1, 1 FROM documents WHERE filename = 'cat.png'")
        db.commit()

    def test_strange_answers(self):
        fake = FakeSearch()
        self.addCleanup(fake.close)
        port = self.system.start_sticker(search_port=fake.port)
        admin = Visitor(port)
        admin.log_in()
        document = {"id": 1, "filename": "a.png"}
        for content in (b"", b"[]", b"null", b"<html>", {"documents": {}}, {"documents": [1]}, {"documents": [{**document, "filename": "a/b"}]},
                        {"documents": [{**document, "id": "1"}]}, {"documents": [document] * 201}, {"documents": [{**document, "filename": None}]}):
            fake.answer = lambda handler, content=content: (200, content)
            self.assertEqual(admin.get("/admin/documents/").status, 503, content)
        fake.answer = lambda handler: (200, {"documents": [{**document, "title": 7, "state": HOSTILE, "sha256": HOSTILE, "modified": "soon"}],
                                             "model": [], "models": [{"id": HOSTILE, "dim": "x"}], "next": "x"})
        for target in ("", "export", "export?format=json", "edit?id=cat.png"):
            answer = admin.get("/admin/documents/" + target)
            self.assertEqual(answer.status, 200, target)
            if "export" not in target:
                self.assertNotIn("<script>alert", answer.text)
        for status in (400, 404, 418, 500, 503):
            fake.answer = lambda handler, status=status: (status, {"message": HOSTILE})
            answer = admin.get("/admin/documents/")
            self.assertEqual(answer.status, status if status in (400, 404) else 503)
            self.assertNotIn("<script>alert", answer.text)


if __name__ == "__main__":
    main()
