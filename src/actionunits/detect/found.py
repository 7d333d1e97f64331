"""Faces that were found on frames, and what a model reads of them, source by source."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor

from actionunits.detect.ahead import Room
from actionunits.detect.faults import Failed, Faults, tried
from actionunits.detect.reader import Read, Reader
from actionunits.types import Face, Frame


class Found(NamedTuple):
    """Consecutive frames with the faces that were found on them."""

    frames: list[Frame]
    faces: list[tuple[Face, ...]]  # of each frame, by track number
    crops: Tensor  # (F, 3, size, size) uint8, aligned, as the model wants them, frame by frame
    pixels: int  # of the frames that they are of, for which room was taken


def looked(look: Reader, part: Found) -> tuple[Found, list[Sequence[Any] | Failed]]:
    """A part with what a reader sees on each of its frames."""
    counts = [len(faces) for faces in part.faces]
    crops = torch.split(part.crops, counts)

    def see(positions: Sequence[int]) -> list[Sequence[Any]]:
        looks = iter(look.look(torch.cat([crops[at] for at in positions])))
        return [[next(looks) for _ in range(counts[at])] for at in positions]

    return part, tried(len(part.frames), see)


def reads(
    begin: Callable[[], Reader],
    parts: Iterable[tuple[Found, list[Sequence[Any] | Failed]]],
    faults: Faults,
    room: Room,
) -> Iterator[Read]:
    """What the model reads, source by source, each by a reader of its own."""
    source, run = "", begin()
    for part, results in parts:
        seen = faults.settled(part.frames, results)
        for name, group in groupby(seen, partial(_source, part)):
            if name != source:
                yield from faults.through(source, run.finish())
                source, run = name, begin()
            at, looks = zip(*group, strict=True)
            frames, faces = [part.frames[i] for i in at], [part.faces[i] for i in at]
            if not (yield from faults.through(source, run.push(frames, faces, looks))):
                run = begin()
        room.give(part.pixels)
    yield from faults.through(source, run.finish())


def _source(part: Found, seen: tuple[int, Any]) -> str:
    return part.frames[seen[0]].source
