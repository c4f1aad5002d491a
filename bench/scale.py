"""For bench/scale.sh: fills a seeded data folder with queries and votes, and measures what grows with both."""

import http.client
import itertools
import pathlib
import re
import sqlite3
import sys
import time
import urllib.parse

TOKEN = {"Authorization": "Token 0123456789abcdef0123"}
QUERIES, SCORES = 20_000, 100_000


def fill(data):
    queries = (data / "queries").read_text().splitlines()
    db = sqlite3.connect(data / "sticker.db")
    stickers = [row[0] for row in db.execute("SELECT id FROM stickers")]
    db.executemany(
        "INSERT INTO queries (id, query, usage, created_us, modified_us, row) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
        ((f"q{i}", f"{queries[i]} {i}", i * 7919 % 1000, 10**15 + i * 10**6, i + 1) for i in range(QUERIES)),
    )
    db.execute("INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries")
    one = (("q7", sticker) for sticker in stickers[:SCORES])
    others = ((f"q{8 + i // 5}", stickers[i * 7919 % len(stickers)]) for i in range(5 * (QUERIES - 8)))
    db.executemany(
        "INSERT OR IGNORE INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        ((f"s{i}", query, sticker, i % 5 + 1, i % 3, 10**15 + i) for i, (query, sticker) in enumerate(itertools.chain(one, others))),
    )
    db.commit()


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10


class Peer:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=600)
        self.cookies = {}

    def ask(self, target, headers={}, method="GET", body=None):
        cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())} if self.cookies else {}
        self.connection.request(method, target, body, headers | cookie)
        answer = self.connection.getresponse()
        text = answer.read()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        assert answer.status < 400, (target, answer.status, text[:200])
        return text

    def log_in(self):
        csrf = re.search(r'name="csrf" value="(\w+)"', self.ask("/admin/login").decode())[1]
        form = urllib.parse.urlencode({"csrf": csrf, "username": "admin", "password": "a long password", "next": ""})
        self.ask("/admin/login", {"Content-Type": "application/x-www-form-urlencoded"}, "POST", form)


def measure(data, url, *pids):
    queries = iter((data / "queries").read_text().splitlines())
    common = (data / "words").read_text().split()[0]
    peer = Peer(url)
    peer.log_in()

    def row(name, n, target, headers={}):
        times, before = [], [ticks(pid) for pid in pids]
        for _ in range(n):
            query = urllib.parse.quote(next(queries)) if "{}" in target else ""
            began = time.perf_counter()
            size = len(peer.ask(target.format(query), headers))
            times.append((time.perf_counter() - began) * 1000)
        used = " + ".join(f"{(ticks(pid) - b) / n:.1f}" for pid, b in zip(pids, before))
        times.sort()
        print(f"{name:34} {times[n // 2]:9.1f} {times[int(n * 0.99)]:9.1f} ms   processor {used} ms   {size:,} bytes", flush=True)

    row("search", 500, "/api/search/?query={}")
    row("search, 31 words, most misspelled", 20, "/api/search/?query=" + "+".join(f"{common[:4]}{chr(97 + i % 26)}xq" for i in range(31)))
    row("start page", 30, "/")
    row("/readyz", 50, "/readyz")
    row("admin: stickers", 20, "/admin/stickers/")
    row("admin: stickers with a word", 20, f"/admin/stickers/?q={common}")
    row("admin: dashboard", 20, "/admin/")
    row("export of stickers with a word", 2, f"/admin/stickers/export?format=csv&q={common}")
    row("export of all stickers", 1, "/admin/stickers/export?format=csv")
    row("export of all votes", 1, "/api/analytics/export?format=csv", TOKEN)
    name = sqlite3.connect(f"file:{data}/sticker.db?mode=ro", uri=True).execute("SELECT query FROM queries WHERE id = 'q7'").fetchone()[0]
    row("analytics of 100,000 votes", 2, "/api/analytics/?query=" + urllib.parse.quote(name), TOKEN)


def main():
    data = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "fill":
        fill(data)
    else:
        measure(data, *sys.argv[3:])


main()
