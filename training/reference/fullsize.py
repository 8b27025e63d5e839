"""
Models of published size and random weights, for timing: `make NAME FOLDER` writes one in the Hub's layout, `time REQUEST` times it in PyTorch.

    python -m training.reference.fullsize make smolvlm-256m /tmp/smolvlm-256m
    python -m training.reference.fullsize time request.json

request.json: {"model": name, "folder": of the model, "mask": side of the mask, "threads": n, "question": "…", "answer_ids": [...]}.
The weights are drawn from a seed, so both commands have the same. `time` prints a line of JSON once it is warm; then, for each line
"forward" or "gradient" that it reads, the seconds which that took; and at the end the most memory that it had, in MB.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import (
    AutoTokenizer, Idefics3Config, Idefics3ForConditionalGeneration, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration,
)

from . import layout, llava_onevision, record, smolvlm, tokenizers

SEED = 1


def randomise(model: nn.Module) -> None:
    """Normal matrices with a standard deviation of 1/√inputs, norms and biases varied by a tenth; in place, for they are large."""
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.dim() >= 2:
                inputs = parameter.shape[1] if "embed" in name else parameter[0].numel()
                parameter.normal_(0, inputs**-0.5, generator=generator)
            else:
                parameter.round_().add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    model.requires_grad_(False).eval()


class SmolVLM:
    """SmolVLM-256M-Instruct: SmolLM2-135M on SigLIP-B/16 at 512 px. One view: what is timed is one encoder run and one decoder run."""

    specials, image_token, chat_template = smolvlm.SPECIALS, "<image>", smolvlm.CHAT_TEMPLATE
    tokens = {"bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>", "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>"}
    side, patch, shuffle, vocabulary = 512, 16, 4, 49280
    features = (side // patch // shuffle) ** 2
    preprocessor = {
        **smolvlm.PREPROCESSOR, "do_image_splitting": False, "max_image_size": {"longest_edge": side}, "size": {"longest_edge": side},
    }
    processor = {"image_seq_len": features, "processor_class": "Idefics3Processor"}

    def placeholder(self) -> str:
        around = "<fake_token_around_image>"
        return f"{around}<global-img>{self.image_token * self.features}{around}"

    def config(self, special: dict[str, int]) -> dict:
        end = special["<end_of_utterance>"]
        return {
            "architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3", "image_token_id": special["<image>"],
            "scale_factor": self.shuffle, "tie_word_embeddings": False, "use_cache": True, "vocab_size": self.vocabulary,
            "pad_token_id": 0, "eos_token_id": end,
            "text_config": {
                "architectures": ["VLlama3ForCausalLM"], "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
                "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64,
                "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000, "vocab_size": self.vocabulary,
                "bos_token_id": special["<|im_start|>"], "eos_token_id": end, "pad_token_id": 0, "tie_word_embeddings": False,
            },
            "vision_config": {
                "model_type": "idefics3", "hidden_size": 768, "intermediate_size": 3072, "image_size": self.side,
                "num_attention_heads": 12, "num_hidden_layers": 12, "patch_size": self.patch, "hidden_act": "gelu_pytorch_tanh",
            },
        }

    def build(self, written: dict, attention: str) -> nn.Module:
        return Idefics3ForConditionalGeneration._from_config(Idefics3Config(**written), attn_implementation=attention)

    def language(self, model: nn.Module) -> nn.Module:
        return model.model.text_model

    def trace_encoder(self, folder: Path, model: nn.Module) -> None:
        smolvlm.trace_encoder(folder, model, external=True)

    def encode(self, model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat(list(model.model.get_image_features(pixels[:, None]).pooler_output)).reshape(-1, self.language(model).config.hidden_size)


class WholePicture(llava_onevision.Vision):
    """As published conversions: no line end, so that no tiles can follow."""

    def forward(self, pixel_values):
        return super().forward(pixel_values)[0]


class LlavaOnevision:
    """LLaVA-OneVision-0.5B: Qwen2-0.5B on SigLIP-so400m/14 at 384 px. The whole picture without tiles, as published conversions see it."""

    specials, image_token, chat_template = llava_onevision.SPECIALS, "<image>", llava_onevision.CHAT_TEMPLATE
    tokens = {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None}
    side, patch, vocabulary = 384, 14, 152000
    features = (side // patch) ** 2
    preprocessor = {**llava_onevision.PREPROCESSOR, "size": {"height": side, "width": side}, "image_grid_pinpoints": [[side, side]]}
    processor = {
        "image_token": "<image>", "num_image_tokens": features, "processor_class": "LlavaOnevisionProcessor", "video_token": "<video>",
        "vision_feature_select_strategy": "full",
    }

    def placeholder(self) -> str:
        return self.image_token * self.features

    def config(self, special: dict[str, int]) -> dict:
        return {
            "architectures": ["LlavaOnevisionForConditionalGeneration"], "model_type": "llava_onevision",
            "image_grid_pinpoints": self.preprocessor["image_grid_pinpoints"], "image_token_index": special["<image>"],
            "video_token_index": special["<video>"], "projector_hidden_act": "gelu", "tie_word_embeddings": False,
            "vision_aspect_ratio": "anyres_max_9", "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
            "text_config": {
                "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
                "num_key_value_heads": 2, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
                "vocab_size": self.vocabulary, "bos_token_id": special["<|endoftext|>"], "eos_token_id": special["<|im_end|>"],
                "tie_word_embeddings": False,
            },
            "vision_config": {
                "model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304, "image_size": self.side,
                "num_attention_heads": 16, "num_hidden_layers": 26, "patch_size": self.patch, "vision_use_head": False,
            },
        }

    def build(self, written: dict, attention: str) -> nn.Module:
        return LlavaOnevisionForConditionalGeneration._from_config(LlavaOnevisionConfig(**written), attn_implementation=attention)

    def language(self, model: nn.Module) -> nn.Module:
        return model.model.language_model

    def trace_encoder(self, folder: Path, model: nn.Module) -> None:
        axes = {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}}
        inputs = {"pixel_values": torch.randn(2, 3, self.side, self.side)}
        layout.trace_vision(folder, WholePicture(model.model), inputs, axes, opset=14, external=True)

    def encode(self, model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        return WholePicture(model.model)(pixels).flatten(0, 1)


MODELS = {"smolvlm-256m": SmolVLM(), "llava-onevision-0.5b": LlavaOnevision()}


def built(known, written: dict, attention: str) -> nn.Module:
    model = known.build(written, attention)
    randomise(model)
    return model


def make(name: str, folder: Path) -> None:
    known = MODELS[name]
    tokenizer = tokenizers.save(folder, tokenizers.byte_level(known.specials), known.chat_template, **known.tokens)
    written = known.config({token: tokenizer.convert_tokens_to_ids(token) for token in known.specials})
    layout.write_json(folder, "config.json", written)
    layout.write_json(folder, "preprocessor_config.json", known.preprocessor)
    layout.write_json(folder, "processor_config.json", known.processor)
    # No end token: sixteen tokens are asked for and sixteen come.
    layout.write_json(folder, "generation_config.json", {"eos_token_id": []})
    model = built(known, written, "eager")
    body = known.language(model)
    layout.trace_embedding(folder, body.embed_tokens, external=True)
    layout.trace_decoder(folder, layout.Decoder(body, model.lm_head), body.config, external=True)
    # The last: who finds it has a whole model.
    known.trace_encoder(folder, model)


def seconds(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(request: Path) -> None:
    given = json.loads(request.read_text())
    torch.set_num_threads(given["threads"])
    known, folder = MODELS[given["model"]], Path(given["folder"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = built(known, json.loads((folder / "config.json").read_text()), "sdpa")
    text = tokenizer.apply_chat_template(record.messages(given["question"]), tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(text.replace(known.image_token, known.placeholder()), add_special_tokens=False, return_tensors="pt")["input_ids"]
    is_image = prompt[0] == tokenizer.convert_tokens_to_ids(known.image_token)
    answer = torch.tensor(given["answer_ids"])
    side = known.side
    image = torch.from_numpy(np.random.default_rng(SEED).uniform(-1, 1, (1, 3, side, side)).astype(np.float32))
    baseline = torch.full_like(image, -1)
    body = known.language(model)

    def embedded(pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        rows = body.embed_tokens(ids)
        image_rows = functional.pad(is_image, (0, ids.shape[1] - is_image.shape[0]))
        return rows.masked_scatter(image_rows[None, :, None], known.encode(model, pixels))

    def score(pixels: torch.Tensor) -> torch.Tensor:
        """Sum of log p of the answer's tokens; logits at their positions only."""
        rows = embedded(pixels, torch.cat([prompt, answer[None, :-1]], 1))
        hidden = body(inputs_embeds=rows, use_cache=False).last_hidden_state[:, -len(answer):]
        return model.lm_head(hidden).log_softmax(-1).gather(2, answer[None, :, None]).sum()

    def blended(mask: torch.Tensor) -> torch.Tensor:
        return baseline + functional.interpolate(mask[None, None], (side, side), mode="bilinear") * (image - baseline)

    mask = torch.rand(given["mask"], given["mask"])

    def generate() -> None:
        """Greedy, with a cache."""
        with torch.no_grad():
            rows, cache = embedded(image, prompt), None
            for _ in answer:
                out = body(inputs_embeds=rows, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                rows = body.embed_tokens(model.lm_head(out.last_hidden_state[:, -1:]).argmax(-1))

    def forward() -> None:
        with torch.no_grad():
            score(blended(mask))

    def gradient() -> None:
        x = mask.clone().requires_grad_()
        score(blended(x)).backward()

    answered = seconds(generate)
    forward()
    gradient()
    say({"answerSeconds": answered, "tokens": prompt.shape[1] + len(answer), "torch": torch.__version__})
    work = {"forward": forward, "gradient": gradient}
    for line in sys.stdin:
        say(seconds(work[line.strip()]))
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    say(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2))


def say(value) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("model", choices=MODELS)
    making.add_argument("folder", type=Path)
    commands.add_parser("time").add_argument("request", type=Path)
    o = parser.parse_args()
    make(o.model, o.folder) if o.command == "make" else measure(o.request)
