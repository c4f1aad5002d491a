"""A service that is stopped: it says so to whoever balances, serves on, finishes what it has, and ends; counts are written."""

import http.client
import os
import signal
import socket
import threading
import time
import unittest

from peel_testing import MODE, SLOW, ServiceTest, main, request, wait_until


DRAIN_MS = int(500 * min(SLOW, 3))


def connections(port, target):
    """Two on keep-alive: one that was used, one that never was."""
    used = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * SLOW)
    used.request("GET", target)
    assert used.getresponse().read()
    return used, socket.create_connection(("127.0.0.1", port), timeout=20 * SLOW)


class Drain(ServiceTest):
    def setUp(self):
        self.start()

    def start(self, *args, **more):
        type(self).port = self.system.start_sticker(*args, **more)

    def tearDown(self):
        self.system.sticker.stop()

    def check(self, process, port, target):
        used, fresh = connections(port, target)
        self.assertEqual(request(port, "GET", "/readyz").status, 200)
        began = time.monotonic()
        process.child.send_signal(signal.SIGTERM)
        answer = wait_until(lambda: (a := request(port, "GET", "/readyz")).status == 503 and a, what="not ready")
        self.assertEqual(answer.json()["status"], "draining")
        self.assertEqual(request(port, "GET", "/healthz").status, 200)
        used.request("GET", target)
        response = used.getresponse()
        self.assertEqual((response.status, response.headers["Connection"]), (200, "close"))
        self.assertTrue(response.read())
        self.assertIsNone(process.child.poll())
        self.assertEqual(fresh.recv(1), b"")  # its end comes with the service's
        self.assertEqual(process.child.wait(10 * SLOW), 0)
        took = time.monotonic() - began
        self.assertGreaterEqual(took, DRAIN_MS / 1000)
        self.assertLess(took, DRAIN_MS / 1000 + 2 * SLOW)  # less than --shutdown-timeout-ms: nothing is waited for
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        used.close()
        fresh.close()

    def test_sticker_service(self):
        self.start("--drain-ms", str(DRAIN_MS))
        for _ in range(3):
            self.assertEqual(self.search("a cat before the end").status, 200)
        self.check(self.system.sticker, self.port, "/api/search/?query=a+dog+at+the+end")
        self.start()
        self.assertEqual(self.analytics("a cat before the end").json()["query"]["usage"], 3)
        self.assertEqual(self.analytics("a dog at the end").json()["query"]["usage"], 2)

    @unittest.skipIf(MODE != "release", "SearchService stops by the same code: in release only")
    def test_search_service(self):
        search = self.system.start_process(
            "draining", "search-service", "--search-port", "0", "--drain-ms", str(DRAIN_MS)
        )
        port = int(search.wait_for(r"listening on \S+ port (\d+)")[1])
        self.check(search, port, "/api/search/?query=dog")

    @unittest.skipIf(MODE != "release", "peel health: in release only")
    def test_health_for_container_engines(self):
        alive = self.system.run("health", f"http://127.0.0.1:{self.port}")
        self.assertEqual(alive.stdout + alive.stderr, "")
        self.assertEqual(self.system.run("health", "--port", str(self.port)).returncode, 0)
        dead = self.system.run("health", "http://127.0.0.1:1", check=False)
        self.assertEqual(dead.returncode, 1)
        self.assertTrue(dead.stderr.startswith("peel: "), dead.stderr)

    def test_ready_without_search_service(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.start(search_port=nobody.getsockname()[1])
        self.assertEqual(self.get("/readyz").status, 503)
        self.assertEqual(self.get("/readyz?degraded=ok").status, 200)
        self.assertTrue(self.search("cat").json()["degraded"])
        for wrong in ("degraded=yes", "degraded=ok&degraded=ok"):
            self.assert_problem(self.get("/readyz?" + wrong), 400, "degraded must be ok")

    def test_second_signal_ends_it_at_once(self):
        sticker = self.system.start_process("hurried", "sticker-service", "--port", "0", "--drain-ms", "600000")
        sticker.wait_for(r"listening on \S+ port (\d+)")
        sticker.child.send_signal(signal.SIGTERM)
        sticker.wait_for("stopping")
        sticker.child.send_signal(signal.SIGTERM)  # at the same time: the same wish
        time.sleep(1.2)
        self.assertIsNone(sticker.child.poll())
        sticker.child.send_signal(signal.SIGINT)
        self.assertEqual(sticker.child.wait(5 * SLOW), 1)
        self.assertIn("asked twice to stop", sticker.log())
        self.system.processes.remove(sticker)  # its status was looked at

    def test_nobody_who_connects_is_dropped(self):
        """Connections that come until the port is closed are answered, each with one request."""
        answers, problems, ended = [0], [], threading.Event()
        port, sticker = self.port, self.system.sticker

        def ask():
            while not ended.is_set():
                try:
                    if request(port, "GET", "/api/search/?query=cat", timeout=20).status != 200:
                        problems.append("status")
                    answers[0] += 1
                except ConnectionRefusedError:
                    return
                except Exception as problem:
                    problems.append(repr(problem))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        os.kill(sticker.child.pid, signal.SIGTERM)
        self.assertEqual(sticker.child.wait(20 * SLOW), 0)
        ended.set()
        for t in threads:
            t.join()
        self.assertEqual(problems, [])
        self.assertGreater(answers[0], 100 / SLOW)


if __name__ == "__main__":
    main()
