#!/usr/bin/env python3
"""Compares build/release/bench/tokenize with Hugging Face's `tokenizers` on tokenizers that you have.
    check_tokenizers.py [--each N] DIR...      needs tokenizers; protobuf and sentencepiece for *.model
DIR holds tokenizer.json, vocab.txt (with tokenizer_config.json) or sentencepiece.bpe.model. Prints, per folder, how
many texts have equal ids. Control tokens in a text count as text: see plain()."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from tokenizer_texts import texts

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOWHERE = "\U0010fffe%d"  # how special pieces are spelled in the reference, so that no text finds them


def plain(root):
    """The tokenizer.json `root`, in which the spelling of a special token is as good as any other text."""
    special = {t["content"]: t["id"] for t in root["added_tokens"]}
    model = root["model"]
    model.setdefault("type", "Unigram" if isinstance(model["vocab"], list) else "WordPiece")
    rename = lambda s, i: NOWHERE % i if special.get(s) == i else s
    if model["type"] == "Unigram":
        model["vocab"] = [[NOWHERE % i if i in special.values() or i == model["unk_id"] else s, score]
                          for i, (s, score) in enumerate(model["vocab"])]
    else:
        special[model["unk_token"]] = model["vocab"][model["unk_token"]]
        model["vocab"] = {rename(s, i): i for s, i in model["vocab"].items()}
        model["unk_token"] = NOWHERE % special[model["unk_token"]]
    root.update(added_tokens=[], truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(root))


def around(tokenizer, start, end):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start[0]} $A {end[0]}", pair=None, special_tokens=[start, end])
    return tokenizer


def from_vocab(folder):
    config = folder / "tokenizer_config.json"
    config = json.loads(config.read_text()) if config.exists() else {}
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocab = {line.removesuffix("\r"): i for i, line in enumerate(lines if lines[-1] else lines[:-1])}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    lower = config.get("do_lower_case", True)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=config.get("tokenize_chinese_chars", True),
        strip_accents=config.get("strip_accents"), lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around(tokenizer, ("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"]))
    root = json.loads(tokenizer.to_str())
    root["added_tokens"] = [{"content": s, "id": vocab[s]} for s in ("[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]")]
    return root


def from_sentencepiece(path):
    """As transformers' XLMRobertaTokenizer makes it."""
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(path.read_bytes())
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocab += [(p.piece, p.score) for p in proto.pieces[3:]] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3))
    if proto.normalizer_spec.precompiled_charsmap:
        tokenizer.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme="always")])
    tokenizer.add_special_tokens([AddedToken(s, special=True) for s in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")])
    return json.loads(around(tokenizer, ("<s>", 0), ("</s>", 2)).to_str())


def reference(folder):
    if (folder / "tokenizer.json").exists():
        return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if (folder / "vocab.txt").exists():
        return from_vocab(folder)
    return from_sentencepiece(folder / "sentencepiece.bpe.model")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    all_texts = texts(args.each)
    lines = "".join(json.dumps(text) + "\n" for text in all_texts)
    bad = 0
    for folder in args.folders:
        tokenizer = plain(reference(folder))
        ours = subprocess.run([ROOT / "build/release/bench/tokenize", folder], input=lines, text=True, check=True,
                              stdout=subprocess.PIPE).stdout.split("\n")
        equal = 0
        for text, line in zip(all_texts, ours):
            want = tokenizer.encode(text).ids
            got = [int(i) for i in line.split()]
            equal += want == got
            if want != got and bad < 20:
                bad += 1
                print(f"  {json.dumps(text)[:200]}\n    expected {want[:20]}\n    found    {got[:20]}")
        print(f"{folder.name}: {equal} of {len(all_texts)} texts equal")
        bad += equal != len(all_texts)
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
