"""Time PyTorch's forward pass and gradient on `pocket`: `python -m training.bench_gradient models/pocket input.json --threads 1`.

input.json: {"pixel_values": path of 3x96x96 raw float32, "input_ids": [...prompt and answer], "answer_start": index of the answer's first
token}. The gradient is that of the sum of the answer's log p with respect to the pixels. Prints JSON, medians in milliseconds.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from .model import Pocket
from .weights import from_onnx


def median(run, count: int) -> float:
    for _ in range(5):
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return round(statistics.median(times), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=30)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    given = json.loads(o.input.read_text())
    pixels = torch.from_numpy(np.fromfile(o.input.parent / given["pixel_values"], np.float32).reshape(1, 3, 96, 96))
    ids = torch.tensor([given["input_ids"]])
    model = from_onnx(Pocket(), o.folder).requires_grad_(False)

    def forward() -> None:
        with torch.no_grad():
            model.answer_log_probabilities([pixels], ids, given["answer_start"])

    def gradient() -> None:
        x = pixels.clone().requires_grad_()
        model.answer_log_probabilities([x], ids, given["answer_start"]).sum().backward()

    print(json.dumps({"torchForwardMs": median(forward, o.runs), "torchGradientMs": median(gradient, o.runs), "threads": o.threads,
                      "torch": torch.__version__, "tokens": ids.shape[1], "answerTokens": ids.shape[1] - given["answer_start"]}))


if __name__ == "__main__":
    main()
