"""A detector that was trained on rendered heads alone: two small networks, which anyone may use.

The first searches: at every eighth pixel it says whether a face is centred there, where its box
ends and where its five points lie. The second looks at a face that is almost in place, and says
where exactly the points are, and whether it is one. Both were trained by
`actionunits.facefinder.make` on heads that were rendered from CC0 assets.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actionunits.faces.align import TEMPLATE, FloatArray, invert, similarity, template
from actionunits.faces.detections import Detections
from actionunits.faces.search import Searching, placed
from actionunits.faces.sight import LOOK_SIDE, NETWORKS, OnProcessor, Sight
from actionunits.types import Frame

STRIDE = 8  # pixels of a cell of the first network's maps
_FACE = 0.6  # probability after both networks, from which on there is a face
POINTS_UNIT = 0.1  # the second network gives points as their distance from the template in this
BOX = np.array([0.08, 0.02, 0.92, 1.1])  # of an aligned face: x0, y0, x1, y1 in its unit square
CELL_UNIT = 4  # sizes are given in so many cells, and places in such a share of the face's size


class SynFace(Searching):
    """Search with one network, look with another."""

    def __init__(
        self,
        threshold: float = 0.25,
        threads: int | None = None,
        folder: Path = NETWORKS,
        sight: Sight | None = None,
    ) -> None:
        """Load the networks.

        Args:
            threshold: score from which on what the first network finds is looked at.
            threads: of ONNX Runtime; as many as there are cores where not given.
            folder: of ``search.onnx`` and ``look.onnx``.
            sight: computes them, in place of ONNX Runtime on the processor; `threads` and `folder`
                are then its own matter.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        self.threshold = threshold
        self._sight = sight or OnProcessor(folder, threads or 0)
        self.batch_pixels = self._sight.batch_pixels

    def canvas(self, images: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> Any:
        """Pictures of any sizes, scaled to one; see `Searching`."""
        return self._sight.canvas(images, shape)

    def candidates(self, images: Any) -> tuple[NDArray[np.intp], Detections]:
        """All cells that say more than those about them that a face is there; see `Searching`."""
        peaks, maps = self._sight.search(images)
        row, y, x = np.nonzero(peaks[:, 0] >= self.threshold)
        return row, _faces(peaks[row, 0, y, x], maps[row, :, y, x], y, x)

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame; each has been looked at by the search already."""
        return self.search(frames, side)

    def _search(
        self, images: Sequence[NDArray[np.uint8]], side: int
    ) -> tuple[NDArray[np.intp], Detections]:
        """As ever, with looks at each find, which take nine tenths of the false alarms away.

        What is kept is decided by both networks: the odds that there is a face are multiplied
        (Bayes). The second look is at where the first one puts the face, and the worse one counts:
        what looks like a face at first, letters say, seldom does so twice.
        """
        owners, found = super()._search(images, side)
        seen, sure = self.look(images, owners, found.landmarks)
        found = found._replace(
            landmarks=np.where(sure[:, None, None], seen.landmarks, found.landmarks)
        )
        again, _ = self.look(images, owners, seen.landmarks)
        sight = np.minimum(seen.scores, again.scores)
        faces, none = found.scores * sight, (1 - found.scores) * (1 - sight)
        kept = faces >= _FACE * (faces + none)
        return owners[kept], Detections(*(values[kept] for values in found))

    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], landmarks: FloatArray
    ) -> tuple[Detections, NDArray[np.bool_]]:
        """What a look at the places of K faces shows, and where it shows a face; see `Looks`.

        Args:
            images: as for `refine`, as the others.
            owners: (K,).
            landmarks: (K, 5, 2).
        """
        if not len(owners):
            return Detections(np.zeros((0, 4)), np.zeros(0), landmarks), np.zeros(0, bool)
        matrices = similarity(landmarks, template(LOOK_SIDE))
        scores, values = self._sight.look(images, owners, matrices)
        values = values.astype(np.float64) * POINTS_UNIT
        points = (TEMPLATE + values[:, :10].reshape(-1, 5, 2)) * LOOK_SIDE
        corners = (BOX + values[:, 10:]) * LOOK_SIDE
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        seen = placed(Detections(boxes, scores.astype(np.float64), points), invert(matrices))
        moved = np.linalg.norm(seen.landmarks - landmarks, axis=-1).mean(axis=-1)
        return seen, (seen.scores >= 0.5) & (moved < _apart(landmarks) / 2)


def _apart(landmarks: FloatArray) -> FloatArray:
    """(K,) size of faces (K, 5, 2): the larger of the eyes' distance and that of eyes and mouth."""
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    across = np.linalg.norm(landmarks[:, 0] - landmarks[:, 1], axis=-1)
    down = np.linalg.norm(eyes - mouth, axis=-1)
    size: FloatArray = np.maximum(across, down)
    return size


def _faces(
    scores: FloatArray, values: FloatArray, y: NDArray[np.intp], x: NDArray[np.intp]
) -> Detections:
    """Faces of (K,) cells, in pixels of the network's input."""
    values = values.astype(np.float64)
    centres = (np.stack([x, y], axis=1) + 0.5) * STRIDE
    sides = np.exp(np.clip(values[:, 2:4], -4, 6)) * STRIDE * CELL_UNIT
    unit = sides.max(axis=1, initial=0)[:, None] / CELL_UNIT
    corners = centres + values[:, :2] * unit - sides / 2
    points = centres[:, None] + values[:, 4:].reshape(-1, 5, 2) * unit[:, None]
    boxes = np.concatenate([corners, sides], axis=1)
    return Detections(boxes, scores.astype(np.float64), points)
