"""Where the picture of a video cuts to another one.

Each frame is compared with the one before it, small and in one colour, with brightness and contrast
taken out, so that a flash or a light that goes on is no cut. From one frame to the next of a shot
such pictures correlate by .98 and more, also where the camera is in a hand; eight frames on still
by .84. Where a camera swings they differ more, but from frame to frame alike. Of portraits of
different people that fill the picture in the same way, 98 of 100 pairs correlate by less than .8.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from actionunits.faces.align import FloatArray

_GRID = (18, 32)  # cells of the small picture
_SAMPLES = 3  # pixels along a cell
_LEAST = 0.2  # 1 - correlation
_SUDDEN = 3  # times as much as among the frames before: not a camera that swings
_RECENT = 4  # such frames
_FLAT = 1.0  # standard deviation of 0..255: a picture of nothing


def thumbnail(image: NDArray[np.uint8]) -> FloatArray:
    """Green of an image (H, W, 3), small: (18, 32) of mean 0 and unit length; 0 of an even one."""
    rows, columns = (
        (np.arange(cells * _SAMPLES) * size) // (cells * _SAMPLES)
        for cells, size in zip(_GRID, image.shape[:2], strict=True)
    )
    green = image[rows[:, None], columns, 1].astype(np.float32)  # most of what is grey
    small: FloatArray = green.reshape(_GRID[0], _SAMPLES, _GRID[1], _SAMPLES).mean(axis=(1, 3))
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > _FLAT * np.sqrt(small.size) else 0 * small


class Cuts:
    """Tells where a video cuts, frame by frame."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._before: FloatArray | None = None
        self._usual: deque[float] = deque(maxlen=_RECENT)  # how the latest frames differed

    def __call__(self, small: FloatArray) -> bool:
        """Whether this frame, of which this is the thumbnail, begins another shot."""
        before, self._before = self._before, small
        if before is None:
            return False
        if not before.any() or not small.any():
            return bool(before.any() != small.any())
        differs = 1 - float((before * small).sum())
        is_cut = differs > _LEAST and differs > _SUDDEN * max(self._usual, default=0)
        if is_cut:
            self._usual.clear()
        else:
            self._usual.append(differs)
        return is_cut
