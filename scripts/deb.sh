#!/bin/sh
# Makes a Debian package of the program that this source tree is built to, and puts it into a folder.
#   sh scripts/deb.sh FOLDER
# Needs debhelper. SOURCE_DATE_EPOCH is the only time in it; the default is that of the newest commit, or
# of the unpacked source.
set -eu
umask 022
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { echo "usage: sh scripts/deb.sh FOLDER" >&2; exit 2; }
to=$(cd "$1" && pwd)
version=$(sed -n 's/^#define PEEL_VERSION "\(.*\)"$/\1/p' src/cmd/cmd.h)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH SOURCE=../../..
make -s -j"$(nproc)"
rm -rf build/deb
mkdir -p build/deb/peel
cp -R deploy/debian build/deb/peel/
cd build/deb/peel
cat >debian/changelog <<END
peel ($version) stable; urgency=medium

  * Release $version; CHANGELOG.md has what changed.

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
dpkg-buildpackage --build=binary --no-pre-clean --unsigned-changes >../log 2>&1 || { cat ../log >&2; exit 1; }
cp ../peel_"$version"_*.deb "$to/"
