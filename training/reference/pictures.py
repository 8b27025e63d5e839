"""The pictures of the families' references: test/reference/pictures. Drawn from numbers alone, so that they are the same everywhere."""

from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parents[2] / "test" / "reference" / "pictures"
SIZES = {"landscape": (180, 110), "portrait": (90, 150), "tiny": (21, 16)}  # width, height


def draw(name: str) -> Image.Image:
    """A coloured slope with a bright box, a dark disc and some grain, none of them in the middle."""
    width, height = SIZES[name]
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    picture = np.stack([40 + 150 * x, 60 + 120 * y, 180 - 100 * x * y], -1)
    picture[(x > 0.6) & (x < 0.85) & (y > 0.15) & (y < 0.4)] = [250, 235, 60]
    picture[(x - 0.25) ** 2 + (y - 0.65) ** 2 < 0.03] = [30, 20, 90]
    grain = np.random.default_rng(list(SIZES).index(name)).normal(0, 6, picture.shape)
    return Image.fromarray(np.clip(picture + grain, 0, 255).round().astype(np.uint8))


def load(name: str) -> Image.Image:
    """The picture as the tests read it, from its file; drawn where there is none."""
    file = FOLDER / f"{name}.png"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        draw(name).save(file, optimize=True)
    return Image.open(file).convert("RGB")
