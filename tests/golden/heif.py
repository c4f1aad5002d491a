#!/usr/bin/env python3
"""Writes the small AVIF and HEIC files of tests/fuzz/corpus/image. Needs Pillow 11.3 or later, and heif-enc (Debian's
libheif-examples) for HEIC and for 10 bits.

All show the same: SIZE pixels, of which the upper left quarter is red and the lower right one blue; the others are clear
where a file has alpha, and else white. In multiplied.avif red is half clear, and stored multiplied by that.
"""
import pathlib
import subprocess
import tempfile

from PIL import Image, ImageDraw

FILES = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus" / "image"
SIZE = (48, 32)
TURNED = {"turned.avif": 6, "mirrored.avif": 2}  # what EXIF calls such an orientation: turn right, mirror


def picture(mode="RGBA", red=(220, 30, 40)):
    image = Image.new(mode, SIZE, (255, 255, 255, 0)[: len(mode)])
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIZE[0] // 2 - 1, SIZE[1] // 2 - 1), fill=red)
    draw.rectangle((SIZE[0] // 2, SIZE[1] // 2, *SIZE), fill=(20, 60, 210))
    return image


def encode(name, image, *options):
    with tempfile.NamedTemporaryFile(suffix=".png") as png:
        image.save(png.name)
        subprocess.run(["heif-enc", "-q", "90", *options, "-o", FILES / name, png.name], check=True, stdout=subprocess.DEVNULL)


def make():
    picture().save(FILES / "clear.avif", quality=90)
    picture("RGB").save(FILES / "opaque.avif", quality=90)
    for name, orientation in TURNED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        before = picture().transpose(Image.Transpose.ROTATE_90 if orientation == 6 else Image.Transpose.FLIP_LEFT_RIGHT)
        before.save(FILES / name, quality=90, exif=exif)
    blank = Image.new("RGBA", SIZE)
    picture().save(FILES / "moving.avif", quality=90, save_all=True, append_images=[blank, blank], duration=100)
    encode("multiplied.avif", picture(red=(110, 15, 20, 128)), "-A", "--premultiplied-alpha")
    encode("ten_bits.avif", picture("RGB"), "-A", "-b", "10")
    encode("clear.heic", picture())
    encode("opaque.heic", picture("RGB"))


if __name__ == "__main__":
    make()
