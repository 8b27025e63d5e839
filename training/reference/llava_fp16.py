"""LLaVA with all graphs in 16 bits, made by onnxruntime's converter: inputs and outputs stay float32. The reference has the rounded weights."""

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from . import layout, llava, record

NAME = "llava_fp16"
# Activations are rounded too where the graphs run as they are.
TOLERANCE = 0.02
SEED = 14


def main() -> None:
    folder, model, processor, image = llava.checkpoint(NAME, kv_heads=2, seed=SEED)
    model.half().float()
    runs = record.record(NAME, model, processor, add_special_tokens=True, about="The weights are rounded to float16.", least_margin=2 * TOLERANCE)
    layout.trace_embedding(folder, model.model.language_model.embed_tokens)
    layout.trace_decoder(folder, layout.Decoder(model.model.language_model, model.lm_head), model.config.text_config)
    llava.trace_vision(folder, model)
    graphs = ["vision_encoder", "embed_tokens", "decoder_model_merged"]
    for graph in graphs:
        file = folder / "onnx" / f"{graph}.onnx"
        onnx.save(convert_float_to_float16(onnx.load(file), keep_io_types=True), folder / "onnx" / f"{graph}_fp16.onnx")
        file.unlink()
    record.check_graphs(NAME, runs, image, suffixes=dict.fromkeys(graphs, "_fp16"), tolerance=TOLERANCE)
