"""BP4D+ (Zhang et al., CVPR 2016): 140 people; coded are four of their ten tasks.

Expected are the tables of codes, the pictures and, where they were handed out, the landmarks, in
any folders::

    AUCoding/AU_OCC/F001_T1.csv             a first row of AU numbers; frame from 1, codes 0, 1, 9
    AUCoding/AU_INT/AU06/F001_T1_AU06.csv   frame, intensity 0 to 5, 9
    2D+3D/F001/T1/0000.jpg                  the picture of frame 1: names count from 0
    2DFeatures/F001_T1.mat                  fit: frame from 1, pts_2d, the 49 points

The papers do not say who is in which of their three parts. Ours deal women and men out in turn by
their number; results on them cannot be compared with published ones.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.data.table import POINTS
from actionunits.datasets.folders import only
from actionunits.datasets.matlab import struct
from actionunits.datasets.raw import RawTable
from actionunits.datasets.sequences import Key, find, pictures, read_sequences
from actionunits.datasets.tracked import points
from actionunits.errors import DataError
from actionunits.types import FOLDS

TASKS = ("T1", "T6", "T7", "T8")


def read(root: Path) -> RawTable:
    """Read BP4D+ as it was unpacked.

    Args:
        root: a folder that holds tables of codes and pictures, four folders deep at most.

    Raises:
        DataError: nothing can be used, or a task has codes that is not coded in BP4D+.
    """
    found = find(root)
    others = sorted(key for key in found.occurrence if key.task not in TASKS)
    if others:
        raise DataError(
            f"{found.occurrence[others[0]][0]}: expected codes of {', '.join(TASKS)} only; "
            "is this BP4D (bp4d)?"
        )
    rows, occurrence, intensity, excluded = read_sequences(
        found, TASKS, partial(pictures, found, shift=-1)
    )
    if len(rows):
        rows["part"] = (rows["subject"].str[1:].astype(int) - 1) % FOLDS + 1
    landmarks = partial(_landmarks, dict(found.landmarks)) if found.landmarks else None
    return RawTable(
        "bp4d_plus", root, rows, occurrence, intensity, excluded=excluded, landmarks=landmarks
    )


def _landmarks(files: Mapping[Key, list[Path]], rows: pd.DataFrame) -> np.ndarray:
    """Points of the rows of one sequence: (N, 49, 2) float32, NaN where the face was lost.

    Raises:
        DataError: the file of the sequence is damaged or of another form.
    """
    key = Key(rows["subject"].iloc[0], rows["task"].iloc[0])
    if key not in files:
        return np.full((len(rows), POINTS, 2), np.nan, np.float32)
    file = only(files[key])
    fit = struct(file, "fit", "frame", "pts_2d")
    try:
        frames = pd.Index(fit["frame"].astype(int))
    except (TypeError, ValueError):
        raise DataError(
            f"{file}: expected each entry of fit to have the number of a frame"
        ) from None
    if not frames.is_unique:
        raise DataError(
            f"{file}: has frame {frames[frames.duplicated()][0]} twice; keep the right one"
        )
    entries = frames.get_indexer(pd.Index(rows["frame"]))
    found: np.ndarray = points(file, fit["pts_2d"])[entries]
    found[entries < 0] = np.nan
    return found
