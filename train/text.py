#!/usr/bin/python3
"""Stages 7 and 8: the text tower.

    text.py meaning    every word and very many short phrases go where the image tower's map sends their GloVe vectors
    text.py fit        names and keywords of the concepts go to their frozen pictures, while the meaning is kept up

Both write WORK/NAME.pt and continue from it.
"""
import os
import random
import re
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

from augment import augmented
from common import SEED, path, read_json
from image import Data, Training, cosine
from model import Clip
from pictures import held_out
from tokenizer import Tokenizer
from words import Meaning

BATCH = 384
STEPS = {"meaning": 2400, "fit": 1600}
RATE = {"meaning": 1.5e-3, "fit": 6e-4}
LONGEST = 16  # tokens of a phrase in training
FORMS = ("{}",) * 8 + ("a {}", "the {}", "{} emoji", "{} sticker", "a sticker of a {}", "a picture of a {}", "{}!")


def pad(ids, end):
    n = max(map(len, ids))
    return torch.tensor([i + [end] * (n - len(i)) for i in ids])


class Phrases:
    def __init__(self, data):
        self.tokenizer, self.meaning = Tokenizer(), Meaning()
        self.end = self.tokenizer.ids["<|endoftext|>"]
        self.names, self.positives, self.of = [], {}, []
        for i, c in enumerate(data.concepts):
            phrases = [] if c["unseen"] else [c["name"]] * 3 + [k for k in c["keywords"] if not held_out(k)]
            self.of.append(phrases)
            for p in phrases:
                self.positives.setdefault(p, set()).add(i)
        self.concepts = sorted(i for i in set(data.concept.tolist()) if i >= 0)
        self.general = self.from_wordnet()

    def from_wordnet(self):
        """Terms, definitions and parts of them, and common words."""
        out = set(w for w in read_json("glove.json")[:20000])
        for part in ("noun", "verb", "adj"):
            with open(path("inputs", "wordnet", "dict", "data." + part)) as f:
                for line in f:
                    if line.startswith("  "):
                        continue
                    head, _, gloss = line.partition(" | ")
                    out.update(re.findall(r"[a-z]+(?:_[a-z]+){0,3}", " ".join(head.lower().split()[4:-1:2])))
                    gloss = gloss.split(";")[0].strip().lower()
                    if 8 < len(gloss) < 60:
                        out.add(gloss)
        return sorted(p.replace("_", " ") for p in out if len(p) > 2)

    def encode(self, texts):
        ids = [self.tokenizer.encode(t) for t in texts]
        return pad([i[:LONGEST - 1] + [self.end] if len(i) > LONGEST else i for i in ids], self.end)

    def draw_general(self, rng, n):
        out = []
        for _ in range(n):
            words = self.general[int(len(self.general) * rng.random())].split()
            if len(words) > 6 and rng.random() < 0.6:
                at = rng.randrange(len(words) - 3)
                words = words[at:at + rng.randint(2, 5)]
            out.append(" ".join(words))
        return out

    def draw_of_concepts(self, rng, n):
        """Phrases, and of each the concepts that it fits."""
        texts, fitting = [], []
        while len(texts) < n:
            c = self.concepts[rng.randrange(len(self.concepts))]
            one = rng.choice(self.of[c])
            fits = self.positives[one]
            if rng.random() < 0.2:  # two phrases together: what both fit
                two = rng.choice(self.of[c])
                one, fits = f"{one} {two}" if two != one else one, fits & self.positives[two]
            texts.append(rng.choice(FORMS).format(one))
            fitting.append(fits)
        return texts, fitting


def prototypes(tower, data, views=6):
    """[concepts, DIM]: the mean of what the tower makes of a concept's pictures; zero without any."""
    total = torch.zeros(len(data.concepts), 128)
    known = (data.concept >= 0).nonzero()[:, 0]
    rng = torch.Generator().manual_seed(SEED)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for view in range(views):
            for at in known.split(256):
                z = tower.image(augmented(data.pixels[at], data.flips[at], rng, 0.8 if view else 0.0))
                total.index_add_(0, data.concept[at], z.float())
    return F.normalize(total, dim=-1)


def where_words_go(training, vectors):
    """Where the classifier's maps send meanings: [n, GLOVE] -> [n, DIM], unit length."""
    with torch.no_grad():
        maps = [F.normalize(c.map(vectors), dim=-1) for c in (training.concepts, training.keywords)]
    return F.normalize(maps[0] + maps[1], dim=-1)


def start_of(clip, phrases):
    """Tokens that are whole words begin as their GloVe vectors, turned into the tower's width."""
    rng = np.random.default_rng(SEED)
    table = clip.text_model.embeddings.token_embedding.weight
    turn, _ = np.linalg.qr(rng.standard_normal((table.shape[1], table.shape[1])))
    with torch.no_grad():
        for token, i in phrases.tokenizer.ids.items():
            word = token[:-4] if token.endswith("</w>") else None
            if word in phrases.meaning.at:
                v = phrases.meaning.vectors[phrases.meaning.at[word]]
                table[i] = torch.from_numpy((v @ turn[:len(v)]).astype(np.float32)) * 0.7


def train(which):
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(SEED)
    steps, data = STEPS[which], Data()
    phrases, clip = Phrases(data), Clip()
    training = Training(clip, data)
    training.load_state_dict(torch.load(path("student.pt"))["average"], strict=False)  # without the hints
    training.eval()
    targets = prototypes(training.tower, data)
    if which == "meaning":
        start_of(clip, phrases)
    else:
        before = torch.load(path("meaning.pt"))["tower"]
        clip.load_state_dict({k: v for k, v in before.items() if k.startswith("text")}, strict=False)
    learned = [p for n, p in clip.named_parameters() if n.startswith("text")]
    scale = torch.nn.Parameter(torch.tensor(16.0).log())
    optimizer = torch.optim.AdamW([{"params": learned, "weight_decay": 0.02}, {"params": [scale], "weight_decay": 0}])
    step, file, began = 0, path(which + ".pt"), time.time()
    if os.path.exists(file):
        saved = torch.load(file)
        clip.load_state_dict(saved["tower"])
        optimizer.load_state_dict(saved["optimizer"])
        step, scale.data = saved["step"], saved["scale"]
    while step < steps:
        rng = random.Random(SEED * 1000003 + step)
        n = BATCH // 2
        texts, fitting = phrases.draw_of_concepts(rng, n)
        general = phrases.draw_general(rng, n)
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, RATE[which])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = clip.text(phrases.encode(texts + general))
        meant = torch.from_numpy(phrases.meaning.of_all(texts + general))
        told = meant.abs().sum(1) > 0
        wanted = torch.zeros(n, len(data.concepts))
        for i, fits in enumerate(fitting):
            wanted[i, list(fits)] = 1 / len(fits)
        logits = scale.exp().clamp(max=40) * z[:n] @ targets.T
        picture = -(wanted * logits.log_softmax(1)).sum(1).mean()
        word = (1 - (z * where_words_go(training, meant)).sum(1))[told].mean()
        loss = 0.3 * picture + 8 * word if which == "meaning" else picture + 4 * word
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0 or step == steps:
            print(which, step, f"pictures {picture.item():.3f} words {word.item():.3f}", round(time.time() - began),
                  flush=True)
            torch.save({"tower": clip.state_dict(), "optimizer": optimizer.state_dict(), "step": step,
                        "scale": scale.data}, file + ".part")
            os.replace(file + ".part", file)


if __name__ == "__main__":
    train(sys.argv[1])
