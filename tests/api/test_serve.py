"""`peel serve`: the first start, readiness, services that die, and every way of stopping."""

import os
import pathlib
import re
import signal
import socket
import threading
import time
import unittest

from peel_testing import ADMIN_TOKEN, SLOW, System, main, request, stop, wait_until

ADMIN = {"ADMIN_USERNAME": "chief", "ADMIN_PASSWORD": "a long password", "ADMIN_TOKEN": ADMIN_TOKEN}


def alive(pid):
    try:
        return "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


class Serve(unittest.TestCase):
    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.starts = 0

    def start(self, *args, env=ADMIN, ready=True):
        self.starts += 1
        serve = self.system.start_process(
            f"serve{self.starts}", "serve", "--port", "0", "--search-port", "0", *args, env=env
        )
        if ready:
            serve.wait_for(r"Ready in \d+ ms")
            self.port = int(serve.wait_for(r"Gallery: http://127\.0\.0\.1:(\d+)/")[1])
            self.search_port = int(serve.wait_for(r"search-service[^\n]*listening on \S+ port (\d+)")[1])
        return serve

    def children(self, serve):
        """{subcommand: pid}"""
        found = {}
        for pid in pathlib.Path(f"/proc/{serve.child.pid}/task/{serve.child.pid}/children").read_text().split():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if len(words) > 1 and words[1].endswith("-service"):
                found[words[1]] = int(pid)
        return found

    def both(self, serve):
        return wait_until(lambda: (c := self.children(serve)) and len(c) == 2 and c, what="two services")

    def analytics(self, token):
        return request(
            self.port, "GET", "/api/analytics/?query=never", headers={"Authorization": f"Token {token}"}
        ).status

    # --- the first start ---

    def test_first_start_prints_secrets_once(self):
        serve = self.start(env={})
        log = serve.log()
        token = re.search(r"token +([0-9a-f]{40})\n", log)[1]
        password = re.search(r"password +(\S{20})\n", log)[1]
        self.assertRegex(log, r"username +admin\n")
        self.assertEqual(self.analytics(token), 404)  # a staff token; the query is unknown
        self.assertEqual(self.analytics("0" * 40), 401)
        serve.stop()
        again = self.start(env={})
        self.assertNotIn(token, again.log())
        self.assertNotIn(password, again.log())
        self.assertNotIn("not be shown again", again.log())
        self.assertEqual(self.analytics(token), 404)

    def test_admin_from_the_environment(self):
        serve = self.start()
        self.assertEqual(self.analytics(ADMIN_TOKEN), 404)
        self.assertNotIn("not be shown again", serve.log())
        for pid in [serve.child.pid, *self.both(serve).values()]:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            self.assertNotIn(ADMIN_TOKEN, line)
            self.assertNotIn("a long password", line)
        environment = pathlib.Path(f"/proc/{self.both(serve)['search-service']}/environ").read_bytes()
        self.assertNotIn(b"a long password", environment)
        self.assertNotIn(ADMIN_TOKEN.encode(), serve.log().encode())
        self.assertRegex(self.system.run("user", "list").stdout, r"(?m)^chief +superuser +active")
        serve.stop()
        self.start()  # both exist already
        self.assertEqual(len(self.system.run("token", "list").stdout.splitlines()), 1)

    def test_token_from_a_file(self):
        path = self.system.folder / "token"
        path.write_text("a-token-of-our-own-making\n")
        serve = self.start(env={"ADMIN_TOKEN_FILE": str(path)})
        self.assertEqual(self.analytics("a-token-of-our-own-making"), 404)
        self.assertRegex(serve.log(), r"password +\S{20}\n")  # that was not given
        self.assertNotRegex(serve.log(), r"token +\S{20}")

    # --- services that die ---

    def test_search_service_changes_nothing_without_the_token(self):
        self.start()
        path = pathlib.Path(self.system.data, "search.token")
        token = path.read_text()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertRegex(token, "^[a-z0-9]{48}$")

        def forget(**headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            return request(self.search_port, "POST", "/api/models/forget", b'{"id": "none"}', headers).status

        self.assertEqual(forget(), 401)
        self.assertEqual(forget(Authorization="Bearer " + token[:-1] + "!"), 401)
        self.assertEqual(forget(Authorization="Bearer " + token), 204)
        self.assertEqual(forget(Authorization="Bearer " + token, Origin="https://evil.example"), 403)
        self.assertEqual(forget(Authorization="Bearer " + token, Sec_Fetch_Site="cross-site"), 403)
        self.assertEqual(forget(Authorization="Bearer " + token, Sec_Fetch_Site="same-origin", Content_Type="text/plain"), 415)
        self.assertEqual(forget(Authorization="Bearer " + token, Host="rebind.example"), 421)
        self.assertEqual(request(self.search_port, "GET", "/api/search/?query=cat").status, 200)

    def test_management_has_a_listener_of_its_own(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.start("--management-port", str(port))
        for path in ("/healthz", "/readyz", "/metrics", "/metrics/"):
            self.assertEqual(request(port, "GET", path).status, 200, path)
        for path in ("/", "/api/search/?query=cat", "/admin/"):
            self.assertEqual(request(port, "GET", path).status, 404, path)

    def test_killed_services_come_back_and_no_connection_is_refused(self):
        serve = self.start()
        refused, answered, stop = [], [0], threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    request(self.port, "GET", "/healthz", timeout=20)
                    answered[0] += 1
                except ConnectionRefusedError as problem:
                    refused.append(problem)
                except OSError:
                    pass  # cut off by the kill
                except Exception as problem:  # half an answer
                    if type(problem).__module__ != "http.client":
                        refused.append(problem)

        asking = threading.Thread(target=ask)
        asking.start()
        for name in ("sticker-service", "search-service", "sticker-service"):
            old = self.both(serve)[name]
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: self.children(serve).get(name) not in (None, old), 10, f"a new {name}")
            wait_until(lambda: request(self.port, "GET", "/readyz").status == 200, 10, "ready again")
        stop.set()
        asking.join()
        self.assertEqual(refused, [])
        self.assertGreater(answered[0], 5)
        log = serve.log()
        self.assertRegex(log, r"sticker-service \(process \d+\) was killed by signal 9 \(Killed\); restarting it in 100 ms")
        self.assertRegex(log, r"sticker-service [^\n]* restarting it in 200 ms")  # the back-off grows
        self.assertEqual(log.count("Ready in"), 1)

    def test_a_service_that_is_told_to_stop_comes_back_on_the_same_socket(self):
        serve = self.start()
        for name in ("sticker-service", "search-service"):
            old = self.both(serve)[name]
            os.kill(old, signal.SIGTERM)
            wait_until(lambda: self.children(serve).get(name) not in (None, old), 15, f"a new {name}")
        wait_until(lambda: request(self.port, "GET", "/readyz").status == 200, 10, "ready again")
        self.assertEqual(request(self.search_port, "GET", "/api/status").status, 200)
        self.assertIn("ended with status 0; restarting it", serve.log())

    def test_a_service_that_cannot_start_ends_it(self):
        (self.system.data).mkdir()
        (self.system.data / "search.db").write_bytes(b"this is no database, and was never one" * 100)
        serve = self.start(ready=False)
        self.assertEqual(serve.child.wait(20 * SLOW), 1)
        self.assertIn("search-service (process", serve.log())
        self.assertIn("before it was ready", serve.log())
        self.assertIn("search.db", serve.log())
        self.system.processes.remove(serve)  # its status was looked at

    def test_a_taken_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.system.run("serve", "--port", str(port), "--search-port", "0", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"cannot listen on 127.0.0.1 port {port}: Address already in use", done.stderr)
        done = self.system.run("serve", "--host", "nowhere.example", "--search-port", "0", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected a numeric address", done.stderr)

    # --- stopping ---

    def stopped(self, serve, number, seconds=6):
        pids = list(self.both(serve).values())
        began = time.monotonic()
        os.kill(serve.child.pid, number)
        code = serve.child.wait(20 * SLOW)
        self.assertLess(time.monotonic() - began, seconds * SLOW)
        wait_until(lambda: not any(map(alive, pids)), what="the services' end")
        return code

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.assertEqual(self.stopped(self.start(), number), 0)

    def test_children_are_in_its_group_and_stop_with_it(self):
        serve = self.start()
        for pid in self.both(serve).values():
            self.assertEqual(os.getpgid(pid), os.getpgid(serve.child.pid))

    def test_killed_supervisor_takes_the_services_along(self):
        self.assertEqual(self.stopped(self.start(), signal.SIGKILL), -signal.SIGKILL)
        with self.assertRaises(OSError):
            request(self.port, "GET", "/healthz", timeout=2)

    def test_killed_while_starting(self):
        serve = self.start(ready=False)
        pids = wait_until(lambda: list(self.children(serve).values()), what="a service")
        os.kill(serve.child.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, pids)), what="the services' end")

    def test_a_service_that_hangs_is_killed(self):
        serve = self.start("--shutdown-timeout-ms", "100")
        hanging = self.both(serve)["search-service"]
        stop(hanging)
        self.assertEqual(self.stopped(serve, signal.SIGTERM, 10), 0)
        self.assertIn("it did not stop in time", serve.log())

    def test_counts_are_written_at_a_stop(self):
        self.start("--usage-flush-ms", "60000")
        for _ in range(3):
            self.assertEqual(request(self.port, "GET", "/api/search/?query=counted").status, 200)
        self.system.processes[-1].stop()
        self.start()
        found = request(
            self.port, "GET", "/api/analytics/?query=counted", headers={"Authorization": f"Token {ADMIN_TOKEN}"}
        ).json()
        self.assertEqual(found["query"]["usage"], 3)


if __name__ == "__main__":
    main()
