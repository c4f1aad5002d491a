"""What the browser scripts stand on: the services, and node with the packages and a browser to drive."""

import concurrent.futures
import html
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "api")]

import node_tools  # noqa: E402
from peel_testing import ADMIN_TOKEN, System, png  # noqa: E402, F401

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

HOSTILE = '"><img src=x onerror=alert(1)>'


def fixtures():
    """Enough cats for three pages, and markup wherever somebody could type it."""
    stickers = {f"cat-{i:02}.png": (f"Cat number {i}", "cat, kitten, pet, animal") for i in range(60)}
    stickers["<b class=hostile>'&.png"] = (f"<img src=x onerror=alert(1)> hostile {HOSTILE}", f"hostile, {HOSTILE}, <script>alert(1)<")
    stickers[HOSTILE + ".png"] = ("{{ hostile }} {% raw %} ${alert(1)}", "hostile, javascript:alert(1)")
    return stickers


def add_packs(system):
    """A cat in each of two packs, one of them not for everyone."""
    folder = system.folder / "packs"
    folder.mkdir()
    for i, name in enumerate(("north", "south")):
        (folder / f"{name}.png").write_bytes(png(8, 8, (7, 7, i)))
    (folder / "stickers.csv").write_text(
        'filename,title,words,language,rating\nnorth.png,Cat of the north,"cat, animal",en,pg-13\nsouth.png,Cat of the south,"cat, animal",en,g\n')
    system.run("import", str(folder))
    with sqlite3.connect(system.data / "sticker.db") as db:  # before the services start
        db.execute("UPDATE stickers SET pack = replace(filename, '.png', '') WHERE filename IN ('north.png', 'south.png')")


def form(text):
    """The fields of an admin page's first form, as somebody would send them unchanged."""
    fields = {}
    for tag in re.findall(r"<input [^>]*>", text.split('<form class="sheet"')[1].split("</form>")[0]):
        said = {k: html.unescape(v) for k, v in re.findall(r'(\w+)="([^"]*)"', tag)}
        if said.get("name") and said.get("name") != "csrf":
            fields.setdefault(said["name"], []).append(said.get("value", ""))
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def missing():
    """Why a browser cannot be driven here, or None."""
    if not shutil.which("node"):
        return "node is not installed"
    if not os.path.exists(CHROMIUM):
        return f"there is no {CHROMIUM} (apt-get install chromium, or set CHROMIUM)"
    return node_tools.ensure()


def environment(system):
    return {
        **os.environ,
        "BASE": f"http://127.0.0.1:{system.port}",
        "TOKEN": ADMIN_TOKEN,
        "SEARCH_PID": str(system.search.child.pid),
        "CHROMIUM": CHROMIUM,
    }


def run_share(script, stickers, prepare, share, shares):
    """What the script printed about its tests number share, share + shares, and so on."""
    system = System()
    try:
        system.add(fixtures() if stickers is None else stickers)
        if stickers is None:
            add_packs(system)
        prepare(system)
        system.start_search()
        system.start_sticker()
        system.wait_indexed()
        path = ROOT / "tests" / "browser" / script
        told = {**environment(system), "SHARE": f"{share}/{shares}"}
        return subprocess.run(["node", str(path)], env=told, timeout=900, stdout=subprocess.PIPE, text=True).stdout
    finally:
        system.close()


def run(script, stickers=None, prepare=lambda system: None, shares=1):
    """Runs a script of this folder against both services with these stickers (the fixtures), and what `prepare` adds to them; it ends with "N passed, N failed". Tests that do not build on each other can be shared out, to run side by side, each share with services of its own."""
    if reason := missing():
        print(f"skipped: {reason}")
        print("0 passed, 0 failed")
        return 0
    with concurrent.futures.ThreadPoolExecutor(shares) as pool:
        said = list(pool.map(lambda share: run_share(script, stickers, prepare, share, shares), range(shares)))
    counts = [re.search(r"(\d+) passed, (\d+) failed\n$", text) for text in said]
    for text, count in zip(said, counts):
        print(text[: count.start()] if count else text + f"{script} ended early\n", end="")
    passed = sum(int(count[1]) for count in counts if count)
    failed = sum(int(count[2]) if count else 1 for count in counts)
    print(f"{passed} passed, {failed} failed")
    return failed > 0
