"""
What the image processors of SmolVLM and LLaVA-OneVision, as published, make of pictures of many sizes: test/reference/sizes.json. Only
numbers of views, places and tokens; the pixels are compared family by family.
"""

import json

import numpy as np
from PIL import Image
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_utils import ChannelDimension
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor

from . import record

# width, height
SIZES = [
    (1, 1), (2, 1), (1, 7), (3, 1000), (1000, 3), (16, 21), (383, 384), (384, 384), (385, 384), (512, 512), (513, 512), (512, 513),
    (640, 480), (480, 640), (800, 600), (1023, 767), (1024, 1025), (1080, 1920), (1920, 1080), (1999, 100), (2000, 1500), (2048, 2048),
    (97, 1301), (1301, 97), (333, 777), (777, 333), (1153, 1151),
]


def smolvlm(longest: int, side: int, split: bool) -> dict:
    processor = Idefics3ImageProcessorPil(
        size={"longest_edge": longest}, max_image_size={"longest_edge": side}, do_image_splitting=split, resample=0,
    )
    cases = []
    for width, height in SIZES:
        made = processor.preprocess([Image.new("RGB", (width, height))], return_row_col_info=True, return_tensors="np")
        cases.append([width, height, made["rows"][0][0], made["cols"][0][0], made["pixel_values"].shape[1]])
    return {"longest_edge": longest, "max_image_size": side, "do_image_splitting": split, "cases": cases}


def onevision(side: int, patch: int, aspect: str) -> dict:
    image_processor = LlavaOnevisionImageProcessorPil(size={"height": side, "width": side})
    grids = image_processor.image_grid_pinpoints
    processor = LlavaOnevisionProcessor.__new__(LlavaOnevisionProcessor)
    processor.image_processor, processor.num_image_tokens, processor.vision_aspect_ratio = image_processor, (side // patch) ** 2, aspect
    cases = []
    for width, height in SIZES:
        best = select_best_resolution((height, width), grids)
        fit = get_patch_output_size(np.empty((3, height, width)), best, ChannelDimension.FIRST)
        tokens = processor._get_number_of_features(height, width, side, side)
        cases.append([width, height, *best, *fit, tokens])
    return {"side": side, "patch": patch, "vision_aspect_ratio": aspect, "image_grid_pinpoints": grids, "cases": cases}


def main() -> None:
    content = {
        "smolvlm": [smolvlm(2048, 512, True), smolvlm(1456, 364, True), smolvlm(512, 512, True), smolvlm(2048, 512, False)],
        "llava_onevision": [onevision(384, 14, "anyres_max_9"), onevision(384, 14, "anyres_max_2")],
    }
    (record.ROOT / "sizes.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
