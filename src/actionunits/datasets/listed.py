"""A user's own data: one CSV file that lists pictures, or frames of videos, with their codes.

Columns, in any order and case; others are not read, and named in what is left out::

    image, video, file, path or input   one of them; relative to the folder of the CSV file
    AU01, AU1, AU01_c                   occurrence, 0 or 1
    AU01_intensity, AU01_r              intensity, 0 to 5
    frame                               for videos; counts from 1, as in the tables of `au detect`
    subject, task, part                 if there are; part is 1, 2 or 3

An empty cell, -1, 9 and 999 are not coded. Where only intensities are listed, an AU occurs from 1
on, and 2,5 is 2.5. Cells are separated by commas, semicolons or tabs, whichever the heading has
most of. The text is UTF-8, UTF-16 with its mark, or else Windows-1252.

Without ``subject`` nothing is guessed from folders: all rows are one person's, and there are no
folds, since nobody can say that a person is in one of them alone. Such data can be trained on
whole, or be what a checkpoint is scored on. With subjects but without ``part`` the sorted subjects
are dealt out in turn. Without ``task`` a video is a task, and all pictures of a person are one.
Without ``frame`` the pictures of a person and task are numbered from 1 as they are listed.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actionunits.aus import ALL, AUSet
from actionunits.data.prepared import Excluded
from actionunits.datasets.folders import NOT_CODED, au_of
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError, brief
from actionunits.files.lists import cells, numbers
from actionunits.media import VIDEOS

NOBODY = "unknown"
"""The subject of all rows where none is given."""

_NOT_CODED = (-1, *NOT_CODED)
_MEANT = {
    "subject": "participant participantid person personid patient actor speaker subjectid subjects",
    "frame": "framenumber frameno framenum frameidx frameindex frameid frames",
}
"""Columns, and names without blanks and marks that can only be meant for them."""
_PATHS = ("image", "video", "file", "path", "input")
_LABEL = re.compile(r"(au_?\d+)(?:_(c|occurrence|r|intensity))?")
_LIKE_LABEL = re.compile(r"au[ _-]?\d")
_NAMED = 5  # columns that a sentence names
_KEY = ["subject", "task", "frame"]


class _Fault(NamedTuple):
    """Lines that cannot be used."""

    column: str
    lines: "pd.Series[bool]"
    expected: str


def read(root: Path) -> RawTable:
    """Read a list of pictures or frames with their codes.

    Lines that cannot be used are left out and listed, with the first of each kind.

    Args:
        root: the CSV file.

    Raises:
        DataError: it cannot be read, has no column of paths or of codes, has one of them twice or
            under a name that can only be meant for it, has intensities under the name of an
            occurrence, lists videos without frames or from frame 0 on, or nothing in it can be
            used.
    """
    listed = _table(root)
    source = _path_column(root, listed)
    labels, unread = _labels(root, listed)
    unread += _others(root, listed, {source, *labels})
    rows, faults = _places(root, listed, source)
    for label, column in labels.items():
        rows[column], fault = _codes(root, listed, label, top=5 if "_" in column else 1)
        faults.append(fault)
    rows, excluded = _sift(rows, listed, faults)
    excluded += unread
    twice = rows.duplicated(_KEY, keep=False)
    if twice.any():
        reason = f"the same {'/'.join(_KEY)} in several lines, {_first(twice)}"
        excluded.append(Excluded("frame", int(twice.sum()), reason))
    rows = rows[~twice].sort_values(_KEY, ignore_index=True)
    coded = rows.columns[rows.notna().any()]
    occurrence = [au.number for au in ALL if au.column in coded]
    intensity = [au.number for au in ALL if f"{au.column}_intensity" in coded]
    return RawTable(
        "csv",
        root,
        rows,
        AUSet.of(occurrence) if occurrence else None,
        AUSet.of(intensity) if intensity else None,
        excluded=tuple(excluded),
    )


def _table(file: Path) -> pd.DataFrame:
    """Read the cells as text, by line, and the names of the columns in lower case."""
    listed = cells(file)
    if listed.empty:
        raise DataError(f"{file}: lists no frames")
    return listed


def _path_column(file: Path, listed: pd.DataFrame) -> str:
    found = [name for name in _PATHS if name in listed]
    if len(found) != 1:
        raise DataError(
            f"{file}: expected one column of paths, {', '.join(_PATHS[:-1])} or {_PATHS[-1]}; "
            f"found {' and '.join(found) or 'none'}"
        )
    return found[0]


def _labels(file: Path, listed: pd.DataFrame) -> tuple[dict[str, str], list[Excluded]]:
    """Columns of codes and what they are called here, and columns of codes that are not read."""
    columns: dict[str, str] = {}
    unread = []
    for name in map(str, listed.columns):
        match = _LABEL.fullmatch(name)
        au = au_of(match[1]) if match else None
        if match and au is not None:
            kind = "_intensity" if match[2] in {"r", "intensity"} else ""
            if au.column + kind in columns.values():
                raise DataError(f"{file}: has two columns for {au.column + kind}, one is {name}")
            columns[name] = au.column + kind
        elif match:
            known = ", ".join(str(number) for number in ALL.numbers)
            unread.append(Excluded(name, 0, f"not read: the AUs that can be are {known}"))
        elif _LIKE_LABEL.match(name):
            reason = "not read: expected a name such as AU04 or AU04_c, AU04_intensity or AU04_r"
            unread.append(Excluded(name, 0, reason))
    if not columns:
        found = f" but {', '.join(each.what for each in unread)}" if unread else ""
        raise DataError(
            f"{file}: expected columns such as AU04 or AU04_intensity, found none{found}"
        )
    return columns, unread


def _others(file: Path, listed: pd.DataFrame, understood: set[str]) -> list[Excluded]:
    """Columns that are neither codes nor known.

    Raises:
        DataError: one is called otherwise than it should be.
    """
    names = [str(name) for name in listed.columns if str(name)]
    for wanted, others in _MEANT.items():
        meant = [n for n in names if re.sub(r"[\W_]", "", n) in others.split()]
        if meant and wanted not in names:
            raise DataError(
                f"{file}: found the column {meant[0]}; expected {wanted}: call it so, or otherwise "
                "if it is not meant"
            )
    kept = understood | {"subject", "task", "frame", "part"}
    left = [n for n in names if n not in kept and not _LIKE_LABEL.match(n)]
    if not left:
        return []
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return [Excluded("columns", 0, f"not read: {', '.join(left[:_NAMED])}{more}")]


def _places(file: Path, listed: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[_Fault]]:
    """Who, when and where: all columns but the codes, and the lines in which one is missing."""
    names = listed[source].fillna("")
    files = {name: file.parent / name for name in names.unique()}
    there = {name: os.path.isfile(path) for name, path in files.items()}  # whatever its name
    video = names.map({name: path.suffix.lower() in VIDEOS for name, path in files.items()})
    faults = [_Fault(source, ~names.map(there), "there is no such file")]
    task = names.map({name: path.stem for name, path in files.items()}).where(video, "T1")
    rows = pd.DataFrame({"subject": NOBODY, "task": task, "file": names.map(files).astype(str)})
    for column in {"subject", "task"} & set(listed):
        rows[column] = listed[column].str.strip()
        faults.append(_Fault(column, listed[column].isna(), "expected a name"))
    if "frame" in listed:
        frame = pd.to_numeric(listed["frame"], errors="coerce")
        from_0 = (frame == 0) & video
        if from_0.any():
            raise DataError(
                f"{file}: frames of videos count from 1, and there is a frame 0, "
                f"{_first(from_0)}: where they count from 0, add 1 to all of them"
            )
        wrong = frame.isna() | (frame % 1 != 0) | (frame < video)
        faults.append(_Fault("frame", wrong, "expected a whole number, for videos from 1 on"))
        rows["frame"] = frame
    elif video.any():
        raise DataError(f"{file}: lists videos: expected a column frame that counts from 1")
    else:
        rows["frame"] = rows.groupby(["subject", "task"]).cumcount() + 1
    rows["position"] = (rows["frame"] - 1).where(video, 0)
    if "part" in listed:
        rows["part"] = pd.to_numeric(listed["part"], errors="coerce")
        faults.append(_Fault("part", ~rows["part"].isin((1, 2, 3)), "expected 1, 2 or 3"))
    return rows, faults


def _codes(
    file: Path, listed: pd.DataFrame, label: str, top: int
) -> "tuple[pd.Series[float], _Fault]":
    """Codes of one column, NaN where not coded.

    Raises:
        DataError: intensities are called as occurrences are.
    """
    codes = numbers(listed[label])
    unknown = listed[label].isna() | codes.isin(_NOT_CODED)
    levels = codes.between(0, 5) & ~codes.isin((0, 1))
    if top == 1 and levels.any():
        raise DataError(
            f"{file}: {label} is called as a column of 0 and 1 and holds "
            f"{codes[levels].iloc[0]:g}, {_first(levels)}: if it holds intensities, call it "
            f"{label.partition('_')[0]}_intensity"
        )
    # Intensities may be between two levels, where several coders or a model gave them.
    right = codes.between(0, 5) if top == 5 else codes.isin((0, 1))
    fault = _Fault(label, ~right & ~unknown, f"expected 0 to {top}, empty where not coded")
    return codes.mask(unknown), fault


def _sift(
    rows: pd.DataFrame, listed: pd.DataFrame, faults: list[_Fault]
) -> tuple[pd.DataFrame, list[Excluded]]:
    """Leave faulty lines out; each is counted for its first fault."""
    kept = pd.Series(True, rows.index)
    excluded = []
    for column, lines, expected in faults:
        wrong = lines & kept
        if wrong.any():
            reason = (
                f"{expected}; found {brief(listed.loc[wrong, column].iloc[0])}, {_first(wrong)}"
            )
            excluded.append(Excluded(column, int(wrong.sum()), reason))
            kept &= ~wrong
    whole = {name: "int64" for name in ("frame", "position", "part") if name in rows}
    return rows[kept].astype(whole), excluded


def _first(lines: "pd.Series[bool]") -> str:
    return f"the first in line {lines.idxmax()}"
