"""What a face detector takes and gives."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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
