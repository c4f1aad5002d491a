"""What the API tests share: real services on free ports in a folder of their own, a small HTTP client that
also sends what a well-behaved one would not, pictures to import, and a runner that ends with one line,
"N passed, N failed".

    class Search(ServiceTest):
        def test_finds(self):
            self.assertEqual(self.get("/api/search/?query=cat").status, 200)
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEEL = os.environ.get("PEEL", str(ROOT / "peel"))
SLOW = float(os.environ.get("PEEL_TEST_SLOW", "1"))  # factor for time limits, for sanitizer builds
MODE = os.environ.get("PEEL_TEST_MODE", "release")  # how PEEL was built: release, asan or tsan
UPLOAD = "/admin/stickers/upload/"
ADMIN_TOKEN = "0123456789abcdef0123456789abcdef01234567"


def png(width=8, height=8, rgb=(200, 80, 20)):
    """A plain PNG of one colour."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes(rgb) * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")


def multipart(fields, files, boundary="------------b0undary"):
    """As browsers write it. fields: (name, value) pairs; files: (filename, bytes) pairs."""
    body = b""
    for name, value in fields:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode() + b"\r\n"
    for name, data in files:
        name = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def webp_size(data):
    """(width, height)"""
    if (data[:4], data[8:12]) != (b"RIFF", b"WEBP"):
        raise AssertionError(f"no WebP: {data[:12]}")
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def wait_until(true, seconds=10.0, what="a condition"):
    end = time.monotonic() + seconds * SLOW
    while not (value := true()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {seconds * SLOW:.0f} s")
        time.sleep(0.02)
    return value


def figures(text):
    """A line that the runner shows also of tests that pass."""
    print(f"\nfigures: {text}", flush=True)


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def json(self):
        return json.loads(self.body)


def request(port, method, target, body=None, headers=None, timeout=30.0):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * SLOW)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def raw(port, data, timeout=15.0, half_close=False):
    """Sends bytes as they are; the answer, or None when the server just closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout * SLOW) as s:
        with contextlib.suppress(OSError):  # it may have closed before all was sent
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        try:
            response = http.client.HTTPResponse(s)
            response.begin()
            return Answer(response, response.read())
        except (http.client.HTTPException, ConnectionResetError):
            return None


class Process:
    """A peel subcommand in the background; its log goes to the end of a file in the data folder."""

    def __init__(self, args, log, env=None):
        self.log_path = log
        with open(log, "ab") as out:
            self.log_start = out.tell()  # a process before this one may have written to the same file
            self.child = subprocess.Popen(
                [PEEL, *args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={"PEEL_SHED_WAIT_MS": "0", **os.environ, **(env or {})},  # a busy machine of tests is no overload
            )

    def log(self):
        return pathlib.Path(self.log_path).read_bytes()[self.log_start :].decode(errors="replace")

    def wait_for(self, pattern, seconds=20.0):
        def found():
            if match := re.search(pattern, self.log()):
                return match
            if self.child.poll() is not None:
                raise AssertionError(f"peel ended with {self.child.returncode}:\n{self.log()}")
            return None

        return wait_until(found, seconds, f"{pattern!r} in {self.log_path}")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
        try:
            return self.child.wait(20 * SLOW)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"peel did not stop on SIGTERM:\n{self.log()}") from None


class FakeSearch:
    """A SearchService that answers whatever a test tells it to."""

    def __init__(self, port=0):
        self.answer = lambda handler: (200, {"filenames": [], "results": [], "algorithm": "fake", "model": ""})
        self.seen, self.closed = [], False
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: the second one would wait for the first one's acknowledgement

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if fake.closed:  # on a connection that was kept
                    self.close_connection = True
                    return
                fake.seen.append((self.command, self.path, dict(self.headers), body))
                status, content = fake.answer(self)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                with contextlib.suppress(OSError):  # who asked may be gone
                    self.end_headers()
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()


def stop(pid):
    """SIGSTOP, and waits until each thread has stopped: until then it may still answer."""
    os.kill(pid, signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{pid}/task")
    wait_until(lambda: all((t / "stat").read_text().rpartition(")")[2].split()[0] == "T" for t in tasks.iterdir()), 5, "a stop")


class System:
    """A data folder and the services on it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-api-"))
        self.data = self.folder / "data"
        self.processes = []
        self.fake = None
        if database := os.environ.get("PEEL_TEST_STICKER_DB"):  # a URL in which "{}" stands for a fresh name
            os.environ["PEEL_STICKER_DB"] = database.replace("{}", self.folder.name)

    def run(self, *args, check=True, stdin=None):
        done = subprocess.run(
            [PEEL, *args, "--data", str(self.data)], capture_output=True, text=True, timeout=120 * SLOW, input=stdin
        )
        if check and done.returncode:
            raise AssertionError(f"peel {args} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def sql(self, statement, *values, which="sticker"):
        """Rows of a statement in a service's SQLite database."""
        db = sqlite3.connect(self.data / f"{which}.db", timeout=30)
        try:
            with db:
                return db.execute(statement, values).fetchall()
        finally:
            db.close()

    def add(self, stickers):
        """Imports {filename: (title, words)} as small pictures, each of another colour."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        lines = ["filename,title,words,language"]
        for i, (name, (title, words)) in enumerate(stickers.items()):
            (folder / name).write_bytes(png(8, 8, (i % 256, i // 256 % 256, len(name) % 256)))
            lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in (name, title, words, "en")))
        (folder / "stickers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self.run("import", str(folder))

    def start_process(self, name, *args, env=None):
        process = Process([*args, "--data", str(self.data)], self.folder / f"{name}.log", env)
        self.processes.append(process)
        return process

    def start_search(self, port=0):
        self.search = self.start_process("search", "search-service", "--search-port", str(port))
        self.search_port = int(self.search.wait_for(r"listening on \S+ port (\d+)")[1])

    def start_sticker(self, *args, search_port=None, port=0):
        self.sticker = self.start_process(
            f"sticker{len(self.processes)}",
            "sticker-service",
            "--port",
            str(port),
            "--search-url",
            f"http://127.0.0.1:{search_port or self.search_port}",
            *args,
            env={"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": "a long password", "ADMIN_TOKEN": ADMIN_TOKEN},
        )
        self.port = int(self.sticker.wait_for(r"listening on \S+ port (\d+)")[1])
        return self.port

    def wait_indexed(self, seconds=30):
        def indexed():
            answer = request(self.port, "GET", "/readyz")
            return answer.status == 200 and answer.json()["checks"]["outbox"]["pending"] == 0

        wait_until(indexed, seconds, "an empty outbox")

    def close(self):
        problems = []
        for process in reversed(self.processes):
            try:
                code = process.stop()
                if code not in (0, -signal.SIGKILL):
                    problems.append(f"{process.child.args} ended with {code}:\n{process.log()[-4000:]}")
            except AssertionError as problem:
                problems.append(str(problem))
        if self.fake:
            self.fake.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if problems:
            raise AssertionError("\n".join(problems))


STICKERS = {
    "cat.png": ("Cat in a park", "cat, kitten, park"),
    "dog.png": ("Dog", "dog, puppy"),
    "cake.png": ("Birthday cake", "cake, birthday, party"),
    "car.png": ("Red car", "car, vehicle, red"),
    "sun & rain, 100%.png": ("Sun and rain", "sun, rain, weather"),
    "grüße.png": ("Grüße", "greeting, hello"),
}


class ServiceTest(unittest.TestCase):
    """Both services with STICKERS indexed, started once per class."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        cls.system.start_search()
        cls.system.start_sticker(*cls.arguments)
        cls.system.wait_indexed()
        cls.port = cls.system.port

    def get(self, target, **headers):
        return request(self.port, "GET", target, headers=headers)

    def search(self, query, **more):
        return self.get("/api/search/?" + urllib.parse.urlencode({"query": query, **more}))

    def feedback(self, *entries):
        return request(self.port, "POST", "/api/feedback/", json.dumps({"feedback": entries}))

    def analytics(self, query, token=ADMIN_TOKEN):
        return self.get("/api/analytics/?" + urllib.parse.urlencode({"query": query}), Authorization=f"Token {token}")

    def assert_problem(self, answer, status, message=None):
        """The answer is an error in the contract's form."""
        self.assertIsNotNone(answer, "the connection was closed without an answer")
        self.assertEqual(answer.status, status, answer.body[:300])
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertTrue(answer.headers["X-Request-Id"])
        problem = answer.json()
        self.assertEqual(problem["status"], status)
        self.assertEqual(problem["type"], "about:blank")
        self.assertEqual(problem["message"], problem["detail"])
        self.assertTrue(problem["title"])
        if message is not None:
            self.assertIn(message, problem["message"])


class CountingResult(unittest.TextTestResult):
    """Counts what passed; failures may also come from setting up, and one test may have several."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main():
    runner = unittest.TextTestRunner(resultclass=CountingResult)
    result = unittest.main(module="__main__", exit=False, testRunner=runner).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    for test, why in result.skipped:
        print(f"skipped: {test}: {why}")
    print(f"{result.passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
