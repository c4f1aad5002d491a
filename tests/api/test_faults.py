#!/usr/bin/env python3
"""What the operating system refuses while a service runs, one thing at a time: descriptors, memory, room on the disk, pages of the
database. Nothing spins, what cannot be done is a clear 503, and everything goes on when the trouble is over."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import sqlite3
import time
import unittest

from peel_testing import MODE, SLOW, STICKERS, ServiceTest, System, figures, main, request, wait_until
from test_admin import Visitor


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/fd")]


@contextlib.contextmanager
def limited(pid, what, value):
    """The process may have no more of `what` meanwhile."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


class Faults(ServiceTest):
    @property
    def pid(self):
        return self.system.sticker.child.pid

    def test_no_descriptors(self):
        self.refuse_descriptors(0)

    def test_no_descriptors_with_connections_that_stay(self):
        self.refuse_descriptors(6)

    def refuse_descriptors(self, n_kept):
        kept = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 * SLOW) for _ in range(n_kept)]
        for c in kept:  # as a proxy's: each thread has some of them
            c.request("GET", "/healthz")
            c.getresponse().read()
        waiting = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * SLOW) for _ in range(20)]
        logged = len(self.system.sticker.log().splitlines())
        with limited(self.pid, resource.RLIMIT_NOFILE, 3):
            for c in waiting:
                c.request("GET", "/healthz")
            began, used = time.monotonic(), cpu_seconds(self.pid)
            time.sleep(2)
            share = (cpu_seconds(self.pid) - used) / (time.monotonic() - began)
        freed = time.monotonic()
        for c in waiting:
            self.assertEqual(c.getresponse().status, 200)
        lines = [line for line in self.system.sticker.log().splitlines()[logged:] if "accepting" in line]
        figures(f"no descriptors, {n_kept} connections: {100 * share:.0f}% of a processor, {len(lines)} log lines in 2 s, answers {time.monotonic() - freed:.2f} s after")
        self.assertLess(share, 0.3)
        self.assertIn("Too many open files", lines[0])
        self.assertLessEqual(len(lines), 4)
        self.assertLess(time.monotonic() - freed, 5 * SLOW)
        metrics = self.get("/metrics").body.decode()
        self.assertGreater(int(re.search(r"^peel_sticker_http_accept_failures_total (\d+)", metrics, re.M)[1]), 0)
        for c in kept + waiting:
            c.close()

    def test_files_that_may_not_grow(self):
        """As a full disk, but without a disk of one's own: votes wait, searches do not, and /readyz tells the difference."""
        vote = {"query": "cat", "positive": ["cat.png"]}
        self.assertEqual(self.search("cat").status, 200)
        self.assertEqual(self.feedback(vote).status, 200)
        with limited(self.pid, resource.RLIMIT_FSIZE, 4096):
            answer = self.feedback(vote)
            self.assert_problem(answer, 503)
            self.assertTrue(answer.headers["Retry-After"])
            for _ in range(3):
                answer = self.get("/readyz")
                self.assertEqual(answer.status, 503, answer.body)
                self.assertEqual(answer.json()["checks"]["database"]["status"], "read only")
                self.assertIn("I/O error", answer.json()["checks"]["database"]["error"])
                time.sleep(0.6)
            self.assertEqual(self.get("/readyz?degraded=ok").status, 200)  # searches need no room
            self.assertEqual(self.search("dog").status, 200)
            self.assertIn("\npeel_sticker_database_writable 0\n", self.get("/metrics").body.decode())
        began = time.monotonic()
        wait_until(lambda: self.get("/readyz").status == 200, 10, "ready again")
        figures(f"files may grow again: ready {time.monotonic() - began:.2f} s after")
        self.assertEqual(self.feedback(vote).status, 200)
        self.assertIn("\npeel_sticker_database_writable 1\n", self.get("/metrics").body.decode())

    def test_no_memory_for_a_password(self):
        """The right password is not called wrong, and the attempts do not count."""
        if MODE != "release":
            self.skipTest("no memory: sanitizers need more address space than there is")
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[0])
        with limited(self.pid, resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + (24 << 20)):
            self.assertEqual([Visitor(self.port).log_in().status for _ in range(12)], [503] * 12)
        self.assertEqual(Visitor(self.port).log_in().status, 303)


@unittest.skipIf(os.environ.get("PEEL_TEST_STICKER_DB"), "SQLite's own matters")
class Damage(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.system.add(STICKERS)
        self.system.start_search()
        self.system.start_sticker("--usage-flush-ms", "60000", "--search-cache-ms", "0")
        self.system.wait_indexed()

    def test_a_damaged_database(self):
        port, path = self.system.port, self.system.data / "sticker.db"
        vote = json.dumps({"feedback": [{"query": "cat", "positive": ["cat.png"]}]})
        self.assertEqual(request(port, "GET", "/api/search/?query=cat").status, 200)
        self.assertEqual(request(port, "POST", "/api/feedback/", vote).status, 200)
        self.system.sticker.stop()  # folds the journal into the file
        whole = path.read_bytes()
        with sqlite3.connect(path) as db:
            page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'queries'").fetchone()[0]
            size = db.execute("PRAGMA page_size").fetchone()[0]
        broken = bytearray(whole)
        broken[(page - 1) * size : page * size] = b"\xa5" * size
        path.write_bytes(broken)
        self.system.start_sticker("--usage-flush-ms", "60000", "--search-cache-ms", "0")
        port = self.system.port
        answer = request(port, "POST", "/api/feedback/", vote)
        self.assertEqual(answer.status, 503, answer.body)
        self.assertIn("damaged", answer.json()["message"])
        log = self.system.sticker.log()
        self.assertEqual(log.count("malformed; nothing is written to it until it is repaired and this process restarted"), 1, log)
        before = (path.read_bytes(), path.with_name("sticker.db-wal").read_bytes())
        other = json.dumps({"feedback": [{"query": "dog", "positive": ["dog.png"]}]})
        for _ in range(3):
            self.assertEqual(request(port, "POST", "/api/feedback/", other).status, 503)
        ready = request(port, "GET", "/readyz")
        self.assertEqual(ready.status, 503)
        self.assertNotEqual(ready.json()["checks"]["database"]["status"], "ok")
        self.assertIn("damaged", ready.json()["checks"]["database"]["error"])
        self.assertIn("\npeel_sticker_database_writable 0\n", request(port, "GET", "/metrics").body.decode())
        self.assertEqual((path.read_bytes(), path.with_name("sticker.db-wal").read_bytes()), before)
        self.system.sticker.stop()
        path.write_bytes(whole)
        path.with_name("sticker.db-wal").unlink(missing_ok=True)
        path.with_name("sticker.db-shm").unlink(missing_ok=True)
        self.system.start_sticker()
        self.assertEqual(request(self.system.port, "POST", "/api/feedback/", vote).status, 200)
        self.assertEqual(request(self.system.port, "GET", "/readyz").status, 200)


if __name__ == "__main__":
    main()
