#!/usr/bin/env python3
"""Makes tests/golden/token_ids/: four small tokenizers, trained on what tokenizer_texts.py writes, the texts to
compare on, and their ids as Hugging Face's `tokenizers` finds them. Needs tokenizers, sentencepiece and protobuf.
    make_tokenizers.py [train]      without `train` the ids only

texts.json holds the texts; NAME/ids.txt their ids, a line a text. pipelines.json: other normalizers and pre-tokenizers
around the vocabulary of `unigram`, and the ids of every tenth text.
    uncased   WordPiece in a tokenizer.json, as BERT's uncased models
    cased     WordPiece in a vocab.txt and a tokenizer_config.json
    unigram   Unigram in a tokenizer.json, with a small charsmap of our own rules, as bge-m3's
    xlmr      Unigram in a sentencepiece.bpe.model, with SentencePiece's own nmt_nfkc charsmap, as XLM-RoBERTa's
"""
import io
import json
import pathlib
import string
import sys
import tempfile
import unicodedata

from check_tokenizers import plain, reference
from tokenizer_texts import SENTENCES, texts

OUT = pathlib.Path(__file__).resolve().parent / "token_ids"
EACH = 22  # texts per script
CORPUS = SENTENCES * 3 + [text for text in texts(3, seed=2) if text.isprintable()]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def wordpiece(lower):
    from tokenizers import BertWordPieceTokenizer, processors
    made = BertWordPieceTokenizer(lowercase=lower)
    made.train_from_iterator(CORPUS, vocab_size=4000, min_frequency=1, limit_alphabet=1500, special_tokens=BERT,
                             show_progress=False)
    vocab = made.get_vocab()
    made.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    return made, sorted(vocab, key=vocab.get)


def rules():
    """A subset of NFKC, blanks and SentencePiece's rules for marks, as its TSV: code points, tab, code points."""
    some = [*range(0xA0, 0x180), *range(0x1E9B, 0x1E9C), *range(0x2000, 0x2070), *range(0x2100, 0x2190),
            *range(0x2460, 0x2480), *range(0x3000, 0x3001), *range(0x3131, 0x3164), *range(0x3300, 0x3320),
            *range(0xFB00, 0xFB50), *range(0xFDFA, 0xFDFC), *range(0xFF01, 0xFFA0), *range(0x1D400, 0x1D440),
            *range(0x2F800, 0x2F820)]
    lines = ["200B\t20", "200E\t", "AD\t", "9\t20", "A\t20", "7F\t", "1\t", "65 301\tE9", "41 30A\tC5", "915 93C\t958"]
    for c in some:
        to = unicodedata.normalize("NFKC", chr(c))
        if to != chr(c):
            lines.append(f"{c:X}\t" + " ".join(f"{ord(x):X}" for x in to))
    return "\n".join(sorted(set(lines))) + "\n"


def sentencepiece(**more):
    import sentencepiece as spm
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=model, model_type="unigram",
                                   vocab_size=3500, hard_vocab_limit=False, character_coverage=0.985,
                                   minloglevel=2, num_threads=1, **more)
    return model.getvalue()


def train():
    from sentencepiece import sentencepiece_model_pb2
    for name in ("uncased", "cased", "unigram", "xlmr"):
        (OUT / name).mkdir(parents=True, exist_ok=True)
    made, _ = wordpiece(True)
    made.save(str(OUT / "uncased/tokenizer.json"), pretty=False)
    _, vocab = wordpiece(False)
    (OUT / "cased/vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    (OUT / "cased/tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "model_max_length": 64}) + "\n")
    (OUT / "xlmr/sentencepiece.bpe.model").write_bytes(sentencepiece(normalization_rule_name="nmt_nfkc"))
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        tsv.write(rules())
        tsv.flush()
        model = sentencepiece(normalization_rule_tsv=tsv.name)
    path = OUT / "unigram/sentencepiece.bpe.model"
    path.write_bytes(model)
    root = reference(path.parent)
    path.unlink()
    root["normalizer"] = {"type": "Sequence", "normalizers": [
        root["normalizer"], {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}
    root["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    root["padding"] = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1,
                       "pad_type_id": 0, "pad_token": "<pad>"}
    root["truncation"] = {"direction": "Right", "max_length": 48, "strategy": "LongestFirst", "stride": 0}
    (path.parent / "tokenizer.json").write_text(json.dumps(root, ensure_ascii=False) + "\n", encoding="utf-8")
    (OUT / "texts.json").write_text(json.dumps(texts(EACH), indent=0) + "\n")


def pipelines():
    replace = lambda kind, pattern, to: {"type": "Replace", "pattern": {kind: pattern}, "content": to}
    strip = lambda left, right: {"type": "Strip", "strip_left": left, "strip_right": right}
    meta = lambda scheme, split=True: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
    punctuation = lambda behavior: {"type": "Punctuation", "behavior": behavior}
    steps = lambda *more: {"type": "Sequence", "normalizers": list(more)}
    splits = lambda *more: {"type": "Sequence", "pretokenizers": list(more)}
    nfc, nfd, nfkc, nfkd, nmt, lower, accents = ({"type": t} for t in (
        "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents"))
    return [
        (None, None),
        (nfc, splits(punctuation("Contiguous"), meta("always"))),
        (nfd, splits(punctuation("MergedWithNext"), {"type": "WhitespaceSplit"}, meta("always"))),
        (steps(nmt, nfkc, lower, {"type": "Prepend", "prepend": "▁"}), meta("never")),
        (steps(nfkd, accents, replace("String", "a", "aé"), steps(strip(True, True))),
         splits(punctuation("MergedWithPrevious"), {"type": "WhitespaceSplit"}, meta("first"))),
        (steps(nfkd, strip(True, False), replace("Regex", " {2,}", " ")), meta("first", False)),
        (steps(replace("String", "e", ""), *(replace("String", c, f" {c} ") for c in string.punctuation),
               replace("Regex", r"\s+", " "), strip(True, True)), meta("always", False)),
        (steps(nfkc, replace("Regex", r"\s+", "-")), splits(punctuation("Isolated"), meta("first"))),
        ({"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": True,
          "lowercase": False}, splits({"type": "BertPreTokenizer"}, meta("always"))),
        ({"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": False,
          "lowercase": True}, splits(punctuation("Removed"), {**meta("never"), "add_prefix_space": False})),
    ]


def main():
    if sys.argv[1:] == ["train"]:
        train()
    every = json.loads((OUT / "texts.json").read_text())
    for folder in sorted(p for p in OUT.iterdir() if p.is_dir()):
        tokenizer = plain(reference(folder))
        lines = [" ".join(map(str, tokenizer.encode(text).ids)) + "\n" for text in every]
        (folder / "ids.txt").write_text("".join(lines))
    out = []
    for normalizer, pre_tokenizer in pipelines():
        root = reference(OUT / "unigram")
        root.update(normalizer=normalizer, pre_tokenizer=pre_tokenizer)
        tokenizer = plain(root)
        out.append({"normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
                    "ids": [" ".join(map(str, tokenizer.encode(text).ids)) for text in every[::10]]})
    (OUT / "pipelines.json").write_text(json.dumps(out, indent=0) + "\n")


main()
