"""Read the exported graphs back into the PyTorch model. Needs torch and onnx only."""

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch

from .model import Pocket

# File of a graph, and what its parameters' names lack of the whole model's, where they lack anything.
GRAPHS = [
    ("vision_encoder", "vision."), ("vision_encoder_low", "vision.low."), ("vision_encoder_high", "vision.high."), ("vision_fusion", "vision.fusion."),
    ("embed_tokens", "decoder."), ("decoder_model_merged", ""),
]
# How weights are made of others: equal ones are stored once and copied under their other names; for the rest see compress.py.
MADE = {"Identity": lambda stored: stored, "Cast": lambda stored: stored.astype(np.float32), "Mul": np.multiply}


def weights(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The constants of a graph in float32, those too that it makes of others."""
    found = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type in MADE and all(name in found for name in node.input):
            found[node.output[0]] = MADE[node.op_type](*(found[name] for name in node.input))
    return found


def from_onnx(model: Pocket, folder: Path) -> Pocket:
    """`model` in float32 with the weights of `folder`/onnx."""
    wanted = model.state_dict()
    state = {}
    for file, prefix in GRAPHS:
        path = folder / "onnx" / f"{file}.onnx"
        for name, value in weights(onnx.load(path).graph).items() if path.exists() else ():
            if name.endswith("^T"):
                name, value = name.removesuffix("^T"), value.T
            state[name if name in wanted else prefix + name] = torch.from_numpy(np.array(value))
    model.load_state_dict({name: state[name] for name in wanted})
    return model.eval()
