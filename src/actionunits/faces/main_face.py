"""Points of the one face that a recording is about, where its data set brings none."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from actionunits.faces.align import FloatArray
from actionunits.faces.detections import Detections, Detector
from actionunits.types import Frame

_SIDE, _FINER = 320, 1280  # of the search; the second is for frames where the first finds none
_AROUND, _NEAR_SIDE = 2.5, 128  # sides of the box that a window around the last place has; pixels
_NOBODY = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))


class Points(Protocol):
    """Finds the points by which the main face of each frame is aligned."""

    def __call__(self, frames: Sequence[Frame]) -> FloatArray:
        """Return the points of the next frames of a recording.

        Args:
            frames: N frames, in order.

        Returns:
            (N, P, 2) x, y in pixels of the frames, P being 5 or 49; NaN where no face was found.
        """
        ...


class Finder(NamedTuple):
    """A way to find points. It travels to the processes that use it."""

    make: Callable[[], Points]
    """Called where it is first wanted, anew for each recording."""
    name: str
    """Which tells it from others that find other points."""


def five_points() -> Points:
    """Five points of the main face of a recording, found by SynFace on one thread."""
    return MainFace(_detector())


@cache
def _detector() -> Detector:
    # Half of a process' start, and not needed where a data set brings landmarks.
    from actionunits.faces.synface import SynFace

    return SynFace(threads=1)


def faces_in(frames: Sequence[Frame]) -> list[Detections]:
    """All faces of each frame, each by itself, found by SynFace on one thread."""
    return _detector()(frames, _SIDE)


FIVE_POINTS = Finder(five_points, "five points of SynFace")


class MainFace:
    """Five points of the main face: the largest, and from then on whichever is nearest to it.

    Once it is known, it is looked for around where it was last seen before a call, and in the whole
    picture only where it is not found there.

    Args:
        detector: finds the faces.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._box: FloatArray | None = None  # (4,) where it was last seen

    def __call__(self, frames: Sequence[Frame]) -> FloatArray:
        """Return (N, 5, 2) points; see `Points`."""
        found = self._near(frames)
        for side in (_SIDE, _FINER):
            missed = [i for i, each in enumerate(found) if not len(each.boxes)]
            if not missed:
                break
            again = self._detector([frames[i] for i in missed], side)
            for i, each in zip(missed, again, strict=True):
                found[i] = each
        return np.stack([self._follow(each) for each in found])

    def _near(self, frames: Sequence[Frame]) -> list[Detections]:
        """The main face where it lies around its last place, whole and in pixels of the frame."""
        if self._box is None:
            return [_NOBODY] * len(frames)
        side = self._box[2:].max()
        middle = self._box[:2] + self._box[2:] / 2
        sizes = np.array([frame.image.shape[1::-1] for frame in frames])
        low = np.clip(middle - _AROUND * side / 2, 0, sizes - 1).astype(int)
        high = np.clip(middle + _AROUND * side / 2, low + 1, sizes).astype(int)
        windows = [
            frame._replace(image=frame.image[y0:y1, x0:x1])
            for frame, (x0, y0), (x1, y1) in zip(frames, low, high, strict=True)
        ]
        near = []
        for corner, found in zip(low, self._detector(windows, _NEAR_SIDE), strict=True):
            boxes = found.boxes + [*corner, 0, 0]
            moved = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - middle).max(axis=1)
            whole = moved < (_AROUND - 1) * side / 4  # farther off, the window may have cut it
            near.append(
                Detections(boxes[whole], found.scores[whole], (found.landmarks + corner)[whole])
            )
        return near

    def _follow(self, found: Detections) -> FloatArray:
        """Points (5, 2) of the main face of the next frame."""
        if not len(found.boxes):
            return np.full((5, 2), np.nan)
        sizes = np.sqrt(found.boxes[:, 2:].prod(axis=1))
        face = int(sizes.argmax())
        if self._box is not None:
            centres = found.boxes[:, :2] + found.boxes[:, 2:] / 2
            moved = np.linalg.norm(centres - (self._box[:2] + self._box[2:] / 2), axis=1)
            if moved.min() <= np.sqrt(self._box[2:].prod()):  # farther off, it is somebody else
                face = int(moved.argmin())
        self._box = found.boxes[face]
        points: FloatArray = found.landmarks[face]
        return points
