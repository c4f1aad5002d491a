#!/usr/bin/python3
"""Stage 11: what a checkpoint can do, on pictures of a style, and of a maker, that it never saw.

    evaluate.py [FOLDER]     (models/starter); prints the card's table and writes WORK/evaluation.json

Fluent 3D: all emoji without flags and skin tones. A name finds one picture; a held-out keyword all whose concept has
it; of the unseen concepts neither picture nor phrase was in training. Tux Paint: stamps with their English captions.
R@k: the share of texts that find a right picture among the first k of all. "Concepts": pictures sorted by the mean
picture of each concept in training, which a perfect text tower would send its name to.
"""
import glob
import io
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from common import ROOT, SIDE, path, read_json, write_json
from pictures import cldr, fluent_pictures, held_out, is_flag
from reference import Clip
from tokenizer import Tokenizer

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
BOOTSTRAPS = 2000


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def pixels_of(file):
    """As preprocessor_config.json says: over white, SIDE x SIDE, whatever the shape was."""
    if file.endswith(".svg"):
        run = subprocess.run(["rsvg-convert", "-w", "256", "-h", "256", "--keep-aspect-ratio", file],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if run.returncode or not run.stdout:
            return None
        image = Image.open(io.BytesIO(run.stdout))
    else:
        image = Image.open(file)
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    x = np.asarray(white.convert("RGB").resize((SIDE, SIDE), Image.BICUBIC), dtype=np.float32) / 255
    return ((x - MEAN) / DEVIATION).transpose(2, 0, 1)


def pictures_of(clip, files):
    """(unit vectors of those that could be drawn, their places)"""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = list(pool.map(pixels_of, files))
    there = [i for i, x in enumerate(drawn) if x is not None]
    parts = [np.stack([drawn[i] for i in there[a:a + 128]]) for a in range(0, len(there), 128)]
    return unit(np.concatenate([clip.encode_pixels(p).numpy() for p in parts])), there


def ranks(clip, tokenizer, texts, right, pictures):
    """Of each text the place, from 0, of the best right picture (a set of rows)."""
    t = unit(np.stack([clip.encode_text(tokenizer.encode(x)).numpy() for x in texts]))
    scores = t @ pictures.T
    return np.array([(s > max(s[i] for i in fits)).sum() for s, fits in zip(scores, right)])


def row(what, places, right, total):
    """Share in the first one and ten with 95 % bootstrap intervals, and what chance gives."""
    rng = np.random.default_rng(1)
    out = {"what": what, "texts": len(places), "pictures": total}
    for k in (1, 10):
        hit = places < k
        means = np.sort(hit[rng.integers(0, len(hit), (BOOTSTRAPS, len(hit)))].mean(1))
        miss = [np.prod([(total - len(r) - i) / (total - i) for i in range(k)]) for r in right]
        out[f"R@{k}"] = round(100 * hit.mean(), 1)
        out[f"interval@{k}"] = [round(100 * float(means[int(BOOTSTRAPS * q)]), 1) for q in (0.025, 0.975)]
        out[f"chance@{k}"] = round(100 * (1 - float(np.mean(miss))), 1)
    print(f"| {what} | {out['texts']} of {total} | {out['R@1']} | {out['R@10']} ({out['interval@10'][0]} to "
          f"{out['interval@10'][1]}) | {out['chance@1']} / {out['chance@10']} |", flush=True)
    return out


def captions():
    """[(picture, English caption)] of Tux Paint's stamps."""
    out = []
    for txt in sorted(glob.glob(path("inputs", "tuxpaint", "usr", "share", "tuxpaint", "stamps", "**", "*.txt"),
                                recursive=True)):
        with open(txt, encoding="utf-8") as f:
            caption = f.readline().strip()
        for end in (".png", ".svg"):
            if caption and os.path.exists(txt[:-4] + end):
                out.append((txt[:-4] + end, caption.rstrip(".")))
                break
    return out


def concept_rows(clip, fluent, keys):
    """Top-1 and top-5 of the Fluent pictures by the nearest concept's mean picture in training."""
    pixels, pictures = np.load(path("pictures.npy"), mmap_mode="r"), read_json("pictures.json")
    concepts = read_json("concepts.json")
    at = [i for i, p in enumerate(pictures) if p["concept"] is not None]
    total = np.zeros((len(concepts), clip.dim), dtype=np.float32)
    for a in range(0, len(at), 128):
        small = np.stack([np.asarray(Image.fromarray(pixels[i]).resize((SIDE, SIDE), Image.BICUBIC)) for i in at[a:a + 128]])
        z = unit(clip.encode_pixels(((small.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(0, 3, 1, 2)).numpy())
        for i, v in zip(at[a:a + 128], z):
            total[pictures[i]["concept"]] += v
    prototype = unit(total)
    index = {c["key"]: i for i, c in enumerate(concepts) if c["key"] and total[i].any()}
    known = [i for i, k in enumerate(keys) if k in index]
    order = (fluent[known] @ prototype.T).argsort(1)[:, ::-1][:, :5]
    hit = order == np.array([index[keys[i]] for i in known])[:, None]
    perfect = (prototype[[index[keys[i]] for i in known]] @ fluent.T)
    place = (perfect > perfect[np.arange(len(known)), known][:, None]).sum(1)
    out = {"top1": round(100 * hit[:, 0].mean(), 1), "top5": round(100 * hit.any(1).mean(), 1),
           "perfect_text": [round(100 * (place < k).mean(), 1) for k in (1, 10)], "pictures": len(known)}
    print(f"concepts of {len(known)} pictures: top-1 {out['top1']}, top-5 {out['top5']}; "
          f"a perfect text tower: R@1 {out['perfect_text'][0]}, R@10 {out['perfect_text'][1]}")
    return out


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "models", "starter")
    clip, tokenizer, names = Clip(folder), Tokenizer(folder), cldr()
    files = {k: f for k, f in sorted(fluent_pictures().items()) if k in names and not is_flag(k)
             and not re.search(r"\bflags?\b", names[k][0])}
    keys = list(files)
    fluent, there = pictures_of(clip, list(files.values()))
    keys = [keys[i] for i in there]
    at = {k: i for i, k in enumerate(keys)}
    unseen = {c["key"] for c in read_json("concepts.json") if c["unseen"]}
    print(f"| {folder}: texts of | texts, of pictures | R@1 | R@10 | chance |\n|---|---|---|---|---|")

    def measure(what, texts, right, pictures):
        return row(what, ranks(clip, tokenizer, texts, right, pictures), right, len(pictures))
    rows = [measure("names", [names[k][0] for k in keys], [{i} for i in range(len(keys))], fluent)]
    phrases = {}
    for k in keys:
        for p in names[k][1]:
            if held_out(p) and p != names[k][0]:
                phrases.setdefault(p, set()).add(at[k])
    rows.append(measure("held-out keywords", sorted(phrases), [phrases[p] for p in sorted(phrases)], fluent))
    new = sorted(unseen & set(at))
    rows.append(measure("unseen concepts' names", [names[k][0] for k in new], [{at[k]} for k in new], fluent))
    stamps = captions()
    tux, there = pictures_of(clip, [f for f, _ in stamps])
    texts = [stamps[i][1] for i in there]
    same = {}
    for i, t in enumerate(texts):
        same.setdefault(t, set()).add(i)
    rows.append(measure("Tux Paint's captions", texts, [same[t] for t in texts], tux))
    write_json("evaluation.json", {"rows": rows, "concepts": concept_rows(clip, fluent, keys)})


if __name__ == "__main__":
    main()
