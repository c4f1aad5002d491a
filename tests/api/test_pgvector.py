#!/usr/bin/env python3
"""Vectors in PostgreSQL's pgvector: the real extension, which npm's pglite serves over PostgreSQL's protocol."""

import os
import pathlib
import re
import subprocess
import sys
import threading
import unittest

from peel_testing import MODE, PEEL, SLOW, main

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
import node_tools  # noqa: E402

UNIT = pathlib.Path(PEEL).parent / ("tests" if "build" in PEEL else "build/release/tests")
SERVER = """
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
globalThis.CustomEvent ??= class extends Event { // Debian 12's Node has none
  constructor(type, init) { super(type); this.detail = init?.detail; }
};
const db = await PGlite.create({ extensions: { vector } });
const server = new PGLiteSocketServer({ db, port: 0, host: "127.0.0.1" });
await server.start();
console.log(server.getServerConn());
process.stdin.on("end", () => process.exit(0)).resume();
"""
missing = None if MODE == "release" else "in release only, for its time"
missing = missing or node_tools.ensure()


@unittest.skipIf(missing, missing)
class Pgvector(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = ["node", "--input-type=module", "-e", SERVER]
        cls.server = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.stop)
        limit = threading.Timer(60 * SLOW, cls.server.kill)
        limit.start()
        address = cls.server.stdout.readline().strip()
        limit.cancel()
        if not re.match(r"127\.0\.0\.1:\d+$", address):
            raise AssertionError(f"pglite did not start: {address!r}")
        cls.url = f"postgresql://postgres@{address}/postgres?sslmode=disable"

    @classmethod
    def stop(cls):
        cls.server.stdin.close()
        try:
            cls.server.wait(10)
        except subprocess.TimeoutExpired:
            cls.server.kill()
            cls.server.wait()
        cls.server.stdout.close()

    def unit(self, name, tests, **environment):
        done = subprocess.run(
            [UNIT / name], capture_output=True, text=True, env={**os.environ, **environment}, timeout=120 * SLOW
        )
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, output)
        self.assertEqual(int(re.search(r"PASSED  \] (\d+)", output)[1]), tests, output)
        return output

    def service(self, name, test):
        """SearchService with --vectors pgvector, over one connection, as pglite has just one session."""
        url = self.url + "&application_name=peel{}"
        self.unit(name, 1, PEEL_TEST_STORE_URL=url, PEEL_TEST_ONLY=test, PEEL_TEST_VECTORS="pgvector")

    def test_a_service_keeps_no_vectors(self):
        self.service("test_search_service_models", "images_are_found_by_vectors")

    def test_a_service_compares_phrases_and_documents(self):
        self.service("test_search_service_phrases", "each_language_has_its_model")

    def test_store(self):
        print(re.search(r"pgvector: .*", self.unit("test_pgvector", 2, PEEL_TEST_PGVECTOR_URL=self.url))[0])


if __name__ == "__main__":
    main()
