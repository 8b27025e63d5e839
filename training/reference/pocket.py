"""Write test/reference/<model>.json of each pocket model: `python -m training.reference pocket`.

PyTorch's log probabilities and gradients on evidence scenes that suit the model, and its greedy answers to more of them.

Computed in float64 from the weights of the exported graphs. Arrays are base64 of little-endian float32.
"""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .. import tokens
from ..evidence import SETS
from ..generate import answer_greedily
from ..sight import Sight
from ..variants import MODELS, VARIANTS, trained

FOLDER = Path(__file__).parents[2] / "test" / "reference"
KINDS = ["relation", "reading", "describe"]
BASELINE = -0.3
# Scenes whose greedy answers are kept
ANSWERS = 20


def packed(values) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def write(name: str) -> None:
    sight, model = VARIANTS[name].sight, trained(name)
    evidence = next(e for e in reversed(SETS) if e.model == name or e.scale in sight.scales)
    scenes = json.loads((evidence.folder / "evidence.json").read_text())["scenes"]

    def views(s: dict) -> list[Tensor]:
        image = Image.open(evidence.folder / s["file"]).convert("RGB")
        return [torch.from_numpy(view.transpose(0, 3, 1, 2).astype(np.float64)) / 127.5 - 1 for view in sight.looks(image)]

    answers = [
        {"file": s["file"], "question": s["question"], "answer_ids": answer_greedily(model, [v.float() for v in views(s)], [s["question"]])[0]}
        for s in scenes[:ANSWERS]
    ]
    model = model.double().requires_grad_(False)
    chosen = [next(s for s in scenes if s["kind"] == kind) for kind in KINDS]
    random = np.random.default_rng(0).random((32, 32), np.float32)
    cases = []
    for number, s in enumerate(chosen):
        shown = views(s)
        prompt, answer = tokens.prompt(s["question"], model.config.tokens), tokens.answer_ids(s["answer"])
        ids = torch.tensor([prompt + answer])
        weights = torch.tensor([1 / (1 + i % 3) for i in range(len(answer))], dtype=torch.float64)

        x = [view.clone().requires_grad_() for view in shown]
        log_p = model.answer_log_probabilities(x, ids, len(prompt))
        (weights * log_p).sum().backward()
        gradient = np.concatenate([view.grad.numpy().reshape(-1) for view in x])
        flat = np.concatenate([view.numpy().reshape(-1) for view in shown])
        sample = np.linspace(0, gradient.size - 1, 200).astype(int)
        case = {
            "file": s["file"], "question": s["question"], "answer": s["answer"], "prompt_ids": prompt, "answer_ids": answer,
            "pixel_values": [[int(i), round(float(flat[i]), 7)] for i in sample],
            "log_p": log_p.tolist(), "weights": weights.tolist(), "gradient_norm": float(np.linalg.norm(gradient)),
        }
        # The whole gradient of the first case, where it has no more than 30,000 values; of the others every 13th, to keep the file small.
        stride = 1 if number == 0 and gradient.size <= 30_000 else 13
        case |= {"gradient_stride": stride, "gradient": packed(gradient[::stride]), "masks": []}
        for kind, values in [("ones", np.ones((32, 32))), ("random", random)]:
            mask = torch.from_numpy(np.asarray(values, np.float64))[None, None].requires_grad_()
            covered = [view * up + BASELINE * (1 - up) for view, up in zip(shown, masks_of(sight, mask))]
            log_p = model.answer_log_probabilities(covered, ids, len(prompt))
            (weights * log_p).sum().backward()
            case["masks"].append({"mask": kind, "log_p": log_p.tolist(), "gradient": packed(mask.grad[0, 0].numpy())})
        cases.append(case)
    files = sorted(path.name for path in (MODELS / name / "onnx").glob("*.onnx"))
    out = {
        "about": "PyTorch float64 from the exported weights; score = sum of weights * log_p; pixels = image * up(mask) + baseline * (1 - up(mask)), "
                 "up = bilinear from 32 to the picture that a view is cut from, align_corners false; arrays are base64 little-endian float32, view by "
                 "view and channel-major; gradient holds every gradient_stride-th value",
        "sha256": {n: hashlib.sha256((MODELS / name / "onnx" / n).read_bytes()).hexdigest() for n in files},
        "evidence": evidence.name, "baseline": BASELINE, "random_mask": packed(random), "cases": cases, "answers": answers,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def masks_of(sight: Sight, mask: Tensor) -> list[Tensor]:
    """The mask [1, 1, 32, 32] as each view has it: [pictures, 1, side, side]."""
    def resized(side: int) -> Tensor:
        return F.interpolate(mask, (side, side), mode="bilinear", align_corners=False)

    ups = [resized(side) for side in sight.views]
    if k := sight.tiles:
        side = sight.views[0]
        tiles = resized(k * side).reshape(k, side, k, side).transpose(1, 2).reshape(k * k, 1, side, side)
        ups[0] = torch.cat([ups[0], tiles])
    return ups


def main() -> None:
    torch.set_num_threads(1)
    for name in VARIANTS:
        if (MODELS / name).exists():
            write(name)
