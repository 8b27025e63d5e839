"""LLaVA's graphs in 8 bits beside those in 32, by onnxruntime's dynamic quantisation: activations are rounded too."""

import logging

from onnxruntime.quantization import QuantType, quantize_dynamic

from . import llava, record


def main() -> None:
    logging.getLogger().setLevel(logging.ERROR)
    folder = record.ROOT / llava.NAME / "onnx"
    # Convolutions take unsigned weights only.
    for graph, weights in [("vision_encoder", QuantType.QUInt8), ("decoder_model_merged", QuantType.QInt8)]:
        quantize_dynamic(folder / f"{graph}.onnx", folder / f"{graph}_quantized.onnx", weight_type=weights)
    size = sum(file.stat().st_size for file in folder.parent.rglob("*") if file.is_file())
    print(f"{llava.NAME} with 8 bits: {size / 1e6:.2f} MB")
    assert size < 2e6, "a family's files are at most 2 MB"
