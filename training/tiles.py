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


def told_apart(features: Tensor, view: Tensor) -> Tensor:
    """Features [b * v, n, d] to which each of the `view`s of a picture [v, 1, d] adds a vector of its own."""
    return (features.unflatten(0, (-1, len(view))) + view).flatten(0, 1)


class Tiles(Pocket):
    """Its one view [b * (1 + tiles²), 3, 96, 96] holds of each picture the whole, then the tiles, line by line.

    `view` says where a tile lies, as Llama 3.2 Vision's tile embeddings do: to learn that from an image token's position alone takes a decoder
    of four blocks too long. Its image tokens are those of the whole, then the lines of the tiles' features, made as few as the whole's and each ended by `newline`.
    """

    def __init__(self, c: TilesConfig = TilesConfig()):
        super().__init__(c)
        self.newline = nn.Parameter(torch.randn(c.width) * 0.02)
        self.view = nn.Parameter(torch.randn(1 + c.tiles**2, 1, c.width) * 0.7)

    def stages(self, views: list[Tensor], learning: Tensor) -> list[Tensor]:
        (pixels,) = views
        if learning.all() or not learning.any():
            return [self.vision.encode(pixels)]
        seen = self.vision.encode(pixels[learning])
        with torch.no_grad():
            others = self.vision.encode(pixels[~learning])
        order = torch.cat([learning.nonzero(), (~learning).nonzero()])[:, 0]
        return [torch.cat([seen, others])[order.argsort()]]

    def apart(self, features: Tensor) -> Tensor:
        return told_apart(features, self.view)

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
