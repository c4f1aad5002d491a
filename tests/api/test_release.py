"""What `make release` makes of the program that is here: the bill of materials, the Debian package, and that what is compiled
does not depend on the folder. `make reproducible` compares two whole releases and scripts/check_package.sh installs the
package; both take minutes, and are steps of a release (CONTRIBUTING.md)."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from peel_testing import MODE, PEEL, ROOT, main

sys.path.insert(0, str(ROOT / "tests"))
import python_tools  # noqa: E402

VERSION = re.search(r'#define PEEL_VERSION "(.*)"', (ROOT / "src/cmd/cmd.h").read_text())[1]


def output(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


@unittest.skipIf(MODE != "release", "what is released: in release only")
class Release(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peel-release-"))
        self.addCleanup(shutil.rmtree, self.folder)

    @unittest.skipIf(not shutil.which("dpkg-query"), "the bill of materials: its versions are those of Debian's packages")
    def test_bill_of_materials(self):
        if missing := python_tools.ensure():
            self.skipTest(f"CycloneDX's schema: {missing}")
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator

        text = output(sys.executable, "scripts/sbom.py", PEEL, "models/starter", VERSION, "1700000000", cwd=ROOT)
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_6).validate_str(text))
        bom = json.loads(text)
        self.assertEqual(bom["metadata"]["timestamp"], "2023-11-14T22:13:20Z")
        components = {one["bom-ref"]: one for one in bom["components"]}
        depends = {one["ref"]: one["dependsOn"] for one in bom["dependencies"]}
        self.assertEqual(set(depends), set(components) | {f"peel@{VERSION}"})
        for refs in depends.values():
            self.assertLessEqual(set(refs), set(components))
        direct = [components[ref] for ref in depends[f"peel@{VERSION}"]]
        for one in direct:
            (license,) = one["licenses"]
            self.assertTrue(license.get("expression") or license["license"].get("id"), one["name"])
        names = [one["name"] for one in components.values()]
        for stem in ("libcurl", "libsqlite3", "libpango-1.0"):  # the last only through librsvg
            self.assertTrue(any(name.startswith(stem) for name in names), stem)

    def test_the_same_in_another_folder(self):
        """Objects with debug information, which has names of files and folders, and a file that is generated."""
        source = self.folder / "of-another-name"
        source.mkdir()
        for name in ("Makefile", "CHANGELOG.md", "src", "web", "docs", "tools", "clients"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source / name)
        objects = [f"build/release/{name}.o" for name in ("src/base/status", "src/model/kernels/avx2", "gen/web/assets_gen", "gen/web/templates")]
        output("make", "-s", "-C", source, *objects, env=os.environ | {"CCACHE_DISABLE": "1"})
        for name in objects:
            self.assertEqual((source / name).read_bytes(), (ROOT / name).read_bytes(), name)

    @unittest.skipIf(not shutil.which("dh") or not shutil.which("lintian"), "the Debian package: needs debhelper and lintian")
    def test_debian_package(self):
        output("sh", "scripts/deb.sh", self.folder, cwd=ROOT)
        (package,) = self.folder.iterdir()
        done = subprocess.run(["lintian", "--fail-on", "error,warning", "--info", package], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        root, scripts = self.folder / "root", self.folder / "scripts"
        output("dpkg-deb", "-x", package, root)
        output("dpkg-deb", "-e", package, scripts)
        self.assertEqual(output(root / "usr/bin/peel", "--version"), f"peel {VERSION}\n")
        self.assertEqual((scripts / "conffiles").read_text(), "/etc/peel/search.env\n/etc/peel/sticker.env\n")
        self.assertIn(f"Version: {VERSION}\n", (scripts / "control").read_text())
        for name in ("share/peel/models/starter/model.safetensors", "share/man/man1/peel-serve.1.gz", "lib/sysusers.d/peel.conf",
                     "share/bash-completion/completions/peel", "share/zsh/vendor-completions/_peel", "lib/tmpfiles.d/peel.conf"):  # fmt: skip
            self.assertTrue((root / "usr" / name).exists(), name)
        for unit in ("peel-search", "peel-sticker"):
            self.assertIn("\nExecStart=/usr/bin/peel ", (root / "lib/systemd/system" / f"{unit}.service").read_text())
        for name in ("postinst", "prerm", "postrm"):
            output("sh", "-n", scripts / name)


if __name__ == "__main__":
    main()
