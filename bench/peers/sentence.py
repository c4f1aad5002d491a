#!/usr/bin/env python3
"""PyTorch and onnxruntime (fp32, and int8 by its dynamic quantisation) on a model of texts, one thread: the least times.
    sentence.py DIR OUT      writes OUT/torch.txt, OUT/onnx.txt, OUT/onnx-int8.txt: lines "text_8 1.6" in milliseconds
Needs torch, transformers, onnx, onnxscript and onnxruntime."""
import pathlib
import sys
import time

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoModel

LENGTHS = (4, 8, 16, 32, 64, 128)


class Mean(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.nn.functional.normalize(hidden.mean(1))


def least(call):
    best, start, n = 1e9, time.perf_counter(), 0
    while n < 5 or (n < 400 and time.perf_counter() - start < 1.5):
        t = time.perf_counter()
        call()
        best, n = min(best, time.perf_counter() - t), n + 1
    return best * 1000


def write(path, times):
    path.write_text("".join(f"text_{n} {ms:.3f}\n" for n, ms in times.items()))


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main(folder, out):
    out = pathlib.Path(out)
    torch.set_num_threads(1)
    model = Mean(AutoModel.from_pretrained(folder, attn_implementation="eager")).eval()
    inputs = {n: (torch.arange(1, n + 1)[None] * 131 % 30000, torch.ones(1, n, dtype=torch.int64)) for n in LENGTHS}
    with torch.inference_mode():
        write(out / "torch.txt", {n: least(lambda: model(*inputs[n])) for n in LENGTHS})
    length = torch.export.Dim("length", min=2, max=256)
    torch.onnx.export(model, inputs[8], str(out / "fp32.onnx"), input_names=["ids", "mask"], output_names=["vector"],
                      dynamic_shapes={"ids": {1: length}, "mask": {1: length}}, dynamo=True, external_data=False)
    quantize_dynamic(out / "fp32.onnx", out / "int8.onnx", weight_type=QuantType.QInt8)
    for name in ("fp32", "int8"):
        s = session(str(out / f"{name}.onnx"))
        given = {n: {"ids": ids.numpy(), "mask": mask.numpy()} for n, (ids, mask) in inputs.items()}
        write(out / ("onnx.txt" if name == "fp32" else "onnx-int8.txt"), {n: least(lambda: s.run(None, given[n])) for n in LENGTHS})


main(*sys.argv[1:])
