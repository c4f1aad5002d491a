#!/bin/sh
# Makes what is published of a release, from a commit: the source, the program for this machine's distribution, a Debian
# package, the list of components, and the checksums of all of them.
#   sh scripts/release.sh FOLDER [COMMIT]      the commit is HEAD if none is named
# The same commit gives the same bytes on machines with the same packages: sources come from git, in a new folder, and the
# only time in any file is the commit's.
set -eu
umask 022
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: sh scripts/release.sh FOLDER [COMMIT]" >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
commit=$(git rev-parse --verify "${2:-HEAD}^{commit}")
[ -n "${2:-}" ] || [ -z "$(git status --porcelain)" ] || echo "release.sh: changes that are not committed are not in it" >&2
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
version=$(git show "$commit:src/cmd/cmd.h" | sed -n 's/^#define PEEL_VERSION "\(.*\)"$/\1/p')
architecture=$(dpkg --print-architecture)
system=$(. /etc/os-release && echo "$ID${VERSION_ID:-}")
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pack() { # FOLDER FILE: a tar file of a folder in $work
    tar --create --directory="$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$1" | gzip -9 -n >"$2"
}

source=peel-$version program=peel-$version-$system-$architecture
git archive --prefix="$source/" "$commit" | tar --extract --directory="$work"
pack "$source" "$to/$source.tar.gz"

make -s -C "$work/$source" -j"$(nproc)" >/dev/null
make -s -C "$work/$source" install DESTDIR="$work" >/dev/null # as below /usr/local, where it is for
mv "$work/usr/local" "$work/$program"
strip "$work/$program/bin/peel"
cp "$work/$source/LICENSE" "$work/$source/CHANGELOG.md" "$work/$program/"
pack "$program" "$to/$program.tar.gz"

python3 "$work/$source/scripts/sbom.py" "$work/$program/bin/peel" "$work/$source/models/starter" "$version" "$SOURCE_DATE_EPOCH" >"$to/$program.cdx.json"
(cd "$work/$source" && sh scripts/deb.sh "$to")
cd "$to"
sha256sum -- *"$version"* >SHA256SUMS
