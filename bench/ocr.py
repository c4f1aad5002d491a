#!/usr/bin/env python3
"""How much text `peel ocr` finds in stickers, and how much it invents: draws 60 stickers with English text in 6 styles,
imports them, reads them, and compares (docs/howto/text-in-pictures.md has the results).

    python3 bench/ocr.py [--set tune] [--without DATA]

Needs ./peel, tesseract-ocr-eng, python3-pil, and the fonts fonts-dejavu-core, fonts-comic-neue, fonts-dkg-handwriting,
fonts-humor-sans, fonts-breip and fonts-bebas-neue. The set `measure` is for the results, `tune` for whoever changes
thresholds. --without: a data folder with the starter packs, of whose pictures 200 are read too: hardly any has text, and
a word that its filename has (cool-button) is taken for one that is there."""

import argparse
import collections
import json
import math
import pathlib
import random
import re
import resource
import shutil
import subprocess
import tempfile

from PIL import Image, ImageDraw, ImageFilter, ImageFont

ROOT = pathlib.Path(__file__).resolve().parent.parent
FONTS = pathlib.Path("/usr/share/fonts")
SANS = ["truetype/dejavu/DejaVuSans.ttf", "truetype/dejavu/DejaVuSans-Bold.ttf", "truetype/dejavu/DejaVuSerif.ttf"]
BOLD = ["truetype/dejavu/DejaVuSans-Bold.ttf", "opentype/bebas-neue/BebasNeue-Bold.otf"]
HAND = ["opentype/comic-neue/ComicNeue-Bold.otf", "truetype/fifthhorseman/dkgBd.ttf", "truetype/humor-sans/Humor-Sans.ttf",
        "truetype/breip/Breip.ttf"]  # fmt: skip
SETS = {
    "tune": ["Good Night", "WOW", "thank you", "See you later", "OH NO", "Nice work", "NOT TODAY", "I miss you", "Let's go",
             "Monday again"],
    "measure": ["Good Morning", "LOL", "Happy Birthday", "Get well soon", "NOPE", "Great job", "I LOVE COFFEE", "Sorry",
                "What happened?", "Merry Christmas"],
}  # fmt: skip
COLOURS = ["#202020", "#c02030", "#1050a0", "#ffffff", "#f0b000", "#108040", "#ff60a0"]
SIDE = 512


def fitting(words, path, width, height):
    """The largest size at which the lines fit."""
    for size in range(160, 8, -4):
        font = ImageFont.truetype(str(FONTS / path), size)
        box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), words, font=font, align="center")
        if box[2] - box[0] <= width and box[3] - box[1] <= height:
            return font
    raise ValueError(words)


def write(picture, words, font, at, fill, stroke=0, edge=None):
    ImageDraw.Draw(picture).multiline_text(at, words, font=font, fill=fill, anchor="mm", align="center", stroke_width=stroke,
                                           stroke_fill=edge)  # fmt: skip


def blank():
    return Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))


def face(picture, chance):
    """What else a sticker shows: a round head in the lower half."""
    draw = ImageDraw.Draw(picture)
    x = chance.randint(150, 200)
    draw.ellipse((x, 240, x + 200, 440), fill=chance.choice(["#ffd040", "#b08060", "#80c0f0"]), outline="#302020", width=6)
    draw.ellipse((x + 55, 300, x + 75, 330), fill="#302020")
    draw.ellipse((x + 125, 300, x + 145, 330), fill="#302020")
    draw.arc((x + 60, 330, x + 140, 400), 20, 160, fill="#302020", width=6)


def lines(words):
    return words if len(words) < 11 else words.replace(" ", "\n", 1)


def plain(words, chance):
    picture = blank()
    face(picture, chance)
    text = lines(words)
    write(picture, text, fitting(text, chance.choice(SANS), 440, 170), (256, 120), chance.choice(COLOURS))
    return picture


def outlined(words, chance):
    picture = blank()
    face(picture, chance)
    text = lines(words)
    fill, edge = chance.choice([("#ffffff", "#000000"), ("#f0b000", "#802000"), ("#ff60a0", "#ffffff"), ("#202020", "#ffffff")])
    write(picture, text, fitting(text, chance.choice(BOLD), 420, 160), (256, 120), fill, chance.choice([5, 8, 11]), edge)
    return picture


def handwritten(words, chance):
    picture = blank()
    face(picture, chance)
    text = lines(words)
    write(picture, text, fitting(text, chance.choice(HAND), 440, 170), (256, 120), chance.choice(COLOURS))
    return picture


def bent(words, chance):
    """Turned by up to 20 degrees, or along an arc."""
    if chance.random() < 0.5:
        picture = blank()
        write(picture, lines(words), fitting(lines(words), chance.choice(SANS), 400, 170), (256, 256), chance.choice(COLOURS))
        return picture.rotate(chance.choice([-20, -12, -7, 7, 12, 20]), Image.BICUBIC)
    picture = blank()
    font = fitting(words, chance.choice(SANS), 520, 90)
    colour, radius = chance.choice(COLOURS), 320
    length = font.getlength(words)
    done = 0.0
    for letter in words:
        advance = font.getlength(letter)
        angle = (done + advance / 2 - length / 2) / radius
        glyph = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
        write(glyph, letter, font, (256, 256), colour)
        glyph = glyph.rotate(-math.degrees(angle), Image.BICUBIC)
        x, y = round(radius * math.sin(angle)), round(radius * (1 - math.cos(angle)))
        picture.alpha_composite(glyph.transform(glyph.size, Image.AFFINE, (1, 0, -x, 0, 1, -(y - 100))))
        done += advance
    return picture


def on_photo(words, chance):
    """A meme: blurred coloured noise with some shapes, and white or black text over it."""
    small = Image.new("RGB", (24, 24))
    small.putdata([tuple(chance.randint(20, 235) for _ in range(3)) for _ in range(24 * 24)])
    picture = small.resize((SIDE, SIDE), Image.BICUBIC).filter(ImageFilter.GaussianBlur(6)).convert("RGBA")
    face(picture, chance)
    text = lines(words)
    fill, edge = chance.choice([("#ffffff", "#000000"), ("#000000", "#ffffff"), ("#ffffff", None)])
    write(picture, text, fitting(text, chance.choice(BOLD), 440, 150), (256, 110), fill, 4 if edge else 0, edge)
    return picture


def tiny_or_large(words, chance):
    picture = blank()
    if chance.random() < 0.5:
        face(picture, chance)
        size = chance.choice([18, 22, 28])
        write(picture, words, ImageFont.truetype(str(FONTS / chance.choice(SANS)), size), (256, 200), chance.choice(COLOURS))
        return picture
    text = words.replace(" ", "\n")
    write(picture, text, fitting(text, chance.choice(SANS), 508, 508), (256, 256), chance.choice(COLOURS))
    return picture


STYLES = {"plain": plain, "outlined": outlined, "handwritten": handwritten, "turned or bent": bent, "on a photo": on_photo,
          "tiny or large": tiny_or_large}  # fmt: skip


def draw(name, folder):
    """Writes the set's pictures; returns style and words of each, by filename."""
    drawn = {}
    for style, function in STYLES.items():
        for i, words in enumerate(SETS[name]):
            chance = random.Random(f"{name} {style} {i}")
            filename = f"{style.replace(' ', '-')}-{i}.webp"
            function(words, chance).save(folder / filename, "WEBP", quality=90)
            drawn[filename] = (style, words_of(words))
    return drawn


def words_of(text):
    return set(re.findall(r"[a-z']+", text.lower()))


def read(folder):
    """Words of each picture of the folder by filename, and seconds of processor time for each picture."""
    with tempfile.TemporaryDirectory(prefix="peel-ocr-") as data:
        subprocess.run([ROOT / "peel", "import", "--quiet", "--data", data, folder], check=True, stdout=subprocess.DEVNULL)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([ROOT / "peel", "ocr", "--dry-run", "--json", "--quiet", "--data", data], check=True,
                              capture_output=True, text=True)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(done.stdout)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {found["filename"]: words_of(found["words"]) for found in report["found"]}, seconds / report["read"]


def measure_drawn(name):
    with tempfile.TemporaryDirectory(prefix="peel-ocr-") as folder:
        drawn = draw(name, pathlib.Path(folder))
        found, seconds = read(folder)
    count = collections.defaultdict(collections.Counter)
    for filename, (style, words) in drawn.items():
        has = {word for word in words if len(word) > 1}
        got = found.get(filename, set())
        count[style].update(words=len(has), found=len(has & got), invented=len(got - has), whole=has <= got)
        if got - has:
            print(f"{filename}: invented {', '.join(sorted(got - has))}")
    print("\n| style | stickers | words | found | invented | stickers with all their words |\n|---|---|---|---|---|---|")
    total = collections.Counter()
    for style, n in count.items():
        print(f"| {style} | {len(SETS[name])} | {n['words']} | {n['found']} | {n['invented']} | {n['whole']} |")
        total.update(n)
    print(f"| all | {len(drawn)} | {total['words']} | {total['found']} | {total['invented']} | {total['whole']} |")
    print(f"\n{seconds:.2f} s of processor time for each picture")


def measure_without(name, data):
    media = sorted(path for path in (data / "bucket" / "media").rglob("*") if path.name.startswith(("openmoji-", "fluent3d-")))
    chosen = random.Random(name).sample(media, 200)
    with tempfile.TemporaryDirectory(prefix="peel-ocr-") as folder:
        for path in chosen:
            shutil.copy(path, folder)
        found, seconds = read(folder)
    real = invented = 0
    for filename, words in sorted(found.items()):
        there = words & words_of(filename)
        real += len(there)
        invented += len(words - there)
        print(f"{filename}: {', '.join(sorted(words))}")
    print(f"{len(chosen)} stickers of the starter packs: {real} words found, {invented} invented; {seconds:.2f} s each")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, default="measure")
    parser.add_argument("--without", type=pathlib.Path, metavar="DATA")
    options = parser.parse_args()
    measure_drawn(options.set)
    if options.without:
        measure_without(options.set, options.without)
