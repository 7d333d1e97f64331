"""What reads faces, whichever library computes it: arrays in, arrays out."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from actionunits.types import InputSpec

RUNTIMES = ("auto", "onnx", "int8", "torch")
"""ONNX Runtime, which needs the graph beside the weights; the same by convolutions in bytes, which
needs another; PyTorch; or the fastest that can."""

MOST_FACES = 64  # of a crowd, more go in turns


class Values(NamedTuple):
    """What a model says of F faces."""

    probability: NDArray[np.floating]  # (F, A)
    intensity: NDArray[np.floating] | None  # (F, A)
    embedding: NDArray[np.floating] | None = None  # (F, E)
    quality: NDArray[np.floating] | None = None  # (F,) 0..1

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
    def embedding(self) -> int:
        """Numbers of the embedding that it gives, 0 if none."""
        ...


class Network(Reads, Protocol):
    """A model of single faces."""

    def values(self, crops: NDArray[np.uint8]) -> Values:
        """Read (F, size, size, 3) aligned faces, F from 1 on; with the embedding if there is one.

        Args:
            crops: RGB.
        """
        ...


class ClipNetwork(Reads, Protocol):
    """A model of clips, which looks at each frame once; see `actionunits.types.ClipModel`."""

    def encode(self, crops: NDArray[np.uint8]) -> Sequence[Any]:
        """What is kept of each of F faces.

        Args:
            crops: (F, size, size, 3) RGB, F from 1 on.
        """
        ...

    def read(self, kept: Sequence[Any]) -> Values:
        """Read a face in its time.

        Args:
            kept: of c + T + c consecutive frames, c being the context.

        Returns:
            Values of T frames.
        """
        ...
