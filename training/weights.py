"""Read the exported graphs back into the PyTorch model. Needs torch and onnx only."""

from pathlib import Path

import onnx
import onnx.numpy_helper
import torch

from .model import Pocket

# File of a graph, and what its parameters' names lack of the whole model's, where they lack anything.
GRAPHS = [("vision_encoder", "vision."), ("embed_tokens", "decoder."), ("decoder_model_merged", "")]


def from_onnx(model: Pocket, folder: Path) -> Pocket:
    """`model` in float32 with the weights of `folder`/onnx."""
    wanted = model.state_dict()
    state = {}
    for file, prefix in GRAPHS:
        graph = onnx.load(folder / "onnx" / f"{file}.onnx").graph
        found = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in graph.initializer}
        # Equal weights are stored once and copied under their other names.
        found |= {n.output[0]: found[n.input[0]] for n in graph.node if n.op_type == "Identity" and n.input[0] in found}
        for name, value in found.items():
            if name.endswith("^T"):
                name, value = name.removesuffix("^T"), value.t().contiguous()
            state[name if name in wanted else prefix + name] = value
    model.load_state_dict({name: state[name] for name in wanted})
    return model.eval()
