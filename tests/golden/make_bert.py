#!/usr/bin/env python3
"""Makes tests/golden/bert/: three small models of random weights, one of each architecture of src/model/bert.h, and what
PyTorch and transformers give for some texts. Needs torch, transformers, tokenizers and numpy.
    make_bert.py [weights]         without `weights` the values only
    make_bert.py compare DIR PEEL  a real model: sentence-transformers beside the program PEEL, in each precision

Each folder lacks its tokenizer's files; they are those of a folder of token_ids/.
    bert         float16, WordPiece, the mean of all tokens
    xlm-roberta  float32, "roberta." before its tensors, Unigram, the first token, prefixes for queries and documents
    distilbert   float16, Unigram, texts of at most 12 tokens, a linear layer with tanh

golden.json: texts; by model the ids, the vectors (of queries), and `states` of the first text: what goes into the first
layer and comes out of each.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import (BertConfig, BertModel, DistilBertConfig, DistilBertModel, XLMRobertaConfig,
                          XLMRobertaModel)

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "bert"
TOKENIZERS = {"bert": "uncased", "xlm-roberta": "unigram", "distilbert": "unigram"}
TEXTS = ["a cat in a park", "Happy birthday!", "ok", "Größe und Übermut, naïve café",
         "the quick brown fox jumps over the lazy dog and runs far away, tired of mondays"]
QUERY = {"xlm-roberta": "query: "}


def vocabulary(name):
    return Tokenizer.from_file(str(HERE / "token_ids" / TOKENIZERS[name] / "tokenizer.json")).get_vocab_size()


def models():
    return {
        "bert": BertModel(BertConfig(
            vocab_size=vocabulary("bert"), hidden_size=20, num_hidden_layers=3, num_attention_heads=5,
            intermediate_size=36, max_position_embeddings=40, type_vocab_size=2), add_pooling_layer=True),
        "xlm-roberta": XLMRobertaModel(XLMRobertaConfig(
            vocab_size=vocabulary("xlm-roberta"), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=70, max_position_embeddings=42, type_vocab_size=1, layer_norm_eps=1e-5),
            add_pooling_layer=False),
        "distilbert": DistilBertModel(DistilBertConfig(
            vocab_size=vocabulary("distilbert"), dim=24, n_layers=2, n_heads=3, hidden_dim=50,
            max_position_embeddings=40))}


def write_json(folder, name, value):
    (OUT / folder / name).parent.mkdir(parents=True, exist_ok=True)
    (OUT / folder / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def randomize(name, tensor):
    """Scaled so that attention is neither flat nor on one token, and norms and biases count."""
    if "LayerNorm.weight" in name or "layer_norm.weight" in name:
        return 1 + 0.2 * torch.randn_like(tensor)
    if name.endswith("bias"):
        return 0.1 * torch.randn_like(tensor)
    return (0.5 if "embeddings" in name else 1.3 / tensor.shape[1] ** 0.5) * torch.randn_like(tensor)


def weights():
    torch.manual_seed(7)
    for name, model in models().items():
        tensors = {k: randomize(k, v) for k, v in model.state_dict().items() if v.is_floating_point()}
        if name != "xlm-roberta":
            tensors = {k: v.half() for k, v in tensors.items()}
        else:
            tensors = {"roberta." + k: v for k, v in tensors.items()}
        config = {k: v for k, v in model.config.to_diff_dict().items()
                  if k not in ("transformers_version", "dtype", "torch_dtype")}
        write_json(name, "config.json", {**config, "model_type": name})
        save_file(tensors, OUT / name / "model.safetensors")
    write_json("bert", "1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    write_json("xlm-roberta", "1_Pooling/config.json", {"pooling_mode": "cls"})
    write_json("xlm-roberta", "config_sentence_transformers.json",
               {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": None})
    write_json("distilbert", "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": False})
    write_json("distilbert", "2_Dense/config.json", {
        "in_features": 24, "out_features": 16, "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh"})
    save_file({"linear.weight": torch.randn(16, 24) / 24 ** 0.5, "linear.bias": 0.1 * torch.randn(16)},
              OUT / "distilbert/2_Dense/model.safetensors")


def load(name):
    """The weights as they are in the file, in float32, behind transformers' arithmetic."""
    model = models()[name]
    tensors = {k.removeprefix("roberta."): v.float() for k, v in load_file(OUT / name / "model.safetensors").items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected and all("position_ids" in k for k in missing), (missing, unexpected)
    return model.eval()


def golden():
    result = {"texts": TEXTS}
    for name, tokenizer in TOKENIZERS.items():
        model = load(name)
        split = Tokenizer.from_file(str(HERE / "token_ids" / tokenizer / "tokenizer.json"))
        split.encode_special_tokens = True
        split.no_padding()
        split.enable_truncation(12 if name == "distilbert" else 40)
        ids = [split.encode(QUERY.get(name, "") + text).ids for text in TEXTS]
        vectors, states = [], None
        for one in ids:
            with torch.no_grad():
                hidden = model(input_ids=torch.tensor([one]), output_hidden_states=True).hidden_states
            v = hidden[-1][0][0] if name == "xlm-roberta" else hidden[-1][0].mean(0)
            if name == "distilbert":
                dense = load_file(OUT / name / "2_Dense/model.safetensors")
                v = torch.tanh(dense["linear.weight"] @ v + dense["linear.bias"])
            vectors.append((v / v.norm()).tolist())
            states = states or [h[0].flatten().tolist() for h in hidden]
        result[name] = {"ids": ids, "vectors": rounded(vectors), "states": rounded(states)}
    (OUT / "golden.json").write_text(json.dumps(result) + "\n")


def rounded(rows):
    return [[round(x, 6) for x in row] for row in rows]


def compare(folder, peel):
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(1)
    texts = TEXTS + ["cat in a park", "I am so tired of mondays", "お誕生日おめでとう 🎉", "a", " hello   WORLD  ",
                     "let's go get a beer after work, shall we? " * 12]
    wanted = SentenceTransformer(folder, device="cpu").encode_query(texts, batch_size=1, normalize_embeddings=True)
    path = pathlib.Path(folder).resolve()
    for precision in ("fp32", "bf16", "int8"):
        found = [json.loads(subprocess.run(
            [peel, "embed", "--models-dir", str(path.parent), "--model", path.name, "--precision", precision, "--text",
             text], capture_output=True, check=True).stdout) for text in texts]
        found = np.array(found, dtype=np.float32)
        print(f"{precision}: largest difference {np.abs(found - wanted).max():.1e}, "
              f"least cosine {(found * wanted).sum(1).min():.6f}")


if sys.argv[1:2] == ["compare"]:
    compare(*sys.argv[2:])
else:
    if sys.argv[1:] == ["weights"]:
        weights()
    golden()
