"""Faces that were found on frames, and what a model reads of them, source by source."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actionunits.detect.ahead import Room
from actionunits.detect.faults import Failed, Faults, tried
from actionunits.detect.network import Crops
from actionunits.detect.reader import Read, Reader
from actionunits.detect.seek import Found
from actionunits.faces import align
from actionunits.types import Face, Frame, InputSpec

if TYPE_CHECKING:
    from actionunits.faces.device import OnDevice

_AT_A_TIME = 16  # faces, which take the slowest model some seconds at most


class Cropped(NamedTuple):
    """One frame with the faces that were found on it."""

    frame: Frame
    faces: tuple[Face, ...]  # by track number
    crops: NDArray[np.uint8]  # (F, size, size, 3), aligned, as the model wants them


class Cropper:
    """Aligned faces as a model wants them.

    Args:
        spec: of the model.
        five: (5, 2) where the five points of a face go, in the unit square.
        beside: cuts crops where the model is computed; None: where the pictures are.
    """

    def __init__(
        self, spec: InputSpec, five: align.FloatArray, beside: "OnDevice | None" = None
    ) -> None:
        self._size, self._target = spec.size, align.template(spec.size, spec.align, five)
        self._warp: Callable[..., Crops] = align.of_each if beside is None else beside.warp

    def crops(self, part: Found, positions: Sequence[int]) -> Crops:
        """Crops (F, size, size, 3) of all faces of these frames of a part, for the model."""
        faces = [part.faces[at] for at in positions]
        owners = np.repeat(np.arange(len(faces)), [len(shown) for shown in faces])
        everybody = tuple(chain.from_iterable(faces))
        images = [part.frames[at].image for at in positions]
        return self._warp(images, owners, self.placing(everybody), self._size)

    def __call__(self, part: Found, positions: Sequence[int]) -> list[Cropped]:
        """Crops of these frames of a part, as arrays."""
        return [self._cropped(part.frames[at], part.faces[at]) for at in positions]

    def _cropped(self, frame: Frame, faces: tuple[Face, ...]) -> Cropped:
        return Cropped(frame, faces, align.warp(frame.image, self.placing(faces), self._size))

    def placing(self, faces: tuple[Face, ...]) -> align.FloatArray:
        """Maps (F, 2, 3) from the picture to the crop of each face."""
        landmarks = np.array([face.landmarks for face in faces]).reshape(-1, 5, 2)
        return align.similarity(landmarks, self._target)


def looked(
    look: Reader, cropper: Cropper, go_on: Callable[[], None], part: Found
) -> tuple[Found, list[Sequence[Any] | Failed]]:
    """A part with what a reader sees on each of its frames; see `Crew.go_on`."""

    def looks_at(faces: Crops) -> Iterator[Any]:
        for at in range(0, len(faces), _AT_A_TIME):
            go_on()
            yield from look.look(faces[at : at + _AT_A_TIME])

    def see(positions: Sequence[int]) -> list[Sequence[Any]]:
        looks = looks_at(cropper.crops(part, positions))
        return [[next(looks) for _ in part.faces[at]] for at in positions]

    return part, tried(len(part.frames), see)


def reads(
    begin: Callable[[], Reader],
    parts: Iterable[tuple[Found, list[Sequence[Any] | Failed]]],
    faults: Faults,
    room: Room,
) -> Iterator[Read]:
    """What the model reads, source by source, each by a reader of its own."""
    source, run = "", begin()

    def of(part: Found, results: Sequence[Sequence[Any] | Failed]) -> Iterator[Read]:
        nonlocal source, run
        seen = faults.settled(part.frames, results)
        for name, group in groupby(seen, partial(_source, part)):
            if name != source:
                yield from faults.through(source, run.finish())
                source, run = name, begin()
            at, looks = zip(*group, strict=True)
            frames, faces = [part.frames[i] for i in at], [part.faces[i] for i in at]
            if not (yield from faults.through(source, run.push(frames, faces, looks))):
                run = begin()

    for part, results in parts:
        yield from of(part, results)
        pixels = part.pixels
        del part, results  # before others take their room
        room.give(pixels)
    yield from faults.through(source, run.finish())


def _source(part: Found, seen: tuple[int, Any]) -> str:
    return part.frames[seen[0]].source
