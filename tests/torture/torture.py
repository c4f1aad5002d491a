#!/usr/bin/env python3
"""Failing allocations over unit tests: each program runs again and again, and each time another allocation fails. A test may fail,
as it does not get what it expects; what it tests may not crash, nor hang, nor trip over one of our assertions. The programs are built
with the address sanitizer.

    python3 tests/torture/torture.py PROGRAM...

PEEL_TORTURE_RUNS bounds the runs of each program, spread over its allocations (0: every allocation in turn). The last line is
"N passed, N failed", one for each run."""

import concurrent.futures
import mmap
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

RUNS = int(os.environ.get("PEEL_TORTURE_RUNS", "40"))
SECONDS = 60 * float(os.environ.get("PEEL_TEST_SLOW", "1"))  # more is a hang
CRASHES = re.compile(r"ERROR: AddressSanitizer|runtime error:|Assertion .* failed")
FRAME = re.compile(r"#\d+ 0x\w+ in \w+ (?:/\S*?/)?(src|tests)/\w+/")  # of paths, clang says the whole


class Orders:
    """The file that a program shares with us, see torture.c."""

    def __init__(self, left=0):
        self.file = tempfile.NamedTemporaryFile()
        self.file.write(struct.pack("3q", left, 0, 0))
        self.file.flush()
        self.memory = mmap.mmap(self.file.fileno(), 24)
        self.name = self.file.name

    def order(self, left):
        """The allocation after left - 1 others fails."""
        self.memory[:24] = struct.pack("3q", left, 0, 0)

    def seen(self):
        return struct.unpack("3q", self.memory[:24])[1]

    def failed(self):
        return struct.unpack("3q", self.memory[:24])[2]


def run(program, left):
    """What is wrong, or None; and how many allocations there were."""
    orders = Orders(left)
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PEEL_TORTURE": orders.name, "TMPDIR": folder, "UBSAN_OPTIONS": "print_stacktrace=1",
               "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:handle_segv=2:handle_abort=2"}  # not cmocka's handlers
        try:
            done = subprocess.run([program], env=env, capture_output=True, text=True, errors="replace", timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"{program}: hangs when allocation {left} fails", 0
    said = done.stdout + done.stderr
    crash = CRASHES.search(said)
    if crash and ("[  FAILED  ]" in said[: crash.start()] or ((frame := FRAME.search(said, crash.start())) and frame[1] == "tests")):
        crash = None  # of the test: one that did not get what it is for, or the one after it
    elif crash or done.returncode < 0:
        return f"{program}: ends with {done.returncode} when allocation {left} fails\n{said[-6000:]}", 0
    if not left and done.returncode:
        return f"{program}: fails by itself\n{said[-3000:]}", 0
    return None, orders.seen()


def main():
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(sys.argv[1:], pool.map(lambda p: run(p, 0), sys.argv[1:]), strict=True))
        work = []
        for program, (problem, seen) in counts.items():
            work += [(program, 0)] if problem else []
            step = max(1, seen / RUNS) if RUNS else 1
            work += [(program, 1 + int(i * step)) for i in range(int(seen / step))]
            print(f"{pathlib.Path(program).name}: {seen} allocations", flush=True)
        for problem, _ in pool.map(lambda job: run(*job), work):
            failed += problem is not None
            passed += problem is None
            if problem:
                print(problem, flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
