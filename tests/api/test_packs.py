#!/usr/bin/env python3
"""peel pack, and what other programs make of the files that it writes."""

import hmac
import http.server
import io
import json
import os
import pathlib
import struct
import subprocess
import tarfile
import threading
import unittest
import zipfile

from peel_testing import PEEL, ROOT, SLOW, System, main, png, webp_size

WORDS = [("cat.png", "en", "cat, -1, =SUM(A1)", ""), ("cat.png", "de", "Katze, \"Mieze\"", "'Die Katze"), ("dog.png", "fr", "chien", "")]


class Packs(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        stickers = {f"{name}.png": (title, "") for name, title in (("cat", "=Cat"), ("dog", "Dog"), ("oh \u2600", "Owl"), ("tea", "Tea"))}
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
        self.assertEqual(shown, {"pack": 'pets & "more"', "title": 'pets & "more"', "stickers": 3, "animated": 1, "rating": "pg", "votes_up": 3, "votes_down": 1,
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
            self.assertEqual(z.namelist(), ["cat.png", "dog.png", "oh \u2600.png", "stickers.csv", "CREDITS.txt"])
            self.assertIn('dog.png: "Dog", by Ann, B., licence: CC0-1.0, from https://a.example\n', z.read("CREDITS.txt").decode())
            self.assertEqual(z.read("cat.png"), (self.system.data / "bucket" / "media" / "cat.png").read_bytes())
        other = System()
        self.addCleanup(other.close)
        self.assertIn("3 added, 0 skipped (already there), 0 failed; 1 other file ignored (CREDITS.txt)\n", other.run("import", str(path)).stdout)
        self.assertEqual(self.everything(other), self.everything(self.system))

    def about(self, system=None):
        return (system or self.system).sql("SELECT name, title, author, license, source, cover FROM packs ORDER BY name")

    def test_what_is_said_of_a_pack_goes_along(self):
        self.system.sql("INSERT INTO packs VALUES ('pets & \"more\"', 'Tame \U0001f436', 'Bo', 'CC-BY-4.0', 'https://b.example', 'dog.png', 5, 5)")
        self.system.sql("UPDATE stickers SET place = CASE filename WHEN 'dog.png' THEN -7 ELSE 0 END")
        self.assertIn("3 stickers  Tame \U0001f436\n", self.pack("list"))
        self.assertIn("title     Tame \U0001f436\nby        Bo\nlicence   CC-BY-4.0\nsource    https://b.example\n", self.pack("show", 'pets & "more"'))
        self.pack("rename", 'pets & "more"', "tame")
        self.assertEqual(self.about(), [("tame", "Tame \U0001f436", "Bo", "CC-BY-4.0", "https://b.example", "dog.png")])
        self.assertEqual(self.system.sql("SELECT model, object, after FROM history WHERE model = 'packs'"), [("packs", 'pets & "more"', '{"name":"tame"}')])
        self.pack("export", "tame", self.system.folder / "tame.zip")
        with zipfile.ZipFile(self.system.folder / "tame.zip") as z:
            self.assertEqual(z.namelist()[:2], ["dog.png", "cat.png"])
            self.assertTrue(z.read("CREDITS.txt").decode().startswith("Tame \U0001f436, by Bo, licence: CC-BY-4.0, from https://b.example\n"))
        other = System()
        self.addCleanup(other.close)
        other.run("import", str(self.system.folder / "tame.zip"))
        self.assertEqual(self.about(other), self.about())
        self.assertEqual(other.sql("SELECT filename FROM stickers WHERE pack = 'tame' ORDER BY place"), [("dog.png",), ("cat.png",), ("oh \u2600.png",)])
        other.sql("UPDATE packs SET title = 'Mine'")
        other.run("import", str(self.system.folder / "tame.zip"))
        self.assertEqual(other.sql("SELECT title FROM packs"), [("Mine",)])
        self.pack("export", "tame", self.system.folder / "tame.wastickers")
        with zipfile.ZipFile(self.system.folder / "tame.wastickers") as z:
            self.assertEqual((z.read("title.txt").decode(), z.read("author.txt").decode()), ("Tame \U0001f436", "Bo"))
        self.pack("export", "tame", self.system.folder / "tame.json")
        self.assertEqual(json.loads((self.system.folder / "tame.json").read_text())["pack"]["display_name"], "Tame \U0001f436")

    def test_for_whatsapp_and_matrix(self):
        folder = self.system.folder
        self.pack("export", 'pets & "more"', folder / "pets.wastickers")
        with zipfile.ZipFile(folder / "pets.wastickers") as z:
            self.assertEqual(z.namelist(), ["title.txt", "author.txt", "tray.png", "01.webp", "02.webp", "03.webp"])
            self.assertEqual((z.read("title.txt").decode(), z.read("author.txt").decode()), ('pets & "more"', "Ann, B."))
            tray, image = z.read("tray.png"), z.read("02.webp")
            self.assertEqual((tray[:8], tray[16:24]), (png(1, 1)[:8], bytes([0, 0, 0, 96] * 2)))
            self.assertEqual((image[:4], image[8:12], len(image) <= 100 << 10), (b"RIFF", b"WEBP", True))
        self.assertEqual(self.pack("export", 'pets & "more"', folder / "pets.json"), "Exported 3 stickers.\n")
        matrix = json.loads((folder / "pets.json").read_text())
        self.assertEqual(matrix["pack"], {"display_name": 'pets & "more"', "usage": ["sticker"], "attribution": "Ann, B.",
                                          "avatar_url": matrix["images"]["cat"]["url"]})  # fmt: skip
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


class Homeserver(http.server.BaseHTTPRequestHandler):
    """Takes uploads, the first one at the second try."""

    seen, limit = [], True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = 200, {"content_uri": f"mxc://hs.example/{len(self.seen)}"}
        if self.headers["Authorization"] != "Bearer s3cret":
            status, answer = 401, {"errcode": "M_UNKNOWN_TOKEN"}
        elif Homeserver.limit:
            Homeserver.limit, status, answer = False, 429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 10}
        else:
            self.seen.append((self.path, self.headers["Content-Type"], body))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *args):
        pass


class Matrix(unittest.TestCase):
    def test_images_are_uploaded(self):
        system = System()
        self.addCleanup(system.close)
        system.add({"cat & 1.png": ("Cat", "")})
        (system.folder / "in").mkdir()
        (system.folder / "in" / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4" cx="4" cy="4"/></svg>')
        system.run("import", str(system.folder / "in"))
        system.sql("UPDATE stickers SET pack = 'pets'")
        server = http.server.HTTPServer(("127.0.0.1", 0), Homeserver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url, path, token = f"http://127.0.0.1:{server.server_port}", system.folder / "pets.json", system.folder / "token"

        def export(*args):
            done = system.run("pack", "export", "pets", str(path), *args, check=False)
            return done.returncode, done.stdout + done.stderr

        token.write_text("wrong\n")
        self.assertIn("answered 401", export("--matrix-url", url, "--matrix-token-file", str(token))[1])
        self.assertIn("begins with https://", export("--matrix-url", "http://matrix.example", "--matrix-token-file", str(token))[1])
        self.assertIn("--matrix-token-file", export("--matrix-url", url)[1])
        self.assertFalse(path.exists())
        token.write_text("s3cret\n")
        self.assertEqual(export("--matrix-url", url, "--matrix-token-file", str(token)), (0, "Exported 2 stickers.\n"))
        said = json.loads(path.read_text())
        self.assertEqual({code: (i["url"], i["info"]["mimetype"]) for code, i in said["images"].items()},
                         {"cat & 1": ("mxc://hs.example/0", "image/png"), "dot": ("mxc://hs.example/1", "image/png")})  # fmt: skip
        self.assertEqual(said["pack"]["avatar_url"], "mxc://hs.example/0")
        self.assertEqual([s[:2] for s in Homeserver.seen], [("/_matrix/media/v3/upload?filename=" + n, "image/png") for n in ("cat%20%26%201", "dot")])
        self.assertEqual((Homeserver.seen[1][2][:8], said["images"]["dot"]["info"]["w"]), (png(1, 1)[:8], 512))


class Moving(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.folder = self.system.folder / "zoo"
        self.folder.mkdir()
        seeds = ROOT / "tests" / "fuzz" / "corpus"
        for seed in ("moving/walk.webp", "lottie/walk.tgs", "webm/clear.webm"):
            (self.folder / seed.split("/")[1]).write_bytes((seeds / seed).read_bytes())
        frame = b"!\xf9\x04\0\x58\x02\0\0" + b"\x2c\0\0\0\0\x02\0\x02\0%b\x02\x02\x84\x51\0"
        colours = (b"\0", b"\x80\0\xff\0\xff\0\0", b"\0")
        (self.folder / "long.gif").write_bytes(b"GIF89a\x02\0\x02\0\x80\0\0\xff\0\0\0\0\xff" + b"".join(frame % c for c in colours) + b";")
        for i in range(3):
            (self.folder / f"still {i}.png").write_bytes(png(8, 8, (i, 3, 99)))
        self.system.run("import", str(self.folder))
        self.system.sql("UPDATE stickers SET pack = 'zoo'")

    def exported(self, name):
        """{file: [ms of the frames of each image]}; what is said"""
        done = self.system.run("pack", "export", "zoo", str(self.system.folder / f"{name}.wastickers"))
        files = {}
        for path in sorted(self.system.folder.glob(f"{name}*.wastickers")):
            with zipfile.ZipFile(path) as z:
                images = [z.read(n) for n in z.namelist() if n.endswith(".webp")]
                self.assertIn("tray.png", z.namelist())
            for image in images:
                self.assertEqual(webp_size(image), (512, 512))
                self.assertLess(len(image), 500 << 10)
            places = [[i for i in range(len(image)) if image[i : i + 4] == b"ANMF"] for image in images]
            files[path.name] = [[int.from_bytes(image[i + 20 : i + 23], "little") for i in at] for image, at in zip(images, places)]
        return files, done.stdout + done.stderr

    def test_for_whatsapp(self):
        files, said = self.exported("all")
        self.assertEqual([len(f) for f in files.values()], [4, 3], files)
        (moving, stills) = files.values()  # of all-2 and all
        self.assertEqual((sum(map(len, stills)), said), (0, "Exported 7 stickers.\n"))
        clear, long, tgs, webp = moving
        self.assertEqual((sum(long), len(long)), (10000, 2), "cut off after ten seconds")
        self.assertEqual((sum(webp), len(webp), sum(tgs), len(clear)), (500, 5, 300, 6))
        self.system.sql("DELETE FROM stickers WHERE filename = 'still 1.png'")
        files, said = self.exported("fewer")
        self.assertEqual([len(f) for f in files.values()], [4])
        self.assertIn("Left out 2 stickers", said)
        self.assertIn("Exported 4 stickers.", said)
        self.system.sql("UPDATE stickers SET pack = '' WHERE filename IN ('long.gif', 'walk.tgs')")
        files, said = self.exported("two")  # that move: as stills
        self.assertEqual(list(files.values()), [[[]] * 4])


KEY = bytes(range(32))


def signal_file(data, key=KEY):
    """Encrypted as Signal does it."""
    mac = lambda key, data: hmac.digest(key, data, "sha256")  # noqa: E731
    pseudo = mac(bytes(32), key)
    aes = mac(pseudo, b"Sticker Pack\x01")
    sign = mac(pseudo, aes + b"Sticker Pack\x02")
    iv = bytes(range(16, 32))
    done = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-K", aes.hex(), "-iv", iv.hex()], input=data, capture_output=True, check=True)
    return iv + done.stdout + mac(sign, iv + done.stdout)


def proto(*fields):
    """(number, int, str or bytes) as protocol buffers have them."""
    out = b""
    for number, value in fields:
        value = value.encode() if isinstance(value, str) else value
        varints = [number << 3 | (0 if isinstance(value, int) else 2), value if isinstance(value, int) else len(value)]
        for n in varints:
            while n > 127:
                out, n = out + bytes([n & 127 | 128]), n >> 7
            out += bytes([n])
        out += b"" if isinstance(value, int) else value
    return out


def picture(i):
    return png(8, 8, (i, 99, 3))


def webp_with_emoji(webp, *emoji):
    """As WhatsApp's programs write it: JSON behind a little TIFF."""
    said = b"II*\0\x08\0\0\0\x01\0AW\x07\0" + bytes(8) + json.dumps({"sticker-pack-id": "x", "emojis": emoji}).encode()
    chunk = b"EXIF" + struct.pack("<I", len(said)) + said + b"\0" * (len(said) % 2)
    return b"RIFF" + struct.pack("<I", len(webp) - 8 + len(chunk)) + webp[8:] + chunk


class OtherPrograms(unittest.TestCase):
    """Archives and lists of other programs. No words of emoji can be had here: there is no npm."""

    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.temporary = self.system.folder / "tmp"
        self.temporary.mkdir()

    def peel(self, *args):
        env = {**os.environ, "PATH": "/nonexistent", "TMPDIR": str(self.temporary)}
        done = subprocess.run([PEEL, "import", *map(str, args), "--data", str(self.system.data)], capture_output=True, text=True, timeout=60 * SLOW, env=env)
        self.assertEqual(list(self.temporary.iterdir()), [])
        return done

    def archive(self, name, files):
        path = self.system.folder / name
        if name.endswith(".zip") or not name.endswith("gz"):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
                for inner, data in files.items():
                    z.writestr(inner, data if isinstance(data, (bytes, str)) else json.dumps(data))
        else:
            with tarfile.open(path, "w:gz") as t:
                for inner, data in files.items():
                    info = tarfile.TarInfo(inner)
                    info.size = len(data)
                    t.addfile(info, io.BytesIO(data))
        return path

    def check(self, name, files, expected):
        """expected: (filename, title, pack, author, keywords) of each sticker."""
        done = self.peel(self.archive(name, files))
        self.assertEqual((done.returncode, done.stdout.split(",")[0]), (0, f"{len(expected)} added"), done.stdout + done.stderr)
        rows = self.system.sql("SELECT filename, s.title, pack, author, coalesce((SELECT words FROM sticker_words w WHERE sticker = row AND language = 'en'), '')"
                               " FROM stickers s ORDER BY row")  # fmt: skip
        self.assertEqual(rows[-len(expected) :], expected, name)

    def test_telegram(self):
        export = {"name": "A chat", "messages": [
            {"type": "message", "text": "hello"},
            {"media_type": "sticker", "file": "stickers/sticker.png", "sticker_emoji": "\U0001f600"},
            {"media_type": "sticker", "file": "stickers/sticker.png", "sticker_emoji": "\U0001f600"},
            {"media_type": "sticker", "file": "../../etc/passwd", "sticker_emoji": "x"},
            {"media_type": "sticker", "file": "(File not included. Change data exporting settings to download.)"}]}  # fmt: skip
        self.check("export.zip", {"result.json": export, "stickers/sticker.png": picture(1)}, [("sticker.png", "sticker", "", "", "\U0001f600")])
        bot = {"name": "cats_by_bot", "title": "Cats/1", "stickers": [{"emoji": "\U0001f44d\U0001f3fd", "file_id": "CAAD", "file_unique_id": "AgAD1"}, {"file_unique_id": "none"}]}
        self.check("bot.zip", {"set.json": bot, "AgAD1.png": picture(2)}, [("Cats-1-AgAD1.png", "Cats 1 AgAD1", "Cats/1", "", "\U0001f44d")])
        maunium = {"title": "Dogs", "id": "tg-dogs", "stickers": [
            {"body": "A dog that barks", "url": "mxc://example.org/AbCdE", "info": {"w": 8, "h": 8, "mimetype": "image/png"}, "msgtype": "m.sticker", "id": "tg-77",
             "net.maunium.telegram.sticker": {"id": "77", "emoticons": ["\U0001f436", "\U0001f415"]}}]}  # fmt: skip
        self.check("maunium.zip", {"dogs/dogs.json": maunium, "dogs/AbCdE.png": picture(3)}, [("Dogs-AbCdE.png", "A dog that barks", "Dogs", "", "\U0001f436, \U0001f415")])
        self.assertEqual(self.system.sql("SELECT filename, place < 0 FROM stickers WHERE pack <> ''"), [("Cats-1-AgAD1.png", 1), ("Dogs-AbCdE.png", 1)])
        self.assertEqual(self.system.sql("SELECT name FROM packs ORDER BY name"), [("Cats/1",), ("Dogs",)])
        moving = {"title": "Moving", "stickers": [{"file_unique_id": "walk", "emoji": "\U0001f6b6"}]}
        walk = {name: (ROOT / "tests" / "fuzz" / "corpus" / "lottie" / name).read_bytes() for name in ("walk.tgs", "walk.json")}
        self.check("moving.zip", {"set.json": moving, **walk}, [("Moving-walk.json", "Moving walk", "Moving", "", ""), ("Moving-walk.tgs", "Moving walk", "Moving", "", "\U0001f6b6")])
        self.check("downloads.zip", {"cats/1_\U0001f63a.png": picture(4)}, [("1_\U0001f63a.png", "1 \U0001f63a", "", "", "\U0001f63a")])

    def test_matrix_slack_discord_mastodon_and_others(self):
        matrix = {"images": {"wave": {"url": "mxc://example.org/x", "body": "Somebody waves"}, "gone": {"url": "mxc://example.org/y"}},
                  "pack": {"display_name": "Hi", "attribution": "Ann", "usage": ["sticker"], "avatar_url": "mxc://example.org/wave"}}  # fmt: skip
        self.check("matrix.zip", {"pack.json": matrix, "wave.png": picture(5)}, [("Hi-wave.png", "Somebody waves", "Hi", "Ann", "")])
        self.assertEqual(self.system.sql("SELECT name, author, cover FROM packs"), [("Hi", "Ann", "Hi-wave.png")])
        slack = {"ok": True, "emoji": {"party_cat": "https://emoji.example/T1/party_cat/0f.png", "old": "alias:party_cat"}}
        self.check("slack.zip", {"emoji.json": slack, "party_cat.png": picture(6)}, [("party_cat.png", "party cat", "", "", "")])
        discord = {"name": "Guild", "emojis": [{"id": "123", "name": "blob_wave", "animated": False}],
                   "stickers": [{"id": "124", "name": "Wave", "description": "", "tags": "\U0001f44b", "format_type": 1}]}  # fmt: skip
        self.check("discord.zip", {"g.json": discord, "123.png": picture(7), "124.png": picture(8)},
                   [("Guild-123.png", "blob wave", "Guild", "", ""), ("Guild-124.png", "Wave", "Guild", "", "\U0001f44b")])  # fmt: skip
        self.check("pleroma.zip", {"pack.json": {"files": {"blob": "sub/blob-1.png"}, "pack": {"license": "Apache-2.0"}}, "sub/blob-1.png": picture(9)}, [("blob-1.png", "blob", "", "", "")])
        self.assertEqual(self.system.sql("SELECT license FROM stickers WHERE filename = 'blob-1.png'"), [("",)])
        misskey = {"metaVersion": 2, "emojis": [{"downloaded": True, "fileName": "ai.png", "emoji": {"name": "ai_yay", "category": "ai", "aliases": ["yay", "happy"], "license": "CC0-1.0"}}]}
        self.check("misskey.zip", {"meta.json": misskey, "ai.png": picture(10)}, [("ai.png", "ai yay", "", "", "yay, happy, ai")])
        self.check("export.tar.gz", {"toot.png": picture(11)}, [("toot.png", "toot", "", "", "")])
        heliboard = {"title": "Keys", "author": "Bob", "stickers": [{"file": "a.png", "emoji": "\u2764\ufe0f", "keywords": ["love"]}]}
        self.check("keys.hbsp", {"meta.json": heliboard, "a.png": picture(12)}, [("Keys-a.png", "Keys a", "Keys", "Bob", "love, \u2764\ufe0f")])

    def test_whatsapp(self):
        self.system.add({f"{i}.png": (f"Number {i}", "") for i in range(3)})
        self.system.sql("UPDATE stickers SET pack = 'numbers', author = 'Ann'")
        self.system.run("pack", "export", "numbers", str(self.system.folder / "n.wastickers"))
        with zipfile.ZipFile(self.system.folder / "n.wastickers") as z:
            files = {name: z.read(name) for name in z.namelist()}
        files |= {"title.txt": " Mine\n", "02.webp": webp_with_emoji(files["02.webp"], "\U0001f602", "\U0001f923")}
        self.check("mine.wastickers", files, [("Mine-01.webp", "Mine 01", "Mine", "Ann", ""), ("Mine-02.webp", "Mine 02", "Mine", "Ann", "\U0001f602, \U0001f923"), ("Mine-03.webp", "Mine 03", "Mine", "Ann", "")])
        self.assertEqual(self.system.sql("SELECT name, title, author FROM packs"), [("Mine", "", "Ann")])
        self.assertIn("0 added, 3 skipped", self.peel(self.system.folder / "mine.wastickers").stdout)
        self.check("dots.wastickers", {"title.txt": ".../Oh", "1.webp": files["01.webp"]}, [("Oh-1.webp", "Oh 1", ".../Oh", "", "")])
        contents = {"sticker_packs": [{"identifier": "1", "name": "Cups", "publisher": "Jo", "tray_image_file": "t.png", "stickers": [{"image_file": "cup.webp", "emojis": ["\u2615"]}]}]}
        self.check("app.zip", {"1/contents.json": contents, "1/cup.webp": files["03.webp"]}, [("Cups-cup.webp", "Cups cup", "Cups", "Jo", "\u2615")])

    def test_line(self):
        def product(**more):
            return {"packageId": 7, "title": {"en": "Moon", "ja": "\u30e0\u30fc\u30f3", "zh_TW": "\u6708", "x!": "no"}, "author": {"en": "LINE", "ja": "\u7dda"},
                    "stickers": [{"id": 20, "width": 8, "height": 8}, {"id": 10, "width": 8, "height": 8}, {"id": 30}], "stickerResourceType": "STATIC", **more}  # fmt: skip

        files = {"20@2x.png": picture(50), "10@2x.png": picture(51), "20_key@2x.png": picture(52), "tab_on@2x.png": picture(53), "productInfo.meta": product()}
        self.check("stickers@2x.zip", files, [("Moon-10@2x.png", "Moon 2", "Moon", "LINE", ""), ("Moon-20@2x.png", "Moon 1", "Moon", "LINE", "")])
        self.assertEqual(self.system.sql("SELECT language, w.title FROM sticker_words w JOIN stickers s ON w.sticker = s.row WHERE filename = 'Moon-10@2x.png' ORDER BY language"),
                         [("ja", "\u30e0\u30fc\u30f3 2"), ("zh-TW", "\u6708 2")])  # fmt: skip
        self.assertEqual(self.system.sql("SELECT filename FROM stickers ORDER BY place"), [("Moon-20@2x.png",), ("Moon-10@2x.png",)])
        self.assertEqual(self.system.sql("SELECT name, author FROM packs"), [("Moon", "LINE")])
        moving = product(title={"ja": "\u9d28"}, author={})
        files = {"20@2x.png": picture(54), "animation@2x/20@2x.png": picture(55), "animation@2x/99@2x.png": picture(56), "productInfo.meta": moving}
        self.check("stickerpack@2x.zip", files, [("\u9d28-20@2x.png", "\u9d28 1", "\u9d28", "", "")])
        self.assertEqual((self.system.data / "bucket" / "media" / "\u9d28-20@2x.png").read_bytes(), picture(55))
        for bad in (b"", b"[]", b'{"title":{},"stickers":[]}', b'{"title":{"en":1},"stickers":{}}', b'{"title":{"en":"x"},"stickers":[1,{"id":"a"},{"id":-1}]}'):
            done = self.peel(self.archive("bad.zip", {"productInfo.meta": bad, "1.png": picture(57)}), "--dry-run")
            self.assertNotIn("internal", done.stderr)

    def test_signal(self):
        stickers = [(3, "\U0001f600"), (0, "\U0001f431"), (200, "\U0001f9c1")]
        manifest = proto((1, "Moods"), (2, "Ann"), (3, proto((1, 200), (2, "x"))), (9, 5), *((4, proto((1, i), (2, e), (3, "image/png"))) for i, e in stickers))
        files = {"manifest.proto": signal_file(manifest), **{f"full/{i}": signal_file(picture(40 + i)) for i, _ in stickers}}
        path = self.archive("moods.zip", files)
        self.assertIn("failed: moods.zip: a pack of Signal is encrypted: give its key, ", self.peel(path).stderr)
        for key in ("0" * 63, "x" * 64):
            self.assertIn("pack-key", self.peel(path, "--pack-key", key).stderr)
        self.assertIn("manifest.proto: it is of another key than --pack-key, or was changed\n", self.peel(path, "--pack-key", "00" * 32).stderr)
        done = self.peel(path, "--pack-key", KEY.hex())
        self.assertIn("3 added, 0 skipped (already there), 0 failed\n", done.stdout, done.stderr)
        self.assertEqual(self.system.sql("SELECT filename, pack, author, words FROM stickers JOIN sticker_words ON sticker = stickers.row WHERE language = 'en' ORDER BY place"),
                         [(f"Moods-{i:03}.png", "Moods", "Ann", e) for i, e in stickers])  # fmt: skip
        self.assertEqual(self.system.sql("SELECT name, author, cover FROM packs"), [("Moods", "Ann", "Moods-200.png")])
        folder = self.system.folder / "moods"  # a folder, in which not everything is right
        folder.mkdir()
        for name, data in ((0, files["full/0"]), (3, signal_file(b"no picture")), ("manifest.proto", files["manifest.proto"])):
            (folder / str(name)).write_bytes(data)
        done = self.peel(folder, "--pack-key", KEY.hex())
        self.assertIn("0 added, 1 skipped (already there), 2 failed", done.stdout)
        self.assertIn("moods/3: it is no PNG, WebP or GIF\n", done.stderr)
        self.assertIn("moods/200: it is missing\n", done.stderr)
        whole = files["manifest.proto"]
        for bad in [whole[: len(whole) * i // 16] for i in range(0, 16, 3)] + [signal_file(manifest[: len(manifest) * i // 16]) for i in range(1, 16, 4)] + [signal_file(b"\xff" * 99)]:
            (folder / "manifest.proto").write_bytes(bad)
            done = self.peel(folder, "--pack-key", KEY.hex(), "--dry-run")
            self.assertTrue(done.returncode == 1 and "failed: " in done.stderr and "internal" not in done.stderr, (len(bad), done.stderr))

    def test_hostile_archives(self):
        outside = self.system.folder / "outside.png"
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        path = self.archive("bad.zip", {"good.png": picture(20), "../../outside.png": picture(21), "/outside.png": picture(22), "a/../b.png": picture(23),
                                        "inner.zip": b"PK", "again.png": picture(26), "good.png/x.png": picture(24), "c\x1b.png": picture(25)})  # fmt: skip
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as z:
            z.writestr(link, str(outside))
            z.writestr("again.png", picture(27))
            z.writestr("large.png", bytes((64 << 20) + 1))
        done = self.peel(path)
        self.assertIn("2 added, 0 skipped (already there), 8 failed; 1 other file ignored (inner.zip)\n", done.stdout, done.stderr)
        self.assertFalse(outside.exists() or pathlib.Path("/outside.png").exists())
        self.assertIn("failed: bad.zip/../../outside.png: its name is not one of a file below the archive\n", done.stderr)
        self.assertIn("failed: bad.zip/again.png: the archive has another file of this name\n", done.stderr)
        self.assertIn("failed: bad.zip/link.png: it is not a plain file\n", done.stderr)
        self.assertIn("failed: bad.zip/large.png: it has more than 67108864 bytes\n", done.stderr)
        whole = self.archive("whole.zip", {f"{i}.png": picture(30 + i) for i in range(3)}).read_bytes()
        for length in range(0, len(whole), max(1, len(whole) // 16)):
            (self.system.folder / "cut.zip").write_bytes(whole[:length])
            done = self.peel(self.system.folder / "cut.zip", "--dry-run")
            named = done.returncode == 1 and "cut.zip" in done.stderr
            self.assertTrue(named or "3 added" in done.stdout, (length, done.stdout, done.stderr))  # only the list at its end is missing
        for text in ("[" * 5000, '{"stickers":[{"file":"good.png","title":"\\u0000"}]}', '{"images":{"good":{"body":"' + "x" * 2000 + '"}}}', '{"stickers":{"good.png":7,"a":[]}}', "\xff"):
            done = self.peel(self.archive("list.zip", {"list.json": text, "good.png": picture(20)}))
            self.assertNotIn("internal", done.stderr)
        done = self.peel(self.archive("list.zip", {"list.json": '{"stickers":[{"file":"good.png","emoji":"\\u001b"}]}', "good.png": picture(20)}))
        self.assertIn("failed: good.png: list.json: entry 1: control character in emoji; the picture is left out\n", done.stderr)


if __name__ == "__main__":
    main()
