"""The npm packages of tests/package.json, at the versions of its lock file."""

import fcntl
import pathlib
import shutil
import subprocess

TESTS = pathlib.Path(__file__).resolve().parent


def ensure():
    """Installs them into tests/node_modules unless they are there; a sentence when that is not possible."""
    lock, installed = TESTS / "package-lock.json", TESTS / "node_modules" / ".package-lock.json"
    with open(lock) as one_at_a_time:  # test programs run side by side
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return None
        if not shutil.which("npm"):
            return "npm is not installed"
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=TESTS, capture_output=True, text=True
        )
        return None if done.returncode == 0 else "npm ci failed: " + done.stderr.strip()[-500:]
