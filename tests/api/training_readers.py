"""Reads a folder of peel export as the programs do that it is for, and prints what they found as JSON; test_export.py compares. What is
called webdataset needs webdataset, the rest sentence-transformers, datasets, open_clip_torch and torchvision."""

import glob
import json
import os
import sys
import types

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HOME"] = os.path.join(os.getcwd(), ".hf")  # below the export, which is deleted with the test
SPLITS = ("train", "dev", "test")


def of_datasets(kind, **more):
    import datasets

    files = {split: path for split in SPLITS if os.path.getsize(path := more["name"].format(split))}
    return {split: datasets.load_dataset(kind, data_files={split: path}, split=split) for split, path in files.items()}


def texts():
    import torch
    from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

    found = of_datasets("json", name="{}.jsonl")
    collate = SentenceTransformerDataCollator(preprocess_fn=lambda texts, **_: {"lengths": torch.tensor([len(text) for text in texts])})
    columns = set()
    for part in found.values():
        batch = collate([part[i] for i in range(len(part))])
        columns.add(tuple(name.removesuffix("_lengths") for name in batch if name.endswith("_lengths")))
        assert batch["anchor_lengths"].tolist() == [len(text) for text in part["anchor"]]
    assert len(columns) == 1, columns
    return {"rows": {split: len(found.get(split, [])) for split in SPLITS}, "columns": list(columns.pop())}


def shards():
    return {split: found for split in SPLITS if (found := sorted(glob.glob(f"{split}-*.tar")))}


def webdataset():
    import webdataset

    rows, captions = dict.fromkeys(SPLITS, 0), []
    for split, files in shards().items():
        for image, text, facts in webdataset.WebDataset(files, shardshuffle=False).decode().to_tuple("jpg;png;webp", "txt", "json"):
            assert image[:4] in (b"\x89PNG", b"RIFF", b"\xff\xd8\xff\xe0") and facts["query"] == text
            rows[split] += 1
            captions.append(text)
    return {"rows": rows, "captions": sorted(captions)}


def open_clip():
    from open_clip_train.data import get_wds_dataset

    rows = {split: json.load(open("manifest.json"))["rows"][split] for split in SPLITS}
    for split, files in shards().items():
        args = types.SimpleNamespace(train_data=None, val_data="::".join(files), val_num_samples=rows[split], batch_size=2, workers=0, seed=0,
                                     world_size=1, dataset_resampled=False, train_data_upsampling_factors=None, train_num_samples=None)  # fmt: skip
        data = get_wds_dataset(args, lambda image: _tensor(image), is_train=False, tokenizer=lambda text: [len(text)])
        rows[split] = sum(len(batch[1]) for batch in data.dataloader)
    return {"rows": rows}


def _tensor(image):
    import torch

    return torch.zeros(3) + image.convert("RGB").size[0]


def tsv():
    from open_clip_train.data import CsvDataset

    captions = []
    for split in SPLITS:
        data = CsvDataset(f"{split}.tsv", _tensor, img_key="filepath", caption_key="title", sep="\t", tokenizer=lambda texts: texts)
        captions += [data[i][1] for i in range(len(data))]
    return {"captions": sorted(captions)}


def imagefolder():
    import datasets

    rows = dict.fromkeys(SPLITS, 0)
    for split in SPLITS:
        if os.path.getsize(f"{split}/metadata.jsonl"):
            part = datasets.load_dataset("imagefolder", data_dir=split, split="train")
            assert all(row["image"].size[0] > 0 and row["captions"][0] == row["text"] for row in part)
            rows[split] = len(part)
    return {"rows": rows}


read = {"pairs": texts, "triplets": texts, "webdataset": webdataset, "open_clip": open_clip, "tsv": tsv, "imagefolder": imagefolder}[sys.argv[1]]
os.chdir(sys.argv[2])
print(json.dumps(read()))
