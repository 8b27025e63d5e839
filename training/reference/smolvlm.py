"""SmolVLM, SmolVLM2 and Idefics3: tiles and the whole picture in one run, pixel shuffle, tokens that name rows and columns."""

import types
from pathlib import Path

import torch
from torch import nn
from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from . import layout, record, tokenizers

NAME = "smolvlm"
SIDE, PATCH, SHUFFLE = 32, 4, 2
TOKENS = (SIDE // PATCH // SHUFFLE) ** 2
SEED = 3
SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>",
    *(f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)),
]
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
PREPROCESSOR = {
    "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Idefics3ImageProcessor", "image_std": [0.5, 0.5, 0.5],
    "max_image_size": {"longest_edge": SIDE}, "processor_class": "Idefics3Processor", "resample": 1, "rescale_factor": 1 / 255,
    "size": {"longest_edge": 3 * SIDE},
}


def config(special: dict[str, int], vocabulary: int) -> dict:
    return {
        "architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3", "image_token_id": special["<image>"],
        "scale_factor": SHUFFLE, "tie_word_embeddings": False, "use_cache": True, "vocab_size": vocabulary, "pad_token_id": 0,
        "text_config": {
            "architectures": ["VLlama3ForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
            "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000, "vocab_size": vocabulary,
            "bos_token_id": special["<|im_start|>"], "eos_token_id": special["<|im_end|>"], "pad_token_id": 0,
            "tie_word_embeddings": False,
        },
        "vision_config": {
            "model_type": "idefics3", "hidden_size": 32, "intermediate_size": 64, "image_size": SIDE, "num_attention_heads": 2,
            "num_hidden_layers": 2, "patch_size": PATCH, "hidden_act": "gelu_pytorch_tanh",
        },
    }


def embed(self, pixel_values, patch_attention_mask):
    """Idefics3VisionEmbeddings.forward for a trace, which would make its position ids floating-point numbers."""
    patches = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)
    count = self.num_patches_per_side
    boundaries = torch.arange(1, count) / count

    def buckets(covered: torch.Tensor) -> torch.Tensor:
        """The position of each patch along an axis of which the picture covers a part, as if that were the whole."""
        share = torch.arange(count) / covered.sum(1, keepdim=True)
        return torch.bucketize(share.clamp(max=1.0 - 1e-6), boundaries, right=True)

    rows, columns = buckets(patch_attention_mask[:, :, 0]), buckets(patch_attention_mask[:, 0, :])
    positions = (rows[:, :, None] * count + columns[:, None, :]) * patch_attention_mask.to(torch.int64)
    return patches + self.position_embedding(positions.flatten(1))


class Vision(nn.Module):
    """
    As published conversions: views of zeros, which fill up a batch of pictures with fewer tiles, are left out; which patches a
    picture covers comes from the mask.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.vision, self.connector = model.vision_model, model.connector
        self.patch = model.config.vision_config.patch_size
        self.vision.embeddings.forward = types.MethodType(embed, self.vision.embeddings)

    def forward(self, pixel_values, pixel_attention_mask):
        batch, count, channels, height, width = pixel_values.shape
        pixel_values = pixel_values.view(batch * count, channels, height, width)
        real = (pixel_values == 0.0).sum(dim=(-1, -2, -3)) != pixel_values.shape[1:].numel()
        pixel_values = pixel_values[real].contiguous()
        mask = pixel_attention_mask.view(batch * count, height, width)[real].contiguous()
        rows, columns = height // self.patch, width // self.patch
        patches = mask.view(-1, rows, self.patch, columns, self.patch).sum(dim=(2, 4)) > 0
        return self.connector(self.vision(pixel_values=pixel_values, patch_attention_mask=patches).last_hidden_state)


def trace_encoder(folder: Path, model: nn.Module, *, external: bool = False) -> None:
    """onnx/vision_encoder.onnx, with its projector"""
    side = model.config.vision_config.image_size
    inputs = {
        "pixel_values": torch.randn(2, 3, 3, side, side), "pixel_attention_mask": torch.ones(2, 3, side, side, dtype=torch.bool),
    }
    sizes = {0: "batch_size", 1: "num_images"}
    axes = {"pixel_values": sizes, "pixel_attention_mask": sizes, "image_features": {0: "total_images"}}
    layout.trace_vision(folder, Vision(model.model), inputs, axes, opset=14, external=external)


def main() -> None:
    folder = record.ROOT / NAME
    known = tokenizers.save(
        folder, tokenizers.byte_level(SPECIALS), CHAT_TEMPLATE, bos_token="<|im_start|>", eos_token="<end_of_utterance>",
        pad_token="<|im_end|>", unk_token="<|endoftext|>",
    )
    special = {token: known.convert_tokens_to_ids(token) for token in SPECIALS}
    written = config(special, len(known))
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", PREPROCESSOR)
    layout.write_json(folder, "processor_config.json", {"image_seq_len": TOKENS, "processor_class": "Idefics3Processor"})
    end = special["<end_of_utterance>"]
    layout.write_json(folder, "generation_config.json", {"bos_token_id": 1, "eos_token_id": end, "pad_token_id": special["<|im_end|>"]})
    model = Idefics3ForConditionalGeneration._from_config(Idefics3Config(**written), attn_implementation="eager")
    model.generation_config.eos_token_id = end
    layout.randomise(model, SEED)
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(**PREPROCESSOR), known, image_seq_len=TOKENS, chat_template=CHAT_TEMPLATE,
    )
    runs = record.record(NAME, model, processor)
    layout.trace_embedding(folder, model.model.text_model.embed_tokens)
    layout.trace_decoder(folder, layout.Decoder(model.model.text_model, model.lm_head), model.config.text_config)
    trace_encoder(folder, model)
    # Published conversions take truth values.
    given = [(case, {**inputs, "pixel_attention_mask": inputs["pixel_attention_mask"].bool()}) for case, inputs in runs]
    record.check_graphs(NAME, given, special["<image>"])
