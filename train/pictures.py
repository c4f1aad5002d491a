#!/usr/bin/python3
"""Stage 3: the pictures that are trained on, and what they show.

WORK/pictures.npy      uint8 [n, RASTER, RASTER, 3], over white
WORK/pictures.json     [{"family", "concept" (or null), "words": [...]}], one a picture
WORK/concepts.json     [{"key", "name", "keywords", "unseen"}]: an emoji each, unless its family alone has it

A concept is an emoji without skin tone; country flags are left out. "unseen" ones, 100 drawn by hash, have no
picture and no phrase in training: they are there to be measured.
"""
import glob
import gzip
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from common import RASTER, hashed, letters, path, words_of, write_json
from words import nouns

FAMILIES = ("noto", "noto-v1", "twemoji", "emojione", "streamline-emojis", "fxemoji")
UNSEEN = 100
HELD_OUT = 0.1  # of the keywords: kept from training, to be measured
CLIPART = "openclipart/usr/share/openclipart/svg"
# folders of Open Clip Art that hold no things: patterns, playing cards, flags, icons of desktop themes
SKIPPED = re.compile(r"/(special|cards|dice|flags?|logos|duplicates|icons|folders|network|stars|arrows|callouts"
                     r"|flowchart|jigsaw|decorations|borders?|backgrounds?|fonts?|letters)/")
NOISE = set("unsorted clip art clipart image images svg png icon icons media part collection public domain and the of "
            "a an in on with for to by at from or is it this that no vector drawing graphic graphics cartoon simple "
            "simplified color colour outline shape shapes misc other various version style remix open library "
            "architetto externalsource special cc jpg object objects theme flat".split())
TONE = re.compile(r"skin-tone|-tone\d|type-[1-6]")
FLAG = re.compile(r"^flag-(?!in-hole)|^(black|white|rainbow|pirate|transgender|triangular|chequered|crossed)-flags?$")


def cldr():
    """{emoji without U+FE0F: (name, keywords)} in English."""
    out = {}
    for name, inner in (("cldr", "annotations"), ("cldr-derived", "annotationsDerived")):
        with open(path("inputs", name, inner, "en", "annotations.json")) as f:
            tree = json.load(f)
        for emoji, a in tree[inner]["annotations"].items():
            if "tts" in a and not any(0x1f3fb <= ord(c) <= 0x1f3ff for c in emoji):
                out[emoji.replace("\ufe0f", "")] = (a["tts"][0], a.get("default", []))
    return out


def is_flag(emoji):
    return any(0x1f1e6 <= ord(c) <= 0x1f1ff or 0xe0020 <= ord(c) <= 0xe007f for c in emoji)


def fluent_pictures():
    """{emoji: file} of the family that is only measured on; its files are named by code points."""
    out = {}
    for file in glob.glob(path("inputs", "fluent", "assets", "*.webp")):
        codes = os.path.basename(file)[:-5].split("-")
        if all(re.fullmatch("[0-9a-f]{2,5}", c) for c in codes):
            emoji = "".join(chr(int(c, 16)) for c in codes).replace("\ufe0f", "")
            if not any(0x1f3fb <= ord(c) <= 0x1f3ff for c in emoji):
                out[emoji] = file
    return out


def held_out(keyword):
    return hashed("keyword:" + keyword) < HELD_OUT


def choose_unseen(concepts):
    """Of what Fluent has too, things without variants: their twins would be seen."""
    fluent = set(fluent_pictures())
    plain = [c for c in concepts if c["key"] in fluent and "\u200d" not in c["key"] and "\u20e3" not in c["key"]
             and not re.search(r"\b(man|woman|men|women|person|people|boy|girl|button|o’clock|thirty)\b", c["name"])]
    for c in sorted(plain, key=lambda c: hashed("unseen:" + c["key"]))[:UNSEEN]:
        c["unseen"] = True


def raster(svg):
    run = subprocess.run(["rsvg-convert", "-w", str(RASTER), "-h", str(RASTER), "--keep-aspect-ratio"], input=svg,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
    if run.returncode or not run.stdout:
        return None
    im = Image.open(io.BytesIO(run.stdout)).convert("RGBA")
    white = Image.new("RGBA", (RASTER, RASTER), "white")
    white.alpha_composite(im, ((RASTER - im.width) // 2, (RASTER - im.height) // 2))
    out = np.asarray(white.convert("RGB"))
    return out if (out < 250).mean() > 0.005 else None  # nothing drawn


def key_finder(names):
    """From an icon's name to its emoji, or None: by CLDR's name, Unicode's, or what another family calls it."""
    known = {}
    for emoji, (name, _) in names.items():
        known.setdefault(letters(name), emoji)
    for family in FAMILIES:
        with open(path("inputs", family, "chars.json")) as f:
            for code, icon in json.load(f).items():
                emoji = "".join(chr(int(c, 16)) for c in code.split("-")).replace("\ufe0f", "")
                known.setdefault(letters(icon), emoji)
    for emoji in names:
        if len(emoji) == 1:
            known.setdefault(letters(unicodedata.name(emoji, "")), emoji)

    def find(icon):
        plain = letters(icon)
        for name in (plain, plain.removesuffix("face"), plain + "face", plain.removeprefix("heavy"),
                     plain.removeprefix("black"), plain.removeprefix("white")):
            if known.get(name) in names:
                return known[name]
        return None
    return find


def emoji_icons(names, nouns):
    """(family, concept's key or "", name, svg) of what the families draw."""
    find = key_finder(names)
    countries = {letters(name[6:]) for name, _ in names.values() if name.startswith("flag: ")}
    for family in FAMILIES:
        with open(path("inputs", family, "icons.json")) as f:
            tree = json.load(f)
        for icon, body in sorted(tree["icons"].items()):
            icon = re.sub(r"-\d$", "", icon) if family == "streamline-emojis" else icon  # drawn more than once
            if TONE.search(icon) or FLAG.search(icon) or body.get("hidden") or letters(icon) in countries:
                continue
            key = find(icon) or ""
            if is_flag(key) or any(0x1f3fb <= ord(c) <= 0x1f3ff for c in key):
                continue
            if not key and not all(w in nouns for w in icon.split("-")):
                continue  # a name that says nothing
            w, h = body.get("width", tree.get("width", 16)), body.get("height", tree.get("height", 16))
            left, top = body.get("left", tree.get("left", 0)), body.get("top", tree.get("top", 0))
            svg = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{w}" '
                   f'height="{h}" viewBox="{left} {top} {w} {h}">{body["body"]}</svg>')
            yield family, key, icon.replace("-", " "), svg.encode()


def clipart(known):
    """(words, svg) of Open Clip Art: the words of title, subjects and folders that WordNet knows."""
    for file in sorted(glob.glob(path("inputs", CLIPART, "**", "*.svg*"), recursive=True)):
        inside = file[len(path("inputs", CLIPART)):]
        if SKIPPED.search(inside) or os.path.getsize(file) > 600_000:
            continue
        with (gzip.open if file.endswith("gz") else open)(file, "rb") as f:
            svg = f.read()
        head = re.sub(r"<dc:(creator|publisher|rights)>.*?</dc:\1>", " ", svg.decode("utf-8", "replace"), flags=re.S)
        title = re.search(r"<dc:title>([^<]*)", head)
        found = " ".join(([title.group(1)] if title else []) + re.findall(r"<rdf:li>([^<]*)", head)
                         + [re.sub("[/_0-9]", " ", os.path.dirname(inside))])
        words = []
        for w in words_of(found):
            w = w if w in known else w[:-1] if w.endswith("s") and w[:-1] in known else None
            if w and len(w) > 2 and w not in NOISE and w not in words:
                words.append(w)
        if words:
            yield words[:16], svg


def main():
    if os.path.exists(path("pictures.json")):
        return
    names, known = cldr(), nouns()
    concepts, index, pictures, todo = [], {}, [], []
    for family, key, icon, svg in emoji_icons(names, known):
        at = index.get(key or icon)
        if at is None:
            at = index[key or icon] = len(concepts)
            name, keywords = names[key] if key else (icon, [])
            concepts.append({"key": key, "name": name, "keywords": keywords, "unseen": False})
        todo.append(svg)
        pictures.append({"family": family, "concept": at, "words": []})
    choose_unseen(concepts)
    unseen = [set(words_of(c["name"])) for c in concepts if c["unseen"]]
    for words, svg in clipart(known):
        if not any(u <= set(words) for u in unseen):
            todo.append(svg)
            pictures.append({"family": "openclipart", "concept": None, "words": words})

    def unseen_one(p):
        c = concepts[p["concept"]] if p["concept"] is not None else None
        return c and (c["unseen"] or not c["key"] and any(u <= set(words_of(c["name"])) for u in unseen))
    keep = [i for i, p in enumerate(pictures) if not unseen_one(p)]

    def one(i):
        try:
            return raster(todo[i])
        except (subprocess.TimeoutExpired, OSError):
            return None
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = []
        for n, im in enumerate(pool.map(one, keep)):
            drawn.append(im)
            if n % 1000 == 0:
                print(f"pictures: {n} of {len(keep)}", flush=True)
    there = [k for k, im in enumerate(drawn) if im is not None]
    np.save(path("pictures.npy"), np.stack([drawn[k] for k in there]))
    write_json("concepts.json", concepts)
    write_json("pictures.json", [pictures[keep[k]] for k in there])
    count = {}
    for k in there:
        count[pictures[keep[k]]["family"]] = count.get(pictures[keep[k]]["family"], 0) + 1
    print(f"pictures: {len(there)} of {len(concepts)} concepts: {count}")


if __name__ == "__main__":
    sys.exit(main())
