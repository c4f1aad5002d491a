#!/bin/sh
# How long an import takes a file, by format; needs ffmpeg, which makes the files.
set -eu
cd "$(dirname "$0")/.."
command -v ffmpeg >/dev/null || { echo "skipped: ffmpeg is absent" && exit 0; }
make -s all
python3 bench/import.py "$@"
