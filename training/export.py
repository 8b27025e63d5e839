"""Write models/pocket in the Hugging Face ONNX layout from a checkpoint: `python -m training.export`.

Three graphs, as transformers.js reads them: vision_encoder (projector inside), embed_tokens, decoder_model_merged.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime as ort
import torch
from torch import Tensor, nn

from . import tokens
from .generate import answer_greedily
from .model import Config, Pocket
from .questions import KINDS, ask
from .train import CHECKPOINTS
from .world import reduced, scene

OPSET = 17
FOLDER = tokens.FOLDER


class Embed(nn.Module):
    def __init__(self, model: Pocket):
        super().__init__()
        self.embed = model.decoder.embed

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.embed(input_ids)


class Merged(nn.Module):
    def __init__(self, model: Pocket):
        super().__init__()
        self.decoder = model.decoder

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor, position_ids: Tensor, *past: Tensor):
        logits, present = self.decoder(inputs_embeds, attention_mask, position_ids, list(past))
        return (logits, *present)


def cache_names(c: Config, stem: str) -> list[str]:
    return [f"{stem}.{i}.{part}" for i in range(c.blocks) for part in ("key", "value")]


def name_matrices(graph: onnx.ModelProto, module: nn.Module) -> None:
    """Call the transposed matrices, which the exporter numbers, after the parameters that they came from."""
    named = {p.detach().numpy().T.tobytes(): n for n, p in module.named_parameters() if p.ndim == 2}
    renamed = {}
    for tensor in graph.graph.initializer:
        if tensor.name.startswith("onnx::"):
            renamed[tensor.name] = named[onnx.numpy_helper.to_array(tensor).tobytes()] + "^T"
            tensor.name = renamed[tensor.name]
    for node in graph.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)


def write_graphs(model: Pocket, folder: Path) -> None:
    """Export the three graphs, check them and infer their shapes."""
    c = model.config
    folder.mkdir(parents=True, exist_ok=True)

    def save(module: nn.Module, args: tuple, name: str, inputs: list[str], outputs: list[str], axes: dict) -> None:
        path = folder / f"{name}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module.eval(), args, str(path), input_names=inputs, output_names=outputs, dynamic_axes=axes,
                              opset_version=OPSET, dynamo=False, do_constant_folding=True)
        graph = onnx.load(path)
        name_matrices(graph, module)
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(onnx.shape_inference.infer_shapes(graph, strict_mode=True), path)

    batch_only = {0: "batch_size"}
    sequence = {0: "batch_size", 1: "sequence_length"}
    save(model.vision, (torch.zeros(2, 3, c.image, c.image),), "vision_encoder", ["pixel_values"], ["image_features"],
         {"pixel_values": batch_only, "image_features": batch_only})
    save(Embed(model), (torch.ones(2, 5, dtype=torch.int64),), "embed_tokens", ["input_ids"], ["inputs_embeds"],
         {"input_ids": sequence, "inputs_embeds": sequence})
    past = [torch.zeros(2, c.heads, 3, c.head) for _ in range(2 * c.blocks)]
    args = (torch.zeros(2, 5, c.width), torch.ones(2, 8, dtype=torch.int64), torch.arange(5).expand(2, 5) + 3, *past)
    axes = {"inputs_embeds": sequence, "position_ids": sequence, "logits": sequence,
            "attention_mask": {0: "batch_size", 1: "total_sequence_length"}}
    axes |= {n: {0: "batch_size", 2: "past_sequence_length"} for n in cache_names(c, "past_key_values")}
    axes |= {n: {0: "batch_size", 2: "total_sequence_length"} for n in cache_names(c, "present")}
    save(Merged(model), args, "decoder_model_merged",
         ["inputs_embeds", "attention_mask", "position_ids", *cache_names(c, "past_key_values")],
         ["logits", *cache_names(c, "present")], axes)


def write_configs(c: Config, folder: Path) -> None:
    """config.json, generation_config.json, preprocessor_config.json and the tokenizer's files."""
    def save(name: str, content: dict) -> None:
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")

    special = {"bos_token_id": tokens.BOS, "eos_token_id": tokens.EOS, "pad_token_id": tokens.PAD}
    save("config.json", {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "ignore_index": -100,
        "image_token_index": tokens.IMAGE,
        "image_seq_length": c.tokens,
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        **special,
        "text_config": {
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": c.vocab, "hidden_size": c.width,
            "intermediate_size": c.mlp, "num_hidden_layers": c.blocks, "num_attention_heads": c.heads,
            "num_key_value_heads": c.heads, "head_dim": c.head, "max_position_embeddings": c.positions, "rms_norm_eps": c.eps,
            "rope_theta": c.theta, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
            "use_cache": True, "torch_dtype": "float32", **special,
        },
        "vision_config": {
            "model_type": "clip_vision_model", "image_size": c.image, "patch_size": c.patch, "num_channels": 3, "hidden_size": c.width,
            "intermediate_size": c.vision_mlp, "num_hidden_layers": c.vision_blocks, "num_attention_heads": c.heads,
            "hidden_act": "gelu", "layer_norm_eps": 1e-5, "projection_dim": c.width,
        },
    })
    save("generation_config.json", {**special, "do_sample": False, "max_new_tokens": 40})
    size = {"height": c.image, "width": c.image}
    save("preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor",
        "do_convert_rgb": True, "do_resize": True, "size": size, "resample": 3, "do_center_crop": False, "crop_size": size,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    })
    save("processor_config.json", {
        "processor_class": "LlavaProcessor", "image_token": "<image>", "patch_size": c.patch,
        "vision_feature_select_strategy": "full", "num_additional_image_tokens": 0,
    })
    tokens.write_config(folder)


class Sessions:
    """The three graphs in onnxruntime."""

    def __init__(self, folder: Path, c: Config):
        self.config = c
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.vision, self.embed, self.decoder = (
            ort.InferenceSession(str(folder / f"{n}.onnx"), options, providers=["CPUExecutionProvider"])
            for n in ("vision_encoder", "embed_tokens", "decoder_model_merged")
        )

    def prompt(self, pixels: np.ndarray, ids: list[int]) -> np.ndarray:
        x = self.embed.run(None, {"input_ids": np.array([ids], np.int64)})[0].copy()
        x[0, np.array(ids) == tokens.IMAGE] = self.vision.run(None, {"pixel_values": pixels})[0][0]
        return x

    def step(self, x: np.ndarray, past: list[np.ndarray] | None) -> tuple[np.ndarray, list[np.ndarray]]:
        c = self.config
        past = past or [np.zeros((x.shape[0], c.heads, 0, c.head), np.float32) for _ in range(2 * c.blocks)]
        start, total = past[0].shape[2], past[0].shape[2] + x.shape[1]
        feeds = {"inputs_embeds": x, "attention_mask": np.ones((x.shape[0], total), np.int64),
                 "position_ids": np.broadcast_to(np.arange(start, total), (x.shape[0], x.shape[1])).astype(np.int64)}
        feeds |= dict(zip(cache_names(c, "past_key_values"), past))
        logits, *present = self.decoder.run(None, feeds)
        return logits, present

    def greedy(self, pixels: np.ndarray, ids: list[int], most: int = 40) -> list[int]:
        logits, past = self.step(self.prompt(pixels, ids), None)
        out: list[int] = []
        while len(out) < most:
            out.append(int(logits[0, -1].argmax()))
            if out[-1] == tokens.EOS:
                break
            logits, past = self.step(self.embed.run(None, {"input_ids": np.array([[out[-1]]], np.int64)})[0], past)
        return out


def verify(model: Pocket, folder: Path, scenes: int = 12) -> None:
    """onnxruntime agrees with PyTorch: logits within 1e-4, cached steps with full prefill, left padding, greedy answers."""
    sessions = Sessions(folder / "onnx", model.config)
    compared, worst, cached = 0, 0.0, 0.0
    for index in range(scenes):
        drawn, rng = scene(31, index)
        pixels = np.asarray(reduced(drawn.image), np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        for kind in KINDS:
            item = ask(kind, drawn, rng)
            if item is None:
                continue
            prompt, answer = tokens.prompt(item.question), tokens.answer_ids(item.answer)
            ids = prompt + answer
            with torch.no_grad():
                image = model.vision(torch.from_numpy(pixels))
                x = model.merge(torch.tensor([ids]), image)
                want = model.decoder(x, torch.ones(1, len(ids), dtype=torch.int64), torch.arange(len(ids))[None], model.empty(1))[0].numpy()
            whole = sessions.prompt(pixels, ids)
            got, _ = sessions.step(whole, None)
            worst = max(worst, float(np.abs(got - want).max()))
            first, past = sessions.step(whole[:, : len(prompt)], None)
            rest, past = sessions.step(whole[:, len(prompt) : -1], past)
            final, _ = sessions.step(whole[:, -1:], past)
            cached = max(cached, float(np.abs(np.concatenate([first, rest, final], 1) - got).max()))
            expect = answer_greedily(model, torch.from_numpy(pixels), [item.question])[0]
            assert sessions.greedy(pixels, prompt) == expect, item
            compared += 1
    # A left-padded row of a batch gives what the row gives alone.
    pad = 7
    padded = np.concatenate([np.repeat(whole[:, :1], pad, 1), whole], 1)
    mask = np.concatenate([np.zeros((1, pad)), np.ones((1, whole.shape[1]))], 1).astype(np.int64)
    positions = np.maximum(mask.cumsum(1) - 1, 0)
    feeds = {"inputs_embeds": padded, "attention_mask": mask, "position_ids": positions}
    empty = np.zeros((1, model.config.heads, 0, model.config.head), np.float32)
    feeds |= {n: empty for n in cache_names(model.config, "past_key_values")}
    left = float(np.abs(sessions.decoder.run(["logits"], feeds)[0][:, pad:] - got).max())
    print(f"{compared} questions: greedy answers equal; largest difference of logits {worst:.1e}, cached {cached:.1e}, padded {left:.1e}")
    assert max(worst, cached, left) < 1e-4


def load(path: Path | None = None) -> Pocket:
    """The averaged weights of a checkpoint, in float32."""
    saved = torch.load(path or CHECKPOINTS / "last.pt")
    model = Pocket(Config(**saved["config"]))
    model.load_state_dict(saved["average"])
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=None)
    o = parser.parse_args()
    model = load(o.checkpoint)
    write_configs(model.config, FOLDER)
    write_graphs(model, FOLDER / "onnx")
    verify(model, FOLDER)
    for path in sorted((FOLDER / "onnx").iterdir()):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
