"""Curves with so many points as can be seen, without losing a peak."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOLE = 2.5
"""Times the usual step from frame to frame, from which on frames are missing."""


def columns(
    times: Floats, values: Floats, count: int, step: float
) -> tuple[Floats, Floats, Floats]:
    """Lowest and highest value in each of `count` columns of equal width.

    Args:
        times: (T,) rising.
        values: (T, A); NaN is not known.
        count: of columns, 1 or more.
        step: seconds that a frame lasts.

    Returns:
        edges (count + 1,) of the columns, and of each the lowest and highest value that is known,
        (count, A) both, NaN where none is. A column between two frames has the earlier one's.
    """
    edges = np.linspace(times[0], times[-1] + step, count + 1)
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, count - 1)
    occupied, first = np.unique(place, return_index=True)
    before = np.clip(np.searchsorted(times, edges[:-1], side="right") - 1, 0, None)
    lasts = edges[:-1] - times[before] < HOLE * step
    extremes = []
    for extreme in (np.fmin, np.fmax):
        filled = np.where(lasts[:, None], values[before], np.nan)
        filled[occupied] = extreme.reduceat(values, first, axis=0)
        extremes.append(filled)
    return edges, extremes[0], extremes[1]


def curve(times: Floats, values: Floats, count: int, step: float) -> tuple[Floats, Floats]:
    """Points of curves: all of them, or of each of `count` columns the lowest and the highest.

    Args:
        times: see `columns`.
        values: see `columns`.
        count: see `columns`.
        step: see `columns`.

    Returns:
        times (N,) and values (N, A), NaN where a curve is broken.
    """
    if len(times) <= 2 * count:
        broken = np.flatnonzero(holes(times, step)) + 1
        return (
            np.insert(times, broken, (times[broken] + times[broken - 1]) / 2),
            np.insert(values, broken, np.nan, axis=0),
        )
    edges, low, high = columns(times, values, count, step)
    width = np.diff(edges)
    at = np.stack([edges[:-1] + width / 4, edges[:-1] + 3 * width / 4], axis=1)
    return at.reshape(-1), np.stack([low, high], axis=1).reshape(2 * count, -1)


def holes(times: Floats, step: float) -> NDArray[np.bool_]:
    """Whether frames are missing between each frame and the next, (T - 1,)."""
    return np.asarray(np.diff(times) > HOLE * step)
