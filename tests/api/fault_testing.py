"""A proxy that makes a network bad: between a service and its database or object store, for tests that last."""

import contextlib
import random
import socket
import threading
import time

FAULTS = ("refuse", "cut", "delay", "hang", "garble")


class FaultyProxy:
    """Carries connections to a port of this machine, and does them what `fault` says: nothing (None), refuse new ones and end those
    that there are, cut them after some bytes, delay each piece, let nothing through, or change a byte of what the server answers. The
    random numbers are those of the seed."""

    def __init__(self, port, seed=1):
        self.to, self.fault, self.done, self.random = port, None, {}, random.Random(seed)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.fault = "refuse"
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.fault == "refuse":
                self.count()
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            for one, other, answers in ((client, server, False), (server, client, True)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.carry, args=(one, other, answers), daemon=True).start()

    def count(self):
        self.done[self.fault] = self.done.get(self.fault, 0) + 1

    def carry(self, one, other, answers):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                while self.fault == "hang":
                    time.sleep(0.05)
                if self.fault == "delay":
                    self.count()
                    time.sleep(0.1 * self.random.random())
                if self.fault == "refuse" or (self.fault == "cut" and self.random.random() < 0.05):
                    self.count()
                    other.sendall(data[: self.random.randrange(len(data))])
                    break
                if self.fault == "garble" and answers and self.random.random() < 0.05:
                    self.count()
                    at = self.random.randrange(len(data))
                    data = data[:at] + bytes([data[at] ^ (1 << self.random.randrange(8))]) + data[at + 1 :]
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
