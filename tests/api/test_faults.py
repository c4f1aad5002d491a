#!/usr/bin/env python3
"""What the operating system refuses while a service runs, one thing at a time: descriptors, memory, room on the disk, pages of the
database. Nothing spins, what cannot be done is a clear 503, and everything goes on when the trouble is over."""

import contextlib
import http.client
import os
import pathlib
import re
import resource
import time
import unittest

from peel_testing import MODE, SLOW, ServiceTest, figures, main, request, wait_until


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


if __name__ == "__main__":
    main()
