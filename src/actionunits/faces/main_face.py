"""Points of the one face that a recording is about, where its data set brings none."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from actionunits.faces.align import FloatArray
from actionunits.faces.detections import Detections, Detector
from actionunits.types import Frame

_SIDE, _FINER = 320, 1280  # of the search; the second is for frames where the first finds none


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
    """Five points of the main face of a recording, found by CenterFace on one thread."""
    return MainFace(_detector())


@cache
def _detector() -> Detector:
    # Half of a process' start, and not needed where a data set brings landmarks.
    from actionunits.faces.centerface import CenterFace

    return CenterFace(threads=1)


FIVE_POINTS = Finder(five_points, "five points of CenterFace")


class MainFace:
    """Five points of the main face: the largest, and from then on whichever is nearest to it.

    Args:
        detector: finds the faces.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._box: FloatArray | None = None  # (4,) where it was last seen

    def __call__(self, frames: Sequence[Frame]) -> FloatArray:
        """Return (N, 5, 2) points; see `Points`."""
        found = self._detector(frames, _SIDE)
        missed = [i for i, each in enumerate(found) if not len(each.boxes)]
        if missed:
            again = self._detector([frames[i] for i in missed], _FINER)
            for i, each in zip(missed, again, strict=True):
                found[i] = each
        return np.stack([self._follow(each) for each in found])

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
