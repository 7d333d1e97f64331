"""Identity numbers of faces through a video, frame by frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actionunits.faces.align import FloatArray
from actionunits.faces.detections import Detections, overlap

_REACH = 0.6  # face sizes that a face may be away from where it was expected
_DRIFT = 1.0  # face sizes a second by which that grows while the face is not seen
_GROWTH = 2.0  # factor by which the size of a face may change
_COAST = 0.3  # seconds for which an unseen face is expected to go on as it moved


@dataclass
class _Track:
    number: int
    points: FloatArray  # (5, 2) landmarks when last seen
    velocity: FloatArray  # (2,) pixels a second
    size: float  # root of the box area
    box: FloatArray  # (4,) x, y, width, height
    seconds: float  # when last seen


class Tracker:
    """Follows the faces of one video.

    Each face goes to the known face whose landmarks and box, moved on at their last speed, are
    nearest. The largest face of the first frame with faces is number 0; a face that matches nobody
    seen within `memory` seconds gets a new number, larger faces first.
    """

    def __init__(self, memory: float = 2.0) -> None:
        """Start without faces.

        Args:
            memory: seconds for which a face that is not seen keeps its number.
        """
        self._memory = memory
        self._tracks: list[_Track] = []
        self._next = 0

    def forget(self) -> None:
        """The picture cuts: nobody of before is known any more; numbers go on."""
        self._tracks.clear()

    def update(self, found: Detections, seconds: float) -> NDArray[np.intp]:
        """Numbers of the faces of the next frame.

        Args:
            found: its N faces.
            seconds: its time; never falls within a video.

        Returns:
            (N,) numbers, each once.
        """
        self._tracks = [t for t in self._tracks if seconds - t.seconds <= self._memory]
        sizes = np.sqrt(np.prod(found.boxes[:, 2:], axis=1))
        assigned: list[_Track | None] = [None] * len(sizes)
        for track, face in _assign(self._costs(found, sizes, seconds)):
            assigned[face] = self._tracks[track]
        for face in np.argsort(-sizes, kind="stable"):
            known = assigned[face]
            points, box = found.landmarks[face], found.boxes[face]
            if known is None:
                known = _Track(self._next, points, np.zeros(2), float(sizes[face]), box, seconds)
                self._tracks.append(known)
                self._next += 1
                assigned[face] = known
                continue
            elapsed = seconds - known.seconds
            if elapsed > 0:
                speed = (points - known.points).mean(axis=0) / elapsed
                known.velocity = (known.velocity + speed) / 2
            known.points, known.box, known.seconds = points, box, seconds
            known.size = float(sizes[face])
        return np.array([track.number for track in assigned if track is not None], dtype=np.intp)

    def _costs(self, found: Detections, sizes: FloatArray, seconds: float) -> FloatArray:
        """(tracks, faces) distance in face sizes plus what the boxes do not share; inf: too far."""
        if not self._tracks or not len(sizes):
            return np.zeros((len(self._tracks), len(sizes)))
        elapsed = np.array([seconds - track.seconds for track in self._tracks])
        velocity = np.stack([track.velocity for track in self._tracks])
        moved = velocity * np.minimum(elapsed, _COAST)[:, None]
        points = np.stack([track.points for track in self._tracks]) + moved[:, None]
        boxes = np.stack([track.box for track in self._tracks])
        boxes = np.concatenate([boxes[:, :2] + moved, boxes[:, 2:]], axis=1)
        size = np.array([track.size for track in self._tracks])[:, None]
        distance = np.linalg.norm(points[:, None] - found.landmarks, axis=-1).mean(axis=-1)
        distance = distance / np.sqrt(size * sizes)
        reach = _REACH + _DRIFT * elapsed[:, None]
        same = np.maximum(size / sizes, sizes / size) <= _GROWTH
        costs = distance + (1 - overlap(boxes, found.boxes)) / 2
        return np.where(same & (distance <= reach), costs, np.inf)


def _assign(costs: FloatArray) -> list[tuple[int, int]]:
    """Pairs (row, column) in order of cost, each row and column at most once, none infinite."""
    pairs = []
    costs = costs.copy()
    while costs.size and np.isfinite(costs).any():
        row, column = (int(i) for i in np.unravel_index(costs.argmin(), costs.shape))
        pairs.append((row, column))
        costs[row], costs[:, column] = np.inf, np.inf
    return pairs
