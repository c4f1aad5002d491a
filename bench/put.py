"""What changing one sticker costs: processor time of both services and the bytes that they write, by what changes.

    python3 bench/put.py FOLDER [PEEL [STICKERS]]

FOLDER is a data folder whose stickers have words in many languages, as scripts/run.sh makes it. Use a copy: its stickers
get a keyword more in each run. PEEL (build/release/peel) is the program, STICKERS (200, the maximum) how many are changed,
one after the other. No model is used.

"document" is a PUT to SearchService alone, "sticker" a PATCH of StickerService and all that follows until SearchService
has it. Background work is measured while nothing happens, and subtracted."""

import json
import os
import pathlib
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from services import Services  # noqa: E402


def used(services):
    return list(zip(services.cpu_ms(), services.written()))


def document_of(services, name):
    return services.ask(services.search, "GET", "/api/documents/" + urllib.parse.quote(name), services.search_token)


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
    rest = used(peel), time.monotonic()
    time.sleep(2)
    idle_s, idle = time.monotonic() - rest[1], [now[0] - was[0] for was, now in zip(rest[0], used(peel))]
    began, before = time.monotonic(), used(peel)
    for name, document in documents.items():
        change(peel, name, document)
    peel.wait_indexed()
    took, after = time.monotonic() - began, used(peel)
    n = len(documents)
    ms = [(now[0] - was[0] - idle[i] * took / idle_s) / n for i, (was, now) in enumerate(zip(before, after))]
    kib = [(now[1] - was[1]) / 1024 / n for was, now in zip(before, after)]
    print(f"{label:30} {ms[0]:8.2f} {ms[1]:8.2f} {sum(ms):8.2f} {kib[0]:8.0f} {kib[1]:8.0f} {sum(kib):8.0f}", flush=True)


def main():
    folder = sys.argv[1]
    program = sys.argv[2] if len(sys.argv) > 2 else "build/release/peel"
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    peel = Services(program, folder, "--models-dir", folder + "/no-models")
    names = [d["filename"] for d in peel.ask(peel.search, "GET", f"/api/documents/?limit={n}", peel.search_token)["documents"]]
    documents = {name: document_of(peel, name) for name in names}
    documents = {name: d for name, d in documents.items() if {"de", "en"} <= {w["language"] for w in d["words"]}}
    size = sum(len(json.dumps(d["words"], ensure_ascii=False).encode()) for d in documents.values()) / len(documents)
    print(f"{len(documents)} stickers with {size / 1024:.1f} KiB of words")
    print(f"{'':30} {'sticker':>8} {'search':>8} {'both ms':>8} {'sticker':>8} {'search':>8} {'both KiB':>8}")
    for label, (change, language, word) in CHANGES.items():
        measure(peel, label, change(language, f"{word}{os.getpid()}"), documents)
    peel.stop()


main()
