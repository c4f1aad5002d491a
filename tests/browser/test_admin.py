"""Starts both services on fixtures and runs tests/browser/admin.mjs, which ends with "N passed, N failed"."""

import subprocess
import sys

import services


def main():
    if reason := services.missing():
        print(f"skipped: {reason}")
        print("0 passed, 0 failed")
        return 0
    system = services.System()
    try:
        system.add(services.fixtures())
        system.start_search()
        system.start_sticker()
        system.wait_indexed()
        script = services.ROOT / "tests" / "browser" / "admin.mjs"
        return subprocess.run(["node", str(script)], env=services.environment(system), timeout=900).returncode
    finally:
        system.close()


if __name__ == "__main__":
    sys.exit(main())
