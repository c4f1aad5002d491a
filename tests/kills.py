"""kill -9 at random moments, counted: what the services acknowledged and lost, and what they counted twice.

    KILLS=10000 python3 tests/kills.py [sqlite|postgresql]

Both services and `peel import` are killed while people vote, upload and replace images, edit titles, import, and change the
default model. Whatever was acknowledged must be there afterwards, once; what was in flight may be there or not, but not in
pieces. tests/api/test_kills.py runs some dozens of kills, docs/RELIABILITY.md tells of the last long run."""

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "api"))
from peel_testing import ADMIN_TOKEN, PEEL, UPLOAD, System, multipart, png, request, wait_until  # noqa: E402
from postgres_testing import Postgres  # noqa: E402
from test_admin import PASSWORD, Visitor  # noqa: E402
from test_model import model_files  # noqa: E402

CHECK = 200  # kills, after which everything is compared
NAMES = 40  # stickers that are uploaded, and that are imported, over and over
MODELS = ("small-a", "small-b")
GONE = (OSError, http.client.HTTPException)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Register:
    """A value that is written again and again: the last that was acknowledged, and those that were tried since."""

    def __init__(self, value=None):
        self.acknowledged, self.tried = value, []

    def write(self, value, write):
        """`write` says whether it was acknowledged; an exception or False leaves that open."""
        self.tried.append(value)
        if write():
            self.acknowledged, self.tried = value, []

    def wrong(self, found):
        return found != self.acknowledged and found not in self.tried

    def settle(self, found):
        self.acknowledged, self.tried = found, []


class Worker(threading.Thread):
    """Does one thing after another, each under its lock."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_, self.lock, self.n, self.acknowledged = run, threading.Lock(), 0, 0

    def run(self):
        while not self.run_.done.is_set():
            with self.lock:
                self.n += 1
                with contextlib.suppress(*GONE):
                    self.step()
            time.sleep(self.pause)

    def call(self, method, target, body=None, headers=None):
        return request(self.run_.port, method, target, body, headers, timeout=10)


class Voter(Worker):
    """With keys a vote whose answer was lost is sent again and counts once; without, it may have counted."""

    pause = 0

    def __init__(self, run, number, keyed):
        super().__init__(run)
        self.sticker, self.keyed, self.unknown = f"vote{number}.png", keyed, 0

    def step(self):
        body = json.dumps({"feedback": [{"query": "vote", "positive": [self.sticker]}]})
        headers = {"Idempotency-Key": f"{self.sticker}-{self.n}"} if self.keyed else {}
        while True:
            try:
                if self.call("POST", "/api/feedback/", body, headers).status == 200:
                    self.acknowledged += 1
                    return
            except ConnectionRefusedError:
                pass  # nobody heard it
            except GONE:
                if not self.keyed:
                    self.unknown += 1
                    return
            time.sleep(0.01)


class Admin(Worker):
    """Uploads images, each name many times, and edits a title."""

    pause = 0.02

    def __init__(self, run):
        super().__init__(run)
        self.images, self.title, self.visitor = {}, Register("Edited"), None

    def visit(self):
        if not self.visitor:
            visitor = Visitor(self.run_.port)
            if visitor.log_in(password=PASSWORD).status == 303:
                self.visitor = visitor
                visitor.get(UPLOAD)
        return self.visitor

    def step(self):
        if self.visit():
            self.edit() if self.n % 2 else self.upload()

    def upload(self):
        name, data = f"up{self.n // 2 % NAMES}.png", png(8, 8, (self.n % 256, self.n // 256 % 256, self.n // 65536))
        body, kind = multipart([("csrf", self.visitor.csrf), ("replace", "1")], [(name, data)])
        headers = {"Content-Type": kind, "Cookie": "; ".join(f"{k}={v}" for k, v in self.visitor.cookies.items()),
                   "Accept": "application/json", "X-CSRF-Token": self.visitor.csrf}  # fmt: skip
        register = self.images.setdefault(name, Register())
        register.write(hashlib.sha256(data).hexdigest(), lambda: self.ok(self.call("POST", UPLOAD, body, headers).status == 200))

    def edit(self):
        page = self.visitor.get("/admin/stickers/edit?id=edited.png")
        if page.status != 200:
            self.visitor = None
            return
        seen = page.text.split('name="seen" value="')[1].split('"')[0]
        title = f"Edited {self.n}"
        fields = {"title": title, "seen": seen}
        self.title.write(title, lambda: self.ok(self.visitor.post("/admin/stickers/edit?id=edited.png", **fields).status == 303))

    def ok(self, acknowledged):
        self.acknowledged += acknowledged
        return acknowledged


class Importer(Worker):
    """Imports new stickers, then changes them; is killed too."""

    pause = 0.1

    def __init__(self, run):
        super().__init__(run)
        self.titles, self.child = {}, None
        self.folder = run.system.folder / "import"
        self.folder.mkdir()

    def step(self):
        names, title = [f"import{(3 * self.n + i) % NAMES}.png" for i in range(3)], f"Imported {self.n}"
        for file in self.folder.iterdir():
            file.unlink()
        for name in names:
            (self.folder / name).write_bytes(png(8, 8, (int(name[6:-4]), 1, 2)))
        rows = "".join(f"{name},{title},imported,en\n" for name in names)
        (self.folder / "stickers.csv").write_text("filename,title,words,language\n" + rows)
        registers = [self.titles.setdefault(name, Register()) for name in names]
        for register in registers:
            register.tried.append(title)
        self.child = subprocess.Popen([PEEL, "import", "--update", "--quiet", str(self.folder), "--data", str(self.run_.system.data)],
                                      stdout=subprocess.DEVNULL, stderr=self.run_.log, stdin=subprocess.DEVNULL)  # fmt: skip
        if self.child.wait() == 0:
            self.acknowledged += 1
            for register in registers:
                register.settle(title)


class Swapper(Worker):
    """Changes the default model, and sends all stickers again now and then."""

    pause = 0.1

    def __init__(self, run):
        super().__init__(run)
        self.default = Register()

    def peel(self, *args):
        url = f"http://127.0.0.1:{self.run_.search_port}"
        done = subprocess.run([PEEL, *args, "--search-url", url, "--data", str(self.run_.system.data)], capture_output=True, text=True, timeout=60)
        return done.returncode == 0

    def step(self):
        if self.n % 10 == 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.peel("reindex", "--all", "--quiet")
            return
        model = MODELS[self.n % 2]
        self.default.write(model, lambda: self.peel("model", "use", model))
        self.acknowledged += not self.default.tried


class Run:
    def __init__(self, database="sqlite", seed=None):
        self.random = random.Random(seed)
        self.system, self.server, self.done = System(), None, threading.Event()
        self.kills, self.problems, self.children, self.workers = 0, [], {}, []
        self.port, self.search_port = free_port(), free_port()
        self.log = open(self.system.folder / "kills.log", "ab")
        self.env = {"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": PASSWORD, "ADMIN_TOKEN": ADMIN_TOKEN, "PEEL_SHED_WAIT_MS": "0",
                    "PEEL_SHUTDOWN_TIMEOUT_MS": "5000"}  # fmt: skip
        if database == "postgresql":
            self.server = Postgres()
            os.environ.update({"PEEL_STICKER_DB": self.server.url("k_sticker"), "PEEL_SEARCH_DB": self.server.url("k_search")})
        self.database = database

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        for model in MODELS:
            folder = self.system.data / "bucket" / "models" / model
            folder.mkdir(parents=True)
            for name, data in model_files().items():
                (folder / name).write_bytes(data)
        self.system.add({"vote1.png": ("Vote", "vote"), "vote2.png": ("Vote", "vote"), "edited.png": ("Edited", "edited")})
        for name in ("search", "sticker"):
            self.start(name)
        self.wait_alive("search", "sticker")
        self.know_query()

    def know_query(self):
        """Votes need a query that somebody searched for; it is written with a little delay."""
        assert request(self.port, "GET", "/api/search/?query=vote").status == 200
        wait_until(lambda: b"peel_sticker_usage_pending 0" in request(self.port, "GET", "/metrics").body, 20, "a known query")

    def start(self, name):
        args = {"search": ["search-service", "--search-port", str(self.search_port), "--threads", "1", "--workers", "2"],
                "sticker": ["sticker-service", "--port", str(self.port), "--search-url", f"http://127.0.0.1:{self.search_port}",
                            "--workers", "4"]}[name]  # fmt: skip
        self.children[name] = subprocess.Popen([PEEL, *args, "--data", str(self.system.data), "--log-level", "error"], stdin=subprocess.DEVNULL,
                                               stdout=self.log, stderr=self.log, env={**os.environ, **self.env})  # fmt: skip

    def wait_alive(self, *names):
        def alive(name):
            assert self.children[name].poll() is None, f"{name} ended with {self.children[name].returncode}: {self.said()}"
            try:
                return request({"search": self.search_port, "sticker": self.port}[name], "GET", "/healthz", timeout=2).status == 200
            except GONE:
                return False

        for name in names:
            wait_until(lambda name=name: alive(name), 30, f"{name} alive")

    def said(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")[-3000:]

    def work(self):
        self.voters = [Voter(self, 1, True), Voter(self, 2, False)]
        self.admin, self.importer, self.swapper = Admin(self), Importer(self), Swapper(self)
        self.workers = [*self.voters, self.admin, self.importer, self.swapper]
        for worker in self.workers:
            worker.start()

    def kill(self):
        """One of the two services, or both, or an import; sometimes while it starts."""
        victims = self.random.choice((["sticker"], ["sticker"], ["search"], ["search"], ["sticker", "search"], ["import"]))
        time.sleep(self.random.random() * 0.15)
        if victims == ["import"]:
            child = self.importer.child
            self.kills += bool(child and child.poll() is None)
            if child and child.poll() is None:
                child.send_signal(signal.SIGKILL)
            return
        for _ in range(2 if self.random.random() < 0.15 else 1):
            for name in victims:
                self.children[name].send_signal(signal.SIGKILL)
                self.children[name].wait()
                self.kills += 1
                self.start(name)
            time.sleep(self.random.random() * 0.05)
        self.wait_alive(*victims)

    def note(self, what):
        self.problems.append(f"after {self.kills} kills: {what}")
        print(self.problems[-1], flush=True)

    def stored_votes(self):
        answer = request(self.port, "GET", "/api/analytics/?query=vote", headers={"Authorization": f"Token {ADMIN_TOKEN}"})
        return {score["sticker"]: score["positives"] for score in answer.json()["feedback scores"]}

    def check(self):
        """Nobody works meanwhile."""
        with contextlib.ExitStack() as stack:
            for worker in self.workers:
                stack.enter_context(worker.lock)
            self.check_votes()
            self.check_stickers()
            self.check_search()

    def check_votes(self):
        keyed, plain = self.voters
        stored = self.stored_votes()
        if stored.get(keyed.sticker, 0) != keyed.acknowledged:
            self.note(f"{keyed.acknowledged} votes with keys were acknowledged, {stored.get(keyed.sticker, 0)} are stored")
        if not plain.acknowledged <= stored.get(plain.sticker, 0) <= plain.acknowledged + plain.unknown:
            self.note(f"{plain.acknowledged} votes were acknowledged and {plain.unknown} open, {stored.get(plain.sticker, 0)} are stored")

    def rows(self):
        def export():
            visitor = Visitor(self.port)
            visitor.log_in(password=PASSWORD)
            answer = visitor.get("/admin/stickers/export?format=json")
            return answer.status == 200 and answer  # else the service finds out just now that its database was killed

        return {row["filename"]: row for row in wait_until(export, 30, "the stickers").json()}

    def torn(self):
        """The stickers whose image is not the one that their row is of."""
        out = []
        for name, row in self.rows().items():
            image = request(self.port, "GET", f"/media/{name}")
            if image.status != 200 or hashlib.sha256(image.body).hexdigest() != row["sha256"]:
                out.append(name)
        return out

    def check_stickers(self):
        """A service that was killed between an image and its row is found out some seconds later."""
        try:
            wait_until(lambda: not self.torn(), 30, "an image for each row")
        except AssertionError:
            self.note(f"other images than the rows say: {', '.join(self.torn())}")
        rows = self.rows()
        titles = {**self.importer.titles, "edited.png": self.admin.title}
        for name, register in titles.items():
            self.compare(f"title of {name}", register, rows.get(name, {}).get("title"))
        for name, register in self.admin.images.items():
            self.compare(f"image of {name}", register, rows.get(name, {}).get("sha256"))

    def compare(self, what, register, found):
        if register.wrong(found):
            self.note(f"{what}: {register.acknowledged!r} was acknowledged, {found!r} is stored")
        register.settle(found)

    def check_search(self):
        def indexed():
            ready = request(self.port, "GET", "/readyz").json()["checks"]
            return ready["outbox"]["pending"] == 0 and ready["index"].get("status") == "ok"

        try:
            wait_until(indexed, 60, "a whole index")
        except AssertionError:
            self.note(f"the index is not complete: {request(self.port, 'GET', '/readyz').json()['checks']}")
        models = request(self.search_port, "GET", "/api/models").json()["models"]
        default = [m["id"] for m in models if m.get("default")]
        if self.swapper.default.acknowledged or self.swapper.default.tried:
            self.compare("default model", self.swapper.default, default[0] if default else None)

    def run(self, kills, seconds=None):
        began, checked = time.monotonic(), 0
        self.work()
        while self.kills < kills and (seconds is None or time.monotonic() - began < seconds):
            self.kill()
            if self.kills - checked >= CHECK:
                checked = self.kills
                self.check()
                print(self.report(time.monotonic() - began), flush=True)
        self.check()
        self.done.set()
        for worker in self.workers:
            worker.join(60)
        return self.report(time.monotonic() - began)

    def report(self, seconds):
        keyed, plain = self.voters
        return (f"{self.database}: {self.kills} kills in {seconds:.0f} s; acknowledged: {keyed.acknowledged + plain.acknowledged} votes, "
                f"{self.admin.acknowledged} uploads and edits, {self.importer.acknowledged} imports, {self.swapper.acknowledged} changes of the "
                f"model; {plain.unknown} votes stayed open; {len(self.problems)} lost, counted twice or torn")  # fmt: skip

    def __exit__(self, *_):
        self.done.set()
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
                child.wait(30)
        if self.database == "sqlite":
            for path in self.system.data.glob("*.db"):
                db = sqlite3.connect(path)
                if (said := db.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                    self.note(f"{path.name}: {said}")
                db.close()
        else:
            os.environ.pop("PEEL_STICKER_DB")
            os.environ.pop("PEEL_SEARCH_DB")
            self.server.close()
        self.log.close()
        self.system.close()


def main():
    database = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    seconds = os.environ.get("KILLS_SECONDS")
    with Run(database) as run:
        said = run.run(int(os.environ.get("KILLS", "10000")), float(seconds) if seconds else None)
    print(said)
    sys.exit(1 if run.problems else 0)


if __name__ == "__main__":
    main()
