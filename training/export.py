"""Write models/<model> in the Hugging Face ONNX layout from a checkpoint: `python -m training.export --model pocket`.

The graphs are those that transformers.js reads: vision_encoder (projector inside), embed_tokens, decoder_model_merged. A model with two
encoders has a file of each, and vision_fusion with the projector inside.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import onnx
import onnx.numpy_helper
import torch
from torch import Tensor, nn

from .configs import write_configs
from .duo import Duo
from .model import Config, Pocket
from .tiles import Tiles, told_apart
from .train import CHECKPOINTS
from .variants import MODELS, VARIANTS, trained
from .verify import cache_names, verify

OPSET = 17


class Embed(nn.Module):
    def __init__(self, model: Pocket):
        super().__init__()
        self.embed = model.decoder.embed

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.embed(input_ids)


class TilesEncoder(nn.Module):
    """The encoder of all views of a picture, and the row that ends a line of tiles."""

    def __init__(self, model: Tiles):
        super().__init__()
        self.vision = model.vision
        self.newline = model.newline
        self.view = model.view

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        return told_apart(self.vision(pixel_values), self.view), self.newline


class Part(NamedTuple):
    """A file between pictures and image tokens: its module, the sizes of what it takes, and its outputs, the first of which are features."""

    file: str
    module: nn.Module
    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...] = ("image_features",)


def pixels(side: int) -> dict[str, tuple[int, ...]]:
    return {"pixel_values": (3, side, side)}


def parts_of_duo(m: Duo) -> list[Part]:
    c, vision = m.config, m.vision
    _, high, low = vision.widths
    return [
        Part("vision_encoder_low", vision.low, pixels(c.image)),
        Part("vision_encoder_high", vision.high, pixels(c.high_image)),
        Part("vision_fusion", vision.fusion, {"low": (c.tokens, low), "high": (c.tokens, high)}),
    ]


PARTS: dict[type[Pocket], Callable[[Pocket], list[Part]]] = {
    Pocket: lambda m: [Part("vision_encoder", m.vision, pixels(m.config.image))],
    Tiles: lambda m: [Part("vision_encoder", TilesEncoder(m), pixels(m.config.image), ("image_features", "image_newline"))],
    Duo: parts_of_duo,
}


class Merged(nn.Module):
    def __init__(self, model: Pocket):
        super().__init__()
        self.decoder = model.decoder

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor, position_ids: Tensor, *past: Tensor):
        logits, present = self.decoder(inputs_embeds, attention_mask, position_ids, list(past))
        return (logits, *present)


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


def write_graphs(model: Pocket, folder: Path, store: Callable[[str, onnx.ModelProto], onnx.ModelProto]) -> None:
    """Export the graphs, have their weights stored by `store`, check them and infer their shapes."""
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
        graph = store(name, graph)
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(onnx.shape_inference.infer_shapes(graph, strict_mode=True), path)

    batch_only = {0: "batch_size"}
    sequence = {0: "batch_size", 1: "sequence_length"}
    for part in PARTS[type(model)](model):
        args = tuple(torch.zeros(10, *size) for size in part.inputs.values())
        save(part.module, args, part.file, list(part.inputs), list(part.outputs), {name: batch_only for name in [*part.inputs, part.outputs[0]]})
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


def load(name: str) -> Pocket:
    """The averaged weights of a model's checkpoint, in float32."""
    model = VARIANTS[name].build()
    model.load_state_dict(torch.load(CHECKPOINTS / f"{name}.pt")["average"])
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=VARIANTS, default="pocket")
    o = parser.parse_args()
    torch.set_num_threads(1)
    variant, model, folder = VARIANTS[o.model], load(o.model), MODELS / o.model
    write_graphs(model, folder / "onnx", variant.store)
    write_configs(model, folder)
    verify(trained(o.model), variant.sight, folder)
    for path in sorted((folder / "onnx").iterdir()):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
