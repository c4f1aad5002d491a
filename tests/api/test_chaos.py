"""What goes wrong under load: SearchService killed, slow, talking rubbish and stopped, its PostgreSQL stopped and away, and a
disk that is full. Customers get answers or a clear 503, what was acknowledged is stored once, and everything recovers by itself."""

import contextlib
import itertools
import os
import pathlib
import signal
import subprocess
import time
import unittest

from peel_testing import MODE, SLOW, STICKERS, FakeSearch, System, figures, main, request, stop, wait_until
from postgres_testing import Postgres, unavailable
from test_sticker_crowd import Client, add_up, scores

CLIENTS = 8
no_postgres = unavailable()
PHASE = 1.0  # seconds that each trouble lasts


class Customer(Client):
    """Searches and votes without a pause, and remembers what came when."""

    def __init__(self, port, number):
        super().__init__(port, number, 1000000, forgiving=True)
        self.seen, self.unclear = [], []  # (when, seconds, is a search, status, degraded); what nobody should get

    def call(self, method, target, body=None):
        began = time.monotonic()
        status, body = super().call(method, target, body)
        now = time.monotonic()
        self.seen.append((now, now - began, method == "GET", status, b'"degraded":true' in body))
        if status == 503 and self.headers["Retry-After"]:
            time.sleep(0.02)
        elif status != 200:
            self.unclear.append((method, target, status, body[:200]))
        return status, body


class Load:
    """Customers all the time, and their figures."""

    def __init__(self, port):
        self.port = port
        self.began, self.recovered = time.monotonic(), []
        self.customers = [Customer(port, n) for n in range(CLIENTS)]

    def __enter__(self):
        for c in self.customers:
            c.start()
        return self

    def __exit__(self, *_):
        for c in self.customers:
            c.stop = True
        for c in self.customers:
            c.join()

    def latest(self, what, after):
        """The first thing that `what` is true of, since then."""
        return lambda: [s for c in self.customers for s in list(c.seen) if s[0] - s[1] > after and what(s)][:1]

    def whole_again(self, what=lambda s: s[2] and s[3] == 200 and not s[4]):
        """Waits for an answer that is not degraded, or for what else is asked for."""
        began = time.monotonic()
        wait_until(self.latest(what, began), 15, "recovery")
        self.recovered.append(time.monotonic() - began)

    def check(self, test, name):
        seen = [s for c in self.customers for s in c.seen]
        good = sorted([self.began] + [s[0] for s in seen if s[2] and s[3] == 200])
        sent, acknowledged = add_up(self.customers, "attempted"), add_up(self.customers, "voted")
        stored, usage = scores(self.port)
        figures(
            f"{name}: {len(seen)} requests, {sum(len(c.unclear) for c in self.customers)} errors, "
            f"{sum(s[3] == 503 for s in seen)} told to come again, {sum(s[4] for s in seen)} answered degraded, "
            f"longest answer {max(s[1] for s in seen):.2f} s, longest time without any search answered "
            f"{max(b - a for a, b in itertools.pairwise(good)):.2f} s, whole again after {', '.join(f'{r:.2f}' for r in self.recovered)} s; "
            f"votes sent {sum(sent.values())}, acknowledged {sum(acknowledged.values())}, stored {sum(stored.values())}"
        )
        test.assertEqual([p for c in self.customers for p in c.problems + c.unclear], [])
        test.assertEqual(stored, acknowledged)
        test.assertGreater(sum(acknowledged.values()), 100)
        searched = add_up(self.customers, "searched")
        wait_until(lambda: scores(self.port)[1] == searched, 5, f"usage {searched}, was {usage}")
        return seen


RUBBISH = [b"", b"<html>", b"{", b"[]", b"\xff\xfe\x00", b'{"results":{}}', b'{"results":[{"filename":7}]}', b"[" * 50000,
           b'{"results":[{"filename":"../etc/passwd"}],"filenames":["../etc/passwd"]}', b" " * (3 << 20)]  # fmt: skip


@unittest.skipIf(MODE != "release", "chaos: in release only")
class SearchTrouble(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.system.add(STICKERS)
        self.system.start_search()
        self.system.start_sticker("--search-cache-ms", "0")
        self.system.wait_indexed()

    def restart(self):
        port = self.system.search_port
        self.system.search = self.system.start_process(
            f"search{len(self.system.processes)}", "search-service", "--search-port", str(port)
        )
        self.system.search.wait_for("listening on")

    def kill(self):
        self.system.search.child.kill()
        self.system.search.child.wait()

    @contextlib.contextmanager
    def fake(self, answer):
        fake = FakeSearch(self.system.search_port)
        fake.answer = answer
        try:
            yield
        finally:
            fake.close()

    def test_search_service(self):
        numbers = itertools.count()

        def slow(_):
            time.sleep(4)
            return 200, {"results": []}

        def rubbish(_):
            n = next(numbers)
            return (200, 500, 404)[n % 3], RUBBISH[n % len(RUBBISH)]

        with Load(self.system.port) as load:
            time.sleep(0.3)
            self.kill()
            time.sleep(PHASE)
            self.restart()
            load.whole_again()
            self.kill()
            for answer in (slow, rubbish):
                with self.fake(answer):
                    time.sleep(PHASE)
            self.restart()
            load.whole_again()
            stop(self.system.search.child.pid)
            time.sleep(PHASE)
            os.kill(self.system.search.child.pid, signal.SIGCONT)
            load.whole_again()
        seen = load.check(self, "SearchService killed, slow, rubbish, stopped")
        self.assertEqual({s[3] for s in seen}, {200})
        self.assertLess(max(s[1] for s in seen), 2 * SLOW + 0.5)
        wait_until(lambda: request(self.system.port, "GET", "/readyz").status == 200, 5, "ready")


def descendants(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


@unittest.skipIf(MODE != "release", "chaos: in release only")
@unittest.skipIf(no_postgres, no_postgres)
class DatabaseTrouble(unittest.TestCase):
    def test_search_services_database(self):
        server = Postgres()
        self.addCleanup(server.close)
        system = System()
        self.addCleanup(system.close)
        system.add(STICKERS)
        system.search = system.start_process(
            "search", "search-service", "--search-port", "0", "--search-db", server.url("chaos")
        )
        system.search_port = int(system.search.wait_for(r"listening on \S+ port (\d+)")[1])
        system.start_sticker("--search-cache-ms", "0")
        system.wait_indexed()
        with Load(system.port) as load:
            time.sleep(0.3)
            stopped = descendants(server.child.pid)
            for pid in stopped:
                stop(pid)
            time.sleep(PHASE)
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            load.whole_again()
            server.stop()
            time.sleep(PHASE)
            server.start()
            load.whole_again()
        seen = load.check(self, "PostgreSQL of SearchService stopped, away")
        self.assertEqual({s[3] for s in seen}, {200})


def can_mount():
    with contextlib.ExitStack() as stack:
        system = System()
        stack.callback(system.close)
        at = system.folder
        mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(at)], capture_output=True).returncode == 0
        if mounted:
            subprocess.run(["umount", str(at)], check=True)
        return mounted


@unittest.skipIf(MODE != "release", "chaos: in release only")
class DiskFull(unittest.TestCase):
    def setUp(self):
        if os.getuid() != 0 or not can_mount():
            self.skipTest("a full disk: mounting a small tmpfs is not permitted here")
        self.system = System()
        self.system.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(self.system.data)], check=True)
        self.addCleanup(self.system.close)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(self.system.data)], check=True)
        self.system.add(STICKERS)
        self.system.start_search()
        self.system.start_sticker()
        self.system.wait_indexed()

    def fill(self, filler):
        with open(filler, "wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"\0" * 4096)

    def test_votes_wait_for_room(self):
        filler = self.system.data / "filler"
        load = Load(self.system.port)
        for n in range(8):  # known before, so that their votes are for something
            load.customers[0].one_round(n)
        self.fill(filler)
        with load:
            full = time.monotonic()
            end, ready = full + 2 * PHASE, set()
            while time.monotonic() < end:
                self.fill(filler)  # again and again: what others give back is taken too
                answer = request(self.system.port, "GET", "/readyz")
                ready.add((answer.status, answer.json()["checks"]["database"]["status"]))
                self.assertEqual(request(self.system.port, "GET", "/readyz?degraded=ok").status, 200)
                time.sleep(0.05)
            self.assertIn((503, "read only"), ready)  # until the journal, which was filled and emptied, has room for all
            refused = [s for c in load.customers for s in list(c.seen) if s[0] > full and not s[2] and s[3] == 503]
            filler.unlink()
            load.whole_again(lambda s: not s[2] and s[3] == 200)
            wait_until(lambda: request(self.system.port, "GET", "/readyz").status == 200, 5, "ready")
            time.sleep(0.5)
        seen = load.check(self, "disk full")
        self.assertGreater(len(refused), 10)
        self.assertEqual({s[3] for s in seen if s[2]}, {200})  # searches need no room


if __name__ == "__main__":
    main()
