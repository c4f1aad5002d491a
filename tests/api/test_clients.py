"""The clients for JavaScript and Python, against a real service."""

import asyncio
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

from peel_testing import ADMIN_TOKEN, PEEL, ROOT, ServiceTest, main, png

CLIENTS = ROOT / "clients"
sys.path.insert(0, str(CLIENTS / "python"))

import peel_client  # noqa: E402
from peel_client import AsyncPeel, Peel, PeelError  # noqa: E402


class Busy:
    """A service that refuses the first request with each key for a second, and searches for an hour."""

    def __init__(self):
        self.seen = []
        busy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                first = self.headers["Idempotency-Key"] not in busy.seen
                busy.seen.append(self.headers["Idempotency-Key"])
                self.answer(503 if first else 200, {"failed": [], "asked": body}, "1")

            def do_GET(self):
                self.answer(503, {"message": "Busy."}, "3600")

            def answer(self, status, content, retry_after):
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                if status == 503:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Clients(ServiceTest):
    def setUp(self):
        self.url = f"http://127.0.0.1:{self.port}"
        self.busy = Busy()
        self.addCleanup(self.busy.close)

    def counts(self):
        text = self.get("/metrics").body.decode()
        return {a: int(n) for a, n in re.findall(r'^peel_sticker_events_total{action="(\w+)"} (\d+)$', text, re.M)}

    def told(self, before, **expected):
        after = self.counts()
        self.assertEqual({a: after[a] - before.get(a, 0) for a in expected}, expected)

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_javascript(self):
        before = self.counts()
        script = pathlib.Path(__file__).with_name("clients.mjs")
        done = subprocess.run(["node", str(script), self.url, self.busy.url, ADMIN_TOKEN], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "done\n", done.stderr)
        self.told(before, impression=1, share=1)
        self.assertEqual(len(self.busy.seen), 2)

    def test_python(self):
        before = self.counts()
        with Peel(self.url, lang="en", client="user-18") as peel:
            found = peel.search("cat", limit=1, animated=False)
            best = found["results"][0]
            self.assertEqual(best["filename"], "cat.png")
            self.assertEqual(best["query_id"], found["query_id"])
            self.assertEqual(self.get(best["thumbnail"][len(self.url) :]).headers["Content-Type"], "image/webp")
            self.assertEqual([s["text"] for s in peel.suggest("kit")], ["kitten"])
            self.assertEqual(len(peel.sticker("sun & rain, 100%.png")["keywords"]), 3)
            self.assertTrue(all(s["url"].startswith(self.url) for s in peel.similar("cat.png", limit=2)["results"]))
            self.assertEqual(len(peel.random(limit=2)["results"]), 2)
            for part in (peel.trending()["queries"], peel.categories(lang="de"), peel.packs()):
                self.assertIsInstance(part, list)
            names = [s["filename"] for s in peel.pages("cat dog cake car", limit=2)]
            self.assertGreater(len(names), 2)
            self.assertEqual(len(set(names)), len(names))
            self.assertEqual(peel.feedback({"query_id": found["query_id"], "positive": ["cat.png", "no.png"]}), ["no.png"])
            peel.tell("impression", best)
            peel.tell("copy", best)
            with self.assertRaisesRegex(PeelError, "Please provide a query.") as refused:
                peel.search("")
            self.assertEqual((refused.exception.status, refused.exception.temporary), (400, False))
        self.told(before, impression=1, copy=1)
        with self.assertRaises(PeelError) as refused:
            Peel("http://127.0.0.1:9", retries=0).search("cat")
        self.assertEqual((refused.exception.status, refused.exception.temporary), (0, True))

    def test_python_writes_with_a_token(self):
        staff = Peel(self.url, token=ADMIN_TOKEN)
        made = staff.upload("python dot.png", png(8, 8), {"title": "Dot", "keywords": {"en": ["point"]}, "pack": "dots/more"})
        self.assertEqual((made["title"], made["mime"]), ("Dot", "image/png"))
        page = staff.pack("dots/more", limit=1)
        self.assertEqual((page["pack"]["stickers"], page["results"][0]["url"], "next" in page), (1, made["url"], False))
        staff.remove("python dot.png")
        for call in (lambda: staff.sticker("python dot.png"), lambda: Peel(self.url).remove("cat.png")):
            with self.assertRaises(PeelError) as refused:
                call()
            self.assertIn(refused.exception.status, (401, 404))

    def test_python_waits_as_told(self):
        peel = Peel(self.busy.url)
        began = time.monotonic()
        self.assertEqual(peel.feedback([{"query": "cat", "positive": ["cat.png"]}]), [])
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual((len(self.busy.seen), len(set(self.busy.seen))), (2, 1))
        with self.assertRaises(PeelError) as refused:
            peel.search("hour")
        self.assertEqual((refused.exception.status, refused.exception.retry_after), (503, 3600))

    def test_python_async(self):
        async def use():
            async with AsyncPeel(self.url) as peel:
                found = await asyncio.gather(*(peel.search(q, limit=1) for q in ("cat", "dog", "cake")))
                await peel.tell("click", found[0]["results"][0])
                return [f["results"][0]["filename"] for f in found], [s["filename"] async for s in peel.pages("cat")]

        before = self.counts()
        names, pages = asyncio.run(use())
        self.assertEqual(names, ["cat.png", "dog.png", "cake.png"])
        self.assertEqual(pages[0], "cat.png")
        self.told(before, click=1)


class Packages(unittest.TestCase):
    def test_versions_are_those_of_peel(self):
        version = subprocess.run([PEEL, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        self.assertEqual(peel_client.__version__, version)
        self.assertEqual(json.loads((CLIENTS / "js" / "package.json").read_text())["version"], version)


if __name__ == "__main__":
    main()
