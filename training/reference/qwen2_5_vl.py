"""Qwen2.5-VL: Qwen2-VL with attention within windows in most layers of the encoder, and RMS norms there."""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from . import qwen2_vl

NAME = "qwen2_5_vl"


def config(special: dict[str, int], vocabulary: int) -> dict:
    return qwen2_vl.config(special, vocabulary) | {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl",
        "vision_config": {
            # Windows of 2 × 2 merged patches: the pictures have windows that are full and some that are not.
            "depth": 3, "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "in_chans": 3,
            "out_hidden_size": 64, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14, "window_size": 56,
            "fullatt_block_indexes": [1], "tokens_per_second": 2, "temporal_patch_size": 2, "model_type": "qwen2_5_vl",
        },
    }


def windows(grid: torch.Tensor, merge: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The order that puts merged patches of one window together, and the number of each one's window in that order; for one picture.
    @param side merged patches along a window's side
    """
    time, height, width = grid[0][0], grid[0][1] // merge, grid[0][2] // merge
    # transformers pads by a whole window where none is needed; empty windows hold nothing.
    down, across = side - height % side, side - width % side
    index = torch.arange(time * height * width).reshape(time, height, width)
    padded = F.pad(index, (0, across, 0, down), "constant", -100)
    shape = (time, (height + down) // side, side, (width + across) // side, side)
    padded = padded.reshape(shape).permute(0, 1, 3, 2, 4).reshape(-1)
    number = torch.arange(padded.shape[0]) // (side * side)
    there = padded != -100
    return padded[there], number[there]


class Vision(nn.Module):
    """The encoder with a grid that is an input of the graph, for one picture."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = qwen2_vl.patched(visual)

    def forward(self, pixel_values, image_grid_thw):
        visual = self.visual
        unit = visual.spatial_merge_unit
        side = visual.window_size // visual.spatial_merge_size // visual.patch_size
        order, number = windows(image_grid_thw, visual.spatial_merge_size, side)
        hidden = visual.patch_embed(pixel_values)
        length = hidden.shape[0]
        hidden = visual.permute_input_for_window_attn(hidden, order, seq_len=length)
        cos_sin = visual.rotary_pos_emb(hidden, qwen2_vl.patch_positions(image_grid_thw, visual.spatial_merge_size))
        positions = tuple(visual.permute_input_for_window_attn(part, order, seq_len=length) for part in cos_sin)
        frames = torch.arange(length) // (image_grid_thw[0][1] * image_grid_thw[0][2])
        within = number[:, None].expand(-1, unit).reshape(-1)
        for depth, block in enumerate(visual.blocks):
            segments = frames if depth in visual.fullatt_block_indexes else within
            hidden = block(hidden, cu_seqlens=segments, position_embeddings=positions)
        return visual.merger(hidden)[torch.argsort(order)]


def main() -> None:
    qwen2_vl.build(
        NAME, config, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, Vision, "image_grid_thw", seed=1,
    )
