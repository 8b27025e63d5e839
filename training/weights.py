"""Rebuild the PyTorch model from the exported graphs. Needs torch and onnx only."""

import json
from pathlib import Path

import onnx
import onnx.numpy_helper
import torch

from .model import Config, Pocket


def from_onnx(folder: Path) -> Pocket:
    """`Pocket` in float32 with the weights of `folder`/onnx."""
    text = json.loads((folder / "config.json").read_text())["text_config"]
    model = Pocket(Config(vocab=text["vocab_size"]))
    state = {}
    for file, prefix in [("vision_encoder", "vision."), ("embed_tokens", "decoder."), ("decoder_model_merged", "")]:
        graph = onnx.load(folder / "onnx" / f"{file}.onnx").graph
        found = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in graph.initializer}
        # Equal weights are stored once and copied under their other names.
        found |= {n.output[0]: found[n.input[0]] for n in graph.node if n.op_type == "Identity" and n.input[0] in found}
        for name, value in found.items():
            state[prefix + name.removesuffix("^T")] = value.t().contiguous() if name.endswith("^T") else value
    wanted = model.state_dict()
    model.load_state_dict({name: state[name] for name in wanted})
    return model.eval()
