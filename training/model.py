"""`pocket`: LLaVA-1.5's shape. A vision encoder, an MLP projector and a causal Llama-like decoder.

Shapes: b batch, n image tokens, s sequence, d width, v vocabulary. A view is what one encoder is shown of each picture of a batch.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


# Block and head of the decoder that learn to look from a name to what it names.
FINDER = (1, 2)
# Block, from the last, and head that learn to look at an object before it is named.
POINTER = (-2, 4)


@dataclass(frozen=True)
class Config:
    vocab: int = 897
    image: int = 96
    patch: int = 8
    stem: tuple[int, int] = (32, 64)
    vision_width: int = 160
    vision_heads: int = 5
    vision_blocks: int = 3
    vision_mlp: int = 640
    width: int = 160
    heads: int = 5
    blocks: int = 4
    mlp: int = 432
    theta: float = 10000.0
    positions: int = 512
    eps: float = 1e-5

    @property
    def grid(self) -> int:
        return self.image // self.patch

    @property
    def tokens(self) -> int:
        return self.grid**2

    @property
    def head(self) -> int:
        return self.width // self.heads


# A decoder more than four times as large behind the same encoder. The smaller epsilon makes up for the mean over more channels (grow.py).
LARGE = Config(width=256, heads=8, blocks=7, mlp=704, eps=6.25e-6)


class Residual(nn.Module):
    """x + conv(gelu(conv(norm(x)))), channels last inside the norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.second(F.gelu(self.first(y)))


class VisionBlock(nn.Module):
    """Pre-norm self-attention over all image tokens, then a GELU MLP."""

    def __init__(self, c: Config):
        super().__init__()
        width = c.vision_width
        self.heads = c.vision_heads
        self.scale = (width // c.vision_heads) ** -0.5
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, c.vision_mlp)
        self.down = nn.Linear(c.vision_mlp, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = (t.view(b, n, self.heads, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(d, 2))
        weights = (q * self.scale @ k.transpose(2, 3)).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(b, n, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


def sinusoids(side: int, width: int) -> Tensor:
    """Where each patch lies, [side * side, width]: sines and cosines of its column, then of its row, at many frequencies."""
    frequency = 2 * torch.pi / side * 0.5 * 0.93 ** torch.arange(-24, width // 4 - 24)
    angle = (torch.arange(side) + 0.5)[:, None] * frequency
    line = torch.cat([angle.sin(), angle.cos()], 1)
    return torch.cat([line[None].expand(side, -1, -1), line[:, None].expand(-1, side, -1)], 2).reshape(side * side, width)


class Vision(nn.Module):
    """pixel_values [b, 3, 96, 96] -> image features [b, n, d]: what `project` makes of the last of the `stages`."""

    def __init__(self, c: Config):
        super().__init__()
        self.widths = (c.vision_width,)
        a, b = c.stem
        self.stem = nn.Sequential(
            nn.Conv2d(3, a, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1), Residual(b), Residual(b), nn.GELU(),
            nn.Conv2d(b, c.vision_width, 3, stride=2, padding=1),
        )
        self.position = nn.Parameter(0.5 * sinusoids(c.image // c.patch, c.vision_width))
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c.vision_blocks))
        self.norm = nn.LayerNorm(c.vision_width)
        self.projector = nn.Sequential(nn.Linear(c.vision_width, c.vision_width), nn.GELU(), nn.Linear(c.vision_width, c.width))

    def encode(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def stages(self, pixels: Tensor) -> list[Tensor]:
        """States [b, n, width] of each of the `widths` that training supervises; the last is projected."""
        return [self.encode(pixels)]

    def project(self, seen: Tensor) -> Tensor:
        return self.projector(seen)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(self.encode(pixels))


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        y = x.float() if x.dtype == torch.bfloat16 else x
        return (y * torch.rsqrt((y * y).mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding, in halves as Llama does. x [b, heads, s, head]; cos, sin [b, 1, s, head / 2]."""
    one, two = x.chunk(2, -1)
    return torch.cat([one * cos - two * sin, two * cos + one * sin], -1)


class Block(nn.Module):
    """Pre-norm attention with rotary positions, then SwiGLU."""

    def __init__(self, c: Config):
        super().__init__()
        self.heads = c.heads
        self.scale = c.head**-0.5
        self.norm1 = RMSNorm(c.width, c.eps)
        self.qkv = nn.Linear(c.width, 3 * c.width, bias=False)
        self.out = nn.Linear(c.width, c.width, bias=False)
        self.norm2 = RMSNorm(c.width, c.eps)
        self.gate_up = nn.Linear(c.width, 2 * c.mlp, bias=False)
        self.down = nn.Linear(c.mlp, c.width, bias=False)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated and scaled queries, rotated keys, and values, each [b, heads, s, head]."""
        b, s, d = x.shape
        q, k, v = (t.view(b, s, self.heads, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(d, 2))
        return rotate(q, cos, sin) * self.scale, rotate(k, cos, sin), v

    @staticmethod
    def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        mixed = (q @ k.transpose(2, 3) + bias).softmax(-1) @ v
        return mixed.transpose(1, 2).flatten(2)

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.out(mixed)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    """inputs_embeds [b, s, d] and a cache -> logits [b, s, v] and the grown cache. The output matrix is the embedding's."""

    def __init__(self, c: Config):
        super().__init__()
        self.embed = nn.Embedding(c.vocab, c.width)
        nn.init.normal_(self.embed.weight, 0, 0.02)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.blocks))
        self.norm = RMSNorm(c.width, c.eps)
        angles = c.theta ** (-torch.arange(0, c.head, 2).float() / c.head)
        angles = torch.arange(c.positions).float()[:, None] * angles
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def head(self, x: Tensor) -> Tensor:
        return self.norm(x) @ self.embed.weight.t()

    def rotary(self, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.cos[position_ids][:, None], self.sin[position_ids][:, None]

    def states(self, x: Tensor, attention_mask: Tensor, position_ids: Tensor, past: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """What `forward` returns, before the final norm and the output matrix."""
        cos, sin = self.rotary(position_ids)
        # Columns count from the left, so query i of s stands in column total - s + i.
        column = torch.cumsum(torch.ones_like(attention_mask), 1)
        allowed = (column[:, None, :] <= column[:, -x.shape[1] :, None]) & (attention_mask[:, None, :] > 0)
        bias = ((1 - allowed.to(x.dtype)) * -1e9)[:, None]
        present = []
        for i, block in enumerate(self.blocks):
            q, k, v = block.project(x, cos, sin)
            k, v = torch.cat([past[2 * i], k], 2), torch.cat([past[2 * i + 1], v], 2)
            present += [k, v]
            x = block.finish(x, block.attend(q, k, v, bias))
        return x, present

    def forward(self, x: Tensor, attention_mask: Tensor, position_ids: Tensor, past: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """`attention_mask` [b, past + s] is 1 where a token is; `past` holds key and value of each block in turn."""
        x, present = self.states(x, attention_mask, position_ids, past)
        return self.head(x), present


class States(NamedTuple):
    """What training supervises: `last` [b, t, d] at the questions' tokens, before the final norm; the `stages` of the encoder; `features`
    [b, n, d], the image tokens; `image` [b, n, d] these after the decoder's first block, `ranked` [b, n, d] after the finder's; `found` and `pointed`
    [b, t, p + n] the scores of the heads `FINDER` and `POINTER`; `after` [b, t, d] at the questions' tokens after its block, and `late` [b, t, d] before the last."""

    last: Tensor
    stages: list[Tensor]
    features: Tensor
    image: Tensor
    ranked: Tensor
    found: Tensor
    pointed: Tensor
    after: Tensor
    late: Tensor


class Pocket(nn.Module):
    def __init__(self, c: Config = Config()):
        super().__init__()
        self.config = c
        self.vision = Vision(c)
        self.decoder = Decoder(c)

    def stages(self, views: list[Tensor], learning: Tensor) -> list[Tensor]:
        """The stages of the encoder; `learning` [b] or [b * tiles] says from which views it learns, where that can be chosen."""
        return self.vision.stages(*views)

    def apart(self, features: Tensor) -> Tensor:
        """Projected features in which the views of a picture can be told apart."""
        return features

    def join(self, features: Tensor) -> Tensor:
        """Image tokens [b, n, d] of these."""
        return features

    def image(self, views: list[Tensor]) -> Tensor:
        """Image tokens [b, n, d] of the views of pictures."""
        return self.join(self.apart(self.vision(*views)))

    def packed(self, views: list[Tensor], learning: Tensor, prefix: Tensor, tokens: Tensor, position_ids: Tensor, bias: Tensor) -> States:
        """Many questions on one image in one sequence, each of which sees the image and itself only.

        prefix [p]; tokens, position_ids [b, t]; bias [b, 1, t, p + n + t].
        """
        stages = self.stages(views, learning)
        features = self.join(self.apart(self.vision.project(stages[-1])))
        b, d = features.shape[0], self.decoder
        image = torch.cat([d.embed(prefix).expand(b, -1, -1), features], 1)
        m = image.shape[1]
        x = torch.cat([image, d.embed(tokens)], 1)
        whole = torch.arange(m, device=tokens.device).expand(b, -1)
        cos, sin = d.rotary(torch.cat([whole, position_ids], 1))
        causal = torch.full((m, m), -1e9, dtype=x.dtype).triu(1)
        for i, block in enumerate(d.blocks[:-1]):
            q, k, v = block.project(x, cos, sin)
            if i == FINDER[0]:
                found = q[:, FINDER[1], m:] @ k[:, FINDER[1], :m].transpose(1, 2)
            if i == len(d.blocks) + POINTER[0]:
                pointed = q[:, POINTER[1], m:] @ k[:, POINTER[1], :m].transpose(1, 2)
            mixed = torch.cat([block.attend(q[:, :, :m], k[:, :, :m], v[:, :, :m], causal), block.attend(q[:, :, m:], k, v, bias)], 1)
            x = block.finish(x, mixed)
            if i == 0:
                placed = x[:, len(prefix) : m]
            if i == FINDER[0]:
                ranked, after = x[:, len(prefix) : m], x[:, m:]
        last = d.blocks[-1]
        q, k, v = last.project(x, cos, sin)
        end = last.finish(x[:, m:], last.attend(q[:, :, m:], k, v, bias))
        return States(end, stages, features, placed, ranked, found, pointed, after, x[:, m:])

    def empty(self, batch: int) -> list[Tensor]:
        """A cache of length 0."""
        c = self.config
        return [torch.zeros(batch, c.heads, 0, c.head, dtype=self.decoder.embed.weight.dtype) for _ in range(2 * c.blocks)]

    def merge(self, input_ids: Tensor, features: Tensor, image_id: int = 4) -> Tensor:
        """Embeddings of a prompt with its image tokens overwritten by the image's features, in order."""
        x = self.decoder.embed(input_ids)
        at = int((input_ids[0] == image_id).nonzero()[0, 0])
        return torch.cat([x[:, :at], features, x[:, at + features.shape[1] :]], 1)

    def answer_log_probabilities(self, views: list[Tensor], input_ids: Tensor, answer_start: int) -> Tensor:
        """log p of each token of `input_ids` [1, s] from `answer_start` on, given the views of the image and all before it."""
        s, d = input_ids.shape[1], self.decoder
        x = self.merge(input_ids, self.image(views))[:, :-1]
        states, _ = d.states(x, torch.ones(1, s - 1, dtype=torch.int64), torch.arange(s - 1)[None], self.empty(1))
        logits = d.head(states[:, answer_start - 1 :])
        return logits.log_softmax(-1).gather(2, input_ids[:, answer_start:, None])[0, :, 0]
