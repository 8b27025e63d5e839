"""Write test/reference/pocket.json, PyTorch's log probabilities and gradients on evidence scenes: `python -m training.reference pocket`.

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

from .. import tokens
from ..evidence import FOLDER as EVIDENCE
from ..weights import from_onnx
from ..world import reduced

FILE = Path(__file__).parents[2] / "test" / "reference" / "pocket.json"
KINDS = ["relation", "reading", "describe"]
BASELINE = -0.3


def packed(values) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def main() -> None:
    torch.set_num_threads(1)
    model = from_onnx(tokens.FOLDER).double().requires_grad_(False)
    scenes = json.loads((EVIDENCE / "evidence.json").read_text())["scenes"]
    chosen = [next(s for s in scenes if s["kind"] == kind) for kind in KINDS]
    random = np.random.default_rng(0).random((32, 32), np.float32)
    cases = []
    for number, s in enumerate(chosen):
        small = np.asarray(reduced(Image.open(EVIDENCE / s["file"]).convert("RGB")), np.float64)
        pixels = torch.from_numpy(small.transpose(2, 0, 1)[None].copy()) / 127.5 - 1
        prompt, answer = tokens.prompt(s["question"]), tokens.answer_ids(s["answer"])
        ids = torch.tensor([prompt + answer])
        weights = torch.tensor([1 / (1 + i % 3) for i in range(len(answer))], dtype=torch.float64)

        x = pixels.clone().requires_grad_()
        log_p = model.answer_log_probabilities(x, ids, len(prompt))
        (weights * log_p).sum().backward()
        gradient = x.grad[0].numpy().reshape(-1)
        sample = np.linspace(0, gradient.size - 1, 200).astype(int)
        case = {
            "file": s["file"], "question": s["question"], "answer": s["answer"], "prompt_ids": prompt, "answer_ids": answer,
            "pixel_values": [[int(i), round(float(pixels.reshape(-1)[i]), 7)] for i in sample],
            "log_p": log_p.tolist(), "weights": weights.tolist(), "gradient_norm": float(np.linalg.norm(gradient)),
        }
        # The whole gradient of the first case; of the others every 13th value, to keep the file small.
        stride = 1 if number == 0 else 13
        case |= {"gradient_stride": stride, "gradient": packed(gradient[::stride]), "masks": []}
        for name, values in [("ones", np.ones((32, 32))), ("random", random)]:
            mask = torch.from_numpy(np.asarray(values, np.float64))[None, None].requires_grad_()
            up = F.interpolate(mask, (96, 96), mode="bilinear", align_corners=False)
            log_p = model.answer_log_probabilities(pixels * up + BASELINE * (1 - up), ids, len(prompt))
            (weights * log_p).sum().backward()
            case["masks"].append({"mask": name, "log_p": log_p.tolist(), "gradient": packed(mask.grad[0, 0].numpy())})
        cases.append(case)
    files = ["vision_encoder", "embed_tokens", "decoder_model_merged"]
    out = {
        "about": "PyTorch float64 from the exported weights; score = sum of weights * log_p; pixels = image * up(mask) + baseline * (1 - up(mask)), "
                 "up = bilinear 32 to 96, align_corners false; arrays are base64 little-endian float32, channel-major; gradient holds every gradient_stride-th value",
        "sha256": {f"{n}.onnx": hashlib.sha256((tokens.FOLDER / "onnx" / f"{n}.onnx").read_bytes()).hexdigest() for n in files},
        "baseline": BASELINE, "random_mask": packed(random), "cases": cases,
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(out, separators=(",", ":")) + "\n")

