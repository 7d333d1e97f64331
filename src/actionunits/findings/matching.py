"""Which events of two codings are the same."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.findings.frames import KEY


def matches(
    first: NDArray[np.float64], second: NDArray[np.float64], tolerance: float
) -> list[tuple[int, int]]:
    """Pairs of events that are the same, as many as can be, each event in one at most.

    Args:
        first: (N, 2) onsets and offsets in seconds, in the order of time, without overlaps.
        second: (M, 2) likewise.
        tolerance: seconds; events also are the same if their onsets are at most so far apart.

    Going through both in the order of time finds the most pairs: of two events that are not the
    same, the earlier is the same as none that follows.
    """
    pairs = []
    i = j = 0
    while i < len(first) and j < len(second):
        overlap = first[i, 0] < second[j, 1] and second[j, 0] < first[i, 1]
        if overlap or abs(first[i, 0] - second[j, 0]) <= tolerance + 1e-9:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif first[i, 0] < second[j, 0]:
            i += 1
        else:
            j += 1
    return pairs


def matched(
    first: pd.DataFrame, second: pd.DataFrame, tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which events of each of two tables are matched, by face and AU."""
    hits = np.zeros(len(first), bool), np.zeros(len(second), bool)
    theirs = second.groupby([*KEY, "AU"]).indices
    for key, places in first.groupby([*KEY, "AU"]).indices.items():
        if (others := theirs.get(key)) is None:
            continue
        spans = [
            t.iloc[p][["onset", "offset"]].to_numpy(float)
            for t, p in ((first, places), (second, others))
        ]
        for i, j in matches(spans[0], spans[1], tolerance):
            hits[0][places[i]] = hits[1][others[j]] = True
    return hits
