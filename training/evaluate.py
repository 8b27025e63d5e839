"""Exact match by kind on held-out scenes, with the image, with it wholly blurred, and with none: `python -m training.evaluate --model pocket`.

Judges the exported weights. `--small`: on scenes with small objects, and also on what the whole picture at 96x96 px tells of them. `--mixed`:
every other scene has small objects. A model with two encoders is also judged with the view of either blurred, one with tiles with the tiles or
the whole picture blurred.
"""

import argparse
import json
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from . import tokens
from .evidence import SETS
from .export import load
from .generate import answer_greedily
from .questions import BLIND, KINDS, ask
from .sight import Sight
from .variants import VARIANTS, trained
from .world import SMALL, reduced, scene

SEED = 2
# Scales of the scenes, in turn
SCENES = {"usual": (1,), "small": (SMALL,), "mixed": (1, SMALL)}
BLURRED = ["low blurred", "high blurred"]
TILED = ["whole blurred", "tiles blurred"]


def parts(sight: Sight) -> list[str]:
    """The looks of which one part of what the model sees is blurred."""
    return BLURRED if len(sight.views) == 2 else TILED if sight.tiles else []


def looks(image: Image.Image, sight: Sight) -> dict[str, list[np.ndarray]]:
    """What the encoders take of the picture, of its blur (as the paper's baseline: all but its colour is gone), of two ways of having none, of
    the picture from 96x96 px; and of the picture with one of `parts` blurred."""
    mean = tuple(int(v) for v in reduced(image).reshape(-1, 3).mean(0).round())
    pictures = {
        "image": image, "blurred": image.filter(ImageFilter.GaussianBlur(image.width / 2)), "black": Image.new("RGB", image.size),
        "mean": Image.new("RGB", image.size, mean), "from 96 px": Image.fromarray(reduced(image)).resize(image.size, Image.BICUBIC),
    }
    views = {name: sight.pixel_values(picture) for name, picture in pictures.items()}
    if len(sight.views) == 2:
        (low, high), (blurred_low, blurred_high) = views["image"], views["blurred"]
        views |= dict(zip(BLURRED, ([blurred_low, high], [low, blurred_high])))
    if sight.tiles:
        (seen,), (blurred,) = views["image"], views["blurred"]
        views |= dict(zip(TILED, ([np.concatenate([blurred[:1], seen[1:]])], [np.concatenate([seen[:1], blurred[1:]])])))
    return views


def judge(asked: tuple[int, int, list[str]]) -> list[tuple[str, str, bool, str, str, str]]:
    """(look, kind, exact, question, reference, answer) of each question on some looks of the held-out scene (index, scale)."""
    index, scale, names = asked
    drawn, rng = scene(SEED, index, scale)
    items = [item for kind in KINDS if (item := ask(kind, drawn, rng))]
    views = looks(drawn.image, _variant.sight)
    found = []
    for look in names:
        pixels = [torch.from_numpy(view) for view in views[look]]
        for item, answer in zip(items, answer_greedily(_model, pixels, [i.question for i in items])):
            exact = answer == tokens.answer_ids(item.answer)
            found.append((look, item.kind, exact, item.question, item.answer, tokens.load().decode(answer).strip()))
    return found


def judge_evidence(folder: Path) -> float:
    """Exact match on the scenes of an evidence folder, as their files hold them."""
    scenes = json.loads((folder / "evidence.json").read_text())["scenes"]
    exact = 0
    for s in scenes:
        image = Image.open(folder / s["file"]).convert("RGB")
        pixels = [torch.from_numpy(view) for view in _variant.sight.pixel_values(image)]
        exact += answer_greedily(_model, pixels, [s["question"]])[0] == tokens.answer_ids(s["answer"])
    return exact / len(scenes)


def _start(name: str, checkpoint: bool) -> None:
    global _model, _variant
    torch.set_num_threads(1)
    _variant = VARIANTS[name]
    _model = load(name) if checkpoint else trained(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=VARIANTS, default="pocket")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--small", dest="which", action="store_const", const="small", default="usual", help="scenes with small objects")
    which.add_argument("--mixed", dest="which", action="store_const", const="mixed", help="every other scene with small objects")
    parser.add_argument("--looks", nargs="+", help="only these of the table's columns")
    parser.add_argument("--checkpoint", action="store_true", help="judge the weights as training left them, before they are stored")
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers")
    o = parser.parse_args()
    scales = SCENES[o.which]
    names = ["image", "blurred", "black", "mean", *(["from 96 px"] if o.which == "small" else [])]
    names = o.looks or names + parts(VARIANTS[o.model].sight)
    with get_context("spawn").Pool(o.processes, _start, (o.model, o.checkpoint)) as pool:
        judged = sum(pool.imap(judge, [(i, scales[i % len(scales)], names) for i in range(o.scenes)], chunksize=10), [])

    def share(view: str, kinds) -> str:
        exact = [e for v, k, e, *_ in judged if v == view and k in kinds]
        return f"{100 * sum(exact) / len(exact):.1f}" if exact else "–"

    print("| kind | questions | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    seeing = [k for k in KINDS if k not in BLIND]
    for name, kinds in [*((k, [k]) for k in KINDS), ("all", KINDS), ("all that need the image", seeing)]:
        count = sum(v == names[0] and k in kinds for v, k, *_ in judged)
        print(f"| {name} | {count} | " + " | ".join(share(v, kinds) for v in names) + " |")
    _start(o.model, o.checkpoint)
    print()
    for evidence in (e for e in SETS if e.scale in scales):
        print(f"{evidence.folder.name}: {100 * judge_evidence(evidence.folder):.1f}")
    for view, kind, exact, *texts in [j for j in judged if j[0] == names[0] and not j[2]][: o.wrong]:
        print(kind, *texts, sep=" | ")


if __name__ == "__main__":
    main()
