#!/usr/bin/env python3
"""The bucket in S3 goes away under load and comes back: searches and images that were seen are answered all the time,
other images are a clear 503, and nobody has to do anything afterwards."""

import collections
import json
import os
import threading
import time
import unittest

from peel_testing import SLOW, System, main, png, request, wait_until
from s3_testing import BUCKET, S3, unavailable

missing = unavailable()
SEEN, UNSEEN = [f"seen{i}.png" for i in range(6)], [f"unseen{i}.png" for i in range(6)]
SECONDS = 4 * min(SLOW, 2)  # of load, not a limit: as long under sanitizers


class Load:
    """Threads that ask all the time; what came of it is kept by the phase that the answer came in."""

    def __init__(self, port):
        self.port, self.phase, self.stopped, self.number = port, "store is there", False, 0
        self.answers = collections.defaultdict(list)  # (phase, kind): [(status, seconds, answer)]
        kinds = {"search": self.search, "seen": self.seen, "thumbnail": self.thumbnail, "unseen": self.unseen}
        self.threads = [threading.Thread(target=self.ask, args=item) for item in kinds.items() for _ in range(2)]

    def search(self, n):
        return f"/api/search/?query=cat+{n}"

    def seen(self, n):
        return f"/media/{SEEN[n % len(SEEN)]}"

    def thumbnail(self, n):
        return f"/media/{SEEN[n % len(SEEN)]}?w=64"

    def unseen(self, n):
        return f"/media/{UNSEEN[n % len(UNSEEN)]}"

    def ask(self, kind, target):
        n = 0
        while not self.stopped:
            n += 1
            if kind == "unseen" and self.phase == "store is there":  # they must stay so
                time.sleep(0.05)
                continue
            began, phase = time.monotonic(), self.phase
            try:
                answer = request(self.port, "GET", target(n))
                status = answer.status if answer else 0
            except OSError:
                answer, status = None, 0
            if phase == self.phase or not phase.startswith("store"):
                self.answers[phase, kind].append((status, time.monotonic() - began, answer))
            time.sleep(0.005)

    def of(self, phase, kind):
        found = self.answers[phase, kind]
        times = sorted(seconds for _, seconds, _ in found)
        statuses = collections.Counter(status for status, _, _ in found)
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(
            f"{phase}: {kind}: {len(found)} answers {dict(statuses)}, p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms, "
            f"longest {1000 * times[-1]:.0f} ms"
        )
        return set(statuses), times[-1]


@unittest.skipIf(missing, missing)
class BucketDown(unittest.TestCase):
    def setUp(self):
        self.s3, self.system = S3(), System()
        self.addCleanup(self.s3.close)
        self.addCleanup(self.system.close)
        env = {**self.s3.environment(), "PEEL_BUCKET": f"s3://{BUCKET}/chaos", "PEEL_S3_TIMEOUT_MS": "1000"}
        before = {name: os.environ.get(name) for name in env}
        os.environ.update(env)
        self.addCleanup(lambda: [os.environ.pop(n) if v is None else os.environ.update({n: v}) for n, v in before.items()])

    def recovers(self):
        began = time.monotonic()
        target = f"/media/{UNSEEN[0]}"
        wait_until(lambda: request(self.system.port, "GET", target).status == 200, 10, "images after the store came back")
        return time.monotonic() - began

    def outage(self, load, phase, begin, end):
        begin()
        load.phase = phase
        time.sleep(SECONDS)
        load.phase = "between"
        end()

    def check(self, load, phase):
        statuses, longest = load.of(phase, "search")
        self.assertEqual(statuses, {200})
        self.assertLess(longest, 4 * SLOW)
        self.assertEqual(load.of(phase, "seen")[0], {200})
        self.assertEqual(load.of(phase, "thumbnail")[0], {200})
        self.assertEqual(load.of(phase, "unseen")[0], {503})
        for _, _, answer in load.answers[phase, "unseen"]:
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            self.assertGreater(int(answer.headers["Retry-After"]), 0)

    def run_outage(self, phase, begin, end):
        self.system.add({name: (f"Cat {i}", "cat") for i, name in enumerate(SEEN + UNSEEN)})
        self.system.start_search()
        self.system.start_sticker()
        self.system.wait_indexed()
        for name in SEEN:
            self.assertEqual(request(self.system.port, "GET", f"/media/{name}").status, 200)
            self.assertEqual(request(self.system.port, "GET", f"/media/{name}?w=64").status, 200)
        load = Load(self.system.port)
        for thread in load.threads:
            thread.start()
        try:
            time.sleep(1)
            self.outage(load, phase, begin, end)
            seconds = self.recovers()
        finally:
            load.stopped = True
            for thread in load.threads:
                thread.join()
        for kind in ("search", "seen", "thumbnail"):
            self.assertEqual(load.of("store is there", kind)[0], {200})
        self.check(load, phase)
        print(f"{phase}: images that were not seen are there {seconds:.2f} s after the store")
        self.assertEqual(self.s3.refused, [])

    def test_store_refuses_connections(self):
        self.run_outage("store is stopped", self.s3.stop, self.s3.start)

    def test_store_hangs(self):
        def hang(value):
            self.s3.hang = value

        self.run_outage("store hangs", lambda: hang(True), lambda: hang(False))

    def test_hanging_images_take_no_workers_from_others(self):
        self.system.add({name: (f"Cat {i}", "cat") for i, name in enumerate(UNSEEN)})
        self.system.start_search()
        self.system.start_sticker("--workers", "2", "--search-cache-ms", "0")
        self.system.wait_indexed()
        self.s3.hang = True
        images = [threading.Thread(target=request, args=(self.system.port, "GET", f"/media/{UNSEEN[i % 6]}")) for i in range(40)]
        for thread in images:
            thread.start()
        wait_until(lambda: len(self.s3.hung) >= 2, 5, "two images that hang")
        times = []
        for n in range(10):
            began = time.monotonic()
            body = json.dumps({"feedback": [{"query": f"cat {n}", "positive": [UNSEEN[0]]}]})
            self.assertEqual(request(self.system.port, "GET", f"/api/search/?query=cat+{n}").status, 200)
            self.assertEqual(request(self.system.port, "POST", "/api/feedback/", body).status, 200)
            times.append(time.monotonic() - began)
        print(f"with 40 images waiting: a search and a vote took at most {1000 * max(times):.0f} ms")
        self.assertLess(max(times), 0.4 * SLOW)  # less than an image hangs
        self.s3.hang = False
        for thread in images:
            thread.join()

    def test_import_says_so_and_goes_on_later(self):
        folder = self.system.folder / "pictures"
        folder.mkdir()
        for i in range(5):
            (folder / f"p{i}.png").write_bytes(png(8 + i, 8))
        self.s3.stop()
        done = self.system.run("import", str(folder), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"s3://peel/chaos/media/p\d\.png: ")
        self.s3.start()
        self.assertIn("5 added", self.system.run("import", str(folder)).stdout + done.stdout)


if __name__ == "__main__":
    main()
