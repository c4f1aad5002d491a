#!/usr/bin/python3
"""A reference CLIP in PyTorch, and the checkpoints and golden values that the C encoders are tested with.

Written from Radford et al. 2021 (arXiv:2103.00020) and the published architecture; it meets the C code
only through files: a folder of the Hugging Face layout (config.json, model.safetensors) and golden.json.

    reference.py make SHAPE DIR     random weights of a shape (tiny, small, base) into DIR
    reference.py golden DIR         compute DIR/golden.json from DIR's weights
    reference.py check DIR          compute it again and compare with what is there

`make` needs numpy, the others PyTorch too (Debian: python3-numpy, python3-torch).
"""
import json
import os
import struct
import sys

import numpy as np

# The goldens' checkpoints: one with odd sizes everywhere, one like the models people use, but small.
SHAPES = {
    "tiny": dict(
        seed=1, dtype="F32", position_ids=False,
        config=dict(
            model_type="clip", projection_dim=10,
            text_config=dict(hidden_size=20, intermediate_size=36, num_hidden_layers=2, num_attention_heads=5,
                             vocab_size=100, max_position_embeddings=13, hidden_act="gelu", layer_norm_eps=1e-6,
                             bos_token_id=97, eos_token_id=98),
            vision_config=dict(hidden_size=24, intermediate_size=50, num_hidden_layers=3, num_attention_heads=3,
                               image_size=37, patch_size=5, hidden_act="gelu"))),
    "small": dict(
        seed=2, dtype="F16", position_ids=True,
        config=dict(
            model_type="clip", projection_dim=48,
            text_config=dict(hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4,
                             vocab_size=600, max_position_embeddings=77, bos_token_id=0, eos_token_id=2),
            vision_config=dict(hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=2,
                               image_size=64, patch_size=16))),
    "base": dict(seed=3, dtype="F32", position_ids=True, config=dict(model_type="clip")),
}

DEFAULTS = dict(
    text_config=dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8,
                     vocab_size=49408, max_position_embeddings=77, hidden_act="quick_gelu", layer_norm_eps=1e-5,
                     eos_token_id=49407),
    vision_config=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                       image_size=224, patch_size=32, hidden_act="quick_gelu", layer_norm_eps=1e-5))


def full_config(config):
    """The two sections with defaults filled in, and the projection's size."""
    text, vision = ({**DEFAULTS[k], **config.get(k, {})} for k in ("text_config", "vision_config"))
    return text, vision, config.get("projection_dim", 512)


# --- checkpoints ---------------------------------------------------------------------------------

def random_weights(shape):
    """Scaled so that attention is neither flat nor on one token, and different inputs give different vectors."""
    text, vision, dim = full_config(shape["config"])
    rng = np.random.default_rng(shape["seed"])

    def normal(std, *dims):
        return (rng.standard_normal(dims, dtype=np.float32) * np.float32(std)).astype(np.float32)

    w = {}

    def norm(name, d):
        w[name + ".weight"] = 1 + normal(0.2, d)
        w[name + ".bias"] = normal(0.1, d)

    def linear(name, n, k, gain):
        w[name + ".weight"] = normal(gain / np.sqrt(k), n, k)
        w[name + ".bias"] = normal(0.1, n)

    for prefix, c in (("text_model", text), ("vision_model", vision)):
        d, mlp = c["hidden_size"], c["intermediate_size"]
        for i in range(c["num_hidden_layers"]):
            layer = f"{prefix}.encoder.layers.{i}."
            for part, gain in (("q", 1.2), ("k", 1.2), ("v", 1.0), ("out", 1.0)):
                linear(f"{layer}self_attn.{part}_proj", d, d, gain)
            linear(layer + "mlp.fc1", mlp, d, 1.2)
            linear(layer + "mlp.fc2", d, mlp, 1.5)
            norm(layer + "layer_norm1", d)
            norm(layer + "layer_norm2", d)
    d = text["hidden_size"]
    w["text_model.embeddings.token_embedding.weight"] = normal(0.7, text["vocab_size"], d)
    w["text_model.embeddings.position_embedding.weight"] = normal(0.3, text["max_position_embeddings"], d)
    norm("text_model.final_layer_norm", d)
    w["text_projection.weight"] = normal(1 / np.sqrt(d), dim, d)
    d, p = vision["hidden_size"], vision["patch_size"]
    tokens = (vision["image_size"] // p) ** 2 + 1
    w["vision_model.embeddings.class_embedding"] = normal(0.7, d)
    w["vision_model.embeddings.patch_embedding.weight"] = normal(1 / np.sqrt(3 * p * p), d, 3, p, p)
    w["vision_model.embeddings.position_embedding.weight"] = normal(0.3, tokens, d)
    norm("vision_model.pre_layrnorm", d)
    norm("vision_model.post_layernorm", d)
    w["visual_projection.weight"] = normal(1 / np.sqrt(d), dim, d)
    w["logit_scale"] = np.array(4.6052, dtype=np.float32)
    if shape["position_ids"]:
        w["text_model.embeddings.position_ids"] = np.arange(text["max_position_embeddings"], dtype=np.int64)[None]
        w["vision_model.embeddings.position_ids"] = np.arange(tokens, dtype=np.int64)[None]
    return w


def save(path, weights, dtype):
    header, offset, arrays = {"__metadata__": {"format": "pt"}}, 0, []
    for name in sorted(weights):
        a = weights[name]
        kind = "I64" if a.dtype == np.int64 else dtype
        a = a.astype("<f2") if kind == "F16" else a
        header[name] = {"dtype": kind, "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
        arrays.append(a)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in arrays:
            f.write(a.tobytes())


def load(path):
    types = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        a, b = (8 + n + o for o in t["data_offsets"])
        out[name] = np.frombuffer(data[a:b], types[t["dtype"]]).reshape(t["shape"])
    return out


def make(name, folder):
    os.makedirs(folder, exist_ok=True)
    save(os.path.join(folder, "model.safetensors"), random_weights(SHAPES[name]), SHAPES[name]["dtype"])
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(SHAPES[name]["config"], f, indent=1)
        f.write("\n")


# --- the model -----------------------------------------------------------------------------------

class Clip:
    def __init__(self, folder):
        import torch
        self.torch = torch
        with open(os.path.join(folder, "config.json")) as f:
            self.text, self.vision, self.dim = full_config(json.load(f))
        self.w = {k: torch.from_numpy(v.astype(np.float32)) for k, v in
                  load(os.path.join(folder, "model.safetensors")).items() if v.dtype != np.int64}

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def norm(self, x, name, c):
        return self.torch.nn.functional.layer_norm(x, (c["hidden_size"],), self.w[name + ".weight"],
                                                   self.w[name + ".bias"], c["layer_norm_eps"])

    def encoder(self, x, prefix, c, mask):
        torch, heads = self.torch, c["num_attention_heads"]
        batch, length, d = x.shape
        for i in range(c["num_hidden_layers"]):
            layer = f"{prefix}.encoder.layers.{i}."
            h = self.norm(x, layer + "layer_norm1", c)
            q, k, v = (self.linear(h, f"{layer}self_attn.{p}_proj").view(batch, length, heads, d // heads)
                       .transpose(1, 2) for p in "qkv")
            scores = q @ k.transpose(2, 3) / (d // heads) ** 0.5
            if mask is not None:
                scores = scores + mask
            a = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, d)
            x = x + self.linear(a, layer + "self_attn.out_proj")
            h = self.linear(self.norm(x, layer + "layer_norm2", c), layer + "mlp.fc1")
            h = h * torch.sigmoid(1.702 * h) if c["hidden_act"] == "quick_gelu" else torch.nn.functional.gelu(h)
            x = x + self.linear(h, layer + "mlp.fc2")
        return x

    def encode_text(self, ids):
        """ids: a list of token ids -> features before normalisation."""
        torch, c = self.torch, self.text
        with torch.no_grad():
            n = len(ids)
            x = self.w["text_model.embeddings.token_embedding.weight"][torch.as_tensor(ids)]
            x = (x + self.w["text_model.embeddings.position_embedding.weight"][:n])[None]
            mask = torch.full((n, n), float("-inf")).triu(1)
            x = self.norm(self.encoder(x, "text_model", c, mask), "text_model.final_layer_norm", c)
            end = c["eos_token_id"]
            at = int(np.argmax(ids)) if end == 2 else int(np.argmax(np.array(ids) == end))
            return self.linear(x[0, at], "text_projection")

    def encode_pixels(self, pixels):
        """pixels: float32 [n, 3, size, size] -> features [n, dim] before normalisation."""
        torch, c = self.torch, self.vision
        with torch.no_grad():
            patches = torch.nn.functional.conv2d(torch.as_tensor(pixels), stride=c["patch_size"],
                                                 weight=self.w["vision_model.embeddings.patch_embedding.weight"])
            patches = patches.flatten(2).transpose(1, 2)
            first = self.w["vision_model.embeddings.class_embedding"].expand_as(patches[:, :1])
            x = torch.cat([first, patches], 1)
            x = self.norm(x + self.w["vision_model.embeddings.position_embedding.weight"], "vision_model.pre_layrnorm", c)
            x = self.encoder(x, "vision_model", c, None)[:, 0]
            return self.linear(self.norm(x, "vision_model.post_layernorm", c), "visual_projection")


# --- golden values -------------------------------------------------------------------------------

def uniform(seed, n):
    """n numbers in [0, 1) by SplitMix64 of seed * 2^32 + index: the same in tests/unit/test_clip.c."""
    with np.errstate(over="ignore"):
        z = (np.uint64(seed) << np.uint64(32)) + np.arange(n, dtype=np.uint64)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**24


def pixels_of(seed, size):
    return (uniform(seed, 3 * size * size) * 4 - 2).astype(np.float32).reshape(1, 3, size, size)


def golden(folder):
    clip = Clip(folder)
    context, vocab = clip.text["max_position_embeddings"], clip.text["vocab_size"]
    end = vocab - 1 if clip.text["eos_token_id"] == 2 else clip.text["eos_token_id"]
    start, words = end - 1, end - 1  # ids below `words` are words
    texts = []
    for n in (1, 2, 3, 4, 5, 6, 8, 11, 13, 20, 33, 48, 64, 76, 77):
        if n > context:
            break
        word = (uniform(100 + n, n) * words).astype(int).tolist()
        ids = [end] if n == 1 else [start] + word[2:] + [end]
        texts.append(ids)
        if 3 <= n <= 5:
            texts.append(ids + [end] * 3)            # padded with the end token
            texts.append(ids + [0] * (context - n))  # padded to the full context with another
            texts.append(ids[1:])                    # without the start token
            texts.append(ids[:-1])                   # without an end token
    size = clip.vision["image_size"]
    out = {"texts": [{"ids": t, "features": clip.encode_text(t).tolist()} for t in texts],
           "images": [{"seed": s, "features": clip.encode_pixels(pixels_of(s, size))[0].tolist()}
                      for s in range(1, 6)]}
    return json.loads(json.dumps(out), parse_float=lambda f: float("%.8g" % float(f)))


def check(folder):
    with open(os.path.join(folder, "golden.json")) as f:
        want = json.load(f)
    got, worst = golden(folder), 0
    for kind in ("texts", "images"):
        if len(want[kind]) != len(got[kind]):
            sys.exit(f"{folder}: {len(want[kind])} {kind} in golden.json, {len(got[kind])} expected")
        for a, b in zip(want[kind], got[kind]):
            if [a.get("ids"), a.get("seed")] != [b.get("ids"), b.get("seed")]:
                sys.exit(f"{folder}: golden.json has other inputs")
            worst = max(worst, np.abs(np.array(a["features"]) - np.array(b["features"])).max())
    print(f"{folder}: {len(got['texts'])} texts, {len(got['images'])} images, largest difference {worst:.2g}")
    if not worst < 1e-5:
        sys.exit(1)


def main():
    args = sys.argv[1:]
    if len(args) == 3 and args[0] == "make" and args[1] in SHAPES:
        make(args[1], args[2])
    elif len(args) == 2 and args[0] == "golden":
        with open(os.path.join(args[1], "golden.json"), "w") as f:
            g = golden(args[1])
            f.write("{" + ",\n".join(f'"{k}": [\n' + ",\n".join(json.dumps(x) for x in g[k]) + "]" for k in g) + "}\n")
    elif len(args) == 2 and args[0] == "check":
        check(args[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
