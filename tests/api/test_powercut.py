#!/usr/bin/env python3
"""A power cut at any moment: whatever was acknowledged is on the disk.

tests/powercut.c writes down what the programs do to their files. `Disk` replays that up to a moment and makes the folder as
the disk may have it then: what was synced is there; what was not is lost, or there in part, torn at sectors; and a name that a
folder was not synced for may be missing. On each such folder SQLite must find its databases whole, with all that was
acknowledged before that moment."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import subprocess
import threading
import unittest

from peel_testing import MODE, ROOT, STICKERS, UPLOAD, System, figures, main, multipart, png, request, wait_until
from test_admin import PASSWORD, Visitor

CREATE, WRITE, TRUNCATE, SYNC_BEGINS, SYNCED, ALL_SYNC_BEGINS, ALL_SYNCED, RENAME, LINK, UNLINK, MKDIR, NOTE = range(1, 13)
RECORD = struct.Struct("<IIQQQQ")
SECTOR = 512
CUTS = int(os.environ.get("POWER_CUTS", "150"))


class File:
    def __init__(self):
        self.synced, self.pending = bytearray(), []  # (when, offset, data), or (when, length, None)

    @staticmethod
    def apply(content, offset, data):
        if data is None:
            del content[offset:]
            content.extend(bytes(offset - len(content)))
        else:
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data

    def sync(self, before):
        while self.pending and self.pending[0][0] < before:
            _, offset, data = self.pending.pop(0)
            self.apply(self.synced, offset, data)

    def after_cut(self, kept):
        content = bytearray(self.synced)
        for _, offset, data in self.pending:
            if data is None:
                if kept():
                    self.apply(content, offset, None)
                continue
            at = 0
            while at < len(data):  # a sector is written, or not
                end = min(len(data), (offset + at) // SECTOR * SECTOR + SECTOR - offset)
                if kept():
                    self.apply(content, offset + at, data[at:end])
                at = end
        return bytes(content)


class Folder:
    def __init__(self):
        self.names, self.synced, self.pending = {}, {}, []  # pending: (when, {name: node or None})

    def change(self, when, names):
        self.pending.append((when, names))
        self.apply(self.names, names)

    @staticmethod
    def apply(names, changes):
        for name, node in changes.items():
            names.pop(name, None)
            if node:
                names[name] = node

    def sync(self, before):
        while self.pending and self.pending[0][0] < before:
            self.apply(self.synced, self.pending.pop(0)[1])

    def after_cut(self, folder, kept):
        """Changes of names reach the disk in their order, up to one of them."""
        names = dict(self.synced)
        for _, changes in self.pending:
            if not kept():
                break
            self.apply(names, changes)
        folder.mkdir()
        for name, node in names.items():
            if isinstance(node, Folder):
                node.after_cut(folder / name, kept)
            else:
                (folder / name).write_bytes(node.after_cut(kept))


class Disk:
    def __init__(self):
        self.root, self.inodes, self.begun, self.when = Folder(), {}, {}, 0

    def find(self, path):
        *folders, name = path.split("/")
        node = self.root
        for part in folders:
            node = node.names[part]
        return node, name

    def nodes(self, node=None):
        node = node or self.root
        yield node
        for inner in node.names.values() if isinstance(node, Folder) else ():
            yield from self.nodes(inner)

    def do(self, kind, inode, offset, thread, path, data):
        self.when += 1
        if kind == CREATE:
            folder, name = self.find(path)
            self.inodes[inode] = File()
            folder.change(self.when, {name: self.inodes[inode]})
        elif kind in (WRITE, TRUNCATE):
            if inode in self.inodes:
                self.inodes[inode].pending.append((self.when, offset, data if kind == WRITE else None))
        elif kind in (SYNC_BEGINS, ALL_SYNC_BEGINS):
            self.begun[thread] = self.when
        elif kind == SYNCED:
            node = self.inodes.get(inode)
            if offset:  # a folder
                folder, name = self.find(path)
                node = folder.names[name] if name else folder
            if node:
                node.sync(self.begun.pop(thread))
        elif kind == ALL_SYNCED:
            for node in list(self.nodes()):
                node.sync(self.begun[thread])
        elif kind == MKDIR:
            folder, name = self.find(path)
            folder.change(self.when, {name: Folder()})
        elif kind == UNLINK:
            folder, name = self.find(path)
            folder.change(self.when, {name: None})
        elif kind in (RENAME, LINK):
            self.move(*self.find(path), *self.find(data.decode()), kind == LINK)

    def move(self, folder, name, to, new, linked):
        node = folder.names[name]
        gone = {} if linked else {name: None}
        if folder is to:
            folder.change(self.when, {**gone, new: node})
        else:
            to.change(self.when, {new: node})
            folder.change(self.when, gone)


def read_log(path):
    data, at, out = path.read_bytes(), 0, []
    while at < len(data):
        kind, n, inode, offset, length, thread = RECORD.unpack_from(data, at)
        at += RECORD.size
        out.append((kind, inode, offset, thread, data[at : at + n].decode(), data[at + n : at + n + length]))
        at += n + length
    return out


@unittest.skipIf(MODE != "release", "a sanitizer would come before the library")
@unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
class PowerCut(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        library = self.system.folder / "powercut.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests/powercut.c", "-ldl"], check=True)
        self.log = self.system.folder / "powercut.log"
        self.system.data.mkdir()
        self.environment = {"LD_PRELOAD": str(library), "POWERCUT_FOLDER": str(self.system.data), "POWERCUT_LOG": str(self.log)}
        os.environ.update(self.environment)
        self.addCleanup(lambda: [os.environ.pop(name, None) for name in self.environment])
        self.lock = threading.Lock()

    def note(self, **what):
        """Stands in the log where it became true for others."""
        data = json.dumps(what).encode()
        fd = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, RECORD.pack(NOTE, 0, 0, 0, len(data), 0) + data)
        os.close(fd)

    def add(self, stickers):
        self.system.add(stickers)
        for name in stickers:
            self.note(sticker=name)

    def upload(self, visitor, name, data):
        body, kind = multipart([("csrf", visitor.csrf), ("replace", "1")], [(name, data)])
        sha256 = hashlib.sha256(data).hexdigest()
        self.note(trying=name, sha256=sha256)
        answer = request(visitor.port, "POST", UPLOAD, body, {
            "Content-Type": kind, "Cookie": "; ".join(f"{k}={v}" for k, v in visitor.cookies.items()),
            "Accept": "application/json", "X-CSRF-Token": visitor.csrf})  # fmt: skip
        self.assertEqual(answer.status, 200, answer.body)
        self.note(image=name, sha256=sha256)

    def use(self):
        """Everything that is acknowledged as durable, with notes when it was."""
        self.system.start_search()
        self.system.start_sticker()
        port = self.system.port
        visitor = Visitor(port)
        visitor.log_in(password=PASSWORD)
        visitor.get(UPLOAD)
        self.upload(visitor, "first.png", png())  # into folders that nobody has synced as a whole
        self.add(STICKERS)
        self.system.wait_indexed()
        request(port, "GET", "/api/search/?query=cake")
        wait_until(lambda: b"peel_sticker_usage_pending 0" in request(port, "GET", "/metrics").body, 5, "counts")
        vote = json.dumps({"feedback": [{"query": "cake", "positive": ["cake.png"]}]})
        for n in range(12):
            for i in range(3):
                self.assertEqual(request(port, "POST", "/api/feedback/", vote).status, 200)
                self.note(votes=3 * n + i + 1)
            self.upload(visitor, f"up{n % 8}.png", png(8, 8, (n, 5, 5)))
        self.system.run("user", "create", "ann", stdin="a long password\n")
        self.note(user="ann")
        self.add({"new.png": ("New", "new"), "newer.png": ("Newer", "new")})
        self.system.wait_indexed()
        for process in self.system.processes:
            self.assertEqual(process.stop(), 0, process.log())

    def test_what_was_acknowledged_is_on_the_disk(self):
        self.use()
        for name in self.environment:
            os.environ.pop(name)
        log = read_log(self.log)
        dice = random.Random(int(os.environ.get("POWER_SEED", "1")))
        notes = [i + 1 for i, record in enumerate(log) if record[0] == NOTE]
        moments = sorted([(at, "none") for at in notes] + [(dice.randrange(notes[0], len(log) + 1), "some") for _ in range(CUTS)])
        disk, told, done = Disk(), [], 0
        for number, (moment, mode) in enumerate(moments):
            for record in log[done:moment]:
                told.append(json.loads(record[5])) if record[0] == NOTE else disk.do(*record)
            done = moment
            share = 0 if mode == "none" else dice.random()
            folder = self.system.folder / f"cut{number}"
            disk.root.after_cut(folder, lambda: dice.random() < share)
            with self.subTest(moment=moment, of=len(log), mode=mode):
                self.check(folder, told)
            shutil.rmtree(folder)
        figures(f"power cuts: {len(moments)}, in a log of {len(log)} changes of files")

    def check(self, folder, told):
        database = self.open(folder / "sticker.db")
        rows = dict(database.execute("SELECT filename, sha256 FROM stickers").fetchall())
        images, trying = {}, {}
        for note in told:
            if "sticker" in note:
                self.assertIn(note["sticker"], rows)
                images.setdefault(note["sticker"], rows[note["sticker"]])
            elif "trying" in note:
                trying[note["trying"]] = note["sha256"]
            elif "image" in note:
                images[note["image"]] = trying.pop(note["image"])
        for name, sha256 in images.items():
            found = hashlib.sha256((folder / "bucket" / "media" / name).read_bytes()).hexdigest()
            self.assertIn(rows.get(name), (sha256, trying.get(name, sha256)), f"the row of {name}")
            self.assertIn(found, (sha256, trying.get(name, sha256)), f"the image of {name}")
        votes = max((note["votes"] for note in told if "votes" in note), default=0)
        if votes:
            self.assertGreaterEqual(database.execute("SELECT sum(positives) FROM scores").fetchone()[0] or 0, votes)
        for user in (note["user"] for note in told if "user" in note):
            self.assertEqual(len(database.execute("SELECT 1 FROM users WHERE username = ?", (user,)).fetchall()), 1)
        if (folder / "search.db").exists():
            self.check_search(folder, database, rows)
        database.close()

    def check_search(self, folder, database, rows):
        """What SearchService accepted is forgotten by StickerService, so it must be there."""
        search = self.open(folder / "search.db")
        if search.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'documents'").fetchone()[0]:
            waiting = {name for name, in database.execute("SELECT filename FROM outbox")}
            documents = {name for name, in search.execute("SELECT filename FROM documents")}
            self.assertEqual(set(rows) - waiting - documents, set())
        search.close()

    def open(self, path):
        database = sqlite3.connect(path)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)], path.name)
        return database


class Replaying(unittest.TestCase):
    """The replay itself: what is not synced is lost."""

    def setUp(self):
        self.disk = Disk()
        self.folder = pathlib.Path(System().folder)
        self.addCleanup(shutil.rmtree, self.folder)

    def left(self, *records):
        for record in records:
            self.disk.do(*record)
        self.disk.root.after_cut(self.folder / "cut", lambda: False)
        found = {str(p.relative_to(self.folder / "cut")): p.read_bytes() for p in (self.folder / "cut").rglob("*") if p.is_file()}
        shutil.rmtree(self.folder / "cut")
        return found

    def test_files_and_names(self):
        self.assertEqual(self.left((MKDIR, 0, 0, 1, "a", b""), (CREATE, 7, 0, 1, "a/x", b""), (WRITE, 7, 0, 1, "", b"one")), {})
        self.assertEqual(self.left((SYNC_BEGINS, 7, 0, 1, "", b""), (WRITE, 7, 3, 1, "", b"two"), (SYNCED, 7, 0, 1, "", b"")), {})
        self.assertEqual(self.left((SYNC_BEGINS, 8, 1, 1, "a", b""), (SYNCED, 8, 1, 1, "a", b"")), {})
        self.assertEqual(self.left((SYNC_BEGINS, 9, 1, 1, "", b""), (SYNCED, 9, 1, 1, "", b"")), {"a/x": b"one"})
        self.assertEqual(self.left((RENAME, 0, 0, 1, "a/x", b"a/y")), {"a/x": b"one"})
        self.assertEqual(self.left((ALL_SYNC_BEGINS, 0, 0, 1, "", b""), (ALL_SYNCED, 0, 0, 1, "", b"")), {"a/y": b"onetwo"})
        self.assertEqual(self.left((TRUNCATE, 7, 2, 1, "", b""), (SYNC_BEGINS, 7, 0, 1, "", b""), (SYNCED, 7, 0, 1, "", b"")), {"a/y": b"on"})


if __name__ == "__main__":
    main()
