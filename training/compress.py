"""Smaller files of weights, in operators that any runtime of ONNX has: the graphs compute in float32 all the same.

Of each constant the graph then holds float16 behind a Cast, or int8 behind a Cast and a Mul with its scales. Not behind DequantizeLinear:
onnxruntime makes of that and a MatMul a product in whole numbers, which rounds the activations too (logits were off by 0.9).
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Constants of fewer elements stay as they are.
LEAST = 2048


def unchanged(name: str, graph: onnx.ModelProto) -> onnx.ModelProto:
    """float32"""
    return graph


def halved(name: str, graph: onnx.ModelProto) -> onnx.ModelProto:
    """Every large constant in float16."""
    return _behind(graph, _large(graph), _half)


def decoder_in_bytes(name: str, graph: onnx.ModelProto) -> onnx.ModelProto:
    """The matrices of the decoder's blocks in int8, with a scale for each output channel and no zero point; all else in float16."""
    if name == "decoder_model_merged":
        products = {node.input[1] for node in graph.graph.node if node.op_type == "MatMul"}
        graph = _behind(graph, {m for m in _large(graph) & products if ".blocks." in m}, _byte)
    return halved(name, graph)


def _large(graph: onnx.ModelProto) -> set[str]:
    return {t.name for t in graph.graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims) >= LEAST}


def _half(name: str, value: np.ndarray) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    stored = numpy_helper.from_array(value.astype(np.float16), f"{name}/float16")
    return [stored], [helper.make_node("Cast", [stored.name], [name], f"{name}/Cast", to=TensorProto.FLOAT)]


def _byte(name: str, value: np.ndarray) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """value [inputs, outputs]"""
    scale = np.abs(value).max(0).clip(1e-9) / 127
    codes = np.round(value / scale).astype(np.int8)
    stored = [numpy_helper.from_array(codes, f"{name}/int8"), numpy_helper.from_array(scale.astype(np.float32), f"{name}/scale")]
    cast = helper.make_node("Cast", [f"{name}/int8"], [f"{name}/codes"], f"{name}/Cast", to=TensorProto.FLOAT)
    return stored, [cast, helper.make_node("Mul", [f"{name}/codes", f"{name}/scale"], [name], f"{name}/Mul")]


def _behind(graph: onnx.ModelProto, names: set[str], store) -> onnx.ModelProto:
    """Each of these constants stored by `store`, and under its name what nodes make of that."""
    kept, nodes = [], []
    for tensor in graph.graph.initializer:
        if tensor.name in names:
            stored, made = store(tensor.name, numpy_helper.to_array(tensor))
            kept += stored
            nodes += made
        else:
            kept.append(tensor)
    nodes += graph.graph.node
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(nodes)
    return graph
