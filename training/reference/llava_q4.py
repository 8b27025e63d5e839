"""
LLaVA with a decoder in 4 bits, made by the model builder of onnxruntime-genai: GroupQueryAttention with rotary positions inside,
SkipSimplifiedLayerNormalization, MatMulNBits. The reference is the model with the weights that those 4 bits stand for.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from transformers import LlamaForCausalLM

from . import layout, llava, record

NAME = "llava_q4"
BLOCK = 32


def quantise(model: nn.Module, tokenizer, out: Path) -> None:
    """Write decoder_model_merged_q4.onnx as the builder makes it of a Llama checkpoint without embeddings."""
    with tempfile.TemporaryDirectory() as temporary:
        source, made = Path(temporary) / "llama", Path(temporary) / "made"
        language = LlamaForCausalLM(model.config.text_config)
        language.model.load_state_dict(model.model.language_model.state_dict())
        language.lm_head.load_state_dict(model.lm_head.state_dict())
        language.save_pretrained(source)
        tokenizer.save_pretrained(source)
        # Level 1: the kernels compute in float32, as a gradient must.
        options = ["exclude_embeds=true", "accuracy_level=1", f"block_size={BLOCK}"]
        subprocess.run(
            [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", made, "-p", "int4", "-e", "cpu",
             "-c", Path(temporary) / "cache", "--extra_options", *options],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(onnx.load(made / "model.onnx"), out)


def dequantised(file: Path) -> dict[str, torch.Tensor]:
    """The matrices [outputs, inputs] that the 4-bit weights of a graph stand for, by the names of their nodes."""
    graph = onnx.load(file).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    matrices = {}
    for node in graph.node:
        if node.op_type != "MatMulNBits":
            continue
        packed, scales = constants[node.input[1]], constants[node.input[2]]
        assert len(node.input) == 3, "symmetric weights have no zero points"
        halves = np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:2], -1)
        values = (halves.astype(np.float32) - 8) * scales.reshape(*packed.shape[:2], 1)
        inputs = next(attribute.i for attribute in node.attribute if attribute.name == "K")
        matrices[node.name.strip("/").removesuffix("/MatMul_Q4")] = torch.from_numpy(values.reshape(len(values), -1)[:, :inputs].copy())
    return matrices


def load(model: nn.Module, matrices: dict[str, torch.Tensor]) -> None:
    """Put dequantised matrices in the places of the model's own."""
    places = {"lm_head": [model.lm_head]}
    for i, layer in enumerate(model.model.language_model.layers):
        attention, mlp = layer.self_attn, layer.mlp
        places |= {
            f"model/layers.{i}/attn/qkv_proj": [attention.q_proj, attention.k_proj, attention.v_proj],
            f"model/layers.{i}/attn/o_proj": [attention.o_proj],
            **{f"model/layers.{i}/mlp/{name}": [getattr(mlp, name)] for name in ("gate_proj", "up_proj", "down_proj")},
        }
    assert places.keys() == matrices.keys(), places.keys() ^ matrices.keys()
    for name, modules in places.items():
        parts = matrices[name].split([module.weight.shape[0] for module in modules])
        for module, part in zip(modules, parts):
            assert (module.weight - part).abs().max() < 0.1 * module.weight.abs().max(), name
            module.weight.data.copy_(part)


def main() -> None:
    folder, model, processor, image = llava.checkpoint(NAME, kv_heads=2)
    file = folder / "onnx" / "decoder_model_merged_q4.onnx"
    quantise(model, processor.tokenizer, file)
    load(model, dequantised(file))
    runs = record.record(NAME, model, processor, add_special_tokens=True, about="The decoder's weights are those that its 4 bits stand for.")
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    llava.trace_vision(folder, model)
    record.check_graphs(NAME, runs, image, suffixes={"decoder_model_merged": "_q4"})
