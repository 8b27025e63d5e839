"""Exact match by kind on held-out scenes, with the image, with it wholly blurred, and with none: `python -m training.evaluate`.

Judges the exported weights.
"""

import argparse
import json
from multiprocessing import get_context

import numpy as np
import torch
from PIL import Image, ImageFilter

from . import tokens
from .evidence import FOLDER as EVIDENCE
from .generate import answer_greedily
from .questions import BLIND, KINDS, ask
from .weights import from_onnx
from .world import reduced, scene

SEED = 2


def views(image: Image.Image) -> dict[str, np.ndarray]:
    """The picture, its blur (as the paper's baseline: all but its colour is gone) and two ways of having none."""
    small = reduced(image)
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(96)).resize((96, 96), Image.BICUBIC))
    mean = np.broadcast_to(small.reshape(-1, 3).mean(0).round(), small.shape)
    return {"image": small, "blurred": blurred, "black": np.zeros_like(small), "mean": mean}


def judge(index: int) -> list[tuple[str, str, bool, str, str, str]]:
    """(view, kind, exact, question, reference, answer) of each question on each view of a held-out scene."""
    drawn, rng = scene(SEED, index)
    items = [item for kind in KINDS if (item := ask(kind, drawn, rng))]
    found = []
    for view, pixels in views(drawn.image).items():
        tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32))[None] / 127.5 - 1
        for item, answer in zip(items, answer_greedily(_model, tensor, [i.question for i in items])):
            exact = answer == tokens.answer_ids(item.answer)
            found.append((view, item.kind, exact, item.question, item.answer, tokens.load().decode(answer).strip()))
    return found


def judge_evidence() -> float:
    """Exact match on the scenes of test/evidence, as their files hold them."""
    scenes = json.loads((EVIDENCE / "evidence.json").read_text())["scenes"]
    exact = 0
    for s in scenes:
        pixels = np.array(reduced(Image.open(EVIDENCE / s["file"]).convert("RGB")), np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        exact += answer_greedily(_model, torch.from_numpy(pixels), [s["question"]])[0] == tokens.answer_ids(s["answer"])
    return exact / len(scenes)


def _start() -> None:
    global _model
    torch.set_num_threads(1)
    _model = from_onnx(tokens.FOLDER)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers")
    o = parser.parse_args()
    with get_context("spawn").Pool(o.processes, _start) as pool:
        judged = sum(pool.imap(judge, range(o.scenes), chunksize=10), [])

    def share(view: str, kinds) -> str:
        exact = [e for v, k, e, *_ in judged if v == view and k in kinds]
        return f"{100 * sum(exact) / max(1, len(exact)):.1f}"

    names = ["image", "blurred", "black", "mean"]
    print("| kind | questions | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    seeing = [k for k in KINDS if k not in BLIND]
    for name, kinds in [*((k, [k]) for k in KINDS), ("all", KINDS), ("all that need the image", seeing)]:
        count = sum(v == "image" and k in kinds for v, k, *_ in judged)
        print(f"| {name} | {count} | " + " | ".join(share(v, kinds) for v in names) + " |")
    _start()
    print(f"\ntest/evidence: {100 * judge_evidence():.1f}")
    for view, kind, exact, *texts in [j for j in judged if j[0] == "image" and not j[2]][: o.wrong]:
        print(kind, *texts, sep=" | ")


if __name__ == "__main__":
    main()
