"""`make soak`: how both services hold out. Measures the capacity, then loads them with 80% of it for SOAK_SECONDS (600),
searches and votes, and asks for some five times the capacity in the end, for OVERLOAD_SECONDS (8). Memory must stay flat, nothing may fail
at 80%, what is too much is refused at once, and afterwards everything is as before. Needs wrk.

The services have half of the processors and wrk the others, so that who asks takes nothing from who answers: what is measured
is the capacity of that half."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "api"))
from peel_testing import ADMIN_TOKEN, ROOT, System, request, wait_until  # noqa: E402

SOAK = int(os.environ.get("SOAK_SECONDS", "600"))
MEASURE = 8  # seconds that the capacity is measured
OVERLOAD = int(os.environ.get("OVERLOAD_SECONDS", "8"))
BUSY, PAUSING, VOTERS, BURST = 64, 240, 8, 900  # connections
VOTES = 200  # a second
QUEUE = 256  # requests that may wait: more than pause at 80%, what comes beyond in a burst is refused
WORDS = ["cat", "dog", "cake", "car", "sun", "rain", "party", "park", "happy", "sad", "red", "blue", "green", "king", "queen",
         "heart", "love", "angry", "fish", "bird", "tree", "flower", "pizza", "coffee", "music", "dance", "sleep", "work",
         "home", "school", "book", "ball", "star", "moon", "fire", "water", "snow", "ghost", "robot", "rocket"]  # fmt: skip


class Wrk:
    """One run of wrk in the background, and what it found."""

    def __init__(self, port, folder, mode, connections, seconds, pause_ms=None):
        pause = {"PAUSE_MS": str(max(1, round(pause_ms)))} if pause_ms else {}
        command = ["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{round(seconds)}s", "--latency", "--timeout", "10s",
                   "-s", str(ROOT / "bench" / "search.lua"), f"http://127.0.0.1:{port}", "--", str(folder / "words"), mode]  # fmt: skip
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **pause})

    def wait(self):
        text = self.child.communicate()[0]
        if self.child.returncode:
            raise AssertionError(f"wrk ended with {self.child.returncode}:\n{text}")
        seconds = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}
        number, unit = re.search(r" 99%\s+([\d.]+)(\w+)", text).groups()
        self.p99_ms = float(number) * seconds[unit] * 1000
        self.requests = int(re.search(r"(\d+) requests in", text)[1])
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        self.refused = int(refused[1]) if refused else 0
        broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        self.broken = sum(map(int, broken.groups())) if broken else 0
        return self


class Memory(threading.Thread):
    """Samples both services' resident memory each second."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.samples, self.done = pids, {name: [] for name in pids}, threading.Event()

    def run(self):
        while not self.done.wait(1):
            for name, pid in self.pids.items():
                text = pathlib.Path(f"/proc/{pid}/status").read_text()
                self.samples[name].append((time.monotonic(), int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024))

    def growth(self, name):
        """MiB a minute over the second half (least squares), and the mean of it."""
        half = self.samples[name][len(self.samples[name]) // 2 :]
        t = sum(s[0] for s in half) / len(half)
        m = sum(s[1] for s in half) / len(half)
        slope = sum((s[0] - t) * (s[1] - m) for s in half) / sum((s[0] - t) ** 2 for s in half)
        return slope * 60, m


def pause_for(rate, port, folder, mode):
    """How long each of PAUSING connections must pause so that together they ask `rate` times a second: found by trying."""
    pause = 1000 * PAUSING / rate
    for _ in range(4):
        found = Wrk(port, folder, mode, PAUSING, MEASURE / 2, pause).wait()
        if abs(found.rate / rate - 1) < 0.02:
            break
        pause += 1000 * PAUSING / rate - 1000 * PAUSING / found.rate
    return pause


def children(serve):
    found = {}
    for pid in pathlib.Path(f"/proc/{serve.child.pid}/task/{serve.child.pid}/children").read_text().split():
        found[pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")[1]] = int(pid)
    return found


def statuses(port):
    """What searches and votes were answered with so far, as /metrics counts it."""
    text = request(port, "GET", "/metrics").body.decode()
    found = re.findall(r'http_requests_total\{route="(search|feedback)",method="\w+",status="(\d+)"\} (\d+)', text)
    return ", ".join(f"{route} {status}: {n}" for route, status, n in found)


def answered_within(port):
    """Searches answered so far, within 500 ms and in all."""
    name = r'peel_sticker_http_request_duration_seconds_bucket\{route="search",status="2xx",le="%s"\} (\d+)'
    text = request(port, "GET", "/metrics").body.decode()
    return [int(re.search(name % re.escape(bound), text)[1]) for bound in ("0.5", "+Inf")]


def stored(port):
    """All votes, as the export tells them."""
    export = request(port, "GET", "/api/analytics/export?format=csv", headers={"Authorization": f"Token {ADMIN_TOKEN}"}, timeout=60)
    head, *rows = export.body.decode().strip().splitlines()
    columns = head.split(",")
    return sum(int(row.split(",")[columns.index(c)]) for row in rows for c in ("positives", "negatives"))


def soak(system):
    system.add({f"s{i}.png": (WORDS[i % 40], f"{WORDS[i % 40]}, {WORDS[(7 * i + 3) % 40]}") for i in range(100)})
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = set(cores[: len(cores) // 2]) or set(cores), set(cores[len(cores) // 2 :])
    env = {"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": "a long password", "ADMIN_TOKEN": ADMIN_TOKEN}
    os.sched_setaffinity(0, theirs)  # as its children are when they start
    serve = system.start_process("serve", "serve", "--port", "0", "--search-port", "0", "--max-queue", str(QUEUE), "--shed-wait-ms", "200",
                                 "--client-connections", "0", env=env)  # fmt: skip
    port = system.port = int(serve.wait_for(r"Gallery: http://127\.0\.0\.1:(\d+)/")[1])
    os.sched_setaffinity(0, ours)
    system.wait_indexed()
    for word in WORDS[:20]:
        assert request(port, "GET", f"/api/search/?query={word}").status == 200
    (system.folder / "words").write_text("\n".join(WORDS) + "\n")
    pids = children(serve)
    search = "/api/search/?query="

    # A voter's search must be known before its vote comes; counts are written with a little delay.
    wait_until(lambda: "peel_sticker_usage_pending 0" in request(port, "GET", "/metrics").body.decode(), 5, "counts")
    capacity = Wrk(port, system.folder, search, BUSY, MEASURE).wait()
    print(
        f"capacity: {capacity.rate:.0f} searches/s on {len(theirs)} of {len(cores)} processors at {BUSY} connections, "
        f"p99 {capacity.p99_ms:.1f} ms",
        flush=True,
    )
    pause = pause_for(0.8 * capacity.rate, port, system.folder, search)

    memory = Memory(pids)
    memory.start()
    began = time.monotonic()
    votes = Wrk(port, system.folder, "feedback", VOTERS, SOAK, 1000 * VOTERS / VOTES)
    load = Wrk(port, system.folder, search, PAUSING, SOAK, pause).wait()
    votes.wait()
    memory.done.set()
    memory.join()
    acknowledged, kept = votes.requests - votes.refused, stored(port)
    print(
        f"80%: {time.monotonic() - began:.0f} s, {load.requests} searches, {load.rate:.0f}/s ({100 * load.rate / capacity.rate:.0f}% of "
        f"capacity), {load.refused} errors, {load.broken} timed out, p99 {load.p99_ms:.1f} ms; votes: {votes.requests}, {votes.refused} errors, "
        f"{votes.broken} timed out, p99 {votes.p99_ms:.1f} ms, acknowledged {acknowledged}, stored {kept}"
    )
    if load.refused + votes.refused:
        print(f"answers so far: {statuses(port)}\n{serve.log()[-2000:]}")
    flat = True
    for name in pids:
        slope, mean = memory.growth(name)
        ok = slope * SOAK / 120 <= max(2, 0.05 * mean)  # over the half of the time that it is of
        flat &= ok
        print(f"memory of {name}: {mean:.1f} MiB, {slope:+.3f} MiB a minute in the second half{'' if ok else ': NOT FLAT'}")

    # Who waits for an answer asks less often: so they would ask ten times as often as can be answered, if it came at once.
    logged, quick_before = len(serve.log().splitlines()), answered_within(port)
    burst = Wrk(port, system.folder, search, BURST, OVERLOAD, 100 * BURST / capacity.rate)
    alive = []
    while burst.child.poll() is None:
        asked = time.monotonic()
        alive.append((request(port, "GET", "/healthz").status, time.monotonic() - asked))
        time.sleep(0.1)
    burst.wait()
    ended = time.monotonic()
    lines = len(serve.log().splitlines()) - logged
    quick = [b - a for a, b in zip(quick_before, answered_within(port))]
    wait_until(lambda: request(port, "GET", f"{search}cat").status == 200, 10, "an answer after the burst")
    recovered = time.monotonic() - ended
    after = Wrk(port, system.folder, search, PAUSING, MEASURE, pause).wait()
    good = burst.requests - burst.refused
    print(
        f"burst: {burst.rate:.0f} requests/s ({burst.rate / capacity.rate:.1f} times the capacity) on {BURST} "
        f"connections: {good / OVERLOAD:.0f}/s answered, {100 * quick[0] / max(1, quick[1]):.2f}% of these within 500 ms, "
        f"{burst.refused / OVERLOAD:.0f}/s refused with 503, {burst.broken} cut or timed out, {lines} log lines, p99 of all {burst.p99_ms:.1f} ms, /healthz in {1000 * max(t for _, t in alive):.0f} ms at most; answers again after "
        f"{1000 * recovered:.0f} ms, then at 80% {after.refused + after.broken} errors, p99 {after.p99_ms:.1f} ms"
    )
    problems = [
        (load.refused + load.broken or votes.refused + votes.broken, "errors at 80%"),
        (not acknowledged <= kept <= acknowledged + VOTERS, "votes: wrk leaves at most one a connection unread at the end"),
        (not flat, "memory grows"),
        (children(serve) != pids, "a service died"),
        (any(status != 200 for status, _ in alive), "not alive in the burst"),
        (good / OVERLOAD < 0.9 * capacity.rate, "fewer searches answered in the burst than before"),
        (quick[0] < 0.99 * quick[1], "p99 of the searches answered in the burst over 500 ms"),
        (sorted(t for _, t in alive)[len(alive) * 99 // 100] > 0.1, "/healthz over 100 ms in the burst"),
        (lines > OVERLOAD + 2, "more than a log line a second in the burst"),
        (recovered > 5, "no answer within 5 s after the burst"),
        (after.refused + after.broken, "errors after the burst"),
    ]
    return [what for wrong, what in problems if wrong]


def main():
    if not shutil.which("wrk"):
        sys.exit("soak: wrk is not installed (apt install wrk)")
    system = System()
    try:
        problems = soak(system)
    finally:
        system.close()
    for problem in problems:
        print(f"NOT AS IT SHOULD BE: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
