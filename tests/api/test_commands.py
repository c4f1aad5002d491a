"""The command line: help, options and their sources, users, tokens, export, counter, status."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from peel_testing import PEEL, ROOT, SLOW, System, main, request, wait_until


def peel(*args, env=None, cwd=None, stdin="", clean=True):
    """Runs it with no settings from outside."""
    base = {k: v for k, v in os.environ.items() if not (clean and k.startswith(("PEEL_", "ADMIN_")))}
    return subprocess.run(
        [PEEL, *args], capture_output=True, text=True, timeout=60 * SLOW, cwd=cwd, input=stdin, env={**base, **(env or {})}
    )


class Folder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="peel-api-")
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def assert_usage(self, done, *parts):
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)


class Help(Folder):
    def test_committed_documentation_is_current(self):
        self.assertEqual(peel("help", "--markdown").stdout, (ROOT / "docs" / "OPTIONS.md").read_text())

    def test_overview_names_every_command(self):
        for args in ([], ["help"], ["--help"], ["-h"]):
            done = peel(*args)
            self.assertEqual(done.returncode, 0)
            for name in "serve search-service sticker-service import status user token export counter help".split():
                self.assertRegex(done.stdout, rf"(?m)^  {name} ")

    def test_each_command_has_a_page_both_ways(self):
        for name in re.findall(r"(?m)^  ([a-z-]+) ", peel("help").stdout):
            page = peel("help", name)
            self.assertEqual(page.returncode, 0)
            self.assertIn(f"usage: peel {name}", page.stdout)
            self.assertIn("--log-level", page.stdout)
            self.assertEqual(peel(name, "--help").stdout, page.stdout)

    def test_subcommands_have_a_page_of_their_own(self):
        for name in ("audit", "completion", "model", "pack", "store", "token", "user", "words"):
            listed = re.search(r"(?ms)^Subcommands:\n(.*?)\n\n", peel("help", name).stdout)[1]
            for subcommand in re.findall(r"(?m)^  ([a-z]+) ", listed):
                page = peel("help", name, subcommand).stdout
                self.assertIn(f"usage: peel {name} {subcommand}", page)
                self.assertRegex(page, rf"    .*\bpeel {name} {subcommand}")  # an example
                self.assertIn("--data DIR", page)
                for args in ((name, subcommand, "--help"), (name, "--quiet", subcommand, "-h")):
                    self.assertEqual(peel(*args).stdout, page)
        self.assertIn("--staff", peel("help", "user", "create").stdout)
        self.assertNotIn("--staff", peel("help", "user", "list").stdout)

    def test_texts_begin_with_a_verb_and_show_examples(self):
        verbs = set("Add Back Check Compare Copy Count Create Delete Disable Download Enable Explain Export Import Keep List Make Manage Let Measure Move Print Read Remove Restore Revoke Run "
                    "Send Show Start Stop Undo Upgrade Change Erase Turn".split())
        for name, summary in re.findall(r"(?m)^  ([a-z-]+) +(.*)", peel("help").stdout):
            self.assertIn(re.match(r"\w+", summary)[0], verbs, name)
            self.assertIn("\nExamples:\n  ", peel("help", name).stdout)
            for subcommand in re.findall(r"(?m)^\| `peel " + name + r" ([a-z]+)[^|]*\| (\w+)", peel("help", "--markdown").stdout):
                self.assertIn(subcommand[1], verbs, subcommand)

    def test_examples_are_valid_calls(self):
        """All options and operands of the examples are known: nothing is run, as --help comes last."""
        for name in re.findall(r"(?m)^  ([a-z-]+) ", peel("help").stdout):
            for example in re.findall(r"(?m)^    peel (.*)", peel("help", name).stdout):
                words = [word for word in shlex.split(example) if not word.startswith(">")]
                flags = [word.partition("=")[0] for word in words if word.startswith("--")]
                page = peel(*words, "--help")
                self.assertEqual(page.returncode, 0, example)
                whole = peel("help", words[0]).stdout
                for flag in flags:
                    self.assertIn(f"  {flag.removesuffix('-file')} ", whole, example)

    def test_version(self):
        self.assertRegex(peel("--version").stdout, r"^peel \d+\.\d+\.\d+\n$")
        self.assertEqual(peel("version").stdout, peel("--version").stdout)
        self.assertEqual("peel " + json.loads(peel("version", "--json").stdout)["version"] + "\n", peel("version").stdout)

    def test_full_standard_output_is_a_failure(self):
        with open("/dev/full", "w") as full:
            self.assertEqual(subprocess.run([PEEL, "help"], stdout=full, stderr=subprocess.DEVNULL).returncode, 1)


class Options(Folder):
    def test_wrong_calls(self):
        for args, *parts in (
            (["sevre"], 'did you mean "serve"?'),
            (["frobnicate"], "`peel help` lists them"),
            (["help", "frobnicate"], "frobnicate"),
            (["serve", "--port", "abc"], '--port: expected a whole number from 0 to 65535, found "abc"'),
            (["serve", "--port", "70000"], "--port", "0 to 65535", "70000"),
            (["serve", "--prot", "1"], "did you mean --port?"),
            (["serve", "extra"], 'unexpected "extra"'),
            (["user"], "usage: peel user"),
            (["user", "create"], "usage: peel user create USERNAME"),
            (["user", "list", "bob"], "usage: peel user list"),
            (["help", "user", "promote"], "`peel help user`"),
            (["model"], "pull, list, info, verify or use"),
            (["model", "use"], "usage: peel model use ID"),
            (["store", "copy", "a"], "usage: peel store copy FROM TO"),
            (["words", "push"], "expected pull"),
            (["user", "promote", "bob"], "expected create, passwd, totp-reset, delete or list"),
            (["token", "create"], "usage: peel token create USERNAME"),
            (["token", "steal"], "expected create, list or revoke"),
            (["counter"], "--n"),
            (["counter", "--n", "-5"], "n must be a whole number"),
            (["counter", "--n", "5", "--digit", "10"], "digit"),
            (["export", "--format", "xml"], "--format", "csv|ndjson"),
            (["export", "--since", "yesterday"], "--since"),
            (["export", "--format", "ubi", "--out", "new", "--after", "5", "--until", "5"], "--until 5 is not behind --after 5"),
        ):
            with self.subTest(args):
                self.assert_usage(peel(*args, cwd=self.folder), *parts)
        self.assertEqual(list(self.folder.iterdir()), [])  # a wrong call leaves nothing behind

    def test_a_folder_without_a_database_is_no_empty_one(self):
        for args in (
            ["audit", "verify"],
            ["delete", "cat.svg", "--yes"],
            ["experiment", "list"],
            ["export"],
            ["export", "--format", "pairs", "--out", "new"],
            ["forget", "--voter", "ann", "--yes"],
            ["learn", "status"],
            ["replay", "--b", "priors=0"],
            ["token", "list"],
            ["user", "list"],
        ):
            with self.subTest(args):
                done = peel(*args, "--data", "mistyped", cwd=self.folder)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("there is no sticker database at mistyped/sticker.db; --data or --sticker-db says where", done.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_rank_of_sources(self):
        self.write(".env", "PEEL_N=30\nexport PEEL_DIGIT='3' # three\n")

        def answer(*args, **env):
            return json.loads(peel("counter", *args, cwd=self.folder, env=env).stdout)["n"]

        self.assertEqual(answer(), 30)
        self.assertEqual(answer(PEEL_N="20"), 20)
        self.assertEqual(answer("--n", "10", PEEL_N="20"), 10)
        self.assertEqual(answer("--env-file", self.write("other", "PEEL_N=40\n")), 40)
        self.assertEqual(answer(PEEL_ENV_FILE=str(self.folder / "other")), 40)

    def test_wrong_env_files(self):
        for text, *parts in (
            ("PEEL_PORT=x\n", ".env: line 1: PEEL_PORT", "0 to 65535"),
            ("\nPEEL_PROT=1\n", ".env: line 2: PEEL_PROT: there is no such option"),
            ("A=1\nA=2\n", ".env: line 2: A was already set on line 1"),
            ('A="1\n', "line 1: the closing \" is missing"),
            ("ADMIN_TOKEN=short\n", "ADMIN_TOKEN", "not shown"),
        ):
            with self.subTest(text):
                self.write(".env", text)
                done = peel("serve", cwd=self.folder)
                self.assert_usage(done, *parts)
                self.assertNotIn("short", done.stderr)

    def test_example_is_valid(self):
        example = (ROOT / ".env.example").read_text()
        live = re.sub(r"(?m)^#(?=[A-Z_]+=)", "", example)
        self.assertNotEqual(example, live)
        for text in (example, live):
            self.write(".env", text)
            # search-service takes most options, and the folder named data is a file: it ends at once
            self.write("data", "")
            done = peel("search-service", "--search-port", "0", cwd=self.folder)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("data is there, but is not a folder", done.stderr)


class Counter(Folder):
    def test_counts(self):
        done = peel("counter", "--digit", "7", "--n", "1000")
        self.assertEqual(done.stdout, '{"answer":300,"digit":7,"n":1000,"numbers":271}\n')
        self.assertEqual(json.loads(peel("counter", "--n", "1" + "0" * 1000).stdout)["digit"], 7)


class Users(Folder):
    def run_here(self, *args, stdin="", code=0):
        done = peel(*args, cwd=self.folder, stdin=stdin)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done.stdout if code == 0 else done.stderr

    def test_life_of_a_user(self):
        self.assertIn('staff user "ann"', self.run_here("user", "create", "ann", "--staff", stdin="correct horse\n"))
        self.assertIn("exists already", self.run_here("user", "create", "ann", stdin="correct horse\n", code=1))
        secret = self.write("pw", "battery staple\n")
        self.run_here("user", "create", "root", "--superuser", "--password-file", secret)
        self.run_here("user", "create", "bob", stdin="no newline at the end")
        listed = self.run_here("user", "list")
        self.assertRegex(listed, r"(?m)^ann +staff +active ")
        self.assertRegex(listed, r"(?m)^root +superuser +active ")
        self.assertRegex(listed, r"(?m)^bob +user +active ")
        self.assertNotIn("argon2", listed)
        self.assertIn("8 to 1024 bytes, not 5", self.run_here("user", "passwd", "ann", stdin="short\n", code=1))
        self.assertIn("nobody", self.run_here("user", "passwd", "nobody", stdin="long enough\n", code=1))
        self.run_here("user", "passwd", "ann", stdin="another one\n")
        self.run_here("user", "delete", "ann")
        self.assertIn("ann", self.run_here("user", "delete", "ann", code=1))
        self.assertNotIn("ann ", self.run_here("user", "list"))
        self.assertIn("password", self.run_here("user", "create", "eve", stdin="", code=1))
        for name in ("", "a\nb", "x" * 300):
            self.assertIn("username", self.run_here("user", "create", name, stdin="long enough\n", code=1))

    def test_the_database_is_not_for_others(self):
        self.run_here("user", "create", "ann", stdin="correct horse\n")
        data = self.folder / "data"
        self.assertEqual(data.stat().st_mode & 0o007, 0)
        held = b"".join(p.read_bytes() for p in data.glob("sticker.db*"))
        self.assertIn(b"$argon2id$", held)
        self.assertNotIn(b"correct horse", held)

    def test_life_of_a_token(self):
        self.run_here("user", "create", "ann", stdin="correct horse\n")
        self.assertIn("nobody", self.run_here("token", "create", "nobody", code=1))
        keys = [self.run_here("token", "create", "ann", "--label", "nightly job").split()[-1] for _ in range(2)]
        self.assertNotEqual(*keys)
        listed = self.run_here("token", "list").splitlines()
        self.assertEqual(len(listed), 2)
        self.assertIn("nightly job", listed[0])
        for key in keys:
            self.assertRegex(key, r"^[0-9a-f]{40}$")
            self.assertNotIn(key, "\n".join(listed))
        self.run_here("token", "revoke", listed[0].split()[0])
        self.run_here("token", "revoke", listed[0].split()[0], code=1)
        self.assertEqual(len(self.run_here("token", "list").splitlines()), 1)

    def test_export_of_nothing(self):
        self.run_here("user", "create", "ann", stdin="correct horse battery\n")
        self.assertRegex(self.run_here("export"), r"^query,usage,sticker,[a-z,]+\n$")  # text mode: CRLF arrives as LF
        self.assertEqual(self.run_here("export", "--format", "ndjson", "--since", "2026-01-01"), "")


class Status(unittest.TestCase):
    def test_without_anything(self):
        with tempfile.TemporaryDirectory(prefix="peel-api-") as folder:
            done = peel("status", "--port", "1", "--search-url", "http://127.0.0.1:1", cwd=folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("No sticker database", done.stdout)
            self.assertEqual(done.stdout.count("no answer"), 2)
            self.assertEqual(os.listdir(folder), [])  # asking makes nothing

    def test_with_services(self):
        system = System()
        self.addCleanup(system.close)
        system.start_search()
        system.start_sticker()
        where = ("--port", str(system.port), "--search-url", f"http://127.0.0.1:{system.search_port}")
        request(system.port, "GET", "/api/search/?query=cat")
        wait_until(lambda: system.sql("SELECT 1 FROM queries"), what="the query's place in the list")
        text = system.run("status", *where).stdout
        self.assertIn("0 stickers, 1 queries, 0 changes waiting to be indexed", text)
        self.assertIn(f"StickerService http://127.0.0.1:{system.port}: ready", text)
        self.assertIn("0 documents, algorithm lexical", text)
        seen = json.loads(system.run("status", "--json", *where).stdout)
        self.assertEqual((seen["stickers"], seen["queries"], seen["pending"]), (0, 1, 0))
        self.assertTrue(seen["sticker_service"]["ready"] and seen["search_service"]["ready"])
        self.assertEqual(seen["search_service"]["status"]["documents"], 0)
        self.assertEqual(system.run("status", "--watch", *where).stdout, text)


if __name__ == "__main__":
    main()
