"""Write test/evidence and test/evidence-small: held-out scenes, each with one question and the objects on which its answer rests.

`python -m training.evidence` writes both, `python -m training.evidence evidence-small` one.

Byte for byte the same whenever it is run with the versions that training/README.md names.
"""

import json
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from .questions import BLIND, KINDS, ask
from .world import SIZE, SMALL, Scene, scene

SEED = 3


@dataclass(frozen=True)
class Evidence:
    """`model` is the one that the scenes suit; of `count` scenes `knowledge` need no look at the picture."""

    name: str
    model: str
    scale: int
    count: int
    knowledge: int

    @property
    def folder(self) -> Path:
        return Path(__file__).parent.parent / "test" / self.name


SETS = [Evidence("evidence", "pocket", 1, 200, 30), Evidence("evidence-small", "pocket-tiles", SMALL, 40, 4)]


def runs(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a boolean mask in row-major order, the first of zeros (and so perhaps 0)."""
    flat = mask.reshape(-1).tolist()
    lengths = [len(list(group)) for _, group in groupby(flat)]
    return [0, *lengths] if flat[0] else lengths


def kinds(e: Evidence) -> list[str]:
    """The kind of each scene's question: some of knowledge, the others evenly, one after the other."""
    seeing = [k for k in KINDS if k not in BLIND]
    order = [seeing[i % len(seeing)] for i in range(e.count - e.knowledge)]
    for i in range(e.knowledge):
        order.insert(round(i * e.count / e.knowledge) + 3, "knowledge")
    return order


def palette(image: Image.Image) -> Image.Image:
    """The picture in 256 colours, for small files; it is this that the model is shown."""
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)


def scenes(e: Evidence):
    """(index, scene, item) of each evidence scene."""
    index = 0
    for kind in kinds(e):
        while True:
            drawn, rng = scene(SEED, index, e.scale)
            index += 1
            item = ask(kind, drawn, rng)
            if item is not None:
                yield index - 1, drawn, item
                break


def objects(s: Scene) -> list[dict]:
    return [
        {"id": t.id, "name": t.name, "box": t.box, "size": t.size, **({"text": t.text} if t.text else {}), "mask": runs(s.owner == t.id)}
        for t in s.things
    ]


def write(e: Evidence) -> None:
    e.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (index, drawn, item) in enumerate(scenes(e)):
        name = f"{number:03}.png"
        palette(drawn.image).save(e.folder / name, optimize=True)
        lines.append(json.dumps({
            "file": name, "seed": [SEED, index] if e.scale == 1 else [SEED, index, e.scale], "kind": item.kind, "question": item.question, "answer": item.answer,
            "needsImage": item.kind not in BLIND, "background": drawn.colour, "evidence": item.evidence,
            "words": [{"text": t, "start": a, "end": b, "objects": ids} for t, a, b, ids in item.words],
            "objects": objects(drawn),
        }, separators=(",", ":")))
    head = json.dumps({"width": SIZE * e.scale, "height": SIZE * e.scale, "model": e.model, "count": e.count})[1:-1]
    (e.folder / "evidence.json").write_text("{" + head + ',"scenes":[\n' + ",\n".join(lines) + "\n]}\n")


def main() -> None:
    asked = sys.argv[1:]
    if unknown := set(asked) - {e.name for e in SETS}:
        sys.exit(f"no such evidence: {', '.join(sorted(unknown))}; there are {', '.join(e.name for e in SETS)}")
    for e in SETS:
        if not asked or e.name in asked:
            write(e)


if __name__ == "__main__":
    main()
