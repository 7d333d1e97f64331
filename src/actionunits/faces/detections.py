"""What a face detector takes and gives."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from actionunits.faces.align import FloatArray
from actionunits.types import Frame


class Detections(NamedTuple):
    """The N faces of one frame, best score first."""

    boxes: FloatArray  # (N, 4) x, y, width, height in pixels of the frame
    scores: FloatArray  # (N,) 0..1
    landmarks: FloatArray  # (N, 5, 2) eyes, nose tip, mouth corners; see `align`


class Detector(Protocol):
    """Finds faces in frames, which may differ in size and source.

    It is asked by one thread at a time, unless it has an attribute ``serves_several`` that is true.
    """

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame.

        Args:
            frames: any number of frames.
            side: long side to which larger frames are scaled down for the search; detectors that
                do not search have no use for it.

        Returns:
            One `Detections` a frame.
        """
        ...


@runtime_checkable
class Looks(Protocol):
    """A detector that can also look at where faces should be, which costs far less than a search.

    Faces of a video are then followed, see `follow`.
    """

    def search(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame, placed as well as a search does.

        Args:
            frames: any number of frames.
            side: as for `Detector`.
        """
        ...

    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], landmarks: FloatArray
    ) -> tuple[Detections, NDArray[np.bool_]]:
        """Look at places in images.

        Args:
            images: (H, W, 3) uint8 each.
            owners: (K,) index of the image of each place, ascending.
            landmarks: (K, 5, 2) landmarks of a face that should be there.

        Returns:
            K faces, placed finely, in the order of the places; and (K,) whether there is one.
        """
        ...


def overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    """Intersection over union of boxes (N, 4) and (M, 4), x, y, width, height: (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = a[:, 2:].prod(axis=-1)[:, None] + b[:, 2:].prod(axis=-1)[None] - shared
    ratio: FloatArray = shared / union
    return ratio
