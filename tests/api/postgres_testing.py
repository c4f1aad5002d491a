"""A PostgreSQL server for tests: in a folder of its own, on a free port, without syncing, stopped by its process id."""

import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from peel_testing import PEEL, SLOW, wait_until


def programs():
    """The folder of initdb and postgres, the newest that is installed; None without one."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb") or [path for path in [shutil.which("initdb")] if path]
    return max((str(pathlib.Path(path).parent) for path in found), key=lambda f: (len(f), f), default=None)


def unavailable():
    """A sentence when there can be no server, else None."""
    if not programs():
        return "PostgreSQL's server is not installed"
    if os.getuid() == 0 and not shutil.which("setpriv"):
        return "PostgreSQL does not run as root, and setpriv is not installed"
    return None


class CuttingProxy:
    """Stands before a server and breaks every nth connection that commits, when the server has done so and its answer is
    on the way: whoever committed cannot know."""

    def __init__(self, port, nth):
        self.to, self.nth, self.commits, self.cut, self.lock = port, nth, 0, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            for one, other, answers in ((client, server, False), (server, client, True)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.carry, args=(one, other, answers), daemon=True).start()

    def wants_cut(self, data):
        if b"COMMIT\0" not in data:  # the tag of CommandComplete
            return False
        with self.lock:
            self.commits += 1
            cut = self.nth > 0 and self.commits % self.nth == 0
            self.cut += cut
        return cut

    def carry(self, one, other, answers):
        try:
            while data := one.recv(65536):
                if answers and self.wants_cut(data):
                    break
                other.sendall(data)
        except OSError:
            pass
        for s in (one, other):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Postgres:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-postgres-"))
        self.data, self.child = self.folder / "data", None
        self.user = []
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        initdb = [f"{programs()}/initdb", "-D", str(self.data), "-U", "peel", "-A", "trust", "-E", "UTF8", "--no-sync"]
        try:
            done = subprocess.run(self.user + initdb, capture_output=True, text=True, cwd=self.folder)
            if done.returncode:
                raise AssertionError(f"initdb: {done.stderr}")
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Returns when it takes connections."""
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off"}
        command = [f"{programs()}/postgres", "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self.folder / "log", "ab") as log:
            self.child = subprocess.Popen(self.user + command, stdout=log, stderr=log, cwd=self.folder)

        def answers():
            if self.child.poll() is not None:
                raise AssertionError(f"postgres ended:\n{(self.folder / 'log').read_text()}")
            pid_file = self.data / "postmaster.pid"
            lines = pid_file.read_text().split("\n") if pid_file.exists() else []
            return lines[:1] == [str(self.child.pid)] and len(lines) > 7 and lines[7].strip() == "ready"

        wait_until(answers, 20, "a PostgreSQL that answers")

    def stop(self):
        """Breaks all connections."""
        self.child.send_signal(signal.SIGINT)
        self.child.wait(30)

    def url(self, name):
        return f"postgresql://peel@127.0.0.1:{self.port}/{name}"

    def close(self):
        if self.child and self.child.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

@unittest.skipIf(unavailable(), unavailable())
class PostgresTest(unittest.TestCase):
    """A server for the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.server = Postgres()
        cls.addClassCleanup(cls.server.close)

    def unit(self, name, tests, **more):
        """A unit test program over databases of this server; at least so many tests must pass. What it printed."""
        program = pathlib.Path(PEEL).parent / ("tests" if "build" in PEEL else "build/release/tests") / name
        environment = {**os.environ, "PEEL_TEST_STORE_URL": self.server.url("t_{}"), **more}
        done = subprocess.run([program], capture_output=True, text=True, env=environment, timeout=120 * SLOW)
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, output)
        self.assertGreaterEqual(int(re.search(r"PASSED  \] (\d+)", output)[1]), tests, output)
        return output
