"""The models that can be trained, by name: what each starts from, what it is shown and what of it learns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from .compress import decoder_in_bytes, halved, unchanged
from .duo import Duo, doubled
from .grow import grow
from .model import LARGE, Pocket
from .sight import Sight
from .tiles import Tiles, tiled
from .weights import from_onnx
from .world import SMALL

# Kinds whose answers hang on one token in a short sentence.
EMPHASIS = {"existence": 2.0, "yesno": 3.0, "position": 2.0, "size": 2.0, "relation": 1.5}
MODELS = Path(__file__).parent.parent / "models"


@dataclass(frozen=True)
class Variant:
    """`build` gives the model with weights of no meaning, `start` (where it is another) as it is before its first step of training.

    Parameters whose names begin with one of `frozen` do not learn; those of `slow` have learned before and do so at that share of
    the rate.
    """

    build: Callable[[], Pocket]
    start: Callable[[], Pocket] | None = None
    sight: Sight = Sight()
    frozen: tuple[str, ...] = ()
    slow: Mapping[str, float] = field(default_factory=dict)
    encoder_frozen: bool = False
    rate: float = 2.5e-3
    warmup: int = 200
    batch: int = 24
    # Weight of patches without an object where the encoder is taught what is there
    empty: float = 1.0
    # How much a token of the answer counts, by the kind of its question (default: 1)
    emphasis: Mapping[str, float] = field(default_factory=lambda: EMPHASIS)
    # How much answers count beside the other losses
    answers: float = 1.0
    # Of the averaged weights, what each step keeps
    average: float = 0.998
    # How a graph's weights are stored in its file
    store: Callable[[str, onnx.ModelProto], onnx.ModelProto] = unchanged


VARIANTS = {
    "pocket": Variant(Pocket),
    "pocket-tiles": Variant(
        Tiles, lambda: tiled(trained("pocket")), Sight(scales=(SMALL, SMALL, 1), tiles=2),
        frozen=("vision.stem", "vision.position"), slow={"vision": 0.4, "decoder": 0.5}, rate=1.2e-3, warmup=60, batch=8, average=0.995, answers=3.0,
        # What must be gathered from several tiles
        emphasis={"describe": 4.0, "relation": 3.0, "size": 3.0, "reading": 2.0, "yesno": 2.0, "position": 2.0, "knowledge": 0.5, "background": 0.5},
    ),
    "pocket-large": Variant(
        lambda: Pocket(LARGE), lambda: grow(trained("pocket"), LARGE),
        frozen=("vision.stem", "vision.position", "vision.blocks", "vision.norm"), encoder_frozen=True, rate=4e-4, warmup=60, batch=16,
        store=decoder_in_bytes,
    ),
    "pocket-duo": Variant(
        Duo, lambda: doubled(trained("pocket")), Sight(scales=(1, SMALL, SMALL), views=(96, 192), fine=24, hidden=0.15),
        frozen=("vision.low", *(f"vision.high.stem.{i}." for i in range(5))),
        slow=dict.fromkeys(("decoder", "vision.fusion.blocks", "vision.fusion.norm", "vision.fusion.projector"), 0.5),
        rate=2e-3, warmup=30, batch=20, empty=0.2, answers=2.0, emphasis={**EMPHASIS, "describe": 4.0, "relation": 2.0},
        store=halved,
    ),
}


def trained(name: str) -> Pocket:
    """The model of that name with the weights of its exported graphs."""
    return from_onnx(VARIANTS[name].build(), MODELS / name)
