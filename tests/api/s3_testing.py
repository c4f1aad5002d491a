"""A real S3 server (s3rver, from npm) behind a proxy of ours that checks every signature, checksum and hash, since
the server does not, and makes the faults that a key asks for: the first N requests of a kind fail when the key holds
"fault-KIND-WHAT-N". KIND: get, put, post (begin of an upload in parts), complete (its end). WHAT: 503, 429; drop
(closed without an answer), lost (done, but the answer is not sent), cut (closed in the middle of the body, sent or
received), short (half a body that says it is whole), wrong (other bytes), etag (of other bytes, and no hash of ours),
damage (the body arrives changed), slow (the answer stops in the middle)."""

import base64
import collections
import contextlib
import hashlib
import hmac
import http.client
import http.server
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
import node_tools  # noqa: E402

ACCESS, SECRET, BUCKET = "S3RVER", "S3RVER", "peel"
SERVER = """
const S3rver = require("s3rver");
new S3rver({ port: 0, address: "127.0.0.1", silent: true, directory: process.argv[1], vhostBuckets: false,
             configureBuckets: [{ name: "peel" }] }).run().then(({ port }) => console.log(port));
process.stdin.on("end", () => process.exit(0)).resume();
"""


def signature(method, target, headers, signed, payload_hash, secret, scope, stamp):
    """Signature Version 4 as Amazon describes it; headers: lower-case names."""

    def key(data, message):
        return hmac.new(data, message.encode(), hashlib.sha256).digest()

    path, _, query = target.partition("?")
    pairs = [tuple(urllib.parse.unquote(x) for x in (p.partition("=")[0], p.partition("=")[2])) for p in query.split("&") if p]
    quoted = sorted((urllib.parse.quote(k, safe="-._~"), urllib.parse.quote(v, safe="-._~")) for k, v in pairs)
    canonical = "\n".join(
        [
            method,
            urllib.parse.quote(urllib.parse.unquote(path), safe="/-._~"),
            "&".join(f"{k}={v}" for k, v in quoted),
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed),
            "",
            ";".join(signed),
            payload_hash,
        ]
    )
    date, region, service, end = scope.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return key(key(key(key(key(b"AWS4" + secret.encode(), date), region), service), end), text).hex()


def complaint(method, target, headers, body):
    """What Amazon would refuse: (status, code, message), or None."""
    headers = {name.lower(): value for name, value in headers.items()}
    form = r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\S+?), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
    match = re.fullmatch(form, headers.get("authorization", ""))
    if not match:
        return 403, "AccessDenied", "no signature"
    access, scope, signed, found = match.groups()
    signed = signed.split(";")
    must = {"host", "x-amz-date"} | {name for name in headers if name.startswith("x-amz-") or name == "content-md5"}
    if access != ACCESS:
        return 403, "InvalidAccessKeyId", access
    if signed != sorted(signed) or not must <= set(signed):
        return 403, "AccessDenied", f"signed are {signed}, expected at least {sorted(must)}"
    if absent := [name for name in signed if name not in headers]:
        return 403, "AccessDenied", f"signed are {absent}, which were not sent"
    payload = headers.get("x-amz-content-sha256", "")
    expected = signature(method, target, headers, signed, payload, SECRET, scope, headers["x-amz-date"])
    if not hmac.compare_digest(expected, found):
        return 403, "SignatureDoesNotMatch", "The request signature we calculated does not match"
    if payload != hashlib.sha256(body).hexdigest():
        return 400, "XAmzContentSHA256Mismatch", "the body has another hash"
    md5 = headers.get("content-md5")
    if md5 and md5 != base64.b64encode(hashlib.md5(body).digest()).decode():
        return 400, "BadDigest", "the body has another MD5"
    return None


class S3:
    """Server and proxy; `url` is the endpoint. `down`: connections are closed without an answer; `hang`: they stay
    open without one."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="peel-s3-")
        self.down = self.hang = False
        self.hung = []  # targets
        self.seen = []  # (method, target, status)
        self.refused = []  # complaints
        self.faults = collections.Counter()
        self.lock = threading.Lock()
        self.node = subprocess.Popen(
            ["node", "-e", SERVER, self.folder], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.behind = int(self.node.stdout.readline())
        s3 = self

        class Handler(Proxy):
            owner = s3

        self.handler = Handler
        self.listen(0)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def listen(self, port):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.server.handle_error = lambda *args: None  # clients that go away are part of the tests
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Refuses connections, and hangs up on those that are open."""
        self.down = True
        self.server.shutdown()
        self.server.server_close()

    def start(self):
        self.listen(self.port)
        self.down = False

    def environment(self):
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}

    def count(self, method, part):
        with self.lock:
            return sum(1 for m, target, _ in self.seen if m == method and part in target)

    def close(self):
        self.hang = False
        self.server.shutdown()
        self.server.server_close()
        self.node.stdin.close()
        self.node.wait(20)
        self.node.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner = None

    def fault(self):
        """The fault that this request shall suffer, or None."""
        path, _, query = self.path.partition("?")
        kind = self.command.lower()
        if kind == "post" and "uploadId" in query:
            kind = "complete"
        match = re.search(rf"fault-{kind}-([a-z0-9]+)-(\d+)", path)
        if not match:
            return None
        with self.owner.lock:
            self.owner.faults[kind, path] += 1
            return match[1] if self.owner.faults[kind, path] <= int(match[2]) else None

    def hang_up(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, status, code, message):
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.reply(status, {"Content-Type": "application/xml"}, b"" if self.command == "HEAD" else body)

    def reply(self, status, headers, body, send=None):
        with self.owner.lock:
            self.owner.seen.append((self.command, self.path, status))
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if send is None else send)

    def handle_any(self):
        if self.owner.hang:
            self.owner.hung.append(self.path)
        while self.owner.hang and not self.owner.down:
            time.sleep(0.05)
        fault = "drop" if self.owner.down else self.fault()
        size = int(self.headers.get("Content-Length") or 0)
        if fault == "cut" and self.command == "PUT":
            self.rfile.read(size // 2)
            return self.hang_up()
        body = self.rfile.read(size)
        if fault == "drop":
            return self.hang_up()
        if fault == "damage":
            body = bytes([body[0] ^ 1]) + body[1:]
        if problem := complaint(self.command, self.path, self.headers, body):
            if fault != "damage":
                self.owner.refused.append((self.command, self.path, problem))
            return self.refuse(*problem)
        if fault in ("503", "429"):
            return self.refuse(int(fault), "SlowDown", "Please reduce your request rate.")
        behind = http.client.HTTPConnection("127.0.0.1", self.owner.behind, timeout=60)
        try:
            target = f"/{BUCKET}{self.path}" if self.headers["Host"].startswith(f"{BUCKET}.") else self.path
            behind.request(self.command, target, body=body, headers=dict(self.headers))
            answer = behind.getresponse()
            data = answer.read()
        finally:
            behind.close()
        if fault == "lost":
            return self.hang_up()
        drop = {"connection", "keep-alive", "transfer-encoding", "date"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in drop}
        half = data[: len(data) // 2]
        if fault == "short":
            data, headers["Content-Length"] = half, str(len(half))
        if fault == "etag":
            headers = {name: value for name, value in headers.items() if name.lower() not in ("etag", "x-amz-meta-sha256")}
            headers["ETag"] = '"' + "0" * 32 + '"'
        if fault == "wrong":
            data = bytes([data[0] ^ 1]) + data[1:]
        self.reply(answer.status, headers, data, half if fault in ("cut", "slow") else None)
        if fault == "slow":
            self.wfile.flush()
            time.sleep(4)
        if fault in ("cut", "slow"):
            self.hang_up()
        return None

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def log_message(self, *args):
        pass


def unavailable():
    """Why there can be no S3 server here, or None."""
    if not shutil.which("node"):
        return "node is not installed"
    return node_tools.ensure()
