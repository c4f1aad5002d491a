#!/usr/bin/env python3
"""Writes the small files of tests/fuzz/corpus/image, of every kind that is decoded, and decode.txt: what Pillow
makes of them. Needs python3-pil.

Lines: file width height channels sha256-of-the-pixels (transparent pixels as zeros; EXIF orientation applied)
"""
import hashlib
import pathlib
import struct
import zlib

from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE.parent / "fuzz" / "corpus" / "image"


def picture(w=13, h=7):
    """Smooth, so that lossy formats have something to keep."""
    image = Image.new("RGB", (w, h))
    image.putdata([(x * 255 // w, y * 255 // h, (x * y * 5) % 256) for y in range(h) for x in range(w)])
    return image


def with_alpha(w=13, h=7):
    image = picture(w, h).convert("RGBA")
    image.putalpha(Image.new("L", (w, h)))
    image.putdata([(r, g, b, (i * 29) % 256) for i, (r, g, b, _) in enumerate(image.getdata())])
    return image


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, depth, color, rows, interlace=0, extra=b""):
    head = struct.pack(">IIBBBBB", w, h, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def adam7(image):
    w, h = image.size
    out = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, h, dy):
            line = b"".join(bytes(image.getpixel((x, y))) for x in range(x0, w, dx))
            out += b"\0" + line if line else b""
    return out


def make():
    FILES.mkdir(parents=True, exist_ok=True)
    rgb, rgba = picture(), with_alpha()
    rgb.save(FILES / "rgb.jpg", quality=90)
    rgb.save(FILES / "sampled.jpg", quality=60, subsampling=2)
    rgb.save(FILES / "progressive.jpg", quality=80, progressive=True)
    rgb.convert("L").save(FILES / "gray.jpg", quality=90)
    rgb.convert("CMYK").save(FILES / "cmyk.jpg", quality=90)
    for orientation in (2, 3, 4, 5, 6, 7, 8):
        rgb.save(FILES / f"turned{orientation}.jpg", quality=90, exif=exif(orientation))
    rgb.save(FILES / "rgb.png", optimize=True)
    rgba.save(FILES / "rgba.png", optimize=True)
    rgb.convert("L").save(FILES / "gray.png", optimize=True)
    rgba.convert("LA").save(FILES / "gray_alpha.png", optimize=True)
    rgb.convert("1").save(FILES / "one_bit.png", optimize=True)
    rgb.quantize(9).save(FILES / "palette.png", optimize=True)
    rgb.quantize(9).save(FILES / "palette_clear.png", transparency=3)
    rgb.save(FILES / "turned.png", exif=exif(6))
    wide = b"".join(b"\0" + b"".join(struct.pack(">HHH", x * 5000, y * 9000, x * y * 700) for x in range(13)) for y in range(7))
    (FILES / "sixteen.png").write_bytes(png(13, 7, 16, 2, wide))
    (FILES / "interlaced.png").write_bytes(png(13, 7, 8, 2, adam7(rgb), interlace=1))
    rgb.save(FILES / "lossy.webp", quality=80)
    rgba.save(FILES / "lossless.webp", lossless=True, exact=True)
    frames = [with_alpha().rotate(180 * i) for i in range(2)]
    frames[0].save(FILES / "animated.webp", save_all=True, append_images=frames[1:], quality=70, exif=exif(3))
    rgb.quantize(16).save(FILES / "plain.gif")
    rgb.quantize(16).save(FILES / "clear.gif", transparency=2)


def rows():
    for path in sorted(FILES.iterdir()):
        if path.suffix == ".svg":
            continue
        image = Image.open(path)
        alpha = image.mode in ("RGBA", "LA") or "transparency" in image.info or path.suffix == ".gif"
        channels = 4 if alpha else 3
        pixels = image.convert("RGBA" if alpha else "RGB")
        turn = image.getexif().get(0x0112, 1)
        if turn != 1:
            pixels.getexif()[0x0112] = turn
            pixels = ImageOps.exif_transpose(pixels)
        if alpha:
            pixels.putdata([p if p[3] else (0, 0, 0, 0) for p in pixels.getdata()])
        w, h = pixels.size
        yield f"{path.name} {w} {h} {channels} {hashlib.sha256(pixels.tobytes()).hexdigest()}\n"


make()
(HERE / "decode.txt").write_text("".join(rows()))
