"""The models that can be trained, by name: what each starts from and what of it learns."""

from collections.abc import Callable
from dataclasses import dataclass

from . import tokens
from .grow import grow
from .model import LARGE, Config, Pocket
from .weights import from_onnx


@dataclass(frozen=True)
class Variant:
    """`start` builds the model as it is before its first step; parameters whose names begin with one of `frozen` do not learn."""

    start: Callable[[], Pocket]
    config: Config
    frozen: tuple[str, ...] = ()
    rate: float = 2.5e-3
    warmup: int = 200
    batch: int = 24


VARIANTS = {
    "pocket": Variant(lambda: Pocket(Config(vocab=tokens.load().get_vocab_size())), Config()),
    "pocket-large": Variant(
        lambda: grow(from_onnx(tokens.FOLDER), LARGE), LARGE,
        frozen=("vision.stem", "vision.position", "vision.blocks", "vision.norm"), rate=1e-3, warmup=60, batch=16,
    ),
}
