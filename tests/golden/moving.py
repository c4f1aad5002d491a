#!/usr/bin/env python3
"""Writes the small animations of tests/fuzz/corpus/moving, and moving.txt: the frames that Pillow makes of them.
Needs python3-pil.

Lines: file, frames, duration in ms, sha256 of the pixels of all frames (RGBA, transparent ones as zeros), and which of
them stands for the whole, from 0; -1: a picture beside them
"""
import hashlib
import pathlib

from PIL import Image, ImageDraw, ImageSequence

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE.parent / "fuzz" / "corpus" / "moving"
SIZE = (24, 18)


def frame(i, ground=(0, 0, 0, 0)):
    """A square that walks, turns and changes its colour."""
    image = Image.new("RGBA", SIZE, ground)
    ImageDraw.Draw(image).rectangle((2 * i, i, 2 * i + 8, i + 9), fill=(250 - 40 * i, 30 * i, 90, 255))
    return image


def blank():
    return Image.new("RGBA", SIZE)


def speck():
    image = blank()
    image.putpixel((5, 5), (255, 0, 0, 255))
    return image


def save(name, frames, **options):
    frames[0].save(FILES / name, save_all=True, append_images=frames[1:], **options)


def make():
    FILES.mkdir(parents=True, exist_ok=True)
    walk = [frame(i) for i in range(5)]
    solid = [frame(i, (200, 220, 255, 255)) for i in range(5)]
    times = [40, 0, 80, 120, 200]
    for disposal in (1, 2, 3):
        save(f"disposal{disposal}.gif", walk, duration=times, loop=0, disposal=disposal)
    save("solid.gif", [f.convert("RGB") for f in solid], duration=50, loop=2)
    save("walk.webp", walk, duration=[40, 60, 80, 120, 200], loop=3, lossless=True, exact=True, kmin=3, kmax=5)
    save("lossy.webp", solid, duration=50, quality=60)
    for dispose, blend in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0)):  # Pillow 13 reads its own (2, 1) otherwise than it wrote it
        save(f"dispose{dispose}blend{blend}.png", walk, duration=times, disposal=dispose, blend=blend)
    save("hidden.png", [f.convert("P") for f in solid], duration=50, default_image=True)
    empty = [blank(), speck(), frame(3), frame(4)]
    for name in ("blank.gif", "blank.webp", "blank.png"):
        save(name, empty, duration=100, lossless=True, disposal=1 if name.endswith("png") else 2)
    save("specks.webp", [blank(), speck(), blank()], duration=100, lossless=True)


POSTER = {"hidden.png": -1, "blank.gif": 2, "blank.webp": 2, "blank.png": 2, "specks.webp": 1}


def rows():
    for path in sorted(FILES.iterdir()):
        image = Image.open(path)
        pixels, count, total = hashlib.sha256(), 0, 0
        for i, shown in enumerate(ImageSequence.Iterator(image)):
            if i == 0 and image.info.get("default_image"):
                continue
            rgba = shown.convert("RGBA")
            pixels.update(b"".join(bytes(p) if p[3] else bytes(4) for p in rgba.getdata()))
            ms = shown.info.get("duration", 0)
            total += int(ms) if ms > 10 else 100
            count += 1
        yield f"{path.name} {count} {total} {pixels.hexdigest()} {POSTER.get(path.name, 0)}"


if __name__ == "__main__":
    make()
    (HERE / "moving.txt").write_text("\n".join(rows()) + "\n")
