#!/usr/bin/env python3
"""The command line at work: results as JSON, and commands that look at a whole installation."""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

from peel_testing import PEEL, ROOT, SLOW, STICKERS, FakeSearch, System, main, png, request, wait_until


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
        self.assertEqual(self.json_of("user", "list"), [])

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
        verified = self.json_of("model", "verify")
        self.assertEqual((verified["model"], verified["ok"], len(verified["checks"])), ("starter", True, 1))
        self.assertIn("dim", self.json_of("model", "info"))
        self.assertIsInstance(self.json_of("tokenize", "cat"), list)
        self.assertIsInstance(self.json_of("embed", "--text", "cat"), list)
        self.assertEqual(self.json_of("counter", "--n", "10")["answer"], 1)
        copied = self.json_of("store", "copy", str(self.data / "sticker.db"), str(self.folder / "copy.db"))
        self.assertEqual(copied["database"], "sticker database")
        self.assertTrue(all(len(table["sha256"]) == 64 for table in copied["tables"]))
        self.assertEqual(self.run_here("export", "--json").stdout, "")


def on_terminal(*args, answer=b"", env=None, cwd=None):
    """Runs peel with a terminal for all three streams: what is shown, and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        base = {k: v for k, v in os.environ.items() if not k.startswith(("PEEL_", "ADMIN_", "NO_COLOR", "TERM"))}
        os.chdir(cwd or "/")
        os.execve(PEEL, [PEEL, *args], {**base, "TERM": "xterm", **(env or {})})
    shown, end = b"", time.monotonic() + 60 * SLOW
    while time.monotonic() < end:
        if answer and b"[y/N] " in shown:
            os.write(terminal, answer)
            answer = b""
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                more = os.read(terminal, 65536)
            except OSError:  # it has ended
                break
            if not more:
                break
            shown += more
    os.close(terminal)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Delete(Folder):
    def setUp(self):
        super().setUp()
        for pack in ("birds", "fish"):
            pictures = self.folder / pack
            pictures.mkdir()
            for i in range(70):
                (pictures / f"{pack}{i}.png").write_bytes(png(8, 8, (i, len(pack), 0)))
        (self.folder / "alone.png").write_bytes(png(8, 8, (1, 2, 3)))
        self.run_here("import", "birds", "fish", "alone.png")
        with sqlite3.connect(self.data / "sticker.db") as db:  # stickers.csv has no packs
            for pack in ("birds", "fish"):
                db.execute(f"UPDATE stickers SET pack = '{pack}' WHERE filename LIKE '{pack}%'")
            db.execute("DELETE FROM outbox")

    def packs(self):
        return {row["pack"]: row["stickers"] for row in self.json_of("pack", "list")}

    def test_packs_and_names(self):
        self.assertEqual(self.packs(), {"": 1, "birds": 70, "fish": 70})
        self.assertRegex(self.run_here("pack", "list").stdout, r"^(birds|fish) +70 stickers\n(birds|fish) +70 stickers\n\(no pack\) +1 stickers\n$")
        self.assertIn("confirm with --yes", self.run_here("delete", "alone.png", code=1).stderr)
        self.assertIn("nothing to delete", self.run_here("delete", code=2).stderr)
        self.assertIn('no sticker "nothing.png"; nothing was deleted', self.run_here("delete", "alone.png", "nothing.png", "--yes", code=1).stderr)
        self.assertIn('pack "cats"', self.run_here("delete", "--pack", "cats", "--yes", code=1).stderr)
        self.assertEqual(self.packs(), {"": 1, "birds": 70, "fish": 70})
        self.assertEqual(self.run_here("delete", "fish3.png", "fish3.png", "alone.png", "--yes").stdout, "Deleted 2 stickers.\n")
        self.assertEqual(self.packs(), {"birds": 70, "fish": 69})
        self.assertEqual(self.json_of("delete", "fish4.png", "--pack", "fish", "--yes"), {"deleted": 69})
        self.assertEqual(self.packs(), {"birds": 70})
        with sqlite3.connect(self.data / "sticker.db") as db:
            self.assertEqual(db.execute("SELECT count(*) FROM history WHERE action = 'delete' AND username = 'command line'").fetchone(), (71,))
            self.assertEqual(db.execute("SELECT count(*) FROM outbox WHERE op = 'delete'").fetchone(), (71,))

    def test_asks_on_a_terminal(self):
        for answer, code, left in ((b"n\n", 1, 70), (b"\n", 1, 70), (b"y\n", 0, 0)):
            shown, status = on_terminal("delete", "--pack", "birds", "--data", str(self.data), answer=answer)
            self.assertIn("Delete 70 stickers? The trash of the admin pages keeps them for a while. [y/N] ", shown)
            self.assertEqual((status, self.packs().get("birds", 0)), (code, left), shown)


class Terminal(Folder):
    def test_colours(self):
        """On a terminal alone, and not where they are unwanted."""
        args = ("status", "--port", "1", "--search-url", "http://127.0.0.1:1", "--data", str(self.data))
        self.assertIn("\033[31mno answer\033[0m", on_terminal(*args)[0])
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\033", on_terminal(*args, env=env)[0])
        self.assertNotIn("\033", peel(*args, env={"TERM": "xterm"}).stdout)

    def test_a_bar_that_was_drawn_ends_at_all(self):
        pictures = self.folder / "pictures"
        pictures.mkdir()
        for i in range(200):
            (pictures / f"{i}.png").write_bytes(png(600, 600, (i, 1, 1)))
        shown, status = on_terminal("import", "pictures", "--data", str(self.data), cwd=self.folder)
        self.assertEqual(status, 0, shown)
        self.assertRegex(shown, r"\rImporting \[#{30}\] 100%  200 of 200  \d+/s, \d+\.\d s\x1b\[K\r\n200 added")
        shown, status = on_terminal("import", "pictures", "--quiet", "--data", str(self.data), cwd=self.folder)
        self.assertRegex(shown, r"^0 added, 200 skipped")


class Doctor(Folder):
    def checks(self, *args, code=0):
        """The findings by name, the worst of each."""
        result = self.json_of("doctor", *args, code=code)
        self.assertEqual(result["ok"], code == 0)
        order = ["ok", "warning", "problem"]
        found = {}
        for check in sorted(result["checks"], key=lambda check: order.index(check["state"])):
            self.assertEqual(check["fix"] == "", check["state"] == "ok", check)
            found[check["name"]] = check
        return found

    def assert_found(self, found, name, state, what, fix):
        self.assertEqual(found[name]["state"], state, found[name])
        self.assertIn(what, found[name]["finding"])
        self.assertIn(fix, found[name]["fix"])

    def test_nothing_is_there_and_nothing_is_made(self):
        found = self.checks("--port", "0", "--search-port", "0")
        self.assertEqual({name for name, check in found.items() if check["state"] == "warning"} >= {"data folder", "sticker database", "words", "models"}, True)
        self.assert_found(found, "words", "warning", "no lexicon", f"`peel words pull --data {self.data}`")
        self.assertEqual(list(self.folder.iterdir()), [])
        text = self.run_here("doctor").stdout
        self.assertRegex(text, r"(?m)^warning +words +there is no lexicon.*\n +-> `peel words pull")
        self.assertRegex(text, r"\n0 problems, \d+ warnings\n$")

    def test_running_and_whole(self):
        system = System()
        self.addCleanup(system.close)
        self.data = system.data
        system.add(STICKERS)
        system.run("model", "use", "starter")
        (system.data / "search.token").write_text("t" * 48)
        (system.data / "search.token").chmod(0o600)
        system.start_search()
        system.start_sticker()
        system.wait_indexed()
        found = wait_until(lambda: (f := self.checks())["search index"]["state"] == "ok" and f, what="a whole index")
        self.assertEqual({name for name, check in found.items() if check["state"] != "ok"}, {"words"})
        for name, port in (("StickerService", system.port), ("SearchService", system.search_port)):
            self.assertRegex(found[name]["finding"], rf"^http://127.0.0.1:{port} is ready, version \d")
        self.assertIn("6 of 6", found["images"]["finding"])
        self.assert_found(found, "search token", "ok", "refuses changes without it", "")
        other = ("--search-token", "another token than the one in the file")
        self.assert_found(self.checks(*other, code=1), "search token", "problem", "refuses the token", "same --search-token")
        (system.data / "search.token").chmod(0o644)
        self.assert_found(self.checks(), "search token", "warning", "can be read by others (mode 644)", "chmod 600")
        closed = self.checks("--management-port", "1", code=1)
        self.assert_found(closed, "management port", "problem", "http://127.0.0.1:1 does not answer", "--management-port 1")
        self.assert_found(self.checks("--management-port", str(system.port)), "management port", "ok", "answers", "")
        (system.data / "search.token").unlink()
        self.assert_found(self.checks(code=1), "search token", "problem", "none is configured here", "same --search-token")
        (system.data / "bucket/media/cat.png").unlink()
        self.assert_found(self.checks(code=1), "images", "problem", "1 of 6 images are missing, such as cat.png", "backup")

    def test_databases(self):
        self.run_here("migrate")

        def change(file, sql):
            with sqlite3.connect(self.data / file) as db:
                db.execute(sql)
                db.commit()
            db.close()

        newest = "version = (SELECT max(version) FROM schema_migrations)"
        change("sticker.db", f"UPDATE schema_migrations SET version = version + 1 WHERE {newest}")
        self.assert_found(self.checks(code=1), "sticker database", "problem", "of a newer Peel", "newer program")
        change("sticker.db", f"UPDATE schema_migrations SET version = version - 1 WHERE {newest}")
        self.assert_found(self.checks(), "sticker database", "ok", "whole", "")
        change("sticker.db", f"DELETE FROM schema_migrations WHERE {newest}")
        for _ in range(2):  # looking migrates nothing
            self.assert_found(self.checks(), "sticker database", "warning", "of an older Peel", f"`peel migrate --data {self.data}`")
        pages = (self.data / "search.db").read_bytes()
        (self.data / "search.db").write_bytes(pages[:4096] + b"\x55" * 4096 + pages[8192:])
        for wal in self.data.glob("search.db-*"):
            wal.unlink()
        found = self.checks(code=1)
        self.assert_found(found, "search database", "problem", "", "reindex --all")
        (self.data / "search.db").write_bytes((self.data / "sticker.db").read_bytes())
        self.assert_found(self.checks(code=1), "search database", "problem", "is not a search database", "check its address")

    def test_what_else_is_wrong(self):
        self.run_here("migrate")
        busy = FakeSearch()
        self.addCleanup(busy.close)
        found = self.checks("--search-port", str(busy.port), code=1)
        self.assert_found(found, "SearchService", "problem", str(busy.port), "--search-port")
        found = self.checks("--search-url", "http://127.0.0.1:1", code=1)
        self.assert_found(found, "SearchService", "problem", "does not answer", "log")
        words = self.data / "bucket/words/english.words"
        words.parent.mkdir(parents=True)
        words.write_bytes(b"no words")
        self.assert_found(self.checks(code=1), "words", "problem", "english.words", "words pull")
        (self.data / "bucket/models/org--half.part").mkdir(parents=True)
        self.assert_found(self.checks(code=1), "models", "warning", "", "peel model pull")
        self.data.chmod(0o755)
        self.assert_found(self.checks(code=1), "data folder", "warning", "open to all users", "chmod 750")
        later = time.time() + 86400
        os.utime(self.data / "sticker.db", (later, later))
        self.assert_found(self.checks(code=1), "clock", "problem", "before the last change", "NTP")


class Shells(Folder):
    """Completion scripts and manual pages. A shell or formatter that is not installed is left out."""

    def need(self, program):
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed")

    def shell(self, *args):
        done = subprocess.run(args, capture_output=True, text=True, timeout=60 * SLOW, cwd=self.folder, env={**os.environ, "HOME": str(self.folder)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def script(self, shell):
        file = self.folder / f"completion.{shell}"
        file.write_text(peel("completion", shell).stdout)
        return file

    # what was typed, and what there is to choose from
    CASES = (
        (["st"], ["status", "sticker-service", "store"]),
        (["user", ""], ["create", "delete", "list", "passwd", "totp-reset"]),
        (["user", "create", "--st"], ["--sticker-db", "--sticker-db-host", "--sticker-db-name", "--sticker-db-password",
                                      "--sticker-db-port", "--sticker-db-sslmode", "--sticker-db-user", "--staff"]),
        (["serve", "--log-level", ""], ["debug", "error", "info", "warn"]),
        (["serve", "--listen"], []),  # hidden
        (["migrate", ""], ["search", "sticker"]),
        (["help", "reind"], ["reindex"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
    )

    def test_bash(self):
        self.need("bash")
        script = self.script("bash")
        for words, expected in self.CASES:
            run = f'source {script}; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _peel; printf "%s\\n" "${{COMPREPLY[@]}}"'
            self.assertEqual(sorted(self.shell("bash", "--norc", "-c", run, "bash", "peel", *words).split()), sorted(expected), words)
        self.assertIn("complete -o bashdefault -o default -F _peel peel", self.shell("bash", "--norc", "-c", f"source {script}; complete -p peel"))

    def test_fish(self):
        self.need("fish")
        script = self.script("fish")
        for words, expected in self.CASES:
            line = " ".join(["peel", *words])
            found = self.shell("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'").splitlines()
            self.assertEqual(sorted(choice.split("\t")[0] for choice in found), sorted(expected), words)

    def test_zsh(self):
        self.need("zsh")
        script = self.script("zsh")
        self.shell("zsh", "-f", "-n", script)
        self.shell("zsh", "-f", "-c", f"autoload -Uz compinit; compinit -u -D; source {script}; whence _peel")

    def test_manual_pages(self):
        pages = {name: peel("help", "--man", *([name] if name else [])).stdout
                 for name in ["", *re.findall(r"(?m)^  ([a-z-]+) ", peel("help").stdout)]}
        for name, page in pages.items():
            self.assertTrue(page.startswith(".TH PEEL"), page[:40])
            self.assertEqual(page.count("\n.SH NAME\n"), 1)
            self.assertTrue(all(ord(c) < 128 for c in page))
        self.assertIn("no command", peel("help", "--man", "frobnicate").stderr)
        self.need("groff")
        for name, page in pages.items():
            done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-c"], input=page, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            plain = re.sub(".\b", "", done.stdout)
            self.assertRegex(plain, rf"(?m)^ +peel{'-' if name else ''}{name} +- +")
            if name:
                self.assertIn("--log-level WORD", plain)

    def test_install(self):
        self.need("make")
        if pathlib.Path(PEEL).resolve() != (ROOT / "build/release/peel").resolve():
            self.skipTest("another program is tested than make install installs")
        if subprocess.run(["make", "-s", "-q", "-C", ROOT, "all"], capture_output=True).returncode:
            self.skipTest("the program is older than its sources: installing would build it while other tests run it")
        self.shell("make", "-s", "-C", ROOT, "install", f"DESTDIR={self.folder}", "PREFIX=/usr")
        usr = self.folder / "usr"
        self.assertEqual((usr / "bin/peel").stat().st_mode & 0o777, 0o755)
        for path in ("share/man/man1/peel.1", "share/man/man1/peel-user.1", "share/bash-completion/completions/peel", "share/zsh/site-functions/_peel",
                     "share/fish/vendor_completions.d/peel.fish", "share/peel/models/starter/config.json"):
            self.assertGreater((usr / path).stat().st_size, 100, path)
        done = subprocess.run([usr / "bin/peel", "model", "use", "starter", "--data", self.data], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Running(unittest.TestCase):
    """Commands find the services of their own data folder, whatever answers at the default ports."""

    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)

    def files(self):
        return sorted(f.name.rpartition("-")[0] for f in (self.system.data / "run").iterdir())

    def test_services_are_found_by_their_data_folder(self):
        system = self.system
        system.add({"red.png": ("red", "")})
        self.assertIn("StickerService does not run on this data folder", system.run("status").stdout)
        self.assertIn("will be the default when", system.run("model", "use", "starter").stdout)
        system.start_search()
        system.start_sticker()
        wait_until(lambda: len(self.files()) == 2, what="two files")
        seen = json.loads(system.run("status", "--json").stdout)
        self.assertEqual([seen[s]["url"] for s in ("sticker_service", "search_service")],
                         [f"http://127.0.0.1:{port}" for port in (system.port, system.search_port)])
        self.assertTrue(seen["sticker_service"]["answers"] and seen["search_service"]["answers"])
        self.assertEqual(json.loads(system.run("health", "--json").stdout)["url"], f"http://127.0.0.1:{system.port}")
        self.assertIn("is now the default of the running", system.run("model", "use", "starter").stdout)
        self.assertIn("running services are indexing", system.add({"blue.png": ("blue", "")}).stdout)
        other = FakeSearch()  # an option says more than a file
        self.addCleanup(other.close)
        self.assertEqual(json.loads(system.run("status", "--json", "--search-url", f"http://127.0.0.1:{other.port}").stdout)
                         ["search_service"]["url"], f"http://127.0.0.1:{other.port}")
        system.sticker.stop()
        system.search.stop()
        self.assertEqual(self.files(), [])
        self.assertIn("SearchService  does not run on this data folder", system.run("status").stdout)

    def test_what_was_killed_is_known_to_be_gone(self):
        system = self.system
        system.start_search()
        wait_until(lambda: (system.data / "run").is_dir() and self.files(), what="a file")
        (file,) = (system.data / "run").iterdir()
        self.assertEqual(json.loads(file.read_text())["pid"], system.search.child.pid)
        system.search.child.kill()
        system.search.child.wait()
        self.assertTrue(file.exists())
        # Another process may have its number by now: the number alone says nothing.
        living = file.with_name(f"search-service-{os.getpid()}.json")
        file.rename(living)
        self.assertIn("SearchService  does not run", system.run("status").stdout)
        self.assertTrue(living.exists())  # looking changes nothing
        for text in ("", "[]", "{", '{"url":7,"started":"2026"}', '{"url":"http://127.0.0.1:1"}'):
            living.write_text(text)
            self.assertIn("SearchService  does not run", system.run("status").stdout)
        system.start_search()
        wait_until(lambda: not living.exists(), what="its removal by the next service")

    def test_serve_is_found_while_its_services_restart(self):
        serve = self.system.start_process("serve", "serve", "--port", "0", "--search-port", "0", "--quiet")
        port = int(serve.wait_for(r"Gallery: http://127.0.0.1:(\d+)/")[1])
        self.assertEqual(self.files(), ["search-service", "sticker-service"])
        child = int(re.search(r"started sticker-service as process (\d+)", serve.log())[1])
        os.kill(child, signal.SIGKILL)
        self.assertEqual(json.loads(self.system.run("health", "--json").stdout), {"url": f"http://127.0.0.1:{port}", "alive": True, "error": None})
        serve.stop()
        self.assertEqual(self.files(), [])


class Index(unittest.TestCase):
    """A search database that was lost while the services were stopped."""

    def test_a_lost_index_is_told_and_filled_again(self):
        system = System()
        self.addCleanup(system.close)
        system.add(STICKERS)
        system.start_search()
        system.start_sticker()
        system.wait_indexed()
        index = lambda: request(system.port, "GET", "/readyz").json()["checks"]["index"]
        wait_until(lambda: index() == {"status": "ok", "documents": len(STICKERS)}, what="a whole index")
        self.assertEqual(json.loads(system.run("status", "--json").stdout)["index"], "complete")
        system.sticker.stop()
        system.search.stop()
        for file in system.data.glob("search.db*"):
            file.unlink()
        shutil.rmtree(system.data / "cache")
        queued = system.run("reindex", check=False)
        self.assertEqual((queued.returncode, queued.stdout), (2, ""))
        self.assertIn("--all", queued.stderr)
        system.start_search(system.search_port)
        system.start_sticker()
        self.assertEqual(request(system.port, "GET", "/api/search/?query=cat").json()["stickers"], [])
        told = wait_until(lambda: (told := index())["status"] == "differs" and told, what="the difference")
        self.assertEqual(told["documents"], 0)
        self.assertIn("reindex --all", told["message"])
        self.assertEqual(request(system.port, "GET", "/readyz").status, 200)
        text = system.run("status").stdout
        self.assertIn(f"SearchService has 0 documents for {len(STICKERS)} stickers. `peel reindex --all`", text)
        self.assertEqual(json.loads(system.run("status", "--json").stdout)["index"], "differs")
        done = json.loads(system.run("reindex", "--all", "--json").stdout)
        self.assertEqual(done, {"queued": len(STICKERS), "indexed": True, "pending": 0})
        wait_until(lambda: index()["status"] == "ok", what="a whole index")
        self.assertEqual(request(system.port, "GET", "/api/search/?query=cat&limit=1").json()["stickers"], ["cat.png"])
        self.assertNotIn("out of step", system.run("status").stdout)
        self.assertEqual(system.run("reindex", "--all").stdout, f"Indexed {len(STICKERS)} stickers again.\n")
        system.search.stop()
        self.assertIn("They will be indexed when both services run", system.run("reindex", "--all").stdout)


if __name__ == "__main__":
    main()
