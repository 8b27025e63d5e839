"""Exact match by kind on held-out scenes, with the image, with it wholly blurred, and with none: `python -m training.evaluate --model pocket`.

Judges the exported weights. `--small`: on scenes with small objects, and also on what the whole picture at 96x96 px tells of them.
"""

import argparse
import json
from multiprocessing import get_context
from pathlib import Path

import torch
from PIL import Image, ImageFilter

from . import tokens
from .evidence import SETS
from .generate import answer_greedily
from .questions import BLIND, KINDS, ask
from .variants import VARIANTS, trained
from .world import SMALL, reduced, scene

SEED = 2
# Looks that are judged, by the scale of the scenes
NAMES = {1: ["image", "blurred", "black", "mean"], SMALL: ["image", "blurred", "black", "mean", "from 96 px"]}


def looks(image: Image.Image) -> dict[str, Image.Image]:
    """The picture, its blur (as the paper's baseline: all but its colour is gone), two ways of having none, and the picture from 96x96 px."""
    mean = tuple(int(v) for v in reduced(image).reshape(-1, 3).mean(0).round())
    return {
        "image": image, "blurred": image.filter(ImageFilter.GaussianBlur(image.width / 2)), "black": Image.new("RGB", image.size),
        "mean": Image.new("RGB", image.size, mean), "from 96 px": Image.fromarray(reduced(image)).resize(image.size, Image.BICUBIC),
    }


def judge(asked: tuple[int, int]) -> list[tuple[str, str, bool, str, str, str]]:
    """(look, kind, exact, question, reference, answer) of each question on each look of the held-out scene (index, scale)."""
    index, scale = asked
    drawn, rng = scene(SEED, index, scale)
    items = [item for kind in KINDS if (item := ask(kind, drawn, rng))]
    found = []
    for look, image in looks(drawn.image).items():
        if look not in NAMES[scale]:
            continue
        pixels = [torch.from_numpy(view) for view in _variant.sight.pixel_values(image)]
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


def _start(name: str) -> None:
    global _model, _variant
    torch.set_num_threads(1)
    _variant = VARIANTS[name]
    _model = trained(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=VARIANTS, default="pocket")
    parser.add_argument("--small", action="store_true", help="scenes with small objects")
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers")
    o = parser.parse_args()
    scale = SMALL if o.small else 1
    with get_context("spawn").Pool(o.processes, _start, (o.model,)) as pool:
        judged = sum(pool.imap(judge, [(i, scale) for i in range(o.scenes)], chunksize=10), [])

    def share(view: str, kinds) -> str:
        exact = [e for v, k, e, *_ in judged if v == view and k in kinds]
        return f"{100 * sum(exact) / max(1, len(exact)):.1f}"

    names = NAMES[scale]
    print("| kind | questions | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    seeing = [k for k in KINDS if k not in BLIND]
    for name, kinds in [*((k, [k]) for k in KINDS), ("all", KINDS), ("all that need the image", seeing)]:
        count = sum(v == "image" and k in kinds for v, k, *_ in judged)
        print(f"| {name} | {count} | " + " | ".join(share(v, kinds) for v in names) + " |")
    _start(o.model)
    evidence = next(e for e in SETS if e.scale == scale)
    print(f"\n{evidence.folder.name}: {100 * judge_evidence(evidence.folder):.1f}")
    for view, kind, exact, *texts in [j for j in judged if j[0] == "image" and not j[2]][: o.wrong]:
        print(kind, *texts, sep=" | ")


if __name__ == "__main__":
    main()
