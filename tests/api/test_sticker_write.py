"""PUT, PATCH and DELETE of stickers with a token, and many in one request: found at once, kept in the history, undone."""

import concurrent.futures
import json
import re
import time

from peel_testing import ADMIN_TOKEN, ROOT, main, multipart, png, raw, request, wait_until
from test_admin import AdminTest

TOKEN = {"Authorization": f"Token {ADMIN_TOKEN}"}


class Write(AdminTest):
    count = 0

    def setUp(self):
        super().setUp()
        Write.count += 1
        self.name = f"new{Write.count}.png"

    def send(self, method, name, body=None, token=TOKEN, **headers):
        return request(self.port, method, f"/api/stickers/{name}", body, {**token, **headers})

    def put(self, name, rgb=(1, 2, 3), **headers):
        return self.send("PUT", name, png(9, 9, rgb), **{"Content-Type": "image/png", **headers})

    def patch(self, name, change, **headers):
        return self.send("PATCH", name, json.dumps(change), **headers)

    def finds(self, query):
        return self.search(query).json()["stickers"]

    def user(self, name, permissions):
        """The token of a user of a group with these permissions."""
        self.admin.get("/admin/groups/edit")
        self.admin.post("/admin/groups/edit", name=name, permissions=permissions, seen="0")
        self.add_user(name, groups=self.row_id("groups", name))
        key = json.loads(self.system.run("token", "create", name, "--json").stdout)["token"]
        return {"Authorization": f"Token {key}"}

    def test_a_picture_becomes_a_sticker(self):
        made = self.put(self.name, (200, 1, 1))
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual((made.json()["filename"], made.json()["title"]), (self.name, self.name[:-4]))
        self.assertEqual(self.get(f"/media/{self.name}").body, png(9, 9, (200, 1, 1)))
        again = self.put(self.name, (200, 1, 1))
        self.assertEqual((again.status, again.headers["ETag"]), (200, made.headers["ETag"]))
        other = self.put(self.name, (1, 200, 1))
        self.assertEqual(other.status, 200)
        self.assertNotEqual(other.headers["ETag"], made.headers["ETag"])
        self.assertEqual(self.get(f"/media/{self.name}").body, png(9, 9, (1, 200, 1)))

    def test_a_form_has_words_too(self):
        words = {"title": "Walrus", "keywords": {"en": ["tusks", "seal"], "de": "Robbe"}, "titles": {"de": "Walross"}, "rating": "pg"}
        for rgb, status in (((5, 5, 5), 201), ((6, 6, 6), 200)):
            body, kind = multipart([("sticker", json.dumps(words))], [(self.name, png(9, 9, rgb))])
            body = body.replace(b'name="files"', b'name="image"')
            answer = self.send("PUT", self.name + "?lang=de", body, **{"Content-Type": kind})
            self.assertEqual(answer.status, status, answer.body)
            got = answer.json()
            self.assertEqual((got["title"], got["alt"], got["keywords"], got["rating"]), ("Walrus", "Walross", ["Robbe"], "pg"))
            words = {"title": "Walrus", "author": "Ann"}
        self.assertEqual(got["author"], "Ann")
        wait_until(lambda: self.name in self.finds("tusks"), 5, "the new sticker")

    def test_changes_are_found_within_a_second(self):
        self.put(self.name)
        began = time.monotonic()
        answer = self.patch(self.name, {"title": "Zeppelin", "keywords": {"en": ["airship"]}, "pack": "air", "source": None})
        self.assertEqual((answer.status, answer.json()["title"], answer.json()["pack"]), (200, "Zeppelin", "air"), answer.body)
        wait_until(lambda: self.name in self.finds("airship"), 5, "the changed sticker")
        print(f"figures: a changed sticker is found after {time.monotonic() - began:.2f} s")
        self.assertEqual(self.patch(self.name, {"pack": None, "keywords": {"en": None}}).json()["keywords"], [])
        self.assertEqual(self.get(f"/api/stickers/{self.name}").json()["title"], "Zeppelin")

    def test_nobody_loses_an_update(self):
        tag = self.put(self.name).headers["ETag"]
        got = self.get(f"/api/stickers/{self.name}")
        self.assertEqual(got.headers["ETag"], tag)
        self.assertEqual(self.get(f"/api/stickers/{self.name}", **{"If-None-Match": tag}).status, 304)
        changes = [{"title": f"Title {i}"} for i in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda c: self.patch(self.name, c, **{"If-Match": tag}).status, changes))
        self.assertEqual(sorted(answers), [200] + 7 * [412])
        for method, body in (("PATCH", '{"title":"x"}'), ("PATCH", "{}"), ("PUT", png()), ("DELETE", None)):
            self.assert_problem(self.send(method, self.name, body, **{"If-Match": tag}), 412)
        now = self.get(f"/api/stickers/{self.name}").headers["ETag"]
        self.assertEqual(self.patch(self.name, {"title": "y"}, **{"If-Match": f'"other", W/{now}'}).status, 200)
        self.assert_problem(self.put(self.name, **{"If-None-Match": "*"}), 412)
        self.assert_problem(self.put("none.png", **{"If-Match": "*"}), 412)
        self.assertEqual(self.put(self.name, (9, 9, 9), **{"If-Match": "*"}).status, 200)

    def test_deleted_to_the_trash(self):
        self.put(self.name)
        self.assertEqual(self.send("DELETE", self.name).status, 204)
        self.assert_problem(self.get(f"/api/stickers/{self.name}"), 404)
        for method, body in (("DELETE", None), ("PATCH", "{}")):
            self.assert_problem(self.send(method, self.name, body), 404, "Sticker not found.")
        self.assertIn(self.name, self.admin.get("/admin/trash/").text)
        self.assertEqual(self.put(self.name, (8, 8, 8)).status, 201, "a new one in its place")

    def test_a_key_counts_once(self):
        self.put(self.name)
        key = {"Idempotency-Key": self.name}
        tag = self.get(f"/api/stickers/{self.name}").headers["ETag"]
        first = self.patch(self.name, {"title": "Once"}, **key, **{"If-Match": tag})
        self.assertEqual((first.status, first.headers["Idempotency-Replayed"]), (200, None))
        again = self.patch(self.name, {"title": "Once"}, **key, **{"If-Match": tag})
        self.assertEqual((again.status, again.headers["Idempotency-Replayed"], again.body), (200, "true", first.body))
        self.assert_problem(self.patch(self.name, {"title": "Twice"}, **key), 422, "another body")
        for replayed in (None, "true"):
            answer = self.send("DELETE", self.name, **{"Idempotency-Key": self.name + "-gone"})
            self.assertEqual((answer.status, answer.headers["Idempotency-Replayed"]), (204, replayed))
        self.assert_problem(self.send("DELETE", self.name, **{"Idempotency-Key": self.name + "-other"}), 404)

    def test_many_at_once(self):
        names = [f"{self.name[:-4]}-{i}.png" for i in range(3)]
        for name in names:
            self.put(name)
        tag = self.get(f"/api/stickers/{names[2]}").headers["ETag"]
        lines = [
            {"filename": names[0], "title": "Bulk one", "keywords": {"en": ["bulkword"]}},
            {"filename": names[1], "delete": True},
            {"filename": names[2], "if_match": '"1"', "title": "no"},
            {"filename": names[2], "if_match": tag, "title": "yes"},
            {"filename": "none.png", "title": "x"},
            {"filename": names[0], "rating": "x"},
            {"filename": names[0], "delete": True, "title": "x"},
            {"title": "x"},
            [],
        ]
        body = "".join(json.dumps(line) + "\n" for line in lines) + "{not json"
        for expected in ([200, 200, 412, 200, 404, 400, 400, 400, 400, 400],) * 2:  # the second time by the key alone
            answer = request(self.port, "POST", "/api/stickers/bulk", body, {**TOKEN, "Idempotency-Key": self.name})
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/x-ndjson"))
            told = [json.loads(line) for line in answer.body.splitlines()]
            self.assertEqual([line["status"] for line in told], expected, told)
            self.assertEqual([line["line"] for line in told], list(range(1, 11)))
        self.assertEqual(told[5]["detail"], "rating must be g, pg, pg-13 or r")
        self.assertEqual(self.get(f"/api/stickers/{names[2]}").json()["title"], "yes")
        wait_until(lambda: self.finds("bulkword") == [names[0]], 5, "what the bulk request changed")
        for body in ("", "{}\n" * 1001):
            self.assert_problem(request(self.port, "POST", "/api/stickers/bulk", body, TOKEN), 400, "1 to 1000 lines")

    def test_who_may(self):
        self.put(self.name)
        reader = self.user("reader", "stickers.view")
        changer = self.user("changer", "stickers.change")
        for token, status in (({}, 401), ({"Authorization": "Token none"}, 401), (reader, 403)):
            for method, body in (("PUT", png()), ("PATCH", "{}"), ("DELETE", None)):
                self.assert_problem(self.send(method, self.name, body, token=token), status)
            self.assert_problem(request(self.port, "POST", "/api/stickers/bulk", "{}", token), status)
        self.assertEqual(self.send("PATCH", self.name, '{"title":"mine"}', token=changer).status, 200)
        self.assert_problem(self.send("DELETE", self.name, token=changer), 403)
        self.assert_problem(self.send("PUT", "other.png", png(), token=changer), 403, "may not add stickers")
        line = json.dumps({"filename": self.name, "delete": True})
        told = request(self.port, "POST", "/api/stickers/bulk", line, changer).json()
        self.assertEqual((told["status"], told["detail"]), (403, "This token's user may not delete stickers."))
        head = f"PUT /api/stickers/{self.name} HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n"
        self.assertEqual(raw(self.port, head.encode()).status, 401, "before the body is read")

    def test_what_is_wrong_is_named(self):
        self.put(self.name)
        for change, message in (
            ([], "must be a JSON object"),
            ({"name": "x"}, '"name" cannot be changed'),
            ({"title": 7}, "title must be a string or null"),
            ({"title": "x" * 1001}, "title must have at most 1000 bytes, not 1001"),
            ({"author": "a\nb"}, "author must not have control characters"),
            ({"rating": "x"}, "rating must be"),
            ({"animated": "yes"}, "animated must be true or false"),
            ({"keywords": ["cat"]}, "keywords must be an object"),
            ({"keywords": {"en": [1]}}, "keywords.en[0] must be a string"),
            ({"keywords": {"en": 1}}, "keywords.en must be an array of strings"),
            ({"keywords": {"en": "w, " * 20000}}, "keywords.en has too many"),
            ({"titles": {"not a tag": "x"}}, "no language tag"),
        ):
            self.assert_problem(self.patch(self.name, change), 400, message)
        self.assert_problem(self.send("PATCH", self.name, "{"), 400)
        self.assert_problem(self.send("PUT", "x.jpg", png()), 400, "should end in .png")
        self.assert_problem(self.send("PUT", "x.png", b"no picture"), 415)
        self.assert_problem(self.send("PUT", "x.png", png()[:40]), 422)
        self.assert_problem(self.send("PUT", "x.png", b""), 422, "empty")
        self.assert_problem(self.send("PUT", "x.png", png(), **{"Content-Type": "text/html"}), 415)
        video = (ROOT / "tests/fuzz/corpus/webm/clear.webm").read_bytes()
        self.assertEqual(self.send("PUT", "clear.webm", video, **{"Content-Type": "video/webm"}).status, 201)
        self.assert_problem(self.send("PUT", "%2e%2ex.png", png()), 400)
        body, kind = multipart([("sticker", "{}")], [("x.png", png())])
        self.assert_problem(self.send("PUT", "x.png", body, **{"Content-Type": kind}), 400, 'found "files"')

    def test_history_and_undo(self):
        self.put(self.name)
        self.patch(self.name, {"title": "Before", "keywords": {"en": ["undone"]}})
        self.patch(self.name, {"title": "After"})
        page = self.admin.get(f"/admin/history/?q={self.name}").text
        entry = re.search(r"/admin/history/edit\?id=([^\"&]+)", page)[1]
        shown = self.admin.get(f"/admin/history/edit?id={entry}").text
        self.assertIn("After", shown)
        self.assertEqual(self.admin.post("/admin/history/undo", id=entry).status, 303)
        got = self.get(f"/api/stickers/{self.name}").json()
        self.assertEqual((got["title"], got["keywords"]), ("Before", ["undone"]))


if __name__ == "__main__":
    main()
