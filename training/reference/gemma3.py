"""Gemma 3: one square view, pooled features, pictures whose tokens see each other, and layers with a sliding window."""

import torch
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

from . import layout, record, tokenizers
from .paligemma import Vision

NAME = "gemma3"
SIDE, PATCH, TOKENS = 112, 14, 16
SPECIALS = ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{%- endif -%}"
    "{%- if (message['role'] == 'assistant') -%}{%- set role = 'model' -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}"
    "{{ '<start_of_turn>' + role + '\n' }}{%- if message['content'] is string -%}{{ message['content'] | trim }}"
    "{%- else -%}{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}"
    "{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<end_of_turn>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
PREPROCESSOR = {
    "do_convert_rgb": None, "do_normalize": True, "do_pan_and_scan": None, "do_rescale": True, "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "image_processor_type": "Gemma3ImageProcessor",
    "image_seq_length": TOKENS, "pan_and_scan_max_num_crops": None, "pan_and_scan_min_crop_size": None,
    "pan_and_scan_min_ratio_to_activate": None, "processor_class": "Gemma3Processor", "resample": 2, "rescale_factor": 1 / 255,
    "size": {"height": SIDE, "width": SIDE},
}


def config(special: dict[str, int], vocabulary: int) -> dict:
    return {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": special["<start_of_image>"],
        "eoi_token_index": special["<end_of_image>"], "image_token_index": special["<image_soft_token>"],
        "eos_token_id": [1, special["<end_of_turn>"]], "mm_tokens_per_image": TOKENS,
        "text_config": {
            "model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 16, "vocab_size": vocabulary,
            # So short that it hides a part of the picture from the answer, in two layers of three.
            "sliding_window": 24, "sliding_window_pattern": 3, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "max_position_embeddings": 8192,
        },
        "vision_config": {
            "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2,
            "num_hidden_layers": 2, "image_size": SIDE, "patch_size": PATCH, "vision_use_head": False,
        },
    }


class Decoder(layout.Decoder):
    """With token_type_ids, 1 where the picture's features stand: those see each other in both directions."""

    def __init__(self, body: nn.Module, head: nn.Module, window: int):
        super().__init__(body, head)
        self.window = window

    def forward(self, inputs_embeds, attention_mask, position_ids, token_type_ids, *past):
        length, total = inputs_embeds.shape[1], attention_mask.shape[1]
        image = torch.cat([torch.zeros(token_type_ids.shape[0], total - length, dtype=torch.int64), token_type_ids], 1) == 1
        # One picture: all its tokens are of one block.
        together = image[:, None, total - length :, None] & image[:, None, None, :]
        rows, columns = torch.arange(total - length, total)[:, None], torch.arange(total)
        seen = ((columns <= rows) | together) & attention_mask[:, None, None, :].bool()
        near = seen & (columns > rows - self.window)
        masks = {
            kind: torch.where(mask, 0.0, torch.finfo(torch.float32).min)
            for kind, mask in (("full_attention", seen), ("sliding_attention", near))
        }
        self.mask = lambda *_: masks
        return super().forward(inputs_embeds, attention_mask, position_ids, *past)


def main() -> None:
    folder = record.ROOT / NAME
    trained = tokenizers.pieces(["<pad>", "<eos>", "<bos>", "<unk>"], SPECIALS, prefix=False)
    # As published tokenizers do; the prompt has it already.
    trained.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    known = tokenizers.save(
        folder, trained, CHAT_TEMPLATE, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>",
        extra={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
    )
    special = {token: known.convert_tokens_to_ids(token) for token in SPECIALS}
    written = config(special, len(known))
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", PREPROCESSOR)
    ends = [1, special["<end_of_turn>"]]
    layout.write_json(folder, "generation_config.json", {"bos_token_id": 2, "eos_token_id": ends, "pad_token_id": 0})
    layout.write_json(folder, "processor_config.json", {"image_seq_length": TOKENS, "processor_class": "Gemma3Processor"})
    model = Gemma3ForConditionalGeneration._from_config(Gemma3Config(**written), attn_implementation="eager")
    layout.randomise(model, seed=1, post_norm=3.0)
    processor = Gemma3Processor(Gemma3ImageProcessorPil(**PREPROCESSOR), known, image_seq_length=TOKENS)

    def extend(inputs, answer):
        types = inputs["token_type_ids"]
        return {
            "input_ids": torch.cat([inputs["input_ids"], answer], 1),
            "token_type_ids": torch.cat([types, torch.zeros_like(answer).to(types.dtype)], 1),
        }

    runs = record.record(NAME, model, processor, extend=extend)
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    text = model.config.text_config
    decoder = Decoder(model.model.language_model, model.lm_head, text.sliding_window)
    layout.trace_decoder(folder, decoder, text, token_types=True)
    axes = {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}}
    layout.trace_vision(folder, Vision(model.model), {"pixel_values": torch.randn(2, 3, SIDE, SIDE)}, axes, opset=14)
    record.check_graphs(NAME, runs, special["<image_soft_token>"], first_position=1)
