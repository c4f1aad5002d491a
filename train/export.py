#!/usr/bin/python3
"""Stage 10: the checkpoint in the Hugging Face layout, in half precision, with values to test other programs by.

    export.py [FOLDER]     (models/starter)
"""
import json
import os
import shutil
import sys

import numpy as np
import torch

from augment import DEVIATION, MEAN
from common import CONTEXT, ROOT, SIDE, path
from model import CONFIG, Clip
from reference import golden, save
from tokenizer import Tokenizer


PHRASES = ("cat", "a birthday cake with candles", "Scared  of GHOSTS!", "it's raining cats & dogs", "hedgehogs", "24/7",
           "smiling face with heart-eyes", "😀", "café über straße", "笑う猫", "don't", "a_b", "",
           "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
           "eighteen nineteen twenty twenty-one twenty-two twenty-three")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "models", "starter")
    os.makedirs(folder, exist_ok=True)
    clip = Clip()
    clip.load_state_dict(torch.load(path("joint.pt"))["tower"])
    weights = {k: v.numpy().astype(np.float32) for k, v in clip.state_dict().items()}
    save(os.path.join(folder, "model.safetensors"), weights, "F16")
    files = {
        "config.json": CONFIG,
        "preprocessor_config.json": {
            "do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 3, "do_center_crop": False,
            "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "do_convert_rgb": True,
            "image_mean": [round(float(x), 8) for x in MEAN.flatten()],
            "image_std": [round(float(x), 8) for x in DEVIATION.flatten()]},
        "tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer", "model_max_length": CONTEXT, "do_lower_case": True,
            "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>"},
    }
    for name, what in files.items():
        with open(os.path.join(folder, name), "w") as f:
            json.dump(what, f, indent=1)
            f.write("\n")
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(path("tokenizer", name), folder)
    values = golden(folder)
    tokenizer = Tokenizer(folder)
    values["phrases"] = [{"text": t, "ids": tokenizer.encode(t)} for t in PHRASES]
    with open(os.path.join(folder, "golden.json"), "w") as f:
        f.write("{" + ",\n".join(f'"{k}": [\n' + ",\n".join(json.dumps(x) for x in values[k]) + "]" for k in values)
                + "}\n")
    total = sum(os.path.getsize(os.path.join(folder, n)) for n in os.listdir(folder))
    print(f"{folder}: {sum(w.size for w in weights.values())} weights, {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
