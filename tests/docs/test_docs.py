#!/usr/bin/env python3
"""The documentation, done as it says: every command of the README and of docs/ runs, and prints what the page shows.

Blocks of `sh`, `js` and `python` of a page run one after the other in one shell, in a folder of their own with a copy of what
a clone has, as an ordinary user even where the tests run as root. A block of `text` or `json` right behind them is what they
print; "..." stands for anything. Pages say what they need in comments, which /docs and GitHub do not show:

    <!-- test: services -->        both services run, with the pictures of `PHOTOS`; `services postgresql`: with a server too
    <!-- test: stop -->            the services are stopped here; `restart`: and started again
    <!-- skip: docker -->          the next block is not run; the reason is one of `REASONS`, and each is counted

Ports and the host db.example.net stand for those of the test."""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from peel_testing import ADMIN_TOKEN, PEEL, ROOT, SLOW, figures, main
from postgres_testing import Postgres, unavailable

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md"))]
RUN = {"sh": "bash", "js": "node --input-type=module", "python": "python3"}
SHOWN = {"text", "json", "csv", "toml", "yaml", "swift", "kotlin", "html", "css"}  # languages that are not run
REASONS = {
    "installs packages, builds and downloads",  # tests/api/test_run_script.py
    "downloads", "systemd", "docker", "kubectl", "as PostgreSQL's administrator", "needs your PostgreSQL server", "needs pgvector",
    "needs the starter packs", "measures for minutes", "needs a package from PyPI", "an example of addresses", "needs a compiler",
}  # fmt: skip
PORTS = [8000, 8118, 8001, 8002, 8010, 8080, 8128]
NOBODY = 65534
COMMAND = re.compile(r" {4}(\./peel|peel|curl|sudo|docker|kubectl|make|sh scripts/|python3|psql|createdb|createuser|pg_dump|nginx) ")
PHOTOS = {
    "openmoji-birthday-cake-1F382.svg": ("birthday cake", "birthday, cake, candles"),
    "dog.svg": ("Dog", "dog, puppy"),
    "cat.svg": ("Cat", "cat, kitten"),
}


class Block:
    def __init__(self, language, line):
        self.language, self.line, self.lines, self.skip, self.prints = language, line, [], None, None

    def text(self):
        return "\n".join(self.lines) + "\n"


def parse(path):
    """What a page needs, and its blocks and directives in their order."""
    needs, items, block, skip, last = [], [], None, None, None
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if block:
            if line == "```":
                if last and block.language in ("text", "json") and not skip:
                    last.prints = block
                elif block.language in RUN:
                    block.skip = skip
                    items.append(block)
                last = block if block.language in RUN and not skip else None
                block = skip = None
            else:
                block.lines.append(line)
        elif line.startswith("```"):
            block = Block(line[3:].strip(), number)
        elif found := re.fullmatch(r"<!-- skip: (.*) -->", line):
            skip = found[1]
        elif found := re.fullmatch(r"<!-- test: (.*) -->", line):
            if found[1].startswith("services"):
                needs = found[1].split()
            else:
                items.append(found[1])
        elif line.startswith("<!--"):
            raise AssertionError(f"{path.name}:{number}: what is {line}?")
        elif line:
            last = None
    if block or skip:
        raise AssertionError(f"{path.name}: a block that does not end, or a skip without a block")
    return needs, items


def free_ports(n):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in listeners]
    for s in listeners:
        s.close()
    return ports


PRELUDE = """set -e -o pipefail
start_services() {
    ./peel serve >>services.log 2>&1 &
    services=$!
    until ./peel health http://127.0.0.1:$PEEL_PORT >/dev/null 2>&1 && curl -sf http://127.0.0.1:$PEEL_PORT/readyz | grep -q '"pending":0'; do
        kill -0 $services
        sleep 0.1
    done
}
stop_services() {
    kill $services
    wait $services || true
}
"""


class Page:
    """A folder in which the commands of a page run."""

    def __init__(self, path):
        self.path = path
        self.needs, self.items = parse(path)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-docs-"))
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.server = Postgres() if "postgresql" in self.needs else None

    def close(self):
        if self.server:
            self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mine(self, text):
        """The text with the addresses of this test."""
        text = re.sub(r"(?<![\d.])(" + "|".join(map(str, PORTS)) + r")(?![\d.])", lambda m: str(self.ports[int(m[1])]), text)
        return text.replace("db.example.net:5432", f"127.0.0.1:{self.server.port}") if self.server else text

    def prepare(self):
        for name in ("clients", "docs", "deploy", "eval", "README.md", "stickers.csv"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.folder / name)
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, self.folder)
        shutil.copy(PEEL, self.folder / "peel")
        photos = self.folder / "photos"
        photos.mkdir()
        rows = ["filename,title,words,language"]
        for i, (name, (title, words)) in enumerate(PHOTOS.items()):
            (photos / name).write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="{i + 9}"/></svg>')
            rows.append(f'{name},{title},"{words}",en')
        (photos / "stickers.csv").write_text("\n".join(rows) + "\n")
        self.folder.chmod(0o755)
        if os.getuid() == 0:
            for found in [self.folder, *self.folder.rglob("*")]:
                os.chown(found, NOBODY, NOBODY)

    def script(self):
        lines = [PRELUDE]
        if "services" in self.needs:
            lines += ["./peel import --quiet photos >/dev/null", "start_services"]
        for i, item in enumerate(self.items):
            if isinstance(item, str):
                lines += {"stop": ["stop_services"], "restart": ["[ -z \"$(jobs -pr | grep -x $services)\" ] || stop_services", "start_services"]}[item]
                continue
            if item.skip:
                continue
            lines.append(f"echo {i} >now")
            if item.language == "sh":
                lines += ["{", self.mine(item.text()).rstrip("\n"), f"}} >out.{i} 2>err.{i}"]
            else:
                (self.folder / f"in.{i}").write_text(self.mine(item.text()))
                lines.append(f"{RUN[item.language]} <in.{i} >out.{i} 2>err.{i}")
        lines.append("echo done >now")
        return "\n".join(lines) + "\n"

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if k in ("LANG", "LC_ALL", "TZ")}
        search = self.ports[8118]
        return kept | {
            "PATH": f"{self.folder}:{os.environ['PATH']}:/usr/sbin",
            "HOME": str(self.folder),
            "PEEL_PORT": str(self.ports[8000]),
            "PEEL_SEARCH_PORT": str(search),
            "PEEL_SEARCH_URL": f"http://127.0.0.1:{search}",
            "PEEL_SHED_WAIT_MS": "0",
            "ADMIN_PASSWORD": "a long password",
            "ADMIN_TOKEN": ADMIN_TOKEN,
        }

    def run(self):
        """None, or what went wrong."""
        self.prepare()
        (self.folder / "script").write_text(self.script())
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        child = subprocess.Popen(
            ["bash", "script"], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True, **who,
        )  # fmt: skip
        try:
            error = self.wait(child)
        finally:
            self.end(child)
        now = self.read("now")
        if now == "done":
            return self.compare()
        if not now.isdigit():
            return f"{self.path.name}: the services did not start: {error}\n{self.read('services.log')[-2000:]}"
        block = self.items[int(now)]
        return f"{self.path.name}:{block.line} failed:\n{block.text()}{self.read(f'out.{now}')}{self.read(f'err.{now}')}{error}\n{self.read('services.log')[-2000:]}"

    def wait(self, child):
        try:
            return child.communicate(timeout=60 * SLOW)[1]
        except subprocess.TimeoutExpired:
            return "it took too long"

    def end(self, child):
        """Ends the session of the page: services and whatever its commands left running."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(child.pid, number)
            except ProcessLookupError:
                break
            time.sleep(0.2)
        child.wait()
        child.stderr.close()

    def read(self, name):
        path = self.folder / name
        return path.read_text(errors="replace").strip() if path.exists() else ""

    def compare(self):
        for i, block in enumerate(self.items):
            if isinstance(block, str) or not block.prints:
                continue
            printed, shown = self.read(f"out.{i}"), self.mine(block.prints.text())
            if block.prints.language == "json":
                printed, shown = (re.sub(r"\s", "", text) for text in (printed, shown))
            pattern = ".*?".join(re.escape(part) for part in shown.strip().split("..."))
            if not re.fullmatch(pattern, printed, re.S):
                return f"{self.path.name}:{block.line} printed\n{printed}\nand the page shows\n{shown}"
        return None


class Commands(unittest.TestCase):
    """One test for each page that has commands."""

    run_blocks, skipped = 0, collections.Counter()

    @classmethod
    def tearDownClass(cls):
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(cls.skipped.items()))
        figures(f"documentation: {cls.run_blocks} blocks of commands run, {sum(cls.skipped.values())} not: {why}")

    def check(self, path):
        page = Page(path)
        self.addCleanup(page.close)
        blocks = [item for item in page.items if isinstance(item, Block)]
        for block in blocks:
            if block.skip:
                self.assertIn(block.skip, REASONS, f"{path.name}:{block.line}")
                Commands.skipped[block.skip] += 1
        if "postgresql" in page.needs and (why := unavailable()):
            self.skipTest(why)
        if any(not block.skip for block in blocks):
            problem = page.run()
            self.assertIsNone(problem, problem)
            Commands.run_blocks += sum(not block.skip for block in blocks)


for one in PAGES:
    if parse(one)[1]:
        name = "test_" + re.sub(r"\W", "_", str(one.relative_to(ROOT)).removesuffix(".md").lower())
        setattr(Commands, name, lambda self, path=one: self.check(path))


def slugs(path):
    """The anchors of a page, as GitHub makes them."""
    fenced, found = False, set()
    for line in path.read_text(encoding="utf-8").split("\n"):
        fenced ^= line.startswith("```")
        if not fenced and (heading := re.fullmatch(r"#{1,6} (.*)", line)):
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "").lower()
            found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


class Releases(unittest.TestCase):
    def test_the_changelog_knows_this_version_and_its_schemas(self):
        text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        release, sticker, search = re.search(r"(?m)^\| (\S+)[^|]*\| (\d+), \d+ \| (\d+), \d+ \|$", text).groups()
        version = subprocess.run([PEEL, "--version"], capture_output=True, text=True).stdout
        self.assertEqual(version, f"peel {release}\n")
        self.assertIn(f"\n## {release}", text)
        with tempfile.TemporaryDirectory() as data:
            subprocess.run([PEEL, "migrate", "--data", data], capture_output=True, check=True)
            found = []
            for name in ("sticker", "search"):
                with contextlib.closing(sqlite3.connect(f"{data}/{name}.db")) as db:
                    found.append(db.execute("SELECT max(version) FROM schema_migrations").fetchone()[0])
        self.assertEqual(found, [int(sticker), int(search)], "the table of releases in CHANGELOG.md")


class Pages(unittest.TestCase):
    def markdown(self):
        return [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "eval/README.md", "train/DATA.md", "models/starter/README.md"))]

    def test_links_lead_somewhere(self):
        for page in self.markdown():
            text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
            for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
                if re.match(r"[a-z]+:", link):
                    continue
                file, _, anchor = link.partition("#")
                to = (page.parent / file).resolve() if file else page
                self.assertTrue(to.exists(), f"{page.name}: {link}")
                if anchor:
                    self.assertIn(anchor, slugs(to), f"{page.name}: {link}")

    def test_commands_are_in_blocks_that_are_run(self):
        for page in PAGES:
            fenced = False
            for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
                if line.startswith("```"):
                    language = line[3:].strip()
                    self.assertTrue(fenced or language in SHOWN | set(RUN), f"{page.name}:{number}: a block of {language!r}")
                    fenced = not fenced
                elif not fenced:
                    self.assertIsNone(COMMAND.match(line), f"{page.name}:{number}: a command outside of a block: {line}")

    def test_every_page_is_in_the_index(self):
        index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
        for page in PAGES[1:]:
            if page.name != "README.md":
                self.assertIn(f"]({page.relative_to(ROOT / 'docs')})", index)

    def test_promises_are_held_by_tests_that_exist(self):
        """Each row of the promises in docs/THREATS.md names at least one test, as `FILE: NAME`."""
        promises = (ROOT / "docs" / "THREATS.md").read_text(encoding="utf-8").split("\n## Promises\n")[1].split("\n## ")[0]
        rows = [line for line in promises.split("\n") if line.startswith("| ") and "---" not in line and "| held by |" not in line]
        self.assertGreater(len(rows), 20)
        for row in rows:
            named = re.findall(r"`(test_\w+\.(?:py|c)): (\w+)`", row)
            self.assertTrue(named, f"no test holds: {row}")
            for file, test in named:
                declared = rf"^    def {test}\(self" if file.endswith(".py") else rf"^static void {test}\(void \*\*"
                texts = [path.read_text(encoding="utf-8") for room in ("unit", "api") if (path := ROOT / "tests" / room / file).exists()]
                self.assertTrue(any(re.search(declared, text, re.M) for text in texts), f"{file} has no test {test}")

    def test_every_option_that_is_named_exists(self):
        known = set(re.findall(r"--[a-z][a-z0-9-]+", (ROOT / "docs" / "OPTIONS.md").read_text()))
        for page in PAGES:
            for command in re.findall(r"(?m)^(?:\./)?peel .*|`peel [^`]*`", page.read_text(encoding="utf-8")):
                for option in re.findall(r"(?<=\s)--[a-z][a-z0-9-]+", command):
                    self.assertIn(option.replace("--no-", "--"), known | {"--version", "--help"}, f"{page.name}: {command}")


if __name__ == "__main__":
    main()
