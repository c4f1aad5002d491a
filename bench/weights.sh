# Sourced. weights: makes build/clip-base, random weights in the shape of ViT-B/32, unless they are there; fails, and
# says why, when it cannot.
weights=build/clip-base
python=${PYTHON:-/usr/bin/python3} # Debian's is the one that python3-numpy installs for
make_weights() {
    [ ! -s $weights/model.safetensors ] || return 0
    if ! $python -c 'import numpy' 2>/dev/null; then
        echo "skipped: python3-numpy, which makes the weights, is not installed"
        return 1
    fi
    $python train/reference.py make base $weights
}
