"""From paths to chunks of frames, which go through the networks together."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from actionunits import media
from actionunits.detect.ahead import Room
from actionunits.detect.faults import Faults
from actionunits.errors import UserError
from actionunits.types import Frame

_CHUNK_FRAMES = 8  # of a video that go through the networks together
_CHUNK_PIXELS = (
    1 << 23
)  # of large pictures, fewer do: what goes through at a time has room for some

PathLike = str | Path | int


class Chunk(NamedTuple):
    """Consecutive frames of one video, or of a few pictures."""

    frames: list[Frame]
    still: bool
    pixels: int  # of all of them, for which room was taken
    before: int  # number of the frame before them, -1 if there is none


def listed(given: Iterable[PathLike] | PathLike) -> list[PathLike]:
    """Paths as a list, one path being a list of one.

    Args:
        given: pictures, videos, folders, cameras.

    Raises:
        UserError: something is neither a path nor the number of a camera.
    """
    if isinstance(given, (str, bytes, os.PathLike)) or not isinstance(given, Iterable):
        return [_path(given)]
    return [_path(path) for path in given]


def _path(given: Any) -> PathLike:
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        return int(given)
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    if isinstance(given, str):
        return given
    shape = f" of shape {tuple(given.shape)}" if hasattr(given, "shape") else ""
    raise UserError(
        "expected paths of pictures, videos or folders, or the number of a camera; found a "
        f"{type(given).__name__}{shape}; write pictures to files, and give several paths one by one"
    )


def blocks(sources: Iterable[str]) -> Iterator[list[str]]:
    """Sources that are worked on together: a few pictures in a row, or one video or camera.

    Args:
        sources: in order.
    """
    for still, group in groupby(sources, media.is_still):
        row = list(group)
        size = _CHUNK_FRAMES if still else 1
        yield from (row[start : start + size] for start in range(0, len(row), size))


def chunks(
    paths: Iterable[PathLike], faults: Faults, room: Room, span: media.Span = media.WHOLE
) -> Generator[Chunk, None, None]:
    """A few frames at a time, of the sources of one block; those of a camera at once.

    Args:
        paths: pictures, videos, folders, cameras.
        faults: is told of what cannot be decoded, and says of which source no more is wanted.
        room: for pixels, of which each chunk takes some.
        span: which frames of what moves are wanted.
    """
    for block in blocks(media.sources(paths, faults.report)):
        still = media.is_still(block[0])
        limit = 1 if media.is_camera(block[0]) else _CHUNK_FRAMES
        frames: list[Frame] = []
        pixels, before = 0, -1
        for frame in _begun_ahead([partial(_frames, source, faults, span) for source in block]):
            size = frame.image.shape[0] * frame.image.shape[1]
            if frames and pixels + size > _CHUNK_PIXELS:
                yield Chunk(frames, still, pixels, before)
                before, frames, pixels = frames[-1].number, [], 0
            room.take(size)
            frames.append(frame)
            pixels += size
            if len(frames) >= limit:
                yield Chunk(frames, still, pixels, before)
                before, frames, pixels = frames[-1].number, [], 0
        if frames:
            yield Chunk(frames, still, pixels, before)


def _begun_ahead(sources: Sequence[Callable[[], Generator[Frame, None, None]]]) -> Iterator[Frame]:
    """Frames of one source after the other; the next one is opened and decoded meanwhile."""
    with ThreadPoolExecutor(1, "next") as hand:
        begun = (hand.submit(_begun, source) for source in sources)
        coming = next(begun, None)
        while coming is not None:
            first, rest = coming.result()
            coming = next(begun, None)
            try:
                with closing(rest):
                    yield from first
                    yield from rest
            except GeneratorExit:
                if coming is not None:
                    coming.result()[1].close()
                raise


def _begun(
    source: Callable[[], Generator[Frame, None, None]],
) -> tuple[list[Frame], Generator[Frame, None, None]]:
    """The first frame of a source, if there is one, and what gives the others."""
    frames = source()
    return list(islice(frames, 1)), frames


def _frames(source: str, faults: Faults, span: media.Span) -> Generator[Frame, None, None]:
    """Frames of a source, until it ends, cannot be decoded, or has ended for another reason."""
    try:
        with closing(media.frames(source, span=span)) as frames:
            for frame in frames:
                yield frame
                if faults.has_ended(source):
                    return
    except Exception as error:  # of whatever library decodes it
        faults.tell(source, error)
