"""
Write a transformers model to a folder in the layout that the Hub's ONNX checkpoints have.

The graphs are traced as those of published conversions are: flat names for the cache, one file each for the encoder with its
projector, the embeddings and the decoder, and dynamic axes.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from torch import nn


def write_json(folder: Path, name: str, content: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def randomise(model: nn.Module, seed: int, gain: float = 1.5, post_norm: float = 0.0) -> None:
    """
    Weights of a model that says something: fresh initialisations are so small that every answer would be the same. Matrices are
    normal with a standard deviation of gain/√inputs, biases and norms vary by a tenth.
    @param post_norm added to the norms after attention and after feed-forward: where the output embeddings are the input embeddings,
        what the layers say must be louder than the token itself
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() >= 2:
                inputs = parameter.shape[1] if "embed" in name else parameter[0].numel()
                parameter.copy_(noise * gain / inputs**0.5)
            elif "embedding" in name:
                # A class token: the initialisation is random too.
                parameter.copy_(noise)
            else:
                # Around 1 or 0, as the initialisation left it.
                parameter.copy_(parameter.round() + 0.1 * noise)
            if "layernorm" in name and "post_" in name:
                parameter.add_(post_norm)
    model.requires_grad_(False).eval()


def additive_mask(attention_mask: torch.Tensor, length: int, window: int | None = None) -> torch.Tensor:
    """Causal mask [batch, 1, length, total] to be added to the attention's logits, from the mask [batch, total] of what is padding."""
    total = attention_mask.shape[1]
    columns = torch.arange(total)
    rows = torch.arange(total - length, total)[:, None]
    seen = columns <= rows
    if window is not None:
        seen = seen & (columns > rows - window)
    seen = seen & attention_mask[:, None, None, :].bool()
    return torch.where(seen, 0.0, torch.finfo(torch.float32).min)


class Cache:
    """The part of transformers' cache that attention layers use, over plain tensors: concatenation, nothing else."""

    is_compileable = False

    def __init__(self, past: tuple[torch.Tensor, ...]):
        self.pairs = [(past[i], past[i + 1]) for i in range(0, len(past), 2)]

    def update(self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_, **__):
        pair = tuple(torch.cat(parts, dim=2) for parts in zip(self.pairs[layer_idx], (key, value)))
        self.pairs[layer_idx] = pair
        return pair

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.pairs[layer_idx][0].shape[2]


class Decoder(nn.Module):
    """
    A language model as decoder_model_merged: (inputs_embeds, attention_mask, position_ids, past …) → (logits, present …).
    @param mask the language model's `attention_mask` from (attention_mask, length): a tensor, or one for each kind of layer
    """

    def __init__(self, body: nn.Module, head: nn.Module, mask: Callable = additive_mask, finish: Callable | None = None):
        super().__init__()
        self.body, self.head, self.mask, self.finish = body, head, mask, finish

    def forward(self, inputs_embeds, attention_mask, position_ids, *past):
        cache = Cache(past)
        hidden = self.body(
            inputs_embeds=inputs_embeds, attention_mask=self.mask(attention_mask, inputs_embeds.shape[1]),
            position_ids=position_ids, past_key_values=cache, use_cache=True,
        ).last_hidden_state
        logits = self.head(hidden)
        if self.finish is not None:
            logits = self.finish(logits)
        return (logits, *(tensor for pair in cache.pairs for tensor in pair))


def trace(
    file: Path, module: nn.Module, inputs: dict[str, torch.Tensor], outputs: list[str], axes: dict, *, opset: int, external: bool = False,
) -> None:
    """
    Trace a module; `axes` names the dynamic axes: {input or output: {axis: name}}.
    @param external whether the weights go to a file of their own, `….onnx_data`; they are then in memory once only
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(file), input_names=list(inputs), output_names=outputs, dynamic_axes=axes,
            opset_version=opset, do_constant_folding=not external, export_params=not external, dynamo=False,
        )
    if external:
        add_weights(file, module.state_dict())


def add_weights(file: Path, weights: dict[str, torch.Tensor]) -> None:
    """Make the inputs of a graph that are called as weights its weights, in a file beside it; transposed where the graph does just that."""
    model = onnx.load(file)
    graph = model.graph
    used = {name: (name, None) for value in graph.input if (name := value.name) in weights}
    for node in list(graph.node):
        if node.op_type == "Transpose" and node.input[0] in weights:
            used[node.output[0]] = (node.input[0], list(node.attribute[0].ints))
            graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(kept)
    with file.with_suffix(".onnx_data").open("wb") as data:
        for name, (weight, order) in used.items():
            if name not in read:
                continue
            values = weights[weight] if order is None else weights[weight].permute(order)
            # Where pages of memory begin.
            data.seek(-data.tell() % 4096, 1)
            tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT, dims=values.shape)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            facts = {"location": f"{file.stem}.onnx_data", "offset": data.tell(), "length": values.numel() * 4}
            for key, value in facts.items():
                tensor.external_data.add(key=key, value=str(value))
            values.float().contiguous().numpy().tofile(data)
            graph.initializer.append(tensor)
    file.write_bytes(model.SerializeToString())


def trace_vision(
    folder: Path, module: nn.Module, inputs: dict[str, torch.Tensor], axes: dict, *, opset: int = 18, external: bool = False,
) -> None:
    """onnx/vision_encoder.onnx. `inputs` must not be a special case: more than one tile, and a grid that is no square."""
    trace(folder / "onnx" / "vision_encoder.onnx", module, inputs, ["image_features"], axes, opset=opset, external=external)


def trace_embedding(folder: Path, module: nn.Module, *, external: bool = False) -> None:
    """onnx/embed_tokens.onnx"""
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in ("input_ids", "inputs_embeds")}
    inputs = {"input_ids": torch.tensor([[1, 2, 3], [3, 2, 1]])}
    trace(folder / "onnx" / "embed_tokens.onnx", module, inputs, ["inputs_embeds"], axes, opset=14, external=external)


def trace_decoder(
    folder: Path, decoder: nn.Module, text_config, *, axes_of_positions: int = 1, mask: bool = True,
    token_types: bool = False, opset: int = 14, external: bool = False,
) -> None:
    """
    onnx/decoder_model_merged.onnx
    @param axes_of_positions 3 where position_ids is [3, batch, length]
    @param mask whether the decoder takes attention_mask
    @param token_types whether it takes token_type_ids, after position_ids
    """
    batch, length, past = 2, 5, 3
    width = text_config.hidden_size
    heads = text_config.num_key_value_heads
    size = getattr(text_config, "head_dim", None) or width // text_config.num_attention_heads
    positions = torch.arange(past, past + length).expand(batch, length)
    named = {
        "inputs_embeds": (torch.randn(batch, length, width), {0: "batch_size", 1: "sequence_length"}),
        "attention_mask": (torch.ones(batch, past + length, dtype=torch.int64), {0: "batch_size", 1: "total_sequence_length"}),
        "position_ids": (positions, {0: "batch_size", 1: "sequence_length"})
        if axes_of_positions == 1
        else (positions.expand(axes_of_positions, batch, length), {1: "batch_size", 2: "sequence_length"}),
    }
    if not mask:
        del named["attention_mask"]
    if token_types:
        types = torch.tensor([[0, 1, 1, 0, 0]]).expand(batch, length)
        named["token_type_ids"] = (types, {0: "batch_size", 1: "sequence_length"})
    layers = range(text_config.num_hidden_layers)
    for i in layers:
        for part in ("key", "value"):
            tensor = torch.randn(batch, heads, past, size)
            named[f"past_key_values.{i}.{part}"] = (tensor, {0: "batch_size", 2: "past_sequence_length"})
    outputs = ["logits", *(f"present.{i}.{part}" for i in layers for part in ("key", "value"))]
    axes = {name: axis for name, (_, axis) in named.items()}
    axes["logits"] = {0: "batch_size", 1: "sequence_length"}
    axes |= {name: {0: "batch_size", 2: "total_sequence_length"} for name in outputs[1:]}
    inputs = {name: tensor for name, (tensor, _) in named.items()}
    trace(folder / "onnx" / "decoder_model_merged.onnx", decoder, inputs, outputs, axes, opset=opset, external=external)
