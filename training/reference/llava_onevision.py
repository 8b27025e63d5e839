"""LLaVA-OneVision: the whole picture and tiles of it in a grid that fits its shape, features without padding, line ends."""

import torch
from torch import nn
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, LlavaOnevisionProcessor
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

from . import layout, record, tokenizers

NAME = "llava_onevision"
SIDE, PATCH = 56, 7
TOKENS = (SIDE // PATCH) ** 2
SEED = 2
# Without 168 × 112: so landscape pictures have more tiles than features are kept of, and portrait ones have not.
GRIDS = [[56, 56], [56, 112], [56, 168], [112, 56], [112, 112], [112, 168], [168, 56]]
ASPECT = "anyres_max_4"
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + content['text'] }}{% endfor %}"
    "{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ '\n' + content['text'] }}{% endgeneration %}{% endfor %}{% endif %}{{'<|im_end|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PREPROCESSOR = {
    "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True, "image_grid_pinpoints": GRIDS,
    "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "LlavaOnevisionImageProcessor", "image_std": [0.5, 0.5, 0.5],
    "processor_class": "LlavaOnevisionProcessor", "resample": 3, "rescale_factor": 1 / 255, "size": {"height": SIDE, "width": SIDE},
}


def config(special: dict[str, int], vocabulary: int) -> dict:
    return {
        "architectures": ["LlavaOnevisionForConditionalGeneration"], "model_type": "llava_onevision", "ignore_index": -100,
        "image_grid_pinpoints": GRIDS, "image_token_index": special["<image>"], "video_token_index": special["<video>"],
        "projector_hidden_act": "gelu", "tie_word_embeddings": False, "use_image_newline_parameter": True,
        "vision_aspect_ratio": ASPECT, "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
        "text_config": {
            "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
            "vocab_size": vocabulary, "bos_token_id": special["<|endoftext|>"], "eos_token_id": special["<|im_end|>"],
            "tie_word_embeddings": False,
        },
        "vision_config": {
            "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "image_size": SIDE,
            "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": PATCH, "vision_use_head": False,
        },
    }


class Vision(nn.Module):
    """Features of each view; the line end, which is a weight of the model, is a second output."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.tower, self.projector, self.image_newline = model.vision_tower, model.multi_modal_projector, model.image_newline

    def forward(self, pixel_values):
        hidden = self.tower(pixel_values, output_hidden_states=True).hidden_states[-1]
        return self.projector(hidden), self.image_newline


def main() -> None:
    folder = record.ROOT / NAME
    known = tokenizers.save(
        folder, tokenizers.byte_level(SPECIALS), CHAT_TEMPLATE, bos_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        unk_token=None,
    )
    special = {token: known.convert_tokens_to_ids(token) for token in SPECIALS}
    written = config(special, len(known))
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", PREPROCESSOR)
    layout.write_json(folder, "processor_config.json", {
        "image_token": "<image>", "num_image_tokens": TOKENS, "processor_class": "LlavaOnevisionProcessor",
        "video_token": "<video>", "vision_aspect_ratio": ASPECT, "vision_feature_select_strategy": "full",
    })
    ends = [special["<|im_end|>"], special["<|endoftext|>"]]
    layout.write_json(folder, "generation_config.json", {"eos_token_id": ends, "pad_token_id": special["<|endoftext|>"]})
    model = LlavaOnevisionForConditionalGeneration._from_config(LlavaOnevisionConfig(**written), attn_implementation="eager")
    model.generation_config.eos_token_id = ends
    layout.randomise(model, SEED)
    # As loud as an embedding.
    with torch.no_grad():
        model.model.image_newline.copy_(torch.randn(64, generator=torch.Generator().manual_seed(SEED)))
    processor = Processor(
        LlavaOnevisionImageProcessorPil(**PREPROCESSOR), known, None, num_image_tokens=TOKENS, vision_feature_select_strategy="full",
        vision_aspect_ratio=ASPECT, chat_template=CHAT_TEMPLATE,
    )
    runs = record.record(NAME, model, processor)
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    layout.trace_decoder(folder, layout.Decoder(model.model.language_model, model.lm_head), model.config.text_config)
    axes = {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}}
    layout.trace(
        folder / "onnx" / "vision_encoder.onnx", Vision(model.model), {"pixel_values": torch.randn(3, 3, SIDE, SIDE)},
        ["image_features", "image_newline"], axes, opset=14,
    )

    def assemble(features, inputs):
        (rows,), _ = model.model.pack_image_features(
            [features], inputs["image_sizes"], image_newline=model.model.image_newline, vision_aspect_ratio=ASPECT,
        )
        return rows

    given = [(case, {**inputs, "pixel_values": inputs["pixel_values"][0]}) for case, inputs in runs]
    record.check_graphs(NAME, given, special["<image>"], assemble=assemble)
    print([list(inputs["pixel_values"].shape) for _, inputs in runs])


class Processor(LlavaOnevisionProcessor):
    """LLaVA-OneVision's processor for pictures alone: that of videos needs torchvision."""

    def check_argument_for_proper_class(self, argument_name, argument):
        return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)
