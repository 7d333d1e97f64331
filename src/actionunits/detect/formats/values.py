"""Values of our rows as other tools want them: arrays, and 68 landmarks for our 49."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

POINTS = 68
"""Landmarks of iBUG, by which other tools number them."""

_KNOWN = (*range(17, 60), *range(61, 64), *range(65, 68))  # all but jaw and inner mouth corners
KNOWN_POINTS = [f"{axis}_{i}" for axis in "xy" for i in _KNOWN]
"""Columns of those landmarks of theirs that are ours."""


def indexed(names: Iterable[str], count: int) -> list[str]:
    """Columns ``x_0``, ``x_1``, ... of each of these names in turn."""
    return [f"{name}_{i}" for name in names for i in range(count)]


def numbers(ours: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Columns of ours, (N, K); NaN where something is not known, or no column."""
    told = ours.reindex(columns=list(columns))
    known: NDArray[np.float64] = told.to_numpy(np.float64, na_value=np.nan)
    return known


def pose(ours: pd.DataFrame) -> NDArray[np.float64]:
    """(N, 3) yaw, pitch and roll of the heads, see `faces.pose`."""
    return numbers(ours, ["pose_yaw", "pose_pitch", "pose_roll"])


def points(ours: pd.DataFrame) -> NDArray[np.float64]:
    """(N, 98) what stands in `KNOWN_POINTS`."""
    return numbers(ours, indexed("xy", len(_KNOWN)))
