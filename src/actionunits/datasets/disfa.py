"""DISFA (Mavadati et al., IEEE Transactions on Affective Computing 2013): 27 people, two cameras.

Expected are the codes, the videos and, where they were handed out, the landmarks, in any folders::

    ActionUnit_Labels/SN001/SN001_au1.txt                      frame from 1, intensity 0 to 5
    Videos_LeftCamera/LeftVideoSN001_comp.avi                  the left camera
    Video_RightCamera/RightVideoSN001_Comp.avi                 the right camera
    Landmark_Points/SN001/tmp_frame_lm/SN001_0000_lm.mat       pts: 66 points of the left camera

Instead of a video there may be a folder of its pictures, such as ``Videos_LeftCamera/SN001`` or
``LeftVideoSN001_comp``, whose names end with their number. They count from 0 or from 1, as the
first of them says.

Twelve AUs are coded by their intensity, frame by frame; an AU occurs from intensity 2 on, as in
most work on DISFA. The videos go on after the last code.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from actionunits.aus import DISFA12
from actionunits.data.prepared import Excluded
from actionunits.data.table import POINTS
from actionunits.datasets.folders import numbered, only, read_intensity, walk
from actionunits.datasets.matlab import variable
from actionunits.datasets.raw import RawTable
from actionunits.datasets.tracked import tell
from actionunits.errors import DataError, counted
from actionunits.media import VIDEOS

Camera = Literal["left", "right"]

THRESHOLD = 2.0
_PARTS = {  # fold k of all papers tests part 4 - k
    1: "SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
    2: "SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
    3: "SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
}
PART = {subject: part for part, subjects in _PARTS.items() for subject in subjects.split()}

_TRACKED = 66  # the jaw's 17 points, then the 49
_SUBJECT = re.compile(r"SN(\d{1,3})", re.IGNORECASE)
_LABELS = re.compile(r"SN\d{1,3}_au0?(\d{1,2})\.txt", re.IGNORECASE)
_PICTURE = re.compile(r"(?:.*\D)?(\d+)\.(?:jpe?g|png|bmp)", re.IGNORECASE)
_CAMERA = re.compile(r"left|right", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)(?:_lm)?\.mat", re.IGNORECASE)


def read(root: Path, camera: Camera = "left") -> RawTable:
    """Read DISFA as it was unpacked. The task of all rows is the camera.

    Args:
        root: a folder that holds labels and videos, four folders deep at most.
        camera: whose videos are to be read; the labels are the same. The landmarks are those of
            the left one.

    Raises:
        DataError: nothing can be used, or somebody is not one of DISFA's people.
    """
    found = _find(root, camera)
    strangers = sorted({subject for subject, _ in found.labels} - PART.keys())
    if strangers:
        raise DataError(f"{root}: {strangers[0]} is not one of the 27 people of DISFA")
    tables: list[pd.DataFrame] = []
    excluded: list[Excluded] = []
    coded: dict[str, int] = {}
    for subject in sorted({subject for subject, _ in found.labels} | found.videos.keys()):
        codes, gaps = _codes(found, subject)
        excluded += gaps
        try:
            places = _places(_seen(found, subject, camera), codes.index)
        except DataError as error:
            excluded.append(Excluded(subject, len(codes), str(error)))
            continue
        absent = codes.index.difference(places.index)
        if len(absent):
            excluded.append(Excluded(subject, len(absent), f"no picture, first frame {absent[0]}"))
        coded[subject] = len(codes)
        rows = codes.join(places, how="inner").reset_index()
        tables.append(rows.assign(subject=subject))
    rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    if len(rows):
        part = rows["subject"].map(PART)
        rows = rows.assign(task=camera, part=part)
    landmarks = None
    if camera == "left" and found.landmarks:
        landmarks = partial(_landmarks, found.landmarks, coded)
    return RawTable(
        f"disfa_{camera}" if camera == "right" else "disfa",
        root,
        rows,
        occurrence=None,
        intensity=DISFA12,
        threshold=THRESHOLD,
        excluded=tuple(excluded),
        landmarks=landmarks,
    )


class _Files(NamedTuple):
    """What lies under a root: more than one path where something is there twice."""

    labels: dict[tuple[str, int], list[Path]]  # by subject and AU
    videos: dict[str, list[Path]]  # or folders of their pictures
    landmarks: dict[str, Path]  # folders


def _find(root: Path, camera: Camera) -> _Files:
    found = _Files(defaultdict(list), defaultdict(list), {})
    for folder, folders, files in walk(root, _SUBJECT):
        if (subject := _SUBJECT.search(folder.name)) and any(map(_PICTURE.fullmatch, files)):
            _note_pictures(found, _subject(subject[1]), folder, root, camera)
        for name in files:
            subject = _SUBJECT.search(name)
            seen_by = _CAMERA.search(name) or _CAMERA.search(folder.name)
            video = Path(name).suffix.lower() in VIDEOS
            if video and subject and seen_by and seen_by[0].lower() == camera:
                found.videos[_subject(subject[1])].append(folder / name)
        for name in folders:
            if subject := _SUBJECT.fullmatch(name):
                _note(found, _subject(subject[1]), folder / name)
                if any(_PICTURE.fullmatch(path.name) for path in (folder / name).iterdir()):
                    _note_pictures(found, _subject(subject[1]), folder / name, root, camera)
    if not found.labels:
        raise DataError(
            f"{root}: expected codes such as ActionUnit_Labels/SN001/SN001_au1.txt, found none; "
            "is it the right folder, and is it unpacked?"
        )
    if not found.videos:
        raise DataError(
            f"{root}: expected videos of the {camera} camera such as "
            f"Videos_{camera.capitalize()}Camera/{camera.capitalize()}VideoSN001_comp.avi, "
            "or folders of their pictures, found none; is it the right folder, and is it unpacked?"
        )
    return found


def _note_pictures(found: _Files, subject: str, folder: Path, root: Path, camera: Camera) -> None:
    """Note a folder of pictures if it, or the nearest above it that names a camera, has this."""
    for name in (folder.name, *(above.name for above in folder.relative_to(root).parents)):
        if seen_by := _CAMERA.search(name):
            if seen_by[0].lower() == camera:
                found.videos[subject].append(folder)
            return


def _note(found: _Files, subject: str, folder: Path) -> None:
    """Note what a subject's folder holds: a label file an AU, or landmarks."""
    for path in sorted(folder.iterdir()):
        if match := _LABELS.fullmatch(path.name):
            found.labels[subject, int(match[1])].append(path)
    first = min(folder.rglob("*.mat"), default=None)
    if first is not None:
        found.landmarks[subject] = first.parent


def _codes(found: _Files, subject: str) -> tuple[pd.DataFrame, list[Excluded]]:
    """Twelve columns by frame number, NaN where a file is missing or ends early, and where."""
    columns, gaps = {}, []
    for au in DISFA12:
        try:
            if (subject, au.number) not in found.labels:
                raise DataError(f"there is no file {subject}_au{au.number}.txt")
            columns[au.column] = read_intensity(only(found.labels[subject, au.number]), au)
        except DataError as error:
            gaps.append(Excluded(f"{subject} {au.column}", 0, f"not coded: {error}"))
    if not columns:
        return pd.DataFrame(), [Excluded(subject, 0, "there is no file of codes that can be read")]
    codes = pd.concat(list(columns.values()), axis=1).sort_index()
    for name, column in columns.items():
        if absent := len(codes) - len(column):
            reason = f"not coded in {absent} of {counted(len(codes), 'frame')}: its file ends early"
            gaps.append(Excluded(f"{subject} {name}", 0, reason))
    return codes.reindex(columns=[f"{au.column}_intensity" for au in DISFA12]), gaps


def _seen(found: _Files, subject: str, camera: Camera) -> Path:
    files = found.videos.get(subject, [])
    if not files:
        raise DataError(f"there is no video of the {camera} camera")
    if len(files) > 1:
        raise DataError(f"videos {files[0]} and {files[1]}: keep one of them")
    return files[0]


def _places(source: Path, frames: "pd.Index[int]") -> pd.DataFrame:
    """File and position by the numbers of the coded frames, as far as there are pictures.

    Raises:
        DataError: nobody can say which picture is of which frame.
    """
    if not source.is_dir():
        return pd.DataFrame({"file": str(source), "position": frames - 1}, index=frames)
    files = numbered(source, _PICTURE)
    twice = files.index.duplicated()
    if twice.any():
        raise DataError(f"{source}: has two pictures of number {files.index[twice][0]}")
    first, last = files.index[0], files.index[-1]
    # From 1 to one less than is coded, they may as well begin at 0 and the first be missing.
    if first > 1 or (first == 1 and last == frames.max() - 1):
        raise DataError(
            f"{source}: has pictures {first} to {last} of {counted(len(frames), 'coded frame')}: "
            "expected them to count from 0 or from 1, so that nobody need guess which is of which"
        )
    seen = frames[(frames + first - 1).isin(files.index)]
    return pd.DataFrame({"file": files[seen + first - 1].to_numpy(), "position": 0}, index=seen)


def _landmarks(
    folders: Mapping[str, Path], coded: Mapping[str, int], rows: pd.DataFrame
) -> np.ndarray:
    """Points of the rows of one subject: (N, 49, 2) float32, NaN where there is no file to read.

    The numbers in the names begin at 0, at 1 or elsewhere, and some are left out: a file for each
    coded frame is taken in order of name, else the first is the first frame and the last the last.

    Raises:
        DataError: the files do not fit the frames, or all are damaged or of another form.
    """
    subject = rows["subject"].iloc[0]
    points = np.full((coded[subject], POINTS, 2), np.nan, np.float32)
    if subject not in folders:
        return points[rows["frame"] - 1]
    files = sorted(folders[subject].glob("*.mat"))
    places = np.arange(len(files))
    if len(files) != len(points):
        numbers = [_NUMBER.search(file.name) for file in files]
        places = np.array([int(match[1]) if match else -1 for match in numbers])
        places -= places[0]
        if places[-1] != len(points) - 1 or (np.diff(places) <= 0).any():
            raise DataError(
                f"{folders[subject]}: expected landmarks of {counted(len(points), 'frame')}, "
                f"found {counted(len(files), 'file')} whose numbers do not tell which are missing"
            )
    faults = []
    for place, file in zip(places, files, strict=True):
        try:
            points[place] = _face(file)
        except DataError as error:
            faults.append(str(error))
    tell(faults, len(files))
    return points[rows["frame"] - 1]


def _face(file: Path) -> np.ndarray:
    """The 49 points of a file: (49, 2) float32."""
    seen = np.asarray(variable(file, "pts"), np.float32)
    if seen.shape != (_TRACKED, 2):
        raise DataError(f"{file}: expected {_TRACKED} x 2 points, found {seen.shape}")
    return seen[-POINTS:] - np.float32(0.5)  # MATLAB's first pixel has its centre at 1


def _subject(number: str) -> str:
    return f"SN{int(number):03d}"
