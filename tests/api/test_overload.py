#!/usr/bin/env python3
"""Five times as many searches as can be answered: as many are answered as ever, none of them late, the others are told at once to come
again, /healthz does not notice, and the log stays short. A SearchService that takes a fixed time makes the capacity the same on any
machine. `make soak` does the same with the real one, for as long as OVERLOAD_SECONDS says."""

import collections
import http.client
import os
import threading
import time
import unittest

from peel_testing import MODE, SLOW, STICKERS, FakeSearch, System, figures, main, request

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "8"))
WORKERS, EACH = 4, 0.04  # so at most 100 searches a second
CLIENTS, EVERY = 200, 0.4  # 500 a second, as long as none waits longer for its answer
STATUSES = (200, 503)


class Client(threading.Thread):
    """Asks on one connection, every so often or without a pause."""

    def __init__(self, port, number, every, until):
        super().__init__(daemon=True)
        self.port, self.number, self.every, self.until, self.seen = port, number, every, until, []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 * SLOW)
        due = time.monotonic() + self.every * (self.number % 17) / 17
        while (now := time.monotonic()) < self.until:
            if now < due:
                time.sleep(min(due, self.until) - now)
                continue
            due = max(due + self.every, now)
            try:
                connection.request("GET", f"/api/search/?query=cat+{self.number % 20}")
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except OSError:
                connection.close()
                status = 0
            self.seen.append((status, time.monotonic() - now))
        connection.close()


def load(port, clients, every, seconds):
    """[(status, seconds)] of all answers, and how many there were a second."""
    until = time.monotonic() + seconds
    threads = [Client(port, n, every, until) for n in range(clients)]
    for thread in threads:
        thread.start()
    alive = []
    while time.monotonic() < until:
        asked = time.monotonic()
        assert request(port, "GET", "/healthz").status == 200
        alive.append(time.monotonic() - asked)
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    seen = [s for thread in threads for s in thread.seen]
    return seen, collections.Counter(status for status, _ in seen), sorted(alive)


@unittest.skipIf(MODE != "release", "overload: in release only")
class Overload(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.system.add(STICKERS)
        self.system.fake = FakeSearch()

        def slow(_):
            time.sleep(EACH)
            return 200, {"filenames": ["cat.png"], "results": [{"filename": "cat.png", "score": 1}], "algorithm": "fake", "model": ""}

        self.system.fake.answer = slow
        self.system.start_sticker("--workers", str(WORKERS), "--search-cache-ms", "0", "--shed-wait-ms", "200",
                                  search_port=self.system.fake.port)  # fmt: skip

    def test_five_times_as_many(self):
        port = self.system.port
        load(port, WORKERS, 0, 1)  # the queries are known
        _, statuses, _ = load(port, 2 * WORKERS, 0, 3)
        self.assertEqual(set(statuses), {200})
        peak = statuses[200] / 3
        logged = len(self.system.sticker.log().splitlines())
        seen, statuses, alive = load(port, CLIENTS, EVERY, SECONDS)
        lines = len(self.system.sticker.log().splitlines()) - logged
        ended = time.monotonic()
        while request(port, "GET", "/api/search/?query=cat+1").status != 200:
            self.assertLess(time.monotonic() - ended, 5 * SLOW)
        normal = time.monotonic() - ended
        good = sorted(seconds for status, seconds in seen if status == 200)
        p99 = good[len(good) * 99 // 100]
        figures(
            f"overload: {peak:.0f}/s at most; {len(seen) / SECONDS:.0f}/s asked for {SECONDS:.0f} s: {len(good) / SECONDS:.0f}/s answered, "
            f"p50 {1000 * good[len(good) // 2]:.0f} ms, p99 {1000 * p99:.0f} ms, {statuses[503] / SECONDS:.0f}/s refused, "
            f"{statuses[0]} failed; /healthz p99 {1000 * alive[len(alive) * 99 // 100]:.0f} ms; {lines} log lines; "
            f"normal after {1000 * normal:.0f} ms"
        )
        self.assertLessEqual(set(statuses), set(STATUSES))
        self.assertGreater(statuses[503], len(good))  # it was an overload
        self.assertGreater(len(good) / SECONDS, (0.9 if SLOW == 1 else 0.6) * peak)
        self.assertLess(p99, 0.5 * SLOW)
        self.assertLess(alive[len(alive) * 9 // 10], 0.1 * SLOW)
        self.assertLessEqual(lines, SECONDS + 2)
        _, statuses, _ = load(port, WORKERS, 0.2, 1)
        self.assertEqual(set(statuses), {200})


if __name__ == "__main__":
    main()
