"""Adds queries and scores to a seeded data folder, starts StickerService on it and times its admin pages."""

import html
import http.client
import pathlib
import re
import sqlite3
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
data = pathlib.Path(sys.argv[1])
words = (data / "words").read_text().split()

db = sqlite3.connect(data / "sticker.db")
stickers = [row[0] for row in db.execute("SELECT id FROM stickers")]
db.executemany(
    "INSERT INTO queries (id, query, usage, created_us, modified_us, row) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
    ((f"q{i}", f"{words[i % 997]} {words[i % 1999]} {i}", i * 7919 % 1000, 10**15 + i * 10**6, i + 1) for i in range(100_000)),
)
db.execute("INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries")
db.executemany(
    "INSERT INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    ((f"s{i}", f"q{i % 100_000}", stickers[(i * 7 + i // 100_000) % len(stickers)], i % 5, i % 3, 10**15 + i) for i in range(1_000_000)),
)
db.executemany("INSERT INTO days VALUES (?1, ?2, 12, 3, 400, 50)", ((time.time() // 86400 - i, 10_000 + i) for i in range(365)))
db.commit()
db.close()

log = open(data / "log", "w+")
service = subprocess.Popen(
    [ROOT / "peel", "sticker-service", "--data", data, "--port", "0", "--search-url", "http://127.0.0.1:1"],
    stdout=log, stderr=log, env={"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": "a long password"},
)
try:
    while not (found := re.search(r"port (\d+)", (data / "log").read_text())):
        time.sleep(0.05)
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]))
    cookies = {}

    def ask(method, target, fields=None):
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.perf_counter()
        connection.request(method, target, fields and urllib.parse.urlencode(fields), headers)
        response = connection.getresponse()
        first = response.read(1)
        took = (time.perf_counter() - began) * 1000
        body = (first + response.read()).decode()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            cookies[name] = value
        return response.status, took, body

    page = ask("GET", "/admin/login")[2]
    csrf = re.search(r'name="csrf" value="(\w+)"', page)[1]
    ask("POST", "/admin/login", {"csrf": csrf, "username": "admin", "password": "a long password", "next": ""})
    targets = ["/admin/", "/admin/?days=365", "/admin/password"]
    for model in ("stickers", "queries", "scores", "users", "groups", "tokens", "history"):
        page = ask("GET", f"/admin/{model}/")[2]
        links = re.findall(r'href="(/admin/%s/[^"]*)"' % model, page)
        targets += [f"/admin/{model}/"] + [html.unescape(t) for t in links if "export" not in t and "id=" not in t]
        targets += [html.unescape(t) for t in links if "edit?id=" in t][:1]
    common, rare = words[0], words[-1]
    for query in (f"stickers/?q={common}", f"stickers/?q={rare}", "stickers/?pack=odd", "stickers/?language=en", "stickers/?votes=yes", "stickers/?votes=no",
                  "stickers/?indexed=no", "stickers/?words=no", "stickers/?pack=odd&votes=yes&sort=title&order=up",
                  f"queries/?q={common}", "queries/?votes=yes", "queries/?votes=no", "scores/?balance=bad", f"scores/?q={common}",
                  "scores/?sticker=s77.png", "scores/?sort=positives&order=down&at=500000:1", "stickers/delete?id=s77.png"):
        targets.append("/admin/" + query)
    for target in dict.fromkeys(targets):
        answers = [ask("GET", target) for _ in range(15)]
        times = sorted(a[1] for a in answers)
        print(f"{times[7]:7.1f} ms {times[-1]:7.1f} ms {len(answers[0][2]) / 1000:6.1f} kB  {answers[0][0]}  {target[:90]}")
finally:
    service.terminate()
    service.wait()
