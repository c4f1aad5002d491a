#!/usr/bin/env python3
"""Writes resize.txt: what Pillow makes of images that test_image.c can make too. Needs python3-pil.

Pixel bytes are the upper bytes of x = x * 1664525 + 1013904223 (mod 2^32), beginning with x = width * height.
Lines: channels width height new_width new_height filter sha256-of-the-pixels
"""
import hashlib
import pathlib

from PIL import Image

CASES = [(640, 427, 336, 224), (427, 640, 224, 336), (100, 100, 224, 224), (33, 57, 7, 91), (5, 3, 64, 64),
         (1, 1, 9, 4), (224, 300, 224, 100), (300, 224, 100, 224), (2000, 11, 17, 11), (64, 64, 64, 64)]


def pixels(n, seed):
    x, out = seed & 0xFFFFFFFF, bytearray(n)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return bytes(out)


def main():
    lines = []
    for w, h, nw, nh in CASES:
        for channels, mode in ((3, "RGB"), (4, "RGBA")):
            image = Image.frombytes(mode, (w, h), pixels(w * h * channels, w * h))
            for f in (Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
                made = image.resize((nw, nh), f).tobytes()
                lines.append(f"{channels} {w} {h} {nw} {nh} {int(f)} {hashlib.sha256(made).hexdigest()}\n")
    pathlib.Path(__file__).with_name("resize.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
