"""Pictures of every page, in screenshots/: of the packs that `make run` brings (./data, or the folder in PEEL_DATA) when
they are there, else of packs imported for the purpose. What is there is copied first: for the pictures somebody logs in,
searches and votes."""

import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import time
import urllib.parse

import services
from peel_testing import request
from test_admin import PASSWORD, Visitor

QUERIES = ("cat", "birthday cake", "good morning", "i love you", "dog with a ball", "pizza", "happy new year", "red car", "sunset at the sea", "thank you",
           "party", "coffee", "brithday cake", "rain", "sleepy", "football", "Hund", "gato", "quarterly report", "qwrtp")


def copy(data, to):
    """A data folder of our own: databases copied, the rest linked."""
    to.mkdir(parents=True)
    for name in data.iterdir():
        if name.name.endswith((".db-wal", ".db-shm", ".lock")):
            continue
        if name.suffix == ".db":
            old, new = sqlite3.connect(f"file:{name}?mode=ro", uri=True), sqlite3.connect(to / name.name)
            old.backup(new)
            old.close()
            new.close()
        else:
            (to / name.name).symlink_to(name.resolve())
    return to


def add_days(data):
    """A month in which more and more came, less at weekends."""
    db = sqlite3.connect(data / "sticker.db", timeout=30)
    today = int(time.time() // 86400)
    with db:
        for day in range(today - 60, today):
            n = int((400 + 12 * (day - today + 60)) * (0.6 if day % 7 in (2, 3) else 1) * random.uniform(0.9, 1.1))
            db.execute("INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?, ?)", (day, n, n // 25, n // 300, n // 9, n // 31))
    db.close()


def use(system):
    """Searches, votes, people and changes, as a month with users leaves them."""
    def find(query):
        return request(system.port, "GET", "/api/search/?" + urllib.parse.urlencode({"query": query})).json()["stickers"]

    for place, query in enumerate(QUERIES):
        found = []
        for _ in range(len(QUERIES) - place + random.randrange(3)):
            found = find(query)
        votes = [{"query": query, "positive": [s for s in found if random.random() < 4 / (i + 5)], "negative": [s for s in found if random.random() < 0.12]}
                   for i in range(len(QUERIES) // (place + 2) + 2)]
        for vote in votes:
            request(system.port, "POST", "/api/feedback/", json.dumps({"feedback": [vote]}))
    admin = Visitor(system.port)
    assert admin.log_in("sofia").status == 303

    def add(model, **fields):
        admin.get(f"/admin/{model}/edit")
        answer = admin.post(f"/admin/{model}/edit", seen="0", **fields)
        assert answer.status in (200, 303), answer.text

    add("groups", name="Curators", permissions=["stickers.view", "stickers.add", "stickers.change", "documents.view"])
    add("groups", name="Analysts", permissions=["dashboard.view", "queries.view", "scores.view"])
    for name, staff in (("amira", "1"), ("jonas", "1"), ("mei", "")):
        add("users", username=name, password=PASSWORD, is_active="1", **({"is_staff": staff} if staff else {}))
    add("tokens", username="amira", label="Weekly report")
    add("tokens", username="jonas", label="Training data")
    for sticker in find("cat")[:3]:
        page = admin.get("/admin/stickers/edit?id=" + sticker)
        form = services.form(page.text)
        form["title"] = form["title"].capitalize() + ", by hand"
        assert admin.post("/admin/stickers/edit?id=" + sticker, **form).status == 303


def main():
    if reason := services.missing():
        print(f"no screenshots: {reason}", file=sys.stderr)
        return 1
    random.seed(7)
    system = services.System()
    try:
        data = pathlib.Path(os.environ.get("PEEL_DATA", services.ROOT / "data"))
        if data.is_dir() and any(data.iterdir()):
            system.data = copy(data, system.folder / "copy")
        else:
            system.run("import", "--pack", "openmoji", "--pack", "fluent3d")
        system.run("user", "create", "sofia", "--superuser", stdin=PASSWORD + "\n")
        system.start_search()
        system.start_sticker()
        system.wait_indexed(180)  # of all the packs, when they were just imported
        add_days(system.data)
        use(system)
        env = {**services.environment(system), "OUT": str(services.ROOT / "screenshots"), "PASSWORD": PASSWORD}
        script = services.ROOT / "tests" / "browser" / "screenshots.mjs"
        return subprocess.run(["node", str(script)], env=env, timeout=600).returncode
    finally:
        system.close()


if __name__ == "__main__":
    sys.exit(main())
