#!/usr/bin/env python3
"""Writes the small Lottie animations of tests/fuzz/corpus/lottie. Needs nothing."""
import gzip
import json
import pathlib
import zipfile

FILES = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus" / "lottie"


def still(value):
    return {"a": 0, "k": value}


def moving(start, end, frames):
    ease = {"i": {"x": [0.5], "y": [1]}, "o": {"x": [0.5], "y": [0]}}
    return {"a": 1, "k": [{"t": 0, "s": start, "e": end, **ease}, {"t": frames, "s": end}]}


def layer(i, frames, start=0):
    """A disc that goes from left to right and turns."""
    group = [
        {"ty": "el", "p": still([0, 0]), "s": still([90 + 8 * i, 60])},
        {"ty": "st", "c": still([0, 0, 0, 1]), "o": still(100), "w": still(6), "lc": 2, "lj": 2},
        {"ty": "fl", "c": still([1, i % 7 / 7, 0.2, 1]), "o": still(100)},
        {"ty": "tr", "p": still([0, 0]), "a": still([0, 0]), "s": still([100, 100]), "r": still(0), "o": still(100)},
    ]
    place = {
        "o": still(100),
        "r": moving([0], [360], frames),
        "p": moving([80, 60 + 30 * i, 0], [430, 60 + 30 * i, 0], frames),
        "a": still([0, 0, 0]),
        "s": still([100, 100, 100]),
    }
    return {"ty": 4, "ind": i + 1, "ip": start, "op": frames, "st": 0, "ks": place, "shapes": [{"ty": "gr", "it": group}]}


def lottie(frames=12, layers=2, rate=30, start=0, **more):
    return {"v": "5.5.2", "fr": rate, "ip": 0, "op": frames, "w": 512, "h": 512, "layers": [layer(i, frames, start) for i in range(layers)], **more}


def text(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tgs(value):
    return gzip.compress(text({"tgs": 1, **value}), 9, mtime=0)


def make():
    FILES.mkdir(parents=True, exist_ok=True)
    (FILES / "walk.json").write_bytes(text(lottie()))
    (FILES / "walk.tgs").write_bytes(tgs(lottie(18, 3, 60)))
    (FILES / "blank.tgs").write_bytes(tgs(lottie(start=6)))
    (FILES / "inner.json").write_bytes(text(lottie(assets=[{"id": "a", "layers": [layer(0, 12)]}])))
    with zipfile.ZipFile(FILES / "walk.lottie", "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in (("manifest.json", b'{"animations":[{"id":"walk"}]}'), ("animations/walk.json", text(lottie()))):
            zipped.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    make()
