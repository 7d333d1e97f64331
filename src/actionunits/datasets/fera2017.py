"""FERA 2017 (Valstar et al., FG 2017): BP4D's 41 people and their codes, seen from nine sides.

The videos are rendered from BP4D's 3D models. Expected are the tables of codes and the videos of
view 6, the frontal one, in any folders::

    occ/FERA17_TR_F001_T1.csv               a first row of AU numbers; frame, codes 0, 1, 9
    int/FERA17_TR_F001_T1_AU01_Int.csv      frame, intensity 0 to 5, 9; where they were handed out
    ims/FERA17_TR_F001_T1_6.mp4             a frame a line of the table

The names and the form of the tables are those that three public readers expect. None of them looks
at the numbers of the frames: the first line of a table is the first frame of its video, and so on,
which is what is read here too. A table whose numbers have gaps is left out, since then nobody can
say. The frames that a video may have after its last code are not used.

The validation part, ``FERA17_VA``, is not read: its people are of BP4D+, and some are called as
people of BP4D. Folds are those of BP4D.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.data.prepared import Excluded
from actionunits.datasets.bp4d import PART, TASKS
from actionunits.datasets.folders import walk
from actionunits.datasets.raw import RawTable
from actionunits.datasets.sequences import SUBJECT, Files, Key, key_of, read_sequences
from actionunits.errors import DataError, counted
from actionunits.media import VIDEOS

_TABLE = re.compile(r"FERA17_TR_([FM]\d{1,3})_(T\d{1,2})(?:_AU(\d{1,2})_Int)?\.csv", re.IGNORECASE)
_VIDEO = re.compile(r"FERA17_TR_([FM]\d{1,3})_(T\d{1,2})_6", re.IGNORECASE)
_VALIDATION = re.compile(r"FERA17_VA_\w+\.csv", re.IGNORECASE)


def read(root: Path) -> RawTable:
    """Read the training part of FERA 2017 as it was unpacked.

    Args:
        root: a folder that holds tables of codes and videos, four folders deep at most.

    Raises:
        DataError: nothing can be used, or somebody is not one of BP4D's people.
    """
    found, others = _find(root)
    strangers = sorted({key.subject for key in found.occurrence} - PART.keys())
    if strangers:
        raise DataError(f"{root}: {strangers[0]} is not one of the 41 people of BP4D")
    rows, occurrence, intensity, excluded = read_sequences(found, TASKS, partial(_frames, found))
    if len(rows):
        rows["part"] = rows["subject"].map(PART)
    if others:
        reason = f"{counted(others, 'table')} of the validation part, whose people are not BP4D's"
        excluded += (Excluded("FERA17_VA", 0, reason),)
    return RawTable("fera2017", root, rows, occurrence, intensity, excluded=excluded)


def _find(root: Path) -> tuple[Files, int]:
    """Search a folder for sequences, and count the tables of the validation part."""
    found, others = Files(), 0
    for folder, _, files in walk(root, SUBJECT):
        for name in files:
            if match := _TABLE.fullmatch(name):
                key = key_of(match[1], match[2])
                if match[3] is None:
                    found.occurrence[key].append(folder / name)
                else:
                    found.intensity[key, int(match[3])].append(folder / name)
            elif match := _VIDEO.fullmatch(Path(name).stem):
                if Path(name).suffix.lower() in VIDEOS:
                    found.pictures[key_of(match[1], match[2])].append(folder / name)
            else:
                others += bool(_VALIDATION.fullmatch(name))
    if not found.occurrence:
        raise DataError(
            f"{root}: expected tables of codes such as occ/FERA17_TR_F001_T1.csv, found none; "
            "is it the right folder, and is it unpacked?"
        )
    if not found.pictures:
        raise DataError(
            f"{root}: expected videos of view 6 such as ims/FERA17_TR_F001_T1_6.mp4, found none; "
            "is it the right folder, and is it unpacked?"
        )
    return found, others


def _frames(found: Files, key: Key, frames: "pd.Index[int]") -> tuple[pd.DataFrame, str]:
    """Find the frames of a sequence's video by their number, as `sequences.Locate`."""
    videos = found.pictures.get(key, [])
    none = pd.DataFrame(columns=["file", "position"], index=frames[:0])
    if not videos:
        return none, "no video of view 6"
    if len(videos) > 1:
        return none, f"videos {videos[0]} and {videos[1]}: keep one of them"
    gaps = np.flatnonzero(np.diff(frames) != 1)
    if len(gaps):
        last, after = frames[gaps[0]], frames[gaps[0] + 1]
        return (
            none,
            f"its table goes on from frame {last} to {after}: nobody can say where in the video",
        )
    places = {"file": str(videos[0]), "position": np.arange(len(frames))}
    return pd.DataFrame(places, index=frames), ""
