"""Write test/reference: `python -m training.reference NAME …`, or `all`; each name is a module of this folder that has a `main`."""

import importlib
import sys

FAMILIES = ["qwen2_vl", "qwen2_5_vl", "paligemma", "gemma3", "smolvlm", "llava", "llava_onevision"]
NAMES = ["pocket", *FAMILIES, "llava_q4", "llava_q8", "llava_fp16", "sizes"]

if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked == ["all"]:
        asked = NAMES
    if not asked or any(name not in NAMES for name in asked):
        sys.exit(f"usage: python -m training.reference all | NAME …; the names are {', '.join(NAMES)}")
    for name in asked:
        importlib.import_module(f"training.reference.{name}").main()
