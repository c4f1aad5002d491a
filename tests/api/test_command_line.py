#!/usr/bin/env python3
"""The command line at work: results as JSON, and commands that look at a whole installation."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from peel_testing import PEEL, SLOW, png, main


def peel(*args, env=None, cwd=None, stdin="", text=True):
    """Runs it with no settings from outside."""
    base = {k: v for k, v in os.environ.items() if not k.startswith(("PEEL_", "ADMIN_"))}
    return subprocess.run(
        [PEEL, *args], capture_output=True, text=text, timeout=60 * SLOW, cwd=cwd, input=stdin, env={**base, **(env or {})}
    )


class Folder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="peel-api-")
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)
        self.data = self.folder / "data"

    def run_here(self, *args, code=0, stdin="", env=None):
        done = peel(*args, "--data", str(self.data), cwd=self.folder, stdin=stdin, env=env)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def json_of(self, *args, code=0, stdin=""):
        return json.loads(self.run_here(*args, "--json", code=code, stdin=stdin).stdout)


class Json(Folder):
    def test_accounts_and_tokens(self):
        self.assertEqual(self.json_of("user", "list"), [])
        self.assertEqual(self.json_of("user", "create", "ann", "--staff", stdin="correct horse\n"),
                         {"username": "ann", "done": "created", "role": "staff"})
        self.assertEqual(self.json_of("user", "passwd", "ann", stdin="battery staple\n"), {"username": "ann", "done": "changed"})
        (user,) = self.json_of("user", "list")
        self.assertEqual((user["username"], user["role"], user["active"]), ("ann", "staff", True))
        self.assertRegex(user["created"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        made = self.json_of("token", "create", "ann", "--label", "a \"job\"")
        self.assertRegex(made["token"], "^[0-9a-f]{40}$")
        (token,) = self.json_of("token", "list")
        self.assertEqual((token["username"], token["label"], token["last_used"]), ("ann", 'a "job"', None))
        self.assertEqual(self.json_of("token", "revoke", token["id"])["done"], "revoked")
        self.assertEqual(self.json_of("token", "list"), [])
        self.assertEqual(self.json_of("user", "delete", "ann")["done"], "deleted")

    def test_an_import_with_failures(self):
        pictures = self.folder / "pictures"
        pictures.mkdir()
        (pictures / "good.png").write_bytes(png())
        (pictures / "bad.png").write_bytes(png()[:40])
        (pictures / "notes.txt").write_text("no picture")
        with open(os.fsencode(pictures) + b"/no\xfftext.png", "wb") as odd:
            odd.write(png())
        result = self.json_of("import", str(pictures), code=1)
        self.assertEqual([result[k] for k in ("complete", "added", "skipped", "failed", "ignored")], [True, 1, 0, 2, 1])
        self.assertEqual(sorted(f["name"].rpartition("/")[2] for f in result["failures"]), ["bad.png", "no?text.png"])
        self.assertTrue(all(f["reason"] for f in result["failures"]))

    def test_the_others(self):
        self.assertEqual(self.json_of("migrate"), {"up_to_date": ["sticker", "search"]})
        self.assertEqual(self.json_of("migrate", "search"), {"up_to_date": ["search"]})
        alive = self.json_of("health", "http://127.0.0.1:1", code=1)
        self.assertEqual((alive["url"], alive["alive"]), ("http://127.0.0.1:1", False))
        self.assertIn("connect", alive["error"])
        self.assertEqual(self.json_of("model", "list"), [])
        self.assertEqual(self.json_of("model", "use", "starter", "--search-url", "http://127.0.0.1:1"),
                         {"id": "starter", "running": False})
        (model,) = self.json_of("model", "list")
        self.assertEqual((model["id"], model["complete"]), ("starter", True))
        self.assertGreater(model["bytes"], 10_000_000)
        self.assertEqual(self.json_of("model", "verify"), {"model": "starter", "ok": True, "checks": []})
        self.assertIn("dim", self.json_of("model", "info"))
        self.assertIsInstance(self.json_of("tokenize", "cat"), list)
        self.assertIsInstance(self.json_of("embed", "--text", "cat"), list)
        self.assertEqual(self.json_of("counter", "--n", "10")["answer"], 1)
        copied = self.json_of("store", "copy", str(self.data / "sticker.db"), str(self.folder / "copy.db"))
        self.assertEqual(copied["database"], "sticker database")
        self.assertTrue(all(len(table["sha256"]) == 64 for table in copied["tables"]))
        self.assertEqual(self.run_here("export", "--json").stdout, "")


if __name__ == "__main__":
    main()
