#!/usr/bin/env python3
"""peel store copy: a used system moves from SQLite to PostgreSQL and back and goes on as it was; a copy that is
interrupted, of a database that changes, of something else."""

import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import unittest

from peel_testing import ADMIN_TOKEN, MODE, PEEL, SLOW, STICKERS, System, main, request, wait_until
from postgres_testing import Postgres, programs, unavailable

missing = unavailable()
PHRASES = [("Café, \"x\" \\", b"\x00\xff\n"), ("cat", b"\x80\x00")]  # by their bytes


def copy(source, target, expect=0):
    done = subprocess.run([PEEL, "store", "copy", str(source), str(target)], capture_output=True, text=True, timeout=120 * SLOW)
    assert done.returncode == expect, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout if expect == 0 else done.stderr


def tables(said):
    """{table: (rows, checksum)} as the command prints them."""
    lines = [line.split() for line in said.splitlines()[1:-1]]
    return {name: (int(rows), checksum) for name, rows, checksum in lines}


class Used(unittest.TestCase):
    """Both services on SQLite, searched, voted on and looked after, then stopped."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.sticker, cls.search = cls.system.data / "sticker.db", cls.system.data / "search.db"
        cls.system.add(STICKERS)
        cls.start(cls.system, cls.sticker, cls.search)
        cls.use(cls.system)
        cls.system.run("user", "create", "ann", stdin="a long password\n")
        cls.system.run("token", "create", "ann")
        cls.stop(cls.system)
        for path, table in ((cls.sticker, "stickers"), (cls.search, "documents")):
            with sqlite3.connect(path) as db:
                db.execute(f"UPDATE {table} SET pack = 'sweets', rating = 2, animated = 1 WHERE filename = 'cake.png'")
            db.close()
        with sqlite3.connect(cls.sticker) as db:
            db.execute("INSERT INTO pins SELECT 'p1', 'cake', 'de', id, 2, 1, 1 FROM stickers WHERE filename = 'cake.png'")
            db.execute("INSERT INTO synonyms VALUES ('s1', 'gateau', '', 'cake, birthday', 1, 1, 1)")
            db.executescript("""
                INSERT INTO trash (row, id, filename, title, pack, author, license, source, rating, animated, sha256, mime, bytes, width, height,
                    created_us, modified_us, deleted_us, deleted_by) VALUES (9, 'tr', 'old.png', 'Old', '', '', '', '', 1, 0, 'ab', 'image/png', 1, 2, 3, 4, 5, 6, 'ann');
                INSERT INTO trash_words VALUES (9, 'de', 'Alt', 'alt, früher');
                INSERT INTO trash_scores SELECT 'ts', 9, id, 3, 1, 7, 8 FROM queries WHERE query = 'birthday cake';
                INSERT INTO trash_votes SELECT 9, 'voter', id, 1, 7, 8 FROM queries WHERE query = 'birthday cake';
                INSERT INTO saved_views SELECT 'vw', id, 'stickers', 'Sweets', 'pack=sweets', 9 FROM users WHERE username = 'ann';
                UPDATE history SET batch = 'together' WHERE row = 1;""")
        db.close()
        with sqlite3.connect(cls.search) as db:
            db.execute("INSERT INTO models (id, name, generation, created_us, modified_us) VALUES (77, 'test/copied', 1, 1, 1)")
            db.executemany("INSERT INTO phrase_vectors VALUES (77, ?, ?)", PHRASES)
        db.close()
        if not missing:
            cls.server = Postgres()
            cls.addClassCleanup(cls.server.close)

    @staticmethod
    def start(system, sticker, search):
        system.search = system.start_process("search", "search-service", "--search-port", "0", "--search-db", str(search))
        system.search_port = int(system.search.wait_for(r"listening on \S+ port (\d+)")[1])
        system.start_sticker("--sticker-db", str(sticker))

    @staticmethod
    def stop(system):
        for process in system.processes:
            assert process.stop() == 0, process.log()
        system.processes.clear()
        for log in system.folder.glob("*.log"):
            log.unlink()

    @staticmethod
    def use(system):
        """What people do: a new query each time, votes, a vote that is sent twice, a changed sticker."""
        n = Used.uses = getattr(Used, "uses", 0) + 1
        for query in (f"cat {n}", "birthday cake"):
            assert request(system.port, "GET", "/api/search/?query=" + query.replace(" ", "%20")).status == 200
        body = json.dumps({"feedback": [{"query": "birthday cake", "positive": ["cake.png"], "negative": ["dog.png", "gone.png"]},
                                        {"query": f"cat {n}", "voter": "ann", "positive": ["cat.png"]},
                                        {"query": "birthday cake", "voter": "ann", "positive": ["cake.png"]}]})
        for _ in range(2):
            assert request(system.port, "POST", "/api/feedback/", body, {"Idempotency-Key": f"key-{n}"}).status in (200, 201)

    def seen(self, sticker):
        """What the two services answer; nothing of it is counted."""
        system, answers = self.system, {}
        for query in ("cat", "birthday%20cake", "re", "gr%C3%BC%C3%9Fe"):
            found = request(system.search_port, "GET", f"/api/search/?query={query}&algorithm=lexical").json()
            answers[query] = found["results"]
        self.assertEqual(answers["birthday%20cake"][0]["filename"], "cake.png")
        votes = request(system.port, "GET", "/api/analytics/?query=birthday%20cake", headers={"Authorization": f"Token {ADMIN_TOKEN}"})
        self.assertEqual(votes.status, 200)
        answers["votes"] = votes.json()
        answers["export"] = system.run("export", "--format", "csv", "--sticker-db", str(sticker)).stdout
        self.assertRegex(answers["export"], r"birthday cake,\d+,cake.png,\d+,0,")
        return answers

    @unittest.skipIf(missing, missing)
    def test_there_and_back(self):
        places = [(self.sticker, self.search), (self.server.url("st"), self.server.url("se")), (self.system.data / "s2.db", self.system.data / "i2.db")]
        copied = []
        for (sticker, search), (next_sticker, next_search) in zip(places, places[1:]):
            self.start(self.system, sticker, search)
            self.use(self.system)
            self.stop(self.system)  # writes what it counted in memory
            self.start(self.system, sticker, search)
            before = self.seen(sticker)
            self.stop(self.system)
            said = copy(sticker, next_sticker), copy(search, next_search)
            self.assertRegex(said[0], r"Copied the sticker database: \d+ rows\.\n$")
            self.assertRegex(said[1], r"Copied the search database: \d+ rows\.\n$")
            copied.append(tables(said[0]))
            self.start(self.system, next_sticker, next_search)
            self.assertEqual(self.seen(next_sticker), before)
            self.stop(self.system)
        for have in copied:
            self.assertEqual(have["stickers"][0], len(STICKERS))
            self.assertEqual(have["terms"][0], len(STICKERS))
            self.assertEqual((have["users"][0], have["tokens"][0]), (2, 2))
            self.assertEqual((have["pins"][0], have["synonyms"][0]), (1, 1))
        self.assertEqual(copied[1]["feedback_keys"][0], copied[0]["feedback_keys"][0] + 1)
        self.assertEqual(copied[1]["votes"][0], copied[0]["votes"][0] + 1, "of known voters")
        self.assertEqual(copied[1]["queries"][0], copied[0]["queries"][0] + 1, "a query more, whose number was free")
        # Changed nowhere: the same rows again, also without PostgreSQL between.
        direct = tables(copy(self.system.data / "s2.db", self.system.data / "s3.db"))
        again = tables(copy(self.system.data / "s3.db", self.server.url("st3")))
        self.assertEqual(direct, again)
        for path, table in (("s3.db", "stickers"), ("i2.db", "documents")):
            with sqlite3.connect(self.system.data / path) as db:
                self.assertEqual(db.execute(f"SELECT pack, rating, animated FROM {table} WHERE filename = 'cake.png'").fetchall(), [("sweets", 2, 1)])
            db.close()
        with sqlite3.connect(self.system.data / "i2.db") as db:
            self.assertEqual(db.execute("SELECT phrase, code FROM phrase_vectors WHERE model_id = 77 ORDER BY phrase").fetchall(), PHRASES)
        db.close()
        with sqlite3.connect(self.system.data / "s3.db") as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(db.execute("PRAGMA foreign_key_check").fetchall(), [])
            self.assertEqual(db.execute("SELECT count(*) FROM queries_fts WHERE queries_fts MATCH 'birthday'").fetchone(), (1,))
        psql = [f"{programs()}/psql", "-qAt", self.server.url("st3"), "-c"]
        found = "SELECT count(*) FROM query_search WHERE words @@ to_tsquery('simple', 'birthday')"
        self.assertEqual(subprocess.run([*psql, found], capture_output=True, text=True, check=True).stdout, "1\n")
        found = "SELECT count(*) FROM sticker_search WHERE words @@ to_tsquery('simple', 'kitten')"
        self.assertEqual(subprocess.run([*psql, found], capture_output=True, text=True, check=True).stdout, "1\n")

    def large(self):
        """A copy of the sticker database with many queries and scores."""
        path = self.system.data / "large.db"
        if path.exists():
            return path
        copy(self.sticker, path)
        with sqlite3.connect(path) as db:
            rows = [(f"q{i:08}", f"query number {i}", i, 1, 1, 1_000_000 + i) for i in range(40_000)]
            db.executemany("INSERT INTO queries (id, query, usage, created_us, modified_us, row) VALUES (?, ?, ?, ?, ?, ?)", rows)
            sticker = db.execute("SELECT id FROM stickers").fetchone()[0]
            db.executemany("INSERT INTO scores VALUES (?, ?, ?, ?, 1, 1, 1)", [(f"s{i}", row[0], sticker, i % 5) for i, row in enumerate(rows)])
        db.close()
        return path

    def interrupted(self, source, target, number, more_than=0):
        """The copy's end by the signal, in the middle, when more queries are there."""
        child = subprocess.Popen([PEEL, "store", "copy", str(source), str(target)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def begun():
            self.assertIsNone(child.poll(), "it was over before it could be interrupted")
            return self.count(target, "queries") > more_than

        wait_until(begun, 30, "some rows")
        child.send_signal(number)
        said = child.communicate(timeout=60 * SLOW)[1]
        return child.returncode, said

    def count(self, target, table):
        if isinstance(target, pathlib.Path):
            try:
                with sqlite3.connect(f"file:{target}?mode=ro", uri=True) as db:
                    return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            except sqlite3.Error:
                return 0
        done = subprocess.run([f"{programs()}/psql", "-qAt", target, "-c", f"SELECT count(*) FROM {table}"], capture_output=True, text=True)
        return int(done.stdout or 0)

    def goes_on(self, source, target):
        code, said = self.interrupted(source, target, signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        kept = self.count(target, "queries")
        refused = self.system.run("status", "--sticker-db", str(target), check=False)
        self.assertEqual(refused.returncode, 1, "no service takes half a database for a whole one")
        code, said = self.interrupted(source, target, signal.SIGTERM, kept)
        self.assertEqual((code, said.splitlines()[-1]), (1, "peel: stopped; run the same command again to continue"))
        self.assertGreaterEqual(self.count(target, "queries"), kept)
        said = copy(source, target)
        self.assertGreaterEqual(tables(said)["queries"][0], 40_000)
        self.assertEqual(self.count(target, "scores"), tables(said)["scores"][0])
        self.assertIn("queries", self.system.run("status", "--sticker-db", str(target)).stdout)
        self.assertIn("a copy goes into a new database only", copy(source, target, expect=1))

    def test_interrupted_goes_on(self):
        self.goes_on(self.large(), self.system.data / "resumed.db")

    @unittest.skipIf(missing or MODE != "release", missing or "its SQL is the same in every build")
    def test_interrupted_goes_on_in_postgres(self):
        self.goes_on(self.large(), self.server.url("resumed"))

    def test_changed_meanwhile(self):
        source, target = self.system.data / "changing.db", self.system.data / "stale.db"
        shutil.copy(self.large(), source)
        self.assertEqual(self.interrupted(source, target, signal.SIGTERM)[0], 1)
        with sqlite3.connect(source) as db:
            db.execute("UPDATE queries SET usage = usage + 1 WHERE id = 'q00000001'")
        said = copy(source, target, expect=1)
        self.assertRegex(said, r"table queries is not the same: 4\d+ rows of .*changing.db, 4\d+ of .*stale.db; if the first was in use")
        self.assertEqual(self.system.run("status", "--sticker-db", str(target), check=False).returncode, 1)

    def refuses_what_it_would_lose(self, run, source, target):
        """Whatever the copy does not know (and so the next column that somebody forgets) is named, not lost."""
        for change, undo, named in (
                ("ALTER TABLE stickers ADD COLUMN mood integer NOT NULL DEFAULT 3", "ALTER TABLE stickers DROP COLUMN mood",
                 "a column mood in its table stickers"),
                ("CREATE TABLE moods (mood integer)", "DROP TABLE moods", "a table moods")):
            run(change)
            self.assertIn(named + ", which this program does not know to copy", copy(source, target, expect=1))
            run(undo)
        copy(source, target)

    def test_refuses_what_it_would_lose(self):
        odd = self.system.data / "odd.db"
        copy(self.sticker, odd)

        def run(sql):
            with sqlite3.connect(odd) as db:
                db.execute(sql)
            db.close()
        self.refuses_what_it_would_lose(run, odd, self.system.data / "even.db")

    @unittest.skipIf(missing, missing)
    def test_refuses_what_it_would_lose_of_postgres(self):
        odd = self.server.url("odd")
        copy(self.sticker, odd)
        psql = [f"{programs()}/psql", "-qAt", odd, "-c"]
        self.refuses_what_it_would_lose(lambda sql: subprocess.run([*psql, sql], check=True), odd, self.system.data / "odd2.db")

    def test_refused(self):
        data = self.system.data
        other = data / "other.db"
        with sqlite3.connect(other) as db:
            db.execute("CREATE TABLE notes (id INTEGER)")
        before = other.read_bytes()
        self.assertIn("is neither a sticker nor a search database of peel's", copy(other, data / "never.db", expect=1))
        self.assertEqual(other.read_bytes(), before, "what is copied from is only read")
        self.assertIn("nothing.db", copy(data / "nothing.db", data / "never.db", expect=1))
        self.assertIn("a copy goes into a new database only", copy(self.sticker, other, expect=1))
        self.assertIn("a copy goes into a new database only", copy(self.sticker, self.sticker, expect=1))
        self.assertIn("a copy goes into a new database only", copy(self.sticker, self.search, expect=1))
        self.assertIn("mysql", copy("mysql://x/y", data / "never.db", expect=1))
        self.assertFalse((data / "never.db").exists() or (data / "nothing.db").exists())
        self.assertEqual(subprocess.run([PEEL, "store", "move", "a", "b"], capture_output=True).returncode, 2)
        old = data / "old.db"
        copy(self.sticker, old)
        with sqlite3.connect(old) as db:
            db.execute("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)")
        self.assertRegex(copy(old, data / "never.db", expect=1), r"has schema version \d+, this program's is \d+: `peel migrate`")


if __name__ == "__main__":
    main()
