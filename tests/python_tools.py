"""The PyPI packages of tests/requirements.txt, at its versions and with its checksums."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent
MODULES = TESTS / "python_modules"


def ensure():
    """Installs them into tests/python_modules unless they are there, for import; a sentence when that is not possible."""
    lock = TESTS / "requirements.txt"
    wanted = f"{sys.implementation.cache_tag} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    made_for = MODULES / "made_for.txt"
    with open(lock) as one_at_a_time:  # test programs run side by side
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not made_for.exists() or made_for.read_text() != wanted:
            if problem := install(lock, wanted):
                return problem
    if str(MODULES) not in sys.path:
        sys.path.insert(0, str(MODULES))
    return None


def install(lock, wanted):
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        return "pip is not installed"
    with tempfile.TemporaryDirectory(dir=TESTS, prefix="python_modules.") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore",
             "--no-deps", "--require-hashes", "--only-binary", ":all:", "--retries", "1", "--target", folder + "/new",
             "--requirement", lock],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            return "pip install failed: " + done.stderr.strip()[-500:]
        (pathlib.Path(folder) / "new/made_for.txt").write_text(wanted)
        shutil.rmtree(MODULES, ignore_errors=True)
        pathlib.Path(folder, "new").rename(MODULES)
    return None
