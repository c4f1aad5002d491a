"""Pictures as a model in training sees them: moved, turned, tinted, lit, blurred, and partly covered.

Works on batches. Colours are inverted inside, so that white, what stickers lie on, is zero and stays white.
"""
import math

import torch
from torch.nn import functional as F

from common import SIDE

# CLIP's own mean and deviation, which preprocessor_config.json repeats
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)


def plain(pictures):
    """uint8 [n, RASTER, RASTER, 3] -> what the tower takes, nothing changed but the size."""
    x = pictures.permute(0, 3, 1, 2).float() / 255
    x = F.interpolate(x, SIDE, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    return (x - MEAN) / DEVIATION


def uniform(rng, n, low, high):
    return torch.rand(n, generator=rng) * (high - low) + low


def moved(x, rng, s, flips, scale=None, shift=None):
    """An affine map of each: s in 0..1 is how far it goes; flips [n] says which may be mirrored."""
    n = len(x)
    turn = uniform(rng, n, -0.45, 0.45) * s
    turn[uniform(rng, n, 0, 1) < 0.4] *= 0.1
    size = uniform(rng, n, 0.85 - 0.2 * s, 1.1 + 0.1 * s) if scale is None else scale
    stretch = torch.exp(uniform(rng, n, -0.16, 0.16) * s)
    lean = uniform(rng, n, -0.2, 0.2) * s
    mirror = torch.where(flips & (torch.rand(n, generator=rng) < 0.5), -1.0, 1.0)
    c, d = torch.cos(turn) / size, torch.sin(turn) / size
    m = torch.zeros(n, 2, 3)
    m[:, 0, 0], m[:, 0, 1] = c * stretch * mirror, (c * lean - d) * mirror
    m[:, 1, 0], m[:, 1, 1] = d * stretch, (c + d * lean) / stretch
    m[:, :, 2] = uniform(rng, 2 * n, -0.15, 0.15).view(n, 2) * s if shift is None else shift
    return F.grid_sample(x, F.affine_grid(m, (n, 3, SIDE, SIDE), align_corners=False), align_corners=False)


def tinted(x, rng, s):
    """Hue and saturation by a turn about the grey axis, contrast by a power; a few lose their colours."""
    n = len(x)
    angle = uniform(rng, n, -0.35, 0.35) * s
    rich = uniform(rng, n, 1 - 0.5 * s, 1 + 0.4 * s)
    rich[uniform(rng, n, 0, 1) < 0.08 * s] = 0
    c, d = torch.cos(angle).view(n, 1, 1), torch.sin(angle).view(n, 1, 1)
    grey = torch.full((3, 3), 1 / 3)
    across = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = grey + (torch.eye(3) - grey) * c + across * d
    m = grey + rich.view(n, 1, 1) * (turn - grey)
    x = torch.einsum("nij,njhw->nihw", m, x).clamp(0, 1)
    gain = torch.exp(torch.randn(n, 3, 1, 1, generator=rng) * 0.12 * s)
    return (x ** torch.exp(uniform(rng, n, -0.5, 0.5) * s).view(n, 1, 1, 1) * gain).clamp(0, 1)


def lit(x, rng, s):
    """Light that falls from a side and a shine in a place: flat drawings come nearer to modelled ones."""
    n = len(x)
    axis = torch.linspace(-1, 1, SIDE)
    gx, gy = uniform(rng, n, -0.35, 0.35) * s, uniform(rng, n, -0.35, 0.35) * s
    light = 1 + gx.view(n, 1, 1) * axis + gy.view(n, 1, 1) * axis.view(SIDE, 1)
    px, py = uniform(rng, n, -0.7, 0.7), uniform(rng, n, -0.7, 0.7)
    far = (axis - px.view(n, 1, 1)) ** 2 + (axis.view(SIDE, 1) - py.view(n, 1, 1)) ** 2
    light = light + (uniform(rng, n, -0.25, 0.5) * s).view(n, 1, 1) * torch.exp(-far * 6)
    on = (x.amax(1, keepdim=True) > 0.03).float()
    return x + on * ((1 - ((1 - x) * light[:, None]).clamp(0, 1)) - x)


def blurred(x, rng):
    small = F.interpolate(x, int(torch.randint(SIDE // 3, SIDE - 8, (1,), generator=rng)), mode="area")
    return F.interpolate(small, SIDE, mode="bilinear", align_corners=False)


def covered(x, rng, s):
    """A rectangle of a fifth to two fifths of the side taken out of some."""
    n = len(x)
    axis = torch.linspace(0, 1, SIDE)
    w, h = uniform(rng, n, 0.15, 0.4), uniform(rng, n, 0.15, 0.4)
    left, top = uniform(rng, n, 0, 0.8), uniform(rng, n, 0, 0.8)
    inside = ((axis > left.view(n, 1)) & (axis < (left + w).view(n, 1))).view(n, 1, 1, SIDE) & \
             ((axis > top.view(n, 1)) & (axis < (top + h).view(n, 1))).view(n, 1, SIDE, 1)
    some = (uniform(rng, n, 0, 1) < 0.3 * s).view(n, 1, 1, 1)
    return torch.where(inside & some, torch.rand(n, 3, 1, 1, generator=rng), x)


def augmented(pictures, flips, rng, s):
    """uint8 [n, RASTER, RASTER, 3], flips bool [n] -> float [n, 3, SIDE, SIDE] for the tower; s: strength 0..1."""
    x = 1 - pictures.permute(0, 3, 1, 2).float() / 255
    x = lit(tinted(moved(x, rng, s, flips), rng, s), rng, s)
    n = len(x)
    x[: n // 5] = blurred(x[: n // 5], rng)
    x = covered(x, rng, s)
    return (1 - x - MEAN) / DEVIATION


def pairs(pictures, rng):
    """Two pictures side by side or over one another on one canvas: [2n, ...] -> [n, 3, SIDE, SIDE]."""
    x = 1 - pictures.permute(0, 3, 1, 2).float() / 255
    n = len(x) // 2
    still = torch.zeros(n, dtype=torch.bool)
    size = uniform(rng, n, 0.5, 0.62)
    across = (torch.rand(n, generator=rng) < 0.6).float()
    way = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    shift = torch.stack([across, 1 - across], 1) * (way * 0.5 / size).view(n, 1)
    one = moved(x[:n], rng, 0.3, still, size, shift)
    two = moved(x[n:], rng, 0.3, still, size, -shift)
    return (1 - torch.maximum(one, two) - MEAN) / DEVIATION
