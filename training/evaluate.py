"""Exact match by kind on held-out scenes, with the image, with it wholly blurred, and with none: `python -m training.evaluate`."""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from . import tokens
from .export import load
from .generate import answer_greedily
from .questions import BLIND, KINDS, ask
from .world import reduced, scene

SEED = 2


def views(image: Image.Image) -> dict[str, np.ndarray]:
    """The picture, its blur (as the paper's baseline: all but its colour is gone) and two ways of having none."""
    small = reduced(image)
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(96)).resize((96, 96), Image.BICUBIC))
    mean = np.broadcast_to(small.reshape(-1, 3).mean(0).round(), small.shape)
    return {"image": small, "blurred": blurred, "black": np.zeros_like(small), "mean": mean}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=None)
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--image-only", action="store_true")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    model = load(o.checkpoint)
    right = defaultdict(lambda: defaultdict(list))
    wrong = []
    for index in range(o.scenes):
        drawn, rng = scene(SEED, index)
        items = [item for kind in KINDS if (item := ask(kind, drawn, rng))]
        for view, pixels in views(drawn.image).items():
            if o.image_only and view != "image":
                continue
            tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32))[None] / 127.5 - 1
            for item, answer in zip(items, answer_greedily(model, tensor, [i.question for i in items])):
                exact = answer == tokens.answer_ids(item.answer)
                right[view][item.kind].append(exact)
                if view == "image" and not exact:
                    wrong.append((index, item.question, item.answer, tokens.load().decode(answer)))
    table = {}
    for view, kinds in right.items():
        row = {k: round(100 * float(np.mean(kinds[k])), 1) for k in KINDS if k in kinds}
        row["all"] = round(100 * float(np.mean(sum(kinds.values(), []))), 1)
        row["needs image"] = round(100 * float(np.mean(sum((v for k, v in kinds.items() if k not in BLIND), []))), 1)
        table[view] = row
    counts = {k: len(v) for k, v in right["image"].items()}
    print("| | questions | " + " | ".join(table) + " |")
    for kind in [*KINDS, "all", "needs image"]:
        n = counts.get(kind, sum(v for k, v in counts.items() if kind == "all" or k not in BLIND))
        print(f"| {kind} | {n} | " + " | ".join(str(table[v].get(kind, "")) for v in table) + " |")
    for line in wrong[:40]:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
