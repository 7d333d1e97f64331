"""From paths and pictures in memory to chunks of frames, which go through the networks together."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count, groupby, islice
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from actionunits import media
from actionunits.detect import memory
from actionunits.detect.ahead import Room
from actionunits.detect.faults import Faults
from actionunits.errors import UserError
from actionunits.system.machine import cores
from actionunits.types import Frame

BLOCK = 1800
"""Frames of a video, by their numbers, after which nothing is known of before but who is who."""
_CHUNK_FRAMES = 8  # of a video that go through the networks together
_CHUNK_PIXELS = (
    1 << 23
)  # of large pictures, fewer do: what goes through at a time has room for some
_AHEAD_PIXELS = 1 << 25  # of pictures that are decoded at a time
_HANDS = 4  # that decode at the most
_WORTH_A_HAND = 1.0  # seconds; a process that decodes takes some .3 of a core's to start

PathLike = str | Path | int
Picture = Any
"""An array, a tensor or a picture of Pillow, see `memory.pictures`."""
Given = PathLike | Picture | Iterable[PathLike | Picture]
"""What is to be read; an iterator is asked for the next one when there is room for it."""


class Chunk(NamedTuple):
    """Consecutive frames of one video, or of a few pictures."""

    frames: list[Frame]
    still: bool
    pixels: int  # of all of them, for which room was taken
    before: int  # number of the frame before them, -1 if there is none


def each(given: Given) -> Iterator[PathLike | NDArray[np.uint8]]:
    """Each path and each picture in memory, one after the other.

    Args:
        given: pictures, videos, folders, cameras, streams by their paths, or what holds pictures.

    Raises:
        UserError: something is none of these, or no picture of a kind that can be read.
    """
    one = isinstance(given, (str, bytes, os.PathLike)) or memory.is_picture(given)
    seen = 0
    for thing in given if isinstance(given, Iterable) and not one else [given]:
        if not memory.is_picture(thing):
            yield _path(thing)
            continue
        for picture in memory.pictures(thing, f"picture {seen + 1}"):
            seen += 1
            yield picture


def _path(given: Any) -> PathLike:
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        return int(given)
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    if isinstance(given, str):
        return given
    shape = f" of shape {tuple(given.shape)}" if hasattr(given, "shape") else ""
    raise UserError(
        "expected paths of pictures, videos or folders, the number of a camera, or pictures as "
        f"arrays, tensors or Pillow's; found a {type(given).__name__}{shape}"
    )


def blocks(sources: Iterable[str]) -> Iterator[list[str]]:
    """Sources that are worked on together: a few pictures in a row, or one video or stream.

    Args:
        sources: in order.
    """
    for still, group in groupby(sources, media.is_still):
        row = list(group)
        size = _CHUNK_FRAMES if still else 1
        yield from (row[start : start + size] for start in range(0, len(row), size))


def chunks(
    given: Given,
    faults: Faults,
    room: Room,
    span: media.Span = media.WHOLE,
) -> Generator[Chunk, None, None]:
    """A few frames at a time, of the sources of one block; those of a stream at once.

    No chunk of a video reaches over the end of a `BLOCK`: what is read of the frames of one does
    not depend on where reading began before it.

    Args:
        given: paths and pictures in memory, see `each`. Those of an iterator come one by one.
        faults: is told of what cannot be decoded, and says of which source no more is wanted.
        room: for pixels, of which each chunk takes some.
        span: which frames of what moves are wanted; with a rate, pictures in memory are one video.
    """
    several = isinstance(given, Sequence) or memory.is_picture(given)
    limit = _CHUNK_FRAMES if several else 1
    place = count()
    for held, group in groupby(each(given), lambda thing: isinstance(thing, np.ndarray)):
        if held:
            pictures = cast(Iterator[NDArray[np.uint8]], group)
            frames = (_held(picture, next(place), span.rate) for picture in pictures)
            yield from _packed(frames, room, limit, still=span.rate is None)
            continue
        paths = cast(Iterator[PathLike], group)
        for some in [list(paths)] if several else ([path] for path in paths):
            yield from _of_paths(some, faults, room, span)


def _held(picture: NDArray[np.uint8], place: int, rate: float | None) -> Frame:
    if rate is None:
        return Frame(picture, f"picture {place + 1}", 0, 0.0)
    return Frame(picture, "pictures", place, place / rate)


def _of_paths(
    paths: Iterable[PathLike], faults: Faults, room: Room, span: media.Span
) -> Iterator[Chunk]:
    hands = _Hands()
    for block in blocks(media.sources(paths, faults.report, clips=span.rate is not None)):
        limit = 1 if media.is_live(block[0]) else _CHUNK_FRAMES
        begins = (partial(_frames, source, faults, room, span) for source in block)
        frames = _begun_ahead(begins, hands)
        with closing(frames):
            yield from _packed(frames, room, limit, still=media.is_still(block[0]))


def _packed(frames: Iterable[Frame], room: Room, limit: int, *, still: bool) -> Iterator[Chunk]:
    """Frames of one block, so many at a time, and fewer where they are large."""
    packed: list[Frame] = []
    pixels, before = 0, -1

    def chunk() -> Chunk:
        """What is packed, of which nothing is kept here."""
        nonlocal packed, pixels, before
        whole = Chunk(packed, still, pixels, before)
        before, packed, pixels = packed[-1].number, [], 0
        return whole

    coming, ahead = iter(frames), 0
    while (frame := next(coming, None)) is not None:
        size = _size(frame)
        if packed and (
            pixels + size > _CHUNK_PIXELS or (not still and _begins_block(packed, frame))
        ):
            yield chunk()  # before room is waited for that its own frames have
        if size != ahead:
            room.give(ahead)
            room.take(size)
        packed.append(frame)
        pixels += size
        del frame  # before the next one takes as much room
        if len(packed) >= limit or pixels + size > _CHUNK_PIXELS:  # the next one is as large
            yield chunk()
        ahead = 0 if still else size
        room.take(ahead)  # none of what moves is fetched before there is room
    room.give(ahead)
    if packed:
        yield chunk()


def _begins_block(before: Sequence[Frame], frame: Frame) -> bool:
    return frame.number // BLOCK != before[-1].number // BLOCK


def _size(frame: Frame) -> int:
    height, width = frame.image.shape[:2]
    return int(height * width)


class _Hands:
    """How many sources are decoded at a time, each by a process of its own.

    One, until so much time went in waiting for it that to start another is little beside it; no
    more than there are cores, or pictures as large as the last one have room; and few, since the
    next ones may be larger.
    """

    def __init__(self) -> None:
        self.most = min(cores(), _HANDS)
        self._waited, self._pixels = 0.0, 0

    @property
    def count(self) -> int:
        worth = 1 + int(self._waited / _WORTH_A_HAND)
        return max(min(worth, self.most, _AHEAD_PIXELS // max(self._pixels, 1)), 1)

    def take(self, begun: "Future[_Begun]") -> "_Begun":
        """Wait for a source, which takes how long it takes."""
        since = monotonic()
        source = begun.result()
        self._waited += monotonic() - since
        for frame in source.first:  # a broken picture does not tell how large the next ones are
            self._pixels = _size(frame)
        return source


class _Begun(NamedTuple):
    """The first frame of a source, if there is one, and what gives the others."""

    first: list[Frame]
    rest: Generator[Frame, None, None]


def _begun_ahead(
    sources: Iterable[Callable[[], Generator[Frame, None, None]]], hands: _Hands
) -> Generator[Frame, None, None]:
    """Frames of one source after the other; the next ones are opened and decoded meanwhile."""
    begun: deque[Future[_Begun]] = deque()
    coming = iter(sources)
    with ThreadPoolExecutor(hands.most, "next") as pool:

        def begin() -> None:
            for source in islice(coming, max(hands.count - len(begun), 0)):
                begun.append(pool.submit(_begin, source))

        begin()
        while begun:
            first, rest = hands.take(begun.popleft())
            begin()
            try:
                with closing(rest):
                    yield from first
                    first.clear()
                    yield from rest
            except GeneratorExit:
                for unwanted in begun:
                    unwanted.result().rest.close()
                raise


def _begin(source: Callable[[], Generator[Frame, None, None]]) -> _Begun:
    frames = source()
    return _Begun(list(islice(frames, 1)), frames)


def _frames(
    source: str, faults: Faults, room: Room, span: media.Span
) -> Generator[Frame, None, None]:
    """Frames of a source, until it ends, cannot be decoded, or has ended for another reason."""
    try:
        with closing(media.frames(source, span=span, unwanted=lambda: room.is_open)) as frames:
            for frame in frames:
                yield frame
                del frame  # before the next one takes as much room
                if faults.has_ended(source):
                    return
    except Exception as error:  # of whatever library decodes it
        faults.tell(source, error)
