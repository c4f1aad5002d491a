"""Search and votes through both services on what scripts/run.sh sets up: rates, latencies, processor time, memory.

    python3 bench/search.py [--no-models] [--rounds N] [--phrases FILE] [--language LANGUAGE] [FOLDER [NAME=PEEL...]]

FOLDER (data) is a data folder as scripts/run.sh makes it; each run gets a copy of its databases, so that nothing in it
changes. Phrases are titles and keywords of its stickers (LANGUAGE: en) or the lines of FILE, in an order by chance; no
phrase is searched for twice. Programs (build/release/peel) take turns, ROUNDS (3) times; for each figure stand the
median of all rounds, and the best. The processor time of a request is what other work on the machine changes least.
wrk runs on the same cores. Beside them is the rate of the bare HTTP server, which answers with a short JSON text."""

import argparse
import os
import pathlib
import platform
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from services import Services  # noqa: E402

ALONE = 1500  # phrases that are searched for one at a time
SECONDS = 5  # of each run that is not over by itself
MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


def cpu_name():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)
    flags = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni") if re.search(rf"\b{f}\b", text)]
    return f"{name[1] if name else platform.machine()}, {os.cpu_count()} cores, {' '.join(flags)}"


def phrases_of(folder, language):
    db = sqlite3.connect(f"file:{folder}/sticker.db?mode=ro", uri=True)
    found = {title for (title,) in db.execute("SELECT title FROM stickers")} if language == "en" else set()
    for (words,) in db.execute("SELECT words FROM sticker_words WHERE language = ?", (language,)):
        found.update(words.split(", "))
    return sorted({" ".join(phrase.lower().split()): phrase for phrase in found if 1 < len(phrase) < 80}.values())


def copy(folder, to):
    """The databases, which searches and votes change; all else is linked."""
    to.mkdir()
    for path in pathlib.Path(folder).resolve().iterdir():
        if path.name in ("bucket", "cache"):
            (to / path.name).symlink_to(path)
        elif path.is_file():
            shutil.copy(path, to / path.name)


def wrk(url, script, connections, seconds, *arguments):
    threads = min(2, connections)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s", *(["-s", script] if script else []), url, "--", *arguments]
    text = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, env={**os.environ, "WRK_THREADS": str(threads)}).stdout
    if bad := re.search(r"(Non-2xx.*|Socket errors.*)", text):
        print("   ", bad[1])
    p50, p99 = (float(number) * MS[unit] for number, unit in re.findall(r" (?:50|99)%\s+([\d.]+)(\w+)", text))
    return int(re.search(r"(\d+) requests in", text)[1]), float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), p50, p99


def measure(program, folder, tmp, options, add):
    """One round of one program: calls add(what, rate, p50, p99, processor time of the services) for each run."""
    with tempfile.TemporaryDirectory(dir=tmp) as new:
        data = pathlib.Path(new) / "data"
        copy(folder, data)
        services = Services(program, data, *options)
        services.wait_indexed()
        rest = 0
        while (now := sum(services.cpu_ms())) > rest + 20:  # until models are loaded and nothing is written any more
            rest = now
            time.sleep(2)
        add("memory, idle", *services.memory_mib())

        def run(what, connections, seconds, *arguments):
            before = services.cpu_ms()
            n, rate, p50, p99 = wrk(services.url, "bench/phrases.lua", connections, seconds, *arguments)
            add(what, rate, p50, p99, *((now - was) / n for was, now in zip(before, services.cpu_ms())))

        run("never seen, 1 connection", 1, 600, tmp / "alone", "once")
        run("never seen, 64 connections", 64, 600, tmp / "many", "once")
        run("repeated, 1 connection", 1, SECONDS, tmp / "many", "repeated")
        run("repeated, 64 connections", 64, SECONDS, tmp / "many", "repeated")
        run("votes, 64 connections", 64, SECONDS, tmp / "many", "vote", tmp / "filenames")
        add("memory, after it", *services.memory_mib())
        if n := degraded(services):
            print(f"    {n} degraded answers")
        services.stop()


def degraded(services):
    """Answers without SearchService, which was too slow."""
    with urllib.request.urlopen(services.url + "/metrics") as answer:
        return sum(int(line.split()[-1]) for line in answer.read().decode().splitlines() if line.startswith("peel_sticker_search_degraded_total"))


def bare(add):
    with subprocess.Popen(["build/release/bench/http_hello"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hello:
        port = hello.stdout.readline().strip()
        for connections in 1, 64:
            add(f"bare server, {connections} connection{'s' * (connections > 1)}", *wrk(f"http://127.0.0.1:{port}/inline", None, connections, SECONDS)[1:])
        hello.stdin.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="data")
    parser.add_argument("programs", nargs="*", metavar="NAME=PEEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--phrases")
    parser.add_argument("--language", default="en")
    parser.add_argument("--no-models", action="store_true")
    args = parser.parse_args()
    if not (pathlib.Path(args.folder) / "sticker.db").exists():
        print(f"skipped: {args.folder} has no sticker.db; sh scripts/run.sh makes one")
        return
    programs = dict(one.split("=", 1) for one in args.programs) or {"peel": "build/release/peel"}
    phrases = pathlib.Path(args.phrases).read_text().splitlines() if args.phrases else phrases_of(args.folder, args.language)
    random.Random(1).shuffle(phrases)
    figures = {}

    def add_as(name):
        return lambda what, *numbers: figures.setdefault((what, name), []).append(numbers)

    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        (tmp / "alone").write_text("\n".join(phrases[:ALONE]) + "\n")
        (tmp / "many").write_text("\n".join(phrases[ALONE:]) + "\n")
        db = sqlite3.connect(f"file:{args.folder}/sticker.db?mode=ro", uri=True)
        filenames = [name for (name,) in db.execute("SELECT filename FROM stickers")]
        (tmp / "filenames").write_text("\n".join(filenames) + "\n")
        options = ["--models-dir", tmp / "no-models"] if args.no_models else []
        print(f"{cpu_name()}; {len(filenames)} stickers, {len(phrases)} phrases, {args.rounds} rounds")
        for _ in range(args.rounds):
            for name, program in programs.items():
                measure(program, args.folder, tmp, options, add_as(name))
            bare(add_as("http_hello"))
    print(f"{'':28} {'':12} {'a second':>16} {'p50 ms':>14} {'p99 ms':>14} {'processor ms: sticker, search':>32}")
    for (what, name), rounds in figures.items():
        columns = list(zip(*rounds))
        if what.startswith("memory"):
            print(f"{what:28} {name:12} StickerService, SearchService: {statistics.median(columns[0]):.0f}, {statistics.median(columns[1]):.0f} MiB (PSS)")
            continue
        best = [max(columns[0]), *map(min, columns[1:])]
        cells = [f"{statistics.median(column):.{digits}f} ({b:.{digits}f})" for column, b, digits in zip(columns, best, (0, 2, 2, 3, 3))]
        print(f"{what:28} {name:12} {cells[0]:>16} {cells[1]:>14} {cells[2]:>14} {'  '.join(cells[3:]):>32}")


main()
