"""Write test/evidence: 200 held-out scenes, each with one question and the objects on which its answer rests: `python -m training.evidence`.

Byte for byte the same whenever it is run with the versions that training/README.md names.
"""

import json
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from .questions import BLIND, KINDS, ask
from .world import SIZE, Scene, scene

FOLDER = Path(__file__).parent.parent / "test" / "evidence"
SEED = 3
COUNT = 200
KNOWLEDGE = 30


def runs(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a boolean mask in row-major order, the first of zeros (and so perhaps 0)."""
    flat = mask.reshape(-1).tolist()
    lengths = [len(list(group)) for _, group in groupby(flat)]
    return [0, *lengths] if flat[0] else lengths


def kinds() -> list[str]:
    """The kind of each scene's question: 30 of knowledge, the others evenly, one after the other."""
    seeing = [k for k in KINDS if k not in BLIND]
    order = [seeing[i % len(seeing)] for i in range(COUNT - KNOWLEDGE)]
    for i in range(KNOWLEDGE):
        order.insert(round(i * COUNT / KNOWLEDGE) + 3, "knowledge")
    return order


def palette(image: Image.Image) -> Image.Image:
    """The picture in 256 colours, for small files; it is this that the model is shown."""
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)


def scenes():
    """(index, scene, item) of each evidence scene."""
    index = 0
    for kind in kinds():
        while True:
            drawn, rng = scene(SEED, index)
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


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (index, drawn, item) in enumerate(scenes()):
        name = f"{number:03}.png"
        palette(drawn.image).save(FOLDER / name, optimize=True)
        lines.append(json.dumps({
            "file": name, "seed": [SEED, index], "kind": item.kind, "question": item.question, "answer": item.answer,
            "needsImage": item.kind not in BLIND, "background": drawn.colour, "evidence": item.evidence,
            "words": [{"text": t, "start": a, "end": b, "objects": ids} for t, a, b, ids in item.words],
            "objects": objects(drawn),
        }, separators=(",", ":")))
    head = json.dumps({"width": SIZE, "height": SIZE, "model": "pocket", "count": COUNT})[1:-1]
    (FOLDER / "evidence.json").write_text("{" + head + ',"scenes":[\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
