"""`make soak SOAK_HOURS=8`: everything that needs long, in turn and then again until the time is over: fuzz targets, load (soak.py),
kills and full disks (tests/api/test_chaos*.py), clocks that jump (libfaketime), and a bad network to PostgreSQL and to S3. With
SOAK_TSAN=1 kills and faults also on a build with the thread sanitizer. Writes a report to SOAK_REPORT (build/soak.md) after each
part; the exit status says whether there is anything in it."""

import contextlib
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "api"))
import peel_testing  # noqa: E402
from fault_testing import FAULTS, FaultyProxy  # noqa: E402
from peel_testing import STICKERS, System, request, wait_until  # noqa: E402
from postgres_testing import Postgres  # noqa: E402
from s3_testing import BUCKET, S3, unavailable  # noqa: E402
from test_chaos import Load  # noqa: E402
from test_sticker_crowd import add_up, scores  # noqa: E402

REPORT = pathlib.Path(os.environ.get("SOAK_REPORT", ROOT / "build" / "soak.md"))
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
JUMPS = ("+1h", "-1h", "+40d", "-3d", "+5y", "+0")


class Part:
    """What one part found: sentences of what it did, and of what is wrong."""

    def __init__(self, name):
        self.name, self.said, self.wrong, self.began = name, [], [], time.monotonic()
        self.seconds = 0.0


def run(part, *command, env=None):
    """A program with tests of its own; its figures, and its output if it fails."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, errors="replace")
    out = done.stdout + done.stderr
    part.said += re.findall(r"^figures: (.*)", out, re.M)
    failed = re.search(r"(\d+) passed, ([1-9]\d*) failed", out)
    if done.returncode or failed:
        part.wrong.append(f"`{' '.join(command)}` failed:\n\n```text\n{out[-3000:]}\n```")
    return out


def fuzz(part, seconds):
    targets = sorted(p for p in (ROOT / "build" / "fuzz" / "tests").glob("fuzz_*") if not p.suffix)
    each = max(1, int(seconds / max(1, len(targets))))
    runs = 0
    for target in targets:
        out = run(part, "sh", "tests/fuzz.sh", str(target), env={"FUZZ_SECONDS": str(each)})
        runs += int((re.search(r"number_of_executed_units: (\d+)", out) or [0, 0])[1])
    part.said.append(f"{len(targets)} targets, {each} s each, {runs} inputs")


def load(part, seconds):
    part.said.append(run(part, sys.executable, "tests/soak.py", env={"SOAK_SECONDS": str(int(seconds))}).strip())


def chaos(part, seconds, mode="release"):
    end, rounds = time.monotonic() + seconds, 0
    while not rounds or time.monotonic() < end:
        for name in ("test_chaos", "test_chaos_bucket"):
            run(part, sys.executable, f"tests/api/{name}.py",
                env={"PEEL": str(ROOT / "build" / mode / "peel"), "PEEL_TEST_MODE": mode, "PEEL_TEST_SLOW": "6"})  # fmt: skip
        rounds += 1
    part.said = part.said[-8:] + [f"{rounds} rounds"]


def tally(part, loaded, what, exact=True):
    """Votes against what is stored: what was acknowledged is there; what was not may be."""
    customers = loaded.customers
    sent, acknowledged = (sum(add_up(customers, which).values()) for which in ("attempted", "voted"))
    stored = sum(scores(loaded.port)[0].values())
    # Who was told to come again with a search, and votes all the same, votes for a query that nobody searched.
    unclear = [u for c in customers for u in c.unclear if not (u[2] == 404 and b"was never searched" in u[3])]
    part.said.append(
        f"{what}: {sum(len(c.seen) for c in customers)} requests, {len(unclear)} errors; votes sent {sent}, "
        f"acknowledged {acknowledged}, stored {stored}"
    )
    if exact and not acknowledged <= stored <= sent:
        part.wrong.append(f"{what}: {acknowledged} votes were acknowledged, {stored} stored, {sent} sent")
    if exact and unclear:
        part.wrong.append(f"{what}: answers that nobody should get, such as {unclear[:3]}")


def clocks(part, seconds):
    if not os.path.exists(FAKETIME):
        part.said.append("left out: libfaketime is not installed")
        return
    with contextlib.ExitStack() as stack:
        system = System()
        stack.callback(system.close)
        system.add(STICKERS)
        offset = system.folder / "clock"
        offset.write_text("+0")
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        os.environ.update(fake)
        try:
            system.start_search()
            system.start_sticker("--search-cache-ms", "0")
        finally:
            for name in fake:
                del os.environ[name]
        system.wait_indexed()
        with Load(system.port) as loaded:
            end, jumps = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                offset.write_text(JUMPS[jumps % len(JUMPS)])
                jumps += 1
                time.sleep(2)
            offset.write_text("+0")
            loaded.whole_again()
        tally(part, loaded, f"{jumps} jumps of the clock ({', '.join(JUMPS)})")


def through_faults(part, proxy, system, seconds, what):
    """Load while the network has each fault in turn, then none."""
    with Load(system.port) as loaded:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for fault in FAULTS[:-1]:
                proxy.fault = fault
                time.sleep(1)
                proxy.fault = None
                time.sleep(1)
        loaded.whole_again()
    tally(part, loaded, f"{what}: {dict(proxy.done)}")
    with Load(system.port) as garbled:  # what a service is told is no longer true: it must only stay alive
        proxy.fault = "garble"
        time.sleep(max(2, seconds / 5))
        proxy.fault = None
        garbled.whole_again()
    tally(part, garbled, f"{what}, answers garbled {proxy.done.get('garble', 0)} times", exact=False)
    wait_until(lambda: request(system.port, "GET", "/readyz").status == 200, 30, "a ready service")


def postgres(part, seconds):
    with contextlib.ExitStack() as stack:
        server, system = Postgres(), System()
        stack.callback(server.close)
        stack.callback(system.close)
        url = server.url("soak")
        proxy = FaultyProxy(int(re.search(r":(\d+)/", url)[1]))
        stack.callback(proxy.close)
        os.environ["PEEL_STICKER_DB"] = url
        try:
            system.add(STICKERS)
            system.start_search()
            os.environ["PEEL_STICKER_DB"] = re.sub(r":\d+/", f":{proxy.port}/", url)
            system.start_sticker("--search-cache-ms", "0")
        finally:
            del os.environ["PEEL_STICKER_DB"]
        system.wait_indexed()
        through_faults(part, proxy, system, seconds, "PostgreSQL")


def s3(part, seconds):
    if missing := unavailable():
        part.said.append(f"left out: {missing}")
        return
    with contextlib.ExitStack() as stack:
        store, system = S3(), System()
        stack.callback(store.close)
        stack.callback(system.close)
        env = {**store.environment(), "PEEL_BUCKET": f"s3://{BUCKET}/soak", "PEEL_S3_TIMEOUT_MS": "1000"}
        proxy = FaultyProxy(store.port)
        stack.callback(proxy.close)
        os.environ.update(env)
        try:
            system.add(STICKERS)
            os.environ.update({n: v.replace(f":{store.port}", f":{proxy.port}") for n, v in env.items()})
            system.start_search()
            system.start_sticker("--search-cache-ms", "0", "--cache-bytes", "1M")
        finally:
            for name in env:
                del os.environ[name]
        system.wait_indexed()
        through_faults(part, proxy, system, seconds, "S3")


def tsan(part, seconds):
    chaos(part, seconds, "tsan")


# How much of a round each has.
PARTS = [(fuzz, 0.4), (load, 0.2), (chaos, 0.1), (clocks, 0.1), (postgres, 0.1), (s3, 0.1)]


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def cpu():
    return (re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()) or ["", "?"])[1]


def report(parts, began):
    found = [p for p in parts if p.wrong]
    lines = [
        f"{time.strftime('%Y-%m-%d')}, commit {version('git', 'rev-parse', '--short', 'HEAD')}, {version(peel_testing.PEEL, '--version')}; "
        f"{os.cpu_count()} processors ({cpu()}), Linux {platform.release()}, {version('cc', '--version')}, "
        f"{version('clang', '--version')}. {(time.monotonic() - began) / 60:.0f} minutes, {len(parts)} parts, "
        f"{len(found)} of them with findings.",
        "",
    ]
    for p in parts:
        lines += [f"## {p.name}, {p.seconds:.0f} s: {'FINDINGS' if p.wrong else 'nothing found'}", ""]
        lines += [f"- {said}" for text in p.said for said in text.splitlines()]
        lines += ["", *(f"{w}\n" for w in p.wrong)] if p.wrong else [""]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(lines), encoding="utf-8")
    return bool(found)


def main():
    began, seconds, parts = time.monotonic(), 3600 * float(os.environ["SOAK_HOURS"]), []
    chosen = PARTS + ([(tsan, 0.1)] if os.environ.get("SOAK_TSAN") == "1" else [])
    whole = min(seconds, 3600)  # a round
    while not parts or time.monotonic() - began < seconds - whole / 2:
        for do, share in chosen:
            part = Part(do.__name__)
            parts.append(part)
            print(f"{part.name} ...", flush=True)
            try:
                do(part, share * whole)
            except Exception as problem:  # the others go on
                part.wrong.append(f"{type(problem).__name__}: {problem}")
            part.seconds = time.monotonic() - part.began
            print("\n".join(part.said + part.wrong), flush=True)
            wrong = report(parts, began)
    print(f"report: {REPORT}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
