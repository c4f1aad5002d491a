#!/usr/bin/env python3
"""Makes tests/golden/static/: three small static tables of random numbers in model2vec's format, and the vectors that
model2vec itself gives for some texts. Needs model2vec and numpy.
    make_static.py [weights]      without `weights` the vectors only

Each folder lacks a tokenizer.json; it is the one of a folder of token_ids/.
    plain    one float32 row a token, Unigram
    words    float16, WordPiece, texts of at most 6 tokens
    mapped   int8, tokens share rows and have weights, Unigram, texts of any length
"""
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
from model2vec import StaticModel
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "static"
TOKENIZERS = {"plain": "unigram", "words": "uncased", "mapped": "unigram"}
CONFIGS = {"plain": {"normalize": False}, "words": {"normalize": True, "max_length": 6},
           "mapped": {"normalize": True, "max_length": None}}
TEXTS = ["a cat in a park", "Happy birthday!", "the quick brown fox jumps over the lazy dog and runs far away",
         "Größe und Übermut", "cat 𒀀 dog", "unbelievable", "3,14 %", "[CLS] is no token here", "a a a a a a a a a a",
         "tired of mondays, coffee please " * 20]


def weights():
    rng = np.random.default_rng(5)
    for name, tokenizer in TOKENIZERS.items():
        vocab = json.loads((HERE / "token_ids" / tokenizer / "tokenizer.json").read_text())["model"]["vocab"]
        if name == "plain":
            tensors = {"embeddings": rng.standard_normal((len(vocab), 16), dtype=np.float32)}
        elif name == "words":
            tensors = {"embeddings": rng.standard_normal((len(vocab), 12), dtype=np.float32).astype(np.float16)}
        else:
            tensors = {"embeddings": rng.integers(-127, 128, (90, 20), dtype=np.int8),
                       "mapping": rng.integers(0, 90, len(vocab), dtype=np.int64),
                       "weights": rng.uniform(0.1, 2, len(vocab))}
        (OUT / name).mkdir(parents=True, exist_ok=True)
        save_file(tensors, OUT / name / "model.safetensors")
        config = {"model_type": "model2vec", "architectures": ["StaticModel"], **CONFIGS[name]}
        (OUT / name / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def main():
    if sys.argv[1:] == ["weights"]:
        weights()
    golden = {"texts": TEXTS}
    for name, tokenizer in TOKENIZERS.items():
        with tempfile.TemporaryDirectory() as folder:
            for file in (OUT / name / "model.safetensors", OUT / name / "config.json",
                         HERE / "token_ids" / tokenizer / "tokenizer.json"):
                shutil.copy(file, folder)
            model = StaticModel.from_pretrained(folder)
            # what users type is never a control token (src/tokenize/tokenizer.h)
            model.tokenizer.encode_special_tokens = True
            model.median_token_length = 10000  # and is cut by tokens only (src/model/static_table.h)
            vectors = model.encode(TEXTS, use_multiprocessing=False).astype(np.float64)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        golden[name] = [[round(float(x), 7) for x in v] for v in vectors]
    lines = ",\n".join(f"{json.dumps(k)}: [\n" + ",\n".join(json.dumps(x) for x in v) + "]" for k, v in golden.items())
    (OUT / "golden.json").write_text("{" + lines + "}\n")


main()
