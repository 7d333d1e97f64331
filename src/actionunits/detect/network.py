"""What reads faces, whichever library computes it: arrays in, arrays out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from actionunits.types import InputSpec

RUNTIMES = ("auto", "onnx", "int8", "torch")
"""ONNX Runtime, which needs the graph beside the weights; the same by convolutions in bytes, which
needs another; PyTorch; or the fastest that can."""

Crops = Any
"""(F, size, size, 3) uint8, RGB: an array, or a tensor where the model is computed."""

_MOST_LOGIT = 16.0
MOST_FACES = 64  # of a crowd, more go in turns


class Values(NamedTuple):
    """What a model says of F faces."""

    probability: NDArray[np.floating]  # (F, A)
    intensity: NDArray[np.floating] | None  # (F, A)
    embedding: NDArray[np.floating] | None = None  # (F, E)
    quality: NDArray[np.floating] | None = None  # (F,) 0..1
    landmarks: NDArray[np.floating] | None = None  # (F, 49, 2) pixels of the crop
    pose: NDArray[np.floating] | None = None  # (F, 3), this and the others as in `Besides`
    gaze: NDArray[np.floating] | None = None  # (F, 2)
    sides: NDArray[np.floating] | None = None  # (F, A, 2)
    hidden: NDArray[np.floating] | None = None  # (F, 6)

    @property
    def logits(self) -> NDArray[np.floating]:
        """(F, A) log odds of the probability, at most 16: it has no digits for more."""
        p = np.asarray(self.probability, np.float64)
        with np.errstate(divide="ignore"):
            odds: NDArray[np.float64] = np.log(p) - np.log1p(-p)
        return odds.clip(-_MOST_LOGIT, _MOST_LOGIT)

    def told(self) -> dict[str, int]:
        """What is told besides AUs, by its name: how many numbers a face has."""
        kinds = {kind: getattr(self, kind) for kind in self._fields[2:]}
        return {k: v[0].size for k, v in kinds.items() if v is not None}

    def part(self, *index: int | slice | None) -> "Values":
        """Return some of the values, each indexed alike."""
        parts: list[Any] = [None if values is None else values[index] for values in self]
        return Values(*parts)


def joined(parts: Sequence[Values], aus: int) -> Values:
    """Values of all faces of several parts, of none without parts."""
    if not parts:
        return Values(np.zeros((0, aus)), None)
    kinds: Iterator[tuple[Any, ...]] = zip(*parts, strict=True)
    arrays: list[Any] = [None if kind[0] is None else np.concatenate(kind) for kind in kinds]
    return Values(*arrays)


class Reads(Protocol):
    """What models of single faces and of clips have in common. Several threads may ask at once.

    Attributes:
        spec: what it is fed.
    """

    spec: InputSpec

    @property
    def intensity(self) -> bool:
        """Whether it tells intensities."""
        ...

    @property
    def told(self) -> Mapping[str, int]:
        """What it tells besides AUs, by its name in `Values`: how many numbers a face has."""
        ...


class Network(Reads, Protocol):
    """A model of single faces."""

    def values(self, crops: Crops) -> Values:
        """Read aligned faces, one or more, with all that the model tells."""
        ...


class ClipNetwork(Reads, Protocol):
    """A model of clips, which looks at each frame once; see `actionunits.types.ClipModel`."""

    def encode(self, crops: Crops) -> Sequence[Any]:
        """What is kept of each of one or more aligned faces."""
        ...

    def read(self, kept: Sequence[Any]) -> Values:
        """Read a face in its time.

        Args:
            kept: of c + T + c consecutive frames, c being the context.

        Returns:
            Values of T frames.
        """
        ...
