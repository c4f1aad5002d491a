"""What the stages share: where things lie, what is fetched, and how words are split.

Everything heavy goes to the folder PEEL_TRAIN_DATA (build/train unless set), which may be deleted at any time.
"""
import hashlib
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WORK = os.environ.get("PEEL_TRAIN_DATA") or os.path.join(ROOT, "build", "train")
SEED = 7
RASTER = 80   # pixels a side of the stored pictures; the model sees SIDE of them
SIDE = 64
DIM = 128     # of the joint space
CONTEXT = 32  # tokens of a text
VOCABULARY = 6500
GLOVE = 100


def path(*parts):
    return os.path.join(WORK, *parts)


def hashed(text):
    """A number in [0, 1) that depends on the text alone: how splits are drawn."""
    return int.from_bytes(hashlib.sha256(f"peel-starter-1:{text}".encode()).digest()[:7], "big") / 2.0**56


def words_of(text):
    return re.findall(r"[a-z]+|[0-9]+", text.lower().replace("’", "'").replace("'s", ""))


def letters(text):
    return "".join(words_of(text))


def read_json(name):
    with open(path(name)) as f:
        return json.load(f)


def write_json(name, what):
    with open(path(name + ".part"), "w") as f:
        json.dump(what, f, ensure_ascii=False)
    os.replace(path(name + ".part"), path(name))
