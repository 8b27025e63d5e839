"""Reference numbers for kernel/image, from Pillow, PyTorch and NumPy: python3 test/image/reference.py > test/image/reference.json"""

import hashlib
import json

import numpy as np
import PIL
import torch
from PIL import Image


def picture(width: int, height: int) -> np.ndarray:
    """Pixels that the test makes again: (i·i·7 + i·31 + (i>>3)·11) mod 256 over the bytes, row-major RGB."""
    i = np.arange(width * height * 3, dtype=np.int64)
    return ((i * i * 7 + i * 31 + (i >> 3) * 11) % 256).astype(np.uint8).reshape(height, width, 3)


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
SIZES = [((97, 61), (32, 24)), ((40, 30), (96, 96)), ((96, 96), (96, 48)), ((1, 7), (5, 5)), ((640, 360), (56, 56)),
         # Columns first, and just not.
         ((90, 150), (56, 56)), ((60, 120), (11, 20)), ((60, 120), (10, 20)), ((50, 60), (112, 112)), ((100, 100), (130, 99))]

resize = []
for (w, h), (tw, th) in SIZES:
    for name, number in FILTERS.items():
        out = np.asarray(Image.fromarray(picture(w, h)).resize((tw, th), number))
        resize.append({"from": [w, h], "to": [tw, th], "filter": name, "sha256": digest(out), "first": out.reshape(-1)[:6].tolist()})

masks = []
for (r, c), (h, w) in [((4, 5), (9, 12)), ((32, 32), (12, 10)), ((1, 3), (4, 4))]:
    mask = torch.arange(r * c, dtype=torch.float32).mul(37).remainder(11).div(10).reshape(1, 1, r, c)
    up = torch.nn.functional.interpolate(mask, size=(h, w), mode="bilinear", align_corners=False)
    masks.append({"mask": [r, c], "to": [h, w], "values": [round(v, 6) for v in up.flatten().tolist()]})


def blur(pixels: np.ndarray, kernel: int) -> np.ndarray:
    radius = (kernel - 1) // 2
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-(x**2) / (2.0 * (kernel - 1) ** 2))
    weights /= weights.sum()
    out = pixels.astype(np.float64)
    for axis in (0, 1):
        pad = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        out = np.apply_along_axis(lambda line: np.convolve(line, weights, "valid"), axis, np.pad(out, pad, mode="reflect"))
    return out


blurs = [{"size": [w, h], "kernel": k, "values": np.round(blur(picture(w, h), k)[::7, ::7].flatten(), 3).tolist()} for (w, h), k in [((96, 60), 39), ((30, 50), 13)]]

print(json.dumps({"pillow": PIL.__version__, "torch": torch.__version__, "resize": resize, "masks": masks, "blurs": blurs}))
