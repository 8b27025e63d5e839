"""A larger model that starts as the smaller one: the same logits, and room to learn (Net2Net, Chen et al. 2016).

New channels of the residual stream are zero at first: nothing writes to them, but everything reads from them with small random weights, so
that whatever is written there has a gradient. New heads and new units of an MLP read with random weights and write with zeros; so do new
blocks. RMSNorm divides by the mean over all channels, new ones included, for which its weights and epsilon make up.
"""

import torch
from torch import Tensor, nn

from .model import Block, Config, Pocket

# Which block of the smaller decoder each block of the larger one starts as; None: as the identity. The head that finds what a name names
# stays in the second block, and the last block the last.
ORIGIN = (0, 1, None, 2, None, None, 3)


def into(new: Tensor, old: Tensor, parts: int = 1) -> None:
    """Copy a matrix into the upper left corner of each of the equal parts, one below the other, that a larger one consists of."""
    rows, columns = old.shape[0] // parts, old.shape[1]
    new.view(parts, -1, new.shape[1])[:, :rows, :columns] = old.view(parts, rows, columns)


def widen_block(new: Block, old: Block, scale: float) -> None:
    columns = old.out.weight.shape[0]
    for norm, before in ((new.norm1, old.norm1), (new.norm2, old.norm2)):
        norm.weight.fill_(scale)
        norm.weight[:columns] = before.weight * scale
    into(new.qkv.weight, old.qkv.weight, 3)
    into(new.gate_up.weight, old.gate_up.weight, 2)
    into(new.out.weight, old.out.weight)
    into(new.down.weight, old.down.weight)


@torch.no_grad()
def grow(small: Pocket, config: Config) -> Pocket:
    """A model of a larger decoder's configuration that answers exactly as `small`."""
    large = Pocket(config)
    old, new = small.decoder, large.decoder
    # sqrt(old channels / new channels)
    scale = (small.config.width / config.width) ** 0.5
    assert abs(config.eps - small.config.eps * scale**2) < 1e-12, "rms_norm_eps must shrink as the mean does"
    state = large.vision.state_dict()
    projector = {name for name in state if name.startswith("projector.2.")}
    large.vision.load_state_dict({n: torch.zeros_like(v) if n in projector else small.vision.state_dict()[n] for n, v in state.items()})
    into(large.vision.projector[2].weight, small.vision.projector[2].weight)
    large.vision.projector[2].bias[: small.config.width] = small.vision.projector[2].bias
    new.embed.weight.zero_()
    into(new.embed.weight, old.embed.weight)
    new.norm.weight.fill_(scale)
    new.norm.weight[: small.config.width] = old.norm.weight * scale
    for block, origin in zip(new.blocks, ORIGIN, strict=True):
        nn.init.zeros_(block.out.weight)
        nn.init.zeros_(block.down.weight)
        if origin is not None:
            widen_block(block, old.blocks[origin], scale)
    return large.eval()
