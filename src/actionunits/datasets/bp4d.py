"""BP4D (Zhang et al., Image and Vision Computing 2014): 41 people, eight tasks, 328 sequences.

Expected are the tables of codes, the pictures and, where they were handed out, the landmarks, in
any folders::

    AUCoding/AU_OCC/F001_T1.csv             a first row of AU numbers; frame, codes 0, 1, 9
    AUCoding/AU_INT/AU06/F001_T1_AU06.csv   frame, intensity 0 to 5, 9; where they were handed out
    2D+3D/F001/T1/2440.jpg                  the number is that of the frame in the tables
    2DFeatures/F001_T1.mat                  fit: pred, the 49 points

Codes of 9 and 999 are not coded. FERA 2015 hands the training part out with columns for all AUs and
a last one for occlusion, which is left out.

Of ``fit`` public code on BP4D reads ``pred``, an entry a frame and an empty one where the face was
lost; it knows of no field that names the frame. Of three readers one takes the entries along the
pictures, one counts frames from 0 and one from 1. Only the first does not depend on how pictures
are numbered: entries are taken in the order of the pictures, where there are as many of either;
else the sequence has no landmarks.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.data.table import POINTS
from actionunits.datasets.folders import numbered, only
from actionunits.datasets.matlab import struct
from actionunits.datasets.raw import RawTable
from actionunits.datasets.sequences import Key, find, pictures, read_sequences
from actionunits.datasets.tracked import points
from actionunits.errors import DataError, counted

TASKS = ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8")

_PARTS = {  # fold k of all papers tests part 4 - k
    1: "F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
    2: "F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
    3: "F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
}
PART = {subject: part for part, subjects in _PARTS.items() for subject in subjects.split()}


def read(root: Path) -> RawTable:
    """Read BP4D as it was unpacked.

    Args:
        root: a folder that holds tables of codes and pictures, four folders deep at most.

    Raises:
        DataError: nothing can be used, or somebody is not one of BP4D's people.
    """
    found = find(root)
    strangers = sorted({key.subject for key in found.occurrence} - PART.keys())
    if strangers:
        raise DataError(f"{root}: {strangers[0]} is not in BP4D; is this BP4D+ (bp4d_plus)?")
    rows, occurrence, intensity, excluded = read_sequences(
        found, TASKS, partial(pictures, found, shift=0)
    )
    if len(rows):
        rows["part"] = rows["subject"].map(PART)
    landmarks = partial(_landmarks, dict(found.landmarks)) if found.landmarks else None
    return RawTable(
        "bp4d", root, rows, occurrence, intensity, excluded=excluded, landmarks=landmarks
    )


def _landmarks(files: Mapping[Key, list[Path]], rows: pd.DataFrame) -> np.ndarray:
    """Points of the rows of one sequence: (N, 49, 2) float32, NaN where the face was lost.

    Raises:
        DataError: the file of the sequence is damaged or of another form, or nobody can tell which
            picture each of its entries is of.
    """
    key = Key(rows["subject"].iloc[0], rows["task"].iloc[0])
    if key not in files:
        return np.full((len(rows), POINTS, 2), np.nan, np.float32)
    file, folder = only(files[key]), Path(rows["file"].iloc[0]).parent
    fit, numbers = struct(file, "fit", "pred"), numbered(folder).index
    if len(fit) != len(numbers) or not numbers.is_unique:
        raise DataError(
            f"{file}: has landmarks of {counted(len(fit), 'frame')}, and {folder} holds "
            f"{counted(len(numbers), 'picture')}: expected a picture for each, so that their order "
            "tells which is of which"
        )
    found: np.ndarray = points(file, fit["pred"])[numbers.get_indexer(pd.Index(rows["frame"]))]
    return found
