#!/usr/bin/python3
"""Stages 5 and 6: the image tower, as a classifier of concepts and keywords in the joint space.

    image.py teacher    a small residual CNN, which learns from few pictures what a transformer does not
    image.py student    the ViT that is shipped: the same classifier, and the teacher's vector of each picture

A class's weight is a linear map of what its words mean (GloVe) plus something of its own; half of the loss leaves its
own part out. So a picture of a thing never seen lands where its words would, as far as likeness of words goes
(Frome et al. 2013, "DeViSE"). Both stages write WORK/NAME.pt and continue from it.
"""
import os
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from augment import augmented, pairs, plain
from common import DIM, GLOVE, SEED, path, read_json, words_of
from model import Clip
from pictures import held_out
from words import Meaning

BATCH = 256
STEPS = {"teacher": 1600, "student": 2600}
RATE = {"teacher": 3e-3, "student": 1.5e-3}
# what a mirror changes
ONE_WAY = set("arrow left right leftwards rightwards button letter keycap clock o’clock clockwise counterclockwise "
              "sign mark symbol input digit symbols numbers latin number pointing hand speech abc ab back end on soon "
              "top free new ok cool vs sos up id ng cl squared reverse play fast track text calendar".split())


class Data:
    def __init__(self):
        self.pixels = torch.from_numpy(np.load(path("pictures.npy")))
        self.pictures, self.concepts = read_json("pictures.json"), read_json("concepts.json")
        meaning = Meaning()
        count = {}
        for p in self.pictures:
            for w in self.words_of_picture(p):
                count[w] = count.get(w, 0) + 1
        self.keywords = sorted(w for w, n in count.items() if n >= 3)
        at = {w: i for i, w in enumerate(self.keywords)}
        self.concept_meaning = torch.from_numpy(meaning.of_all(
            [" ".join([c["name"]] * 2 + [k for k in c["keywords"] if not held_out(k)]) for c in self.concepts]))
        self.keyword_meaning = torch.from_numpy(meaning.of_all(self.keywords))
        n = len(self.pictures)
        self.concept = torch.tensor([-1 if p["concept"] is None else p["concept"] for p in self.pictures])
        self.keyword = torch.zeros(n, len(self.keywords))  # what a picture should say, each row's sum 1 or 0
        for i, p in enumerate(self.pictures):
            for w in self.words_of_picture(p):
                if w in at:
                    self.keyword[i, at[w]] = count[w] ** -0.5
        self.keyword /= self.keyword.sum(1, keepdim=True).clamp(min=1e-9)
        self.flips = torch.tensor([p["concept"] is None or not
                                   set(words_of(self.concepts[p["concept"]]["name"])) & ONE_WAY for p in self.pictures])
        # one picture of each tenth concept with five or more: to watch, not to learn from
        of = {}
        for i, c in enumerate(self.concept.tolist()):
            of.setdefault(c, []).append(i)
        self.watched = torch.tensor([of[c][c // 10 % len(of[c])] for c in sorted(of)
                                     if c >= 0 and c % 10 == 0 and len(of[c]) >= 5])
        learned = torch.ones(n)
        learned[self.watched] = 0
        learned[self.concept < 0] *= 0.7
        self.chances = learned

    def words_of_picture(self, p):
        if p["concept"] is None:
            return p["words"]
        c = self.concepts[p["concept"]]
        return sorted({w for k in c["keywords"] + [c["name"]] if not held_out(k) for w in words_of(k) if len(w) > 1})


def block(a, b, stride):
    return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b))


class Residual(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.one, self.two = block(a, b, stride), block(b, b, 1)
        self.past = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)) if a != b else nn.Identity()

    def forward(self, x):
        return F.relu(self.two(F.relu(self.one(x))) + self.past(x))


class Teacher(nn.Module):
    def __init__(self, w=36):
        super().__init__()
        self.layers = nn.Sequential(block(3, w, 2), nn.ReLU(), Residual(w, w, 1), Residual(w, 2 * w, 2),
                                    Residual(2 * w, 2 * w, 1), Residual(2 * w, 4 * w, 2), Residual(4 * w, 4 * w, 1),
                                    Residual(4 * w, 8 * w, 2), Residual(8 * w, 8 * w, 1))
        self.project = nn.Linear(8 * w, DIM)

    def see(self, pixels):
        """(vectors, what it saw: [n, 4w, SIDE / 8, SIDE / 8] and [n, 8w, SIDE / 16, SIDE / 16])"""
        fine = self.layers[:7](pixels.contiguous(memory_format=torch.channels_last))
        coarse = self.layers[7:](fine)
        return F.normalize(self.project(coarse.mean((2, 3))).float(), dim=-1), fine, coarse

    def image(self, pixels):
        return self.see(pixels)[0]


class Hints(nn.Module):
    """How far the ViT's patches, half way and before the end, are from what the teacher saw there (Romero et al. 2015,
    "FitNets"). Each patch learns from it, not the picture's vector alone; gone when the training is over."""

    def __init__(self, tower, w=36):
        super().__init__()
        layers, d = tower.vision_model.encoder.layers, tower.visual_projection.in_features
        self.heads = nn.ModuleList([nn.Linear(d, 4 * w), nn.Linear(d, 8 * w)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(4 * w, affine=False), nn.BatchNorm2d(8 * w, affine=False)])
        self.seen = {}
        for i, at in enumerate((len(layers) // 2 - 1, len(layers) - 2)):
            layers[at].register_forward_hook(lambda _m, _in, out, i=i: self.seen.update({i: out}))

    def loss(self, fine, coarse):
        total = 0
        for i, seen in enumerate((fine, F.interpolate(coarse.float(), fine.shape[2:], mode="bilinear"))):
            wanted = self.norms[i](seen.float()).flatten(2).transpose(1, 2).detach()
            total = total + F.smooth_l1_loss(self.heads[i](self.seen[i][:, 1:].float()), wanted)
        return total


class Classes(nn.Module):
    """Logits of unit vectors for classes that have a meaning; with and without what is each one's own."""

    def __init__(self, meaning, scale=16.0):
        super().__init__()
        self.register_buffer("meaning", meaning)
        self.map = nn.Linear(GLOVE, DIM, bias=False)
        self.own = nn.Parameter(torch.randn(len(meaning), DIM) * 0.05)
        self.scale = nn.Parameter(torch.tensor(scale).log())

    def weights(self):
        m = self.map(self.meaning)
        return F.normalize(m + self.own, dim=-1), F.normalize(m, dim=-1)

    def loss(self, z, wanted):
        """wanted: [n, classes], rows of sum 1, or 0 for those that do not count."""
        full, shared = self.weights()
        scale = self.scale.exp().clamp(max=40)
        own = -(wanted * (scale * z @ full.T).log_softmax(1)).sum()
        common = -(wanted * (scale * z @ shared.T).log_softmax(1)).sum()
        return (own + 0.4 * common) / wanted.sum().clamp(min=1)


class Training(nn.Module):
    def __init__(self, tower, data):
        super().__init__()
        self.tower = tower
        self.concepts, self.keywords = Classes(data.concept_meaning), Classes(data.keyword_meaning)

    def loss(self, z, concept, keyword):
        return self.concepts.loss(z, concept) + 0.5 * self.keywords.loss(z, keyword)


def draw(data, rng, s):
    """A batch: (pixels, wanted concepts, wanted keywords); an eighth of it are pairs of pictures on one canvas."""
    two = BATCH // 8
    at = torch.multinomial(data.chances, BATCH + two, generator=rng)
    pictures = data.pixels[at]
    classes = len(data.concepts)
    concept = F.one_hot(data.concept[at].clamp(min=0), classes).float() * (data.concept[at] >= 0).float()[:, None]
    seen = concept.sum(1, keepdim=True) > 0
    concept = torch.where(seen, concept * 0.9 + 0.1 / classes, concept)
    keyword = data.keyword[at]
    single = BATCH - two
    pixels = torch.cat([augmented(pictures[:single], data.flips[at[:single]], rng, s), pairs(pictures[single:], rng)])

    def joined(x):
        both = x[single:single + two] + x[single + two:]
        return torch.cat([x[:single], both / both.sum(1, keepdim=True).clamp(min=1)])
    return pixels, joined(concept), joined(keyword)


def watch(training, data):
    """Of the pictures that are not learned from: how often the right concept is first, and among five."""
    training.eval()
    with torch.no_grad():
        z = training.tower.image(plain(data.pixels[data.watched]))
        best = (z @ training.concepts.weights()[0].T).topk(5).indices == data.concept[data.watched][:, None]
    training.train()
    return best[:, 0].float().mean().item(), best.any(1).float().mean().item()


def cosine(step, steps, rate):
    return rate * min(1.0, (step + 1) / (0.04 * steps)) * (0.5 + 0.5 * np.cos(np.pi * step / steps))


def train(which):
    torch.set_num_threads(os.cpu_count())
    steps = STEPS[which]
    data = Data()
    torch.manual_seed(SEED)
    training = Training(Teacher() if which == "teacher" else Clip(), data)
    teacher = None
    if which == "student":
        teacher = Training(Teacher(), data)
        teacher.load_state_dict(torch.load(path("teacher.pt"))["average"])
        teacher.eval()
        training.concepts.load_state_dict(teacher.concepts.state_dict())
        training.keywords.load_state_dict(teacher.keywords.state_dict())
        training.hints = Hints(training.tower)
    plainly = [p for p in training.parameters() if p.dim() < 2]
    decayed = [p for p in training.parameters() if p.dim() >= 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.08}, {"params": plainly, "weight_decay": 0.0}])
    average = {k: v.clone() for k, v in training.state_dict().items()}
    step, file, curve, spent = 0, path(which + ".pt"), [], 0.0
    if os.path.exists(file):
        saved = torch.load(file)
        training.load_state_dict(saved["training"])
        optimizer.load_state_dict(saved["optimizer"])
        average, step, curve, spent = saved["average"], saved["step"], saved["curve"], saved["spent"]
    began = time.time() - spent
    while step < steps:
        rng = torch.Generator().manual_seed(SEED * 1000003 + step)
        pixels, concept, keyword = draw(data, rng, min(1.0, 0.3 + 1.4 * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, RATE[which])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = training.tower.image(pixels)
        loss = training.loss(z, concept, keyword)
        if teacher:
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                wanted, fine, coarse = teacher.tower.see(pixels)
            loss = loss + 5 * (1 - (z * wanted).sum(1)).mean() + 2 * training.hints.loss(fine, coarse)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(training.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(0.998, step / (step + 20))
        with torch.no_grad():
            for k, v in training.state_dict().items():
                average[k].lerp_(v, 1 - keep) if v.is_floating_point() else average[k].copy_(v)
        if step % 100 == 0 or step == steps:
            mine = {k: v.clone() for k, v in training.state_dict().items()}
            training.load_state_dict(average)
            first, five = watch(training, data)
            training.load_state_dict(mine)
            curve.append([step, round(loss.item(), 3), round(first, 3), round(five, 3), round(time.time() - began)])
            print(which, *curve[-1], flush=True)
            torch.save({"training": training.state_dict(), "optimizer": optimizer.state_dict(), "average": average,
                        "step": step, "curve": curve, "spent": time.time() - began}, file + ".part")
            os.replace(file + ".part", file)


if __name__ == "__main__":
    train(sys.argv[1])
