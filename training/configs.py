"""The JSON files beside the graphs, as transformers writes them."""

import json
from collections.abc import Callable
from pathlib import Path

from . import tokens
from .duo import Duo
from .model import Config, Pocket
from .tiles import Tiles

SPECIAL = {"bos_token_id": tokens.BOS, "eos_token_id": tokens.EOS, "pad_token_id": tokens.PAD}


def _config(c: Config) -> dict:
    """What config.json has whatever the model's shape."""
    return {
        "ignore_index": -100,
        "image_token_index": tokens.IMAGE,
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        **SPECIAL,
        "text_config": {
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": c.vocab, "hidden_size": c.width,
            "intermediate_size": c.mlp, "num_hidden_layers": c.blocks, "num_attention_heads": c.heads,
            "num_key_value_heads": c.heads, "head_dim": c.head, "max_position_embeddings": c.positions, "rms_norm_eps": c.eps,
            "rope_theta": c.theta, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
            "use_cache": True, "torch_dtype": "float32", **SPECIAL,
        },
        "vision_config": {
            "model_type": "clip_vision_model", "image_size": c.image, "patch_size": c.patch, "num_channels": 3, "hidden_size": c.vision_width,
            "intermediate_size": c.vision_mlp, "num_hidden_layers": c.vision_blocks, "num_attention_heads": c.vision_heads,
            "hidden_act": "gelu", "layer_norm_eps": 1e-5, "projection_dim": c.width,
        },
    }


def _preprocessor(c: Config) -> dict:
    """What preprocessor_config.json has whatever the model's shape."""
    return {
        "do_convert_rgb": True, "do_resize": True, "size": {"height": c.image, "width": c.image}, "resample": 3,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    }


def llava(m: Pocket) -> dict[str, dict]:
    c = m.config
    return {
        "config.json": {
            "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "image_seq_length": c.tokens, **_config(c),
        },
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor", **_preprocessor(c),
            "do_center_crop": False, "crop_size": {"height": c.image, "width": c.image},
        },
        "processor_config.json": {
            "processor_class": "LlavaProcessor", "image_token": "<image>", "patch_size": c.patch,
            "vision_feature_select_strategy": "full", "num_additional_image_tokens": 0,
        },
    }


def llava_onevision(m: Tiles) -> dict[str, dict]:
    c = m.config
    side = c.tiles * c.image
    # The tiles' features are made as few as one tile's.
    anyres = {"vision_aspect_ratio": "anyres_max_1"}
    grids = {"image_grid_pinpoints": [[side, side]]}
    return {
        "config.json": {
            "architectures": ["LlavaOnevisionForConditionalGeneration"], "model_type": "llava_onevision", "image_seq_length": c.tokens,
            "use_image_newline_parameter": True, **anyres, **grids, **_config(c),
        },
        "preprocessor_config.json": {
            "image_processor_type": "LlavaOnevisionImageProcessor", "processor_class": "LlavaOnevisionProcessor", **_preprocessor(c),
            "do_pad": True, **grids,
        },
        "processor_config.json": {
            "processor_class": "LlavaOnevisionProcessor", "image_token": "<image>", "num_image_tokens": c.grid**2,
            "vision_feature_select_strategy": "full", **anyres,
        },
    }


def llava_duo(m: Duo) -> dict[str, dict]:
    """LLaVA's files, with what transformers has no names for: the second encoder and the size of its view."""
    c, files = m.config, llava(m)
    high = {
        "model_type": "convnext", "image_size": c.high_image, "patch_size": c.high_patch, "num_channels": 3,
        "hidden_sizes": [width for width, _, _ in c.high_stages], "depths": [count for _, _, count in c.high_stages],
        "num_stages": len(c.high_stages), "hidden_act": "gelu", "layer_norm_eps": 1e-5,
    }
    named = {"architectures": ["LlavaDuoForConditionalGeneration"], "model_type": "llava_duo"}
    files["config.json"] |= {**named, "vision_config_high": high}
    files["preprocessor_config.json"]["size_high"] = {"height": c.high_image, "width": c.high_image}
    return files


CONFIGS: dict[type[Pocket], Callable[[Pocket], dict[str, dict]]] = {Pocket: llava, Tiles: llava_onevision, Duo: llava_duo}


def write_configs(model: Pocket, folder: Path) -> None:
    """config.json, generation_config.json, preprocessor_config.json, processor_config.json and the tokenizer's files."""
    generation = {**SPECIAL, "do_sample": False, "max_new_tokens": 40}
    for name, content in {**CONFIGS[type(model)](model), "generation_config.json": generation}.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    tokens.load().save(str(folder / "tokenizer.json"))
    tokens.write_config(folder)
