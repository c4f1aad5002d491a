"""peel import as it is typed: packs and where they come from, progress, Ctrl-C, two at once, words that find."""

import contextlib
import csv
import fcntl
import gzip
import http.server
import io
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
import zlib

from peel_testing import MODE, PEEL, SLOW, ServiceTest, main, png, wait_until

OPENMOJI = "openmoji-17.0.0.tgz"
FLUENT3D = "lobehub-fluent-emoji-3d-1.1.0.tgz"
COMMUNITY = {"emojilib": "emojilib-4.0.3.tgz", "emojibase-data": "emojibase-data-17.0.0.tgz"}


def halves(side, left, right=(250, 250, 120)):
    """A PNG whose left half has one colour and whose right half another one."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(left) * (side // 2) + bytes(right) * (side // 2)) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Base(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="peel-api-")
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)
        self.data = self.folder / "data"

    def peel(self, *args, **env):
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PEEL_", "npm_config"))} | env
        return subprocess.run(
            [PEEL, "import", "--data", str(self.data), *map(str, args)],
            capture_output=True,
            text=True,
            timeout=300 * SLOW,
            env=environ,
        )

    def pictures(self, n):
        pictures = self.folder / "pictures"
        pictures.mkdir()
        for i in range(n):
            (pictures / f"{i:05}.png").write_bytes(png(8, 8, (i % 256, i // 256, 7)))
        return pictures

    def rows(self, sql):
        connection = sqlite3.connect(self.data / "sticker.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


class Typed(Base):
    def test_nothing_to_import(self):
        done = self.peel()
        self.assertEqual(done.returncode, 2)
        self.assertIn("--pack", done.stderr)
        done = self.peel("--pack", "nonesuch")
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected openmoji or fluent3d", done.stderr)

    def test_summary_and_reasons(self):
        pictures = self.pictures(3)
        (pictures / "bad\x1b[2J.png").write_bytes(b"no")
        (pictures / "cut.png").write_bytes(png(64, 64)[:-20])
        done = self.peel(pictures, self.folder / "absent")
        self.assertEqual(done.returncode, 1)
        self.assertIn("3 added, 0 skipped (already there), 3 failed\n", done.stdout)
        self.assertIn("bad?[2J.png", done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        self.assertRegex(done.stderr, r"cut\.png: PNG: ")
        self.assertRegex(done.stderr, r"absent: No such file")
        shutil.rmtree(pictures)
        done = self.peel(self.pictures(3))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("0 added, 3 skipped (already there), 0 failed\n", done.stdout)

    def test_dry_run_strict_and_report(self):
        pictures = self.pictures(3)
        for folder, colour in (("cats", (1, 2, 3)), ("dogs", (3, 2, 1))):
            (pictures / folder).mkdir()
            (pictures / folder / "happy.png").write_bytes(png(8, 8, colour))
        (pictures / "=note.txt").write_text("not a picture")
        table = pictures / "stickers.csv"
        table.write_text("filename;rating\n00000.png;g\n00001.png;x\n")
        report = self.folder / "report.csv"
        done = self.peel(pictures, "--dry-run", "--report", report)
        self.assertEqual(self.first_line(done), "dry run: 3 added, 0 skipped (already there), 2 failed; 1 other file ignored (=note.txt)")
        self.assertEqual(self.rows("SELECT count(*) FROM stickers"), [(0,)])
        with open(report, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[:2], [["name", "reason"], ["00001.png", 'stickers.csv: line 3: rating "x": expected g, pg, pg-13 or r; the picture is left out']])
        self.assertRegex(rows[2][1], "other content, in this import .--folder-names")
        done = self.peel(pictures, "--strict")
        self.assertEqual((done.returncode, self.first_line(done)[:33]), (1, "0 added, 0 skipped (already there"))
        self.assertIn("--strict: nothing was imported", done.stderr)
        table.write_text("filename;rating\n00000.png;g\n00001.png;r\n")
        said = json.loads(self.peel(pictures, "--dry-run", "--folder-names", "--strict", "--json").stdout)
        self.assertEqual((said["added"], said["failed"], said["ignored_names"]), (5, 0, ["=note.txt"]))
        self.assertEqual(self.first_line(self.peel(pictures, "--folder-names", "--strict", "--quiet"))[:7], "5 added")
        self.assertEqual(self.rows("SELECT filename FROM stickers WHERE filename LIKE '%happy%' ORDER BY filename"), [("cats-happy.png",), ("dogs-happy.png",)])
        table.write_text("filename;rating\n00000.png;pg\n")
        self.assertEqual(self.first_line(self.peel(pictures, "--folder-names", "--update", "--dry-run"))[:74], "dry run: 0 added, 5 skipped (already there), 0 failed; 1 of these updated;")
        self.assertEqual(self.rows("SELECT rating FROM stickers WHERE filename = '00000.png'"), [(0,)])

    def first_line(self, done):
        return done.stdout.splitlines()[0]

    def test_pictures_that_look_alike(self):
        pictures, more = self.pictures(1), self.folder / "more"
        shutil.move(pictures / "00000.png", pictures / "red.png")
        (pictures / "red.png").write_bytes(halves(64, (200, 10, 20)))
        (pictures / "stickers.csv").write_text("filename,words\nred.png,red\n")
        self.assertEqual(self.peel(pictures).stdout.splitlines()[0], "1 added, 0 skipped (already there), 0 failed")
        more.mkdir()
        for name, size, colour in ("blue", 128, (10, 20, 200)), ("navy", 64, (12, 20, 200)), ("rot", 128, (201, 10, 20)):
            (more / f"{name}.png").write_bytes(halves(size, colour))
        (more / "stickers.csv").write_text('filename,words,language\nrot.png,"rot, Farbe",de\nrot.png,"red, scarlet",en\n')
        alike = [("rot.png", "red.png", False), ("navy.png", "blue.png", True)]

        dry = self.peel(more, "--dry-run", "--json")
        said = [(pathlib.Path(d["name"]).name, d["like"], d["in_this_import"]) for d in json.loads(dry.stdout)["duplicates"]]
        self.assertCountEqual(said, alike)
        merged = self.peel(more, "--merge-duplicates", "--report", self.folder / "report.csv")
        self.assertIn("rot.png looks like red.png (which is there), which has its words now", merged.stderr)
        self.assertIn("1 added, 0 skipped (already there), 0 failed; 2 merged into stickers that look alike", merged.stdout)
        self.assertEqual(len((self.folder / "report.csv").read_text().splitlines()), 3)
        self.assertEqual(self.rows("SELECT filename FROM stickers ORDER BY 1"), [("blue.png",), ("red.png",)])
        words = "SELECT language, words FROM sticker_words JOIN stickers ON row = sticker WHERE filename = 'red.png' ORDER BY 1"
        self.assertEqual(self.rows(words), [("de", "rot, Farbe"), ("en", "red, scarlet")])
        self.assertFalse((self.data / "bucket" / "media" / "rot.png").exists())
        self.assertIn("2 look like others", self.peel(more).stdout)

        connection = sqlite3.connect(self.data / "sticker.db")
        with contextlib.closing(connection), connection:
            connection.execute("DELETE FROM sticker_looks")  # as stickers of earlier releases have none

        def duplicates(*args):
            command = [PEEL, "duplicates", *args, "--data", self.data, "--json"]
            return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOW, check=True).stdout)

        both = [["red.png", "rot.png"], ["blue.png", "navy.png"]]
        self.assertEqual(duplicates("list"), {"groups": both, "failed": 0})
        for command in ("merge", "differ"):
            command = [PEEL, "duplicates", command, "blue.png", "navy.png", "navy.png", "--data", self.data]
            twice = subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOW)
            self.assertEqual((twice.returncode, twice.stderr), (1, 'peel: "navy.png" is named twice\n'))
        self.assertEqual(duplicates("differ", "navy.png", "blue.png"), {"different": 2})
        self.assertEqual(duplicates("list")["groups"], both[:1])
        connection = sqlite3.connect(self.data / "sticker.db")
        with contextlib.closing(connection), connection:
            connection.execute("UPDATE sticker_words SET words = 'crimson' WHERE language = 'en' AND words = 'red, scarlet' AND"
                               " sticker = (SELECT row FROM stickers WHERE filename = 'rot.png')")
        self.assertEqual(duplicates("merge", "red.png", "rot.png"), {"merged": 1})
        self.assertEqual(self.rows(words), [("de", "rot, Farbe"), ("en", "red, scarlet, crimson")])
        self.assertEqual(self.rows("SELECT filename FROM trash"), [("rot.png",)])
        self.assertEqual(duplicates("list")["groups"], [])

    def test_changed_words_are_taken_with_update_only(self):
        pictures = self.pictures(3)
        table = pictures / "stickers.csv"
        head = "filename,title,words,language,author,license,source,rating,animated\n"
        table.write_text(head + '00000.png,Fox,"fox, vixen",en,Ann,CC0,https://a.example/,pg,\n00000.png,Fuchs,Fuchs,de,,,,,\n00001.png,,owl,en,,,,,\n')
        self.assertEqual(self.first_line(self.peel(pictures)), "3 added, 0 skipped (already there), 0 failed")
        self.assertEqual(self.first_line(self.peel(pictures)), "0 added, 3 skipped (already there), 0 failed")
        table.write_text(head + '00000.png,,"fox, kit",en,,,,r,true\n00000.png,,,de,,,,,\n00000.png,Renard,renard,fr,,,,,\n00001.png,Tawny owl,,en,Bob,,,,\n')
        before = self.rows("SELECT filename, title, author FROM stickers ORDER BY filename")
        self.assertIn("; 2 of these differ from stickers.csv (--update changes them)\n", self.peel(pictures).stdout)
        self.assertEqual(self.rows("SELECT filename, title, author FROM stickers ORDER BY filename"), before)
        self.assertEqual(self.first_line(self.peel(pictures, "--update")), "0 added, 3 skipped (already there), 0 failed; 2 of these updated")
        self.assertEqual(self.first_line(self.peel(pictures, "--update")), "0 added, 3 skipped (already there), 0 failed")
        self.assertEqual(  # empty cells, and languages without a row, changed nothing
            self.rows("SELECT title, author, license, rating, animated FROM stickers ORDER BY filename")[:2],
            [("Fox", "Ann", "CC0", 3, 1), ("Tawny owl", "Bob", "", 0, 0)],
        )
        self.assertEqual(
            self.rows("SELECT language, w.title, words FROM sticker_words w JOIN stickers s ON s.row = w.sticker WHERE filename = '00000.png' ORDER BY language"),
            [("de", "Fuchs", "Fuchs"), ("en", "", "fox, kit"), ("fr", "Renard", "renard")],
        )
        self.assertEqual(len(self.rows("SELECT DISTINCT filename FROM outbox")), 3)

    def test_progress_on_a_terminal(self):
        pictures = self.pictures(1000)
        parent, child = pty.openpty()
        fcntl.ioctl(child, 0x5414, struct.pack("HHHH", 24, 100, 0, 0))  # TIOCSWINSZ
        process = subprocess.Popen(
            [PEEL, "import", "--data", self.data, pictures],
            stdin=child,
            stdout=child,
            stderr=child,
            env=os.environ | {"TERM": "xterm"},
        )
        os.close(child)
        shown = b""
        while True:
            try:
                got = os.read(parent, 65536)
            except OSError:
                break
            if not got:
                break
            shown += got
        os.close(parent)
        self.assertEqual(process.wait(), 0)
        text = shown.decode()
        self.assertIn("1000 added", text)
        self.assertRegex(text, r"\rImporting \[#*\.+\] +\d+%  \d+ of 1000  \d+/s")

    def test_stopped_and_continued(self):
        pictures = self.pictures(2000)
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                [PEEL, "import", "--data", self.data, pictures], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            media = self.data / "bucket" / "media"
            before = len(list(media.iterdir())) if media.exists() else 0
            wait_until(lambda: media.exists() and len(list(media.iterdir())) > before, 20, "a first picture")
            process.send_signal(number)
            out, _ = process.communicate(timeout=20 * SLOW)
            self.assertEqual(process.returncode, 1, out)
            self.assertIn("stopped, run the same command again to continue", out)
            self.assertEqual(self.rows("select count(*) from stickers")[0][0], len(list(media.iterdir())))
        done = self.peel(pictures)
        self.assertEqual(done.returncode, 0, done.stderr)
        added, skipped = map(int, re.match(r"(\d+) added, (\d+) skipped", done.stdout).groups())
        self.assertEqual(added + skipped, 2000)
        self.assertGreater(skipped, 0)

    def test_two_at_once(self):
        pictures = self.pictures(1)
        self.peel(pictures)
        with open(self.data / "import.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            undo = subprocess.run([PEEL, "undo", "1", "--yes", "--data", self.data], capture_output=True, text=True, timeout=60 * SLOW)
            for done in (self.peel(pictures), undo):  # what is undone must not grow meanwhile
                self.assertEqual(done.returncode, 1)
                self.assertIn("another import", done.stderr)
        self.assertEqual(self.rows("SELECT undone_us FROM imports"), [(0,)])


class Registry:
    """Serves files as a registry does, and notes what was asked for."""

    def __init__(self, files):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                body = files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def fetch_packs(test_class, *packages):
    """A folder with npm's archives where `peel import --cache-dir FOLDER` looks for them, as long as the tests last."""
    if MODE != "release":
        raise unittest.SkipTest("whole packs take minutes under a sanitizer; it sees folders imported")
    made = tempfile.TemporaryDirectory(prefix="peel-packs-")
    test_class.addClassCleanup(made.cleanup)
    packs = pathlib.Path(made.name) / "packs"
    packs.mkdir()
    for package in packages:
        if not shutil.which("npm") or subprocess.run(
            ["npm", "pack", package, "--pack-destination", packs], capture_output=True, timeout=300
        ).returncode:
            raise unittest.SkipTest(f"npm cannot fetch {package}")
    return pathlib.Path(made.name)


class Packs(Base):
    """Fetched once with npm; skipped where that does not work."""

    @classmethod
    def setUpClass(cls):
        cls.cache = fetch_packs(
            cls, "openmoji@17.0.0", "@lobehub/fluent-emoji-3d@1.1.0", "emojilib@4.0.3", "emojibase-data@17.0.0"
        )

    def test_both(self):
        begun = time.monotonic()
        done = self.peel("--cache-dir", self.cache, "--pack", "openmoji", "--pack", "fluent3d")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(time.monotonic() - begun, 150 * SLOW)
        counts = dict(self.rows("select pack, count(*) from stickers group by pack"))
        self.assertEqual(counts["openmoji"], 2465)
        self.assertEqual(counts["fluent3d"], 1607)
        credits = set(self.rows("select pack, license, source from stickers"))
        self.assertEqual(
            credits,
            {
                ("openmoji", "CC BY-SA 4.0", "https://openmoji.org"),
                ("fluent3d", "MIT", "https://github.com/microsoft/fluentui-emoji"),
            },
        )
        self.assertEqual(self.rows("select count(*) from stickers where author = '' or title = ''"), [(0,)])
        cat = self.rows(
            "select stickers.title, author, words, mime from stickers join sticker_words on sticker = row"
            " where language = 'en' and filename = 'openmoji-cat-face-1F431.svg'"
        )
        self.assertEqual(cat[0][0], "cat face")
        self.assertIn("🐱", cat[0][2].split(", "))
        self.assertEqual(cat[0][3], "image/svg+xml")
        self.assertEqual(self.rows("select mime from stickers where filename = 'fluent3d-cat-face-1F431.webp'"), [("image/webp",)])
        again = self.peel("--cache-dir", self.cache, "--pack", "openmoji", "--pack", "fluent3d")
        self.assertIn("0 added, 4072 skipped (already there), 0 failed\n", again.stdout)

    def test_registry_without_npm(self):
        archive = (self.cache / "packs" / OPENMOJI).read_bytes()
        registry = Registry({"/openmoji/-/openmoji-17.0.0.tgz": archive})
        self.addCleanup(registry.close)
        done = self.peel("--pack", "openmoji", PATH="/nonexistent", npm_config_registry=registry.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2465 added", done.stdout)
        for source in ("Unicode CLDR", "Unicode CLDR for sequences", "emojilib", "emojibase"):
            self.assertIn(f"without the keywords of {source} (run the same command again to add them): ", done.stderr)
        self.assertEqual(registry.asked[-1], "/openmoji/-/openmoji-17.0.0.tgz")
        self.assertEqual((self.data / "cache" / "packs" / OPENMOJI).read_bytes(), archive)

    def changed(self, name):
        archive = bytearray((self.cache / "packs" / name).read_bytes())
        archive[1000] ^= 1
        return bytes(archive)

    def english(self, emoji):
        """The English words of OpenMoji's sticker of that code point."""
        (row,) = self.rows(
            "select words from stickers join sticker_words on sticker = row"
            f" where language = 'en' and filename like 'openmoji-%-{emoji}.svg'"
        )
        return row[0].split(", ")

    def test_words_of_the_community(self):
        """A source with a wrong checksum is left out, and its words come with the next import; what somebody wrote stays."""
        archives = {"openmoji": OPENMOJI, **COMMUNITY}
        files = {f"/{name}/-/{file}": (self.cache / "packs" / file).read_bytes() for name, file in archives.items()}
        registry = Registry(files | {"/emojilib/-/emojilib-4.0.3.tgz": self.changed(COMMUNITY["emojilib"])})
        self.addCleanup(registry.close)
        args = ("--pack", "openmoji")
        done = self.peel(*args, PATH="/nonexistent", npm_config_registry=registry.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"without the keywords of emojilib .*emojilib-4\.0\.3\.tgz.*sha512")
        self.assertNotIn("emojibase (", done.stderr)
        self.assertFalse((self.data / "cache" / "packs" / COMMUNITY["emojilib"]).exists())
        self.assertIn("<3", self.english("2764"))
        self.assertIn("tears of joy", self.english("1F602"))
        self.assertIn("；)", self.english("1F609"))
        self.assertNotIn("valentines", self.english("2764"))
        with contextlib.closing(sqlite3.connect(self.data / "sticker.db")) as db, db:
            db.execute(
                "update sticker_words set words = 'mine' where language = 'en' and sticker ="
                " (select row from stickers where filename like 'openmoji-%-1F602.svg')"
            )
        good = Registry(files)
        self.addCleanup(good.close)
        done = self.peel(*args, PATH="/nonexistent", npm_config_registry=good.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^0 added, 2465 skipped \(already there\), 0 failed; \d{4} of these updated\n")
        heart = self.english("2764")
        self.assertIn("valentines", heart)
        self.assertEqual(len(heart), len({word.lower() for word in heart}))
        self.assertLess(heart.index("valentines"), heart.index("<3"))
        self.assertEqual(self.english("1F602"), ["mine"])
        self.assertIn("¯\\_(ツ)_/¯", self.english("1F937"))
        self.assertIn("+1", self.english("1F44D"))
        done = self.peel(*args, PATH="/nonexistent", npm_config_registry=good.url)
        self.assertRegex(done.stdout, r"^0 added, 2465 skipped \(already there\), 0 failed\n")

    def test_wrong_checksum(self):
        registry = Registry({"/openmoji/-/openmoji-17.0.0.tgz": self.changed(OPENMOJI)})
        self.addCleanup(registry.close)
        done = self.peel("--pack", "openmoji", PATH="/nonexistent", npm_config_registry=registry.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("sha512", done.stderr)
        self.assertFalse((self.data / "cache" / "packs" / OPENMOJI).exists())

    def test_neither_npm_nor_registry(self):
        packs = self.data / "cache" / "packs"
        packs.mkdir(parents=True)
        shutil.copy(self.cache / "packs" / OPENMOJI, packs)
        done = self.peel("--pack", "fluent3d", PATH="/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertIn("npm is not installed", done.stderr)
        self.assertIn(FLUENT3D, done.stderr)

    def release(self, change=None):
        """What is used of the archive, as the project's own release packs it."""
        path = self.data / "cache" / "packs" / "openmoji-17.0.0-release.tar.gz"
        path.parent.mkdir(parents=True)
        with tarfile.open(self.cache / "packs" / OPENMOJI) as old, gzip.open(path, "wb", 1) as packed:
            with tarfile.open(fileobj=packed, mode="w|") as new:
                for member in old:
                    if member.name.startswith(("package/color/svg/", "package/data/openmoji.json")):
                        data = old.extractfile(member).read()
                        if member.name == change:
                            data += b" "
                        member.name = member.name.replace("package/", "openmoji-17.0.0/")
                        member.size = len(data)
                        new.addfile(member, io.BytesIO(data))
        return path

    def test_release(self):
        self.release()
        done = self.peel("--pack", "openmoji", PATH="/nonexistent")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2465 added", done.stdout)

    def test_release_with_other_content(self):
        path = self.release("package/color/svg/1F431.svg")
        done = self.peel("--pack", "openmoji", PATH="/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertIn("digest", done.stderr)
        self.assertFalse(path.exists())


class Found(ServiceTest):
    """While the services run: what is imported is found."""

    def test_words_in_two_languages(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.system.folder))
        (folder / "fox.png").write_bytes(png(8, 8, (1, 2, 3)))
        (folder / "stickers.csv").write_text(
            "filename,title,words,language\nfox.png,Red fox,\"fox, vixen\",en\nfox.png,Rotfuchs,\"Fuchs, 🦊\",de\n", encoding="utf-8"
        )
        self.system.run("import", str(folder))
        self.system.wait_indexed()
        for query in ("vixen", "fuchs", "rotfuchs", "🦊", "red fox"):
            found = wait_until(lambda: self.search(query).json()["stickers"], 10, f"a sticker for {query}")
            self.assertEqual(found[0], "fox.png", query)


if __name__ == "__main__":
    main()
