"""Writes the official ONNX node tests, which the `onnx` package generates, to a folder in the layout that ONNX itself uses:
NAME/model.onnx, NAME/test_data_set_N/{input,output}_M.pb, and tolerances in NAME/tolerance.json.

    python node-tests.py FOLDER [--version]
"""

import json
import sys
import warnings
from pathlib import Path

import onnx
from onnx import numpy_helper


def tensor_bytes(value, name):
    """One input or output as a serialized tensor; None for what is no tensor (sequences, optionals)."""
    if isinstance(value, onnx.TensorProto):
        return value.SerializeToString()
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        return None
    try:
        return numpy_helper.from_array(value, name).SerializeToString()
    except (TypeError, ValueError, NotImplementedError, KeyError):
        return None


def write(case, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    (folder / "tolerance.json").write_text(json.dumps({"rtol": case.rtol, "atol": case.atol}))
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir(exist_ok=True)
        for kind, values in (("input", inputs), ("output", outputs)):
            for i, value in enumerate(values):
                content = tensor_bytes(value, f"{kind}_{i}")
                # An empty file stands for what is no tensor.
                (data / f"{kind}_{i}.pb").write_bytes(content or b"")


def main():
    if "--version" in sys.argv:
        print(onnx.__version__)
        return
    from onnx.backend.test.case.node import collect_testcases

    folder = Path(sys.argv[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            write(case, folder / case.name)


main()
