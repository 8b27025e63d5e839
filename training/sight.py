"""What a model is shown of a picture, and on which scenes it learns."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .world import INPUT, reduced


@dataclass(frozen=True)
class Sight:
    """Scenes of each of these scales in turn; views of so many px a side, one for each encoder, from low to high.

    `fine`: cells in each direction of a stage of an encoder with smaller cells than the image tokens', which is supervised too. With `tiles` the only encoder sees the whole picture, then the tiles of one so many times as wide and high, line by line. Of a share
    `hidden` of the scenes only the highest view shows anything.
    """

    scales: tuple[int, ...] = (1,)
    views: tuple[int, ...] = (INPUT,)
    tiles: int = 0
    fine: int = 0
    hidden: float = 0.0

    def looks(self, image: Image.Image) -> list[np.ndarray]:
        """Each view, [pictures, side, side, 3] uint8."""
        views = [reduced(image, side)[None] for side in self.views]
        if k := self.tiles:
            side = self.views[0]
            tiles = reduced(image, k * side).reshape(k, side, k, side, 3).swapaxes(1, 2).reshape(k * k, side, side, 3)
            views[0] = np.concatenate([views[0], tiles])
        return views

    def pixel_values(self, image: Image.Image) -> list[np.ndarray]:
        """Each view as its encoder takes it: [pictures, 3, side, side], from -1 to 1."""
        return [np.ascontiguousarray(view.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - np.float32(1) for view in self.looks(image)]
