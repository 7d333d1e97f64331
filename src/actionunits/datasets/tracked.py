"""What a tracker left of each sequence of BP4D and BP4D+: ``F001_T1.mat``, its array ``fit``."""

from pathlib import Path

import numpy as np

from actionunits.data.table import POINTS
from actionunits.errors import DataError


def points(file: Path, entries: np.ndarray) -> np.ndarray:
    """Stack one field's points.

    Args:
        file: that they are from.
        entries: (E,) arrays of 49 x 2, empty where the face was lost.

    Returns:
        (E, 49, 2) float32 x, y in pixels of the picture, NaN where the face was lost.

    Raises:
        DataError: an entry has other than 49 points.
    """
    stacked = np.full((len(entries), POINTS, 2), np.nan, np.float32)
    for place, entry in enumerate(entries):
        try:
            seen = np.asarray(entry, np.float32)
        except (TypeError, ValueError):
            raise DataError(f"{file}: expected points in entry {place + 1}, found none") from None
        if seen.size and seen.shape != (POINTS, 2):
            raise DataError(
                f"{file}: expected {POINTS} x 2 points, found {seen.shape} in entry {place + 1}"
            )
        if seen.size:
            stacked[place] = seen - 0.5  # MATLAB's first pixel has its centre at 1
    return stacked
