"""From chunks of frames to the faces on each: searched for, followed, numbered.

Pictures are searched coarsely, and finely too where that shows nobody or a small face. Of a video
one frame in twelve is searched, by several threads ahead of what follows; on the others faces are
looked at where they were (`faces.follow`), which goes from frame to frame. Every fifth search, and
the first of a shot, is twice as fine: small faces are found then, and followed as well as large
ones. Once in `BLOCK` frames all faces are searched for as on the first frame of a shot, so that a
long video can be read in parts, by several machines.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from itertools import starmap
from threading import Lock
from typing import NamedTuple

import numpy as np

from actionunits.detect.ahead import Crew
from actionunits.detect.chunks import BLOCK, Chunk
from actionunits.detect.faults import Failed, Faults, tried
from actionunits.errors import UserError
from actionunits.faces.align import FloatArray
from actionunits.faces.cuts import Cuts, thumbnail
from actionunits.faces.detections import Detections, Detector, Looks
from actionunits.faces.follow import Follower
from actionunits.faces.track import Tracker
from actionunits.types import Face, Frame

_VIDEO_SIDE = 320
_STILL_SIDES = 320, 1280
_SMALL = 48  # pixels of the coarse search; smaller faces may have company that it does not see
_LEAST_SIDE, _MOST_SIDE = 64, 8192
SEARCH_EVERY = 12  # frames of a video
_FINE_EVERY = 5  # searches, the first one among them
_FINE = 2  # times the side


class Found(NamedTuple):
    """Consecutive frames, or none, with the faces that were found on them."""

    frames: list[Frame]
    faces: list[tuple[Face, ...]]  # of each frame, by track number
    pixels: int  # of the frames that they are of, for which room was taken


class _Looked(NamedTuple):
    """What is known of a frame before the one before it is."""

    searched: Detections | None  # None where it was not searched
    small: FloatArray | None  # its thumbnail, of a video


class Seeker:
    """Finds the faces of any sources.

    Args:
        detector: finds faces; those of a video are followed if it can look (`Looks`).
        size: long side at which pictures and videos are searched; None: 320 for pictures and 1280
            where that shows no large face, 320 for videos and now and then 640. Faces of a tenth of
            the height are found at 320.
        every: frames of a video from one search to the next; 1 searches all and follows none.

    Raises:
        UserError: such a size there is not.
        ValueError: fewer frames than one.
    """

    def __init__(self, detector: Detector, size: int | None, every: int) -> None:
        if size is not None and not _LEAST_SIDE <= size <= _MOST_SIDE:
            raise UserError(
                f"search size: expected {_LEAST_SIDE} to {_MOST_SIDE} pixels, got {size}; 320 "
                "finds faces of a tenth of the height, 640 of a twentieth"
            )
        if every < 1:
            raise ValueError(f"search_every: expected 1 or more frames, got {every}")
        self._detector = detector
        several = getattr(detector, "serves_several", False)
        self._turn: AbstractContextManager[object] = nullcontext() if several else Lock()
        self._looks = detector if isinstance(detector, Looks) and every > 1 else None
        self._every = every if self._looks else 1
        self._still_sides = _STILL_SIDES if size is None else (size,)
        self._sides = size or _VIDEO_SIDE, size or _FINE * _VIDEO_SIDE

    def found(
        self, chunks: Generator[Chunk, None, None], faults: Faults, hands: Crew
    ) -> Generator[Found, None, None]:
        """Faces of the frames, in their order.

        Args:
            chunks: of any sources.
            faults: is told of frames that cannot be searched.
            hands: search ahead.
        """
        source, video = None, _Video(self._looks, *self._sides)

        def followed(chunk: Chunk, results: Sequence[_Looked | Failed]) -> Found:
            nonlocal source, video
            frames, faces = [], []
            for at, looked in faults.settled(chunk.frames, results):
                frame = chunk.frames[at]
                if chunk.still or frame.source != source:  # pages show people anew
                    source = frame.source
                    video = _Video(None if chunk.still else self._looks, *self._sides)
                for _, shown in faults.each([frame], partial(video.faces, frame, looked)):
                    frames.append(frame)
                    faces.append(shown)
            return Found(frames, faces, chunk.pixels)

        with closing(hands.ahead(chunks, partial(self._searched, hands.go_on))) as parts:
            yield from starmap(followed, parts)  # no frame is kept while the next ones come

    def _searched(
        self, go_on: Callable[[], None], chunk: Chunk
    ) -> tuple[Chunk, list[_Looked | Failed]]:
        """A chunk with the faces on those of its frames that are searched."""

        def search(positions: Sequence[int]) -> list[_Looked]:
            frames = [chunk.frames[at] for at in positions]
            if chunk.still:
                return [_Looked(each, None) for each in self._of_stills(frames, go_on)]
            sides = [self._side(chunk, at) for at in positions]
            found: dict[int, Detections] = {}
            for side in {side for side in sides if side}:
                mine = [i for i, wanted in enumerate(sides) if wanted == side]
                searched = self._of_video([frames[i] for i in mine], side)
                found |= zip(mine, searched, strict=True)
            return [_Looked(found.get(i), thumbnail(f.image)) for i, f in enumerate(frames)]

        return chunk, tried(len(chunk.frames), search)

    def _side(self, chunk: Chunk, at: int) -> int:
        """Long side at which a frame of a chunk is searched ahead, 0 if it is not."""
        before = chunk.frames[at - 1].number if at else chunk.before
        turn, last = (n // self._every for n in (chunk.frames[at].number, before))
        if turn == last:
            return 0
        fine = self._looks is not None and turn // _FINE_EVERY != last // _FINE_EVERY
        return self._sides[fine]

    def _of_stills(self, frames: Sequence[Frame], go_on: Callable[[], None]) -> list[Detections]:
        coarse, *finer = self._still_sides
        with self._turn:
            found = self._detector(frames, coarse)
            for side in finer:
                for i, frame in enumerate(frames):
                    if _may_hide(frame, found[i], coarse, side):
                        go_on()
                        [found[i]] = self._detector([frame], side)
        return found

    def _of_video(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        with self._turn:
            if self._looks is None:
                return self._detector(frames, side)
            return self._looks.search(frames, side)


def _may_hide(frame: Frame, found: Detections, coarse: int, fine: int) -> bool:
    """Whether a finer search may find faces that a coarse one has not."""
    long = max(frame.image.shape[:2])
    if min(long, fine) <= coarse:
        return False
    smallest = found.boxes[:, 2:].max(axis=1).min(initial=long)
    return not len(found.scores) or smallest * coarse / long < _SMALL


class _Video:
    """The faces of one source, in the order of its frames."""

    def __init__(self, looks: Looks | None, side: int, fine: int) -> None:
        self._tracker, self._cuts = Tracker(), Cuts()
        self._follower = None if looks is None else Follower(looks, side, fine)
        self._block = 0

    def faces(self, frame: Frame, looked: _Looked, _: Sequence[int]) -> list[tuple[Face, ...]]:
        """Faces of the next frame, the only one, by identity number."""
        if looked.small is not None and self._cuts(looked.small):
            self._tracker.forget()
            if self._follower is not None:
                self._follower.forget()
        found = looked.searched
        if self._follower is not None:
            if frame.number // BLOCK != self._block:
                self._block = frame.number // BLOCK
                self._follower.forget()
            found = self._follower(frame, found)
        assert found is not None  # what is not followed is searched
        numbers = self._tracker.update(found, frame.seconds)
        return [
            tuple(
                Face(frame, int(numbers[i]), found.boxes[i], found.landmarks[i], found.scores[i])
                for i in np.argsort(numbers)
            )
        ]
