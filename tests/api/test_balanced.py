"""Two of each service behind nginx and HAProxy, started from deploy/'s own files: both stand before the same two
StickerServices, and before SearchService one StickerService has nginx and the other HAProxy. All four services are
restarted under load, one of each kind at a time, and nobody notices."""

import contextlib
import http.client
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from peel_testing import ADMIN_TOKEN, MODE, ROOT, SLOW, STICKERS, System, figures, main, request, wait_until
from test_sticker_crowd import Client, add_up, scores

DRAIN_MS = 1500  # longer than HAProxy's two checks
FAIL_TIMEOUT = 1.2  # nginx's, and a little
CLIENTS = 6  # of each gateway
MISSING = [name for name in ("nginx", "haproxy", "openssl") if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]


def free_ports(n):
    """Listened on in turn and given back; a restarted service needs to know its port beforehand."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def adapted(name, changes):
    """A file of deploy/ with what its head says is to be replaced; each must be there."""
    text = (ROOT / "deploy" / name).read_text()
    for old, new in changes.items():
        if old not in text:
            raise AssertionError(f"deploy/{name} does not say {old!r}")
        text = text.replace(old, new)
    return text


class Customer(Client):
    """Comes over TLS, measures, and tells a degraded answer from a whole one."""

    context = ssl._create_unverified_context()

    def __init__(self, port, number):
        super().__init__(port, number, 1000000)
        self.times, self.degraded = [], 0

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30 * SLOW, context=self.context)

    def call(self, method, target, body=None):
        began = time.monotonic()
        status, body = super().call(method, target, body)
        self.times.append(time.monotonic() - began)
        self.degraded += b'"degraded":true' in body
        return status, body


@unittest.skipIf(MODE != "release", "balancers: in release only")
@unittest.skipIf(MISSING, f"balancers: {', '.join(MISSING)} not installed")
class Balanced(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        ports = free_ports(10)
        cls.search_ports, cls.sticker_ports = ports[0:2], ports[2:4]
        cls.nginx, cls.nginx_plain, cls.nginx_internal = ports[4:7]
        cls.haproxy, cls.haproxy_plain, cls.haproxy_internal = ports[7:10]
        cls.services, cls.started = {}, 0
        for i in range(2):
            cls.start("search", i)
        cls.start_balancers()
        for i in range(2):
            cls.start("sticker", i)
        for i in range(2):
            cls.wait_ready("sticker", i)
        for port in (cls.nginx, cls.haproxy):
            wait_until(lambda port=port: cls.ask(port, "GET", "/healthz")[0] == 200, 10, "an answer through a gateway")
        cls.system.port = cls.sticker_ports[0]
        cls.system.wait_indexed()

    # --- services ---

    @classmethod
    def port(cls, kind, i):
        return (cls.search_ports if kind == "search" else cls.sticker_ports)[i]

    @classmethod
    def start(cls, kind, i):
        cls.started += 1
        args = [f"{kind}-service", "--port", str(cls.port(kind, i)), "--drain-ms", str(DRAIN_MS)]
        if kind == "sticker":
            internal = (cls.nginx_internal, cls.haproxy_internal)[i]
            args += ["--search-timeout-ms", "10000"]  # degraded is who lost SearchService, not who waited for a processor
            args += ["--search-url", f"http://127.0.0.1:{internal}", "--search-cache-ms", "0", "--trusted-proxies", "127.0.0.1"]
        env = {"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": "a long password", "ADMIN_TOKEN": ADMIN_TOKEN}
        process = cls.system.start_process(f"{kind}{i}-{cls.started}", *args, env=env)
        process.wait_for("listening on")
        cls.services[kind, i] = process

    @classmethod
    def wait_ready(cls, kind, i):
        wait_until(lambda: request(cls.port(kind, i), "GET", "/readyz").status == 200, 10, f"{kind} {i} ready")

    # --- balancers ---

    @classmethod
    def start_balancers(cls):
        folder = cls.system.folder / "balancers"
        folder.mkdir()
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=peel.example", "-keyout", key, "-out", certificate], check=True, capture_output=True,
        )  # fmt: skip
        (folder / "peel.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
        local = [f"127.0.0.1:{port}" for port in cls.search_ports + cls.sticker_ports]
        searches = {"10.0.0.21:8118": local[0], "10.0.0.22:8118": local[1]}
        stickers = {"10.0.0.11:8000": local[2], "10.0.0.12:8000": local[3]}
        user = pwd.getpwuid(os.getuid()).pw_name
        gateway = adapted("nginx/gateway.conf", {
            **stickers, "listen 80;": f"listen 127.0.0.1:{cls.nginx_plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{cls.nginx} ssl", "/etc/ssl/peel/fullchain.pem": str(certificate),
            "/etc/ssl/peel/privkey.pem": str(key), "/var/log/nginx/peel.log": str(folder / "access.log"),
        })  # fmt: skip
        internal = adapted("nginx/internal.conf", {**searches, "10.0.0.10:8118": f"127.0.0.1:{cls.nginx_internal}"})
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 2; daemon off;\n"
            + (f"user {user};\n" if os.getuid() == 0 else "")
            + f"events {{ worker_connections 512; }}\nhttp {{\n{temporary}{gateway}\n{internal}\n}}\n"
        )
        nobody = {"    user haproxy\n    group haproxy\n": ""}
        (folder / "gateway.cfg").write_text(adapted("haproxy/gateway.cfg", {
            **nobody, **stickers, "bind :80\n": f"bind 127.0.0.1:{cls.haproxy_plain}\n",
            "bind :443": f"bind 127.0.0.1:{cls.haproxy}", "/etc/ssl/peel/peel.pem": str(folder / "peel.pem"),
        }))  # fmt: skip
        (folder / "internal.cfg").write_text(
            adapted("haproxy/internal.cfg", {**nobody, **searches, "10.0.0.10:8118": f"127.0.0.1:{cls.haproxy_internal}"})
        )
        path = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
        for name, command in (
            ("nginx", ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]),
            ("haproxy", ["haproxy", "-db", "-f", str(folder / "gateway.cfg")]),
            ("internal", ["haproxy", "-db", "-f", str(folder / "internal.cfg")]),
        ):
            out = open(folder / f"{name}.out", "wb")
            child = subprocess.Popen(command, env=path, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            cls.addClassCleanup(cls.end, child)
            for port in {"nginx": (cls.nginx, cls.nginx_internal), "haproxy": (cls.haproxy,), "internal": (cls.haproxy_internal,)}[name]:
                wait_until(lambda port=port, child=child, out=out: cls.listens(port, child, out.name), 10, f"{name} on port {port}")
            out.close()

    @staticmethod
    def listens(port, child, log):
        if child.poll() is not None:
            with open(log, errors="replace") as text:
                raise AssertionError(f"{child.args} ended with {child.returncode}:\n{text.read()}")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    @staticmethod
    def end(child):
        child.terminate()
        child.wait(10)

    @staticmethod
    def ask(port, method, target, body=None, headers=None):
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=Customer.context)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    # --- tests ---

    def test_1_gateways_say_who_asks_and_keep_what_is_ours(self):
        for port, plain in ((self.nginx, self.nginx_plain), (self.haproxy, self.haproxy_plain)):
            for private in ("/metrics", "/metrics/", "/readyz", "/readyz/"):
                self.assertEqual(self.ask(port, "GET", private)[0], 404)
            status, headers, _ = self.ask(port, "GET", "/healthz", headers={"X-Request-Id": "mine-1"})
            self.assertEqual((status, headers["X-Request-Id"]), (200, "mine-1"))
            _, headers, _ = self.ask(port, "GET", "/healthz", headers={"X-Request-Id": "not so good"})
            self.assertRegex(headers["X-Request-Id"], r"^[0-9a-f-]{32,36}$")
            self.assertEqual(self.ask(port, "POST", "/api/feedback/", headers={"Content-Length": "1048577"})[0], 413)
            status, headers, _ = self.ask(port, "GET", "/admin/login")
            self.assertEqual(status, 200)
            self.assertEqual(headers["Strict-Transport-Security"], "max-age=31536000")
            answer = request(plain, "GET", "/?query=cat")
            self.assertEqual(answer.status, 308)
            self.assertNotIn("Strict-Transport-Security", answer.headers)
            self.assertRegex(answer.headers["Location"], r"^https://.*/\?query=cat$")

    def restart(self, kind, i):
        process = self.services[kind, i]
        process.child.send_signal(signal.SIGTERM)
        code = process.child.wait(20 * SLOW)
        if code:
            raise AssertionError(f"{kind} {i} ended with {code}:\n{process.log()[-2000:]}")
        self.start(kind, i)
        self.wait_ready(kind, i)

    def test_2_rolling_restart_drops_no_request(self):
        customers = [Customer(port, n) for n in range(CLIENTS) for port in (self.nginx, self.haproxy)]
        problems = []

        def restart(kind, i):
            try:
                self.restart(kind, i)
            except BaseException as problem:
                problems.append(repr(problem))

        for c in customers:
            c.start()
        time.sleep(0.5)
        for i in range(2):
            both = [threading.Thread(target=restart, args=(kind, i)) for kind in ("sticker", "search")]
            for t in both:
                t.start()
            for t in both:
                t.join()
            time.sleep(FAIL_TIMEOUT)
        for c in customers:
            c.stop = True
        for c in customers:
            c.join()
        requests = sum(len(c.times) for c in customers)
        sent, acknowledged = add_up(customers, "attempted"), add_up(customers, "voted")
        self.assertEqual(problems, [])
        stored, _ = scores(self.sticker_ports[0])
        failed = [p for c in customers for p in c.problems]
        figures(
            f"rolling restart of all four services: {requests} requests, {len(failed)} errors, "
            f"{sum(c.degraded for c in customers)} degraded, longest answer {1000 * max(max(c.times) for c in customers):.0f} ms; "
            f"votes sent {sum(sent.values())}, acknowledged {sum(acknowledged.values())}, stored {sum(stored.values())}"
        )
        self.assertEqual(failed, [])
        self.assertEqual(sum(c.degraded for c in customers), 0)
        self.assertEqual(stored, acknowledged)
        self.assertGreater(requests, 500)

    def test_3_without_any_service_the_answer_is_clear(self):
        for i in range(2):
            self.services["sticker", i].child.kill()
            self.services["sticker", i].child.wait()
        for port in (self.nginx, self.haproxy):
            for method, target in (("GET", "/api/search/?query=cat"), ("POST", "/api/feedback/")):
                status, headers, body = self.ask(port, method, target, b"{}" if method == "POST" else None)
                self.assertEqual((status, headers["Content-Type"]), (503, "application/problem+json"), body)
                self.assertEqual(headers["Retry-After"], "1")
                self.assertEqual(headers["Strict-Transport-Security"], "max-age=31536000")
                self.assertIn(b'"message":"No service answers', body)
        for i in range(2):
            self.start("sticker", i)
        for port in (self.nginx, self.haproxy):
            wait_until(lambda port=port: self.ask(port, "GET", "/api/search/?query=cat")[0] == 200, 10, "recovery")


if __name__ == "__main__":
    main()
