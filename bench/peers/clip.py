#!/usr/bin/env python3
"""Other runtimes on a CLIP model: PyTorch, and onnxruntime in fp32 and in int8 by its dynamic quantisation. Times are
the least of several runs: on one thread of the process's CPU, so that what else the machine does costs little; on two
threads of the clock.
    clip.py export DIR OUT      writes OUT/text-fp32.onnx, OUT/image-int8.onnx and so on
    clip.py measure DIR OUT [THREADS]     adds to OUT/NAME.txt: "text_8_threads_1 5.7", milliseconds; up to 1 or 2 (2)
Needs torch, transformers, onnx, onnxscript and onnxruntime."""
import pathlib
import sys
import time

import onnxruntime
import torch
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection

TEXTS, IMAGES = (8, 77), (1, 16)


class Only(torch.nn.Module):
    """The vector alone."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)[0]


def load(folder):
    return [Only(kind.from_pretrained(folder)).eval() for kind in (CLIPTextModelWithProjection, CLIPVisionModelWithProjection)]


def text(n):
    return torch.tensor([[49406] + list(range(300, 298 + n)) + [49407]])


def images(n):
    return (torch.arange(n * 3 * 224 * 224) * 7919 % 4096 / 1024 - 2).reshape(n, 3, 224, 224)


def export(folder, out):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    shapes = ({1: torch.export.Dim("length", min=2, max=77)}, {0: torch.export.Dim("n", min=1, max=64)})
    for name, model, example, shape in zip(("text", "image"), load(folder), (text(8), images(2)), shapes):
        path = str(out / f"{name}-fp32.onnx")
        torch.onnx.export(model, (example,), path, input_names=["x"], dynamic_shapes=(shape,), dynamo=True, external_data=False)
        quantize_dynamic(path, out / f"{name}-int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])


def least(call, clock, runs, seconds=1.5):
    best, start, n = 1e9, time.perf_counter(), 0
    while n < 3 or (n < runs and time.perf_counter() - start < seconds):
        t = clock()
        call()
        best, n = min(best, clock() - t), n + 1
    return best * 1000


def measure(name, out, threads, encode_text, encode_images):
    clock = time.process_time if threads == 1 else time.perf_counter
    with open(out / f"{name}.txt", "a") as f:
        for n in TEXTS if threads == 1 else ():
            f.write(f"text_{n}_threads_1 {least(lambda x=text(n): encode_text(x), clock, 100):.4f}\n")
        for n in IMAGES:
            f.write(f"image_{n}_threads_{threads} {least(lambda x=images(n): encode_images(x), clock, 20):.4f}\n")


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    s = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: s.run(None, {"x": x.numpy()})


def main(verb, folder, out, most=2):
    out = pathlib.Path(out)
    if verb == "export":
        return export(folder, out)
    for threads in range(1, int(most) + 1):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            measure("PyTorch", out, threads, *load(folder))
        for kind in ("fp32", "int8"):
            measure(f"onnxruntime-{kind}", out, threads,
                    *(session(str(out / f"{name}-{kind}.onnx"), threads) for name in ("text", "image")))


main(*sys.argv[1:])
