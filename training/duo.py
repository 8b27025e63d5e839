"""`pocket-duo`: two encoders of different kind and resolution, fused, as in Mini-Gemini and Cambrian-1.

The low view, 96x96 px, goes through pocket's stem and first two ViT blocks; the high view, 192x192 px, through a ConvNet. Both end in 12x12
cells, so that cell and cell meet. The fusion adds what the ConvNet saw to the ViT's states, attends over the whole, and projects.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .model import Config, Decoder, Pocket, Vision, VisionBlock


@dataclass(frozen=True)
class DuoConfig(Config):
    # Of the ViT blocks, those that the low view's encoder keeps; the fusion has the others and one more.
    vision_blocks: int = 2
    fusion_blocks: int = 2
    fusion_mlp: int = 320
    high_image: int = 192
    high_patch: int = 16
    # Of each stage: width, units of the MLP, number of blocks
    high_stages: tuple[tuple[int, int, int], ...] = ((160, 480, 2), (256, 768, 3))


class ConvNeXtBlock(nn.Module):
    """x + mlp(norm(depthwise 7x7 convolution of x)) (Liu et al. 2022, section 2). x [b, d, rows, columns]."""

    def __init__(self, width: int, mlp: int):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, mlp)
        self.down = nn.Linear(mlp, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.down(F.gelu(self.up(y))).permute(0, 3, 1, 2)


class HighVision(nn.Module):
    """pixel_values [b, 3, 192, 192] -> [b, 144, 256]: pocket's stem to cells of 8 px, then ConvNeXt stages of 8 and of 16 px."""

    def __init__(self, c: DuoConfig):
        super().__init__()
        self.stem = Vision(c).stem
        (first, mlp, count), (second, wide, more) = c.high_stages
        self.fine = nn.Sequential(*(ConvNeXtBlock(first, mlp) for _ in range(count)))
        self.reduce = nn.Conv2d(first, second, 2, stride=2)
        self.coarse = nn.Sequential(*(ConvNeXtBlock(second, wide) for _ in range(more)))
        self.norm = nn.LayerNorm(second)

    def stages(self, pixels: Tensor) -> list[Tensor]:
        """States of the cells of 8 px [b, 576, 160] and of 16 px [b, 144, 256]."""
        x = self.fine(self.stem(pixels.contiguous(memory_format=torch.channels_last)))
        return [x.flatten(2).transpose(1, 2), self.norm(self.coarse(self.reduce(x)).flatten(2).transpose(1, 2))]

    def forward(self, pixels: Tensor) -> Tensor:
        return self.stages(pixels)[-1]


class LowVision(nn.Module):
    """pixel_values [b, 3, 96, 96] -> [b, 144, 160]: pocket's stem and first ViT blocks."""

    def __init__(self, c: DuoConfig):
        super().__init__()
        whole = Vision(c)
        self.stem, self.position, self.blocks = whole.stem, whole.position, whole.blocks

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return x


class Fusion(nn.Module):
    """low [b, 144, 160], high [b, 144, 256] -> `fuse` [b, 144, 160]; `forward` also projects them into the decoder's space."""

    def __init__(self, c: DuoConfig):
        super().__init__()
        low, high = c.vision_width, c.high_stages[-1][0]
        self.norm_low = nn.LayerNorm(low)
        self.mix = nn.Sequential(nn.Linear(low + high, c.fusion_mlp), nn.GELU(), nn.Linear(c.fusion_mlp, low))
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c.fusion_blocks))
        self.norm = nn.LayerNorm(low)
        self.projector = nn.Sequential(nn.Linear(low, low), nn.GELU(), nn.Linear(low, c.width))

    def fuse(self, low: Tensor, high: Tensor) -> Tensor:
        x = low + self.mix(torch.cat([self.norm_low(low), high], 2))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        return self.projector(self.fuse(low, high))


class DuoVision(nn.Module):
    """Two views of the picture, [b, 3, 96, 96] and [b, 3, 192, 192] -> image features [b, 144, d]."""

    def __init__(self, c: DuoConfig):
        super().__init__()
        self.widths = (*(width for width, _, _ in c.high_stages), c.vision_width)
        self.low, self.high, self.fusion = LowVision(c), HighVision(c), Fusion(c)

    def stages(self, low: Tensor, high: Tensor) -> list[Tensor]:
        fine, seen = self.high.stages(high)
        return [fine, seen, self.fusion.fuse(self.low(low), seen)]

    def project(self, seen: Tensor) -> Tensor:
        return self.fusion.projector(seen)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        return self.fusion(self.low(low), self.high(high))


class Duo(Pocket):
    def __init__(self, c: DuoConfig = DuoConfig()):
        nn.Module.__init__(self)
        self.config = c
        self.vision = DuoVision(c)
        self.decoder = Decoder(c)


@torch.no_grad()
def doubled(pocket: Pocket) -> Duo:
    """A model with a second encoder, which nothing reads yet, that answers as `pocket` does."""
    duo = Duo()
    vision, old = duo.vision, pocket.vision
    duo.decoder.load_state_dict(pocket.decoder.state_dict())
    vision.low.load_state_dict({n: old.state_dict()[n] for n in vision.low.state_dict()})
    vision.high.stem.load_state_dict(old.stem.state_dict())
    fusion, kept = vision.fusion, len(vision.low.blocks)
    nn.init.zeros_(fusion.mix[2].weight)
    nn.init.zeros_(fusion.mix[2].bias)
    inherited = old.blocks[kept:]
    for new, block in zip(fusion.blocks, inherited):
        new.load_state_dict(block.state_dict())
    for new in fusion.blocks[len(inherited) :]:
        for last in (new.out, new.down):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    fusion.norm.load_state_dict(old.norm.state_dict())
    fusion.projector.load_state_dict(old.projector.state_dict())
    return duo.eval()
