#!/usr/bin/env python3
"""peel backup and peel restore: a backup made while people vote, upload, replace and delete has what was acknowledged before
it, and each of its stickers has its image; what is damaged is found; nothing that is there is lost."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import s3_testing
from peel_testing import ADMIN_TOKEN, PEEL, SLOW, STICKERS, UPLOAD, Process, System, main, multipart, png, request, wait_until
from postgres_testing import Postgres, programs, unavailable
from test_admin import Visitor

PASSWORD = "a long password"


def peel(*args, expect=0, env=None):
    done = subprocess.run([PEEL, *map(str, args)], capture_output=True, text=True, timeout=120 * SLOW, env={**os.environ, **(env or {})})
    assert done.returncode == expect, f"{args}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout if expect == 0 else done.stderr


def upload(visitor, name, data, replace=False):
    body, kind = multipart([("csrf", visitor.csrf), *([("replace", "1")] if replace else [])], [(name, data)])
    cookies = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
    headers = {"Content-Type": kind, "Cookie": cookies, "Accept": "application/json", "X-CSRF-Token": visitor.csrf}
    return request(visitor.port, "POST", UPLOAD, body, headers)


def rows(database, sql):
    db = sqlite3.connect(database)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def images_of(folder):
    """The stickers of a backup's database whose image is not in it, or another one."""
    return [name for name, sha256 in rows(folder / "sticker.db", "SELECT filename, sha256 FROM stickers")
            if not (folder / "media" / name).exists() or hashlib.sha256((folder / "media" / name).read_bytes()).hexdigest() != sha256]  # fmt: skip


class BackupTest(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.data, self.folder = self.system.data, self.system.folder
        self.system.add(STICKERS)

    def start(self, *args):
        self.system.start_search()
        self.system.start_sticker(*args)
        self.system.wait_indexed()
        return self.system.port

    def stop(self):
        for process in self.system.processes:
            self.assertEqual(process.stop(), 0, process.log())
        self.system.processes.clear()
        for log in self.folder.glob("*.log"):
            log.unlink()

    def backup(self, name, *args, expect=0):
        return peel("backup", self.folder / name, "--data", self.data, *args, expect=expect)

    def served(self):
        """The queries, votes and images that the services on the data folder answer with."""
        port = self.system.port
        found = request(port, "GET", "/api/search/?query=cake").json()["stickers"]
        images = {name: request(port, "GET", f"/media/{name}").status for name in ("cat.png", "dog.png", "cake.png")}
        return found, images


class Restoring(BackupTest):
    def test_there_and_back(self):
        port = self.start()
        self.assertEqual(request(port, "GET", "/api/search/?query=cake").status, 200)
        wait_until(lambda: b"peel_sticker_usage_pending 0" in request(port, "GET", "/metrics").body, 5, "counts")
        vote = json.dumps({"feedback": [{"query": "cake", "positive": ["cake.png"]}]})
        self.assertEqual(request(port, "POST", "/api/feedback/", vote).status, 200)
        self.system.run("delete", "car.png", "--yes")
        said = self.backup("one")
        self.assertRegex(said, r"5 stickers, 1 queries, 1 votes, 1 users \(schema \d+\)")
        self.assertRegex(said, r"images: +6\n")  # also that of the trash
        self.assertEqual(images_of(self.folder / "one"), [])
        listed = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=self.folder / "one", capture_output=True, text=True)
        self.assertEqual((listed.returncode, listed.stdout), (0, ""))
        self.assertIn("Verified", peel("backup", "verify", self.folder / "one"))
        self.assertEqual([p.name for p in self.folder.glob("*.partial")], [])
        self.assertEqual((self.folder / "one").stat().st_mode & 0o777, 0o700)

        self.assertIn("Peel is running on", peel("restore", self.folder / "one", "--data", self.data, "--force", expect=1))
        self.stop()
        self.system.data = self.data = self.folder / "other"
        said = peel("restore", self.folder / "one", "--data", self.data)
        self.assertRegex(said, r"5 stickers, 1 queries, 1 votes, 1 users")
        self.assertNotIn("What was there", said)
        self.assertEqual((self.data / "sticker.db").stat().st_mode & 0o777, 0o600)
        self.start()
        self.assertEqual(self.served(), (["cake.png"], {"cat.png": 200, "dog.png": 200, "cake.png": 200}))
        wait_until(lambda: "cake,2,cake.png,1,0" in self.system.run("export").stdout, what="both searches and the vote")
        self.stop()

    def test_what_is_there_is_kept(self):
        self.backup("one")
        self.system.run("delete", "dog.png", "--yes")
        message = peel("restore", self.folder / "one", "--data", self.data, expect=1)
        self.assertIn("sticker.db is there already; --force", message)
        self.assertEqual(len(rows(self.data / "sticker.db", "SELECT 1 FROM stickers")), 5)
        said = peel("restore", self.folder / "one", "--data", self.data, "--force")
        self.assertIn("now has names that end in .replaced-", said)
        self.assertEqual(len(rows(self.data / "sticker.db", "SELECT 1 FROM stickers")), 6)
        [old] = self.data.glob("sticker.db.replaced-*Z")
        self.assertEqual(len(rows(old, "SELECT 1 FROM stickers")), 5)
        [media] = (self.data / "bucket").glob("media.replaced-*Z")
        self.assertEqual(len(list(media.iterdir())), 6)
        self.assertEqual(sorted(p.name for p in (self.data / "bucket").iterdir() if "media" not in p.name and p.name != ".restored"), [])
        self.start()
        self.assertEqual(self.served()[1], {"cat.png": 200, "dog.png": 200, "cake.png": 200})
        self.stop()

    def test_a_damaged_database_is_replaced_with_its_journal(self):
        self.backup("one")
        (self.data / "sticker.db").write_bytes(b"no database" * 1000)
        (self.data / "sticker.db-wal").write_bytes(b"an old journal")
        peel("restore", self.folder / "one", "--data", self.data, "--force")
        self.assertFalse((self.data / "sticker.db-wal").exists())
        self.assertEqual(len(rows(self.data / "sticker.db", "SELECT 1 FROM stickers")), 6)

    def test_a_database_in_use_is_refused(self):
        self.backup("one")
        db = sqlite3.connect(self.data / "sticker.db")
        db.execute("SELECT count(*) FROM stickers").fetchall()
        self.assertIn("is busy", peel("restore", self.folder / "one", "--data", self.data, "--force", expect=1))
        db.close()

    def test_a_newer_schema_is_refused(self):
        self.backup("one")
        manifest = self.folder / "one" / "manifest.json"
        whole = manifest.read_text()
        for kind in ("sticker", "search"):
            said = json.loads(whole)
            said[f"{kind}_database"]["schema"] = 99
            manifest.write_text(json.dumps(said))
            message = peel("restore", self.folder / "one", "--data", self.folder / "new", expect=1)
            self.assertRegex(message, rf"the {kind} database of the backup has schema version 99, this program knows up to \d+: use a newer peel")
            self.assertFalse((self.folder / "new" / "sticker.db").exists())
        manifest.write_text(whole.replace('"format": 1', '"format": 2'))
        self.assertIn("has format 2, this program knows up to 1", peel("backup", "verify", self.folder / "one", expect=1))

    def test_every_command_refuses_a_newer_database(self):
        known = rows(self.data / "sticker.db", "SELECT max(version) FROM schema_migrations")[0][0]
        db = sqlite3.connect(self.data / "sticker.db")
        db.execute("INSERT INTO schema_migrations (version, applied_us) VALUES (99, 1)")
        db.commit()
        db.close()
        for args in (["migrate"], ["status"], ["pack", "list"], ["export"], ["sticker-service", "--port", "0"]):
            message = peel(*args, "--data", self.data, expect=1)
            self.assertIn(f"has schema version 99, this program knows up to {known}: use a newer peel", message)
        self.assertIn("(schema 99)", self.backup("one"))  # a copy is a copy
        self.assertIn("schema version 99", peel("restore", self.folder / "one", "--data", self.folder / "new", expect=1))

    def test_a_restored_index_is_not_taken_for_the_old_one(self):
        self.backup("one")
        snapshots = self.data / "cache" / "index"
        snapshots.mkdir(parents=True, exist_ok=True)
        (snapshots / "model.index").write_bytes(b"vectors")
        peel("restore", self.folder / "one", "--data", self.data, "--force")
        self.assertFalse((snapshots / "model.index").exists())


class Damage(BackupTest):
    def setUp(self):
        super().setUp()
        self.backup("one")
        self.one = self.folder / "one"

    def assert_found(self, path, change, message):
        whole = path.read_bytes()
        change(path)
        self.assertIn(message, peel("backup", "verify", self.one, expect=1))
        self.assertIn(message, peel("restore", self.one, "--data", self.folder / "new", expect=1))
        self.assertEqual([p.name for p in (self.folder / "new").iterdir()], [])
        path.write_bytes(whole)

    def test_is_found(self):
        def flip(path):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)

        for name in ("sticker.db", "media/cat.png", "settings.env", "SHA256SUMS"):
            (self.one / "settings.env").write_text("") if name == "settings.env" else None
            self.assert_found(self.one / name, flip if name != "settings.env" else lambda p: p.write_text("PEEL_PORT=1\n"),
                              f"{name} is damaged")  # fmt: skip
        self.assert_found(self.one / "media" / "dog.png", lambda p: p.unlink(), "dog.png does not exist")
        self.assert_found(self.one / "manifest.json", lambda p: p.write_text("{}"), "is not the manifest of a backup")
        self.assert_found(self.one / "manifest.json", lambda p: p.unlink(), "is not a backup: it has no manifest.json")
        self.assertIn("Verified", peel("backup", "verify", self.one))

    def test_lists_that_lie(self):
        """Of whoever can write to the backups: no file outside the folder is read, and no list with gaps is whole."""
        sums, manifest = self.one / "SHA256SUMS", json.loads((self.one / "manifest.json").read_text())

        def say(text):
            sums.write_text(text)
            manifest["files"]["sha256sums_sha256"] = hashlib.sha256(text.encode()).hexdigest()
            (self.one / "manifest.json").write_text(json.dumps(manifest))

        whole = sums.read_text()
        for line in ("0" * 64 + "  ../../etc/passwd", "0" * 64 + "  media/../x", "0" * 64 + " *cat.png", "00  cat.png"):
            say(whole + line + "\n")
            self.assertIn("expected a SHA-256, two spaces and a file's name", peel("backup", "verify", self.one, expect=1))
        say("".join(line for line in whole.splitlines(True) if "sticker.db" not in line))
        self.assertIn("does not list sticker.db", peel("backup", "verify", self.one, expect=1))
        say("".join(line for line in whole.splitlines(True) if "cake.png" not in line))
        self.assertIn("the image of cake.png is not in the backup", peel("backup", "verify", self.one, expect=1))


class Creating(BackupTest):
    def test_unchanged_images_are_linked(self):
        self.backup("one")
        (self.folder / "one" / "media" / "dog.png").write_bytes(b"damaged since")
        self.system.add({"new.png": ("New", "new")})
        said = json.loads(self.backup("two", "--earlier", self.folder / "one", "--json"))
        self.assertEqual((said["images"]["count"], said["images"]["linked"]), (7, 5))
        self.assertTrue((self.folder / "two" / "media" / "cat.png").samefile(self.folder / "one" / "media" / "cat.png"))
        self.assertEqual(images_of(self.folder / "two"), [])
        shutil.rmtree(self.folder / "one")
        self.assertIn("Verified", peel("backup", "verify", self.folder / "two"))
        self.assertIn("is not a backup", self.backup("three", "--earlier", self.folder / "one", expect=1))

    def test_secrets_only_if_wanted(self):
        (self.data / "search.token").write_text("t" * 48)
        env = {"PEEL_ADMIN_PASSWORD": 'hush "$1\\', "PEEL_PORT": "8123", "PEEL_CORS_ORIGINS": "https://a.example",
               "PEEL_SEARCH_DB": "", "PEEL_ADMIN_TOKEN": ADMIN_TOKEN}  # fmt: skip
        peel("backup", self.folder / "one", "--data", self.data, env=env)
        settings = (self.folder / "one" / "settings.env").read_text()
        self.assertIn('PEEL_PORT="8123"\n', settings)
        self.assertIn("# PEEL_ADMIN_PASSWORD is set, but secrets are not in this file\n", settings)
        self.assertNotIn("hush", settings)
        self.assertNotIn(ADMIN_TOKEN, settings)
        self.assertFalse((self.folder / "one" / "search.token").exists())

        peel("backup", self.folder / "two", "--data", self.data, "--with-secrets", env=env)
        for name in ("settings.env", "search.token"):
            self.assertEqual((self.folder / "two" / name).stat().st_mode & 0o777, 0o600)
        self.assertIn('PEEL_ADMIN_PASSWORD="hush \\"\\$1\\\\"\n', (self.folder / "two" / "settings.env").read_text())
        peel("backup", self.folder / "three", "--data", self.data, "--with-secrets", "--env-file", self.folder / "two" / "settings.env")
        self.assertEqual((self.folder / "three" / "settings.env").read_text(), (self.folder / "two" / "settings.env").read_text())
        peel("restore", self.folder / "two", "--data", self.folder / "new")
        self.assertEqual((self.folder / "new" / "search.token").read_text(), "t" * 48)
        self.assertEqual((self.folder / "new" / "search.token").stat().st_mode & 0o777, 0o600)
        self.assertFalse((self.folder / "new" / "settings.env").exists())

    def test_what_cannot_be_made(self):
        self.backup("one")
        self.assertIn("is there already: a backup goes into a new folder", self.backup("one", expect=1))
        self.assertIn("there is no database", peel("backup", self.folder / "two", "--data", self.folder / "nothing", expect=1))
        self.assertIn("usage: peel backup FOLDER", peel("backup", "verify", expect=2))
        self.assertIn("usage: peel backup FOLDER", peel("backup", "check", self.folder / "one", expect=2))
        self.assertEqual(sorted(p.name for p in self.folder.iterdir() if p.name != "data" and "partial" in p.name), [])

    def test_a_killed_one_is_begun_again(self):
        partial = self.folder / "one.partial"
        for milliseconds in (1, 5, 10, 20, 40):
            process = Process(["backup", str(self.folder / "one"), "--data", str(self.data)], self.folder / "killed.log")
            time.sleep(milliseconds / 1000)
            process.child.send_signal(signal.SIGKILL)
            process.child.wait()
            if (self.folder / "one").exists():  # it was quicker
                self.assertIn("Verified", peel("backup", "verify", self.folder / "one"))
                shutil.rmtree(self.folder / "one")
        partial.mkdir(exist_ok=True)
        (partial / "rubbish").write_text("of one that was killed")
        self.backup("one")
        self.assertFalse(partial.exists())
        self.assertFalse((self.folder / "one" / "rubbish").exists())

    def test_a_lost_image_does_not_stop_it(self):
        (self.data / "bucket" / "media" / "dog.png").unlink()
        done = subprocess.run([PEEL, "backup", self.folder / "one", "--data", self.data], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the images of 1 stickers were not in the bucket", done.stderr)
        self.assertEqual(json.loads((self.folder / "one" / "manifest.json").read_text())["images"]["missing"], 1)
        peel("backup", "verify", self.folder / "one")

    def test_an_older_schema_stays_what_it_is(self):
        db = sqlite3.connect(self.data / "sticker.db")
        db.executescript("DROP TABLE trash_words; DROP TABLE trash_scores; DROP TABLE trash_votes; DROP TABLE trash; "
                         "DELETE FROM schema_migrations WHERE version > 11; PRAGMA journal_mode = DELETE")  # fmt: skip
        db.close()
        self.assertIn("(schema 11)", self.backup("one"))
        self.assertEqual(rows(self.folder / "one" / "sticker.db", "SELECT max(version) FROM schema_migrations"), [(11,)])

    def test_without_images(self):
        said = json.loads(self.backup("one", "--no-images", "--json"))
        self.assertEqual((said["images"]["included"], said["images"]["count"]), (False, 0))
        peel("restore", self.folder / "one", "--data", self.folder / "new")
        self.assertFalse((self.folder / "new" / "bucket").exists())


class WhilePeopleWork(BackupTest):
    def test_nothing_that_was_acknowledged_is_missing(self):
        port = self.start("--trash-days", "0")
        self.assertEqual(request(port, "GET", "/api/search/?query=cake").status, 200)
        wait_until(lambda: b"peel_sticker_usage_pending 0" in request(port, "GET", "/metrics").body, 5, "counts")
        done, votes, uploaded, replaced = threading.Event(), [0], [], [0]
        vote = json.dumps({"feedback": [{"query": "cake", "positive": ["cake.png"]}]})

        def voting():
            while not done.is_set():
                votes[0] += request(port, "POST", "/api/feedback/", vote).status == 200

        def working():
            visitor, n = Visitor(port), 0
            visitor.log_in(password=PASSWORD)
            visitor.get(UPLOAD)
            while not done.is_set():
                n += 1
                if upload(visitor, f"up{n}.png", png(8, 8, (n % 256, n // 256, 7))).status == 200:
                    uploaded.append(f"up{n}.png")
                replaced[0] += upload(visitor, "dog.png", png(8, 8, (n % 256, n // 256, 9)), replace=True).status == 200
                time.sleep(0.5)

        def deleting():
            n = 0
            while not done.is_set():
                n += 1
                self.system.add({f"gone{n}.png": ("Gone", "gone")})
                self.system.run("delete", f"gone{n}.png", "--yes")

        threads = [threading.Thread(target=work) for work in (voting, voting, working, deleting)]
        for thread in threads:
            thread.start()
        before = {}
        try:
            for i in range(4):
                time.sleep(0.3)
                before[i] = votes[0], list(uploaded)
                self.backup(f"b{i}", *(["--earlier", self.folder / f"b{i - 1}"] if i else []))
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertTrue(votes[0] and uploaded and replaced[0])
        for i, (counted, names) in before.items():
            folder = self.folder / f"b{i}"
            peel("backup", "verify", folder)
            self.assertEqual(images_of(folder), [])
            self.assertEqual(json.loads((folder / "manifest.json").read_text())["images"]["missing"], 0)
            stored = {name for name, in rows(folder / "sticker.db", "SELECT filename FROM stickers")}
            self.assertEqual(set(names) - stored, set())
            self.assertGreaterEqual(rows(folder / "sticker.db", "SELECT sum(positives) FROM scores")[0][0], counted)
            # Both databases are of one moment: what is indexed differs only by what waits in the outbox.
            documents = {name for name, in rows(folder / "search.db", "SELECT filename FROM documents")}
            waiting = {name for name, in rows(folder / "sticker.db", "SELECT filename FROM outbox")}
            self.assertEqual((documents ^ stored) - waiting, set())
        self.stop()


@unittest.skipIf(s3_testing.unavailable(), s3_testing.unavailable())
class FromS3(unittest.TestCase):
    def test_images_come_from_s3_and_go_back(self):
        s3, system = s3_testing.S3(), System()
        self.addCleanup(s3.close)
        self.addCleanup(system.close)
        env = {**s3.environment(), "PEEL_BUCKET": f"s3://{s3_testing.BUCKET}/a"}
        os.environ.update(env)
        self.addCleanup(lambda: [os.environ.pop(name) for name in env])
        system.add(STICKERS)
        one = system.folder / "one"
        peel("backup", one, "--data", system.data)
        self.assertEqual(images_of(one), [])
        self.assertIn("# PEEL_S3_SECRET_KEY is set", (one / "settings.env").read_text())
        elsewhere = {"PEEL_BUCKET": f"s3://{s3_testing.BUCKET}/b"}
        peel("restore", one, "--data", system.folder / "new", env=elsewhere)
        again = json.loads(peel("backup", system.folder / "two", "--data", system.folder / "new", "--json", env=elsewhere))
        self.assertEqual((again["images"]["count"], again["images"]["missing"]), (len(STICKERS), 0))


@unittest.skipIf(unavailable(), unavailable())
class OnPostgres(BackupTest):
    def setUp(self):
        self.server = Postgres()
        self.addCleanup(self.server.close)
        self.databases = {"PEEL_STICKER_DB": self.server.url("peel_sticker"), "PEEL_SEARCH_DB": self.server.url("peel_search")}
        os.environ.update(self.databases)
        self.addCleanup(lambda: [os.environ.pop(name, None) for name in self.databases])
        super().setUp()

    def tool(self, name, *args):
        done = subprocess.run([f"{programs()}/{name}", "-h", "127.0.0.1", "-p", str(self.server.port), "-U", "peel", *map(str, args)],
                              capture_output=True, text=True)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_dumps_and_images(self):
        """The steps of docs/howto/backup.md."""
        port = self.start()
        self.assertEqual(request(port, "GET", "/api/search/?query=cake").status, 200)
        wait_until(lambda: b"peel_sticker_usage_pending 0" in request(port, "GET", "/metrics").body, 5, "counts")
        vote = json.dumps({"feedback": [{"query": "cake", "positive": ["cake.png"]}]})
        self.assertEqual(request(port, "POST", "/api/feedback/", vote).status, 200)
        for name in ("peel_sticker", "peel_search"):
            self.tool("pg_dump", "--format=custom", f"--file={self.folder / name}.dump", name)
        done = subprocess.run([PEEL, "backup", self.folder / "one", "--data", self.data], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("both databases are on a PostgreSQL server and not in this backup", done.stderr)
        self.assertEqual(sorted(p.name for p in (self.folder / "one" / "media").iterdir()), sorted(STICKERS))
        self.assertFalse((self.folder / "one" / "sticker.db").exists())
        self.stop()

        for name in ("peel_sticker", "peel_search"):
            self.tool("createdb", "--template", "template0", "--encoding", "UTF8", f"{name}_restored")
            self.tool("pg_restore", "--no-owner", "--role=peel", f"--dbname={name}_restored", self.folder / f"{name}.dump")
        os.environ.update({name: url + "_restored" for name, url in self.databases.items()})
        self.system.data = self.data = self.folder / "new"
        peel("restore", self.folder / "one", "--data", self.data)
        self.start()
        self.assertEqual(self.served(), (["cake.png"], {"cat.png": 200, "dog.png": 200, "cake.png": 200}))
        wait_until(lambda: "cake,2,cake.png,1,0" in self.system.run("export").stdout, what="both searches and the vote")
        self.stop()

    def test_a_sqlite_backup_does_not_go_there(self):
        os.environ.pop("PEEL_STICKER_DB")
        os.environ.pop("PEEL_SEARCH_DB")
        self.system.add({"own.png": ("Own", "own")})
        self.backup("one")
        message = peel("restore", self.folder / "one", "--data", self.folder / "new", env=self.databases, expect=1)
        self.assertIn("cannot be restored into PostgreSQL: restore it into a file, and move it with `peel store copy`", message)


if __name__ == "__main__":
    main()
