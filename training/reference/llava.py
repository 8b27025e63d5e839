"""LLaVA-1.5: CLIP's encoder, its next to last layer without the class token, and one cut from the middle of the picture."""

import torch
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from . import layout, record, tokenizers

NAME = "llava"
SIDE, PATCH = 84, 14
TOKENS = (SIDE // PATCH) ** 2
SEED = 2
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}"
    "{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
PREPROCESSOR = {
    "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
    "do_rescale": True, "do_resize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor", "image_std": [0.26862954, 0.26130258, 0.27577711],
    "processor_class": "LlavaProcessor", "resample": 3, "rescale_factor": 1 / 255, "size": {"shortest_edge": SIDE},
}


def config(image_token: int, vocabulary: int, kv_heads: int = 4) -> dict:
    return {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "ignore_index": -100,
        "image_token_index": image_token, "pad_token_id": 0, "projector_hidden_act": "gelu", "image_seq_length": TOKENS,
        "tie_word_embeddings": False, "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
        "text_config": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": kv_heads, "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-05, "vocab_size": vocabulary, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        },
        "vision_config": {
            "model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "image_size": SIDE,
            "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": PATCH, "projection_dim": 64, "vocab_size": 32000,
        },
    }


class Vision(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        hidden = self.model.vision_tower(pixel_values, output_hidden_states=True).hidden_states[-2][:, 1:]
        return self.model.multi_modal_projector(hidden)


def checkpoint(name: str, kv_heads: int = 4, seed: int = SEED):
    """A checkpoint without graphs: its folder, the model, the processor and the image token."""
    folder = record.ROOT / name
    trained = tokenizers.pieces(["<unk>", "<s>", "</s>"], ["<image>"], prefix=True)
    # Llama's tokenizer writes the first token itself.
    trained.post_processor = TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    known = tokenizers.save(
        folder, trained, CHAT_TEMPLATE, bos_token="<s>", eos_token="</s>", pad_token="<unk>", unk_token="<unk>", add_bos_token=True,
    )
    image = known.convert_tokens_to_ids("<image>")
    written = config(image, len(known), kv_heads)
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", PREPROCESSOR)
    layout.write_json(folder, "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0})
    layout.write_json(folder, "processor_config.json", {
        "image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": PATCH, "processor_class": "LlavaProcessor",
        "vision_feature_select_strategy": "default",
    })
    model = LlavaForConditionalGeneration._from_config(LlavaConfig(**written), attn_implementation="eager")
    layout.randomise(model, seed=seed)
    processor = LlavaProcessor(
        CLIPImageProcessorPil(**PREPROCESSOR), known, patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=CHAT_TEMPLATE,
    )
    return folder, model, processor, image


def trace_vision(folder, model) -> None:
    axes = {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}}
    layout.trace_vision(folder, Vision(model.model), {"pixel_values": torch.randn(2, 3, SIDE, SIDE)}, axes, opset=14)


def main() -> None:
    folder, model, processor, image = checkpoint(NAME)
    runs = record.record(NAME, model, processor, add_special_tokens=True)
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    layout.trace_decoder(folder, layout.Decoder(model.model.language_model, model.lm_head), model.config.text_config)
    trace_vision(folder, model)
    record.check_graphs(NAME, runs, image)
