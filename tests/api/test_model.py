#!/usr/bin/env python3
"""Models at the command line: pulled from a hub (a local one with faults), listed, used by running services."""

import hashlib
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import threading
import unittest

from peel_testing import PEEL, ROOT, System, main, png, request, wait_until

SMALL = ROOT / "tests/golden/small"


def vocabulary():
    """GPT-2's byte alphabet, alone and at the end of a word, and the control tokens: 514 of the model's 600 ids."""
    printable = [*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 256)]
    letters, extra = [], 256
    for byte in range(256):
        letters.append(chr(byte) if byte in printable else chr(extra))
        extra += byte not in printable
    vocab = {letter: i for i, letter in enumerate(letters)}
    vocab |= {letter + "</w>": 256 + i for i, letter in enumerate(letters)}
    return vocab | {"<|startoftext|>": 598, "<|endoftext|>": 599}


def model_files():
    files = {name: (SMALL / name).read_bytes() for name in ("config.json", "model.safetensors")}
    files["vocab.json"] = json.dumps(vocabulary()).encode()
    files["merges.txt"] = b"#version: 0.2\n"
    files["README.md"] = b"not needed"
    return files


def text_model_files():
    folder = ROOT / "tests/golden/bert/distilbert"
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return files | {"tokenizer.json": (ROOT / "tests/golden/token_ids/unigram/tokenizer.json").read_bytes()}


class Hub:
    """Speaks as much of the hub's API as a download needs; large files come by redirect, as there."""

    def __init__(self, files):
        self.files, self.seen, self.cut, self.lie, self.token = dict(files), [], {}, set(), None
        self.revisions = {"main": dict(files)}
        self.discussions = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, status, data, headers=None):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                hub.seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Range")))
                if hub.token and "/cdn/" not in self.path and self.headers.get("Authorization") != f"Bearer {hub.token}":
                    return self.answer(401, b"{}")
                if match := re.fullmatch(r"/api/models/org/small/revision/(.+)\?blobs=true", self.path):
                    revision = match[1].replace("%2F", "/")
                    files = hub.revisions.get(revision)
                    if files is None:
                        return self.answer(404, b"{}")
                    listing = {"sha": "c0ffee" + hashlib.sha1(revision.encode()).hexdigest()[:34],
                               "siblings": [hub.describe(name, data) for name, data in files.items()]}
                    hub.files = files
                    return self.answer(200, json.dumps(listing).encode())
                if self.path == "/api/models/org/small/discussions":
                    return self.answer(200, json.dumps({"discussions": hub.discussions}).encode())
                if match := re.fullmatch(r"/org/small/resolve/c0ffee[0-9a-f]+/(.+)", self.path):
                    if match[1].endswith(".safetensors"):
                        return self.answer(302, b"", {"Location": f"http://localhost:{hub.port}/cdn/{match[1]}"})
                    return self.send_file(match[1])
                if match := re.fullmatch(r"/cdn/(.+)", self.path):
                    return self.send_file(match[1])
                return self.answer(404, b"{}")

            def send_file(self, name):
                data = hub.files[name]
                if name in hub.lie:
                    data = data[:-1] + b"?"
                begin = 0
                if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
                    begin = int(match[1])
                self.send_response(206 if begin else 200)
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - begin))
                self.end_headers()
                end = len(data)
                if hub.cut.get(name):
                    hub.cut[name] -= 1
                    end = begin + (len(data) - begin) // 2
                    self.close_connection = True
                self.wfile.write(data[begin:end])

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def describe(self, name, data):
        entry = {"rfilename": name, "size": len(data)}
        if name.endswith(".safetensors"):
            return entry | {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}}
        return entry | {"blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Verify(unittest.TestCase):
    def test_the_starter_model_gives_the_numbers_of_pytorch(self):
        system = System()
        self.addCleanup(system.close)
        system.run("model", "use", "starter")
        for precision in ("fp32", "int8"):
            said = json.loads(system.run("model", "verify", "starter", "--precision", precision, "--json").stdout)
            self.assertTrue(said["ok"])
            self.assertEqual([check["ok"] for check in said["checks"]], [True])
        weights = system.data / "bucket/models/starter/model.safetensors"
        data = bytearray(weights.read_bytes())
        start = 8 + int.from_bytes(data[:8], "little")
        data[start:] = bytes(byte ^ 0x80 for byte in data[start:])  # whole, but not what was trained
        weights.write_bytes(data)
        done = system.run("model", "verify", "starter", check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("WRONG", done.stdout)


class Pull(unittest.TestCase):
    def setUp(self):
        self.system, self.hub = System(), Hub(model_files())
        self.addCleanup(self.system.close)
        self.addCleanup(self.hub.close)
        self.models = pathlib.Path(self.system.data) / "bucket/models"

    def pull(self, *args, check=True):
        return self.system.run("model", "pull", *args, "--hf-endpoint", f"http://127.0.0.1:{self.hub.port}", check=check)

    def test_pulls_checks_lists_and_works_offline_afterwards(self):
        self.hub.cut = {"model.safetensors": 2}
        self.pull("org/small")
        got = self.models / "org--small"
        for name, data in model_files().items():
            if name != "README.md":
                self.assertEqual((got / name).read_bytes(), data, name)
        self.assertFalse((got / "README.md").exists())
        self.assertEqual(sum(1 for path, _, r in self.hub.seen if path.startswith("/cdn/") and r), 2)
        self.assertIn("org--small", self.system.run("model", "list").stdout)
        asked = len(self.hub.seen)
        self.pull("org/small")
        self.assertEqual(len(self.hub.seen), asked)
        info = json.loads(self.system.run("model", "info", "org/small").stdout)
        self.assertIn(info["precision"], ("fp32", "bf16", "int8"))
        self.assertIn("no reference values", self.system.run("model", "verify").stdout)
        ids = json.loads(self.system.run("tokenize", "--model", "org/small", "cat").stdout)
        self.assertEqual(ids, [598, ord("c"), ord("a"), 256 + ord("t"), 599])
        vector = json.loads(self.system.run("embed", "--model", str(got), "--text", "cat").stdout)
        self.assertEqual(len(vector), 48)
        self.assertAlmostEqual(sum(x * x for x in vector), 1, places=5)
        photo = pathlib.Path(self.system.data) / "red.png"
        photo.write_bytes(png())
        self.assertEqual(len(json.loads(self.system.run("embed", "--image", str(photo)).stdout)), 48)

    def test_a_model_of_texts_has_folders_inside(self):
        files = text_model_files()
        self.hub.revisions = {"main": files | {"onnx/model.onnx": b"not needed", "1_Pooling/README.md": b"nor this"}}
        self.pull("org/small")
        got = self.models / "org--small"
        here = {str(path.relative_to(got)) for path in got.rglob("*") if path.is_file()}
        self.assertEqual(here - {"origin.json"}, set(files))
        info = json.loads(self.system.run("model", "info", "org/small").stdout)
        self.assertEqual((info["dim"], info["text"]["pooling"], info["text"]["max_tokens"]), (16, "mean", 12))
        self.assertEqual(len(json.loads(self.system.run("embed", "--text", "cat").stdout)), 16)
        self.assertIn("when SearchService starts", self.system.run("model", "use", "org/small", "--search-url",
                                                                   "http://127.0.0.1:1").stdout)
        self.system.add({"red.png": ("a red square", ""), "blue.png": ("blue", "")})
        self.system.start_search()
        self.system.start_sticker()
        port = self.system.search_port
        wait_until(lambda: "sentence" in request(port, "GET", "/api/search/?query=scarlet").json()["legs"], 30, "vectors")

    def test_wrong_content_is_refused(self):
        for name in ("model.safetensors", "vocab.json"):
            self.hub.lie = {name}
            answer = self.pull("org/small", check=False)
            self.assertEqual(answer.returncode, 1)
            self.assertIn(name, answer.stderr)
            self.assertFalse((self.models / "org--small").exists())
        self.hub.lie = set()
        self.pull("org/small")

    def test_tokens_stay_with_the_hub(self):
        self.hub.token = "secret"
        self.assertIn("denied", self.pull("org/small", check=False).stderr)
        answer = self.pull("org/small", "--hf-token", "secret")
        self.assertNotIn("secret", answer.stdout + answer.stderr)
        self.assertEqual({auth for path, auth, _ in self.hub.seen if path.startswith("/cdn/")}, {None})

    def test_finds_the_converted_weights_of_an_old_repository(self):
        files = model_files()
        weights = files.pop("model.safetensors")
        self.hub.revisions = {"main": files, "refs/pr/7": files | {"model.safetensors": weights}}
        self.assertIn("safetensors", self.pull("org/small", check=False).stderr)
        self.hub.discussions = [{"num": 7, "title": "Adding `safetensors` variant of this model",
                                 "author": {"name": "SFconvertbot"}}]
        self.pull("org/small")
        self.assertEqual(json.loads((self.models / "org--small/origin.json").read_text())["revision"], "refs/pr/7")

    def test_says_what_is_wrong(self):
        for what, message in (("../evil", "owner/name"), ("org/nothing", "not there"), ("alone", "owner/name")):
            answer = self.pull(what, check=False)
            self.assertEqual(answer.returncode, 1, what)
            self.assertIn(message, answer.stderr)
        self.assertIn("not there", self.pull("org/small", "--revision", "v9", check=False).stderr)

    def test_running_services_take_it_up(self):
        self.system.add({"red.png": ("red", ""), "blue.png": ("blue", "")})
        self.pull("org/small")
        self.assertIn("when SearchService starts", self.system.run("model", "use", "org/small", "--search-url",
                                                                   "http://127.0.0.1:1").stdout)
        self.system.start_search()
        self.system.start_sticker()
        port = self.system.search_port

        def indexed():
            models = request(port, "GET", "/api/models").json()["models"]
            return models and models[0]["indexed"] == 2

        wait_until(indexed, 30, "two vectors")
        answer = request(port, "GET", "/api/search/?query=red").json()
        self.assertEqual((answer["algorithm"], sorted(answer["legs"])), ("hybrid", ["lexical", "vector"]))
        self.assertEqual(request(port, "GET", "/api/search/?query=xyz&algorithm=vector").json()["total"], 2)
        (self.models / "second").mkdir()
        for file in (self.models / "org--small").iterdir():
            (self.models / "second" / file.name).write_bytes(file.read_bytes())
        used = self.system.run("model", "use", "second", "--search-url", f"http://127.0.0.1:{port}")
        self.assertIn("second is now the default", used.stdout)
        wait_until(lambda: request(port, "GET", "/api/search/?query=red").json()["model"] == "second", 20, "the switch")

    def test_the_starter_comes_with_the_program(self):
        """Found beside the program, used by running services, and replaced by one from a hub with one command."""
        self.system.add({"red.png": ("red", ""), "blue.png": ("blue", "")})
        self.system.start_search()
        self.system.start_sticker()
        port = self.system.search_port
        url = ("--search-url", f"http://127.0.0.1:{port}")
        for _ in range(2):
            self.assertIn("starter is now the default", self.system.run("model", "use", "starter", *url).stdout)
        shipped = ROOT / "models/starter"
        for file in (self.models / "starter").iterdir():
            if file.name != "peel-probe.json":  # what SearchService notes when it has loaded the model
                self.assertEqual(file.read_bytes(), (shipped / file.name).read_bytes(), file.name)
        self.assertRegex(self.system.run("model", "list").stdout, r"(?m)^starter +11\.\d MB")

        def indexed():
            models = request(port, "GET", "/api/models").json()["models"]
            return [m for m in models if m["state"] == "ready" and m["indexed"] == 2]

        wait_until(indexed, 30, "two vectors")
        answer = request(port, "GET", "/api/search/?query=a+red+square&algorithm=vector").json()
        self.assertEqual((answer["model"], answer["total"]), ("starter", 2))
        legs = [request(port, "GET", f"/api/search/?query=red&lang={lang}").json()["legs"] for lang in ("en", "de")]
        self.assertEqual([sorted(found) for found in legs], [["lexical", "vector"], ["lexical"]])
        self.pull("org/small")
        self.system.run("model", "use", "org/small", *url)
        wait_until(lambda: request(port, "GET", "/api/search/?query=red").json()["model"] == "org/small", 20, "the switch")

    def test_a_program_without_the_starter_says_where_it_belongs(self):
        alone = self.system.folder / "bin" / "peel"
        alone.parent.mkdir()
        alone.write_bytes(pathlib.Path(PEEL).read_bytes())
        alone.chmod(0o755)
        done = subprocess.run([alone, "model", "use", "starter", "--data", self.system.data], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("share/peel/models/starter", done.stderr)
        self.assertEqual([f.name for f in self.models.glob("*")], [])
        share = self.system.folder / "share/peel/models"
        shutil.copytree(ROOT / "models/starter", share / "starter")
        done = subprocess.run([alone, "model", "use", "starter", "--data", self.system.data], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    main()
