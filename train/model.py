"""The two towers, with Hugging Face's names for their weights, so that a state_dict is the checkpoint.

The architecture is CLIP's (Radford et al. 2021, arXiv:2103.00020): pre-norm transformers; the image's vector is that
of the class token, the text's that of its end token. reference.py has the same model written a second time, from
files, to check the C engine with.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common import CONTEXT, DIM, SIDE, VOCABULARY

CONFIG = {
    "architectures": ["CLIPModel"],
    "model_type": "clip",
    "projection_dim": DIM,
    "peel": {"hybrid_weight": 0.25, "language": "en"},  # what did no harm on the dev split of eval/ (docs/SEARCH_SERVICE.md)
    "text_config": dict(hidden_size=192, intermediate_size=768, num_hidden_layers=4, num_attention_heads=3,
                        vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_act="gelu",
                        layer_norm_eps=1e-5, bos_token_id=VOCABULARY - 2, eos_token_id=VOCABULARY - 1),
    "vision_config": dict(hidden_size=192, intermediate_size=768, num_hidden_layers=6, num_attention_heads=3,
                          image_size=SIDE, patch_size=8, hidden_act="gelu", layer_norm_eps=1e-5),
}


class Norm(nn.LayerNorm):
    """In single precision also where the rest runs in bfloat16."""

    def forward(self, x):
        return F.layer_norm(x.float(), self.normalized_shape, self.weight, self.bias, self.eps)


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d, d))
            nn.init.zeros_(getattr(self, name).bias)

    def forward(self, x, mask):
        b, n, d = x.shape
        w = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        bias = torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias])
        q, k, v = F.linear(x, w, bias).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) * (d // self.heads) ** -0.5
        if mask is not None:
            scores = scores + mask
        return self.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))


class Mlp(nn.Module):
    def __init__(self, d, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(d, hidden), nn.Linear(hidden, d)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.layer_norm1, self.layer_norm2 = Norm(d, c["layer_norm_eps"]), Norm(d, c["layer_norm_eps"])
        self.self_attn, self.mlp = Attention(d, c["num_attention_heads"]), Mlp(d, c["intermediate_size"])

    def forward(self, x, mask):
        x = x + self.self_attn(self.layer_norm1(x), mask)
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.ModuleList([Layer(c) for _ in range(c["num_hidden_layers"])])
        for layer in self.layers:  # what flows along the residual starts small
            for linear in (layer.self_attn.out_proj, layer.mlp.fc2):
                nn.init.normal_(linear.weight, std=0.02 / (2 * len(self.layers)) ** 0.5)

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Vision(nn.Module):
    """float [n, 3, SIDE, SIDE] -> [n, DIM], not normalised."""

    def __init__(self, c):
        super().__init__()
        d, p = c["hidden_size"], c["patch_size"]
        n = (c["image_size"] // p) ** 2 + 1
        self.embeddings = nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.randn(d) * 0.02)
        self.embeddings.patch_embedding = nn.Conv2d(3, d, p, p, bias=False)
        self.embeddings.position_embedding = nn.Embedding(n, d)
        nn.init.normal_(self.embeddings.position_embedding.weight, std=0.02)
        self.pre_layrnorm = Norm(d, c["layer_norm_eps"])  # Hugging Face's spelling
        self.encoder = Encoder(c)
        self.post_layernorm = Norm(d, c["layer_norm_eps"])

    def forward(self, pixels):
        x = self.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.embeddings.class_embedding.expand(len(x), 1, -1)
        x = torch.cat([first, x], 1) + self.embeddings.position_embedding.weight
        return self.post_layernorm(self.encoder(self.pre_layrnorm(x))[:, 0])


class Text(nn.Module):
    """int64 [n, length] padded with the end token -> [n, DIM], not normalised."""

    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.end = c["eos_token_id"]
        self.embeddings = nn.Module()
        self.embeddings.token_embedding = nn.Embedding(c["vocab_size"], d)
        self.embeddings.position_embedding = nn.Embedding(c["max_position_embeddings"], d)
        nn.init.normal_(self.embeddings.token_embedding.weight, std=0.05)
        nn.init.normal_(self.embeddings.position_embedding.weight, std=0.01)
        self.encoder = Encoder(c)
        self.final_layer_norm = Norm(d, c["layer_norm_eps"])

    def forward(self, ids):
        n = ids.shape[1]
        x = self.embeddings.token_embedding(ids) + self.embeddings.position_embedding.weight[:n]
        x = self.encoder(x, torch.full((n, n), float("-inf")).triu(1))
        return self.final_layer_norm(x[torch.arange(len(ids)), (ids == self.end).int().argmax(1)])


class Clip(nn.Module):
    def __init__(self):
        super().__init__()
        text, vision = CONFIG["text_config"], CONFIG["vision_config"]
        self.text_model, self.vision_model = Text(text), Vision(vision)
        self.text_projection = nn.Linear(text["hidden_size"], DIM, bias=False)
        self.visual_projection = nn.Linear(vision["hidden_size"], DIM, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(20.0).log())

    def image(self, pixels):
        return F.normalize(self.visual_projection(self.vision_model(pixels)).float(), dim=-1)

    def text(self, ids):
        return F.normalize(self.text_projection(self.text_model(ids)).float(), dim=-1)
