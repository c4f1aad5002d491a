#!/usr/bin/env python3
"""Writes the software bill of materials of a built `peel` to standard output, in CycloneDX 1.6 (https://cyclonedx.org).

    python3 scripts/sbom.py PEEL STARTER VERSION TIME        TIME in seconds since 1970, STARTER the folder of the model

It lists what runs in the process: the libraries that peel is linked with, those that they load, and the starter model.
Libraries are named as the Debian packages that have them, so that a scanner finds their security advisories. It is the
same for the same program, model and packages.

Not listed, as no release contains it: what is used to build and to test (compilers, npm and PyPI packages with their own
lock files in tests/), and npm and pip, which `peel words pull` and `peel model pull` start if they are installed. The web
pages have no scripts, fonts or styles of others."""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
import uuid

# The licences of the libraries that peel is linked with, as SPDX names them. For those that only other libraries ask for, the
# list names the file of their package that has the licence.
LICENCES = {
    "libmicrohttpd": "LGPL-2.1-or-later",
    "libcurl": "curl",
    "libcrypto": "Apache-2.0",
    "libjansson": "MIT",
    "libsqlite3": "blessing",
    "libpq": "PostgreSQL",
    "libsodium": "ISC",
    "libutf8proc": "MIT AND Unicode-DFS-2015",
    "libxxhash": "BSD-2-Clause",
    "libjpeg": "IJG AND BSD-3-Clause AND Zlib",
    "libpng16": "libpng-2.0",
    "libwebp": "BSD-3-Clause",
    "libwebpdemux": "BSD-3-Clause",
    "libwebpmux": "BSD-3-Clause",
    "librlottie": "MIT AND (FTL OR GPL-2.0-only) AND BSD-3-Clause",
    "libheif": "LGPL-3.0-or-later",
    "libvpx": "BSD-3-Clause",
    "librsvg-2": "LGPL-2.1-or-later",
    "libglib-2.0": "LGPL-2.1-or-later",
    "libgobject-2.0": "LGPL-2.1-or-later",
    "libcairo": "LGPL-2.1-only OR MPL-1.1",
    "libxml2": "MIT",
    "libarchive": "BSD-2-Clause",
    "libgmp": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libgif": "MIT",
    "libqrencode": "LGPL-2.1-or-later",
    "libstemmer": "BSD-3-Clause",
    "libz": "Zlib",
    "libzstd": "BSD-3-Clause",
    "libm": "LGPL-2.1-or-later",
    "libc": "LGPL-2.1-or-later",
}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sha256(path):
    return {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}


def needed(path):
    """The names of the libraries that a program or library asks for itself."""
    return re.findall(r"NEEDED +(\S+)", output("objdump", "-p", path))


def packages_of(paths):
    """{path of a library: Debian package}. Since /lib is a link to /usr/lib, a package may know it by either name."""
    names = {name: path for path in paths for name in (path, str(pathlib.Path(path).resolve()).removeprefix("/usr"), str(pathlib.Path(path).resolve()))}
    lines = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True).stdout  # it fails where one name is unknown
    found = {names[name]: package for package, name in re.findall(r"^(\S+): (\S+)$", lines, re.M)}
    if missing := set(paths) - set(found):
        raise SystemExit(f"sbom: no Debian package has {min(missing)}")
    return found


def component(package, distribution):
    name, version, arch, home = output("dpkg-query", "-W", "-f", "${Package}\n${Version}\n${Architecture}\n${Homepage}", package).split("\n")
    query = urllib.parse.urlencode({"arch": arch, "distro": distribution})
    purl = f"pkg:deb/{distribution.split('-')[0]}/{urllib.parse.quote(name)}@{urllib.parse.quote(version, safe=':')}?{query}"
    one = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    one["licenses"] = [{"license": {"name": f"see /usr/share/doc/{name}/copyright"}}]
    return one | ({"externalReferences": [{"type": "website", "url": home}]} if home else {})


def libraries(program):
    """The components of all libraries that a program loads, {bom-ref: bom-refs that it asks for} of them, and the bom-refs
    that the program itself asks for."""
    system = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)', pathlib.Path("/etc/os-release").read_text(), re.M))
    distribution = f"{system['ID']}-{system.get('VERSION_ID', 'unstable')}"
    paths = dict(re.findall(r"(\S+) => (/\S+)", output("ldd", program)))
    package = packages_of(paths.values())
    of_package = {name: component(name, distribution) for name in sorted(set(package.values()))}
    of_library = {library: of_package[package[path]] for library, path in paths.items()}

    def asked(file):  # but for the loader itself
        return {of_library[name]["bom-ref"] for name in needed(file) if name in of_library}

    for library in needed(program):
        if (stem := library.split(".so")[0]) in LICENCES:
            spdx = LICENCES[stem]
            of_library[library]["licenses"] = [{"expression": spdx} if " " in spdx else {"license": {"id": spdx}}]
        elif library in of_library:
            raise SystemExit(f"sbom: scripts/sbom.py does not know the licence of {library}")
    depends = {one["bom-ref"]: set() for one in of_package.values()}
    for library, path in paths.items():
        ref = of_library[library]["bom-ref"]
        depends[ref] |= asked(path) - {ref}
    return list(of_package.values()), depends, asked(program)


def main(program, starter, version, time):
    components, depends, direct = libraries(program)
    weights = pathlib.Path(starter, "model.safetensors")
    peel, model = f"peel@{version}", f"peel-starter-model@{version}"
    model_component = {
        "type": "machine-learning-model", "bom-ref": model, "name": "peel-starter-model", "version": version,
        "hashes": [sha256(weights)], "licenses": [{"license": {"id": "MIT"}}],
    }  # fmt: skip
    program_component = {
        "type": "application", "bom-ref": peel, "name": "peel", "version": version,
        "hashes": [sha256(pathlib.Path(program))], "licenses": [{"license": {"id": "MIT"}}],
    }  # fmt: skip
    depends |= {peel: direct | {model}, model: set()}
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(int(time), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": program_component,
        },
        "components": [model_component, *components],
        "dependencies": [{"ref": ref, "dependsOn": sorted(on)} for ref, on in sorted(depends.items())],
    }
    bom["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True)).urn
    print(json.dumps(bom, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: sbom.py PEEL STARTER VERSION TIME")
    main(*sys.argv[1:])
