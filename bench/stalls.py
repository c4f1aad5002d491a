"""Runs a command that imports stickers, and searches meanwhile on one connection, twenty times a second.

    python3 bench/stalls.py URL PID FILE COMMAND...

PID is of `peel serve`, FILE has a phrase in each line ("": the titles of stickers that are there). bench/stalls.sh calls
it."""

import http.client
import json
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.parse

EVERY = 0.05  # seconds between the beginnings of two searches
STALL = 100  # milliseconds


def children(pid):
    """The process and all that it started, and these started."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [one for child in task.read_text().split() for one in children(int(child))]
        except OSError:
            pass
    return found


def written(pids):
    """Bytes that each process has caused to be written to disks, as far as it is still there."""
    now = {}
    for pid in pids:
        try:
            lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
            now[pid] = int(dict(line.split(": ") for line in lines)["write_bytes"])
        except OSError:
            pass
    return now


class Searches:
    def __init__(self, url, phrases):
        self.url, self.phrases = urllib.parse.urlsplit(url), phrases
        self.took, self.failed, self.n = [], 0, 0
        self.connection = None

    def ask(self, path):
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def search(self):
        self.n += 1
        phrase = f"{self.phrases[self.n % len(self.phrases)]} {self.n}"
        began = time.monotonic()
        status, body = self.ask("/api/search/?query=" + urllib.parse.quote(phrase))
        self.took.append((time.monotonic() - began) * 1000)
        self.failed += status != 200 or body.get("degraded", False)

    def run(self, ended):
        due = time.monotonic()
        while not ended.is_set():
            self.search()
            due = max(due + EVERY, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))

    def say(self, when):
        times = sorted(self.took)
        print(f"searches {when}: {len(times)}, p50 {times[len(times) // 2]:.1f} ms, p99 {times[len(times) * 99 // 100]:.1f} ms, "
              f"longest {times[-1]:.0f} ms; {sum(t > STALL for t in times)} took more than {STALL} ms; {self.failed} failed or degraded")  # fmt: skip
        self.took, self.failed = [], 0


def stickers_and_pending(searches):
    checks = searches.ask("/readyz")[1]["checks"]
    return checks["database"]["stickers"], checks["outbox"]["pending"]


def main():
    url, serve, file, command = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    searches = Searches(url, ["cat"])
    if file:
        searches.phrases = pathlib.Path(file).read_text().split("\n")[:-1]
    else:
        found = [searches.ask(f"/api/search/?limit=100&query={q}")[1]["results"] for q in ("a", "face", "person", "hand", "woman")]
        searches.phrases = [result["title"] for results in found for result in results]
    random.Random(1).shuffle(searches.phrases)
    for _ in range(100):
        searches.search()
    searches.say("before")
    before, at_first = stickers_and_pending(searches)[0], written(children(serve))
    at_last = dict(at_first)
    ended = threading.Event()
    thread = threading.Thread(target=searches.run, args=(ended,))
    began = time.monotonic()
    thread.start()
    watch = Searches(url, [])
    importing = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while True:
        running = importing.poll() is None
        at_last.update(written(children(serve) + (children(importing.pid) if running else [])))
        if not running and stickers_and_pending(watch)[1] == 0:
            break
        time.sleep(0.1)
    took = time.monotonic() - began
    ended.set()
    thread.join()
    if importing.returncode:
        sys.exit(f"{' '.join(command)}: exit status {importing.returncode}")
    n = stickers_and_pending(watch)[0] - before
    bytes_written = sum(now - at_first.get(pid, 0) for pid, now in at_last.items())
    searches.say("meanwhile")
    print(f"import: {n} stickers in {took:.1f} s until all are indexed, {n / took:.0f}/s; {bytes_written / n / 1024:.1f} KiB written for each")


main()
