"""Heads hidden in pictures and videos, so that a result can be shown without showing a person.

A head becomes squares of a third of its face, of which nobody can tell who it was. Rather too much
is hidden than too little: hair, ears and chin with the face; in a video also where a face was, or
will be, for half a second (or 12 frames, where these are longer) in which it is not found.
"""

import io
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actionunits import media
from actionunits.types import Reading

SEARCH_EVERY = 2
"""Frames of a video from one search for new faces to the next, where they are to be hidden."""

_HOLD = 0.5  # seconds
_HOLD_FRAMES = 12  # of the video, after which the smallest faces that it finds have been found
_AROUND, _ABOVE = 0.45, 0.7  # of the face's longer side that the head goes on beyond its box
_SQUARES = 3  # a face
_GROWTH = 0.5  # of a head, by the end of the time for which its place is held
_BAND = 256  # rows
_KEPT = 95  # JPEG quality of frames that wait: 51 dB, more than the encoder of overlays keeps

Box = NDArray[np.floating]


class _Seen(NamedTuple):
    """Where faces are on a frame."""

    number: int
    seconds: float
    boxes: dict[int, Box]  # by track

    def apart(self, other: "_Seen") -> float:
        return abs(self.seconds - other.seconds)

    def is_near(self, other: "_Seen") -> bool:
        frames = abs(self.number - other.number)
        return self.apart(other) <= _HOLD or frames <= _HOLD_FRAMES


class _Packed:
    """A frame as JPEGs of its bands, none of which takes much room while it is made or read."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._shape = image.shape
        tops = range(0, len(image), _BAND)
        self._bands = [
            media.encode_jpeg(image[top : top + _BAND], _KEPT, subsampling=0) for top in tops
        ]

    def image(self) -> NDArray[np.uint8]:
        image = np.empty(self._shape, np.uint8)
        for number, band in enumerate(self._bands):
            rows = slice(number * _BAND, (number + 1) * _BAND)
            image[rows] = np.asarray(Image.open(io.BytesIO(band)))
        return image


class Hider:
    """Hides the heads in the frames of one video; frames come out when what comes is known.

    Those that wait are compressed, since half a second of 4K is a gigabyte.
    """

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._waiting: deque[tuple[_Seen, Reading, _Packed]] = deque()
        self._known: deque[_Seen] = deque()  # those that may be near

    def push(self, reading: Reading) -> Iterator[Reading]:
        """Take the next frame; yield those that can be shown, with their heads hidden."""
        frame = reading.frame
        boxes = {face.track: face.box for face in reading.faces}
        seen = _Seen(frame.number, frame.seconds, boxes)
        self._waiting.append((seen, reading.bare(), _Packed(frame.image)))
        self._known.append(seen)
        while not self._waiting[0][0].is_near(seen):
            yield self._next()

    def finish(self) -> Iterator[Reading]:
        """Yield the frames that are left."""
        while self._waiting:
            yield self._next()

    def _next(self) -> Reading:
        seen, bare, packed = self._waiting.popleft()
        while not self._known[0].is_near(seen):
            self._known.popleft()
        image = packed.image()
        _hide(image, [*seen.boxes.values(), *self._places(seen)])
        return bare._replace(frame=bare.frame._replace(image=image))

    def _places(self, seen: _Seen) -> list[Box]:
        """Where the faces may be that are not found on a frame but near it."""
        before: dict[int, Box] = {}
        after: dict[int, Box] = {}
        for other in filter(seen.is_near, self._known):
            share = seen.apart(other) / _HOLD
            for track in other.boxes.keys() - seen.boxes.keys():
                box = _grown(other.boxes[track], share)
                if other.number > seen.number:
                    after.setdefault(track, box)
                else:
                    before[track] = box
        return [
            _spanning([boxes[track] for boxes in (before, after) if track in boxes])
            for track in before.keys() | after.keys()
        ]


def with_hidden(reading: Reading) -> Reading:
    """A reading whose picture hides the heads of its faces."""
    image = reading.frame.image.copy()
    _hide(image, [face.box for face in reading.faces])
    return reading._replace(frame=reading.frame._replace(image=image))


def _hide(image: NDArray[np.uint8], boxes: Iterable[Box]) -> None:
    """Make squares of the heads around faces."""
    height, width = image.shape[:2]
    for box in boxes:
        long = float(max(box[2:]))
        left, top = box[0] - _AROUND * long, box[1] - _ABOVE * long
        right, bottom = box[0] + box[2] + _AROUND * long, box[1] + box[3] + _AROUND * long
        x, y = (max(int(np.floor(edge)), 0) for edge in (left, top))
        head = image[y : min(int(np.ceil(bottom)), height), x : min(int(np.ceil(right)), width)]
        if not head.size:
            continue
        square = max(min(box[2:]) / _SQUARES, 1.0)
        count = [max(round(edge / square), 1) for edge in (head.shape[1], head.shape[0])]
        small = Image.fromarray(head).resize((count[0], count[1]), Image.Resampling.BOX)
        head[:] = np.asarray(small.resize((head.shape[1], head.shape[0]), Image.Resampling.NEAREST))


def _grown(box: Box, share: float) -> Box:
    more = box[2:] * _GROWTH * min(share, 1.0)
    return np.concatenate([box[:2] - more / 2, box[2:] + more])


def _spanning(boxes: list[Box]) -> Box:
    """The box around all."""
    corner = np.min([box[:2] for box in boxes], axis=0)
    end = np.max([box[:2] + box[2:] for box in boxes], axis=0)
    return np.concatenate([corner, end - corner])
