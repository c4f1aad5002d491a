#!/usr/bin/env python3
"""peel pack, and what other programs make of the files that it writes."""

import json
import unittest
import zipfile

from peel_testing import System, main, png

WORDS = [("cat.png", "en", "cat, -1, =SUM(A1)", ""), ("cat.png", "de", "Katze, \"Mieze\"", "'Die Katze"), ("dog.png", "fr", "chien", "")]


class Packs(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        stickers = {f"{name}.png": (title, "") for name, title in (("cat", "=Cat"), ("dog", "Dog"), ("owl", "Owl"), ("tea", "Tea"))}
        self.system.add(stickers)
        self.system.sql("UPDATE stickers SET pack = 'pets & \"more\"', author = 'Ann, B.', license = 'CC0-1.0', rating = 1 WHERE filename < 'p'")
        self.system.sql("UPDATE stickers SET positives = 3, negatives = 1, source = 'https://a.example', animated = 1 WHERE filename = 'dog.png'")
        for name, language, words, title in WORDS:
            self.system.sql("INSERT OR REPLACE INTO sticker_words (sticker, language, words, title) SELECT row, ?, ?, ? FROM stickers WHERE filename = ?", language, words, title, name)

    def pack(self, *args, code=0):
        done = self.system.run("pack", *map(str, args), check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_list_show_rename_remove(self):
        self.assertEqual([line.rsplit(None, 2)[:2] for line in self.pack("list").splitlines()], [['pets & "more"', "3"], ["(no pack)", "1"]])
        shown = json.loads(self.pack("show", 'pets & "more"', "--json"))
        self.assertEqual(shown, {"pack": 'pets & "more"', "stickers": 3, "animated": 1, "rating": "pg", "votes_up": 3, "votes_down": 1,
                                 "cover": "cat.png", "authors": ["Ann, B."], "licenses": ["CC0-1.0"]})  # fmt: skip
        self.assertIn("votes     3 up, 1 down\n", self.pack("show", 'pets & "more"'))
        for wrong in (("show", "none"), ("rename", "none", "x"), ("rename", 'pets & "more"', " x"), ("rename", 'pets & "more"', ""), ("remove", "none", "--yes")):
            self.pack(*wrong, code=1)
        self.system.sql("UPDATE stickers SET pack = 'drinks' WHERE filename = 'tea.png'")
        self.assertIn("--yes", self.pack("rename", "drinks", 'pets & "more"', code=1))
        self.assertEqual(self.pack("rename", 'pets & "more"', "Pets"), "Moved 3 stickers to the pack Pets.\n")
        self.assertEqual(self.pack("rename", "drinks", "Pets", "--yes"), "Moved 1 sticker to the pack Pets.\n")
        self.assertEqual(self.system.sql("SELECT words FROM sticker_words JOIN stickers ON sticker = stickers.row WHERE language = 'fr'"), [("chien",)])
        self.assertEqual(self.system.sql("SELECT count(*) FROM history WHERE after LIKE '%Pets%'"), [(4,)])
        self.assertIn("4 stickers, with 3 votes up and 1 down", self.pack("remove", "Pets", code=1))
        self.assertEqual(json.loads(self.pack("remove", "Pets", "--yes", "--json")), {"deleted": 4})
        self.assertEqual(json.loads(self.pack("list", "--json")), [])

    def everything(self, system):
        """What is stored of the stickers of packs, but for times and ids."""
        stickers = system.sql("SELECT filename, title, pack, author, license, source, rating, animated, sha256 FROM stickers WHERE pack <> '' ORDER BY filename")
        words = system.sql("SELECT filename, language, words, w.title FROM sticker_words w JOIN stickers s ON w.sticker = s.row"
                           " WHERE pack <> '' AND (words <> '' OR w.title <> '') ORDER BY filename, language")  # fmt: skip
        return stickers, words

    def test_a_zip_comes_back_as_it_was(self):
        path = self.system.folder / "pets.zip"
        self.assertEqual(self.pack("export", 'pets & "more"', path), "Exported 3 stickers.\n")
        self.assertIn("is there already", self.pack("export", 'pets & "more"', path, code=1))
        with zipfile.ZipFile(path) as z:
            self.assertEqual(z.namelist(), ["cat.png", "dog.png", "owl.png", "stickers.csv", "CREDITS.txt"])
            self.assertIn('dog.png: "Dog", by Ann, B., licence: CC0-1.0, from https://a.example\n', z.read("CREDITS.txt").decode())
            self.assertEqual(z.read("cat.png"), (self.system.data / "bucket" / "media" / "cat.png").read_bytes())
            z.extractall(self.system.folder / "unpacked")
        other = System()
        self.addCleanup(other.close)
        self.assertIn("3 added", other.run("import", str(self.system.folder / "unpacked")).stdout)
        self.assertEqual(self.everything(other), self.everything(self.system))

    def test_for_whatsapp_and_matrix(self):
        folder = self.system.folder
        self.pack("export", 'pets & "more"', folder / "pets.wastickers")
        with zipfile.ZipFile(folder / "pets.wastickers") as z:
            self.assertEqual(z.namelist(), ["title.txt", "author.txt", "01.webp", "tray.png", "02.webp", "03.webp"])
            self.assertEqual((z.read("title.txt").decode(), z.read("author.txt").decode()), ('pets & "more"', "Ann, B."))
            tray, image = z.read("tray.png"), z.read("02.webp")
            self.assertEqual((tray[:8], tray[16:24]), (png(1, 1)[:8], bytes([0, 0, 0, 96] * 2)))
            self.assertEqual((image[:4], image[8:12], len(image) <= 100 << 10), (b"RIFF", b"WEBP", True))
        self.pack("export", 'pets & "more"', folder / "pets.json")
        matrix = json.loads((folder / "pets.json").read_text())
        self.assertEqual(matrix["pack"], {"display_name": 'pets & "more"', "usage": ["sticker"], "attribution": "Ann, B."})
        self.assertEqual(matrix["images"]["cat"]["body"], "=Cat")
        self.assertEqual(matrix["images"]["cat"]["info"]["mimetype"], "image/png")
        self.system.add({f"many {i:02}.png": (f"Many {i}", "") for i in range(31)})
        self.system.sql("UPDATE stickers SET pack = 'many' WHERE filename LIKE 'many%'")
        self.pack("export", "many", folder / "many.wastickers")
        counts = [sum(name.endswith(".webp") for name in zipfile.ZipFile(folder / f).namelist()) for f in ("many.wastickers", "many-2.wastickers")]
        self.assertEqual(counts, [15, 16])
        self.system.sql("UPDATE stickers SET pack = 'few' WHERE filename = 'tea.png'")
        self.assertIn("at least 3 stickers", self.pack("export", "few", folder / "few.wastickers", code=1))
        self.assertIn("ends in .zip", self.pack("export", "few", folder / "few.tar", code=1))
        self.assertEqual(sorted(p.name for p in folder.glob("few*")) + list(folder.glob("*.part")), [])


if __name__ == "__main__":
    main()
