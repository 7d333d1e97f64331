"""Heads hidden in pictures and videos, so that a result can be shown without showing a person.

A head becomes squares of a third of its face, of which nobody can tell who it was. Rather too much
is hidden than too little: hair, ears and chin with the face; in a video also where a face was, or
will be, for half a second (or 12 frames, where these are longer) in which it is not found.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actionunits.types import Reading

SEARCH_EVERY = 2
"""Frames of a video from one search for new faces to the next, where they are to be hidden."""

_HOLD = 0.5  # seconds
_HOLD_FRAMES = 12  # of the video, after which the smallest faces that it finds have been found
_ROOM = 1 << 27  # pixels of frames that wait for those after them
_AROUND, _ABOVE = 0.45, 0.7  # of the face's longer side that the head goes on beyond its box
_SQUARES = 3  # a face
_GROWTH = 0.5  # of a head, by the end of the time for which its place is held

Box = NDArray[np.floating]


class Hider:
    """Hides the heads in the frames of one video; frames come out when what comes is known."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._waiting: deque[Reading] = deque()
        self._known: deque[Reading] = deque()  # those that may be near, without their pictures
        self._pixels = 0

    def push(self, reading: Reading) -> Iterator[Reading]:
        """Take the next frame; yield those that can be shown, with their heads hidden."""
        self._waiting.append(reading)
        self._known.append(_bare(reading))
        self._pixels += reading.frame.image[..., 0].size
        while not _near(self._waiting[0], reading) or self._pixels > _ROOM:
            yield self._next()

    def finish(self) -> Iterator[Reading]:
        """Yield the frames that are left."""
        while self._waiting:
            yield self._next()

    def _next(self) -> Reading:
        reading = self._waiting.popleft()
        self._pixels -= reading.frame.image[..., 0].size
        while not _near(self._known[0], reading):
            self._known.popleft()
        return with_hidden(reading, self._places(reading))

    def _places(self, reading: Reading) -> list[Box]:
        """Where the faces may be that are not found on a frame but near it."""
        shown = {face.track for face in reading.faces}
        before: dict[int, Box] = {}
        after: dict[int, Box] = {}
        for other in self._known:
            is_after = other.frame.number > reading.frame.number
            for face in other.faces if _near(other, reading) else ():
                if face.track in shown:
                    continue
                box = _grown(face.box, _apart(other, reading) / _HOLD)
                if is_after:
                    after.setdefault(face.track, box)
                else:
                    before[face.track] = box
        return [
            _spanning([boxes[track] for boxes in (before, after) if track in boxes])
            for track in before.keys() | after.keys()
        ]


def with_hidden(reading: Reading, places: Iterable[Box] = ()) -> Reading:
    """A reading whose picture hides the heads of its faces, and those at other places.

    Args:
        reading: of one frame.
        places: (4,) x, y, width, height of faces in pixels.
    """
    image = reading.frame.image.copy()
    for box in (*(face.box for face in reading.faces), *places):
        _hide(image, box)
    return reading._replace(frame=reading.frame._replace(image=image))


def _hide(image: NDArray[np.uint8], box: Box) -> None:
    """Make squares of the head around a face."""
    height, width = image.shape[:2]
    long = float(max(box[2:]))
    left, top = box[0] - _AROUND * long, box[1] - _ABOVE * long
    right, bottom = box[0] + box[2] + _AROUND * long, box[1] + box[3] + _AROUND * long
    x, y = (max(int(np.floor(edge)), 0) for edge in (left, top))
    head = image[y : min(int(np.ceil(bottom)), height), x : min(int(np.ceil(right)), width)]
    if not head.size:
        return
    square = max(min(box[2:]) / _SQUARES, 1.0)
    count = [max(round(edge / square), 1) for edge in (head.shape[1], head.shape[0])]
    small = Image.fromarray(head).resize((count[0], count[1]), Image.Resampling.BOX)
    head[:] = np.asarray(small.resize((head.shape[1], head.shape[0]), Image.Resampling.NEAREST))


def _bare(reading: Reading) -> Reading:
    return reading._replace(frame=reading.frame._replace(image=reading.frame.image[:0]))


def _apart(one: Reading, other: Reading) -> float:
    return abs(one.frame.seconds - other.frame.seconds)


def _near(one: Reading, other: Reading) -> bool:
    frames = abs(one.frame.number - other.frame.number)
    return _apart(one, other) <= _HOLD or frames <= _HOLD_FRAMES


def _grown(box: Box, share: float) -> Box:
    more = box[2:] * _GROWTH * min(share, 1.0)
    return np.concatenate([box[:2] - more / 2, box[2:] + more])


def _spanning(boxes: list[Box]) -> Box:
    """The box around all."""
    corner = np.min([box[:2] for box in boxes], axis=0)
    end = np.max([box[:2] + box[2:] for box in boxes], axis=0)
    return np.concatenate([corner, end - corner])
