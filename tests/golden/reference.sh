#!/bin/sh
# Golden values derived again in PyTorch and compared with the committed ones; then the C encoders against
# PyTorch on exact ViT-B/32 shapes, whose weights (600 MB) are made in build/ rather than committed.
#     reference.sh TEST_PROGRAM      needs python3-torch and python3-numpy
set -eu
python=/usr/bin/python3 # Debian's, which is the one that those packages install for
for made in tests/golden/tiny tests/golden/small models/starter; do
    $python train/reference.py check $made
done
dir=build/clip-base
[ -s $dir/model.safetensors ] || $python train/reference.py make base $dir
[ -s $dir/golden.json ] || $python train/reference.py golden $dir
PEEL_TEST_CLIP=$dir "$1"
