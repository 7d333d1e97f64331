"""Sequences as BP4D and BP4D+ hand them out: a table of codes and a folder of pictures each.

Occurrence is in ``F001_T1.csv``, the intensity of an AU in ``AU06/F001_T1_AU06.csv``, landmarks in
``F001_T1.mat``, pictures are ``F001/T1/2440.jpg``. The folders above these differ from copy to copy
and are searched for.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actionunits.aus import ALL, AUSet
from actionunits.data.prepared import Excluded
from actionunits.datasets.folders import (
    au_of,
    numbered,
    only,
    read_intensity,
    read_occurrence,
    walk,
)
from actionunits.errors import DataError, counted

SUBJECT = re.compile(r"([FM])(\d{1,3})", re.IGNORECASE)
"""The folder of a subject."""
_TASK = re.compile(r"T(\d{1,2})", re.IGNORECASE)
_FILE = re.compile(r"([FM]\d{1,3})_(T\d{1,2})(?:_(AU_?\d+))?\.(csv|mat)", re.IGNORECASE)
_PACKED = re.compile(r"([FM]\d{1,3})\.(?:zip|rar|7z|tar|tgz|tar\.gz)", re.IGNORECASE)


class Key(NamedTuple):
    """Names of one sequence, as ``F001`` and ``T1`` however the files spell them."""

    subject: str
    task: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass
class Files:
    """What lies under a root: more than one path where something is there twice."""

    occurrence: dict[Key, list[Path]] = field(default_factory=lambda: defaultdict(list))
    intensity: dict[tuple[Key, int], list[Path]] = field(default_factory=lambda: defaultdict(list))
    pictures: dict[Key, list[Path]] = field(default_factory=lambda: defaultdict(list))
    """Folders of pictures, or videos."""
    landmarks: dict[Key, list[Path]] = field(default_factory=lambda: defaultdict(list))
    packed: dict[str, Path] = field(default_factory=dict)
    """Archives by subject."""

    def intensities(self) -> AUSet | None:
        """AUs that have intensity files; None if none has."""
        return _vocabulary({number for _, number in self.intensity})


Locate = Callable[[Key, "pd.Index[int]"], tuple[pd.DataFrame, str]]
"""A sequence and the numbers of its coded frames to ``file`` and ``position`` of those that there
is a picture of, by number, and the reason why there is none of others."""


class Coded(NamedTuple):
    """What was read of all sequences: the fields of a `RawTable`."""

    rows: pd.DataFrame
    occurrence: AUSet | None
    intensity: AUSet | None
    excluded: tuple[Excluded, ...]


def find(root: Path) -> Files:
    """Search a folder for sequences.

    Raises:
        DataError: there is no such folder, or no table of codes or no folder of a subject in it.
    """
    found, subjects = Files(), 0
    for folder, folders, files in walk(root, SUBJECT):
        for name in files:
            _note(found, folder / name)
        for name in filter(SUBJECT.fullmatch, folders):
            subjects += 1
            for path in sorted((folder / name).iterdir()):
                if _TASK.fullmatch(path.name):
                    found.pictures[key_of(name, path.name)].append(path)
    if not found.occurrence:
        raise DataError(
            f"{root}: expected tables of codes such as AUCoding/AU_OCC/F001_T1.csv, found none; "
            "is it the right folder, and is AUCoding unpacked?"
        )
    if not subjects and not found.packed:
        raise DataError(
            f"{root}: expected pictures such as 2D+3D/F001/T1/0001.jpg, found no folder of a "
            "subject; is it the right folder, and is it unpacked?"
        )
    return found


def _note(found: Files, file: Path) -> None:
    """Put a file where its name says that it belongs; others are none of ours."""
    if packed := _PACKED.fullmatch(file.name):
        found.packed[_subject(packed[1])] = file
    if not (match := _FILE.fullmatch(file.name)):
        return
    key = key_of(match[1], match[2])
    # Copies differ in whether the file or only its folder is named after the AU.
    named = match[3] or (file.parent.name if file.parent.name[:2].upper() == "AU" else "")
    au = au_of(named)
    if match[4].lower() == "mat":
        if not file.parent.name.upper().startswith("3DF"):  # 3DFeatures: files of the same names
            found.landmarks[key].append(file)
    elif au is not None:
        found.intensity[key, au.number].append(file)
    elif match[3] is None:
        found.occurrence[key].append(file)


def read_sequences(found: Files, tasks: tuple[str, ...], locate: Locate) -> Coded:
    """Read the codes of all sequences and find their pictures.

    A sequence whose table is missing or damaged is left out and listed, as are frames without a
    picture. Where only an intensity file fails, its AU is not coded there; that is listed too.

    Args:
        found: what there is.
        tasks: that are coded.
        locate: finds the pictures of a sequence.
    """
    levels = found.intensities()
    sequences: list[pd.DataFrame] = []
    excluded: list[Excluded] = []
    for key in sorted({*found.occurrence, *(key for key in found.pictures if key.task in tasks)}):
        try:
            table = _occurrence(found, key)
        except DataError as error:
            excluded.append(Excluded(str(key), 0, str(error)))
            continue
        intensity, gaps = _intensity(found, key, levels, table.index)
        places, reason = locate(key, table.index)
        absent = table.index.difference(places.index)
        if len(absent):
            gaps.append(Excluded(str(key), len(absent), f"{reason}, first frame {absent[0]}"))
        rows = table.join(intensity).join(places, how="inner")
        sequences.append(rows.assign(subject=key.subject, task=key.task).reset_index())
        excluded += gaps
    rows = pd.concat(sequences, ignore_index=True) if sequences else pd.DataFrame()
    return Coded(rows, _coded(rows, ""), _coded(rows, "_intensity"), tuple(excluded))


def _occurrence(found: Files, key: Key) -> pd.DataFrame:
    if key not in found.occurrence:
        raise DataError(f"there are pictures but no table {key.subject}_{key.task}.csv")
    return read_occurrence(only(found.occurrence[key])).sort_index()


def _intensity(
    found: Files, key: Key, aus: AUSet | None, frames: "pd.Index[int]"
) -> tuple[pd.DataFrame, list[Excluded]]:
    """Intensities of one sequence by frame number, and where they are missing."""
    levels, gaps = pd.DataFrame(index=frames), []
    for au in aus or ():
        column = f"{au.column}_intensity"
        what = f"{key} {column}"
        try:
            if (key, au.number) not in found.intensity:
                raise DataError("there is no file")
            coded = read_intensity(only(found.intensity[key, au.number]), au)
        except DataError as error:
            gaps.append(Excluded(what, 0, f"not coded: {error}"))
            continue
        absent, beyond = len(frames.difference(coded.index)), len(coded.index.difference(frames))
        if absent:
            gaps.append(
                Excluded(what, 0, f"not coded in {counted(absent, 'frame')} that the table lists")
            )
        if beyond:
            more = counted(beyond, "frame")
            gaps.append(Excluded(what, 0, f"coded in {more} that the table does not list"))
        levels[column] = coded.reindex(frames)
    return levels, gaps


def pictures(
    found: Files, key: Key, frames: "pd.Index[int]", shift: int
) -> tuple[pd.DataFrame, str]:
    """Find the pictures of a sequence by their number, as `Locate`.

    Args:
        found: by `find`.
        key: of the sequence.
        frames: numbers of its coded frames.
        shift: to be added to the number of a frame for that of its picture.
    """
    files, reason = _numbered(found, key)
    seen = frames[(frames + shift).isin(files.index)]
    named = files.loc[seen + shift].to_numpy()
    return pd.DataFrame({"file": named, "position": 0}, index=seen), reason


def _numbered(found: Files, key: Key) -> "tuple[pd.Series[str], str]":
    """Pictures of a sequence by their number, and why one may be missing."""
    listed = {folder: numbered(folder) for folder in found.pictures.get(key, [])}
    filled = {folder: files for folder, files in listed.items() if len(files)}
    none = pd.Series([], dtype=object, index=pd.Index([], dtype=int))
    if len(filled) > 1:
        one, other = list(filled)[:2]
        return none, f"pictures in {one} and in {other}: keep one of them"
    if not filled:
        archive = found.packed.get(key.subject)
        return none, f"pictures still packed in {archive}" if archive else "no folder of pictures"
    (files,) = filled.values()
    twice = files.index.duplicated(keep=False)
    if twice.any():
        return files[~twice], f"no picture, or two such as {' and '.join(files[twice].iloc[:2])}"
    return files, "no picture"


def _coded(rows: pd.DataFrame, suffix: str) -> AUSet | None:
    """AUs that are coded in at least one frame; None if there are none."""
    columns = rows.columns[rows.notna().any()]
    return _vocabulary({au.number for au in ALL if au.column + suffix in columns})


def _vocabulary(numbers: set[int]) -> AUSet | None:
    return AUSet.of(number for number in ALL.numbers if number in numbers) if numbers else None


def key_of(subject: str, task: str) -> Key:
    """Names of a sequence from those in the names of its files, such as ``f1`` and ``T01``."""
    return Key(_subject(subject), f"T{int(task[1:])}")


def _subject(name: str) -> str:
    return f"{name[0].upper()}{int(name[1:]):03d}"
