#!/usr/bin/python3
"""Stage 9: both towers together, for a short while: pictures, pairs of them, and what is said of them.

Contrastive, as CLIP, but with several right answers in a batch: every picture that a phrase fits. The classifier's
loss and the words' meanings are kept up meanwhile. Writes WORK/joint.pt and continues from it.
"""
import os
import random
import time

import torch
from torch.nn import functional as F

from augment import augmented, pairs
from common import SEED, path
from image import Data, Training, cosine
from model import Clip
from text import FORMS, Phrases, where_words_go

BATCH, PAIRS, GENERAL = 224, 32, 96
STEPS, RATE = 400, 2e-4
BETWEEN = ("{} and {}", "{} and {}", "{} {}", "{} with {}", "a {} and a {}", "{} next to {}", "{} in {}")


def said_of(data, phrases, rng, picture):
    """(phrase, the concepts that it fits)"""
    c = int(data.concept[picture])
    if c < 0:
        words = data.pictures[picture]["words"]
        return " ".join(rng.sample(words, min(len(words), rng.randint(1, 2)))), set()
    one = rng.choice(phrases.of[c])
    return rng.choice(FORMS).format(one), phrases.positives[one]


def batch(data, phrases, step):
    """(pixels, texts, right [pictures, texts] of 0 and 1, wanted concepts, wanted keywords)"""
    rng, torch_rng = random.Random(SEED * 7000003 + step), torch.Generator().manual_seed(SEED * 7000003 + step)
    at = torch.multinomial(data.chances, BATCH + 2 * PAIRS, generator=torch_rng)
    said = [said_of(data, phrases, rng, int(i)) for i in at]
    single, one, two = said[:BATCH], said[BATCH:BATCH + PAIRS], said[BATCH + PAIRS:]
    texts = [t for t, _ in single]
    texts += [rng.choice(BETWEEN).format(a, b) for (a, _), (b, _) in zip(one, two)]
    right = torch.eye(len(texts))
    for j, (_, fits) in enumerate(single):
        for i in range(BATCH):
            if int(data.concept[at[i]]) in fits:
                right[i, j] = 1
    pixels = torch.cat([augmented(data.pixels[at[:BATCH]], data.flips[at[:BATCH]], torch_rng, 1.0),
                        pairs(data.pixels[at[BATCH:]], torch_rng)])
    known = data.concept[at[:BATCH]]
    concept = F.one_hot(known.clamp(min=0), len(data.concepts)).float() * (known >= 0).float()[:, None]
    return pixels, texts, right, concept, data.keyword[at[:BATCH]], phrases.draw_general(rng, GENERAL)


def agreement(logits, right):
    return -(right / right.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()


def main():
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(SEED)
    data = Data()
    phrases, clip = Phrases(data), Clip()
    training = Training(clip, data)
    training.load_state_dict(torch.load(path("student.pt"))["average"], strict=False)  # without the hints
    clip.load_state_dict(torch.load(path("fit.pt"))["tower"])
    optimizer = torch.optim.AdamW(training.parameters(), weight_decay=0.02)
    step, began, file = 0, time.time(), path("joint.pt")
    average = {k: v.clone() for k, v in clip.state_dict().items()}
    if os.path.exists(file):
        saved = torch.load(file)
        training.load_state_dict(saved["training"])
        optimizer.load_state_dict(saved["optimizer"])
        step, average = saved["step"], saved["tower"]
    while step < STEPS:
        pixels, texts, right, concept, keyword, general = batch(data, phrases, step)
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, STEPS, RATE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            image, text = clip.image(pixels), clip.text(phrases.encode(texts + general))
        logits = clip.logit_scale.exp().clamp(max=50) * image @ text[:len(texts)].T
        pair = (agreement(logits, right) + agreement(logits.T, right.T)) / 2
        kept = training.loss(image[:BATCH], concept, keyword)
        meant = torch.from_numpy(phrases.meaning.of_all(texts + general))
        word = (1 - (text * where_words_go(training, meant)).sum(1))[meant.abs().sum(1) > 0].mean()
        loss = pair + 0.3 * kept + 3 * word
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(training.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            for k, v in clip.state_dict().items():
                average[k].lerp_(v, 0.01)
        if step % 50 == 0 or step == STEPS:
            print(f"joint {step} pairs {pair.item():.3f} classes {kept.item():.3f} words {word.item():.3f}",
                  round(time.time() - began), flush=True)
            torch.save({"training": training.state_dict(), "optimizer": optimizer.state_dict(), "step": step,
                        "tower": average}, file + ".part")
            os.replace(file + ".part", file)


if __name__ == "__main__":
    main()
