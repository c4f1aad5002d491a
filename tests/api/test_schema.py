#!/usr/bin/env python3
"""docs/openapi.json against both services, by schemathesis: requests made from the schema, right ones and wrong ones, with all of
its checks, with a token and without. PEEL_SCHEMA_CASES (10) is the number of generated cases of each operation, beside the
examples; the seed is the same each time. NUL is left out: jansson refuses it in names, also of members that nobody looks at, which a
schema cannot say; test_bad_input.py has it."""

import os
import pathlib
import subprocess
import sys
import unittest

from peel_testing import ADMIN_TOKEN, ROOT, ServiceTest, main

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import python_tools  # noqa: E402

# SearchService's; lines of JSON, which schemathesis cannot write (test_sticker_write.py does); and what is like other services'
# APIs, where wrong parameters are taken as there (test_compat.py).
ELSEWHERE = "^/(v1|tenor|giphy|klipy)/|^/api/stickers/bulk$"
CASES = os.environ.get("PEEL_SCHEMA_CASES", "10")


class Schema(ServiceTest):
    @classmethod
    def setUpClass(cls):
        if missing := python_tools.ensure():
            raise unittest.SkipTest(missing)
        super().setUpClass()

    def check(self, port, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests" / "api" / "schemathesis.toml"), "run", str(ROOT / "docs" / "openapi.json"), "--url", f"http://127.0.0.1:{port}",
             "--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", CASES, "--seed", "1",
             "--generation-deterministic", "--generation-allow-x00", "false", "--continue-on-failure", "--warnings", "off",
             "--request-timeout", "20", "--no-color", *arguments],
            cwd=self.system.folder, env={**os.environ, "PYTHONPATH": str(python_tools.MODULES)}, capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout[-20000:] + done.stderr[-2000:])

    def test_with_a_token(self):
        self.check(self.port, "--exclude-path-regex", ELSEWHERE, "--header", f"Authorization: Token {ADMIN_TOKEN}")

    def test_without_a_token(self):
        self.check(self.port, "--exclude-path-regex", ELSEWHERE)

    def test_embeddings(self):
        self.check(self.system.search_port, "--include-path-regex", "^/v1/")


if __name__ == "__main__":
    main()
