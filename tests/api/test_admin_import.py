"""Importing in the admin: what is understood is shown before it is stored, and an import is undone as a whole."""

import io
import pathlib
import re
import struct
import sys
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from peel_testing import main, multipart, png, request, wait_until  # noqa: E402
from test_admin import AdminTest  # noqa: E402

IMPORT, STAGED, DUPLICATES = "/admin/import/", "/admin/import/staged", "/admin/duplicates/"
TABLE = ("filename,title,language,words,rating,pack\r\n"
         "kitty.png,Cat <b>,en,\"cat, purr\",pg,Pets\r\n"
         "kitty.png,,de,Katze,,\r\n"
         "puppy.png,Dog,en,bark,,Pets\r\n"
         "gone.png,Gone,en,x,,\r\n")


def archive(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return out.getvalue()


def drawing(side):
    """The same shapes at any size, as a PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def color(u, v):
        if (u - .4) ** 2 + (v - .5) ** 2 < .1:
            return b"\xff\0\0"
        if u > .5 and v < .35:
            return b"\0\0\xff"
        return b"\0\0\0" if abs(u + v - 1) < .03 else b"\xff\xff\xff"

    lines = b"".join(b"\0" + b"".join(color(x / side, y / side) for x in range(side)) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


class ImportTest(AdminTest):
    def send(self, *files, visitor=None, csrf=None):
        visitor = visitor or self.admin
        if csrf is None:
            visitor.get(IMPORT)
            csrf = visitor.csrf
        body, kind = multipart([("csrf", csrf)], files)
        cookies = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
        answer = request(self.port, "POST", IMPORT, body, {"Content-Type": kind, "Cookie": cookies})
        answer.text = answer.body.decode()
        return answer

    def settled(self, location):
        """The page once nothing works on the import any more."""
        pages = []

        def is_settled():
            pages.append(self.admin.get(location))
            return "Refresh" not in pages[-1].headers

        wait_until(is_settled)
        self.assertEqual(pages[-1].status, 200, pages[-1].text[:300])
        return pages[-1]

    def staged(self, *files):
        answer = self.send(*files)
        self.assertEqual(answer.status, 303, answer.text[:500])
        location = answer.headers["Location"]
        return self.settled(location), location

    def rows(self, page):
        """{name: text of the row}"""
        rows = re.findall(r"<tr><td class=\"select\">.*?</tr>", page.text)
        cells = [[re.sub("<[^>]*>", "", c).strip() for c in re.findall(r"<td[^>]*>(.*?)</td>", r)] for r in rows]
        return {c[2]: c[3:] for c in cells}


class Import(ImportTest):
    def test_shown_stored_and_undone(self):
        zipped = archive({"stickers.csv": TABLE, "kitty.png": png(9, 7, (0, 200, 0)), "puppy.png": png(5, 5, (9, 9, 9)),
                          "bird.png": png(6, 6, (1, 2, 3)), "torn.png": png(9, 7, (0, 0, 1))[:40], "notes.txt": b"x"})
        page, location = self.staged(("pets.zip", zipped))
        rows = self.rows(page)
        self.assertEqual(rows["kitty.png"], ["Cat &lt;b&gt;", "cat, purr", "Pets", "pg", "New"])
        self.assertEqual(rows["puppy.png"][-1], "New")
        self.assertIn("Left out", rows["torn.png"][-1])
        self.assertIn("gone.png", page.text)
        self.assertIn("stickers.csv: line 5: not found", page.text)
        self.assertIn("notes.txt", page.text)
        self.assertNotIn("peel-import", page.text)  # folders of the server
        address = re.search(r'src="(/admin/import/image[^"]*)"', page.text)[1].replace("&amp;", "&")
        image = request(self.port, "GET", address, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in self.admin.cookies.items())})
        self.assertEqual((image.status, image.body[:4]), (200, b"RIFF"))
        self.assertNotIn("kitty.png", self.admin.get("/admin/stickers/").text)  # nothing was stored yet

        place = re.search(r'value="(\d+)" aria-label="Leave out puppy.png"', page.text)[1]
        identity = location.split("id=")[1]
        self.assertEqual(self.admin.post(STAGED, id=identity, action="store", leave=place).status, 303)
        page = self.settled(location)
        self.assertIn("Added: 2.", page.text)
        stickers = self.admin.get("/admin/stickers/").text
        self.assertIn("kitty.png", stickers)
        self.assertNotIn("puppy.png", stickers)
        self.assertEqual(self.get("/media/kitty.png").body, png(9, 7, (0, 200, 0)))
        number = max(int(n) for n in re.findall(r"undo\?number=(\d+)", self.admin.get(IMPORT).text))
        entries = [h for h in self.history() if h["object"] == "kitty.png"]
        self.assertEqual([(h["username"], h["action"]) for h in entries], [("admin", "add")])

        # The second time all are there; the dog comes now.
        page, location = self.staged(("pets.zip", zipped))
        self.assertEqual({n: r[-1] for n, r in self.rows(page).items() if n != "torn.png"},
                         {"bird.png": "Already there", "kitty.png": "Already there", "puppy.png": "New"})
        self.admin.post(STAGED, id=location.split("id=")[1], action="discard")
        self.assertEqual(self.admin.get(location).status, 404)

        # Somebody changes the bird: it stays when the import is undone.
        page = self.admin.get("/admin/stickers/edit?id=bird.png")
        seen = re.search(r'name="seen" value="(\d+)"', page.text)[1]
        self.assertEqual(self.admin.post("/admin/stickers/edit?id=bird.png", seen=seen, title="Blackbird", rating="g").status, 303)
        self.assertIn("moved to the trash", self.admin.get(f"/admin/import/undo?number={number}").text)
        answer = self.admin.post("/admin/import/undo", number=str(number))
        self.assertEqual(answer.status, 303, answer.text[:300])
        page = self.settled(answer.headers["Location"])
        self.assertIn("Deleted: 1. Changed back: 0. Left as they are: 1.", page.text)
        self.assertIn("/admin/stickers/edit?id=bird.png", page.text)
        self.assertIn("kitty.png", self.admin.get("/admin/trash/").text)
        self.assertNotIn(f"undo?number={number}\"", self.admin.get(IMPORT).text)

    def test_each_bad_archive_is_named_and_nothing_else_is_lost(self):
        whole = archive({f"{i}.png": png(9, 7, (0, i, 0)) for i in range(4)})
        bad = [(f"cut{i}.zip", whole[:len(whole) * i // 16]) for i in range(16)]
        bomb = archive({"bomb.png": b"\0" * (65 << 20)})
        up = archive({"../up.png": png(3, 3, (1, 1, 1)), "kept.png": png(4, 4, (1, 1, 1))})
        page, location = self.staged(*bad, ("bomb.zip", bomb), ("up.zip", up), ("fine.png", png(2, 2, (7, 7, 7))))
        failures = re.search(r'aria-labelledby="failures">(.*?)</ul>', page.text, re.S)[1]
        for name, _ in bad:
            self.assertRegex(failures, rf"<strong>{name}[^<]*</strong>: .+?</li>")
        self.assertRegex(failures, "<strong>bomb.zip/bomb.png</strong>: it has more than")
        self.assertRegex(failures, r"<strong>up.zip/\.\./up.png</strong>: its name")
        self.assertEqual(sorted(self.rows(page)), ["fine.png", "kept.png"])
        self.admin.post(STAGED, id=location.split("id=")[1], action="discard")

    def test_what_looks_like_a_sticker_is_said(self):
        for name, side, outcome in (("large.png", 256, "New"), ("small.png", 180, "New Looks like large.png")):
            page, location = self.staged((name, drawing(side)))
            self.assertEqual(self.rows(page)[name][-1], outcome)
            self.admin.post(STAGED, id=location.split("id=")[1], action="store")
            self.assertIn("Added: 1.", self.settled(location).text)

    def test_who_may(self):
        self.assertEqual(self.send(("a.png", png(2, 2, (7, 7, 7))), csrf="wrong").status, 403)
        self.assertEqual(self.send().status, 400)
        self.assertIn("two files named", self.send(("a.png", b"1"), ("x/a.png", b"2")).text)
        for name in (".hidden", "a\x1b[2J.png"):
            self.assertEqual(self.send((name, b"1")).status, 400)
        self.assertEqual(request(self.port, "POST", IMPORT, b"", {"Content-Type": "multipart/form-data; boundary=x"}).status, 303)
        self.assertEqual(self.admin.get(STAGED + "?id=nonesuch").status, 404)
        self.assertEqual(self.admin.get("/admin/import/image?id=nonesuch&n=1").status, 404)
        self.assertEqual(self.admin.get("/admin/import/undo?number=999").status, 404)
        page, location = self.staged(("a.png", png(2, 2, (7, 7, 7))))
        self.admin.get("/admin/groups/edit")
        self.admin.post("/admin/groups/edit", name="readers", permissions=["stickers.view"], seen="0")
        other = self.add_user("reader", groups=self.row_id("groups", "readers"))
        self.assertEqual(other.get(location).status, 404)
        self.assertEqual(other.get(IMPORT).status, 200)
        self.assertNotIn("multipart", other.get(IMPORT).text)
        self.assertEqual(other.post(STAGED, id=location.split("id=")[1], action="store").status, 403)
        self.assertEqual(other.post("/admin/import/undo", number="1").status, 403)


class Duplicates(ImportTest):
    def test_merged_or_kept_apart(self):
        _, location = self.staged(("large.png", drawing(256)), ("small.png", drawing(180)), ("tiny.png", drawing(220)), ("red.png", png(9, 7, (200, 0, 0))))
        self.admin.post(STAGED, id=location.split("id=")[1], action="store")
        self.assertIn("Added: 4.", self.settled(location).text)
        page = self.admin.get(DUPLICATES).text
        self.assertEqual(re.findall(r'name="name" value="([^"]*)"', page), ["large.png", "small.png", "tiny.png"])
        self.assertRegex(page, r'name="keep" value="large.png"[^>]* checked>')
        self.assertIn("256 × 256", page)

        everyone = ["large.png", "small.png", "tiny.png"]
        for sent in ({"name": ["large.png"], "keep": "large.png"}, {"name": everyone, "keep": "red.png"}, {"name": everyone}):
            self.assertEqual(self.admin.post(DUPLICATES, action="merge", **sent).status, 400, sent)
        self.assertEqual(self.admin.post(DUPLICATES, action="merge", keep="a", name=["a", "b"]).status, 404)
        done = self.admin.post(DUPLICATES, action="merge", keep="small.png", name=["large.png", "small.png"])
        self.assertEqual(done.status, 303)
        self.assertIn("were merged", self.admin.get(done.headers["Location"]).text)
        self.assertEqual(self.system.sql("SELECT filename FROM stickers WHERE filename IN ('large.png', 'small.png', 'tiny.png') ORDER BY filename"),
                         [("small.png",), ("tiny.png",)])
        self.assertIn("large.png", self.admin.get("/admin/trash/").text)
        self.assertEqual(self.system.sql("SELECT username, action, after FROM history WHERE object = 'large.png' ORDER BY row DESC LIMIT 1"),
                         [("admin", "delete", '{"into":"small.png"}')])

        self.assertEqual(self.admin.post(DUPLICATES, action="other", name=["small.png", "tiny.png"]).status, 400)
        done = self.admin.post(DUPLICATES, action="differ", name=["small.png", "tiny.png"])
        self.assertIn("no longer listed", self.admin.get(done.headers["Location"]).text)
        self.assertIn("No two stickers look alike", self.admin.get(DUPLICATES).text)


if __name__ == "__main__":
    main()
