#!/bin/sh
# From nothing to models/starter: every stage in turn. Each continues what was begun, so that the same command goes on
# after a stop. Needs Debian's python3-torch, python3-numpy, python3-pil, librsvg2-bin, npm and dpkg-dev.
#   sh train/run.sh [FOLDER]     what is fetched and made meanwhile lies in $PEEL_TRAIN_DATA, else build/train
set -eu
cd "$(dirname "$0")"
python=/usr/bin/python3 # Debian's, which is the one that those packages install for
for stage in fetch words pictures tokenizer "image teacher" "image student" "text meaning" "text fit" joint; do
    echo "== $stage"
    # shellcheck disable=SC2086 # a stage is a program and perhaps its word
    $python ${stage%% *}.py ${stage#"${stage%% *}"}
done
echo "== export"
$python export.py ${1+"$1"}
echo "== evaluate"
$python evaluate.py ${1+"$1"}
