"""Runs docs/peel.postman_collection.json with newman against both services."""

import json
import pathlib
import subprocess
import sys
import tempfile

from peel_testing import ADMIN_TOKEN, ROOT, STICKERS, System

sys.path.insert(0, str(ROOT / "tests"))
import node_tools  # noqa: E402


def run(system, report):
    system.add({**STICKERS, "cat two.png": ("Another cat", "cat")})
    system.start_search()
    system.start_sticker()
    system.wait_indexed()
    system.run("user", "create", "bob", "--no-staff", stdin="another long password\n")
    user_token = system.run("token", "create", "bob").stdout.split()[-1]
    done = subprocess.run(
        ["node", "node_modules/newman/bin/newman.js", "run", "../docs/peel.postman_collection.json",
         "--env-var", f"baseUrl=http://127.0.0.1:{system.port}", "--env-var", f"token={ADMIN_TOKEN}",
         "--env-var", f"userToken={user_token}", "--reporters", "cli,json", "--reporter-json-export", report,
         "--reporter-cli-no-success-assertions", "--reporter-cli-no-banner", "--color", "off"],
        cwd=ROOT / "tests", capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout[-8000:], done.stderr[-2000:])
    stats = json.loads(pathlib.Path(report).read_text())["run"]["stats"]
    failed = sum(stats[kind]["failed"] for kind in ("assertions", "requests", "testScripts", "prerequestScripts"))
    return stats["assertions"]["total"] - stats["assertions"]["failed"], failed or int(done.returncode != 0)


def main():
    if missing := node_tools.ensure():
        print(f"skipped: {missing}")
        print("0 passed, 0 failed")
        return 0
    system = System()
    with tempfile.TemporaryDirectory() as folder:
        try:
            passed, failed = run(system, folder + "/report.json")
        finally:
            system.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
