"""Many at once: 64 clients searching and voting lose no count, and neither does kill -9 of either service
under `peel serve` lose an acknowledged vote."""

import http.client
import json
import os
import pathlib
import signal
import threading
import time
import urllib.parse

from peel_testing import ADMIN_TOKEN, SLOW, STICKERS, ServiceTest, System, main, request, wait_until

CLIENTS = 64
NAMES = ["cat.png", "dog.png", "cake.png", "car.png"]


class Client(threading.Thread):
    """Searches and votes on one keep-alive connection, and remembers what was acknowledged."""

    def __init__(self, port, number, rounds, forgiving=False):
        super().__init__()
        self.port, self.number, self.rounds, self.forgiving = port, number, rounds, forgiving
        self.searched, self.voted, self.attempted, self.problems = {}, {}, {}, []
        self.stop = False
        self.connection = self.headers = None

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * SLOW)

    def call(self, method, target, body=None):
        try:
            if not self.connection:
                self.connection = self.connect()
            self.connection.request(method, target, body)
            response = self.connection.getresponse()
            self.headers = response.headers
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            if self.connection:
                self.connection.close()
            self.connection = None
            if not self.forgiving:
                raise
            time.sleep(0.05)
            return None, b""

    def run(self):
        try:
            for i in range(self.rounds):
                if self.stop:
                    break
                self.one_round(i)
        except Exception as problem:  # shown by the test
            self.problems.append(repr(problem))
        finally:
            if self.connection:
                self.connection.close()

    def one_round(self, i):
        query = f"crowd {(self.number + i) % 8}"
        status, body = self.call("GET", "/api/search/?" + urllib.parse.urlencode({"query": query}))
        if status == 200:
            self.searched[query] = self.searched.get(query, 0) + 1
        elif not self.forgiving:
            self.problems.append((status, body))
        key = (query, NAMES[i % 4], "positive" if i % 3 else "negative")
        entry = {"query": query, key[2]: [key[1]]}
        self.attempted[key] = self.attempted.get(key, 0) + 1
        status, body = self.call("POST", "/api/feedback/", json.dumps({"feedback": [entry]}))
        if status == 200 and json.loads(body) == {"failed": []}:
            self.voted[key] = self.voted.get(key, 0) + 1
        elif not self.forgiving:
            self.problems.append((status, body))


def add_up(clients, name):
    total = {}
    for client in clients:
        for key, n in getattr(client, name).items():
            total[key] = total.get(key, 0) + n
    return total


def scores(port):
    """{(query, sticker, list): count} and {query: usage} as analytics tells them."""
    votes, usage = {}, {}
    for i in range(8):
        query = f"crowd {i}"
        target = "/api/analytics/?" + urllib.parse.urlencode({"query": query})
        found = request(port, "GET", target, headers={"Authorization": "Token " + ADMIN_TOKEN}).json()
        usage[query] = found["query"]["usage"]
        for score in found["feedback scores"]:
            for name in ("positive", "negative"):
                if score[name + "s"]:
                    votes[query, score["sticker"], name] = score[name + "s"]
    return votes, usage


class Crowd(ServiceTest):
    def test_sums_are_exact(self):
        clients = [Client(self.port, i, 25) for i in range(CLIENTS)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        self.assertEqual([p for c in clients for p in c.problems], [])
        votes, usage = scores(self.port)
        self.assertEqual(sum(usage.values()), CLIENTS * 25)
        self.assertEqual(usage, add_up(clients, "searched"))
        self.assertEqual(votes, add_up(clients, "voted"))
        # The same after a stop, which writes what was pending.
        search_port, data = self.system.search_port, self.system
        data.sticker.stop()
        data.start_sticker(search_port=search_port)
        self.assertEqual(scores(data.port), (votes, usage))
        type(self).port = data.port


class KillNine(ServiceTest):
    """`peel serve`, its children killed again and again while people vote."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        env = {"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": "a long password", "ADMIN_TOKEN": ADMIN_TOKEN}
        cls.serve = cls.system.start_process("serve", "serve", "--port", "0", "--search-port", "0", env=env)
        cls.port = cls.system.port = int(cls.serve.wait_for(r"sticker[^\n]*listening on \S+ port (\d+)")[1])
        cls.system.wait_indexed()

    def child(self, name):
        """The process id of one of serve's two services."""
        for path in pathlib.Path(f"/proc/{self.serve.child.pid}/task").iterdir():
            for pid in (path / "children").read_text().split():
                try:
                    if name in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode():
                        return int(pid)
                except OSError:
                    continue
        return None

    def test_no_acknowledged_vote_is_lost(self):
        clients = [Client(self.port, i, 1000000, forgiving=True) for i in range(8)]
        for c in clients:
            c.start()
        killed = []
        for name in ("sticker-service", "search-service") * 3:
            time.sleep(0.7)
            pid = wait_until(lambda name=name: self.child(name), what=name)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            wait_until(lambda name=name: self.child(name) not in (None, pid), 15, f"a new {name}")
        time.sleep(1.0)
        for c in clients:
            c.stop = True
        for c in clients:
            c.join()
        self.assertEqual([p for c in clients for p in c.problems], [])
        self.assertEqual(len(set(killed)), 6)
        wait_until(lambda: self.get("/readyz").status == 200, 15, "ready")
        votes, _ = scores(self.port)
        acknowledged, attempted = add_up(clients, "voted"), add_up(clients, "attempted")
        self.assertGreater(sum(acknowledged.values()), 50)
        for key, n in acknowledged.items():
            self.assertGreaterEqual(votes.get(key, 0), n, key)
        for key, n in votes.items():
            self.assertLessEqual(n, attempted.get(key, 0), key)


if __name__ == "__main__":
    main()
