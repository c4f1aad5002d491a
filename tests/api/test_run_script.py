#!/usr/bin/env python3
"""scripts/run.sh with programs that only write down how they were called: what it gets, and what it leaves out."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from peel_testing import ROOT, main

MODELS = ["intfloat/multilingual-e5-small", "sentence-transformers/all-MiniLM-L6-v2"]
FAKE = """#!/bin/sh
echo "$(basename "$0")" "$@" >>"$CALLS"
case "$*" in *"$FAILING"*) exit 1 ;; esac
"""


class RunScript(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-api-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "scripts").mkdir()
        for name in ("run.sh", "deps.sh"):
            shutil.copy(ROOT / "scripts" / name, self.folder / "scripts")
        (self.folder / "tools").mkdir()
        for program in ("peel", "tools/make", "tools/npm", "tools/node", "tools/python3"):
            (self.folder / program).write_text(FAKE)
            (self.folder / program).chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir()

    def run_script(self, *args, failing="nothing of the kind"):
        """What ./peel was called with, and what was said."""
        calls = self.folder / "calls"
        calls.write_text("")
        env = {k: v for k, v in os.environ.items() if not k.startswith("PEEL_")}
        env |= {"PATH": f"{self.folder}/tools:{env['PATH']}", "PEEL_NO_APT": "1", "CALLS": str(calls), "FAILING": failing,
                "DATA": str(self.data)}
        done = subprocess.run(["sh", self.folder / "scripts/run.sh", *args], capture_output=True, text=True, env=env, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line[5:] for line in calls.read_text().splitlines() if line.startswith("peel ")], done.stdout + done.stderr

    def test_everything_is_there_by_default(self):
        called, _ = self.run_script("--port", "0")
        self.assertEqual(called, [f"import --data {self.data} --pack openmoji --pack fluent3d", f"words pull --data {self.data}",
                                  *(f"model pull {model} --data {self.data}" for model in MODELS), "serve --port 0"])

    def test_what_is_there_is_not_got_again(self):
        (self.data / ".starter-packs").touch()
        folders = [self.data / "bucket/models" / MODELS[0].replace("/", "--"), self.data / "cache/models" / MODELS[1].replace("/", "--")]
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / "config.json").touch()
        self.assertEqual(self.run_script()[0], [f"words pull --data {self.data}", "serve"])

    def test_lexical_only(self):
        elsewhere = self.folder / "else where"
        elsewhere.mkdir()
        for args in (("--lexical-only", "--data", str(elsewhere), "--quiet"), ("--data", str(elsewhere), "--lexical-only", "--quiet"),
                     ("--data", str(elsewhere), "--quiet", "--lexical-only")):
            called, _ = self.run_script(*args)
            self.assertEqual(called, [f"import --data {elsewhere} --pack openmoji --pack fluent3d", f"serve --data {elsewhere} --quiet"])
            (elsewhere / ".starter-packs").unlink()

    def test_no_packs(self):
        for args in (("--no-packs", "--quiet"), ("--quiet", "--no-packs")):
            called, said = self.run_script(*args)
            self.assertEqual(called, [f"words pull --data {self.data}", *(f"model pull {model} --data {self.data}" for model in MODELS),
                                      "serve --quiet"])
            self.assertNotIn("starter", said)
        self.assertEqual(self.run_script("--no-packs", "--lexical-only")[0], ["serve"])
        self.assertFalse((self.data / ".starter-packs").exists())  # the next start may get them

    def test_offline_it_serves_and_says_what_is_missing(self):
        called, said = self.run_script(failing="pull")
        self.assertEqual(called[1:], [f"words pull --data {self.data}", f"model pull {MODELS[0]} --data {self.data}", "serve"])
        self.assertIn(f"to get them later: ./peel words pull --data {self.data}\n", said)
        for model in MODELS:
            self.assertIn(f"./peel model pull {model} --data {self.data}\n", said)


if __name__ == "__main__":
    main()
