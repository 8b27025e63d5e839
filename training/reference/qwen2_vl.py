"""Qwen2-VL: flattened patches of a picture of any size, and positions along time, height and width."""

import types

import torch
from torch import nn
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.modeling_qwen2_vl import apply_rotary_pos_emb_vision

from . import layout, record, tokenizers

NAME = "qwen2_vl"
SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PREPROCESSOR = {
    # Bounds so low that one picture is scaled up to them, one down, and one is only rounded.
    "min_pixels": 56 * 56, "max_pixels": 20 * 28 * 28, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor",
}


class Processor(Qwen2VLProcessor):
    """Qwen's processor for pictures alone: that of videos needs torchvision."""

    def check_argument_for_proper_class(self, argument_name, argument):
        return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)


def tokenizer(folder):
    return tokenizers.save(
        folder, tokenizers.byte_level(SPECIALS), CHAT_TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        bos_token=None, unk_token=None,
    )


def config(special: dict[str, int], vocabulary: int) -> dict:
    """config.json as the Hub has it: the language model's fields lie at the top."""
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl",
        "bos_token_id": special["<|endoftext|>"], "eos_token_id": special["<|im_end|>"],
        "vision_start_token_id": special["<|vision_start|>"], "vision_end_token_id": special["<|vision_end|>"],
        "vision_token_id": special["<|vision_pad|>"], "image_token_id": special["<|image_pad|>"],
        "video_token_id": special["<|video_pad|>"], "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": 64,
        "intermediate_size": 96, "max_position_embeddings": 32768, "max_window_layers": 2, "num_attention_heads": 4,
        "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "sliding_window": 32768,
        "use_sliding_window": False, "tie_word_embeddings": False, "use_cache": True,
        "vision_config": {
            "depth": 2, "embed_dim": 32, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3, "hidden_size": 64, "patch_size": 14,
            "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2,
        },
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}, "vocab_size": vocabulary,
    }


def patch_positions(grid: torch.Tensor, merge: int) -> torch.Tensor:
    """Row and column of each patch, in the processor's order (blocks of merge × merge), of the one picture of a grid: [patches, 2]."""
    time, height, width = grid[0][0], grid[0][1], grid[0][2]
    shape = (height // merge, merge, width // merge, merge)
    rows = torch.arange(height)[:, None].expand(-1, width).reshape(shape).permute(0, 2, 1, 3).flatten()
    columns = torch.arange(width)[None].expand(height, -1).reshape(shape).permute(0, 2, 1, 3).flatten()
    return torch.stack([rows, columns], -1).repeat(time, 1)


def attention(self, hidden_states, cu_seqlens, position_embeddings, **_):
    """
    Attention within segments by a mask, in place of transformers' loop over segments, which a trace would freeze.
    @param cu_seqlens the number of each patch's segment
    """
    length = hidden_states.shape[0]
    q, k, v = self.qkv(hidden_states).reshape(length, 3, self.num_heads, -1).permute(1, 0, 2, 3).unbind(0)
    q, k = apply_rotary_pos_emb_vision(q, k, *position_embeddings)
    q, k, v = (part.transpose(0, 1) for part in (q, k, v))
    mask = torch.where(cu_seqlens[:, None] == cu_seqlens[None], 0.0, torch.finfo(torch.float32).min)
    weights = torch.softmax(q @ k.transpose(1, 2) * self.scaling + mask, -1)
    return self.proj((weights @ v).transpose(0, 1).reshape(length, -1))


def patched(visual: nn.Module) -> nn.Module:
    for block in visual.blocks:
        block.attn.forward = types.MethodType(attention, block.attn)
    return visual


class Vision(nn.Module):
    """The encoder with a grid that is an input of the graph, for one picture."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = patched(visual)

    def forward(self, pixel_values, grid_thw):
        visual = self.visual
        hidden = visual.patch_embed(pixel_values)
        positions = visual.rotary_pos_emb(hidden, patch_positions(grid_thw, visual.spatial_merge_size))
        frames = torch.arange(hidden.shape[0]) // (grid_thw[0][1] * grid_thw[0][2])
        for block in visual.blocks:
            hidden = block(hidden, cu_seqlens=frames, position_embeddings=positions)
        return visual.merger(hidden)


class Masks:
    """Qwen's language models take one mask for each kind of layer."""

    def __call__(self, attention_mask, length):
        return {"full_attention": layout.additive_mask(attention_mask, length)}


def example_grid(grid: str) -> tuple[dict, dict]:
    """Inputs of a trace, and their dynamic axes."""
    inputs = {"pixel_values": torch.randn(6 * 4, 3 * 2 * 14 * 14), grid: torch.tensor([[1, 6, 4]])}
    axes = {"pixel_values": {0: "patches"}, grid: {0: "images"}, "image_features": {0: "features"}}
    return inputs, axes


def extend(inputs, answer):
    zeros = torch.zeros_like(answer)
    return {
        "input_ids": torch.cat([inputs["input_ids"], answer], 1),
        "mm_token_type_ids": torch.cat([inputs["mm_token_type_ids"], zeros.to(inputs["mm_token_type_ids"].dtype)], 1),
    }


def build(name, make_config, model_class, config_class, vision, grid, seed, about=""):
    """A tiny checkpoint of Qwen2-VL or Qwen2.5-VL: files, graphs, record."""
    folder = record.ROOT / name
    known = tokenizer(folder)
    special = {token: known.convert_tokens_to_ids(token) for token in SPECIALS}
    written = make_config(special, len(known))
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", PREPROCESSOR)
    ends = [special["<|im_end|>"], special["<|endoftext|>"]]
    layout.write_json(folder, "generation_config.json", {"eos_token_id": ends, "pad_token_id": special["<|endoftext|>"]})
    model = model_class._from_config(config_class(**written), attn_implementation="eager")
    model.generation_config.eos_token_id = ends
    layout.randomise(model, seed)
    processor = Processor(Qwen2VLImageProcessorPil(**PREPROCESSOR), known, None, chat_template=CHAT_TEMPLATE)

    def positions(inputs):
        return model.model.get_rope_index(inputs["input_ids"], inputs["mm_token_type_ids"], inputs["image_grid_thw"])[0]

    def planar(gradient, inputs):
        """Both frames show the picture."""
        (_, down, across), patch, merge = inputs["image_grid_thw"][0].tolist(), 14, 2
        parts = gradient.reshape(down // merge, across // merge, merge, merge, 3, 2, patch, patch).sum(5)
        return parts.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, down * patch, across * patch)

    runs = record.record(name, model, processor, extend=extend, planar=planar, positions=positions, about=about)
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    decoder = layout.Decoder(model.model.language_model, model.lm_head, Masks())
    layout.trace_decoder(folder, decoder, model.config.text_config, axes_of_positions=3)
    inputs, axes = example_grid(grid)
    layout.trace_vision(folder, vision(model.model.visual), inputs, axes)
    record.check_graphs(name, runs, special["<|image_pad|>"], rename={"image_grid_thw": grid})


def main() -> None:
    build(NAME, config, Qwen2VLForConditionalGeneration, Qwen2VLConfig, Vision, "grid_thw", seed=1)
