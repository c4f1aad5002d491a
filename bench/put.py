"""What changing one sticker costs: processor time of both services and the bytes that they write, by what changes.

    python3 bench/put.py FOLDER [PEEL [STICKERS]]

FOLDER is a data folder whose stickers have words in many languages, as scripts/run.sh makes it. Use a copy: its stickers
get a keyword more in each run. PEEL (build/release/peel) is the program, STICKERS (200, the maximum) how many are changed,
one after the other. No model is used.

"document" is a PUT to SearchService alone, "sticker" a PATCH of StickerService and all that follows until SearchService
has it. Background work is measured while nothing happens, and subtracted."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

SERVICES = ("sticker-service", "search-service")


def cpu_ms(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def written(pid):
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


class Peel:
    def __init__(self, program, folder, log):
        made = subprocess.run([program, "user", "create", "bench", "--superuser", "--data", folder], input="correct horse battery\n", text=True, capture_output=True)
        token = subprocess.run([program, "token", "create", "bench", "--data", folder], check=True, text=True, capture_output=True).stdout
        self.token = "Token " + re.search("[0-9a-f]{40}", token)[0]
        self.search_token = "Bearer " + (pathlib.Path(folder) / "search.token").read_text().strip()
        with socket.create_server(("127.0.0.1", 0)) as free:
            search_port = free.getsockname()[1]
        command = [program, "serve", "--quiet", "--data", folder, "--port", "0", "--search-port", str(search_port), "--rate-limit", "0", "--models-dir", folder + "/no-models"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        while "Ready in" not in (text := pathlib.Path(log.name).read_text()):
            if self.process.poll() is not None:
                sys.exit(made.stderr + text)
            time.sleep(0.05)
        self.port = int(re.search(r"Gallery: http://[^:]*:(\d+)", text)[1])
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        names = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
        self.pids = [next(pid for pid, name in names.items() if service in name) for service in SERVICES]
        self.sticker = http.client.HTTPConnection("127.0.0.1", self.port)
        self.search = http.client.HTTPConnection("127.0.0.1", search_port)

    def ask(self, connection, method, path, token, body=None):
        headers = {"Authorization": token, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def wait(self):
        while self.ask(self.sticker, "GET", "/readyz", self.token)["checks"]["outbox"]["pending"]:
            time.sleep(0.1)

    def used(self):
        return [(cpu_ms(pid), written(pid)) for pid in self.pids]

    def document(self, name):
        return self.ask(self.search, "GET", "/api/documents/" + urllib.parse.quote(name), self.search_token)


def more(words, language, word):
    return [{**w, "words": w["words"] + ", " + word} if w["language"] == language else w for w in words]


def put(language, word):
    def change(peel, name, document):
        body = {key: document[key] for key in ("title", "sha256", "pack", "rating", "animated", "ocr_words")}
        body["words"] = document["words"] = more(document["words"], language, word)
        peel.ask(peel.search, "PUT", "/api/documents/" + urllib.parse.quote(name), peel.search_token, body)

    return change


def patch(language, word):
    def change(peel, name, document):
        words = next(w["words"] for w in more(document["words"], language, word) if w["language"] == language)
        document["words"] = more(document["words"], language, word)
        body = {"keywords": {language: words.split(", ")}}
        peel.ask(peel.sticker, "PATCH", "/api/stickers/" + urllib.parse.quote(name), peel.token, body)
        time.sleep(0.02)  # so that changes do not gather in the outbox

    return change


CHANGES = {
    "sticker, a German keyword": (patch, "de", "zitronenfalter"),
    "sticker, an English keyword": (patch, "en", "brimstone"),
    "document, nothing": (put, "", ""),
    "document, a German keyword": (put, "de", "zaunkönig"),
    "document, an English keyword": (put, "en", "wren"),
}


def measure(peel, label, change, documents):
    rest = peel.used(), time.monotonic()
    time.sleep(2)
    idle_s, idle = time.monotonic() - rest[1], [now[0] - was[0] for was, now in zip(rest[0], peel.used())]
    began, before = time.monotonic(), peel.used()
    for name, document in documents.items():
        change(peel, name, document)
    peel.wait()
    took, after = time.monotonic() - began, peel.used()
    n = len(documents)
    ms = [(now[0] - was[0] - idle[i] * took / idle_s) / n for i, (was, now) in enumerate(zip(before, after))]
    kib = [(now[1] - was[1]) / 1024 / n for was, now in zip(before, after)]
    print(f"{label:30} {ms[0]:8.2f} {ms[1]:8.2f} {sum(ms):8.2f} {kib[0]:8.0f} {kib[1]:8.0f} {sum(kib):8.0f}", flush=True)


def main():
    folder = sys.argv[1]
    program = sys.argv[2] if len(sys.argv) > 2 else "build/release/peel"
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    with tempfile.NamedTemporaryFile() as log:
        peel = Peel(program, folder, log)
        names = [d["filename"] for d in peel.ask(peel.search, "GET", f"/api/documents/?limit={n}", peel.search_token)["documents"]]
        documents = {name: peel.document(name) for name in names}
        documents = {name: d for name, d in documents.items() if {"de", "en"} <= {w["language"] for w in d["words"]}}
        size = sum(len(json.dumps(d["words"], ensure_ascii=False).encode()) for d in documents.values()) / len(documents)
        print(f"{len(documents)} stickers with {size / 1024:.1f} KiB of words")
        print(f"{'':30} {'sticker':>8} {'search':>8} {'both ms':>8} {'sticker':>8} {'search':>8} {'both KiB':>8}")
        for label, (change, language, word) in CHANGES.items():
            measure(peel, label, change(language, f"{word}{os.getpid()}"), documents)
        peel.process.terminate()
        peel.process.wait()


main()
