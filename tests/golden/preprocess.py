#!/usr/bin/env python3
"""Writes preprocess.txt: CLIP's preprocessing by Pillow and NumPy, as CLIPImageProcessorFast's documentation
describes it. Needs python3-pil and python3-numpy. Images are those of resize.py.

Lines: channels width height json-of-the-config side index value index value ...
"""
import json
import pathlib

import numpy
from PIL import Image

from resize import pixels

USUAL = {}
CASES = [
    (640, 427, 224, USUAL), (427, 640, 224, USUAL), (90, 33, 224, USUAL), (225, 224, 224, USUAL),
    (301, 200, 35, {"size": 35, "crop_size": 35, "resample": 2}),
    (200, 301, 48, {"size": {"shortest_edge": 40}, "crop_size": {"height": 48, "width": 48}}),
    (77, 50, 64, {"size": {"height": 64, "width": 64}, "do_center_crop": False, "resample": 1}),
    (31, 90, 64, {"do_resize": False, "crop_size": 64}),
    (120, 120, 32, {"size": 32, "crop_size": 32, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.5]}),
    (60, 61, 33, {"size": 33, "crop_size": 33, "do_normalize": False, "rescale_factor": 0.01}),
]


def preprocess(image, side, cfg):
    size = cfg.get("size", {"shortest_edge": side})
    size = {"shortest_edge": size} if isinstance(size, int) else size
    crop = cfg.get("crop_size", side)
    ch, cw = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
    if image.mode == "RGBA":
        a = numpy.asarray(image).astype(numpy.uint32)
        mixed = a[..., :3] * a[..., 3:] + 255 * (255 - a[..., 3:]) + 128
        image = Image.fromarray(((mixed + (mixed >> 8)) >> 8).astype(numpy.uint8), "RGB")
    if cfg.get("do_resize", True):
        w, h = image.size
        if "shortest_edge" in size:
            s = size["shortest_edge"]
            nw, nh = (s, int(s * h / w)) if w <= h else (int(s * w / h), s)
        else:
            nw, nh = size["width"], size["height"]
        image = image.resize((nw, nh), cfg.get("resample", 3))
    x = numpy.asarray(image)
    if cfg.get("do_center_crop", True):
        h, w = x.shape[:2]
        if h < ch or w < cw:
            nh, nw = max(ch, h), max(cw, w)
            padded = numpy.zeros((nh, nw, 3), x.dtype)
            tp, lp = (nh - h) // 2, (nw - w) // 2
            padded[tp:tp + h, lp:lp + w] = x
            x, h, w = padded, nh, nw
        top, left = round((h - ch) / 2), round((w - cw) / 2)  # as torchvision: half to even
        x = x[top:top + ch, left:left + cw]
    x = (x * cfg.get("rescale_factor", 1 / 255)).astype(numpy.float32)
    if cfg.get("do_normalize", True):
        mean = numpy.array(cfg.get("image_mean", [0.48145466, 0.4578275, 0.40821073]), numpy.float32)
        std = numpy.array(cfg.get("image_std", [0.26862954, 0.26130258, 0.27577711]), numpy.float32)
        x = (x - mean) / std
    return x.transpose(2, 0, 1)


lines = []
for w, h, side, cfg in CASES:
    for channels, mode in ((3, "RGB"), (4, "RGBA")):
        image = Image.frombytes(mode, (w, h), pixels(w * h * channels, w * h))
        x = preprocess(image, side, cfg).reshape(-1)
        picks = [(i * 7919) % x.size for i in range(60)] + [0, x.size - 1]
        values = " ".join(f"{i} {x[i]:.7g}" for i in picks)
        lines.append(f"{channels} {w} {h} {json.dumps(cfg, separators=(',', ':'))} {side} {values}\n")
pathlib.Path(__file__).with_name("preprocess.txt").write_text("".join(lines))
