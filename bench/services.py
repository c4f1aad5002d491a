"""Both services under `peel serve` on a data folder, for benchmarks: start them, ask them, and see what they use."""

import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

NAMES = ("sticker-service", "search-service")
PASSWORD = "correct horse battery"


class Services:
    """StickerService and SearchService of the program PEEL. `sticker` and `search` are connections to them, `token` and
    `search_token` what their protected routes want, `pids` their processes; `url` is StickerService's."""

    def __init__(self, program, folder, *options):
        made = subprocess.run([program, "user", "create", "bench", "--superuser", "--data", folder], input=PASSWORD + "\n", text=True, capture_output=True)
        token = subprocess.run([program, "token", "create", "bench", "--data", folder], check=True, text=True, capture_output=True).stdout
        self.token = "Token " + re.search("[0-9a-f]{40}", token)[0]
        self.search_token = "Bearer " + (pathlib.Path(folder) / "search.token").read_text().strip()
        with socket.create_server(("127.0.0.1", 0)) as free:
            search_port = free.getsockname()[1]
        command = [program, "serve", "--quiet", "--data", folder, "--port", "0", "--search-port", str(search_port), "--rate-limit", "0", *options]
        with tempfile.NamedTemporaryFile("w+") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
            while "Ready in" not in (text := pathlib.Path(log.name).read_text()):
                if self.process.poll() is not None:
                    sys.exit(made.stderr + text)
                time.sleep(0.05)
        port = int(re.search(r"Gallery: http://[^:]*:(\d+)", text)[1])
        self.url = f"http://127.0.0.1:{port}"
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        names = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
        self.pids = [next(pid for pid, name in names.items() if service in name) for service in NAMES]
        self.sticker = http.client.HTTPConnection("127.0.0.1", port)
        self.search = http.client.HTTPConnection("127.0.0.1", search_port)

    def ask(self, connection, method, path, token, body=None):
        headers = {"Authorization": token, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def wait_indexed(self):
        while self.ask(self.sticker, "GET", "/readyz", self.token)["checks"]["outbox"]["pending"]:
            time.sleep(0.1)

    def cpu_ms(self):
        """Processor time of each service's threads so far."""
        return [sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6 for pid in self.pids]

    def written(self):
        """Bytes that each service has caused to be written to disks."""
        lines = [pathlib.Path(f"/proc/{pid}/io").read_text().splitlines() for pid in self.pids]
        return [int(dict(line.split(": ") for line in one)["write_bytes"]) for one in lines]

    def memory_mib(self):
        """Memory of each service; what they share counts for each in equal parts."""
        texts = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids]
        return [int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024 for text in texts]

    def stop(self):
        self.process.terminate()
        self.process.wait()
