"""Text in pictures: peel import --ocr, peel ocr, and what searches and staff do with what was read."""

import json
import pathlib
import re
import unittest
import urllib.parse

from peel_testing import System, main, request, wait_until
from test_admin import Visitor

HAS_DATA = any(pathlib.Path("/usr/share").glob("tesseract-ocr/*/tessdata/eng.traineddata"))
TEXT = '<text x="256" y="200" font-size="56" font-family="DejaVu Sans" text-anchor="middle">{}</text>'


def drawing(words=""):
    face = '<circle cx="256" cy="380" r="90" fill="#fc4" stroke="#321" stroke-width="6"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512">{TEXT.format(words) if words else ""}{face}</svg>'


@unittest.skipUnless(HAS_DATA, "tesseract-ocr-eng is not installed")
class Ocr(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.pictures = self.system.folder / "pictures"
        self.pictures.mkdir()
        (self.pictures / "a.svg").write_text(drawing("Good morning!"))
        (self.pictures / "b.svg").write_text(drawing())

    def read(self):
        return self.system.sql("SELECT filename, ocr_words, ocr_by FROM stickers ORDER BY filename")

    def found(self, query):
        answer = request(self.system.port, "GET", "/api/search/?" + urllib.parse.urlencode({"query": query, "algorithm": "lexical"}))
        return answer.json()["results"]

    def test_import_search_and_remove(self):
        self.system.run("import", "--ocr", str(self.pictures))
        self.assertEqual(self.read(), [("a.svg", "good, morning", "eng"), ("b.svg", "", "eng")])
        self.system.start_search()
        self.system.start_sticker()
        self.system.wait_indexed()
        hit, = self.found("morning")
        self.assertEqual((hit["filename"], hit["title"], hit["alt"]), ("a.svg", "a", "a"))

        admin = Visitor(self.system.port)
        admin.log_in()
        page = admin.get("/admin/stickers/edit?id=a.svg").text
        self.assertRegex(page, r'<input id="f-ocr_words"[^>]* value="good, morning"')
        seen = re.search(r'name="seen" value="(\d+)"', page)[1]
        self.assertEqual(admin.post("/admin/stickers/edit?id=a.svg", seen=seen, title="a", ocr_words="good").status, 303)
        self.assertEqual(json.loads(self.system.run("ocr", "--json").stdout)["read"], 0)
        self.assertEqual(json.loads(self.system.run("ocr", "--ocr-languages", "eng+eng", "--json").stdout)["read"], 1)
        self.assertEqual(self.read(), [("a.svg", "good", "staff"), ("b.svg", "", "eng+eng")])
        self.system.wait_indexed()
        wait_until(lambda: not self.found("morning"), what="the answer without the sticker")  # it is kept for a second
        self.assertEqual(len(self.found("good")), 1)

    def test_of_the_collection(self):
        self.system.run("import", str(self.pictures))
        self.system.sql("UPDATE stickers SET pack = 'openmoji' WHERE filename = 'b.svg'")
        self.assertEqual(self.system.run("ocr", "--dry-run").stdout, "a.svg: good, morning\ndry run: 1 read, 1 of them with text, 0 failed\n")
        self.assertEqual(self.read(), [("a.svg", "", ""), ("b.svg", "", "")])
        (self.system.data / "bucket/media/b.svg").unlink()
        failed = self.system.run("ocr", "openmoji", check=False)
        self.assertEqual((failed.returncode, failed.stdout), (1, "0 read, 0 of them with text, 1 failed\n"))
        self.assertIn("b.svg", failed.stderr)
        self.system.run("ocr")
        self.assertEqual(self.read(), [("a.svg", "good, morning", "eng"), ("b.svg", "", "")])
        for languages, said in (("xyz", 'no data for the language "xyz", in Debian: apt install tesseract-ocr-xyz'), ("eng+xyz", '"xyz"'),
                                ("../eng", 'found "../eng"'), ("eng++eng", 'found "eng++eng"')):  # fmt: skip
            refused = self.system.run("ocr", "--ocr-languages", languages, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(said, refused.stderr)


if __name__ == "__main__":
    main()
