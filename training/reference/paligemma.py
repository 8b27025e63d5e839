"""PaliGemma 2: one square view, a prefix in which every token sees every other, positions from 1 on."""

import torch
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from . import layout, record, tokenizers

NAME = "paligemma"
SIDE, PATCH = 56, 14
TOKENS = (SIDE // PATCH) ** 2
PREPROCESSOR = {
    "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor", "image_seq_length": TOKENS,
    "processor_class": "PaliGemmaProcessor", "resample": 3, "rescale_factor": 1 / 255, "size": {"height": SIDE, "width": SIDE},
}


def config(image_token: int, vocabulary: int) -> dict:
    width = 64
    return {
        "architectures": ["PaliGemmaForConditionalGeneration"], "model_type": "paligemma", "bos_token_id": 2, "eos_token_id": 1,
        "pad_token_id": 0, "hidden_size": width, "image_token_index": image_token, "projection_dim": width,
        "text_config": {
            "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "hidden_size": width, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_image_tokens": TOKENS,
            "query_pre_attn_scalar": 16, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "sliding_window": 4096,
            "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 8192, "vocab_size": vocabulary,
            "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
        },
        "vision_config": {
            "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2,
            "num_hidden_layers": 2, "image_size": SIDE, "patch_size": PATCH, "num_image_tokens": TOKENS, "projection_dim": width,
            "vision_use_head": False,
        },
    }


class Vision(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model.get_image_features(pixel_values).pooler_output


class Decoder(layout.Decoder):
    """Published conversions have no attention_mask: every token sees all that are given, which is right for a prefix and for single steps."""

    def forward(self, inputs_embeds, position_ids, *past):
        nothing_hidden = torch.zeros(inputs_embeds.shape[0], 1, 1, 1)
        self.mask = lambda *_: {"full_attention": nothing_hidden, "sliding_attention": nothing_hidden}
        return super().forward(inputs_embeds, None, position_ids, *past)


def main() -> None:
    folder = record.ROOT / NAME
    trained = tokenizers.pieces(["<pad>", "<eos>", "<bos>", "<unk>"], ["<image>"], prefix=False)
    # As published tokenizers do; the prompt has it already.
    trained.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    known = tokenizers.save(
        folder, trained, None, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>", add_bos_token=True,
    )
    image = known.convert_tokens_to_ids("<image>")
    written = config(image, len(known))
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", PREPROCESSOR)
    layout.write_json(folder, "generation_config.json", {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0})
    model = PaliGemmaForConditionalGeneration._from_config(PaliGemmaConfig(**written), attn_implementation="eager")
    layout.randomise(model, seed=7, post_norm=2.0)
    processor = PaliGemmaProcessor(SiglipImageProcessorPil(**PREPROCESSOR), known)

    def extend(inputs, answer):
        return {
            "input_ids": torch.cat([inputs["input_ids"], answer], 1),
            "token_type_ids": torch.cat([inputs["token_type_ids"], torch.ones_like(answer)], 1),
        }

    runs = record.record(NAME, model, processor, prompt=lambda question: f"<image>{question}", extend=extend)
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    cap = model.config.text_config.final_logit_softcapping
    decoder = Decoder(model.model.language_model, model.lm_head, finish=lambda logits: torch.tanh(logits / cap) * cap)
    layout.trace_decoder(folder, decoder, model.config.text_config, mask=False)
    axes = {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}}
    layout.trace_vision(folder, Vision(model.model), {"pixel_values": torch.randn(2, 3, SIDE, SIDE)}, axes, opset=14)
    record.check_graphs(NAME, runs, image, first_position=1)
