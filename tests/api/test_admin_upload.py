"""Uploading images in the admin: who may, what is taken and what is refused, with and without scripts."""

import gzip
import hashlib
import http.client
import json
import os
import pathlib
import socket
import struct
import sys
import threading
import unittest
import unittest.mock
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import s3_testing  # noqa: E402
from peel_testing import ROOT, SLOW, UPLOAD, main, multipart, png, request, wait_until  # noqa: E402
from test_admin import HOSTILE, AdminTest, Visitor  # noqa: E402

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="red"/></svg>'
MIB = 1 << 20


def bomb_png(side):
    """A PNG that says it has side x side pixels, of next to no bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


class UploadTest(AdminTest):
    def upload(self, *files, visitor=None, csrf=None, headers=None, script=False, timeout=30.0, **fields):
        visitor = visitor or self.admin
        if csrf is None:
            visitor.get(UPLOAD)
            csrf = visitor.csrf
        pairs = [("csrf", csrf), *((k, v) for k, vs in fields.items() for v in (vs if isinstance(vs, list) else [vs]))]
        body, kind = multipart(pairs, files)
        more = {"Accept": "application/json", "X-CSRF-Token": csrf} if script else {}
        cookies = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
        sent = {"Content-Type": kind, "Cookie": cookies, **more, **(headers or {})}
        answer = request(self.port, "POST", UPLOAD, body, sent, timeout)
        answer.text = answer.body.decode()
        return answer

    def outcomes(self, answer):
        return [(r["filename"], r["outcome"], r["message"]) for r in answer.json()["results"]]

    def refused(self, name, data, why):
        answer = self.upload((name, data), script=True)
        self.assertEqual(answer.status, 400, answer.text[:300])
        [(filename, outcome, message)] = self.outcomes(answer)
        self.assertEqual((filename, outcome), (name, "failed"))
        self.assertIn(why, message)

    def sticker(self, name):
        found = [s for s in json.loads(self.admin.get("/admin/stickers/export?format=json").body) if s["filename"] == name]
        return found[0] if found else None


class Taken(UploadTest):
    def test_several_without_scripts(self):
        self.assertIn(f'href="{UPLOAD}"', self.admin.get("/admin/stickers/").text)
        answer = self.upload(("green_frog-on a leaf.png", png(9, 7, (0, 200, 0))), ("Drawn ünïcode.svg", SVG),
                             title="The {name}!", pack="Pond", author="Ann", license="CC0", source="https://example.org/",
                             language=["en", "de", ""], words=["frog; pond, frog", "Frosch", ""])
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "/admin/stickers/?done=uploaded"))
        self.assertIn("Uploaded.", self.admin.get("/admin/stickers/?done=uploaded").text)
        frog = self.sticker("green_frog-on a leaf.png")
        self.assertEqual([frog[k] for k in ("title", "pack", "author", "license", "source", "mime", "width", "height")],
                         ["The green frog on a leaf!", "Pond", "Ann", "CC0", "https://example.org/", "image/png", 9, 7])
        self.assertEqual(self.sticker("Drawn ünïcode.svg")["title"], "The Drawn ünïcode!")
        picture = self.get("/media/green_frog-on%20a%20leaf.png")
        self.assertEqual(picture.body, png(9, 7, (0, 200, 0)))
        entries = [h for h in self.history() if h["object"] == "green_frog-on a leaf.png"]
        self.assertEqual([(h["username"], h["action"], h["model"]) for h in entries], [("admin", "add", "stickers")])
        self.assertEqual(json.loads(entries[0]["after"])["words"], {"en": "frog, pond", "de": "Frosch"})
        self.system.wait_indexed()
        wait_until(lambda: "green_frog-on a leaf.png" in self.search("frog").json()["stickers"], 5, "the frog to be found")
        self.assertNotIn("degraded", self.search("pond frog").json())

    def test_what_moves(self):
        frame = b",\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0"
        gif = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff" + 2 * frame + b";"
        self.upload(("moves.gif", gif), ("moves.png", png(3, 7)))
        self.upload(("denied.gif", gif), animated="0", rating="pg")
        self.upload(("said.png", png(3, 8)), animated="1")
        self.assertEqual([(self.sticker(name)["rating"], self.sticker(name)["animated"])
                          for name in ("moves.gif", "moves.png", "denied.gif", "said.png")],
                         [("g", True), ("g", False), ("pg", False), ("g", True)])
        self.assertEqual(json.loads(self.history()[0]["after"])["animated"], "1")
        self.upload(("said.png", png(3, 9)), replace="1")
        self.assertFalse(self.sticker("said.png")["animated"], "another image speaks for itself")
        self.assertEqual(self.upload(("no.png", png(3, 9)), rating="x", script=True).status, 400)

    def test_titles(self):
        self.assertEqual(self.outcomes(self.upload(("some_file-name.png", png(3, 3)), script=True)),
                         [("some_file-name.png", "added", "Added.")])
        self.assertEqual(self.sticker("some_file-name.png")["title"], "some file name")
        self.upload(("x{name}.png", png(3, 4)), title="{name} and {name}")
        self.assertEqual(self.sticker("x{name}.png")["title"], "x{name} and x{name}")
        long = self.upload(("a" * 200 + ".png", png(3, 5)), title="{name}" * 9, script=True)
        self.assertIn("title would have more than 1000 bytes", long.text)
        self.assertIsNone(self.sticker("a" * 200 + ".png"))

    def test_a_bad_one_loses_no_good_one_and_nothing_typed(self):
        answer = self.upload(("good1.png", png(5, 5, (1, 1, 1))), ("bad.png", b"no picture"), ("", b""),
                             ("good2.gif.png", png(5, 5, (2, 2, 2))), title="Typed <title>", pack="P&P", language="en", words="kept, words")
        self.assertEqual(answer.status, 400)
        self.assertIn("Some images were not uploaded", answer.text)
        self.assertIn('<span class="name">bad.png</span> <span class="problem">not a JPEG, PNG, WebP, GIF, SVG, Lottie, AVIF, HEIC or WebM image</span>', answer.text)
        for typed in ("Typed &lt;title&gt;", "P&amp;P", "kept, words"):
            self.assertIn(f'value="{typed}"', answer.text)
        for name in ("good1.png", "good2.gif.png"):
            self.assertEqual(self.sticker(name)["title"], "Typed <title>")
        self.assertIsNone(self.sticker("bad.png"))

    def test_names_that_are_taken(self):
        first, second = png(6, 6, (10, 0, 0)), png(7, 6, (20, 0, 0))
        self.upload(("taken.png", first), title="Mine", language="en", words="keeper")
        self.assertEqual(self.outcomes(self.upload(("taken.png", first), script=True)),
                         [("taken.png", "unchanged", "Already uploaded.")])
        self.refused("taken.png", second, "another image of this name exists, with other content")
        self.assertEqual(self.get("/media/taken.png").body, first)
        twice = self.upload(("twice.png", first), ("twice.png", second), ("twice.png", first), script=True)
        self.assertEqual([o for _, o, _ in self.outcomes(twice)], ["added", "failed", "unchanged"])
        answer = self.upload(("taken.png", second), script=True, replace="1", title="Not used")
        self.assertEqual(self.outcomes(answer), [("taken.png", "replaced", "Replaced.")])
        self.assertEqual(self.get("/media/taken.png").body, second)
        now = self.sticker("taken.png")
        self.assertEqual((now["title"], now["width"], now["bytes"]), ("Mine", 7, len(second)))
        change = [h for h in self.history() if h["object"] == "taken.png" and h["action"] == "change"]
        self.assertEqual([json.loads(change[0][k])["width"] for k in ("before", "after")], [6, 7])
        self.assertEqual(json.loads(change[0]["after"])["sha256"], now["sha256"])
        self.system.wait_indexed()
        self.assertIn("taken.png", self.search("keeper").json()["stickers"])
        # One whose file went missing is repaired, as by an import.
        [file] = self.system.data.rglob("media/taken.png")
        file.unlink()
        self.upload(("taken.png", second))
        self.assertEqual(self.get("/media/taken.png").body, second)


    def test_one_name_many_at_once(self):
        self.admin.get(UPLOAD)
        csrf, answers = self.admin.csrf, []
        pictures = [png(20, 20 + i, (i, i, i)) for i in range(8)]
        threads = [threading.Thread(target=lambda p=p: answers.append(self.upload(("race.png", p), csrf=csrf, script=True))) for p in pictures]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(self.outcomes(a)[0][1] for a in answers), ["added"] + ["failed"] * 7)
        picture = self.get("/media/race.png").body
        self.assertEqual(hashlib.sha256(picture).hexdigest(), self.sticker("race.png")["sha256"], "row and file belong together")


class Refused(UploadTest):
    def test_no_pictures(self):
        for name, data, why in (
            ("text.png", b"hello", "not a JPEG, PNG, WebP, GIF, SVG, Lottie, AVIF, HEIC or WebM image"),
            ("page.html", b"<!doctype html><script>alert(1)</script>", "not a JPEG, PNG"),
            ("empty.png", b"", "the file is empty"),
            ("liar.jpg", png(4, 4), "the content is image/png, so the name should end in .png"),
            ("none", png(4, 4), "should end in .png"),
            ("cut.png", png(64, 64)[:60], ""),
            ("cut.webm", (ROOT / "tests/fuzz/corpus/webm/clear.webm").read_bytes()[:900], "WebM: cut off"),
            ("bomb.png", bomb_png(60000), "at most 16384 a side"),
            ("pixels.png", bomb_png(16000), "in all are allowed"),
            ("bomb.svg", b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 300000, ""),
            ("squeezed.svg", gzip.compress(b"<svg/>" + b" " * MIB), "compressed with gzip"),
            ("big.png", png(4, 4) + b"\0" * (32 * MIB), "at most 33554432 are allowed"),
        ):
            with self.subTest(name):
                self.refused(name, data, why)
        self.assertEqual(self.get("/healthz").status, 200)

    def test_names(self):
        good = png(4, 4, (9, 9, 9))
        for name, why in (("../escape.png", "slash"), ("/etc/passwd.png", "slash"), ("..\\up.png", "backslash"),
                          (".hidden.png", "start with a dot"), ("..", "dot"), ("n" * 252 + ".png", "255 bytes")):
            with self.subTest(name):
                self.refused(name, good, why)
        self.assertFalse((self.system.folder / "escape.png").exists())
        for name in ("line\nbreak.png", "tab\t.png"):
            self.assertEqual(self.upload((name, good)).status, 400)

    def test_hostile_names_stay_text(self):
        name = HOSTILE.replace("/", "") + ".png"
        page = self.upload((name, b"no picture"))
        self.assertNotIn("<script>alert", page.text)
        self.assertIn("&lt;script&gt;alert", page.text)
        self.assertEqual(self.upload((name, png(4, 5)), title=HOSTILE).status, 303)
        self.assertNotIn("<script>alert", self.admin.get("/admin/stickers/").text)
        self.assertEqual(self.sticker(name)["title"], HOSTILE)

    def test_fields(self):
        count = len(self.history())
        answer = self.upload(("field.png", png(4, 6)), title="t" * 1001, language="", words="of no language")
        self.assertEqual(answer.status, 400)
        self.assertIn("This is too long.", answer.text)
        self.assertIn("Enter a language code for these keywords", answer.text)
        self.assertIn("t" * 1001, answer.text)
        answer = self.upload(("field.png", png(4, 6)), title="t" * 1001, script=True)
        self.assertEqual((answer.json()["results"], answer.json()["fields"]), ([], [{"name": "title", "problem": "This is too long."}]))
        self.assertIn("Choose at least one image.", self.upload().text)
        self.assertIsNone(self.sticker("field.png"))
        self.assertEqual(len(self.history()), count)

    def test_too_many(self):
        files = [(f"many-{i}.png", png(4, 4, (i, 1, 2))) for i in range(51)]
        answer = self.upload(*files)
        self.assertEqual(answer.status, 413)
        self.assertIn("At most 50 images at once.", answer.text)
        self.assertIsNone(self.sticker("many-0.png"))
        self.assertEqual(self.upload(*files[:50]).status, 303)

    def test_forms_that_are_none(self):
        cookie = f"peel_session={self.admin.cookies['peel_session']}"
        for kind, body, status in (("application/x-www-form-urlencoded", b"a=b", 415), ("text/plain", b"x", 415),
                                   ("multipart/form-data; boundary=x", b"--x\r\n\r\ncut", 400),
                                   ("multipart/form-data; boundary=x",
                                    b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\r\n--x--', 400),
                                   ("multipart/form-data", b"--x--", 400), ("multipart/form-data; boundary=x", b"", 400)):
            answer = request(self.port, "POST", UPLOAD, body, {"Content-Type": kind, "Cookie": cookie})
            self.assertEqual(answer.status, status, kind)
        self.assertEqual(self.admin.get("/admin/stickers/edit").headers["Location"], UPLOAD)
        self.admin.get(UPLOAD)
        self.assertEqual(self.admin.post("/admin/stickers/edit", title="without a picture").headers["Location"], UPLOAD)


class Allowed(UploadTest):
    def answered_before_the_body(self, **headers):
        """The status of an upload of 50 MB of which no byte is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 * SLOW)
        connection.putrequest("POST", UPLOAD)
        for name, value in {"Content_Length": "50000000", "Content_Type": "multipart/form-data; boundary=x", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        try:
            return connection.getresponse()
        finally:
            connection.close()

    def test_the_head_decides(self):
        self.admin.get(UPLOAD)
        cookie = f"peel_session={self.admin.cookies['peel_session']}"
        for headers, status in (
            ({}, 303),
            ({"Cookie": "peel_session=" + "0" * 64}, 303),
            ({"Cookie": cookie, "Origin": "https://example.org"}, 403),
            ({"Cookie": cookie, "Sec_Fetch_Site": "cross-site"}, 403),
            ({"Cookie": cookie, "X_CSRF_Token": "0" * 64}, 403),
            ({"Cookie": cookie, "Content_Type": "text/plain"}, 415),
            ({"Cookie": cookie, "Content_Length": str(64 * MIB + 1)}, 413),
            ({"Cookie": cookie, "Expect": "100-continue", "X_CSRF_Token": "0" * 64}, 403),
        ):
            with self.subTest(headers):
                self.assertEqual(self.answered_before_the_body(**headers).status, status)
        with self.assertRaises(socket.timeout):  # who may is waited for
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            self.addCleanup(connection.close)
            connection.request("POST", UPLOAD, headers={"Content-Length": "50000000", "Cookie": cookie, "X-CSRF-Token": self.admin.csrf,
                                                        "Content-Type": "multipart/form-data; boundary=x"})
            connection.getresponse()

    def test_too_large(self):
        answer = self.answered_before_the_body(Cookie=f"peel_session={self.admin.cookies['peel_session']}", Content_Length="70000000")
        self.assertEqual(answer.status, 413)
        files = [(f"fill-{i}.png", b"\0" * (20 * MIB)) for i in range(3)]
        self.assertEqual(self.upload(*files, script=True).status, 400, "60 MiB are read")

    def test_forms_from_elsewhere(self):
        self.admin.get(UPLOAD)
        good = ("planted.png", png(4, 7))
        for csrf, headers in (("0" * 64, {}), ("", {}), (self.admin.csrf, {"Origin": "https://example.org"})):
            self.assertEqual(self.upload(good, csrf=csrf, headers=headers).status, 403)
        self.assertEqual(self.upload(good, visitor=Visitor(self.port), csrf="").status, 303)
        self.assertIsNone(self.sticker("planted.png"))

    def test_roles(self):
        def add(name, *permissions):
            self.admin.get("/admin/groups/edit")
            self.admin.post("/admin/groups/edit", name=name, permissions=list(permissions), seen="0")
            return self.add_user(name, groups=self.row_id("groups", name))

        viewer = add("viewer", "stickers.view", "stickers.change")
        self.assertNotIn(UPLOAD, viewer.get("/admin/stickers/").text)
        self.assertEqual(viewer.get(UPLOAD).status, 403)
        self.assertEqual(self.answered_before_the_body(Cookie=f"peel_session={viewer.cookies['peel_session']}").status, 403)
        adder = add("adder", "stickers.view", "stickers.add")
        page = adder.get(UPLOAD)
        self.assertEqual(page.status, 200)
        self.assertNotIn('name="replace"', page.text)
        self.assertEqual(self.upload(("roles.png", png(4, 8)), visitor=adder).status, 303)
        other = ("roles.png", png(4, 9))
        self.assertEqual(self.upload(other, visitor=adder, replace="1").status, 403)
        self.assertEqual(self.upload(other, visitor=adder).status, 400)
        self.assertEqual(self.get("/media/roles.png").body, png(4, 8))
        self.assertEqual([h["username"] for h in self.history() if h["object"] == "roles.png"], ["adder"])


@unittest.skipIf(s3_testing.unavailable(), s3_testing.unavailable())
class InS3(UploadTest):
    """The images go wherever the bucket is, and a bucket that is away loses nothing."""

    @classmethod
    def setUpClass(cls):
        cls.s3 = s3_testing.S3()
        cls.addClassCleanup(cls.s3.close)
        env = {**cls.s3.environment(), "PEEL_BUCKET": f"s3://{s3_testing.BUCKET}/up", "PEEL_S3_TIMEOUT_MS": "1000"}
        changed = unittest.mock.patch.dict(os.environ, env)
        changed.start()
        cls.addClassCleanup(changed.stop)
        super().setUpClass()

    def test_into_a_store(self):
        first, second = png(30, 30, (5, 5, 5)), png(31, 30, (6, 6, 6))
        self.assertEqual(self.upload(("stored.png", first)).status, 303)
        self.assertEqual(self.s3.count("PUT", "/up/media/stored.png"), 1)
        self.assertEqual(self.get("/media/stored.png").body, first)
        self.assertEqual(self.upload(("stored.png", second), replace="1").status, 303)
        self.assertEqual(self.get("/media/stored.png").body, second)
        self.s3.down = True
        answer = self.upload(("away.png", first), script=True)
        self.s3.down = False
        self.assertEqual(self.outcomes(answer), [("away.png", "failed", "Part of Peel is not responding. Please try again in a few seconds.")])
        self.assertIsNone(self.sticker("away.png"))
        wait_until(lambda: self.upload(("away.png", first)).status == 303, 20, "the store to be asked again")
        self.assertEqual(self.get("/media/away.png").body, first)


if __name__ == "__main__":
    main()
