"""The models that can be trained, by name: what each starts from, what it is shown and what of it learns."""

from collections.abc import Callable
from dataclasses import dataclass

from . import tokens
from .data import Sight
from .duo import doubled
from .grow import grow
from .model import LARGE, Config, Pocket
from .weights import from_onnx


@dataclass(frozen=True)
class Variant:
    """`start` builds the model as it is before its first step.

    Parameters whose names begin with one of `frozen` do not learn; those of `slow` have learned before and do so at a quarter of the rate.
    """

    start: Callable[[], Pocket]
    sight: Sight = Sight()
    frozen: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    encoder_frozen: bool = False
    rate: float = 2.5e-3
    warmup: int = 200
    batch: int = 24


VARIANTS = {
    "pocket": Variant(lambda: Pocket(Config(vocab=tokens.load().get_vocab_size()))),
    "pocket-large": Variant(
        lambda: grow(from_onnx(tokens.FOLDER), LARGE),
        frozen=("vision.stem", "vision.position", "vision.blocks", "vision.norm"), encoder_frozen=True, rate=4e-4, warmup=60, batch=16,
    ),
    "pocket-duo": Variant(
        lambda: doubled(from_onnx(tokens.FOLDER)), Sight(scales=(1, 2, 2), views=(96, 192), hidden=0.15),
        frozen=("vision.low", *(f"vision.high.stem.{i}." for i in range(5))),
        slow=("decoder", "vision.fusion.blocks", "vision.fusion.norm", "vision.fusion.projector"), rate=1.6e-3, warmup=60, batch=20,
    ),
}
