"""`pocket-tiles`: pocket's encoder looks at the whole picture and at tiles of a larger one, as in LLaVA-OneVision."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .model import Config, Pocket


@dataclass(frozen=True)
class TilesConfig(Config):
    tiles: int = 2  # in each direction

    @property
    def tokens(self) -> int:
        return self.grid**2 + self.grid * (self.grid + 1)


class Tiles(Pocket):
    """Its one view [b * (1 + tiles²), 3, 96, 96] holds of each picture the whole, then the tiles, line by line.

    Its image tokens are those of the whole, then the lines of the tiles' features, made as few as the whole's and each ended by `newline`.
    """

    def __init__(self, c: TilesConfig = TilesConfig()):
        super().__init__(c)
        self.newline = nn.Parameter(torch.randn(c.width) * 0.02)

    def stages(self, views: list[Tensor], learning: Tensor) -> list[Tensor]:
        (pixels,) = views
        seen = self.vision.encode(pixels[learning])
        with torch.no_grad():
            others = self.vision.encode(pixels[~learning])
        order = torch.cat([learning.nonzero(), (~learning).nonzero()])[:, 0]
        return [torch.cat([seen, others])[order.argsort()]]

    def join(self, features: Tensor) -> Tensor:
        k, g = self.config.tiles, self.config.grid
        whole, tiles = features.unflatten(0, (-1, 1 + k * k)).split([1, k * k], 1)
        b, d = len(whole), features.shape[-1]
        grid = tiles.reshape(b, k, k, g, g, d).transpose(2, 3).reshape(b, k * g, k * g, d)
        # As transformers does: bilinear, without smoothing.
        lines = F.interpolate(grid.permute(0, 3, 1, 2), (g, g), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        ends = self.newline.expand(b, g, 1, d)
        return torch.cat([whole[:, 0], torch.cat([lines, ends], 2).reshape(b, g * (g + 1), d)], 1)


def tiled(pocket: Pocket) -> Tiles:
    """A model that sees with `pocket`'s encoder and speaks with its decoder, and has yet to learn to join what it sees."""
    tiles = Tiles()
    tiles.load_state_dict(pocket.state_dict(), strict=False)
    return tiles
