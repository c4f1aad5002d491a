"""Pictures of every page, in screenshots/: of the packs that `make run` brings (./data, or the folder in
PEEL_DATA) when they are there, else of packs imported for the purpose."""

import os
import pathlib
import subprocess
import sys

import services


def main():
    if reason := services.missing():
        print(f"no screenshots: {reason}", file=sys.stderr)
        return 1
    system = services.System()
    try:
        data = pathlib.Path(os.environ.get("PEEL_DATA", services.ROOT / "data"))
        if data.is_dir() and any(data.iterdir()):
            system.data = data
        else:
            system.run("import", "--pack", "openmoji", "--pack", "fluent3d")
        system.start_search()
        system.start_sticker()
        system.wait_indexed()
        env = {**services.environment(system), "OUT": str(services.ROOT / "screenshots")}
        script = services.ROOT / "tests" / "browser" / "screenshots.mjs"
        return subprocess.run(["node", str(script)], env=env, timeout=600).returncode
    finally:
        system.close()


if __name__ == "__main__":
    sys.exit(main())
